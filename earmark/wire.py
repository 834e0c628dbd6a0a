"""The wire format of jobs and letters: compact JSON, one version number, so that old and new workers share a queue."""

import json
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from earmark.domain import Failure, Job
from earmark.errors import InputFault, InputRejected

WIRE_VERSION = 1
_START = b'{"v":%d,' % WIRE_VERSION
"""How every message that ``encode_job`` wrote begins; one that does is parsed once, not twice."""
_HISTORY: TypeAdapter[tuple[Failure, ...]] = TypeAdapter(tuple[Failure, ...])
_MARK = b',"history":'


class Letter(NamedTuple):
    """A job with the tries that failed in an earlier life of its message."""

    job: Job
    history: tuple[Failure, ...] = ()


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


def encode_letter(letter: Letter) -> bytes:
    """A letter as UTF-8 JSON; without history it is the job alone, which every reader of jobs understands."""
    message = encode_job(letter.job)
    return message[:-1] + _MARK + _HISTORY.dump_json(letter.history) + b"}" if letter.history else message


def decode_letter(message: bytes) -> Letter:
    """A letter, or a job alone, from UTF-8 JSON.

    Raises:
        InputRejected: ``malformed_job`` for anything else.
    """
    if _MARK not in message:
        return Letter(decode_job(message))
    try:
        fields = json.loads(message)
        history = fields.pop("history", [])
        return Letter(decode_job(json.dumps(fields)), _HISTORY.validate_json(json.dumps(history)))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InputRejected(InputFault.MALFORMED_JOB, f"The message is no letter: {type(error).__name__}") from error


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
