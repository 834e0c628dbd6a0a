"""What surrounds the pods: the network, and the names that Terraform, the scaling policy and the API give."""

import ipaddress
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from earmark.settings import PREFIX, Settings, load
from tests.kubernetes import (
    FOLDER,
    KUBECTL,
    ROOT,
    Object,
    base_objects,
    compose,
    env_file,
    name_of,
    of_kind,
    pods,
    render,
    selects,
    template,
)
from tests.terraform_files import local

OVERLAYS = ("dev", "prod")


@pytest.mark.parametrize(
    ("address", "port", "allowed"),
    [
        ("8.8.8.8", 443, True),
        ("2607:f8b0::1", 443, True),
        ("199.36.153.8", 443, True),
        ("8.8.8.8", 80, False),
        ("10.1.2.3", 443, False),
        ("172.20.0.1", 443, False),
        ("192.168.1.1", 443, False),
        ("100.64.1.1", 443, False),
        ("169.254.169.254", 443, False),
        ("169.254.1.1", 80, False),
        ("127.0.0.1", 443, False),
        ("fd00::1", 443, False),
        ("fe80::1", 443, False),
        ("169.254.169.254", 80, True),
    ],
)
def test_pods_reach_the_public_net_and_little_else(address: str, port: int, *, allowed: bool) -> None:
    """The last line is where tokens come from; what calls webhooks refuses it by itself."""
    called = ipaddress.ip_address(address)
    blocks = [
        (to["ipBlock"], {each["port"] for each in rule["ports"] if each["protocol"] == "TCP"})
        for policy in of_kind(base_objects(), "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for to in rule["to"]
        if "ipBlock" in to
    ]
    assert allowed is any(
        port in ports
        and called in ipaddress.ip_network(block["cidr"])
        and not any(called in ipaddress.ip_network(each) for each in block.get("except", []))
        for block, ports in blocks
    )


@pytest.mark.parametrize("port", [25, 465, 587])
@pytest.mark.parametrize("workload", sorted(each["metadata"]["name"] for each, _ in pods(base_objects())))
def test_only_retention_sends_mail(workload: str, port: int) -> None:
    """To the public net, and to no private range."""
    [labels] = [template(each)["metadata"]["labels"] for each, _ in pods(base_objects()) if _is(each, workload)]
    assert _reaches(labels, "8.8.8.8", port) is (workload == "retention")
    assert _reaches(labels, "2607:f8b0::1", port) is (workload == "retention")
    assert not any(_reaches(labels, address, port) for address in ("10.1.2.3", "192.168.1.1", "169.254.169.254"))


@pytest.mark.parametrize("port", [4317, 4318])
def test_every_pod_reaches_a_collector_in_the_cluster(port: int) -> None:
    """In the one namespace that is declared, and no address whatever."""
    for each, _ in pods(base_objects()):
        labels = template(each)["metadata"]["labels"]
        to = [end for rule in _rules(labels, port) for end in rule["to"]]
        assert to == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "opentelemetry"}}}]
    named = (ROOT / "docs" / "tracing.md").read_text(encoding="utf-8")
    assert "the namespace `opentelemetry`" in named


def _is(each: Object, workload: str) -> bool:
    return bool(each["metadata"]["name"] == workload)


def _rules(labels: Mapping[str, str], port: int) -> list[Mapping[str, Any]]:
    """What pods of these labels may call at a port."""
    return [
        rule
        for policy in of_kind(base_objects(), "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], labels)
        for rule in policy["spec"].get("egress", [])
        if port in {each["port"] for each in rule["ports"] if each["protocol"] == "TCP"}
    ]


def _reaches(labels: Mapping[str, str], address: str, port: int) -> bool:
    called = ipaddress.ip_address(address)
    blocks = [to["ipBlock"] for rule in _rules(labels, port) for to in rule["to"] if "ipBlock" in to]
    return any(
        called in ipaddress.ip_network(block["cidr"])
        and not any(called in ipaddress.ip_network(each) for each in block.get("except", []))
        for block in blocks
    )


@pytest.mark.parametrize("environment", OVERLAYS)
def test_what_is_to_be_filled_in_is_seen(environment: str) -> None:
    """The price of a machine and the collector, switched off."""
    settings = env_file(FOLDER / "overlays" / environment / "settings.env")
    assert load(settings).settings.model_usd_per_hour == 0
    assert settings["EARMARK_MODEL_USD_PER_HOUR"] == "0"
    assert settings["EARMARK_TRACE_ENDPOINT"] == ""


def test_nothing_is_open_by_default() -> None:
    """One policy takes every pod, in both directions, and allows nothing."""
    [closed] = [each for each in of_kind(base_objects(), "NetworkPolicy") if each["metadata"]["name"] == "deny-all"]
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_whoever_asks_the_model_reaches_vllm() -> None:
    """Workers, and the pod in which people replay with ``--model``; out of their pods and into the model's."""
    text = (FOLDER / "components" / "vllm" / "network.yaml").read_text(encoding="utf-8")
    [out, into] = list(yaml.safe_load_all(text))
    callers = [each["podSelector"] for each in into["spec"]["ingress"][0]["from"] if "podSelector" in each]
    named = {each["metadata"]["name"]: template(each)["metadata"]["labels"] for each, _ in pods(base_objects())}
    asking = {"operator", "worker-high", "worker-low"}
    assert {name for name, labels in named.items() if selects(out["spec"]["podSelector"], labels)} == asking
    assert {name for name, labels in named.items() if any(selects(each, labels) for each in callers)} == asking


def test_two_machines_hear_high_jobs_in_production() -> None:
    """With the scaling that is chosen there; the other is tried with the place's test."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    scalers = of_kind(render(FOLDER / "overlays" / "prod"), "HorizontalPodAutoscaler")
    least = {each["metadata"]["name"]: each["spec"]["minReplicas"] for each in scalers}
    assert (least["worker-high"], least["worker-low"]) == (2, 1)


@pytest.mark.parametrize("environment", OVERLAYS)
def test_images_are_named_by_digest(environment: str) -> None:
    """No overlay runs what a tag happens to lead to."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    for each, spec in pods(render(FOLDER / "overlays" / environment)):
        assert all(re.search(r"@sha256:[0-9a-f]{64}$", made["image"]) for made in spec["containers"]), name_of(each)


def test_components_set_what_is_a_setting() -> None:
    """Files of settings hold nothing else, in components and overlays that no test renders too."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    found = {path: set(env_file(path)) for path in FOLDER.rglob("*.env")}
    assert len(found) >= 5
    assert {path: names - known for path, names in found.items() if names - known} == {}


def test_accounts_and_machines_are_those_of_terraform() -> None:
    """Pods act as accounts that are made, and ask for pools that are."""
    terraform = ROOT / "infra" / "terraform"
    accounts = {each["metadata"]["name"] for each in of_kind(base_objects(), "ServiceAccount")}
    assert accounts == set(local("modules/region", "components")), "an account without a pod is a door that is missing"
    pools = (terraform / "envs" / "prod" / "main.tf").read_text(encoding="utf-8")
    roles = set(re.findall(r'role\s*=\s*"([a-z-]+)"', pools))
    wanted = set(re.findall(r"earmark/role: ([a-z-]+)", _all_text()))
    assert wanted <= roles


def test_a_component_wants_no_secret_that_another_has() -> None:
    """A secret without a version keeps pods from starting, so each is chosen by itself, as the page says."""
    wanted: dict[str, dict[str, str]] = {}
    for path in sorted((FOLDER / "components").glob("*/secrets.yaml")):
        for each in of_kind(list(yaml.safe_load_all(path.read_text(encoding="utf-8"))), "SecretProviderClass"):
            for version in yaml.safe_load(each["spec"]["parameters"]["secrets"]):
                name = version["resourceName"].split("/")[3]
                wanted.setdefault(path.parent.name, {})[name] = f"{each['metadata']['name']} {version['path']}"
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    row = r"^ *\| [^|]+ \| `(earmark-[a-z-]+)` \| `([a-z-]+)` \| `.* generic ([a-z]+) --from-file=([A-Z_]+)=\S+` \|$"
    told = {component: {name: f"{kind} {file}"} for name, component, kind, file in re.findall(row, page, re.MULTILINE)}
    assert wanted == told
    assert {name.removeprefix("earmark-") for names in wanted.values() for name in names} == set(
        local("modules/region", "secret_readers")
    )


def test_the_other_way_runs_the_same_worker() -> None:
    """The command for Cloud Run sets what the component `gpu` does, and asks for what there is and a worker needs."""
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^gcloud run worker-pools deploy (?:.*\\\n)+.*$", page, re.MULTILINE)
    said = dict(pair.split("=", 1) for each in re.findall(r"--set-env-vars=(\S+)", command) for pair in each.split(","))
    assert said.items() >= env_file(FOLDER / "components" / "gpu" / "settings.env").items()
    assert set(said) <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    [cpu] = re.findall(r"--cpu=(\d+)", command)
    [memory] = re.findall(r"--memory=(\d+)Gi", command)
    assert int(memory) <= {"4": 16, "6": 24, "8": 32}[cpu], "Cloud Run refuses more"
    worker = yaml.safe_load((FOLDER / "components" / "gpu" / "worker.yaml").read_text(encoding="utf-8"))
    limits = worker["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert int(memory) >= int(limits["memory"].removesuffix("Gi"))


def test_pages_name_no_setting_of_the_pools_that_there_is_not() -> None:
    """The driver is chosen in one place, for all of them."""
    pools = (ROOT / "infra" / "terraform" / "modules" / "workers" / "pools.tf").read_text(encoding="utf-8")
    assert 'gpu_driver_version = "LATEST"' in pools
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert "pools' `gpu_driver_version`" not in page


@pytest.mark.parametrize("component", ["gpu", "vllm"])
def test_whoever_asks_for_a_gpu_is_let_onto_its_machines(tmp_path: Path, component: str) -> None:
    """Terraform taints every pool with GPUs, and those that are spot a second time."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed")
    asking = 0
    for each, spec in pods(compose(tmp_path, [component])):
        if any("nvidia.com/gpu" in box["resources"].get("limits", {}) for box in spec["containers"]):
            asking += 1
            borne = {(one["key"], one["effect"]) for one in spec["tolerations"]}
            wanted = {("nvidia.com/gpu", "NoSchedule")}
            if spec["nodeSelector"]["earmark/role"] == "worker-low":
                wanted.add(("cloud.google.com/gke-spot", "NoSchedule"))
            assert wanted <= borne, name_of(each)
    assert asking


def test_the_fleet_fits_its_machines() -> None:
    """A worker has a GPU of its own, so a lane has no more of them than its pool has machines."""
    text = (ROOT / "infra" / "terraform" / "envs" / "prod" / "main.tf").read_text(encoding="utf-8")
    room = {
        role: int(most) for most, role in re.findall(r'gpu = "[^\n]*max\s*=\s*(\d+),[^\n]*role\s*=\s*"([a-z-]+)"', text)
    }
    policy = tomllib.loads((ROOT / "scaling" / "policy.toml").read_text(encoding="utf-8"))
    for component in ("scaling-hpa", "scaling-keda"):
        path = FOLDER / "components" / component / "workers.yaml"
        written = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        for each in of_kind(written, "HorizontalPodAutoscaler", "ScaledObject"):
            most = each["spec"].get("maxReplicas") or each["spec"]["maxReplicaCount"]
            lane = each["metadata"]["name"].removeprefix("worker-")
            assert policy["lanes"][lane]["cap"] <= most <= room[f"worker-{lane}"], "what the controller may ask for"


def test_the_gateway_names_what_terraform_makes_and_the_api_serves() -> None:
    """Address and policy at the edge by name; paths that lead somewhere; figures stay inside."""
    edge = (ROOT / "infra" / "terraform" / "modules" / "network" / "edge.tf").read_text(encoding="utf-8")
    made = dict(re.findall(r'resource "(\w+)" "api" \{.*?\n\s*name\s*=\s*"([^"]+)"', edge, re.DOTALL))
    assert made["google_compute_global_address"] == "${each.value.prefix}-api"
    assert made["google_certificate_manager_certificate_map"] == "${each.value.prefix}-api"
    assert made["google_compute_security_policy"] == "${var.name}-api"
    text = "".join(path.read_text(encoding="utf-8") for path in (FOLDER / "components" / "gateway").glob("*.yaml"))
    assert "value: earmark-api" in text
    assert "networking.gke.io/certmap: earmark-api" in text
    assert "securityPolicy: earmark-api" in text
    gateway = (FOLDER / "components" / "gateway" / "gateway.yaml").read_text(encoding="utf-8")
    [route] = of_kind(list(yaml.safe_load_all(gateway)), "HTTPRoute")
    paths = [match["path"] for rule in route["spec"]["rules"] for match in rule["matches"]]
    open_prefixes = [path["value"] for path in paths if path["type"] == "PathPrefix"]
    assert open_prefixes == ["/v1"]
    served = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    named = {path["value"] for path in paths if path["type"] == "Exact"}
    assert named - set(served) == {"/docs", "/openapi.json"}, "these two describe the others"
    assert not {"/metrics", "/metrics/targets", "/readyz"} & {path["value"] for path in paths}


def _all_text() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted(Path(FOLDER).rglob("*.yaml")))
