#!/bin/sh
# A wheel of Earmark:  wheel.sh SOURCE WHEELS
# Takes what builds it from requirements/build.txt; BUILD_PYTHON names a Python that has it already.
set -eu
source=$1 wheels=$2
here=$(cd "$(dirname "$0")/.." && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${BUILD_PYTHON:-}
if [ -z "$python" ]; then
    python3 -m venv "$work/venv"
    python="$work/venv/bin/python"
    "$python" -m pip install --quiet --no-cache-dir --no-deps --require-hashes --requirement "$here/requirements/build.txt"
fi
# Building leaves folders behind, and the source may be somebody's checkout: only what makes the wheel is copied.
mkdir "$work/source"
for each in pyproject.toml README.md LICENSE earmark router workers ab_testing retention scaling runtime; do
    cp -R "$source/$each" "$work/source/"
done
find "$work/source" -name __pycache__ -prune -exec rm -rf {} +
mkdir -p "$wheels"
"$python" -m pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir "$wheels" "$work/source"
