"""The walk of docs/deployment.md from bases to digests, with a stand-in for docker, in a checkout of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REGISTRY = "us-central1-docker.pkg.dev/example-project/earmark"
DOCKER = r"""#!/bin/sh
# Knows the tags in $TAGS; refuses to push one again, and the images of $FULL, as a disk that is full would.
tagged=$(echo "$*" | sed 's/.*\(--tag\|inspect\) \([^ ]*\).*/\2/')
file=$TAGS/$(echo "$tagged" | tr '/:' '__')
case "$*" in
*imagetools*python:* | *imagetools*vllm-openai:*) echo "sha256:$(printf 'a%.0s' $(seq 64))" ;;
*imagetools*) cat "$file" ;;
*build*)
    case $tagged in */$FULL:*) exit 1 ;; esac
    [ ! -e "$file" ] || { echo "tag is immutable" >&2; exit 1; }
    echo "$tagged" | sha256sum | sed 's/\(.\{64\}\).*/sha256:\1/' > "$file"
    echo "$tagged" >> "$TAGS/built"
    while [ "$1" != --metadata-file ]; do shift; done
    printf '{"containerimage.descriptor": {"digest": "sha256:0"},\n' > "$2"
    printf '"containerimage.digest": "%s"}\n' "$(cat "$file")" >> "$2"
    ;;
esac
"""


class Checkout:
    """A clone in small, and a registry."""

    def __init__(self, folder: Path) -> None:
        """Commit what the walk needs."""
        self.root, self.tags = folder / "checkout", folder / "tags"
        self.tags.mkdir()
        (folder / "bin").mkdir()
        (folder / "bin" / "docker").write_text(DOCKER, encoding="utf-8")
        (folder / "bin" / "docker").chmod(0o755)
        there = self.root / "infra" / "docker"
        there.mkdir(parents=True)
        for name in ("push.sh", "pin.sh", "bases.env"):
            shutil.copy(ROOT / "infra" / "docker" / name, there / name)
        shutil.copy(ROOT / ".gitignore", self.root / ".gitignore")
        self.environment = {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "TAGS": str(self.tags),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_{key}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")},
        }
        self.run("git init -q . && git add . && git commit -qm One")

    def run(self, command: str, *, full: str = "") -> int:
        """The status of a command in the checkout; the registry takes no image of the name ``full``."""
        environment = self.environment | {"FULL": full}
        shell = ["/bin/sh", "-ec", command]
        return subprocess.run(shell, cwd=self.root, env=environment, check=False, timeout=60).returncode

    def push(self, *, full: str = "") -> int:
        """Push into ``digests.txt``, as is documented."""
        return self.run(f"infra/docker/push.sh {REGISTRY} > digests.txt", full=full)

    def digests(self) -> list[list[str]]:
        """What ``digests.txt`` says."""
        return [line.split(" ") for line in (self.root / "digests.txt").read_text(encoding="utf-8").splitlines()]

    def built(self) -> Sequence[str]:
        """The tags that were built, in order."""
        return (self.tags / "built").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """With its bases pinned, as the page says."""
    made = Checkout(tmp_path)
    assert made.run(_walk()) == 0
    return made


def _walk() -> str:
    """The lines about bases in docs/deployment.md."""
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    start = text.index("infra/docker/pin.sh\n")
    return text[start : text.index("gcloud auth configure-docker", start)]


def test_the_walk_goes_twice(checkout: Checkout) -> None:
    """As it is written; the second time nothing is pinned, built or pushed, and the digests are the same."""
    (checkout.root / "regions.json").write_text(json.dumps({}), encoding="utf-8")
    assert checkout.push() == 0
    first = checkout.digests()
    assert [name for name, _ in first] == ["api", "router", "controller", "retention", "worker"]
    assert len({digest for _, digest in first}) == 5
    assert checkout.run(_walk()) == 0
    assert checkout.push() == 0
    assert checkout.digests() == first
    assert len(checkout.built()) == 5


def test_a_push_that_ended_half_way_goes_on(checkout: Checkout) -> None:
    """Tags cannot be moved, so what is there is named and not pushed again."""
    assert checkout.push(full="retention") != 0
    assert [name for name, _ in checkout.digests()] == ["api", "router", "controller"]
    assert checkout.push() == 0
    assert len(checkout.digests()) == len(checkout.built()) == 5


def test_changes_that_no_commit_names_are_refused(checkout: Checkout) -> None:
    """Whatever is not ignored."""
    (checkout.root / "router.py").write_text("", encoding="utf-8")
    assert checkout.push() == 2
    assert checkout.digests() == []
