"""Who is woken: pages lead to the cluster that rings, and its Role allows what they ask for."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.kubernetes import ROOT, base_objects, of_kind

DOCS: Final = ROOT / "docs"
RUNBOOKS: Final = (DOCS / "runbooks.md").read_text(encoding="utf-8")
PAGES: Final = ("runbooks.md", "deployment.md", "dead-letters.md", "operations.md")
KIND_NAMES: Final = {
    "cronjob": "cronjobs",
    "deploy": "deployments",
    "events": "events",
    "hpa": "horizontalpodautoscalers",
    "job": "jobs",
    "pod": "pods",
    "pods": "pods",
    "statefulset": "statefulsets",
}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_names_the_regions_namespace(page: str) -> None:
    """Whichever region it is: the namespace has the prefix's name, and the second region another one."""
    namespaces = set(re.findall(r"kubectl -n (\S+)", (DOCS / page).read_text(encoding="utf-8")))
    assert "$NS" in namespaces
    assert namespaces <= {"$NS", "gmp-system", "custom-metrics"}, "these two are the same in each cluster"


def test_the_runbooks_lead_to_the_cluster_that_an_alert_names(tmp_path: Path) -> None:
    """As it is written there, over what Terraform prints."""
    [block] = [each for each in RUNBOOKS.split("```") if each.startswith("\nNS=earmark ")]
    regions = {
        name: {"settings": {"EARMARK_GCP_PREFIX": prefix}, "cluster_command": f"echo credentials of {prefix} in {name}"}
        for name, prefix in (("us-central1", "earmark"), ("europe-west4", "earmark-eu"))
    }
    (tmp_path / "regions.json").write_text(json.dumps(regions), encoding="utf-8")
    for name, line in {"terraform": f"cat {tmp_path}/regions.json", "python": f'exec {sys.executable} "$@"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    script = block.replace("NS=earmark ", "NS=earmark-eu ")
    done = subprocess.run(
        ["/bin/bash", "-euc", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "credentials of earmark-eu in europe-west4\n"


def _rights(command: str) -> set[tuple[str, str]]:
    """What the cluster's Role must allow for a command of kubectl, as (resource, verb)."""
    verb, *words = shlex.split(command.partition(" #")[0].rstrip("\\"))
    kinds = [KIND_NAMES[each] for each in re.split("[,/ ]", words[0]) if each in KIND_NAMES] if words else []
    if verb in {"exec", "logs"}:
        inside = ("pods/exec", "create") if verb == "exec" else ("pods/log", "get")
        return {inside, ("pods", "get"), ("pods", "list"), *((kind, "get") for kind in kinds)}
    verbs = {"get": ("get", "list"), "wait": ("get", "list", "watch"), "delete": ("get", "delete")}
    if verb in verbs:
        assert kinds, command
        return {(kind, each) for kind in kinds for each in verbs[verb]}
    assert verb in {"create", "apply"}, command
    return {("cronjobs", "get"), *(("jobs", each) for each in ("get", "create", "patch"))}


def test_operators_may_do_what_pages_ask_of_them() -> None:
    """Whoever is woken is no owner of the project; settings, keys and what lasts are for others."""
    [role] = of_kind(base_objects(), "Role")
    allowed = {(what, verb) for rule in role["rules"] for what in rule["resources"] for verb in rule["verbs"]}
    asked = {
        page: re.findall(r"kubectl -n \$NS ([^`|\n]+)", (DOCS / page).read_text(encoding="utf-8"))
        for page in set(PAGES) - {"deployment.md"}
    }
    assert all(asked.values())
    lacking = {each: _rights(each) - allowed for commands in asked.values() for each in commands}
    assert {each: rights for each, rights in lacking.items() if rights} == {}
    assert {what for what, verb in allowed if verb not in {"get", "list", "watch"}} == {"pods", "pods/exec", "jobs"}
    assert not {"secrets", "configmaps", "*"} & {what for what, _ in allowed}
    assert not any("*" in rule["apiGroups"] for rule in role["rules"])


def test_nobody_is_an_operator_unless_named() -> None:
    """The binding is there to be filled in."""
    [binding] = of_kind(base_objects(), "RoleBinding")
    [role] = of_kind(base_objects(), "Role")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role["metadata"]["name"],
    }
    assert binding["subjects"] == []
