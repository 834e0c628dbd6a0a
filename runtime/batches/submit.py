"""``earmark submit``: make a batch, feed it here, and watch it to its end."""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from rich.console import Console

from earmark.actor import actor_name
from earmark.audit import AuditEntry, AuditTrail
from earmark.clock import utc_now
from earmark.errors import ConfigurationError, InputRejected
from earmark.settings import Settings
from router.batches.batch import OPEN, Batch, BatchState
from router.batches.batches import Batches
from router.batches.feeding import Feeding
from runtime import exit_status
from runtime.backend import Backend
from runtime.batches.desk import as_json, paused_text, progress_line
from runtime.batches.following import BatchFollowing
from runtime.batches.parts import machine, open_audio, open_counting, open_room
from runtime.batches.progress import BatchCounting
from runtime.batches.source import BatchSource, open_source
from runtime.tenants.tenancy import open_tenants
from runtime.webhooks.parts import make_announcing
from runtime.wiring import connect, make_batches, make_feeding, make_following

LOOK_S: Final = 0.5
"""Seconds between looks at a batch that others work on."""
LINE_EVERY_S: Final = 5.0
"""Seconds between lines of progress where there is no terminal."""
_CHUNK_BYTES: Final = 1 << 20
_OWN_ROUTER: Final = (
    "It may name files of this machine, so that no router elsewhere feeds it: `earmark route` must run here, or the "
    "same command without --no-feed."
)


def submit(
    settings: Settings,
    source: str,
    *,
    tenant: str,
    name: str | None,
    follow: bool,
    feed: bool,
    as_json_: bool,
) -> int:
    """Make a batch, or go on with one of the same content; returns the exit status.

    Raises:
        ConfigurationError: the source cannot be read, or is no manifest.
        Unavailable: a part of the system is away.
    """
    backend = connect(settings)
    open_tenants(settings, backend).find(tenant)
    console = Console(stderr=True, highlight=False)
    batches = make_batches(settings, backend)
    with open_source(source) as found:
        batch = _made(settings, backend, batches, found, tenant=tenant, name=name, console=console)
    print(batch.id, flush=True) if not as_json_ else None  # noqa: T201  # what the command answers
    counting = open_counting(settings, backend, utc_now)
    watch = _Watch(batches, counting, console, settings, backend)
    try:
        if feed:
            watch.feed(batch)
        elif batch.paths_on:
            console.print(_OWN_ROUTER, markup=False, soft_wrap=True)
        if follow:
            watch.follow(batch)
    except KeyboardInterrupt:
        again = "Run the same command again to go on; " if feed else ""
        console.print(
            f"Interrupted.  {again}`earmark batch show {batch.id} --tenant {tenant}` tells how far it is.", markup=False
        )
        return exit_status.INTERRUPTED
    return _told(watch, counting, batch, console, as_json_=as_json_)


def _told(watch: "_Watch", counting: BatchCounting, batch: Batch, console: Console, *, as_json_: bool) -> int:
    batch = watch.now(batch) or batch
    progress, paused_until = counting.count(batch, now=True), watch.paused_until(batch)
    console.print(progress_line(batch, progress, paused_until), markup=False, soft_wrap=True)
    if as_json_:
        sys.stdout.write(json.dumps(as_json(batch, progress, paused_until), indent=1) + "\n")
    wrong = progress.rejected or progress.failed or batch.state in {BatchState.CANCELLED, BatchState.FAILED}
    return exit_status.SOME_NOT_DONE if wrong else 0


def _made(
    settings: Settings,
    backend: Backend,
    batches: Batches,
    source: BatchSource,
    *,
    tenant: str,
    name: str | None,
    console: Console,
) -> Batch:
    """The batch of a source: one that is not over, or a new one."""
    sha256 = None if source.manifest is None else _hash(source.manifest)
    for owner, batch_id in batches.open(tenant):
        found = batches.find(owner, batch_id)
        if found is None or found.batch.state not in OPEN:
            continue
        same = found.batch.prefix == source.prefix if sha256 is None else found.batch.manifest_sha256 == sha256
        if same and found.batch.folder == source.folder and found.batch.paths_on in {"", machine()}:
            console.print(f"Going on with the batch {batch_id}, which has the same content.", markup=False)
            return found.batch

    def before(batch: Batch) -> None:
        _audit(settings, backend, batch)

    actor = actor_name(settings.actor)
    try:
        if source.manifest is None:
            prefix = source.prefix or ""
            open_audio(settings, backend, utc_now).under(prefix, open_tenants(settings, backend).find(tenant))
            return batches.make_of_prefix(tenant, prefix, made_by=actor, name=name, before=before)
        return batches.make(
            tenant,
            source.manifest,
            made_by=actor,
            name=name,
            paths_on=machine(),
            folder=source.folder,
            before=before,
        )
    except InputRejected as rejection:
        message = f"{rejection.message}.  {rejection.remedy}"
        raise ConfigurationError(message) from rejection


def _audit(settings: Settings, backend: Backend, batch: Batch) -> None:
    entry = AuditEntry(
        at=utc_now(),
        actor=actor_name(settings.actor),
        action="batch.make",
        target=batch.id,
        tenant=batch.tenant,
        detail=f"{batch.manifest_bytes} bytes",
    )
    AuditTrail(backend.audit, backend.warehouse, utc_now, hints=backend.state)([entry])


def _hash(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


class _Watch:
    """Feeds and follows one batch before the eyes of a person."""

    def __init__(
        self,
        batches: Batches,
        counting: BatchCounting,
        console: Console,
        settings: Settings,
        backend: Backend,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._batches, self._counting, self._console = batches, counting, console
        self._settings, self._backend, self._pause = settings, backend, pause
        self._tenants, self._room = open_tenants(settings, backend), open_room(settings, backend, utc_now)

    def feed(self, batch: Batch) -> None:
        """Until all entries were fed, by us or by another feeder."""
        feeding: Feeding = make_feeding(self._settings, self._backend, files=True)
        began = time.monotonic()
        with closing(feeding), self._shown() as show:
            first = batch.entries
            while (now := self._now(batch)).state in {BatchState.ACCEPTING, BatchState.FEEDING}:
                if not feeding.step(batch.tenant, batch.id):
                    self._pause(LOOK_S)
                rate = (now.entries - first) / max(time.monotonic() - began, 0.001)
                share = now.fed_share
                left_s = (now.entries / share - now.entries) / rate if share and rate else None
                told = f"{now.entries:,} entries, {share:.0%} of the manifest"
                until = self.paused_until(now)
                show(f"Feeding: {told}, {paused_text(until) if until else f'{rate:,.0f} a second{_left(left_s)}'}")

    def follow(self, batch: Batch) -> None:
        """Until all jobs have ended, whoever works on them."""
        ended = make_announcing(self._settings, self._backend).batch_ended
        following: BatchFollowing = make_following(self._settings, self._backend, ended, files=True)
        with closing(following), self._shown() as show:
            while (now := self._now(batch)).state in OPEN:
                following.follow(batch.tenant, batch.id)
                show(progress_line(now, self._counting.count(now), self.paused_until(now)))
                self._pause(LOOK_S)

    def paused_until(self, batch: Batch) -> datetime | None:
        """When the batch is fed again, if the audio of its customer's day is used up."""
        return self._room.pause_of(batch, self._tenants.find(batch.tenant))

    def now(self, batch: Batch) -> Batch | None:
        """The batch as it is now; ``None`` = it is gone."""
        found = self._batches.find(batch.tenant, batch.id)
        return None if found is None else found.batch

    def _now(self, batch: Batch) -> Batch:
        found = self.now(batch)
        if found is None:
            message = f"The batch {batch.id} is gone: its customer was erased."
            raise ConfigurationError(message)
        return found

    @contextmanager
    def _shown(self) -> Iterator[Callable[[str], None]]:
        """One line at a terminal that changes; elsewhere a line now and then."""
        with ExitStack() as stack:
            if self._console.is_terminal:
                status = stack.enter_context(self._console.status(""))
                yield status.update
                return
            last_s = time.monotonic()

            def line(text: str) -> None:
                nonlocal last_s
                if time.monotonic() - last_s >= LINE_EVERY_S:
                    last_s = time.monotonic()
                    self._console.print(text, markup=False, soft_wrap=True)

            yield line


def _left(left_s: float | None) -> str:
    return "" if left_s is None else f", {timedelta(seconds=round(left_s))} left"
