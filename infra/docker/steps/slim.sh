#!/bin/sh
# Takes what only builds need out of the image that runs:  slim.sh [ROOT]
set -eu
root=${1:-}

for library in "$root"/usr/local/lib/python3.*; do
    rm -rf "$library"/site-packages/pip "$library"/site-packages/pip-* "$library"/site-packages/setuptools* \
        "$library"/site-packages/wheel* "$library"/ensurepip "$library"/idlelib "$library"/tkinter "$library"/turtledemo
done
rm -f "$root"/usr/local/bin/pip* "$root"/usr/local/bin/idle* "$root"/usr/local/bin/2to3*
rm -rf "$root"/var/lib/apt/lists "$root"/root/.cache
