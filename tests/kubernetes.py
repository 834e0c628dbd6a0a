"""The manifests as a cluster would get them, and what tests ask of them."""

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "infra" / "kubernetes"
KUBECTL: Final = shutil.which("kubectl")
RUNNING: Final = frozenset({"Deployment", "StatefulSet", "CronJob"})

Object = Mapping[str, Any]


@functools.cache
def render(folder: Path) -> list[Object]:
    """What ``kubectl kustomize`` makes of a folder.

    Raises:
        AssertionError: it makes nothing of it, with the reason.
    """
    assert KUBECTL is not None
    done = subprocess.run([KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def compose(folder: Path, components: Sequence[str]) -> list[Object]:
    """The base with some components, by way of a folder that is written to."""
    made = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(FOLDER / "base", folder.resolve())],
        "components": [os.path.relpath(FOLDER / "components" / each, folder.resolve()) for each in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    return render(folder)


@functools.cache
def base_objects() -> tuple[Object, ...]:
    """The base's files as they are, for machines without kubectl; settings are made a ConfigMap as kustomize would."""
    listed = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text(encoding="utf-8"))
    objects = [
        each
        for name in listed["resources"]
        for each in yaml.safe_load_all((FOLDER / "base" / name).read_text(encoding="utf-8"))
    ]
    settings = env_file(FOLDER / "base" / "settings.env")
    objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": settings})
    return tuple(objects)


def env_file(path: Path) -> dict[str, str]:
    """The variables of a file of ``NAME=value`` lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))


def of_kind(objects: Sequence[Object], *kinds: str) -> list[Object]:
    """Those of some kinds."""
    return [each for each in objects if each["kind"] in kinds]


def name_of(each: Object) -> str:
    """``Deployment/api``."""
    return f"{each['kind']}/{each['metadata']['name']}"


def template(each: Object) -> Mapping[str, Any]:
    """The pod that a workload makes, with metadata and spec."""
    spec = each["spec"]
    return dict(spec["jobTemplate"]["spec"]["template"] if each["kind"] == "CronJob" else spec["template"])


def pods(objects: Sequence[Object]) -> Iterator[tuple[Object, Mapping[str, Any]]]:
    """Each workload with the spec of its pods."""
    for each in of_kind(objects, *RUNNING):
        yield each, template(each)["spec"]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; knows ``matchLabels`` and ``In``."""
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def settings_of(objects: Sequence[Object], container: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a container: ConfigMaps by their names, then its own."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found | {each["name"]: each["value"] for each in container.get("env", [])}
