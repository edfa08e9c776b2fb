#!/bin/sh
# Sees to it that there is a Chromium for the tests in a browser; on Debian and Ubuntu, and as root, by installing it.
# CHROMIUM names the one to use; without it, the first of the usual names on PATH (tests/browser.py looks likewise).
set -eu
for browser in ${CHROMIUM:-chromium chromium-browser google-chrome}; do
    if command -v "$browser" >/dev/null; then exit 0; fi
done
if [ -z "${CHROMIUM:-}" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium, for the tests of the notebook's view"
    apt-get -o Acquire::Retries=3 update -qq
    DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends chromium fonts-dejavu-core
else
    echo "The tests need a Chromium. Run: sudo apt-get install chromium   or name one: make test CHROMIUM=/path/to/chromium" >&2
    exit 1
fi
