"""The images on paper: linted, confined, complete; what the steps do is tried in tests/flows/test_docker_steps.py."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "infra" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
IMAGES = tomllib.loads((DOCKER / "images.toml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ROLES = sorted(IMAGES["images"])
MARKERS = {"python_version": "3.11", "python_full_version": "3.11.9", "sys_platform": "linux", "os_name": "posix"}
MACHINE = MARKERS | {"platform_machine": "x86_64", "platform_system": "Linux", "extra": ""}


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    """The script that writes the lists, which is in no package."""
    spec = importlib.util.spec_from_file_location("lock", DOCKER / "lock.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def locked(name: str) -> dict[str, str]:
    """Versions by package, of a list."""
    text = (DOCKER / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) ", text, re.MULTILINE))


def stage(name: str) -> str:
    """What the Dockerfile says of a stage."""
    return re.split(r"^FROM ", DOCKERFILE[DOCKERFILE.index(f" AS {name}\n") :], flags=re.MULTILINE)[0]


def test_the_linter_finds_nothing() -> None:
    """Of hadolint, with all its rules."""
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, "--no-color", str(DOCKER / "Dockerfile")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_each_role_has_an_image(role: str) -> None:
    """With a title, a health check and a command; all but the one that ends by itself are asked how they are."""
    text = stage(role)
    assert f'image.title="earmark-{role}"' in text
    assert "image.description=" in text
    assert re.search(r"^HEALTHCHECK", text, re.MULTILINE)
    assert re.search(r"^CMD \[", text, re.MULTILINE)
    assert ("HEALTHCHECK NONE" in text) is (role == "retention")


def test_nothing_runs_as_root() -> None:
    """Every image that is pushed descends from a stage with the user's number, and goes back to no other."""
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert set(users) == {"10001:10001"}
    assert "USER 10001:10001" in stage("base")
    parents = {child: parent for parent, child in re.findall(r"^FROM (\S+) AS (\S+)", DOCKERFILE, re.MULTILINE)}
    for role in ROLES:
        at = role
        while at != "base":
            at = parents[at]
    assert "USER 10001:10001" in stage("vllm")


def test_every_step_is_a_script() -> None:
    """That is there and can be run, so that what an image is made of can be tried without one."""
    run = re.findall(r"^RUN (.+)$", DOCKERFILE, re.MULTILINE)
    assert run
    for line in run:
        for command in line.split(" && "):
            if command != "rm -r /build":
                script = DOCKER / "steps" / Path(command.split()[0]).name
                assert script.stat().st_mode & 0o111, script


def test_bases_are_arguments_that_scripts_pin() -> None:
    """The Dockerfile's defaults are those of bases.env, but for the digest; nothing else is pulled."""
    bases = dict(re.findall(r"^(\w+)=(\S+)$", (DOCKER / "bases.env").read_text(encoding="utf-8"), re.MULTILINE))
    defaults = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", DOCKERFILE, re.MULTILINE))
    assert {name: image.partition("@")[0] for name, image in bases.items()} == defaults
    stages = set(re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE))
    pulled = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) - stages - {"scratch"}
    assert pulled == {f"${{{name}}}" for name in defaults}


def test_the_context_is_what_is_named() -> None:
    """Everything is left out but the packages and what builds them."""
    lines = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    packages = {name.partition(".")[0] for name in _packages()}
    assert rules[0] == "*"
    allowed = {line[1:] for line in rules if line.startswith("!")}
    assert allowed == packages | {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "infra/docker/steps",
        "infra/docker/requirements",
    }


def _packages() -> list[str]:
    read = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[str] = read["tool"]["setuptools"]["packages"]
    return found


@pytest.mark.parametrize("name", ["services", "worker", "worker-gpu"])
def test_lists_hold_what_the_project_asks_for(lock: ModuleType, name: str) -> None:
    """Each requirement of the set, in a version that it allows."""
    have = locked(name)
    for text in lock.wanted(name, IMAGES["sets"], PROJECT):
        requirement = Requirement(text)
        assert requirement.specifier.contains(have[lock.canonical(requirement.name)]), text
    for left_out in IMAGES["sets"][name].get("without", ()):
        assert lock.canonical(left_out) not in have


@pytest.mark.parametrize("name", ["services", "worker", "worker-gpu"])
def test_lists_are_complete(lock: ModuleType, name: str) -> None:
    """What a package in a list asks for is in it too, as far as the packages are installed here to be asked."""
    have = locked(name)
    asked = 0
    for package, version in have.items():
        try:
            if importlib.metadata.version(package) != version:
                continue  # another version may ask for other things
            requires = importlib.metadata.requires(package) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for text in requires:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(MACHINE):
                asked += 1
                found = have[lock.canonical(requirement.name)]
                assert requirement.specifier.contains(found, prereleases=True), f"{package}: {text}"
    assert asked > 50


@pytest.mark.parametrize("name", sorted(IMAGES["sets"]))
def test_every_package_has_one_digest(name: str) -> None:
    """And none is named by an address."""
    text = (DOCKER / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == 2 * len(locked(name)) > 0
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in lines[1::2])
    assert "://" not in text


def test_requirements_are_named_as_indexes_do(lock: ModuleType) -> None:
    """PEP 503."""
    assert lock.name_of("Google_Cloud.Storage[grpc] >= 3.4 ; python_version > '3'") == "google-cloud-storage"
    assert lock.name_of("openai>=3.54,<4") == "openai"


def test_a_list_is_sorted_and_says_where_it_is_from(lock: ModuleType) -> None:
    """Whatever order pip reports in."""
    found = [
        {
            "metadata": {"name": name, "version": "1.0"},
            "download_info": {"archive_info": {"hashes": {"sha256": digest * 64}}},
        }
        for name, digest in (("zeta", "a"), ("Alpha.Beta", "b"))
    ]
    text = lock.text_of("worker", found)
    assert text.index("alpha-beta==1.0") < text.index("zeta==1.0")
    assert "lock.py worker" in text


def test_the_images_of_the_manifests_are_the_images() -> None:
    """What the cluster asks for is what is built."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "infra" / "kubernetes").rglob("*.yaml"))
    named = set(re.findall(r"image: earmark-([a-z-]+)", text))
    assert named <= set(re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert named - {"vllm"} == set(ROLES)
