#!/bin/sh
# Earmark and the packages of a set, in a folder of their own:  install.sh SET WHEELS TARGET
# With LOCKED=skip the packages are left out, for a look at what is ours.
set -eu
set_name=$1 wheels=$2 target=$3
here=$(cd "$(dirname "$0")/.." && pwd)

python3 -m venv --without-pip "$target"
pip() { python3 -m pip --python "$target/bin/python" --no-cache-dir --quiet "$@"; }
if [ "${LOCKED:-}" != skip ]; then
    pip install --no-deps --require-hashes --requirement "$here/requirements/$set_name.txt"
fi
pip install --no-deps --no-index "$wheels"/earmark-*.whl

install -m 0755 "$here/steps/entrypoint.sh" "$target/bin/entrypoint"
install -m 0644 "$here/steps/http_alive.py" "$target/bin/http_alive.py"
# For scanners and people: every package with its version and licence, and what it was locked to.
"$target/bin/python" "$here/steps/inventory.py" >"$target/packages.json"
cp "$here/requirements/$set_name.txt" "$target/requirements.txt"
# As everything in it belongs to root, nobody who breaks in can change it.
chmod -R go-w "$target"
