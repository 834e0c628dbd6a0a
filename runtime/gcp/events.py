"""Events for whoever subscribes to the topics ``results`` and ``notices``: CloudEvents 1.0 in JSON.

Structured mode over Pub/Sub: the event is the message's data, its type and subject are repeated as attributes, by
which a subscription can filter.  An event may come twice; both have the same ``id``.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PubsubMessage

from earmark.domain import Record
from runtime.gcp.vendor_errors import calling

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
RPC_S: Final = 10.0


def cloud_event(record: Record, *, source: str, record_uri: str) -> dict[str, Any]:
    """``analysis.completed`` or ``analysis.failed``: what a listener needs to decide whether to fetch the record.

    Args:
        record: how the job ended.
        source: who says so, as a URI reference.
        record_uri: where the whole record is.
    """
    data: dict[str, Any] = {
        "job_id": record.job_id,
        "tenant": record.tenant,
        "status": record.status,
        "record": record_uri,
        "tries": len(record.failures) + (record.status == "done"),
    }
    if record.analysis is not None:
        data |= {
            "content_sha256": record.analysis.content_sha256,
            "content_type": record.analysis.metadata.content_type.value,
            "confidence": record.analysis.confidence,
            "duration_s": record.analysis.technical.duration_s,
            "review": record.analysis.provenance.review,
        }
    elif record.failures:
        last = record.failures[-1]
        data["error"] = {"kind": last.kind, "stage": last.stage, "message": last.message, "remedy": last.remedy}
    return {
        "specversion": "1.0",
        "id": f"{record.job_id}-{record.settled_at:%Y%m%dT%H%M%S.%fZ}",
        "source": source,
        "type": "analysis.completed" if record.status == "done" else "analysis.failed",
        "subject": f"{record.tenant}/{record.job_id}",
        "time": record.settled_at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }


class Announcer:
    """Publishes an event for each ended job."""

    def __init__(self, publisher: PublisherClient, topic: str, *, source: str, records: str) -> None:
        """Take the topic's full name and where records lie: ``gs://bucket``."""
        self._publisher = publisher
        self._topic = topic
        self._source = source
        self._records = records

    def announce(self, records: Sequence[Record]) -> None:
        """Publish in one request; raises ``Unavailable``, and then some may have been published."""
        messages = [
            _message(cloud_event(each, source=self._source, record_uri=f"{self._records}/{each.name}"))
            for each in records
        ]
        if messages:
            calling(
                f"The topic {self._topic}",
                lambda: self._publisher.publish(topic=self._topic, messages=messages, timeout=RPC_S, retry=None),
            )


class Notifier:
    """Publishes what will be deleted, an event for each notice."""

    def __init__(self, publisher: PublisherClient, topic: str) -> None:
        """Take the topic's full name."""
        self._publisher = publisher
        self._topic = topic

    def publish(self, event: Mapping[str, Any]) -> None:
        """Publish a CloudEvent; raises ``Unavailable``, and then it may have been published."""
        calling(
            f"The topic {self._topic}",
            lambda: self._publisher.publish(topic=self._topic, messages=[_message(event)], timeout=RPC_S, retry=None),
        )


def _message(event: Mapping[str, Any]) -> PubsubMessage:
    attributes = {"content-type": CONTENT_TYPE, "type": event["type"], "subject": event["subject"]}
    return PubsubMessage(data=json.dumps(event).encode(), attributes=attributes)
