#!/bin/sh
# Runs `earmark` with the arguments, as process 1, so that it gets SIGTERM itself.
set -eu

# A file in the folder of secrets becomes the variable of its name: a mounted secret is in no manifest and no `inspect`.
for file in "${SECRETS_FOLDER:-/run/secrets/earmark}"/*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    case $name in
    [!A-Z]* | *[!A-Z0-9_]*) continue ;;
    esac
    value=$(cat "$file")
    export "$name=$value"
done

# The folder outlives a container that was killed, and its processes' names look strange from the next one: without this
# `earmark alive` would wait for the dead for ever.
data=${EARMARK_DATA:-/var/lib/earmark}
rm -rf "$data/workers" "$data/metrics"

exec earmark "$@"
