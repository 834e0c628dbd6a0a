"""Writes ``requirements/SET.txt``: every package of an image with its version and the digest of its one wheel.

    python infra/docker/lock.py              # all sets, the newest versions that pyproject.toml allows
    python infra/docker/lock.py worker       # one set

Needs pip 24 or newer and an index; nothing but the file is written.  Wheels are those of Python 3.11 on x86-64 Linux,
whatever machine this runs on.
"""  # noqa: INP001  # a tool beside the Dockerfile, no package

import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
GLIBC_MINOR: Final = 36
"""Of Debian 12, which the base image is: wheels for that C library or an older one run there."""
HEAD: Final = """\
# Written by `python infra/docker/lock.py {name}`; do not edit.  Python 3.11, x86-64 Linux.
# `pip install --no-deps --require-hashes` takes exactly these files and no others.
"""


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The canonical name that a requirement begins with."""
    return canonical(re.split(r"[\s\[<>=!~;]", requirement.strip(), maxsplit=1)[0])


def wanted(name: str, sets: Mapping[str, Any], project: Mapping[str, Any]) -> list[str]:
    """The requirements of a set, as pyproject.toml has them."""
    chosen = sets[name]
    if "requires" in chosen:
        return list(chosen["requires"])
    without = {canonical(each) for each in chosen.get("without", ())}
    extras = [each for extra in chosen["extras"] for each in project["optional-dependencies"][extra]]
    all_of_them = (*project["dependencies"], *extras, *chosen.get("requires_too", ()))
    return [each for each in all_of_them if name_of(each) not in without]


def resolve(requirements: Sequence[str]) -> list[dict[str, Any]]:
    """What pip would install, as its report says.

    Raises:
        subprocess.CalledProcessError: there is no such set of packages, or no index.
    """
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(5, GLIBC_MINOR + 1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", f"--target={folder}"]
        command += [f"--platform={each}" for each in platforms]
        subprocess.run([*command, f"--report={report}", *requirements], check=True, env=_environment())  # noqa: S603
        found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
        return found


def _environment() -> dict[str, str]:
    """Ours without what puts other wheels before the index's, as those of torch for processors only."""
    return {name: value for name, value in os.environ.items() if name != "PIP_FIND_LINKS"} | {
        "PIP_CONFIG_FILE": os.devnull
    }


def text_of(name: str, found: Sequence[Mapping[str, Any]]) -> str:
    """The file of a set, sorted by name."""
    lines = {
        canonical(each["metadata"]["name"]): (
            each["metadata"]["version"],
            each["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for each in found
    }
    body = "".join(
        f"{package}=={version} \\\n    --hash=sha256:{digest}\n" for package, (version, digest) in sorted(lines.items())
    )
    return HEAD.format(name=name) + body


def main(names: Sequence[str]) -> None:
    """Lock the sets that are named, or all."""
    sets = tomllib.loads((HERE / "images.toml").read_text(encoding="utf-8"))["sets"]
    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in names or sets:
        text = text_of(name, resolve(wanted(name, sets, project)))
        (HERE / "requirements" / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
