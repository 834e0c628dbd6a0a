"""What is asked of Cloud Storage for each bucket, as it is sent; no emulator keeps any of it."""

from typing import Any

import google.cloud.storage
import pytest
from google.auth.credentials import AnonymousCredentials

from runtime.gcp.buckets import described
from runtime.gcp.names import BUCKETS, Names

DAY_S = 86_400


def sent(name: str) -> dict[str, Any]:
    """The settings of a bucket that a request to create it has."""
    client = google.cloud.storage.Client(project="p", credentials=AnonymousCredentials())
    bucket = described(client.bucket(f"p-earmark-{name}"), name)
    return {key: bucket._properties[key] for key in bucket._changes}


def rules(name: str) -> list[tuple[str, dict[str, object]]]:
    """Its lifecycle."""
    return [(rule["action"]["type"], dict(rule["condition"])) for rule in sent(name)["lifecycle"]["rule"]]


@pytest.mark.parametrize("name", BUCKETS)
def test_every_bucket_is_closed(name: str) -> None:
    """Nobody outside has access, and uploads that were never finished are dropped."""
    access = sent(name)["iamConfiguration"]
    assert access["uniformBucketLevelAccess"]["enabled"]
    assert access["publicAccessPrevention"] == "enforced"
    assert ("AbortIncompleteMultipartUpload", {"age": 1}) in rules(name)


@pytest.mark.parametrize(
    ("name", "days"), [("uploads", 7), ("results", 7), ("archive", 7), ("temporary", 0), ("state", 0), ("audit", 0)]
)
def test_soft_delete_is_chosen(name: str, days: int) -> None:
    """How long what was deleted can be brought back is said of every bucket, not left to a default."""
    assert sent(name)["softDeletePolicy"]["retentionDurationSeconds"] == days * DAY_S


def test_what_goes_by_itself() -> None:
    """By age only what is temporary or forgotten; what customers keep by the time it bears, never at once."""
    deleting = {name: [when for action, when in rules(name) if action == "Delete"] for name in BUCKETS}
    assert deleting == {
        "uploads": [{"daysSinceCustomTime": 1}],
        "results": [{"daysSinceCustomTime": 1}],
        "archive": [{"daysSinceCustomTime": 1}],
        "temporary": [{"age": 1}],
        "state": [{"age": 8, "matchesPrefix": ["admissions/", "tries/", "claims/"]}],
        "audit": [],
    }


def test_the_audit_trail_stays() -> None:
    """Its links can be neither deleted nor replaced for 400 days; nothing else has a minimum, for erasure's sake."""
    assert sent("audit")["retentionPolicy"] == {"retentionPeriod": str(400 * DAY_S)}
    assert all("retentionPolicy" not in sent(name) for name in BUCKETS if name != "audit")


def test_the_archive_is_cold() -> None:
    """Only the archive has another class than the default."""
    assert {name: sent(name).get("storageClass") for name in BUCKETS if "storageClass" in sent(name)} == {
        "archive": "COLDLINE"
    }


def test_names_lead_back() -> None:
    """A full name leads back to the short one; that of somebody else does not."""
    names = Names("p", "earmark")
    assert {names.short(names.bucket(name)) for name in BUCKETS} == set(BUCKETS)
    assert names.short("uploads") is None
    assert names.short("q-earmark-uploads") is None
