"""The cascade's rules: which fields the fallback is asked for, and whose answer of a field stands.

Nothing here talks to anybody; ``workers/second_opinion.py`` does the asking.

How far an answer is trusted is its *worth*: its calibrated confidence, or, where nothing is fitted, its raw score
(which routes and is never shown as a confidence).  What the fallback says without a fitted calibrator is worth the
prior that is set.  A field goes to the fallback when its worth is below the threshold, and the answer that is worth
more stands: the closest published case is UCCI (arXiv:2605.18796), a calibrated margin with a threshold by cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from earmark.domain import FieldRoute
from earmark.errors import ConfigurationError
from earmark.metadata import REQUIRED, AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType

ALL_FIELDS: tuple[str, ...] = tuple(AudioMetadata.model_fields)
MUSICAL: frozenset[str] = frozenset({"genres", "moods", "instruments", "tempo_bpm", "key"})
"""Fields that only music has."""
SPOKEN: frozenset[str] = frozenset({"language", "transcript"})
"""Fields that only speech has."""
_JUDGED = frozenset({Basis.CALIBRATED, Basis.UNCALIBRATED})
SHORT = 60
"""Characters of an answer that are told in a route."""


class Reason(StrEnum):
    """Why the fallback comes up."""

    WEAK = "weak"
    """The primary's answer is worth less than the threshold."""
    NO_ANSWER = "no_answer"
    """The primary has no answer to a field that its content type requires, or none at all."""
    CONTENT_TYPE = "content_type"
    """The content type itself is weak, and the field hangs on it."""
    PRIMARY_FAILED = "primary_failed"
    """The primary crashed or took too long over this clip."""
    PRIMARY_DOWN = "primary_down"
    """The primary's breaker is open."""
    DEGRADED = "degraded"
    """The lane waits too long, and the primary is busy."""


class Refusal(StrEnum):
    """Why there is no answer of the fallback."""

    REGION = "region"
    """The tenant's data must stay in a region the provider does not keep it in."""
    DAY = "daily_cap"
    TENANT = "tenant_cap"
    BREAKER = "breaker_open"
    """The fallback's breaker is open."""
    RATE = "rate_limited"
    """Our own limit on its use would have made the question wait too long."""
    FAILED = "fallback_failed"
    """It was asked and there was no answer."""


@dataclass(frozen=True, slots=True)
class CascadeRules:
    """What an operator decides about the cascade."""

    threshold: float
    fields: frozenset[str]
    """The fields that may go to the fallback."""
    prior: float
    """Worth of an answer of the fallback that nothing is fitted for."""


def listed_fields(text: str) -> frozenset[str]:
    """Field names divided by commas, or ``all``; raises ``ConfigurationError`` naming the one there is not."""
    if text.strip() == "all":
        return frozenset(ALL_FIELDS)
    names = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(names - set(ALL_FIELDS))
    if unknown:
        message = f"fallback_fields: there is no field {', '.join(unknown)}; there are {', '.join(ALL_FIELDS)}, or all."
        raise ConfigurationError(message)
    return frozenset(names)


def worth(metadata: AudioMetadata, field: str) -> float | None:
    """Probability, 0 to 1, that the answer is right as far as is known; a list counts as its first entry.

    Returns:
        ``None`` where there is no answer, or one that nothing is known about.
    """
    entry = _first(metadata, field)
    if entry is None or entry.value is None:
        return None
    known = entry.confidence if entry.confidence is not None else entry.score
    return None if known is None else min(1.0, max(0.0, known))


def weak_fields(metadata: AudioMetadata, rules: CascadeRules) -> dict[str, Reason]:
    """The fields the fallback should be asked for, and why.

    What is measured, or follows from other fields, is not asked anew.  Where the content type is weak every listed
    field is asked that could hang on it: an answer about the wrong kind of sound is no answer.
    """
    content_type = metadata.content_type.value
    required = () if content_type is None else REQUIRED[content_type]
    weak: dict[str, Reason] = {}
    for field in ALL_FIELDS:
        entry = _first(metadata, field)
        if entry is None or entry.value is None:
            if field == "content_type" or field in required:
                weak[field] = Reason.NO_ANSWER
        elif (
            entry.basis in {Basis.CALIBRATED, Basis.UNCALIBRATED} and (worth(metadata, field) or 0.0) < rules.threshold
        ):
            weak[field] = Reason.WEAK
    chosen = {field: reason for field, reason in weak.items() if field in rules.fields}
    if "content_type" in chosen:
        chosen |= {field: Reason.CONTENT_TYPE for field in rules.fields if field not in chosen}
    return {field: chosen[field] for field in ALL_FIELDS if field in chosen}


@dataclass(frozen=True, slots=True)
class Merged:
    """One answer out of two."""

    metadata: AudioMetadata
    routes: tuple[FieldRoute, ...]

    @property
    def fallback_fields(self) -> tuple[str, ...]:
        """The fields the fallback answered."""
        return tuple(route.field for route in self.routes if route.chosen == "fallback")


def merge(
    primary: AudioMetadata | None,
    fallback: AudioMetadata | None,
    asked: Mapping[str, Reason],
    *,
    prior: float,
    refused: Refusal | None = None,
    cost_usd: float = 0.0,
    coverage: float = 1.0,
) -> Merged:
    """Each field from the answer that is worth more; on a tie the primary's.

    Where the two disagree about the content type, what does not fit the one that stands is dropped.

    Args:
        primary: what the primary said, calibrated as far as it can be.
        fallback: what the fallback said, likewise; ``None`` = nothing.
        asked: the fields it came up for, and why.
        prior: worth of an answer of the fallback that has no calibrated confidence.
        refused: why there is no answer of the fallback.
        cost_usd: what asking cost, divided evenly among the fields.
        coverage: share of the recording that the fallback heard, 0 to 1; a transcript is worth that much less.
    """
    ours = primary or AudioMetadata()
    theirs = _covering(fallback or AudioMetadata(), coverage)
    taken: dict[str, Any] = {}
    routes = []
    unfit_ours, unfit_theirs = _unfit(ours, theirs, asked, prior)
    priors = {field: prior * (coverage if field == "transcript" else 1.0) for field in asked}
    for field, reason in asked.items():
        our_worth = None if field in unfit_ours else worth(ours, field)
        their_worth = None if field in unfit_theirs else _fallback_worth(theirs, field, priors[field])
        chosen: Literal["primary", "fallback", "none"] = "none"
        if their_worth is not None and (our_worth is None or their_worth > our_worth):
            chosen = "fallback"
            taken[field] = getattr(theirs, field)
        elif field not in unfit_ours and _short(ours, field) is not None:
            chosen = "primary"
        routes.append(
            FieldRoute(
                field=field,
                reason=reason,
                refused=refused,
                chosen=chosen,
                primary_value=_short(ours, field),
                primary_worth=worth(ours, field),
                fallback_value=_short(theirs, field),
                fallback_worth=_fallback_worth(theirs, field, priors[field]),
                cost_usd=cost_usd / len(asked),
            )
        )
    empty = AudioMetadata()
    dropped = {field: getattr(empty, field) for field in unfit_ours - set(taken)}
    return Merged(ours.model_copy(update=dropped | taken), tuple(routes))


def _unfit(
    ours: AudioMetadata, theirs: AudioMetadata, asked: Mapping[str, Reason], prior: float
) -> tuple[frozenset[str], frozenset[str]]:
    """Fields of either answer that do not fit the content type that stands, where it was asked about.

    Where the two disagree, the description goes with the content type: that of the other one tells of something else.
    """
    mine, other = ours.content_type.value, theirs.content_type.value
    if "content_type" not in asked or other is None:
        return frozenset(), frozenset()
    overruled = (_fallback_worth(theirs, "content_type", prior) or 0.0) > (worth(ours, "content_type") or 0.0)
    stands = other if overruled else mine
    out: set[str] = set()
    if stands not in {ContentType.MUSIC, ContentType.MIXED}:
        out |= MUSICAL
    if stands not in {ContentType.SPEECH, ContentType.MIXED}:
        out |= SPOKEN
    disagree = mine is not None and mine is not other
    stale = frozenset({"description"}) if disagree else frozenset[str]()
    ours_out = frozenset(out) | (stale if overruled else frozenset())
    return ours_out, frozenset(out) | (stale if not overruled else frozenset())


def _covering(metadata: AudioMetadata, coverage: float) -> AudioMetadata:
    """The same, its transcript trusted by the share of the recording that was heard: the other words are missing."""
    said = metadata.transcript
    if said.value is None or coverage >= 1.0:
        return metadata
    less = {
        name: round(known * coverage, 4)
        for name, known in (("confidence", said.confidence), ("score", said.score))
        if known is not None
    }
    return metadata.model_copy(update={"transcript": said.model_copy(update=less)})


def _fallback_worth(metadata: AudioMetadata, field: str, prior: float) -> float | None:
    entry = _first(metadata, field)
    if entry is None or entry.value is None:
        return None
    return entry.confidence if entry.confidence is not None else prior


def _first(metadata: AudioMetadata, field: str) -> Rated[Any] | None:
    rated = getattr(metadata, field)
    if isinstance(rated, tuple):
        return rated[0] if rated else None
    entry: Rated[Any] = rated
    return entry


def _short(metadata: AudioMetadata, field: str) -> str | None:
    rated = getattr(metadata, field)
    entries = rated if isinstance(rated, tuple) else (rated,)
    text = ", ".join(str(entry.value) for entry in entries if entry.value is not None)
    return text[:SHORT] + "…" * (len(text) > SHORT) if text else None
