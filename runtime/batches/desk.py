"""``earmark batch``: lists, shows and cancels batches, and writes their results.

Whoever runs the service need not say whose a batch is: no two have the same id.
"""

import json
import os
import secrets
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from rich.console import Console

from earmark.actor import actor_name
from earmark.audit import AuditEntry, AuditTrail
from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.named_file import printable, writable
from earmark.settings import Settings
from router.batches.batch import OPEN, Batch, BatchState
from runtime import exit_status
from runtime.backend import Backend
from runtime.batches.formats import as_bytes
from runtime.batches.parts import open_counting, open_room
from runtime.batches.progress import BatchProgress
from runtime.batches.result_format import ResultFormat
from runtime.batches.results import BatchResults
from runtime.batches.room import TOO_MUCH_AUDIO
from runtime.dlq.desk import say
from runtime.ordering import order
from runtime.tenants.tenancy import open_tenants
from runtime.wiring import connect_existing, make_batches


def list_batches(settings: Settings, tenant: str, *, limit: int, json_: bool) -> None:
    """Print the batches of a customer, or of all, the latest first."""
    backend = connect_existing(settings)
    batches = make_batches(settings, backend)
    if tenant:
        open_tenants(settings, backend).find(tenant)
        found = list(islice(batches.of_tenant(tenant), limit))
    else:
        found = batches.everybodys(limit)
    if json_:
        sys.stdout.write(json.dumps([_summary(batch) for batch in found], indent=1) + "\n")
        return
    width = max((len(batch.tenant) for batch in found), default=0)
    for batch in found:
        name = f"  {printable(batch.name)}" if batch.name else ""
        told = f"{batch.state:9}  {batch.made_at:%Y-%m-%d %H:%M:%S}  {batch.entries:>9,} entries"
        _print(f"{batch.id}  {batch.tenant:{width}}  {told}{name}")
    say(f"The latest {limit}; --limit shows more." if len(found) == limit else f"{len(found)} batches.")


def show_batch(settings: Settings, batch_id: str, tenant: str, *, failures: int, json_: bool) -> int:
    """Print how far a batch has come, and its first failures; returns the exit status."""
    backend = connect_existing(settings)
    batch = _find(settings, backend, tenant, batch_id)
    progress = open_counting(settings, backend, utc_now).count(batch)
    paused_until = pause_of(settings, backend, batch)
    results = BatchResults(backend.results, backend.warehouse)
    wrong = results.page(batch, only="failed", most=failures) if failures else []
    if json_:
        lines = [
            {"entry": each.entry, "source": each.source, "status": each.status, "error": each.error and each.error[1]}
            for each in wrong
        ]
        sys.stdout.write(json.dumps({**as_json(batch, progress, paused_until), "failures": lines}, indent=1) + "\n")
    else:
        _print(progress_line(batch, progress, paused_until))
        for each in wrong:
            kind, message, _ = each.error or (each.status, "", "")
            _print(f"  line {each.entry}: {each.source}: {each.status}, {kind}: {message}")
    return exit_status.SOME_NOT_DONE if progress.rejected or progress.failed else 0


def cancel_batch(settings: Settings, batch_id: str, tenant: str) -> None:
    """Cancel a batch.

    Raises:
        ConfigurationError: there is none, or it is over.
    """
    backend = connect_existing(settings)
    owner = _find(settings, backend, tenant, batch_id).tenant

    def before(batch: Batch) -> None:
        entry = AuditEntry(
            at=utc_now(),
            actor=actor_name(settings.actor),
            action="batch.cancel",
            target=batch.id,
            tenant=owner,
        )
        AuditTrail(backend.audit, backend.warehouse, utc_now, hints=backend.state)([entry])

    batch = make_batches(settings, backend).cancel(owner, batch_id, before=before)
    if batch is None or batch.state is not BatchState.CANCELLED:
        message = f"The batch {batch_id} is over: {batch.state if batch else 'it is gone'}."
        raise ConfigurationError(message)
    Console(stderr=True, highlight=False).print(
        f"{batch_id} of {owner} is cancelled; what it has is kept.", markup=False
    )


def write_results(settings: Settings, batch_id: str, tenant: str, form: ResultFormat, out: Path | None) -> None:
    """Write the results of a batch to a file, whole or not at all, or to standard output.

    Raises:
        ConfigurationError: there is no such batch, the file cannot be written, or a package is missing.
    """
    backend = connect_existing(settings)
    batch = _find(settings, backend, tenant, batch_id)
    order(settings, backend, "batch.results", tenant=batch.tenant, detail=batch.id)
    pieces = as_bytes(BatchResults(backend.results, backend.warehouse).all(batch), form)
    if out is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    _write(writable(out, "--out"), pieces)


def pause_of(settings: Settings, backend: Backend, batch: Batch) -> datetime | None:
    """When a batch is fed again, if the audio of its customer's day is used up."""
    customer = open_tenants(settings, backend).find(batch.tenant)
    return open_room(settings, backend, utc_now).pause_of(batch, customer)


def paused_text(paused_until: datetime) -> str:
    """That a batch is paused, for a person."""
    return f"the customer's audio of this day is used up: paused until {paused_until:%Y-%m-%d %H:%M} UTC"


def progress_line(batch: Batch, progress: BatchProgress, paused_until: datetime | None = None) -> str:
    """How far a batch has come, for a person."""
    parts = [f"{progress.ended:,} of {progress.entries:,} entries have ended"]
    parts += [
        f"{progress.done:,} done ({progress.known:,} known before)" if progress.known else f"{progress.done:,} done"
    ]
    for word in ("duplicate", "rejected", "failed", "cancelled"):
        parts += [f"{count:,} {word}"] if (count := getattr(progress, word)) else []
    if batch.state in OPEN:
        parts += [f"{progress.rate_per_s:.1f} a second"] if progress.rate_per_s else []
        known = progress.left_s is not None and paused_until is None
        parts += [f"{timedelta(seconds=round(progress.left_s or 0))} left"] if known else []
        parts += [paused_text(paused_until)] if paused_until is not None else []
    told = f": {batch.error}" if batch.error else ""
    return f"Batch {batch.id} of {batch.tenant} ({batch.state}{told}): {', '.join(parts)}"


def as_json(batch: Batch, progress: BatchProgress, paused_until: datetime | None = None) -> dict[str, object]:
    """The same for a program."""
    counts = ("entries", "pending", "done", "known", "failed", "rejected", "duplicate", "cancelled")
    return {
        **_summary(batch),
        "fed_share": round(batch.fed_share, 4),
        "counts": {name: getattr(progress, name) for name in counts},
        "rate_per_s": round(progress.rate_per_s, 3),
        "left_s": progress.left_s if batch.state in OPEN and paused_until is None else None,
        "paused_until": paused_until.isoformat() if paused_until is not None else None,
        "paused_why": TOO_MUCH_AUDIO if paused_until is not None else None,
        "error": batch.error,
    }


def _summary(batch: Batch) -> dict[str, object]:
    return {
        "id": batch.id,
        "tenant": batch.tenant,
        "name": batch.name,
        "status": batch.state.value,
        "created_at": batch.made_at.isoformat(),
        "ended_at": batch.ended_at.isoformat() if batch.ended_at else None,
        "entries": batch.entries,
    }


def _find(settings: Settings, backend: Backend, tenant: str, batch_id: str) -> Batch:
    """The batch of that id, of the customer that is named or of whichever has it; raises ``ConfigurationError``."""
    batches = make_batches(settings, backend)
    if tenant:
        open_tenants(settings, backend).find(tenant)
    owner = tenant or batches.owner(batch_id)
    found = batches.find(owner, batch_id) if owner else None
    if found is None:
        whose, option = (f"{tenant} has", f" --tenant {tenant}") if tenant else ("There is", "")
        message = f"{whose} no batch {batch_id!r}.  `earmark batch list{option}` shows those there are."
        raise ConfigurationError(message)
    return found.batch


def _write(target: Path, pieces: Iterable[bytes]) -> None:
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("xb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        message = f"Cannot write {printable(str(target))}: {error.strerror}.  Choose another --out."
        raise ConfigurationError(message) from error


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
