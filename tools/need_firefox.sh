#!/bin/sh
# Sees to it that there is a Firefox for the tests of the pages that run Python; on Debian and Ubuntu, and as root, by
# installing it. FIREFOX names the one to use; without it, the first of the usual names on PATH (tests/site/firefox.py
# looks likewise).
set -eu
for browser in ${FIREFOX:-firefox-esr firefox}; do
    if command -v "$browser" >/dev/null; then exit 0; fi
done
if [ -z "${FIREFOX:-}" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing firefox-esr, for the pages that run Python in a browser"
    apt-get -o Acquire::Retries=3 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends firefox-esr
else
    echo "The tests need a Firefox. Run: sudo apt-get install firefox-esr   or name one: make test-more FIREFOX=/path/to/firefox" >&2
    exit 1
fi
