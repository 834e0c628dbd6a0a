"""Bands: ages of objects that two timelines treat alike, so that what a policy would do can be counted, not read."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from retention.term import Term
from retention.timeline import NEVER, Rule, Timeline

_DAY = timedelta(days=1)


class Effect(NamedTuple):
    """What a change does to an object."""

    moved: int
    """-1: it ends earlier, 0: when it would have ended, 1: later."""
    due: bool
    """Whether it ends before the horizon, and would not have."""


class Band(NamedTuple):
    """Objects created after the band before, and at ``until`` or earlier."""

    until: datetime
    effect: Effect


class Kind(NamedTuple):
    """Objects to which the same terms apply."""

    tenant: str
    tier: str
    """That the customer has now."""
    object_class: str


def bands(
    kind: Kind, before: Timeline, after: Timeline, horizon: datetime, *, first: datetime, last: datetime
) -> list[Band]:
    """What a change does to objects, by when they were created.

    Within a UTC day, the ends of two terms are apart by the same time, whenever the object was created, for months
    keep the time of day.  So the effect can change only at the end of a day, and where a term ends at the moment at
    which a version begins or at the horizon; it is computed once between any two of these.

    Args:
        kind: of the objects.
        before: the rules as they are.
        after: the rules as they would be, as seen from the same moment.
        horizon: see ``Effect``.
        first: creation of the oldest object.
        last: creation of the youngest; what is younger belongs to the last band.

    Returns:
        Bands in order of time, neighbours different; the last one ends at ``last`` or later.
    """
    old, new = before.rules_of(*kind), after.rules_of(*kind)
    terms = {rule.term for rule in (*old, *new)}
    if len(terms) == 1:
        return [Band(last, Effect(0, due=False))]
    ends = sorted({*_days(terms, first, last), *_edges(terms, (*old, *new), horizon), last})
    judged = (Band(end, _effect(kind, before, after, horizon, end)) for end in ends if first <= end <= last)
    merged = (list(same) for _, same in groupby(judged, key=lambda band: band.effect))
    return [same[-1] for same in merged]


def _effect(kind: Kind, before: Timeline, after: Timeline, horizon: datetime, created_at: datetime) -> Effect:
    old, new = (timeline.expiry_of(*kind, created_at).at for timeline in (before, after))
    return Effect((new > old) - (new < old), due=new < horizon <= old)


def _days(terms: set[Term], first: datetime, last: datetime) -> Iterator[datetime]:
    """The last instant of each day; where no term is in months, days do not matter."""
    if not any(term.months for term in terms):
        return
    day = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    while day <= last + _DAY:
        yield day - timedelta.resolution
        day += _DAY


def _edges(terms: set[Term], rules: Sequence[Rule], horizon: datetime) -> Iterator[datetime]:
    """Creations whose terms end at a moment that matters, and the instants before them."""
    moments = {horizon, *(moment for rule in rules for moment in (rule.start, rule.end))} - {NEVER}
    for term in terms:
        for edge, possibly in map(term.bounds, moments):
            while edge <= possibly:
                yield from (edge - timedelta.resolution, edge)
                edge += _DAY  # noqa: PLW2901  # each day that may end then
