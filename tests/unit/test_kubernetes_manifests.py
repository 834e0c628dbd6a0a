"""What a cluster is given: valid, confined, and true to settings, commands, metrics and everybody's names."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import typer

from earmark.settings import PREFIX, load
from runtime import exit_status
from runtime.cli import app
from runtime.metrics.catalogue import BY_NAME
from tests.kubernetes import (
    FOLDER,
    KUBECTL,
    Object,
    base_objects,
    compose,
    name_of,
    of_kind,
    pods,
    render,
    selects,
    settings_of,
    template,
)
from tests.kubernetes_crds import CRDS

VERSION = kubernetes_validate.latest_version()
COMPOSED = {
    "gpu": ["gpu", "scaling-hpa"],
    "keda": ["gpu", "scaling-keda", "secret-manager"],
    "vllm": ["vllm", "scaling-keda", "gateway", "secret-manager", "secret-manager-mail"],
}
OVERLAYS = ("dev", "prod")
SPARE_S = 15
"""Seconds between the end of a drain and the kill, for handing back and closing."""
IDLE = frozenset({"operator"})
"""Workloads that wait for people, of whom nobody asks how they are."""
SPOT_S = 15
"""What a node that is taken away gives an ordinary pod: Kubernetes' graceful node shutdown as GKE sets it."""


@pytest.fixture(scope="module", params=["base", *OVERLAYS, *COMPOSED])
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sequence[Object]:
    """Every way of putting the manifests together that is offered; without kubectl the base as it is written."""
    name = request.param
    if KUBECTL is None:
        if name != "base":
            pytest.skip("kubectl is not installed: only the base can be read without it")
        return base_objects()
    if name in COMPOSED:
        return compose(tmp_path_factory.mktemp(name), COMPOSED[name])
    return render(FOLDER / "base" if name == "base" else FOLDER / "overlays" / name)


def test_every_object_fits_its_schema(objects: Sequence[Object]) -> None:
    """Kubernetes' own in the newest version known here, others by the fields that are documented."""
    for each in objects:
        _validate(json.dumps(each))


@functools.cache
def _validate(text: str) -> None:
    """Most objects are the same in all compositions, and Kubernetes' schemas are large."""
    each = json.loads(text)
    key = each["apiVersion"], each["kind"]
    if key in CRDS:
        jsonschema.validate(each["spec"], CRDS[key])
    else:
        kubernetes_validate.validate(each, VERSION, strict=True)


def test_the_schemas_refuse_slips_of_the_pen() -> None:
    """A field that is spelled wrongly is found, in Kubernetes' objects and in others."""
    [policy] = [each for each in base_objects() if name_of(each) == "PodDisruptionBudget/api"]
    spelled_wrongly = {**policy, "spec": {**policy["spec"], "maxUnavailible": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(spelled_wrongly, VERSION, strict=True)
    [watch] = of_kind(base_objects(), "PodMonitoring")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**watch["spec"], "endpoint": []}, CRDS[watch["apiVersion"], watch["kind"]])


def test_no_object_comes_twice(objects: Sequence[Object]) -> None:
    """Each has a name of its own, and all but the namespace are in the namespace."""
    names = [name_of(each) for each in objects]
    assert len(names) == len(set(names))
    if KUBECTL is not None:
        [namespace] = [each["metadata"]["name"] for each in of_kind(objects, "Namespace")]
        within = [each["metadata"].get("namespace") for each in objects if each["kind"] != "Namespace"]
        assert set(within) == {namespace}


def test_pods_are_confined(objects: Sequence[Object]) -> None:
    """As the namespace's standard `restricted` asks, and with a root that cannot be written."""
    for each, spec in pods(objects):
        name, security = name_of(each), spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 10001, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec), name
        assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} <= {
            "emptyDir",
            "secret",
            "configMap",
            "csi",
        }, name
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert all("hostPort" not in port for port in container.get("ports", [])), name


def test_every_folder_that_is_written_to_has_a_bound(objects: Sequence[Object]) -> None:
    """The data folder and temporary files; together no more than the container may have."""
    for each, spec in pods(objects):
        folders = {volume["name"]: volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume}
        disk = sum(_gib(folder["sizeLimit"]) for folder in folders.values() if folder.get("medium") != "Memory")
        [container] = spec["containers"]
        assert disk <= _gib(container["resources"]["limits"]["ephemeral-storage"]), name_of(each)
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounted >= ({"/tmp"} if container["name"] == "vllm" else {"/tmp", "/var/lib/earmark"})  # noqa: S108


def test_pods_say_what_they_need(objects: Sequence[Object]) -> None:
    """Memory is bounded; processors are not, for a throttled worker misses its second while the machine is idle."""
    for each, spec in pods(objects):
        [container] = spec["containers"]
        resources = container["resources"]
        assert {"cpu", "memory", "ephemeral-storage"} <= set(resources["requests"]), name_of(each)
        assert _gib(resources["requests"]["memory"]) <= _gib(resources["limits"]["memory"]), name_of(each)
        assert "cpu" not in resources["limits"], name_of(each)


def test_settings_are_settings(objects: Sequence[Object]) -> None:
    """Every name is one of ours, and every process could start with its values."""
    for each, spec in pods(objects):
        [container] = spec["containers"]
        ours = {name: value for name, value in settings_of(objects, container).items() if name.startswith(PREFIX)}
        if container["name"] == "earmark":
            assert ours["EARMARK_BACKEND"] == "gcp", name_of(each)
        load(ours)


def test_commands_are_commands(objects: Sequence[Object]) -> None:
    """The arguments are what the command line takes."""
    for _, spec in pods(objects):
        [container] = spec["containers"]
        if container["name"] == "earmark" and "command" not in container:
            _parse(container["args"])
            for probe in ("startupProbe", "livenessProbe"):
                command = container.get(probe, {}).get("exec", {}).get("command")
                if command:
                    assert command[0] == "earmark"
                    _parse(command[1:])


def _parse(arguments: Sequence[str]) -> None:
    command = _command()
    rest = list(arguments)
    while hasattr(command, "commands"):
        name = rest.pop(0)
        assert name in command.commands, name
        command = command.commands[name]
    command.make_context("earmark", rest, resilient_parsing=False).close()


@functools.cache
def _command() -> Any:
    return typer.main.get_command(app)


def test_a_drain_ends_before_the_kill(objects: Sequence[Object]) -> None:
    """What is waited for before, the drain and some seconds fit into the time that a pod is given."""
    for each, spec in pods(objects):
        [container] = spec["containers"]
        if container["name"] != "earmark":
            continue
        drain_s = load(_ours(settings_of(objects, container))).settings.drain_s
        before_s = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert spec["terminationGracePeriodSeconds"] >= before_s + drain_s + SPARE_S, name_of(each)
        if each["metadata"]["name"] == "worker-low":
            assert drain_s < SPOT_S


def _ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


def test_what_goes_on_is_asked_how_it_is(objects: Sequence[Object]) -> None:
    """Started and alive, at ports that there are and paths that are served."""
    for each, spec in pods(objects):
        if each["kind"] == "CronJob" or each["metadata"]["name"] in IDLE:
            continue
        [container] = spec["containers"]
        ports = {port["name"] for port in container["ports"]}
        assert {"startupProbe", "livenessProbe"} <= set(container), name_of(each)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container.get(probe, {}).get("httpGet")
            if asked is not None:
                assert asked["port"] in ports, name_of(each)
                assert asked["path"] in {"/healthz", "/readyz", "/metrics", "/health"}


def test_names_that_are_named_are_there(objects: Sequence[Object]) -> None:
    """Accounts, settings, services' pods and ports, and what scales or guards something."""
    names = {name_of(each) for each in objects}
    labels = {name_of(each): template(each)["metadata"]["labels"] for each, _ in pods(objects)}
    for each, spec in pods(objects):
        assert f"ServiceAccount/{spec['serviceAccountName']}" in names, name_of(each)
        if each["kind"] != "CronJob":
            assert selects(each["spec"]["selector"], labels[name_of(each)])
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert f"ConfigMap/{volume['configMap']['name']}" in names
            if "csi" in volume:
                assert f"SecretProviderClass/{volume['csi']['volumeAttributes']['secretProviderClass']}" in names
    for each in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        target = each["spec"]["scaleTargetRef"]
        assert f"{target['kind']}/{target['name']}" in names, name_of(each)
    for each in of_kind(objects, "PodDisruptionBudget"):
        assert any(selects(each["spec"]["selector"], mine) for mine in labels.values()), name_of(each)
    for each in of_kind(objects, "NetworkPolicy"):
        assert any(selects(each["spec"]["podSelector"], mine) for mine in labels.values()), name_of(each)
    for each in of_kind(objects, "HTTPRoute"):
        assert all(f"Service/{to['name']}" in names for rule in each["spec"]["rules"] for to in rule["backendRefs"])


def test_what_runs_by_the_clock_runs_once(objects: Sequence[Object]) -> None:
    """One run at a time, not tried again where that changes nothing; values that the schemas take as any text."""
    [job] = [each["spec"] for each in of_kind(objects, "CronJob")]
    assert (job["concurrencyPolicy"], job["timeZone"]) == ("Forbid", "Etc/UTC")
    [spec] = [spec for each, spec in pods(objects) if each["kind"] == "CronJob"]
    assert spec["restartPolicy"] == "Never", "podFailurePolicy demands it"
    rules = job["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert {"action": "FailJob", "onExitCodes": _ended(exit_status.USAGE, exit_status.SOME_NOT_DONE)} in rules


def _ended(*statuses: int) -> dict[str, Any]:
    return {"containerName": "earmark", "operator": "In", "values": list(statuses)}


def test_secrets_come_from_one_place(objects: Sequence[Object]) -> None:
    """From Kubernetes or from Secret Manager, at the path that the entrypoint reads, for the group alone."""
    managed = {each["metadata"]["name"] for each in of_kind(objects, "SecretProviderClass")}
    for each, spec in pods(objects):
        for volume in spec["volumes"]:
            if volume["name"] == "secrets":
                wanted = "retention" if each["kind"] == "CronJob" else "providers"
                assert ("csi" in volume) is (wanted in managed), name_of(each)
                assert ("secret" in volume) is (wanted not in managed), name_of(each)
                if "csi" in volume:
                    assert volume["csi"]["volumeAttributes"]["secretProviderClass"] == wanted
                else:
                    assert volume["secret"] == {"secretName": wanted, "defaultMode": 0o440, "optional": True}
                mounts = spec["containers"][0]["volumeMounts"]
                assert {"name": "secrets", "mountPath": "/run/secrets/earmark", "readOnly": True} in mounts


def test_services_lead_to_ports(objects: Sequence[Object]) -> None:
    """Each service selects exactly one workload, which has the port."""
    for each in of_kind(objects, "Service"):
        selector = {"matchLabels": each["spec"]["selector"]}
        [spec] = [spec for made, spec in pods(objects) if selects(selector, template(made)["metadata"]["labels"])]
        ports = {port["name"] for port in spec["containers"][0]["ports"]}
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports


def test_everything_that_serves_metrics_is_collected(objects: Sequence[Object]) -> None:
    """From the port that settings name, once each, with the role that alerts know."""
    watched = of_kind(objects, "PodMonitoring")
    for each, spec in pods(objects):
        if each["kind"] == "CronJob" or each["metadata"]["name"] in IDLE:
            continue
        mine = template(each)["metadata"]["labels"]
        [watching] = [watch for watch in watched if selects(watch["spec"]["selector"], mine)]
        ports = {port["name"]: port["containerPort"] for port in spec["containers"][0]["ports"]}
        assert {end["port"] for end in watching["spec"]["endpoints"]} <= set(ports)
        if spec["containers"][0]["name"] == "earmark":
            assert str(ports["metrics"]) == settings_of(objects, spec["containers"][0])["EARMARK_METRICS_PORT"]
            assert mine["role"] in {metric.served_by for metric in BY_NAME.values()}


def test_metrics_that_are_scaled_by_are_ours(objects: Sequence[Object]) -> None:
    """By name and by label, for the lane of the workers that follow them."""
    for each in of_kind(objects, "HorizontalPodAutoscaler"):
        for metric in each["spec"]["metrics"]:
            if metric["type"] != "External":
                continue
            asked = metric["external"]["metric"]
            name = asked["name"].split("|")[1]
            lane = asked["selector"]["matchLabels"]["metric.labels.lane"]
            assert [label.name for label in BY_NAME[name].labels] == ["lane"]
            assert each["spec"]["scaleTargetRef"]["name"] == f"worker-{lane}"
    for each in of_kind(objects, "ScaledObject"):
        [trigger] = each["spec"]["triggers"]
        name, lane = re.findall(r'max\((\w+)\{lane="(\w+)"', trigger["metadata"]["query"])[0]
        assert name in BY_NAME
        assert each["spec"]["scaleTargetRef"]["name"] == f"worker-{lane}"


def _gib(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", text).groups()  # type: ignore[union-attr]  # a fault fails the test
    return int(number) / (1024 if unit == "Mi" else 1)
