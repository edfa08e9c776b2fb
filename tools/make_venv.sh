#!/bin/sh
# make_venv.sh VENV EXTRAS READY: put this project and EXTRAS into VENV, and make READY then, a file in it. VENV is made
# first, unless a finished one is there.
# PYTHON names the interpreter; without it the first of the candidates that is new enough.
set -eu
venv=$1 extras=$2 ready=$3
made=$venv/.made  # without it, VENV is half made

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if [ ! -e "$made" ] || ! new_enough "$venv/bin/python"; then
    rm -rf "$venv"
    python=
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then python=$candidate && break; fi
    done
    if [ -z "$python" ]; then
        echo "No Python 3.11 or later as ${PYTHON:-python3, python3.14 ... python3.11}: install one, or name yours: make PYTHON=/path/to/python3" >&2
        exit 1
    fi
    # Debian and Ubuntu ship the part of venv that brings pip as a package of its own.
    if ! "$python" -m ensurepip --version >/dev/null 2>&1; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
            echo "Installing $package, which $python needs to make a virtual environment"
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
        else
            echo "$python cannot make a virtual environment yet. Run: sudo apt-get update && sudo apt-get install $package   and then make again" >&2
            exit 1
        fi
    fi
    echo "Making $venv with $("$python" --version); the first time takes a minute or two"
    "$python" -m venv "$venv"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
# matplotlib lists the machine's fonts once, and warns where that is slow: here rather than in a notebook's output.
"$venv/bin/python" -c 'import matplotlib.font_manager'
touch "$made" "$ready"
