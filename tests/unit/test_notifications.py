"""Notifications: what Cloud Storage says, and what others may say in its place."""

import pytest
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from runtime.gcp.notifications import Notice, read_notice


def told(**attributes: str) -> Notice | None:
    """What a notification with these attributes says."""
    known = {"eventType": "OBJECT_FINALIZE", "bucketId": "uploads", "objectId": "acme/a.wav"}
    return read_notice(ReceivedMessage(ack_id="1", message=PubsubMessage(attributes=known | attributes)))


def test_a_new_object() -> None:
    """Bucket, name and generation."""
    assert told(objectGeneration="1795279130019461") == Notice("uploads", "acme/a.wav", 1795279130019461)


@pytest.mark.parametrize("generation", ["", "\u00b2", "-1", "1e5", "9" * 400, "one"])
def test_a_generation_that_is_none(generation: str) -> None:
    """It is left open which generation is meant: whichever is there."""
    assert told(objectGeneration=generation) == Notice("uploads", "acme/a.wav", None)


@pytest.mark.parametrize(
    "attributes", [{"eventType": "OBJECT_DELETE"}, {"eventType": ""}, {"objectId": ""}, {"bucketId": ""}]
)
def test_what_is_about_no_new_object(attributes: dict[str, str]) -> None:
    """Deletions, changes of metadata and foreign messages are done with."""
    assert told(**attributes) is None
