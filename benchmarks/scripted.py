"""Real workers with a scripted model, in processes of their own, for benchmarks of everything around the model.

A job's upload is one word in its address, there is nothing to fetch or decode, and the model does what the word says:
it takes ``predict_s`` seconds over it, and then ``raise…`` raises, ``crash…`` kills the model's process and ``none…``
has no answer.  Every hearing is a line in a journal, with the time on a clock that all processes of a machine share.
"""

import hashlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from earmark.clock import utc_now
from earmark.domain import Clip, Job, Lease, Prediction, Technical, Upload, job_id
from earmark.errors import ModelUnavailable
from earmark.metadata import AudioMetadata, Rated
from earmark.settings import Settings
from earmark.vocabulary import Basis, ContentType, Lane, Origin, Tier
from runtime.backend import Backend
from runtime.chores import doing
from runtime.wiring import connect
from runtime.worker_name import own_name
from workers.keeper import Keeper
from workers.lane_picker import LanePicker
from workers.model_process import ModelProcess
from workers.parts import WorkerLimits, WorkerParts
from workers.primary import Arms, Primary
from workers.settle import Settler, read_record
from workers.worker import Worker

TENANT = "bench"
MODEL_START_S = 60.0
SAMPLE_S = 0.01
STOP_S = 30.0
SPAWN = multiprocessing.get_context("spawn")


class ScriptedModel:
    """Does what a clip's word says."""

    name = "scripted"
    version = "1"

    def __init__(self, journal: str, predict_s: float) -> None:
        """Append hearings to ``journal``; take ``predict_s`` seconds over each clip."""
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._predict_s = predict_s

    def predict(self, clips: Sequence[Clip]) -> list[Prediction | None]:
        """Answer for each clip, one after the other."""
        return [self._hear(clip) for clip in clips]

    def _hear(self, clip: Clip) -> Prediction | None:
        word = clip.path.name
        os.write(self._journal, f"{time.monotonic():.6f} {clip.job_id} {word}\n".encode())
        time.sleep(self._predict_s)
        if word.startswith("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        if word.startswith("raise"):
            message = "I will not hear this"
            raise RuntimeError(message)
        return None if word.startswith("none") else prediction_of(clip)


def scripted(journal: str, predict_s: float) -> ScriptedModel:
    """Load the model."""
    return ScriptedModel(journal, predict_s)


def prediction_of(clip: Clip) -> Prediction:
    """The answer to every sound clip."""
    kind = Rated[ContentType](value=ContentType.SOUND, confidence=0.9, basis=Basis.CALIBRATED)
    return Prediction(AudioMetadata(content_type=kind), covered_s=clip.duration_s, predict_s=0.0)


def clip_of(job: Job) -> Clip:
    """The clip of a job: its word, and no file."""
    word = job.upload.uri.rpartition("/")[2]
    technical = Technical(
        duration_s=1, sample_rate_hz=16000, channels=1, codec="words", container="words", size_bytes=len(word)
    )
    return Clip(job.id, Path(word), 16000, technical)


def job_of(word: str, lane: Lane = Lane.LOW) -> Job:
    """A job about a word, put now."""
    upload = upload_of(word)
    identity = job_id(TENANT, upload.content_sha256, "bench")
    return Job(id=identity, upload=upload, lane=lane, pipeline="bench", enqueued_at=upload.received_at)


def upload_of(word: str) -> Upload:
    """An upload of a word; as a batch of a free tenant it goes to the low lane."""
    return Upload(
        uri=f"file:///{word}",
        tenant=TENANT,
        tier=Tier.FREE,
        origin=Origin.BATCH,
        content_sha256=hashlib.sha256(word.encode()).hexdigest(),
        size_bytes=len(word),
        received_at=utc_now(),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker process is told."""

    settings: Settings
    journal: Path
    log: Path
    predict_s: float = 0.005
    lanes: frozenset[Lane] = frozenset(Lane)
    environment: Mapping[str, str] = field(default_factory=dict)
    sample: Path | None = None
    """Where to write how many jobs the worker holds, every ``SAMPLE_S`` seconds."""


class Heard(NamedTuple):
    """A line of a journal."""

    at_s: float
    """Monotonic seconds."""
    job_id: str
    word: str


def read_journal(path: Path) -> list[Heard]:
    """All hearings so far; a line that is being written is left for later."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [Heard(float(at), job, word) for at, job, word in (line.split(" ", 2) for line in lines)]


@contextmanager
def open_scripted(plan: Plan, backend: Backend) -> Iterator[Worker]:
    """A worker as ``runtime.wiring.open_worker`` makes it, but for fetching and decoding."""
    settings = plan.settings
    served = {lane: queue for lane, queue in backend.lanes.items() if lane in plan.lanes}
    with ExitStack() as stack:
        stack.enter_context(doing(backend.chores))
        keeper = stack.enter_context(Keeper(served, lease_s=settings.lease_s))
        options: dict[str, object] = {"journal": str(plan.journal), "predict_s": plan.predict_s}
        model = ModelProcess("benchmarks.scripted:scripted", options, start_timeout_s=MODEL_START_S)
        stack.callback(model.close)

        @contextmanager
        def fetch(_: Upload) -> Iterator[Path]:
            yield Path()

        def decode(lease: Lease, _: Path) -> Clip:
            return clip_of(lease.job)

        worker = Worker(
            WorkerParts(
                name=own_name(),
                lanes=served,
                picker=LanePicker(served, low_share=settings.low_share, low_max_wait_s=settings.low_max_wait_s),
                keeper=keeper,
                fetch=fetch,
                decode=decode,
                discard=lambda _: None,
                decoders=settings.decoders,
                find_record=lambda tenant, job: read_record(backend.results, tenant, job),
                arms=Arms(Primary("scripted", "1", model, pause_s=settings.retry_delay_s)),
                settler=Settler(
                    lanes=served,
                    results=backend.results,
                    warehouse=backend.warehouse,
                    keeper=keeper,
                    max_tries=settings.max_tries,
                    clock=utc_now,
                    announce=backend.announce,
                ),
                clock=utc_now,
            ),
            WorkerLimits(**{name: getattr(settings, name) for name in WorkerLimits.__dataclass_fields__}),
        )
        stack.callback(worker.close)
        yield worker


def work(plan: Plan, ready: "multiprocessing.Queue[float] | None" = None) -> None:
    """One worker process: works until SIGTERM; says when it begins."""
    stop = threading.Event()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(filename=plan.log, level=logging.WARNING)
    os.environ |= dict(plan.environment)
    with open_scripted(plan, connect(plan.settings)) as worker, _ending_quietly():
        worker.warm_up()
        if plan.sample is not None:
            threading.Thread(target=_sample, args=(worker, plan.sample), daemon=True).start()
        if ready is not None:
            ready.put(time.monotonic())
        worker.run(stop)


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """A model that did not load, since somebody killed it, ends the worker with a status and not with a traceback."""
    try:
        yield
    except ModelUnavailable as error:
        raise SystemExit(1) from error


def _sample(worker: Worker, path: Path) -> None:
    with path.open("a") as file:
        while True:
            file.write(f"{time.monotonic():.6f} {worker.held}\n")
            file.flush()
            time.sleep(SAMPLE_S)


@contextmanager
def workers(plans: Sequence[Plan]) -> Iterator[list[float]]:
    """Processes for as long as the context lasts; gives when each began to work, all of them warm by then."""
    ready: multiprocessing.Queue[float] = SPAWN.Queue()
    processes = [SPAWN.Process(target=work, args=(plan, ready), name="worker") for plan in plans]
    try:
        for process in processes:
            process.start()
        yield [ready.get(timeout=MODEL_START_S) for _ in processes]
    finally:
        end_all(processes)


def end_all(processes: Sequence[BaseProcess]) -> None:
    """Ask processes to end, and then make them."""
    for process in processes:
        if process.is_alive():
            process.terminate()
    for process in processes:
        process.join(STOP_S)
        if process.is_alive():
            process.kill()
            process.join()
