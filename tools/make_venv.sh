#!/bin/sh
# make_venv.sh VENV EXTRAS READY: put this project and EXTRAS into VENV, and make READY then, a file in it. VENV is made
# first, unless a finished one is there. PYTHON names the interpreter; without it the first of the candidates that is
# new enough.
# make_venv.sh --remove VENV: remove VENV.
#
# Nothing is ever removed that was not made here, and of that nothing before its successor is sure to be made.
set -eu
if [ "$1" = --remove ]; then remove=yes venv=$2 extras='' ready=''; else remove='' venv=$1 extras=$2 ready=$3; fi
made=$venv/.made    # it is finished
begun=$venv/.begun  # it is being made, or who made it was interrupted

say() { echo "[$venv] $*"; }
fail() { echo "$*" >&2; exit 1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# What has neither mark, and is not an empty folder, belongs to somebody else.
foreign() {
    if [ -e "$made" ] || [ -e "$begun" ]; then return 1; fi
    if [ -d "$venv" ]; then [ -n "$(ls -A "$venv")" ]; else [ -e "$venv" ]; fi
}

# Set `python` to the interpreter for a new one.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if new_enough "$candidate"; then python=$candidate && return; fi
    done
    fail "No Python 3.11 or later as ${PYTHON:-python3, python3.14 ... python3.11}: install one, or name yours: make PYTHON=/path/to/python3"
}

# Set `way` to how `python` can make one; `wheel` is pip's own, where that is needed. Changes nothing in VENV.
find_way() {
    # Debian and Ubuntu ship the part of venv that brings pip as a package of its own. Without it, any pip can fetch
    # the wheel of pip, which runs as it is and installs itself.
    if "$python" -m ensurepip --version >/dev/null 2>&1; then way=venv && return; fi
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    for pip in "$python -m pip" pip3 pip; do
        if $pip --version >/dev/null 2>&1 && $pip download --quiet --no-deps --only-binary :all: --dest "$folder" pip; then
            wheel=$(echo "$folder"/pip-*.whl)
            if "$python" "$wheel/pip" --version >/dev/null; then way=wheel && return; fi
        fi
    done
    if command -v uv >/dev/null; then way=uv && return; fi
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "Installing $package, which $python needs to make a virtual environment"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
        way=venv && return
    fi
    fail "$python can make no virtual environment: it has no ensurepip, and there is no pip that could fetch itself. Install $package as root, or, without being root, uv (https://docs.astral.sh/uv); then make again"
}

make_one() {
    mkdir -p "$venv" && : >"$begun"
    case $way in
        venv) "$python" -m venv "$venv" ;;
        wheel)
            "$python" -m venv --without-pip "$venv"
            "$venv/bin/python" "$wheel/pip" install --quiet --disable-pip-version-check --no-index "$wheel"
            ;;
        uv) uv venv --quiet --allow-existing --seed --python "$python" "$venv" ;;
    esac
}

# pip's own output is a line for each of a hundred packages and more. Its errors go past this.
install() {
    { "$venv/bin/python" -m pip install --disable-pip-version-check --no-color --progress-bar off --editable ".[$extras]" ||
        echo "pip has failed"; } | awk -v venv="$venv" '
            /^Installing collected packages:/ { print "[" venv "] Installing " (NF - 3) (NF == 4 ? " package" : " packages"); fflush() }
            /^pip has failed$/ { exit 1 }'
}

if [ -n "$remove" ]; then
    if foreign; then say "This was not made by this project, and stays"; else rm -rf "$venv"; fi
    exit 0
fi
if [ ! -e "$made" ] || ! new_enough "$venv/bin/python"; then
    if foreign; then
        fail "$venv was not made by this project, which leaves it alone. Move it away, or name another place: make VENV=.venv-sage-nb lab"
    fi
    find_python
    find_way
    say "Making it with $("$python" --version)"
    rm -rf "$venv"
    make_one
fi
say "Finding and fetching what [$extras] needs: the first time a few hundred MB, a minute or two"
install
# matplotlib lists the machine's fonts once, and warns where that is slow: here rather than in a notebook's output.
say "Listing the machine's fonts for matplotlib"
"$venv/bin/python" -c 'import matplotlib.font_manager'
touch "$made" "$ready"
rm -f "$begun"
say "Ready"
