"""What should exist, told by a model of its own: objects one by one, days one by one, and no part of ``retention``.

It is slow and plain on purpose.  Where it and the system differ, one of them is wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

WEEK = timedelta(days=7)


def months_later(start: datetime, months: int) -> datetime:
    """The same day and time so many months later, or the last day there is before it."""
    year, month = start.year, start.month
    for _ in range(months):
        month += 1
        if month > 12:
            year, month = year + 1, 1
    for day in range(start.day, 0, -1):
        try:
            return datetime(year, month, day, start.hour, start.minute, start.second, start.microsecond, UTC)
        except ValueError:
            continue
    raise AssertionError


def end_of(start: datetime, term: str) -> datetime:
    """When a term as ``30 days`` or ``6 months`` has passed."""
    count, unit = term.split()
    match unit.rstrip("s"):
        case "hour":
            return start + timedelta(hours=int(count))
        case "day":
            return start + timedelta(days=int(count))
        case "month":
            return months_later(start, int(count))
    return months_later(start, 12 * int(count))


@dataclass
class Told:
    """A notice about one object."""

    day: str
    confirmed_at: datetime
    delete_after: datetime
    bounced: bool = False


@dataclass
class Thing:
    """One generation of an object."""

    name: str
    tenant: str
    generation: int
    created_at: datetime
    told: list[Told] = field(default_factory=list)
    gone: str = ""
    """Why it is no longer there; empty = it is."""


@dataclass
class Keeping:
    """A hold or an extension of everything whose name begins so."""

    prefix: str
    tenant: str
    began_at: datetime
    until: datetime | None = None
    """Of an extension."""
    ended_at: datetime | None = None
    """When a hold was released, or an extension withdrawn."""

    def covers(self, thing: Thing) -> bool:
        """Whether it is about an object."""
        return thing.name.startswith(self.prefix) and (not self.tenant or self.tenant == thing.tenant)


@dataclass
class World:
    """Everything that decides."""

    tiers: dict[str, str]
    policies: list[tuple[datetime, dict[str, str]]]
    """From when on, and the term of each tier; in order of their registration."""
    things: list[Thing] = field(default_factory=list)
    holds: list[Keeping] = field(default_factory=list)
    extensions: list[Keeping] = field(default_factory=list)
    told_today: dict[tuple[str, str], bool] = field(default_factory=dict)
    suspended: set[str] = field(default_factory=set)
    seen: dict[str, str] = field(default_factory=dict)
    """Tiers at the last run."""
    changes: dict[str, list[tuple[str, datetime]]] = field(default_factory=dict)
    """The tier before, and when another one was seen; the latest last."""
    _spans: dict[tuple[datetime, str, str, int, int], list[tuple[datetime, datetime | None]]] = field(
        default_factory=dict
    )
    """What ``spans`` found, by all that it looks at: policies and changes only ever become more."""

    def arrive(self, name: str, tenant: str, generation: int, now: datetime) -> None:
        """An object comes; one of that name is replaced."""
        for thing in self.things:
            if thing.name == name and not thing.gone:
                thing.gone = "replaced"
        self.things.append(Thing(name, tenant, generation, now))

    def expiry(self, thing: Thing, now: datetime) -> datetime:
        """When it ends, extensions counted."""
        ends = self.end_by(thing, now)
        kept = [each.until for each in self.extensions if each.covers(thing) and each.ended_at is None and each.until]
        return max([ends, *kept])

    def end_by(self, thing: Thing, now: datetime) -> datetime:
        """The first moment from now on at which it is over; or since when it has been over without a break."""
        spans = self.spans(thing)
        present = max(number for number, (start, _) in enumerate(spans) if start <= now)
        over = spans[present][1]
        if over is None or over > now:
            return next(over for _, over in spans[present:] if over is not None)
        for number in range(present - 1, -1, -1):
            earlier = spans[number][1]
            if over > spans[number + 1][0] or earlier is None:
                break
            over = earlier
        return over

    def spans(self, thing: Thing) -> list[tuple[datetime, datetime | None]]:
        """When each policy or tier began to count, and when the object was over by it; None = not while it counted."""
        changes = self.changes.get(thing.tenant, [])
        known = (thing.created_at, thing.tenant, self.tiers[thing.tenant], len(self.policies), len(changes))
        if known in self._spans:
            return self._spans[known]
        starts = sorted({start for start, _ in self.policies})
        marks = sorted({*starts, *(at for _, at in changes)})
        spans: list[tuple[datetime, datetime | None]] = []
        for start, end in zip(marks, [*marks[1:], None], strict=True):
            since = max(each for each in starts if each <= start)
            tier = next((before for before, at in changes if start < at), self.tiers[thing.tenant])
            term = [terms for each, terms in self.policies if each == since][-1][tier]
            over = max(end_of(thing.created_at, term), start)
            spans.append((start, over if end is None or over < end else None))
        self._spans[known] = spans
        return spans

    def observe(self, now: datetime) -> None:
        """Tiers are looked at when there is a run."""
        for tenant, tier in self.tiers.items():
            seen = self.seen.get(tenant)
            if seen is not None and seen != tier:
                self.changes.setdefault(tenant, []).append((seen, now))
            self.seen[tenant] = tier

    def held(self, thing: Thing) -> bool:
        """Whether a hold stands."""
        return any(each.covers(thing) and each.ended_at is None for each in self.holds)

    def good_notice(self, thing: Thing, now: datetime) -> Told | None:
        """The notice that allows a deletion, now or later."""
        told = thing.told[-1] if thing.told else None
        if told is None or told.bounced or self.expiry(thing, now) > told.delete_after:
            return None
        ended = [each.ended_at for each in (*self.holds, *self.extensions) if each.covers(thing) and each.ended_at]
        return None if any(each > told.delete_after for each in ended) else told

    def run(self, now: datetime, reachable: Callable[[str], bool] = lambda _: True) -> None:
        """What one run has to do."""
        self.observe(now)
        dying = []
        for thing in self.living():
            told = self.good_notice(thing, now)
            if not self.held(thing) and self.expiry(thing, now) <= now and told and told.delete_after <= now:
                dying.append(thing)
        day_end = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        for tenant in sorted(self.tiers):
            if self.told_today.get((tenant, f"{now:%Y-%m-%d}")) or tenant in self.suspended:
                continue
            due = [each for each in self.living() if each.tenant == tenant and self.is_due(each, now, day_end)]
            due = [each for each in due if each not in dying]
            if due and reachable(tenant):
                self.told_today[tenant, f"{now:%Y-%m-%d}"] = True
                for thing in due:
                    after = max(self.expiry(thing, now), now + WEEK)
                    thing.told.append(Told(f"{now:%Y-%m-%d}", now, after))
        for thing in dying:
            assert thing.told
            assert thing.told[-1].confirmed_at + WEEK <= now
            thing.gone = "deleted"

    def is_due(self, thing: Thing, now: datetime, day_end: datetime) -> bool:
        """Whether its customer is to be told of it today."""
        expiry = self.expiry(thing, now)
        if self.held(thing) or expiry - WEEK >= day_end:
            return False
        told = self.good_notice(thing, now)
        return told is None or max(expiry, now + WEEK) < told.delete_after

    def bounce(self, tenant: str, day: str) -> None:
        """A notice comes back."""
        self.suspended.add(tenant)
        for thing in self.things:
            for told in thing.told:
                if thing.tenant == tenant and told.day == day:
                    told.bounced = True

    def living(self) -> list[Thing]:
        """What is there."""
        return [each for each in self.things if not each.gone]
