"""Addresses: what Google takes, that nothing overlaps, and that nothing of ours has one on the public net."""

import ipaddress
import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.terraform_arithmetic import computed, subnet
from tests.terraform_files import TERRAFORM, bare, blocks, local, resources
from tests.terraform_values import calls

NETWORK = "modules/network"
POD_ADDRESSES_A_MACHINE = 256
"""GKE gives a machine a /24 for its pods, of whom it runs 110 at most."""


def default(name: str, folder: str) -> str:
    """A variable's."""
    [found] = [each for each in blocks("variable") if (each.folder, each.name) == (folder, name)]
    return found.text("default") or ""


def ranges(whole: str, number: int) -> dict[str, ipaddress.IPv4Network]:
    """Those of one region: pods, nodes, services."""
    written = str(local(NETWORK, "ranges"))
    names: dict[str, object] = {"var.range": whole, "each.number": number}
    for name in ("bits", "blocks"):
        names[f"local.{name}"] = computed(bare(local(NETWORK, name))[2:-1], names)
    found = re.findall(r"(\w+) = (cidrsubnet\(.*?\))(?=, \w+ = |\})", written)
    return {name: ipaddress.IPv4Network(computed(said, names)) for name, said in found}


WHOLES = sorted({default("range", NETWORK), "10.0.0.0/8", "10.64.0.0/11", "10.64.0.0/12"})


@pytest.mark.parametrize("whole", WHOLES)
def test_gke_takes_the_ranges(whole: str) -> None:
    """Services: /27 to /16.  Pods: /21 to /9.  Machines: a /29 or more; https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips."""
    made = ranges(whole, 0)
    assert set(made) == {"pods", "nodes", "services"}
    assert 16 <= made["services"].prefixlen <= 27
    assert 9 <= made["pods"].prefixlen <= 21
    assert 8 <= made["nodes"].prefixlen <= 29


@pytest.mark.parametrize("whole", WHOLES)
def test_no_ranges_overlap(whole: str) -> None:
    """Neither in a region nor between the first, the second and the last, and all of them are in the whole."""
    made = [(number, *each) for number in (0, 1, 2, 14, 15) for each in ranges(whole, number).items()]
    for one, other in itertools.combinations(made, 2):
        assert not one[2].overlaps(other[2]), (one, other)
    assert all(each[2].subnet_of(ipaddress.IPv4Network(whole)) for each in made)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_there_are_addresses_for_all_machines(environment: str) -> None:
    """Of each pool as many as it may have, and one more while it is upgraded."""
    made = ranges(default("range", f"envs/{environment}"), 0)
    [pools] = [body["pools"] for folder, _, _, body in calls() if folder == f"envs/{environment}"]
    machines = sum(int(pool["max"]) + 1 for pool in pools.values() if isinstance(pool, dict))
    assert machines > 3
    assert machines <= made["pods"].num_addresses // POD_ADDRESSES_A_MACHINE
    assert machines <= made["nodes"].num_addresses // 2


def test_the_range_is_an_environments_to_choose() -> None:
    """It can never be changed later, and may have to fit between what a company has; all defaults are one."""
    for folder, _, module, body in calls():
        if module in {"earmark", "network"}:
            assert body["range"] == "${var.range}", folder
    folders_ = (NETWORK, "modules/earmark", "envs/dev", "envs/prod")
    assert len({default("range", folder) for folder in folders_}) == 1


PRIVATE = [*WHOLES, "172.16.0.0/12", "100.64.0.0/10", "100.96.0.0/11", "100.112.0.0/12"]
OTHERS = ["fd00::/12", "8.0.0.0/8", "100.64.0.0/8", "100.128.0.0/12", "172.0.0.0/8", "172.32.0.0/12", "192.0.0.0/8"]
CROOKED = ["10.64.0.0/9", "10.0.0.0/16", "100.64.0.0/9", "10/8"]


@pytest.mark.parametrize("whole", [*PRIVATE, *OTHERS, *CROOKED])
def test_only_private_ranges_are_taken(whole: str) -> None:
    """RFC 1918 and RFC 6598: others' public addresses could not be reached from here, and GKE takes no IPv6 there."""
    [found] = [each for each in blocks("variable") if (each.folder, each.name) == (NETWORK, "range")]
    condition = str(found.inner("validation")[0]["condition"])
    assert "try(cidrsubnet(var.range, 0, 0) == var.range, false)" in condition
    [pattern] = re.findall(r'regex\("([^"]*)", var\.range\)', condition)
    fits = re.search(pattern.encode().decode("unicode_escape"), whole) is not None
    try:
        straight = str(ipaddress.ip_network(whole)) == whole
    except ValueError:
        straight = False
    assert (fits and straight) is (whole in PRIVATE)


def test_every_range_is_used_as_what_it_is() -> None:
    """The cluster asks for its two by name."""
    [made] = resources("google_compute_subnetwork")
    assert made.body["ip_cidr_range"] == "${local.ranges[each.key].nodes}"
    named = {bare(each["range_name"]): each["ip_cidr_range"] for each in made.inner("secondary_ip_range")}
    assert named == {name: f"${{local.ranges[each.key].{name}}}" for name in ("pods", "services")}
    [cluster] = resources("google_container_cluster")
    [policy] = cluster.inner("ip_allocation_policy")
    assert bare(policy["cluster_secondary_range_name"]) == "pods"
    assert bare(policy["services_secondary_range_name"]) == "services"


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_ranges_are_computed_as_by_terraform(tmp_path: Path) -> None:
    """Its own arithmetic, from the file itself."""
    text = (TERRAFORM / "modules/network/main.tf").read_text(encoding="utf-8")
    whole = WHOLES[0]
    (tmp_path / "main.tf").write_text(
        f'variable "range" {{\n  default = "{whole}"\n}}\nvariable "regions" {{\n  default = '
        f"{{ a = {{ number = 0 }}, b = {{ number = 15 }} }}\n}}\n{text[: text.index('locals {', 10)]}",
        encoding="utf-8",
    )
    said = subprocess.run(
        [str(shutil.which("terraform")), "console"],
        cwd=tmp_path,
        input='join(",", flatten([for each in ["a", "b"] : values(local.ranges[each])]))\n',
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    expected = [str(ranges(whole, number)[name]) for number in (0, 15) for name in ("nodes", "pods", "services")]
    assert f'"{",".join(expected)}"' in said.stdout, said.stderr


@pytest.mark.parametrize(
    ("prefix", "bits", "number"), [("10.0.0.0/10", 4, 16), ("10.0.0.0/30", 4, 0), ("10.0.0.0/10", 2, 0.5)]
)
def test_a_range_that_is_not_there(prefix: str, bits: float, number: float) -> None:
    """Terraform refuses it, and so does its stand-in."""
    with pytest.raises(ValueError, match="no range"):
        subnet(prefix, bits, number)


def test_nothing_has_a_public_address() -> None:
    """Not the machines, not the control plane, which is reached by its DNS name and IAM; the edge is the one way in."""
    [cluster] = resources("google_container_cluster")
    assert cluster.inner("private_cluster_config")[0]["enable_private_nodes"] is True
    [endpoints] = cluster.inner("control_plane_endpoints_config")
    assert endpoints["ip_endpoints_config"][0]["enabled"] is False
    for kind in ("google_compute_address", "google_compute_instance", "google_compute_forwarding_rule"):
        assert not resources(kind)
    assert not [each.where for each in resources() if "access_config" in str(each.body)]
    assert {each.name for each in resources("google_compute_global_address")} == {"api"}
    for job in resources("google_cloud_run_v2_job"):
        [access] = job.inner("template")[0]["template"][0]["vpc_access"]
        assert bare(access["egress"]) == "ALL_TRAFFIC", job.where


def test_the_firewall_lets_nothing_in() -> None:
    """What nobody allowed is dropped; no rule of ours allows anything."""
    rules = resources("google_compute_firewall")
    assert rules
    assert all(each.inner("deny") and not each.inner("allow") for each in rules)
