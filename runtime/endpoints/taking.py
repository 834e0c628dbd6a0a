"""``take_audio``: what a request brings, whichever way, becomes a job or is found to be known."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from router.addresses import MAX_ADDRESS_CHARS, resolve
from router.tenants import Tenant
from runtime.api.idempotency import Claim, Clash, IdempotencyClash
from runtime.api.submission import Submitted
from runtime.endpoints.bodies import Body
from runtime.endpoints.parts import ApiParts
from runtime.endpoints.problem import Problem

_RETRY_S: Final = 1
_UNSUPPORTED: Final = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
_KIND_CHARS: Final = 100


class _Named(BaseModel):
    """A body that says where the audio is."""

    model_config = ConfigDict(extra="forbid")
    uri: str = Field(min_length=1, max_length=MAX_ADDRESS_CHARS)


async def take_audio(request: Request, parts: ApiParts, tenant: Tenant, key: str, *, keep: bool) -> Submitted:
    """Take the audio of a request: a form, the bytes themselves, or where they are.

    Args:
        request: its body has not been read yet.
        parts: what takes it.
        tenant: who sends it.
        key: idempotency key; empty = none.
        keep: whether the audio is kept, unless the form says otherwise.

    Raises:
        InputRejected: the audio cannot be taken.
        Problem: the request is at fault, or beyond a limit.
        Unavailable: a part of the system is away.
    """
    kind = media_type_of(request)
    if kind == "application/json":
        return await _named(request, parts, tenant, key)
    if not kind.startswith(("audio/", "video/")) and kind not in {"multipart/form-data", "application/octet-stream"}:
        detail = f"The body is {kind}." if kind else "The request does not say what the body is."
        remedy = "Send a form (multipart/form-data) with the part file, audio/*, application/octet-stream or JSON."
        raise Problem(_UNSUPPORTED, "unsupported_media_type", detail, remedy)
    submission = parts.analyses.submission
    with await run_in_threadpool(parts.limiting.admit_job, tenant) as admission:
        async with parts.analyses.bodies.audio(request, tenant.name, most_bytes=submission.limit_bytes(tenant)) as body:
            kept = _kept(body, keep=keep)
            submitted = await run_in_threadpool(_of_file, parts, tenant, key, body, keep=kept)
        if submitted.request is not None:
            admission.queued(submitted.job_id)
    return submitted


def _of_file(parts: ApiParts, tenant: Tenant, key: str, body: Body, *, keep: bool) -> Submitted:
    with claiming(parts, tenant, key, "file", body.content_sha256, str(keep)) as claim:
        if claim.earlier is not None:
            return _earlier(parts, tenant, claim.earlier)
        submitted = parts.analyses.submission.of_file(
            body.path, body.content_sha256, body.size_bytes, tenant, keep=keep
        )
        claim.answer = submitted.job_id
        return submitted


async def _named(request: Request, parts: ApiParts, tenant: Tenant, key: str) -> Submitted:
    """Take audio that lies in a bucket."""
    text = await parts.analyses.bodies.text(request)
    try:
        uri = _Named.model_validate_json(text).uri
    except ValidationError as error:
        faults = [{"at": ".".join(map(str, each["loc"]))[:80], "message": each["msg"]} for each in error.errors()[:20]]
        detail = 'The body is not {"uri": "…"}.'
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", detail, errors=faults) from None

    def submit() -> Submitted:
        address = resolve(uri, tenant, upload_bucket=parts.backend.upload_bucket)
        with claiming(parts, tenant, key, "uri", address.uri) as claim:
            if claim.earlier is not None:
                return _earlier(parts, tenant, claim.earlier)
            submitted = parts.analyses.submission.of_object(address, tenant)
            claim.answer = submitted.job_id
            return submitted

    with await run_in_threadpool(parts.limiting.admit_job, tenant) as admission:
        submitted = await run_in_threadpool(submit)
        if submitted.request is not None:
            admission.queued(submitted.job_id)
    return submitted


def _earlier(parts: ApiParts, tenant: Tenant, job_id: str) -> Submitted:
    """What became of the first request of an idempotency key."""
    asked = parts.analyses.requests.find(tenant.name, job_id)
    record = parts.waiting.look(tenant.name, job_id, asked.after_generation if asked else None)
    if record is None and asked is None:
        raise Problem(HTTPStatus.GONE, "erased", "What the first request of this key made was erased since.")
    return Submitted(job_id, record, asked)


@contextmanager
def claiming(parts: ApiParts, tenant: Tenant, key: str, *told: str) -> Iterator[Claim]:
    """Hold an idempotency key for what is asked."""
    fingerprint = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    try:
        with parts.analyses.idempotency.claim(tenant.name, key, fingerprint) as claim:
            yield claim
    except IdempotencyClash as error:
        raise _clashing(error) from None


def _kept(body: Body, *, keep: bool) -> bool:
    """Whether the audio is kept, as the form says, else the query."""
    strange = sorted(set(body.fields) - {"keep"})
    told = body.fields.get("keep")
    if strange or told not in {None, "true", "false", "1", "0"}:
        detail = "A form has the parts file and, if you like, keep with true or false."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed_form", detail)
    return keep if told is None else told in {"true", "1"}


def media_type_of(request: Request) -> str:
    """What the body of a request is, in lower case and without parameters; something printable whatever was sent."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind if kind.isprintable() and len(kind) <= _KIND_CHARS else "of no known type"


def _clashing(error: IdempotencyClash) -> Problem:
    """The answer to a key that cannot be used."""
    if error.clash is Clash.MISMATCH:
        detail = "Another request came under this Idempotency-Key."
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, error.clash, detail, "Use a new key for a new request.")
    detail = "The first request under this Idempotency-Key has not been answered yet."
    headers = {"Retry-After": str(_RETRY_S)}
    return Problem(HTTPStatus.CONFLICT, error.clash, detail, "Try again in a moment.", headers=headers)
