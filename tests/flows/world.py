"""A small world: local adapters, a real worker with a real model process, and a decoder that copies bytes.

The bytes of an upload are the words of the scripted model, so that a test says what happens to each job.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from earmark.domain import Clip, Job, Lease, Record, Technical, Upload
from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.ports import Clock, ObjectStore, Queue, Warehouse
from earmark.rows import TrialRow
from earmark.vocabulary import Lane
from runtime.local.object_store import LocalObjectStore
from runtime.local.queue import LocalQueue
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock
from tests.making import make_job
from workers.cascade import ALL_FIELDS, CascadeRules
from workers.degradation import Degradation
from workers.fallback import Fallback
from workers.keeper import Keeper
from workers.lane_picker import LanePicker
from workers.model_process import ModelProcess
from workers.observer import Observers
from workers.parts import WorkerLimits, WorkerParts
from workers.primary import Arms, Primary
from workers.second_opinion import SecondOpinion, regions_of
from workers.settle import Settler, read_record
from workers.settled_rows import SettledRows
from workers.shadows import Shadows
from workers.worker import Worker

LIMITS = WorkerLimits(
    lease_s=60,
    max_tries=3,
    retry_delay_s=1,
    outage_max_s=86_400,
    poll_s=0.02,
    drain_s=5,
    batch_jobs=4,
    batch_audio_s=240,
    predict_timeout_s=30,
    confidence_threshold=0.8,
)


ON = "local"
"""Where queues are: ``local`` or ``pubsub``; the fixture ``everywhere`` runs a test on both."""
CLOUDS: dict[Path, Any] = {}
"""Topics by folder, for two worlds of one folder share them."""


class World:
    """Everything one worker needs, in a folder."""

    def __init__(
        self, folder: Path, *, name: str = "worker-1", limits: WorkerLimits = LIMITS, clock: Clock | None = None
    ) -> None:
        """Open the queues and stores in the folder; two worlds of one folder share them.

        Time stands still unless a clock is given.
        """
        self.folder = folder
        self.limits = limits
        self.name = name
        self.lanes: dict[Lane, Queue]
        if ON == "local":
            self.clock = ManualClock()
            self._open_local(clock or self.clock)
        else:
            self._open_pubsub()
        self.results: ObjectStore = LocalObjectStore(folder / "objects", "results")
        self.warehouse: Warehouse = LocalWarehouse(folder / "warehouse.sqlite")
        self.journal = folder / "journal"
        self.keeper = Keeper(self.lanes, lease_s=limits.lease_s)
        self.model = ModelProcess("tests.models:scripted", {"journal": str(self.journal)}, start_timeout_s=60)
        self.settled: list[Record] = []
        self.rules = CascadeRules(threshold=limits.confidence_threshold, fields=frozenset(ALL_FIELDS), prior=0.7)
        self.fallback: Fallback | None = None
        self.degradation = Degradation()
        self.bound_to: Callable[[Upload], frozenset[str]] = regions_of
        self.find_arm: Callable[[Job], Primary | None] = lambda _: None
        """The model of a job's arm."""
        self.tried: list[tuple[str, bool]] = []
        """Arm and success of each try of a job of an experiment."""
        self.lost: list[str] = []
        """Arms whose model did not start."""
        self.retired: list[Primary] = []
        """Models that no arm needs any more."""
        self.trials: list[TrialRow] = []
        self.shadow_arms: tuple[str, ...] = ()
        self.observers = Observers()
        """Hear what happens."""
        self.disk_away = False
        """While true, the clip of a word that begins with "away" is gone before anybody hears it."""
        self.disk_full = False
        """While true, decoding a word that begins with "full" finds no space."""

    def _open_local(self, clock: Clock) -> None:
        path = self.folder / "queues.sqlite"
        self.lanes = {lane: LocalQueue(path, lane, clock=clock, worker=self.name) for lane in Lane}
        self.dead: Queue = LocalQueue(path, "dead", clock=clock, worker=self.name)

    def _open_pubsub(self) -> None:
        from tests.contracts.pubsub_case import PubSubWorld  # noqa: PLC0415  # needs Google's clients

        cloud = CLOUDS.setdefault(self.folder, None) or PubSubWorld(self.folder)
        CLOUDS[self.folder] = cloud
        self.clock = cloud.clock
        self.lanes = {lane: cloud.open(lane, self.name) for lane in Lane}
        self.dead = cloud.open("dead", self.name)

    def put(self, *words: str, lane: Lane = Lane.LOW, **fields: object) -> list[Job]:
        """Queue a job for each word; further fields are those of ``Job``."""
        jobs = [make_job(word, lane, enqueued_at=self.clock(), **fields) for word in words]
        self.lanes[lane].put(jobs)
        return jobs

    def record(self, job: Job) -> Record | None:
        """The stored record of a job."""
        return read_record(self.results, job.upload.tenant, job.id)

    def find(self, tenant: str, job: str) -> Record | None:
        """The stored record of a tenant's job."""
        return read_record(self.results, tenant, job)

    def store(self, bucket: str) -> ObjectStore:
        """Another bucket."""
        return LocalObjectStore(self.folder / "objects", bucket, clock=self.clock)

    def heard(self, word: str) -> int:
        """How often the model heard a clip."""
        return self.journal.read_text().split("\n").count(f"{make_job(word).id} {word}")

    def settler(self) -> Settler:
        """The settling end of this world."""
        return Settler(
            lanes=self.lanes,
            results=self.results,
            warehouse=self.warehouse,
            keeper=self.keeper,
            max_tries=self.limits.max_tries,
            clock=self.clock,
            on_settled=self.settled.append,
            rows=SettledRows(self.limits.confidence_threshold, {Lane.HIGH: 1.0, Lane.LOW: 600.0}),
            shadows=Shadows(lane=self.lanes[Lane.LOW], arms=lambda _: self.shadow_arms, find_record=self.find),
            on_trial=self.trials.append,
            observers=self.observers,
        )

    def arms(self) -> Arms:
        """The default model, and what finds the others."""

        def retired() -> list[Primary]:
            gone, self.retired = self.retired, []
            return gone

        return Arms(
            Primary("scripted", "1", self.model, pause_s=self.limits.retry_delay_s),
            find=lambda job: self.find_arm(job),  # noqa: PLW0108  # which may be replaced while the worker runs
            tried=lambda job, ok: self.tried.append((job.arm, ok)),
            lost=lambda job, _: self.lost.append(job.arm),
            retired=retired,
        )

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A worker of this world."""

        @contextmanager
        def fetch(upload: Upload) -> Iterator[Path]:
            yield Path(upload.uri.removeprefix("file:///"))

        worker = Worker(
            WorkerParts(
                name=self.name,
                lanes=self.lanes,
                picker=LanePicker(self.lanes, low_share=0.2, low_max_wait_s=600),
                keeper=self.keeper,
                fetch=fetch,
                decode=self._decode,
                discard=lambda clip: clip.path.unlink(missing_ok=True),
                decoders=2,
                find_record=lambda tenant, job: read_record(self.results, tenant, job),
                arms=self.arms(),
                settler=self.settler(),
                clock=self.clock,
                second=SecondOpinion(self.rules, self.fallback, self.bound_to, self.clock),
                degradation=self.degradation,
                observers=self.observers,
            ),
            self.limits,
        )
        try:
            yield worker
        finally:
            worker.close()
            self.model.close()

    def _decode(self, lease: Lease, path: Path) -> Clip:
        word = str(path)
        if word.startswith("text"):
            raise InputRejected(InputFault.NOT_AUDIO, f"{word} is no audio")
        if word.startswith("full") and self.disk_full:
            message = "No space left on device"
            raise Unavailable(message)
        if word.startswith("away") and self.disk_away:
            return self._clip(lease, word, self.folder / "away" / "clip")
        if word.startswith("bug"):
            message = "a fault of ours"
            raise ZeroDivisionError(message)
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        target = scratch / f"{lease.job.id}-{lease.try_number}"
        target.write_text(word)
        return self._clip(lease, word, target)

    def _clip(self, lease: Lease, word: str, target: Path) -> Clip:
        technical = Technical(
            duration_s=1, sample_rate_hz=16000, channels=1, codec="words", container="words", size_bytes=len(word)
        )
        return Clip(lease.job.id, target, 16000, technical)

    def leftovers(self) -> list[str]:
        """Scratch files that should be gone."""
        scratch = self.folder / "scratch"
        return [path.name for path in scratch.iterdir()] if scratch.exists() else []
