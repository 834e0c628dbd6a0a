"""Batches over the local backend in a folder, and a stand-in for workers that settles what waits."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from earmark.domain import Failure, Job, Record
from earmark.rows import JobRow
from earmark.settings import Settings
from earmark.vocabulary import Lane
from router.batches.batch import Batch
from router.batches.batches import Batches
from router.batches.feeding import Feeding
from router.lanes import load_rules
from router.router import Router
from runtime.backend import UPLOADS, Backend
from runtime.batches.following import BatchFollowing
from runtime.batches.parts import open_audio, open_cancelled, open_feeding, open_following
from runtime.batches.progress import BatchCounting, BatchProgress
from runtime.local.backend import connect_local
from tests.analyses import make_analysis
from tests.clock import ManualClock
from tests.making import make_failure
from workers.settle import read_record

TENANT = "acme"


class BatchWorld:
    """Everything batches need; nobody works on jobs unless ``settle`` is called."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Open the stores; two worlds of one folder share them.  Further arguments are settings."""
        self.settings = Settings(data=folder / "data", synchronous="NORMAL", **settings)
        self.clock = ManualClock()
        self.backend: Backend = connect_local(self.settings, self.clock)
        self.ended: list[Batch] = []

    @property
    def batches(self) -> Batches:
        """The register."""
        return Batches(self.backend.state, self.clock, max_entries=self.settings.batch_max_entries)

    def router(self) -> Router:
        """A router without experiments."""
        return Router(
            lanes=self.backend.lanes,
            find_record=lambda tenant, job: read_record(self.backend.results, tenant, job),
            rules=load_rules(None),
            pipeline="test",
            clock=self.clock,
        )

    def feeding(self, **changes: Any) -> Feeding:
        """A feeder; ``changes`` are those of the backend it works with."""
        backend = replace(self.backend, **changes)
        return open_feeding(self.settings, backend, self.router_of(backend), self.clock, lambda _: None)

    def router_of(self, backend: Backend) -> Router:
        """A router over other queues."""
        router = self.router()
        router._lanes = backend.lanes
        return router

    def following(self, on_ended: Callable[[Batch], None] | None = None) -> BatchFollowing:
        """What ends batches."""
        heard = on_ended or self.ended.append
        following = open_following(self.settings, self.backend, self.router(), self.clock, lambda _: None, heard)
        following._counting = self.counting()
        return following

    def counting(self) -> BatchCounting:
        """What counts, and remembers nothing."""
        return BatchCounting(self.backend.warehouse, self.clock, monotonic=lambda: 0.0, fresh_s=-1)

    def put(self, *names: str, tenant: str = TENANT) -> list[str]:
        """Put objects into the upload bucket, each with its name as bytes; gives their addresses."""
        for name in names:
            store = self.backend.bucket(UPLOADS)
            store.write(f"{tenant}/{name}", name.encode(), content_type="audio/wav")
        return [f"uploads/{tenant}/{name}" for name in names]

    def make(self, lines: Iterable[object] | bytes, tenant: str = TENANT, **fields: Any) -> Batch:
        """A batch of these lines, each as JSON, or of a manifest."""
        manifest = lines if isinstance(lines, bytes) else b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return self.batches.make(tenant, io.BytesIO(manifest), made_by="test", **fields)

    def feed(self) -> None:
        """Feed everything."""
        feeding = self.feeding()
        while feeding.run_once():
            pass
        feeding.close()

    def now(self, batch: Batch) -> Batch:
        """A batch as it is now."""
        found = self.batches.find(batch.tenant, batch.id)
        assert found is not None
        return found.batch

    def rows(self, batch: Batch) -> list[dict[str, Any]]:
        """Its entries."""
        return self.backend.warehouse.query("batch_page", {"tenant": batch.tenant, "batch": batch.id})

    def ways(self, batch: Batch) -> dict[int, str]:
        """How each entry was routed, by number."""
        return {row["entry"]: row["routed"] for row in self.rows(batch)}

    def count(self, batch: Batch) -> BatchProgress:
        """How far it is."""
        return self.counting().count(self.now(batch))

    def waiting(self) -> list[Job]:
        """The jobs that wait in the low lane, left there."""
        lane = self.backend.lanes[Lane.LOW]
        leases = lane.lease(10_000, 60)
        for lease in leases:
            lane.release(lease)
        return [lease.job for lease in leases]

    def settle(self, most: int = 10_000, *, fail: Callable[[Job], bool] = lambda _: False) -> list[str]:
        """Settle waiting jobs as a worker does: a record, a row, an acknowledgement; gives their ids."""
        lane = self.backend.lanes[Lane.LOW]
        dropped = open_cancelled(self.settings, self.backend, self.clock).dropped
        leases = lane.lease(most, 60)
        heard = [lease for lease in leases if not dropped(lease.job)]
        for lease in heard:
            failure = make_failure("not_audio") if fail(lease.job) else None
            record = _record(lease.job, failure, self.clock)
            content = record.model_dump_json().encode()
            self.backend.results.write(record.name, content, content_type="application/json")
            self.backend.warehouse.append([_row(lease.job, record)])
        lane.ack(leases)
        return [lease.job.id for lease in heard]

    def audio(self) -> Any:
        """What finds the audio of entries."""
        return open_audio(self.settings, self.backend, self.clock)


def _record(job: Job, failure: Failure | None, clock: ManualClock) -> Record:
    analysis = None if failure else make_analysis(tenant=job.upload.tenant).model_copy(update={"job_id": job.id})
    return Record(
        job_id=job.id,
        tenant=job.upload.tenant,
        status="rejected" if failure else "done",
        analysis=analysis,
        failures=(failure,) if failure else (),
        enqueued_at=job.enqueued_at,
        settled_at=clock(),
        batch=job.upload.batch,
    )


def _row(job: Job, record: Record) -> JobRow:
    unknown = dict.fromkeys(("content_type", "confidence", "tempo_bpm", "key", "language", "vocals", "region"))
    times = dict.fromkeys(("audio_s", "covered_s", "queued_s", "decode_s", "predict_s", "total_s", "cost_usd"), 0.0)
    return JobRow.model_validate(
        {
            "row_id": job.id,
            "tenant": record.tenant,
            "at": record.settled_at,
            "status": record.status,
            "lane": job.lane,
            "tier": job.upload.tier,
            "origin": job.upload.origin,
            "arm": job.arm,
            "model": "scripted",
            "pipeline": job.pipeline,
            "tries": 1,
            "error_kind": record.failures[-1].kind if record.failures else None,
            "review": False,
            "size_bytes": job.upload.size_bytes,
            "warm": True,
            **unknown,
            **times,
        }
    )
