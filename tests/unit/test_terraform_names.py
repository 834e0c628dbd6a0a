"""Terraform makes what the code looks for: the same names and the same numbers as ``earmark init``."""

from datetime import timedelta
from typing import Any

import google.cloud.storage
import pytest
from google.auth.credentials import AnonymousCredentials

from earmark.settings import Settings
from runtime.erasing.rows import TIME_TRAVEL
from runtime.gcp.buckets import described
from runtime.gcp.names import BUCKETS, QUEUES, TOPICS, Names
from runtime.gcp.pubsub_queue import BACKSTOP_DELIVERIES
from runtime.gcp.setup import EVENTS, RETENTION, UPLOADS_ACK_DEADLINE_S
from runtime.gcp.terraform_tables import PAGE, declared, written
from tests.terraform_files import ROOT, bare, blocks, local, names_of, resources

OURS = Names("acme-audio", "earmark-eu")


def made(kind: str, key: str = "name") -> set[str]:
    """Every name that resources of a type get."""
    return {
        name
        for each in resources(kind)
        for name in names_of(each, project=OURS.project, prefix=OURS.prefix, key=key).values()
    }


def test_topics_are_called_as_in_the_code() -> None:
    """Each topic of ours is there, and none beside."""
    assert {f"projects/{OURS.project}/topics/{name}" for name in made("google_pubsub_topic")} == {
        OURS.topic(name) for name in TOPICS
    }


def test_subscriptions_are_called_as_in_the_code() -> None:
    """Each topic has the one subscription of its name."""
    assert {f"projects/{OURS.project}/subscriptions/{name}" for name in made("google_pubsub_subscription")} == {
        OURS.subscription(name) for name in TOPICS
    }


def test_buckets_are_called_as_in_the_code() -> None:
    """Each bucket of ours is there, and none beside."""
    assert made("google_storage_bucket") == {OURS.bucket(name) for name in BUCKETS}


def test_the_dataset_is_called_as_in_the_code() -> None:
    """BigQuery takes no hyphens, and both ways replace them alike."""
    [dataset] = resources("google_bigquery_dataset")
    assert dataset.body["dataset_id"] == '${replace(var.prefix, "-", "_")}'
    assert OURS.dataset == OURS.prefix.replace("-", "_")


def test_tables_and_views_are_those_of_the_code() -> None:
    """``python -m runtime.gcp.terraform_tables`` was run since a row type or a view changed."""
    assert (ROOT / PAGE).read_text(encoding="utf-8") == written()


def test_every_view_has_a_layer_that_is_made() -> None:
    """A view over views over views needs a resource more in modules/warehouse/views.tf."""
    made_layers = {bare(each.body["for_each"]).rpartition("view.layer == ")[2][0] for each in resources(
        "google_bigquery_table") if "view.layer" in str(each.body.get("for_each"))}  # fmt: skip
    assert {str(view["layer"]) for view in declared()["views"].values()} == made_layers


def test_views_name_no_project() -> None:
    """Project and dataset are filled in by Terraform."""
    for name, view in declared()["views"].items():
        assert "`project`" not in view["query"], name
        assert "{dataset}" in view["query"], name


def test_subscriptions_keep_what_the_code_expects() -> None:
    """Seven days, and never an end."""
    for each in resources("google_pubsub_subscription"):
        assert each.text("message_retention_duration") == f"{int(RETENTION.total_seconds())}s", each.where
        assert bare(each.inner("expiration_policy")[0]["ttl"]) == "", each.where


def test_deadlines_are_those_of_the_code() -> None:
    """Lanes have that of a lease, uploads the time it takes to read one."""
    assert local("modules/events", "deadlines")["uploads"] == UPLOADS_ACK_DEADLINE_S
    defaults = {
        each.body["default"] for each in blocks("variable") if each.name == "lease_s" and "default" in each.body
    }
    assert defaults == {int(Settings().lease_s)}


def test_the_backstop_is_where_the_workers_expect_it() -> None:
    """They replace a message well before it, and it is the most that Pub/Sub allows."""
    [policy] = [
        policy for each in resources("google_pubsub_subscription") for policy in each.inner("dead_letter_policy")
    ]
    assert policy["max_delivery_attempts"] == BACKSTOP_DELIVERIES


def test_the_router_is_told_of_the_same_events() -> None:
    """Of new objects above all."""
    [notification] = resources("google_storage_notification")
    assert [bare(each) for each in notification.body["event_types"]] == EVENTS


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_are_set_as_by_the_code(name: str) -> None:
    """Class, soft delete, lifecycle and retention policy."""
    client = google.cloud.storage.Client(project="p", credentials=AnonymousCredentials())
    bucket = described(client.bucket(f"p-{name}"), name)
    wanted: dict[str, Any] = {key: bucket._properties[key] for key in bucket._changes}
    ours = local("modules/buckets", "buckets")[name]
    assert ours["class"] == wanted.get("storageClass", "STANDARD")
    assert ours["undelete_s"] == int(wanted["softDeletePolicy"]["retentionDurationSeconds"])
    assert ours["kept_s"] == (int(wanted["retentionPolicy"]["retentionPeriod"]) if name == "audit" else None)
    deletes = [
        {
            "age": rule["condition"].get("age"),
            "days_since_custom_time": rule["condition"].get("daysSinceCustomTime"),
            "prefixes": rule["condition"].get("matchesPrefix"),
        }
        for rule in wanted["lifecycle"]["rule"]
        if rule["action"]["type"] == "Delete"
    ]
    assert ours["deletes"] == deletes


def test_receipts_of_erasures_tell_the_truth_about_time_travel() -> None:
    """What the dataset keeps of deleted rows, and BigQuery's own seven days after it."""
    [dataset] = resources("google_bigquery_dataset")
    kept = timedelta(hours=int(dataset.text("max_time_travel_hours") or 0))
    assert kept + timedelta(days=7) == TIME_TRAVEL


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("lane_publishers", set(QUEUES)),
        ("lane_subscribers", set(QUEUES)),
        ("lane_viewers", set(QUEUES)),
        ("bucket_access", set(BUCKETS)),
    ],
)
def test_access_is_decided_for_everything(table: str, expected: set[str]) -> None:
    """No queue and no bucket is left out."""
    assert set(local("modules/region", table)) == expected
