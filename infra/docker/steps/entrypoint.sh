#!/bin/sh
# Runs `earmark` with the arguments, as process 1, so that it gets SIGTERM itself.
set -eu

# The folder outlives a container that was killed, and its processes' names look strange from the next one: without this
# `earmark alive` would wait for the dead for ever.
data=${EARMARK_DATA:-/var/lib/earmark}
rm -rf "$data/workers" "$data/metrics"

exec earmark "$@"
