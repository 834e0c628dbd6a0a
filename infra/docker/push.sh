#!/bin/sh
# Builds all images, pushes them, and prints a line for each, NAME DIGEST:  push.sh REGISTRY [NAME…] > digests.txt
# Tags are commits, and cannot be moved: what the registry has of this commit is named and not built again, so a push
# that ended half-way goes on where it was.
# WEIGHTS names a folder with Qwen2-Audio's weights, which worker-gpu and vllm take along; they are not built without.
set -eu
registry=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/bases.env"

for image in "$PYTHON_IMAGE" "$VLLM_IMAGE"; do
    case $image in
    *@sha256:????????????????????????????????????????????????????????????????) ;;
    *)
        echo "push.sh: $image has no digest.  Run infra/docker/pin.sh, and commit bases.env." >&2
        exit 2
        ;;
    esac
done
revision=$(git -C "$root" rev-parse HEAD)
if [ -n "$(git -C "$root" status --porcelain)" ]; then
    echo "push.sh: the checkout has changes that no commit names.  Commit them, or build from a clean one." >&2
    exit 2
fi
if [ $# = 0 ]; then
    set -- api router controller retention worker
    [ -z "${WEIGHTS:-}" ] || set -- "$@" worker-gpu vllm
fi

report() { # NAME DIGEST
    case $2 in
    sha256:????????????????????????????????????????????????????????????????) echo "$1 $2" ;;
    *)
        echo "push.sh: docker named no digest of $1: '$2'" >&2
        exit 1
        ;;
    esac
}

metadata=$(mktemp)
trap 'rm -f "$metadata"' EXIT
for name in "$@"; do
    tag=$registry/$name:$revision
    if digest=$(docker buildx imagetools inspect "$tag" --format '{{.Manifest.Digest}}' 2>/dev/null); then
        echo "push.sh: $tag is there already; named, not built again." >&2
        report "$name" "$digest"
        continue
    fi
    case $name in
    worker-gpu | vllm) weights="--build-context=weights=${WEIGHTS:?names the folder of weights}" ;;
    *) weights="" ;;
    esac
    # shellcheck disable=SC2086 # empty is no argument
    docker buildx build --platform linux/amd64 --file "$here/Dockerfile" --target "$name" $weights \
        --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" --build-arg "VLLM_IMAGE=$VLLM_IMAGE" --build-arg "REVISION=$revision" \
        --provenance=mode=max --sbom=true --tag "$tag" --push --metadata-file "$metadata" "$root" >&2
    digest=$(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' "$metadata")
    report "$name" "$digest"
done
