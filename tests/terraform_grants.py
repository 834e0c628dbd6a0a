"""Every grant that ``infra/terraform`` makes in a region, one by one: which role, on what, for whom.

The lists of ``modules/region/access.tf`` are followed through the modules to the resources that grant, so that a slip
on the way counts as much as one in a list.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.terraform_files import Block, bare, blocks, local, resources
from tests.terraform_values import TOP, value

_PAIRS = re.compile(
    r"\$\{merge\(\[for (\w+), (\w+) in var\.(\w+) : "
    r"\{for (\w+) in \2 : \"\$\{\1\}/\$\{\4\}\" => \{\1 = \1, \4 = \4\}\}\] ?\.\.\.\)\}"
)
_BY_ROLE = (
    "${merge(flatten([for bucket, by_role in var.access : [for may, names in by_role : {for name in names : "
    '"${bucket}/${may}/${name}" => {bucket = bucket, role = local.roles[may], name = name}}]]) ...)}'
)
_EACH = re.compile(r"each\.(?:key|value(?:\.\w+)?)")
_SPLIT = re.compile(r'\$\{split\("/", each\.key\)\[(\d)\]\}')
_SUBJECT = re.compile(r"principal://\S+/workloadIdentityPools/(\S+)/subject/ns/(\S+)/sa/(\S+)")
_TARGETS = {
    "google_artifact_registry_repository_iam_member": ("images", "repository"),
    "google_bigquery_dataset_iam_member": ("dataset", "dataset_id"),
    "google_cloud_run_v2_job_iam_member": ("job", "name"),
    "google_kms_crypto_key_iam_member": ("key", "crypto_key_id"),
    "google_project_iam_member": ("project", "project"),
    "google_pubsub_subscription_iam_member": ("subscription", "subscription"),
    "google_pubsub_topic_iam_member": ("topic", "topic"),
    "google_secret_manager_secret_iam_member": ("secret", "secret_id"),
    "google_service_account_iam_member": ("account", "service_account_id"),
    "google_storage_bucket_iam_member": ("bucket", "bucket"),
}
"""What each type of resource grants on, and the argument that says which one."""


AGENTS = "${module.project.agents}"


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of somebody's access."""

    who: str
    """A component; ``pod NAMESPACE/NAME``; ``agent KEY``, Google's own account; or who an environment names."""
    role: str
    """``roles/pubsub.viewer``; a role of ours by its name in the module project."""
    on: str
    """``topic high``, ``project``."""


def grants() -> Iterator[Grant]:
    """All of them."""
    for block in resources():
        if block.kind.endswith("_iam_member"):
            for each in _instances(block):
                yield Grant(_who(block, each), _role(block, each), _on(block, each))


def agents() -> dict[str, str]:
    """Google's own accounts, by the key that they use: a domain, or what Terraform asks for the account."""
    [output] = [each for each in blocks("output") if (each.folder, each.name) == ("modules/project", "agents")]
    asked = dict(re.findall(r"(\w+) = \"?(?:serviceAccount:)?(?:\$\{)?data\.(google_\w+)\.", str(output.body["value"])))
    return {**local("modules/project", "agents"), **asked}


def _instances(block: Block) -> list[dict[str, str]]:
    """What ``each`` is for each instance: ``{"each.key": …, "each.value.name": …}``."""
    said = bare(block.body.get("for_each", ""))
    if not said:
        return [{}]
    if said.startswith("${local."):
        written = str(local(block.folder, said.removeprefix("${local.").removesuffix("}")))
        if found := _PAIRS.fullmatch(written):
            first, second = found[1], found[4]
            table: Mapping[str, Any] = value(block.folder, f"${{var.{found[3]}}}")
            return [
                {f"each.value.{first}": key, f"each.value.{second}": name}
                for key, names in table.items()
                for name in _names(names)
            ]
        if written == _BY_ROLE:
            roles = value(block.folder, "${local.roles}")
            return [
                {"each.value.bucket": bucket, "each.value.role": roles[may], "each.value.name": name}
                for bucket, by_role in value(block.folder, "${var.access}").items()
                for may, names in by_role.items()
                for name in _names(names)
            ]
    found_values = value(block.folder, said)
    if found_values == AGENTS:
        found_values = {key: f"agent {key}" for key in agents()}
    if isinstance(found_values, Mapping):
        return [{"each.key": key, "each.value": str(each)} for key, each in found_values.items()]
    return [{"each.key": key} for key in _names(found_values)]


def _names(value_: Any) -> list[str]:
    """A list's names; what only an environment says has the name of its variable."""
    if isinstance(value_, list):
        return value_
    if asked := re.fullmatch(r'\$\{var\.\w+ \? \[module\.buckets\.names\["(\w+)"\]\] : \[\]\}', str(value_)):
        return [asked[1]]
    found = re.fullmatch(r"\$\{(?:toset\()?(?:var|module)\.([\w.]+)\)?\}", str(value_))
    assert found, f"a way to name several that this test does not know: {value_}"
    return [found[1]]


def _filled(text: str, each: Mapping[str, str]) -> str:
    text = _SPLIT.sub(lambda found: f"${{each.key}}.{found[1]}", text)
    return _EACH.sub(lambda found: each.get(found[0], found[0]), text)


def _role(block: Block, each: Mapping[str, str]) -> str:
    said = bare(block.body["role"])
    said = each["each.value.role"] if said == "${each.value.role}" else value(block.folder, said)
    found = re.fullmatch(r"(roles/\S+)|\$\{module\.project\.(\w+)_role\}", said)
    assert found, f"{block.where}: whose role is {said}?"
    return found[1] or found[2]


def _on(block: Block, each: Mapping[str, str]) -> str:
    kind, argument = _TARGETS[block.kind]
    said = bare(block.body[argument])
    if kind == "project":
        return kind
    if said == "${each.key}":
        return f"{kind} {each['each.key']}"
    if kind == "images":
        return kind
    if said.startswith("${var."):
        said = str(value(block.folder, said))
    if index := re.search(r"\[([^\]]*)\]", said):
        return f"{kind} {_filled(index[1], each).strip(chr(34))}"
    name = re.search(r"google_\w+\.(\w+)\.", said)
    assert name, f"{block.where}: on what is {said}?"
    return kind if name[1] == "main" else f"{kind} {name[1]}"


def _who(block: Block, each: Mapping[str, str]) -> str:
    said = bare(block.body["member"])
    if found := re.fullmatch(r"\$\{var\.members\[(each\.\S+)\]\}", said):
        assert value(block.folder, "${var.members}") == "${module.identity.members}", block.where
        return each[found[1]]
    if found := re.fullmatch(r"\$\{google_service_account\.(\w+)(?:\[(each\.\S+)\])?\.member\}", said):
        return each[found[2]] if found[2] else found[1]
    if found := re.fullmatch(r"\$\{(each\.\S+)\}", said):
        return each[found[1]]
    if found := re.fullmatch(r"\$\{var\.\w+\}", said):
        agent = re.fullmatch(r"\$\{module\.project\.(?:agents\}\[)?(\w+)[\]}]", str(value(block.folder, said)))
        assert agent, f"{block.where}: whose account is {said}?"
        return f"agent {agent[1]}"
    said = re.sub(r"\$\{local\.(\w+)\}", lambda found: bare(local(block.folder, found[1])), said)
    said = _filled(said, each).replace("${var.prefix}", "PREFIX")
    said = said.replace("${var.workload_pool}", _pool(block)).replace("${var.project_id}.svc.id.goog", "POOL")
    if found := re.fullmatch(r"serviceAccount:POOL\[(\S+)\]", said):
        return f"pod {_bare_keys(found[1])}"
    found = _SUBJECT.fullmatch(said)
    assert found, f"{block.where}: who is {said}?"
    assert found[1] == "POOL", block.where
    return f"pod {_bare_keys(found[2])}/{_bare_keys(found[3])}"


def _pool(block: Block) -> str:
    if block.folder == TOP:
        return ""
    return "POOL" if value(block.folder, "${var.workload_pool}") == "${module.workers.workload_pool}" else "?"


def _bare_keys(text: str) -> str:
    return re.sub(r"\$\{([^}]*)\}", r"\1", text)
