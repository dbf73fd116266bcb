#!/bin/sh
# Prints the Python interpreter that builds the virtual environment: $PYTHON if set, else the first one that is new enough.
set -eu

new_enough() {
    command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if new_enough "$candidate"; then
        command -v "$candidate"
        exit 0
    fi
done

echo "slmkg needs Python 3.11 or newer, and found none as: ${PYTHON:-python3, python3.14 … python3.11, python}." >&2
echo "Install one (Debian and Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3 …" >&2
exit 1
