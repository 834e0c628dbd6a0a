"""The wire format of jobs: compact JSON, one version number, so that old and new workers can share a queue."""

import json

from pydantic import ValidationError

from earmark.domain import Job
from earmark.errors import InputFault, InputRejected

WIRE_VERSION = 1
_START = b'{"v":%d,' % WIRE_VERSION
"""How every message that ``encode_job`` wrote begins; one that does is parsed once, not twice."""


def encode_job(job: Job) -> bytes:
    """A job as UTF-8 JSON."""
    return _START + job.model_dump_json(exclude_none=True).encode()[1:]


def decode_job(message: bytes | str) -> Job:
    """A job from UTF-8 JSON.

    Raises:
        InputRejected: ``malformed_job`` for anything that is not a job of a version this code knows.
    """
    content = message.encode("utf-8", "replace") if isinstance(message, str) else message
    try:
        if content.startswith(_START):
            return Job.model_validate_json(b"{" + content[len(_START) :])
        return Job.model_validate_json(_without_version(content))
    except ValidationError as error:
        where = ", ".join(".".join(map(str, fault["loc"])) or fault["type"] for fault in error.errors())
        raise InputRejected(InputFault.MALFORMED_JOB, f"The message is no job: {where}") from error


def _without_version(content: bytes) -> bytes:
    """The job's own fields of a message written by other code, its version checked."""
    try:
        fields = json.loads(content)
        version = fields.pop("v")
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise InputRejected(InputFault.MALFORMED_JOB, f"The message is no job: {type(error).__name__}") from error
    if version != WIRE_VERSION:
        message = f"The message has version {version!r}, this worker reads {WIRE_VERSION}"
        raise InputRejected(InputFault.MALFORMED_JOB, message)
    return json.dumps(fields).encode()
