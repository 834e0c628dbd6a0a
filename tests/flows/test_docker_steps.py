"""The steps that images are made of, in a clean virtual environment, and what they made with a root that is read-only.

Packages of others come from the environment of the tests, for the lists of versions are checked on paper
(tests/unit/test_docker_files.py); Earmark itself comes from the wheel alone.
"""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from tests import read_only_root
from tests.audio_files import example

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "infra" / "docker"
STEPS = DOCKER / "steps"
PACKAGES = ("earmark", "router", "workers", "ab_testing", "retention", "scaling", "runtime")


@dataclass(frozen=True)
class Made:
    """What the steps made."""

    wheel: Path
    target: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A wheel, and a folder with it installed."""
    folder = tmp_path_factory.mktemp("image")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BUILD_PYTHON": sys.executable,
        "LOCKED": "skip",
        "PIP_NO_COMPILE": "1",
    }
    _run([STEPS / "wheel.sh", ROOT, folder / "wheels"], environment)
    _run([STEPS / "install.sh", "services", folder / "wheels", folder / "earmark"], environment)
    [wheel] = (folder / "wheels").glob("*.whl")
    [site] = (folder / "earmark" / "lib").glob("python3.*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Made(wheel, folder / "earmark")


def _run(command: list[Path | str], environment: Mapping[str, str] | None = None, status: int = 0) -> str:
    done = subprocess.run(
        [str(each) for each in command], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_packages(made: Made) -> None:
    """Also those that are no Python: queries, rules, weights.  What is missing is noticed by the first customer."""
    with zipfile.ZipFile(made.wheel) as archive:
        inside = set(archive.namelist())
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - inside == set()


@pytest.mark.slow
def test_the_folder_says_what_is_in_it_and_belongs_to_nobody_else(made: Made) -> None:
    """A list for scanners, no pip, and no file that another user could write."""
    packages = json.loads((made.target / "packages.json").read_text(encoding="utf-8"))
    ours = {"name": "earmark", "version": "0.1.0", "purl": "pkg:pypi/earmark@0.1.0", "license": "Apache-2.0"}
    assert packages == [ours]
    assert (made.target / "requirements.txt").read_text() == (DOCKER / "requirements" / "services.txt").read_text()
    assert not list(made.target.rglob("site-packages/pip"))
    loose = [path for path in made.target.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert loose == []


def _confined(made: Made, data: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """A command as the image starts it, and its environment."""
    environment = {
        "PATH": f"{made.target}/bin:/usr/bin:/bin",
        "HOME": str(data),
        "EARMARK_DATA": str(data),
        "EARMARK_MODEL_THREADS": "2",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    script = str(ROOT / "tests" / "read_only_root.py")
    entrypoint = str(made.target / "bin" / "entrypoint")
    return [sys.executable, script, str(data), "/tmp", "--", entrypoint, *arguments], environment  # noqa: S108


def _read_only(made: Made, data: Path, *arguments: str) -> str:
    command, environment = _confined(made, data, *arguments)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    if done.returncode == read_only_root.NO_LANDLOCK:
        pytest.skip("the kernel has no Landlock, which stands in for a read-only root")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_job_goes_through_with_a_read_only_root(made: Made, tmp_path: Path) -> None:
    """Router, worker, retention and controller write below the data folder and /tmp, and nowhere else."""
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "sound.wav").write_bytes(example("wav", seconds=1.0))
    data = tmp_path / "data"
    data.mkdir()
    assert '"status": "done"' in _read_only(made, data, "analyze", str(tmp_path / "audio"), "--format", "jsonl")
    _read_only(made, data, "retention", "run", "--execute")
    assert "earmark_queue_waiting" in _read_only(made, data, "controller", "--once", "--json")


@pytest.mark.slow
def test_the_root_is_read_only_in_these_tests(made: Made, tmp_path: Path) -> None:
    """Else they would show nothing: beside the data folder nothing can be made."""
    outside = Path.home() / ".made-by-a-test"  # a checkout may be below /tmp, which is writable
    command, environment = _confined(made, tmp_path)
    command[command.index("--") + 1 :] = ["/bin/sh", "-c", f"echo no >{outside}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=20)
    try:
        assert done.returncode != 0
        assert not outside.exists()
    finally:
        outside.unlink(missing_ok=True)


@pytest.mark.slow
def test_the_api_answers_the_health_check_and_ends_at_sigterm(made: Made, tmp_path: Path) -> None:
    """As process 1 does: the signal reaches it through the entrypoint, and it ends with 0."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command, environment = _confined(made, tmp_path, "api", "--port", str(port))
    check: list[Path | str] = [
        made.target / "bin" / "python",
        made.target / "bin" / "http_alive.py",
        f"http://127.0.0.1:{port}/healthz",
    ]
    _run(check, status=1)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            if process.poll() == read_only_root.NO_LANDLOCK:
                pytest.skip("the kernel has no Landlock, which stands in for a read-only root")
            assert any("api.listening" in line for line in chain([first], process.stderr))
            _run(check)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_the_entrypoint_forgets_the_dead(tmp_path: Path) -> None:
    """What a killed container left is not taken for a worker, and the command is process 1 itself."""
    data, programs = tmp_path / "data", tmp_path / "bin"
    for folder in (data / "workers", data / "metrics", data / "scratch", programs):
        folder.mkdir(parents=True)
    (data / "workers" / "old").touch()
    fake = programs / "earmark"
    fake.write_text('#!/bin/sh\necho "$* $$"\n', encoding="utf-8")
    fake.chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "EARMARK_DATA": str(data)}
    command = [str(STEPS / "entrypoint.sh"), "work", "--lane", "high"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate(timeout=20)
        assert said == f"work --lane high {process.pid}\n"
    assert sorted(path.name for path in data.iterdir()) == ["scratch"]


def test_the_base_has_the_user_and_lacks_what_builds(tmp_path: Path) -> None:
    """Tried on a root folder that looks like the image's."""
    library = tmp_path / "usr" / "local" / "lib" / "python3.11"
    for folder in ("site-packages/pip", "site-packages/pip-26.0.dist-info", "ensurepip", "json"):
        (library / folder).mkdir(parents=True)
    (tmp_path / "usr" / "local" / "bin").mkdir()
    for name in ("pip3", "python3.11"):
        (tmp_path / "usr" / "local" / "bin" / name).touch()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n", encoding="utf-8")
    _run([STEPS / "user.sh", tmp_path])
    _run([STEPS / "slim.sh", tmp_path])
    assert "earmark:x:10001:10001:" in (tmp_path / "etc" / "passwd").read_text(encoding="utf-8")
    assert stat.S_IMODE((tmp_path / "var" / "lib" / "earmark").stat().st_mode) == 0o750
    assert sorted(path.name for path in library.iterdir()) == ["json", "site-packages"]
    assert list((library / "site-packages").iterdir()) == []
    assert [path.name for path in (tmp_path / "usr" / "local" / "bin").iterdir()] == ["python3.11"]


def test_bases_are_pinned_by_what_their_tags_are(tmp_path: Path) -> None:
    """A digest is added, and renewed where there is one; comments stay."""
    bases = tmp_path / "bases.env"
    bases.write_text(f"# why\nA_IMAGE=docker.io/a:1\nB_IMAGE=docker.io/b:2@sha256:{'0' * 64}\n", encoding="utf-8")
    environment = _with_docker(tmp_path, f'echo "sha256:{"a" * 64}"')
    _run([DOCKER / "pin.sh", bases], environment)
    digest = "a" * 64
    expected = f"# why\nA_IMAGE=docker.io/a:1@sha256:{digest}\nB_IMAGE=docker.io/b:2@sha256:{digest}\n"
    assert bases.read_text(encoding="utf-8") == expected


def test_a_base_that_is_not_pinned_is_not_built_on(tmp_path: Path) -> None:
    """The registry is not asked for anything."""
    docker = tmp_path / "docker"
    shutil.copytree(DOCKER, docker)
    (docker / "bases.env").write_text("PYTHON_IMAGE=python:3.11\nVLLM_IMAGE=vllm:1\n", encoding="utf-8")
    said = _run([docker / "push.sh", "registry.example/earmark"], _with_docker(tmp_path, "echo built >&2"), status=2)
    assert "pin.sh" in said
    assert "built" not in said


def _with_docker(folder: Path, does: str) -> dict[str, str]:
    """An environment with a docker that does so much."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "docker").write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    (programs / "docker").chmod(0o755)
    return os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
