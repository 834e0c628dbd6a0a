"""The shape of the project: what is installed, what is shipped, how long modules are."""

import importlib.metadata
import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]
TOP_LEVEL = sorted({name.partition(".")[0] for name in PACKAGES})
LONGEST = 350


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_each_top_level_name_is_ours_alone(name: str) -> None:
    """No other installed distribution brings a package of the same name, and ours is the one imported."""
    owners = set(importlib.metadata.packages_distributions().get(name, ["earmark"]))
    assert owners == {"earmark"}
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)


def test_every_package_is_listed() -> None:
    """A package that is not listed would be missing from an installation."""
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in TOP_LEVEL
        for path in (ROOT / name).rglob("__init__.py")
    }
    assert found == set(PACKAGES)


def test_the_base_install_needs_no_torch() -> None:
    """Neither directly nor through anything it installs."""
    pending, seen = ["earmark"], set[str]()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            requires = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        plain = (line.partition(";") for line in requires if "extra ==" not in line)
        pending += [
            "".join(char for char in head.split("[")[0] if char.isalnum() or char in "-_.").rstrip(".0123456789")
            for head, _, _ in plain
        ]
    assert not {name for name in seen if name.startswith("torch")}


def test_modules_are_short() -> None:
    """One noun a module; past 350 lines there is a second one in it."""
    long = {
        str(path.relative_to(ROOT)): lines
        for name in [*TOP_LEVEL, "benchmarks", "training"]
        for path in (ROOT / name).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    }
    assert not long


def test_every_module_says_what_it_is() -> None:
    """Each begins with a docstring."""
    for name in TOP_LEVEL:
        for path in (ROOT / name).rglob("*.py"):
            assert path.read_text(encoding="utf-8").startswith('"""'), path
