"""The checks: each asks the model and gives its findings one by one, so that what came before a failure is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from earmark.domain import Prediction, batched_audio_s
from earmark.vocabulary import ContentType
from workers.validation.agreement import compare
from workers.validation.figures import BATCHES, LENGTHS_S, Check, Fault, Finding, Measurement
from workers.validation.growth import Slope, growth
from workers.validation.sounds import Sounds
from workers.validation.subject import Subject

MIXED: Final = (("noise", 0.05), ("speech", 1.0), ("music", 7.3), ("music", 30.0), ("speech", 45.0))
"""Kinds and seconds of the batch that is compared with single clips: beyond a window and below a frame."""
CALLED: Final = (("music", 1.0), ("speech", 2.0), ("noise", 3.0))
"""Kinds and seconds of the calls over which memory is watched, in turn."""
BATCH_CLIP_S: Final = 10.0
"""Length of the clips for throughput, in seconds."""
SPOKEN: Final = frozenset({ContentType.SPEECH, ContentType.MIXED})
ODD: Final = (
    ("noise", 0.0), ("music", 0.02), ("speech", 0.3), ("noise", 0.5), ("clicks", 2.0), ("constant", 1.0),
    ("overdriven", 3.0), ("faint", 2.0), ("silence", 1.0), ("music", 12.0), ("speech", 31.0),
)  # fmt: skip
"""Kinds and seconds of clips as uploads hold them too; 0 = a single sample."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done."""

    calls: int = 200
    """Over which memory is watched."""
    rounds: int = 3
    """How often the shortest length is timed."""
    batch_clips: int = 16
    """Clips at least that each throughput is taken over."""

    @classmethod
    def quick(cls) -> Effort:
        """Enough to see that it works."""
        return cls(calls=20, rounds=1, batch_clips=4)


Run = Callable[[Subject, Sounds, Effort], Iterator[Finding]]


def load(subject: Subject, _sounds: Sounds, _effort: Effort) -> Iterator[Finding]:
    """Start the process; the model's own self-test is part of that."""
    yield Measurement("load_s", subject.start())
    memory = subject.memory()
    if memory is not None:
        yield Measurement("load_memory_mib", memory.now)
    gpu_mib = subject.gpu_memory_mib()
    if gpu_mib is not None:
        yield Measurement("load_gpu_memory_mib", gpu_mib)


def self_test(subject: Subject, sounds: Sounds, _effort: Effort) -> Iterator[Finding]:
    """Ask about sounds that nobody takes for each other: a broken model says the same about all, or nonsense."""
    kinds = ("music", "speech", "noise", "silence")
    valid = subject.valid
    answers = subject.predict([sounds.clip(kind, 4.0) for kind in kinds]).answers
    said = dict(zip(kinds, answers, strict=True))
    detail = "; ".join(f"{kind} is {_kind(said[kind])}" for kind in kinds)
    yield Measurement("self_test_valid", (subject.valid - valid) / len(kinds), detail)
    different = list[Prediction]()
    for kind in kinds[:-1]:
        answer = said[kind]
        if answer is not None and all(compare(answer, each).differs for each in different):
            different.append(answer)
    yield Measurement("self_test_different", len(different), "about music, speech and noise")
    right = [_kind(said[kind]) == ContentType.SILENCE for kind in kinds]
    yield Measurement("self_test_silence", sum((not right[0], not right[1], not right[2], right[3])) / len(kinds),
                      "silence is told from sound")  # fmt: skip


def batch(subject: Subject, sounds: Sounds, _effort: Effort) -> Iterator[Finding]:
    """Ask about clips of mixed lengths alone, together, and together in another order."""
    clips = [sounds.clip(kind, seconds) for kind, seconds in MIXED]
    single = [subject.predict([clip]).answers[0] for clip in clips]
    together = subject.predict(clips).answers
    turned = subject.predict(clips[::-1]).answers[::-1]
    compared = [
        (clip, compare(alone, other))
        for clip, alone, others in zip(clips, single, zip(together, turned, strict=True), strict=True)
        for other in others
    ]
    differing = dict.fromkeys(f"{clip.duration_s:g} s: {each.differs}" for clip, each in compared if each.differs)
    wrong = {clip.job_id for clip, each in compared if each.differs}
    lengths = ", ".join(f"{seconds:g}" for _, seconds in MIXED)
    yield Measurement("batch_equal", 1 - len(wrong) / len(clips), "; ".join(differing) or f"{lengths} s")
    yield Measurement("batch_score_difference", max(each.score_difference for _, each in compared))


def real_time(subject: Subject, sounds: Sounds, effort: Effort) -> Iterator[Finding]:
    """Time one clip at a time."""
    _warm(subject, sounds)
    for length_s in LENGTHS_S:
        clip = sounds.programme(length_s)
        rounds = effort.rounds if length_s == min(LENGTHS_S) else 1
        calls = [subject.predict([clip]) for _ in range(rounds)]
        sounds.discard(clip)
        seconds, answer = median(call.seconds for call in calls), calls[-1].answers[0]
        if answer is None:
            yield Fault(f"no answer about {length_s} s")
            continue
        detail = f"{answer.covered_s:g} of {length_s} s heard, as {_kind(answer)}"
        if answer.metadata.content_type.value not in SPOKEN:
            detail += "; with words to write down it may take longer: --audio"
        yield Measurement(f"answer_{length_s}s", seconds, detail)
        yield Measurement(f"factor_{length_s}s", seconds / length_s)
        yield Measurement(f"speed_{length_s}s", length_s / max(seconds, 1e-9))
        yield Measurement(f"covered_{length_s}s", answer.covered_s)


def memory(subject: Subject, sounds: Sounds, effort: Effort) -> Iterator[Finding]:
    """Call many times, and see whether memory grows."""
    _warm(subject, sounds)
    loads = subject.process.loads
    before, gpu_before = subject.memory(), subject.gpu_memory_mib()
    resident: dict[int, float] = {}
    on_gpu: dict[int, float] = {}
    seconds: list[float] = []
    looks = max(1, effort.calls // 20)  # asking about the GPU starts a program
    for call in range(1, effort.calls + 1):
        kind, length_s = CALLED[call % len(CALLED)]
        seconds.append(subject.predict([sounds.clip(kind, length_s, seed=call % 7)]).seconds)
        held = subject.memory()
        if held is not None:
            resident[call] = held.now
        if gpu_before is not None and call % looks == 0 and (used := subject.gpu_memory_mib()) is not None:
            on_gpu[call] = used
    after = subject.memory()
    yield Measurement("calls", effort.calls, "clips of 1, 2 and 3 s in turn, one a call")
    yield Measurement("call_median_s", median(seconds))
    yield Measurement("call_p95_s", float(np.percentile(seconds, 95)))
    if subject.process.loads > loads:
        yield Fault("the process did not live through all calls, so its growth cannot be seen")
        return
    if before is None or after is None:
        yield Fault("this system does not tell the memory of a process")
        return
    yield Measurement("memory_before_mib", before.now)
    yield Measurement("memory_after_mib", after.now)
    if after.peak is not None:
        yield Measurement("memory_peak_mib", after.peak, "since the process began")
    yield from _grown("memory_growth", growth(list(resident), list(resident.values())))
    if gpu_before is not None and on_gpu:
        yield Measurement("gpu_memory_before_mib", gpu_before)
        yield Measurement("gpu_memory_after_mib", list(on_gpu.values())[-1])
        yield from _grown("gpu_memory_growth", growth(list(on_gpu), list(on_gpu.values())))


def throughput(subject: Subject, sounds: Sounds, effort: Effort) -> Iterator[Finding]:
    """Ask about several clips at once: as one batch here, at the same time at a provider."""
    _warm(subject, sounds)
    kinds = ("music", "speech", "noise")
    clips = [sounds.clip(kinds[number % len(kinds)], BATCH_CLIP_S, seed=number) for number in range(max(BATCHES))]
    for size in BATCHES:
        batches = max(1, effort.batch_clips // size)
        asked = [clips[(number * size + place) % len(clips)] for number in range(batches) for place in range(size)]
        seconds = sum(subject.predict(asked[start : start + size]).seconds for start in range(0, len(asked), size))
        detail = f"{len(asked)} clips of {BATCH_CLIP_S:g} s in {seconds:.3g} s"
        yield Measurement(f"clips_per_s_at_{size}", len(asked) / max(seconds, 1e-9), detail)
        yield Measurement(f"audio_per_s_at_{size}", batched_audio_s(asked) / max(seconds, 1e-9))


def answers(subject: Subject, sounds: Sounds, _effort: Effort) -> Iterator[Finding]:
    """Ask about odd clips too, and count over everything that was asked so far."""
    for kind, seconds in ODD:
        subject.predict([sounds.clip(kind, seconds, seed=1)])
    detail = f"{subject.answered} of {subject.asked} clips, all checks so far"
    yield Measurement("answered", subject.answered / subject.asked, detail)
    if subject.answered:
        share = subject.valid / subject.answered
        yield Measurement("valid", share, "; ".join(subject.faults) or f"of {subject.answered} answers")


CHECKS: Final[Mapping[Check, Run]] = {
    Check.LOAD: load,
    Check.SELF_TEST: self_test,
    Check.BATCH: batch,
    Check.REAL_TIME: real_time,
    Check.MEMORY: memory,
    Check.THROUGHPUT: throughput,
    Check.ANSWERS: answers,
}
"""Those that need no labels, in order."""


def _warm(subject: Subject, sounds: Sounds) -> None:
    """What is done once, at the first call, is not measured."""
    subject.predict([sounds.clip(*CALLED[0])])


def _kind(answer: Prediction | None) -> str:
    if answer is None:
        return "no answer"
    kind = answer.metadata.content_type.value
    return "unknown" if kind is None else str(kind)


def _grown(name: str, slope: Slope | None) -> Iterator[Finding]:
    if slope is None:
        yield Fault("too few calls to see growth")
        return
    value, low, high = (100 * each for each in slope)
    yield Measurement(name, value, f"95 % interval {low:.3g} to {high:.3g}", low, high)
