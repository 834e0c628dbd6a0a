"""Jobs and letters as Pub/Sub messages."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any, Final

from google.pubsub_v1.types import PubsubMessage

from earmark.domain import Failure, Job
from earmark.fingerprint import fingerprint
from earmark.trace import parsed
from earmark.wire import Letter, decode_letter, encode_letter

MESSAGES_MAX: Final = 1000
BYTES_MAX: Final = 9_000_000
"""Of one request; Pub/Sub takes 10 MB."""
ATTRIBUTES_BYTES: Final = 1000
"""Room for the attributes of a message."""
TRACE: Final = "traceparent"
"""The attribute that W3C Trace Context names; OpenTelemetry reads it of any message."""
UNDELIVERED: Final = "undelivered"
"""Kind of the failure of a message that Pub/Sub's own policy moved to the dead letters."""
SOURCE_DELIVERIES: Final = "CloudPubSubDeadLetterSourceDeliveryCount"
SOURCE_SUBSCRIPTION: Final = "CloudPubSubDeadLetterSourceSubscription"


def message_of(letter: Letter, job: Job) -> PubsubMessage:
    """A letter as a message; its attributes are for people and filters, and nothing but the trace is read of them.

    The trace is an attribute and not in the job itself, so that workers of an earlier version read new messages.
    """
    attributes = {"job_id": job.id, "tenant": job.upload.tenant, "lane": str(job.lane)}
    if job.upload.trace is not None:
        attributes[TRACE] = job.upload.trace
        letter = letter._replace(job=letter.job.traced(None))
    if job.exposure is not None:
        attributes |= {"experiment": job.exposure.experiment, "version": str(job.exposure.version), "arm": job.arm}
    if letter.history:
        last = letter.history[-1]
        attributes |= {"kind": last.kind, "stage": last.stage, "fingerprint": last.fingerprint, "model": last.model}
        attributes["tries"] = str(len(letter.history))
    return PubsubMessage(data=encode_letter(letter), attributes=attributes)


def letter_of(message: Any) -> Letter:
    """The job and its history; one that Pub/Sub's own policy moved has a last failure that says so.

    Args:
        message: a ``PubsubMessage`` as a plain protocol buffer.

    Raises:
        InputRejected: it is no job.
    """
    letter = decode_letter(message.data)
    context = parsed(message.attributes.get(TRACE))
    if context is not None:
        letter = letter._replace(job=letter.job.traced(context.header))
    deliveries = message.attributes.get(SOURCE_DELIVERIES)
    if deliveries is None:
        return letter
    text = f"Pub/Sub gave up after {deliveries} deliveries from {message.attributes.get(SOURCE_SUBSCRIPTION, '?')}"
    failure = Failure(
        try_number=max(len(letter.history), 1),
        stage="lease",
        kind=UNDELIVERED,
        message=text,
        remedy="Look at the log of the workers for this job: none of them came to an end with it.",
        fingerprint=fingerprint("lease", UNDELIVERED, text, ""),
        model="",
        worker="",
        at=message.publish_time.ToDatetime(UTC),
    )
    return Letter(letter.job, (*letter.history, failure))


def batches(messages: Iterable[PubsubMessage]) -> Iterator[list[PubsubMessage]]:
    """Messages in requests that Pub/Sub takes."""
    batch: list[PubsubMessage] = []
    size = 0
    for message in messages:
        added = len(message.data) + ATTRIBUTES_BYTES
        if batch and (len(batch) == MESSAGES_MAX or size + added > BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += added
    if batch:
        yield batch
