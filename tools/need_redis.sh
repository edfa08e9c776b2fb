#!/bin/sh
# need_redis.sh: see that there is a redis-server program for the tests, which start one of their own at a socket in a
# temporary folder. Installs Debian's package for root; for others one line says how. Starts nothing.
set -eu

if command -v redis-server >/dev/null; then exit 0; fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "The tests need redis-server. Run: sudo apt-get update && sudo apt-get install redis-server   (or your system's package)" >&2
    exit 1
fi

# The package would start a server for the whole machine; exit status 101 of this file is Debian's way to say no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
echo "Installing redis-server, which the tests of examples/redis_queue.py need; no server is started"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server
# Nor at the next boot.
if command -v systemctl >/dev/null; then systemctl disable --quiet redis-server.service || :; fi
