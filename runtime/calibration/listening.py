"""``listen``: a model's answers about files, without queues and stores: for calibration, validation and benchmarks.

Decoding and the model run in processes of their own, as they do for a worker, and batches are formed as it does.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from earmark.clock import utc_now
from earmark.domain import Clip, Prediction, batched_audio_s
from earmark.errors import EarmarkError, NoAnswer
from earmark.settings import Settings
from earmark.vocabulary import Origin
from router.intake import upload_file
from router.tenants import Tenant
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
from workers.isolation import predict_isolated
from workers.model_process import ModelProcess

NOBODY = Tenant(name="default")


class Heard(NamedTuple):
    """A file, and what the model said about it or why it did not."""

    path: Path
    answer: Prediction | EarmarkError
    audio_s: float = 0.0


Predict = Callable[[Iterable[Path]], Iterator[Heard]]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much the model hears at once."""

    jobs: int
    audio_s: float
    predict_timeout_s: float
    """Seconds a batch may take, its own length aside."""


@contextmanager
def open_listening(settings: Settings, factory: str, options: Mapping[str, object], scratch: Path) -> Iterator[Predict]:
    """What listens to files with a model; leaving the context ends its processes.

    Args:
        settings: limits of decoding and of batches.
        factory: ``"package.module:function"``, as ``ModelSpec`` has it.
        options: what the factory is called with.
        scratch: a folder for decoded audio, which several processes may share.
    """
    limits = DecodeLimits(
        max_input_bytes=settings.max_input_bytes,
        max_duration_s=settings.max_duration_s,
        wall_s=settings.decode_timeout_s,
    )
    batches = BatchLimits(settings.batch_jobs, settings.batch_audio_s, settings.predict_timeout_s)
    scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        pool = stack.enter_context(DecoderPool(settings.decoders, limits, scratch))
        model = ModelProcess(factory, options, start_timeout_s=settings.model_start_timeout_s)
        stack.callback(model.close)

        def predict(paths: Iterable[Path]) -> Iterator[Heard]:
            return listen(paths, pool=pool, decoders=settings.decoders, model=model, limits=batches)

        yield predict


def listen(
    paths: Iterable[Path], *, pool: DecoderPool, decoders: int, model: ModelProcess, limits: BatchLimits
) -> Iterator[Heard]:
    """The model's answer about each file, in order; what is wrong with one file is its answer.

    Raises:
        ModelUnavailable: the model does not load, or has no answer for anything.
    """
    waiting = iter(paths)
    ahead: deque[tuple[Path, Future[Clip]]] = deque()
    batch: list[tuple[Path, Clip | EarmarkError]] = []
    with ThreadPoolExecutor(decoders, "decode") as threads:

        def fill() -> None:
            for path in islice(waiting, decoders + limits.jobs - len(ahead)):
                ahead.append((path, threads.submit(_decode, pool, path)))

        try:
            fill()
            while ahead:
                path, future = ahead.popleft()
                error = future.exception()
                if error is not None and not isinstance(error, EarmarkError):
                    raise error
                found = future.result() if error is None else error
                if _full(batch, found, limits):
                    yield from _answered(batch, pool, model, limits)
                    batch = []
                batch.append((path, found))
                fill()
            yield from _answered(batch, pool, model, limits)
        finally:
            for _, future in ahead:
                future.cancel()


def _decode(pool: DecoderPool, path: Path) -> Clip:
    upload = upload_file(path, NOBODY, Origin.COMMAND, max_input_bytes=1 << 62, received_at=utc_now())
    name = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return pool.decode(name, path, upload.content_sha256)


def _full(batch: Sequence[tuple[Path, Clip | EarmarkError]], found: Clip | EarmarkError, limits: BatchLimits) -> bool:
    clips = [each for _, each in batch if isinstance(each, Clip)]
    more_s = found.duration_s if isinstance(found, Clip) else 0.0
    return len(batch) >= limits.jobs or (bool(clips) and batched_audio_s(clips) + more_s > limits.audio_s)


def _answered(
    batch: Sequence[tuple[Path, Clip | EarmarkError]], pool: DecoderPool, model: ModelProcess, limits: BatchLimits
) -> Iterator[Heard]:
    clips = [found for _, found in batch if isinstance(found, Clip)]

    def predict(some: Sequence[Clip]) -> list[Prediction | None]:
        return model.predict(some, timeout_s=limits.predict_timeout_s + batched_audio_s(some))

    try:
        answers = iter(predict_isolated(predict, clips) if clips else [])
    finally:
        for clip in clips:
            pool.discard(clip)
    for path, found in batch:
        if isinstance(found, Clip):
            answer = next(answers) or NoAnswer("The model had no answer for this clip")
            yield Heard(path, answer, found.duration_s)
        else:
            yield Heard(path, found)
