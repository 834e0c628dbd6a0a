"""What must be true of everything that Terraform makes, whoever adds to it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.terraform_files import (
    MODULES,
    ROOT,
    TERRAFORM,
    Block,
    bare,
    blocks,
    document,
    folders,
    local,
    names_of,
    resources,
)

PUBLIC = re.compile(r"allUsers|allAuthenticatedUsers")
PROJECT_ROLES = {
    "roles/bigquery.jobUser",  # whoever queries needs it on the project; what may be read, the dataset says
    "roles/monitoring.viewer",  # metrics have no smaller place to be granted on
    "roles/monitoring.metricWriter",  # nor to be written to, for managed Prometheus
    "roles/container.defaultNodeServiceAccount",  # what a kubelet needs
    "${module.project.cluster_visitor_role}",  # nor have clusters grants of their own
}
ENCRYPTED = {
    "google_artifact_registry_repository": "kms_key_name",
    "google_bigquery_dataset": "default_encryption_configuration",
    "google_cloud_run_v2_job": "encryption_key",
    "google_container_cluster": "database_encryption",
    "google_container_node_pool": "boot_disk_kms_key",
    "google_logging_project_bucket_config": "cmek_settings",
    "google_pubsub_topic": "kms_key_name",
    "google_secret_manager_secret": "customer_managed_encryption",
    "google_storage_bucket": "encryption",
}
"""What holds anything, and where it says whose key it is held with; tables: see the test."""
NOTHING_HELD = re.compile(
    r"google_(?:.*_iam_.*|bigquery_table|billing_budget|certificate_manager_.*|cloud_scheduler_job|logging_project_(?:sink|exclusion)|compute_.*|kms_.*|monitoring_.*|"
    r"project_service|pubsub_subscription|service_account|storage_insights_report_config|storage_notification)"
)
DIGEST = "@sha256:[0-9a-f]{64}$"
REGION = re.compile(r"\b(?:us|europe|asia|australia|africa|me|northamerica|southamerica)-[a-z]+\d\b")


def written(pattern: str = "*.tf") -> Iterator[tuple[Path, str]]:
    """Every file with its text."""
    for path in sorted(TERRAFORM.rglob(pattern)):
        if ".terraform" not in path.parts:
            yield path, path.read_text(encoding="utf-8")


def ids(block: Block) -> str:
    """A case's name."""
    return f"{block.folder}/{block.kind}.{block.name}"


@pytest.mark.parametrize("each", resources("google_pubsub_subscription"), ids=ids)
def test_no_message_is_lost_in_silence(each: Block) -> None:
    """A subscription has a dead-letter topic, or says why not; it never expires."""
    assert each.inner("dead_letter_policy") or re.search(r"no-dead-letter: \S.{30}", each.comments)
    assert each.inner("expiration_policy")[0]["ttl"] == '""'


def test_pubsub_may_move_dead_letters() -> None:
    """It needs to publish to the dead letters and to take from the lanes, and tells nobody that it may not."""
    agent = [each for each in resources() if each.body.get("member") == "${var.pubsub_agent}"]
    assert {(each.kind, each.text("role")) for each in agent} == {
        ("google_pubsub_topic_iam_member", "roles/pubsub.publisher"),
        ("google_pubsub_subscription_iam_member", "roles/pubsub.subscriber"),
    }
    assert {each.folder for each in agent} == {"modules/lanes"}
    [topic] = [each for each in agent if "topic" in each.kind]
    assert topic.body["topic"] == "${google_pubsub_topic.dead.name}"


@pytest.mark.parametrize("each", resources("google_pubsub_subscription_iam_member"), ids=ids)
def test_access_survives_a_replaced_subscription(each: Block) -> None:
    """The policy of a subscription goes with it, and Terraform would not notice.

    An ``id`` changes only with a replacement; a whole resource would drop every grant whenever a label changes.
    """
    triggers = each.inner("lifecycle")[0]["replace_triggered_by"]
    assert triggers
    assert all(re.fullmatch(r"\$\{google_pubsub_subscription\.\w+(\[[^\]]+\])?\.id\}", at) for at in triggers)


@pytest.mark.parametrize("module", ["lanes", "events"])
def test_grants_follow_every_subscription(module: str) -> None:
    """None is left out where instances are named one by one."""
    made = {
        f"{each.name}[{key}]" if "for_each" in each.body else each.name
        for each in resources("google_pubsub_subscription")
        if each.folder == f"modules/{module}"
        for key in names_of(each, project="p", prefix="e")
    }
    for each in resources("google_pubsub_subscription_iam_member"):
        if each.folder == f"modules/{module}" and each.name != "forwards":
            triggers = "".join(each.inner("lifecycle")[0]["replace_triggered_by"]).replace('"', "")
            assert set(re.findall(r"google_pubsub_subscription\.(\w+(?:\[\w+\])?)\.id", triggers)) == made, each.where


@pytest.mark.parametrize("each", resources("google_pubsub_topic"), ids=ids)
def test_messages_stay_in_their_region(each: Block) -> None:
    """On disk and on their way, but for what Cloud Storage publishes, from where nobody knows."""
    [policy] = each.inner("message_storage_policy")
    assert policy["enforce_in_transit"] in (True, '${each.key != "uploads"}')
    assert (policy["enforce_in_transit"] is True) is (each.folder != "modules/events")
    assert policy["allowed_persistence_regions"] == "${var.storage_regions}"


@pytest.mark.parametrize("each", resources("google_storage_bucket"), ids=ids)
def test_buckets_are_closed_and_forget_on_purpose(each: Block) -> None:
    """No public access, one kind of permission, soft delete chosen, no versions that erasure would miss."""
    assert each.text("public_access_prevention") == "enforced"
    assert each.body["uniform_bucket_level_access"] is True
    assert "retention_duration_seconds" in each.inner("soft_delete_policy")[0]
    assert each.inner("versioning")[0]["enabled"] is False
    assert each.inner("lifecycle_rule")


@pytest.mark.parametrize("each", resources(), ids=ids)
def test_everything_held_is_held_with_our_keys(each: Block) -> None:
    """A new type of resource must be sorted into one of the two."""
    if each.kind == "google_bigquery_table":
        assert each.inner("encryption_configuration") or each.inner("view")
    elif each.kind in ENCRYPTED:
        assert ENCRYPTED[each.kind] in str(each.body)
    else:
        assert NOTHING_HELD.fullmatch(each.kind)


def test_nobody_and_everybody_have_no_access() -> None:
    """Nothing is public."""
    assert not [path for path, text in written() if PUBLIC.search(text)]


def test_nobody_rules_the_project() -> None:
    """What is granted on the whole project is what cannot be granted on less; nothing replaces others' grants."""
    roles = {each.text("role") for each in resources("google_project_iam_member")}
    assert roles <= PROJECT_ROLES
    overruling = [each.where for each in resources() if re.search(r"_iam_(binding|policy)$", each.kind)]
    assert not overruling
    broad = {"roles/owner", "roles/editor", "roles/storage.admin", "roles/bigquery.admin", "roles/pubsub.admin"}
    assert not [each.where for each in resources() if each.text("role") in broad]


@pytest.mark.parametrize("each", resources("google_project_iam_member"), ids=ids)
def test_no_region_takes_the_grants_of_others_along(each: Block) -> None:
    """What a region grants on the project is for accounts of its own: the same member and role is one grant for all."""
    if each.folder != "modules/earmark":
        assert re.fullmatch(r"\$\{google_service_account\.\w+(\[each\.key\])?\.member\}", str(each.text("member")))


@pytest.mark.parametrize("each", resources("google_service_account", "google_project_iam_custom_role"), ids=ids)
def test_names_of_a_region_have_its_prefix(each: Block) -> None:
    """Two regions share a project, and no account; roles of ours are the project's, once."""
    if each.kind == "google_service_account":
        assert str(each.text("account_id")).startswith("${var.prefix}-")
    else:
        assert each.folder == "modules/project"


def test_machines_with_gpus_take_only_who_asks_for_one() -> None:
    """GKE taints them by itself only where other pools are there first; as it does, and first."""
    [pool] = resources("google_container_node_pool")
    taints = [
        one for each in pool.inner("node_config")[0]["dynamic"] for kind, one in each.items() if bare(kind) == "taint"
    ]
    assert [each["for_each"] for each in taints] == [
        '${each.value.gpu == "" ? [] : ["gpu"]}',
        '${each.value.spot ? ["spot"] : []}',
    ]
    [gpu] = taints[0]["content"]
    assert [bare(gpu[key]) for key in ("key", "value", "effect")] == ["nvidia.com/gpu", "present", "NO_SCHEDULE"]


def test_nothing_is_asked_of_gke_that_it_no_longer_has() -> None:
    """Its own look for vulnerable packages is over."""
    [cluster] = resources("google_container_cluster")
    [posture] = cluster.inner("security_posture_config")
    assert bare(posture["vulnerability_mode"]) == "VULNERABILITY_DISABLED"


def test_reports_begin_when_they_can() -> None:
    """A day that has begun is refused: some days after the plan that makes them, and no plan after that moves it."""
    [report] = resources("google_storage_insights_report_config")
    [start] = report.inner("frequency_options")[0]["start_date"]
    assert all("timeadd(plantimestamp()," in start[part] for part in ("year", "month", "day"))
    assert "${frequency_options[0].start_date}" in str(report.inner("lifecycle")[0]["ignore_changes"])
    [options] = report.inner("object_metadata_report_options")
    fields = {bare(each) for each in options["metadata_fields"]}
    assert {"project", "bucket", "name", "generation", "size", "timeCreated", "contentType", "temporaryHold"} == fields


def test_no_account_has_a_key() -> None:
    """Pods and people act as accounts; nothing that could be copied lets anybody else."""
    assert not resources("google_service_account_key", "google_storage_hmac_key")


def test_roles_of_our_own_are_smaller_than_googles() -> None:
    """Nobody makes or drops tables, and whoever dates objects deletes none."""
    roles = {each.name: each for each in resources("google_project_iam_custom_role")}
    assert set(roles) == {"cluster_visitor", "object_dater", "row_writer"}
    for role in roles.values():
        for permission in role.body["permissions"]:
            assert not re.search(
                r"(?<!objects)\.(create|delete|update|setIamPolicy)$|objects\.delete$", bare(permission)
            )


def test_few_delete_audio() -> None:
    """Only who erases at somebody's request: retention, and the API where customers ask it to."""
    access = local("modules/region", "bucket_access")
    for bucket in ("uploads", "archive"):
        assert set(access[bucket]["use"]) == {"api", "retention"}


def test_only_known_components_have_access() -> None:
    """A name with a slip in it would fail only when it is applied."""
    known = set(local("modules/region", "components"))

    def named(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for inner in value.values():
                yield from named(inner)
        elif isinstance(value, list):
            yield from (str(each) for each in value)

    tables = ["lane_publishers", "lane_subscribers", "lane_viewers", "event_publishers", "event_subscribers"]
    for table in [*tables, "bucket_access", "secret_readers"]:
        assert set(named(local("modules/region", table))) <= known, table


def test_nobody_can_change_the_audit_trail() -> None:
    """Links are added and read."""
    assert set(local("modules/region", "bucket_access")["audit"]) == {"create", "view"}


def test_kubernetes_has_the_same_accounts() -> None:
    """A pod acts as the Google account of its Kubernetes account's name, and its namespace is the prefix."""
    accounts = ROOT / "infra/kubernetes/base/accounts.yaml"
    found = list(yaml.safe_load_all(accounts.read_text(encoding="utf-8")))
    assert found
    components = local("modules/region", "components")
    for each in found:
        name = each["metadata"]["name"]
        assert name in components
        assert each["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].startswith(f"earmark-{name}@")


def test_keys_outlive_mistakes() -> None:
    """With a key goes all that it encrypts."""
    for each in resources("google_kms_crypto_key", "google_kms_key_ring"):
        assert each.inner("lifecycle")[0]["prevent_destroy"] is True, each.where
    [key] = resources("google_kms_crypto_key")
    assert key.text("rotation_period") == "7776000s"


@pytest.mark.parametrize("each", [*blocks("variable"), *blocks("output")], ids=ids)
def test_everything_asked_and_told_is_described(each: Block) -> None:
    """In a sentence; variables have a type too."""
    assert len(each.text("description") or "") > 10
    assert each.kind == "output" or "type" in each.body


def test_images_are_named_by_digest() -> None:
    """A tag can be moved after somebody looked at it."""
    asking = [each for each in blocks("variable") if each.name == "image" and "envs/" not in each.folder]
    checked = {each.folder for each in asking if DIGEST in str(each.body.get("validation", ""))}
    assert {"modules/scheduler", "modules/earmark"} <= checked
    for path, text in written():
        assert not re.search(r'image\s*=\s*"(?!.*@sha256:)', text), path


def test_a_region_is_one_line() -> None:
    """No module knows a region's name, and each environment has one line for each of its own."""
    for path, text in written():
        lines = [line for line in text.splitlines() if REGION.search(line) and not line.lstrip().startswith("#")]
        if "envs" in path.parts:
            assert all(re.fullmatch(r"\s+[a-z0-9-]+\s+= \{ prefix = .* \}", line) for line in lines), path
        else:
            assert all("error_message" in line for line in lines), path
    [module] = [item['"region"'] for item in document(MODULES / "earmark")["module"] if '"region"' in item]
    assert module["for_each"] == "${var.regions}"


def test_exceptions_from_checkov_say_why() -> None:
    """In place, in a sentence."""
    skips = [line for _, text in written() for line in text.splitlines() if "checkov:skip" in line]
    assert skips
    for line in skips:
        assert re.search(r"# checkov:skip=CKV2?_GCP_\d+:\S.{30}", line), line


@pytest.mark.parametrize("folder", folders(), ids=lambda path: path.relative_to(TERRAFORM).as_posix())
def test_each_folder_has_its_parts(folder: Path) -> None:
    """Pinned providers, variables, outputs, and a page for people."""
    for name in ("versions.tf", "variables.tf", "outputs.tf", "README.md"):
        assert (folder / name).is_file(), name
    assert '"~> 6.50"' in (folder / "versions.tf").read_text(encoding="utf-8")


def test_state_is_kept_elsewhere() -> None:
    """Not in the folder of whoever applied last, and not in the repository."""
    for folder in sorted((TERRAFORM / "envs").iterdir()):
        [settings] = [each for each in document(folder)["terraform"] if "backend" in each]
        assert "gcs" in str(settings["backend"]), folder
    assert not list(TERRAFORM.rglob("*.tfstate*"))


def test_every_rule_can_become_an_alert_of_cloud_monitoring() -> None:
    """The module monitoring knows two severities and durations in days, hours, minutes and seconds."""
    files = sorted((ROOT / "infra/prometheus").glob("*.rules.yml"))
    assert files
    for path in files:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
                    assert re.fullmatch(r"(\d+[dhms])+", rule.get("for", "0s")), rule["alert"]
                    assert "runbook" in rule["annotations"] or "runbook_url" in rule["annotations"], rule["alert"]


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_files_are_formatted() -> None:
    """``terraform fmt`` has nothing to change."""
    command = [str(shutil.which("terraform")), "fmt", "-check", "-recursive", "-list=true", str(TERRAFORM)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stdout
