"""``Figure``: what can be measured of a model, by name; a target file may set a limit for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from earmark.metadata import AudioMetadata


class Check(StrEnum):
    """What is looked at, in this order."""

    LOAD = "load"
    SELF_TEST = "self-test"
    BATCH = "batch"
    REAL_TIME = "real-time"
    MEMORY = "memory"
    THROUGHPUT = "throughput"
    ANSWERS = "answers"
    CALIBRATION = "calibration"


class Rule(Enum):
    """How a figure is held against its limit."""

    VALUE = "the value decides"
    SURELY = "it fails only if its whole 95 % interval is beyond the limit; if a part is, nothing is decided"
    NEEDED = "short of the limit, the check is not decided"


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that can be measured."""

    check: Check
    unit: str
    more_is_better: bool = False
    rule: Rule = Rule.VALUE


SHARE: Final = "share"
"""Unit of figures from 0 to 1."""
LENGTHS_S: Final = (30, 300, 1500)
"""Lengths of recording that speed is measured at: a clip, a song, half an hour's programme."""
BATCHES: Final = (1, 4, 16)
"""How many clips are asked about at once for throughput."""

_PER_FIELD: Final = {
    "ece": Figure(Check.CALIBRATION, SHARE),
    "auroc": Figure(Check.CALIBRATION, SHARE, more_is_better=True),
}

FIGURES: Final[Mapping[str, Figure]] = {
    "load_s": Figure(Check.LOAD, "s"),
    "load_memory_mib": Figure(Check.LOAD, "MiB"),
    "load_gpu_memory_mib": Figure(Check.LOAD, "MiB"),
    "self_test_valid": Figure(Check.SELF_TEST, SHARE, more_is_better=True),
    "self_test_different": Figure(Check.SELF_TEST, "answers", more_is_better=True),
    "self_test_silence": Figure(Check.SELF_TEST, SHARE, more_is_better=True),
    "batch_equal": Figure(Check.BATCH, SHARE, more_is_better=True),
    "batch_score_difference": Figure(Check.BATCH, "score"),
    **{
        f"{name}_{length}s": figure
        for length in LENGTHS_S
        for name, figure in (
            ("answer", Figure(Check.REAL_TIME, "s")),
            ("factor", Figure(Check.REAL_TIME, "s per s of audio")),
            ("speed", Figure(Check.REAL_TIME, "s of audio per s", more_is_better=True)),
            ("covered", Figure(Check.REAL_TIME, "s of audio", more_is_better=True)),
        )
    },
    "calls": Figure(Check.MEMORY, "calls", more_is_better=True, rule=Rule.NEEDED),
    "memory_before_mib": Figure(Check.MEMORY, "MiB"),
    "memory_after_mib": Figure(Check.MEMORY, "MiB"),
    "memory_peak_mib": Figure(Check.MEMORY, "MiB"),
    "memory_growth": Figure(Check.MEMORY, "MiB per 100 calls", rule=Rule.SURELY),
    "gpu_memory_before_mib": Figure(Check.MEMORY, "MiB"),
    "gpu_memory_after_mib": Figure(Check.MEMORY, "MiB"),
    "gpu_memory_growth": Figure(Check.MEMORY, "MiB per 100 calls", rule=Rule.SURELY),
    "call_median_s": Figure(Check.MEMORY, "s"),
    "call_p95_s": Figure(Check.MEMORY, "s"),
    **{
        f"{name}_at_{batch}": Figure(Check.THROUGHPUT, unit, more_is_better=True)
        for batch in BATCHES
        for name, unit in (("clips_per_s", "clips per s"), ("audio_per_s", "s of audio per s"))
    },
    "answered": Figure(Check.ANSWERS, SHARE, more_is_better=True),
    "valid": Figure(Check.ANSWERS, SHARE, more_is_better=True),
    "labels": Figure(Check.CALIBRATION, "labels", more_is_better=True, rule=Rule.NEEDED),
    "recordings": Figure(Check.CALIBRATION, "recordings", more_is_better=True, rule=Rule.NEEDED),
    "right": Figure(Check.CALIBRATION, SHARE, more_is_better=True),
    "brier": Figure(Check.CALIBRATION, "squared share"),
    **_PER_FIELD,
    **{f"{name}_{field}": figure for name, figure in _PER_FIELD.items() for field in AudioMetadata.model_fields},
}
"""Every figure there is; those about a GPU are only taken where there is one."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure that was measured."""

    name: str
    value: float
    detail: str = ""
    """For a person."""
    low: float | None = None
    """Of a 95 % interval, where there is one."""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that makes its check fail, whatever the figures are."""

    reason: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something for which a check that would pass or fail is not decided."""

    reason: str


Finding = Measurement | Fault | Doubt
