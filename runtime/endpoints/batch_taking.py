"""``take_batch``: a manifest, or what stands for one, becomes a batch."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from itertools import islice
from typing import BinaryIO, Final

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from earmark.audit import AuditEntry
from earmark.errors import InputFault, InputRejected, Unavailable
from router.addresses import shown
from router.batches.batch import Batch
from router.batches.batches import Batches
from router.batches.manifest import LineCount
from runtime.batches.parts import open_audio, open_batches
from runtime.endpoints.batch_models import BatchRequest
from runtime.endpoints.caller import Caller
from runtime.endpoints.parts import ApiParts
from runtime.endpoints.problem import Problem
from runtime.endpoints.taking import claiming, media_type_of

JSON_BYTES: Final = 4 * 1024**2
OPEN_MOST: Final = 100
"""Batches of a customer that may be under way at the same time."""
RETRY_S: Final = 30
_REMEDY: Final = "Send the manifest itself as the body (curl --data-binary @manifest.csv), or JSON."


async def take_batch(request: Request, parts: ApiParts, caller: Caller, key: str, name: str | None) -> Batch:
    """Take the batch of a request; its body has not been read yet.

    Args:
        request: with a manifest or JSON.
        parts: what takes it.
        caller: who sends it.
        key: idempotency key; empty = none.
        name: what the customer calls it, unless JSON says so.

    Raises:
        InputRejected: the manifest cannot be taken.
        Problem: the request is at fault, or beyond a limit.
        Unavailable: a part of the system is away.
    """
    kind = media_type_of(request)
    if kind == "multipart/form-data":
        detail = "A manifest does not come as a form."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail, _REMEDY)
    await run_in_threadpool(_admit, parts, caller)
    if kind == "application/json":
        asked = _asked(await parts.analyses.bodies.text(request, JSON_BYTES))
        return await run_in_threadpool(_make_asked, parts, caller, key, asked, asked.name or name)
    count, digest = LineCount(parts.settings.batch_max_entries), hashlib.sha256()
    with _room() as file:
        async for chunk in parts.analyses.bodies.chunks(request):
            count.add(chunk)
            digest.update(chunk)
            await run_in_threadpool(_write, file, chunk)

        def make(batches: Batches, before: Callable[[Batch], None]) -> Batch:
            file.seek(0)
            return batches.make(
                caller.tenant.name, file, made_by=_actor(caller), media_type=kind, name=name, before=before
            )

        return await run_in_threadpool(_make, parts, caller, key, ("manifest", digest.hexdigest(), name or ""), make)


def _admit(parts: ApiParts, caller: Caller) -> None:
    """Raise beyond a limit, before anything is taken."""
    parts.limiting.admit_audio(caller.tenant)
    batches = open_batches(parts.settings, parts.backend, parts.clock)
    if sum(1 for _ in islice(batches.open(caller.tenant.name), OPEN_MOST)) >= OPEN_MOST:
        detail = f"{OPEN_MOST} batches are under way already."
        remedy = "Wait until one of them has ended, or cancel one."
        headers = {"Retry-After": str(RETRY_S)}
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_batches", detail, remedy, headers=headers)


def _asked(body: bytes) -> BatchRequest:
    try:
        return BatchRequest.model_validate_json(body)
    except ValidationError as error:
        faults = [{"at": ".".join(map(str, each["loc"]))[:80], "message": each["msg"]} for each in error.errors()[:20]]
        detail = 'The body is not {"prefix": "…"} or {"entries": […]}.'
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "malformed", detail, _REMEDY, errors=faults) from None


def _make_asked(parts: ApiParts, caller: Caller, key: str, asked: BatchRequest, name: str | None) -> Batch:
    tenant = caller.tenant
    if asked.prefix is not None:
        prefix = asked.prefix
        _demand_something(parts, caller, prefix)

        def of_prefix(batches: Batches, before: Callable[[Batch], None]) -> Batch:
            return batches.make_of_prefix(tenant.name, prefix, made_by=_actor(caller), name=name, before=before)

        return _make(parts, caller, key, ("prefix", prefix, name or ""), of_prefix)

    with _room() as file:
        for entry in asked.entries or ():
            _write(file, json.dumps(entry.model_dump(exclude_none=True)).encode() + b"\n")

        def of_entries(batches: Batches, before: Callable[[Batch], None]) -> Batch:
            file.seek(0)
            return batches.make(tenant.name, file, made_by=_actor(caller), name=name, before=before)

        told = json.dumps([entry.model_dump(mode="json") for entry in asked.entries or ()])
        return _make(parts, caller, key, ("entries", told, name or ""), of_entries)


def _demand_something(parts: ApiParts, caller: Caller, prefix: str) -> None:
    """Raise where there is nothing under a prefix, or it is not the customer's."""
    audio = open_audio(parts.settings, parts.backend, parts.clock)
    store, address = audio.under(prefix, caller.tenant)
    if next(iter(store.scan(address.name)), None) is None:
        message = f"There is nothing under {shown(prefix)}"
        raise InputRejected(InputFault.NOT_FOUND, message, "Check the prefix.", own=prefix)


def _make(
    parts: ApiParts,
    caller: Caller,
    key: str,
    told: tuple[str, ...],
    make: Callable[[Batches, Callable[[Batch], None]], Batch],
) -> Batch:
    """Make a batch once a key, and write it down first."""
    batches = open_batches(parts.settings, parts.backend, parts.clock)

    def before(batch: Batch) -> None:
        parts.audit([entry_of(parts, caller, "batch.make", batch, f"{batch.manifest_bytes} bytes")])

    with claiming(parts, caller.tenant, key, "batch", *told) as claim:
        if claim.earlier is not None:
            found = batches.find(caller.tenant.name, claim.earlier)
            if found is None:
                raise Problem(HTTPStatus.GONE, "erased", "What the first request of this key made was erased since.")
            return found.batch
        made = make(batches, before)
        claim.answer = made.id
        return made


def entry_of(parts: ApiParts, caller: Caller, action: str, batch: Batch, detail: str = "") -> AuditEntry:
    """What the audit log hears of a batch."""
    return AuditEntry(
        at=parts.clock(),
        actor=_actor(caller),
        action=action,
        target=batch.id,
        tenant=caller.tenant.name,
        detail=detail,
    )


def _actor(caller: Caller) -> str:
    return f"key:{caller.key_id}"


def _room() -> BinaryIO:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise _no_room(error) from error


def _write(file: BinaryIO, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise _no_room(error) from error


def _no_room(error: OSError) -> Unavailable:
    return Unavailable(f"There is no room for a manifest: {error.strerror}")
