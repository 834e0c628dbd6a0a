"""The values at which panels turn orange or red: promises of the settings, and the limits of the alerts."""

from typing import Final

from earmark.settings import Settings
from infra.grafana.board import Colour, Limit

_SETTINGS: Final = Settings.model_fields
SLA_HIGH_S: Final[float] = _SETTINGS["sla_high_s"].default
SLA_LOW_S: Final[float] = _SETTINGS["sla_low_s"].default
DEAD_LETTER_S: Final[float] = 86_400 * _SETTINGS["dead_letter_days"].default

ALERTS: Final = {
    "EarmarkLowConfidence": 0.20,
    "EarmarkBacklog": 500.0,
    "EarmarkJobsLate": 0.05,
    "EarmarkJobErrors": 0.05,
    "EarmarkApiErrors": 0.05,
    "EarmarkQueueUnanswered": 120.0,
    "EarmarkWorkerStuck": 1800.0,
    "EarmarkPartUnseen": 300.0,
    "EarmarkWebhooksLate": 900.0,
    "EarmarkDiskFull": 1_073_741_824.0,
    "EarmarkSpendHigh": 0.8,
    "EarmarkDeadLetterOld": 259_200.0,
    "EarmarkRetentionNotRunning": 90_000.0,
}
"""Above which value, or below it, each of these alerts fires, as ``infra/prometheus`` has them; a test compares."""
OLDEST_S: Final = {"high": 60.0, "low": 1200.0}
"""The same of ``EarmarkOldestWaiting``, by lane."""


def worse_from(value: float, *, watch: float | None = None) -> tuple[Limit, ...]:
    """Red from ``value`` on and orange from ``watch`` on; half of the value where nothing else is said."""
    return (Limit(value / 2 if watch is None else watch, Colour.WATCH), Limit(value, Colour.BAD))


def line_at(value: float) -> tuple[Limit, ...]:
    """A red line in a picture over time."""
    return (Limit(value, Colour.BAD),)


def fine_from(value: float, *, watch: float) -> tuple[Limit, ...]:
    """Red below ``watch``, orange below ``value``; for what should be high."""
    return (Limit(float("-inf"), Colour.BAD), Limit(watch, Colour.WATCH), Limit(value, Colour.FINE))


NONE_AT_ALL: Final = (Limit(1, Colour.BAD),)
"""For what there should not be one of."""
