#!/bin/sh
# Writes into bases.env the digests that the tags have today:  pin.sh [FILE]
# Needs docker with buildx, and the registries.
set -eu
file=${1:-$(cd "$(dirname "$0")" && pwd)/bases.env}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
while IFS= read -r line; do
    case $line in
    [A-Z]*=*)
        name=${line%%=*} image=${line#*=}
        tagged=${image%@*}
        digest=$(docker buildx imagetools inspect "$tagged" --format '{{.Manifest.Digest}}')
        echo "$name=$tagged@$digest"
        ;;
    *) printf '%s\n' "$line" ;;
    esac
done <"$file" >"$new"
cat "$new" >"$file"
