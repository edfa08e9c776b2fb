#!/bin/sh
# Sees to it that there is npm, which fetches Pyodide for the pages of the documentation that run Python; on Debian and
# Ubuntu, and as root, by installing it.
set -eu
if command -v npm >/dev/null; then exit 0; fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing npm, for the pages that run Python in a browser"
    apt-get -o Acquire::Retries=3 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends npm
else
    echo "The documentation needs npm. Run: sudo apt-get install npm" >&2
    exit 1
fi
