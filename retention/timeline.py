"""``Timeline``: when objects reach their end, by the policy in force now and those registered to follow it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from earmark.errors import ConfigurationError
from earmark.rows import CatalogueRow
from earmark.vocabulary import Tier
from retention.catalogue import Group
from retention.policies import BEGINNING, Version
from retention.policy import Policy
from retention.term import Bounds, Term

TierOf = Callable[[str, str], str]
"""Gives the tier that a customer has now; the second argument is its tier when the object came, for those of whom
nothing else is known."""
NEVER: Final = datetime.max.replace(tzinfo=UTC)
_KNOWN_TENANTS: Final = 10_000


class TierChange(NamedTuple):
    """A time at which a customer's tier changed."""

    before: str
    """The tier until then."""
    at: datetime


ChangesOf = Callable[[str], Sequence[TierChange]]
"""Gives the changes of a customer's tier that are known, the latest last."""


def _unchanged(_: str) -> Sequence[TierChange]:
    return ()


class Expiry(NamedTuple):
    """When an object reaches its end, and by which version of the policy."""

    at: datetime
    version: int


class _Span(NamedTuple):
    """A version and the time in which it is in force, without its end."""

    version: Version
    start: datetime
    end: datetime


class Rule(NamedTuple):
    """A term and the time in which it is in force, without its end."""

    term: Term
    start: datetime
    end: datetime
    version: int
    """Of the policy that says so."""


class Timeline:
    """The rules as seen from one moment; it talks to nobody but ``tier_of``.

    Where t is the first moment, now or later, at which ``created_at + term <= t`` by the policy in force at t, an
    object reaches its end at t.  Where that is so now already, it reached it at the moment since when it has been so
    without a break.  So a lengthened policy saves at once, a shortened one that is registered ahead can be announced
    ahead and reaches back no further than it begins, and one that changes nothing for an object moves nothing.  A tier
    that was lowered reaches back no further than that, where the change is known.
    """

    def __init__(
        self, versions: Sequence[Version], now: datetime, tier_of: TierOf, changes_of: ChangesOf = _unchanged
    ) -> None:
        """Take all versions of the policy, the time, and what tells a customer's tier and when it changed."""
        self._versions, self.now = tuple(versions), now
        self._asked, self._changes_of = tier_of, changes_of
        self._tier_of = lru_cache(_KNOWN_TENANTS)(tier_of)
        spans = _spans(self._versions)
        present = max((number for number, span in enumerate(spans) if span.start <= now), default=0)
        self._past, self._spans = tuple(reversed(spans[:present])), spans[present:]
        self._rules: dict[tuple[str, str, str, bool], tuple[Rule, ...]] = {}
        self._agreed = {tenant for span in spans for tenant in span.version.policy.own.tenants}
        self.day_end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        """Of the UTC day that it is."""
        self.notice_horizon = self.policy.notice.after(self.day_end)
        """What ends before this is to be told of today."""

    @property
    def version(self) -> int:
        """Of the policy in force now."""
        return self._spans[0].version.number

    @property
    def policy(self) -> Policy:
        """In force now."""
        return self._spans[0].version.policy

    def at(self, now: datetime) -> "Timeline":
        """The same rules as seen from another moment."""
        return self if now == self.now else Timeline(self._versions, now, self._asked, self._changes_of)

    def tier_of(self, tenant: str, tier: str) -> str:
        """The tier that a customer has now; ``tier`` is that of its object."""
        return self._tier_of(tenant, tier)

    def expires_at(self, row: CatalogueRow) -> datetime:
        """When an object reaches its end; see ``Timeline``.

        Raises:
            ConfigurationError: its tier or class is none that there is.
        """
        return self.expiry(row).at

    def expiry(self, row: CatalogueRow) -> Expiry:
        """When an object reaches its end and by which version; see ``expires_at``."""
        tier, changes = self._tier_of(row.tenant, row.tier), self._changes_of(row.tenant)
        return self.expiry_of(row.tenant, tier, row.object_class, row.created_at, changes)

    def expiry_of(
        self,
        tenant: str,
        tier: str,
        object_class: str,
        created_at: datetime,
        changes: Sequence[TierChange] = (),
    ) -> Expiry:
        """The same for an object that is no row: of a customer who has ``tier`` now."""
        for rule in self.rules_of(tenant, tier, object_class):
            ended = rule.term.after(created_at)
            found = Expiry(max(ended, rule.start), rule.version)
            if found.at < rule.end:
                break
        if found.at > self.now:
            return found
        # It is over now: since when has it been?
        for past in self._back(tenant, tier, object_class, changes):
            ended = past.term.after(created_at)
            if ended >= past.end:
                break
            found = Expiry(max(ended, past.start), past.version)
            if ended > past.start:
                break
        return found

    def candidates(self, group: Group, at: datetime) -> Bounds:
        """Which of a customer's objects have reached their end at ``at``, now or later, as far as their age tells.

        Those created at ``surely`` or before have, those created after ``possibly`` have not; between the two, some
        days apart at most where tiers are known, only ``expires_at`` can tell.
        """
        tiers = {self._tier_of(group.tenant, tier) for tier in (*Tier, group.tier)}
        found = [self._bounds(self.rules_of(group.tenant, tier, group.object_class), at) for tier in tiers]
        return Bounds(min(each.surely for each in found), max(each.possibly for each in found))

    def _bounds(self, rules: Sequence[Rule], at: datetime) -> Bounds:
        """Over the versions in force until ``at``: an object must reach its end in the time of one of them."""
        limits = [
            rule.term.bounds(min(at, rule.end - timedelta.resolution))
            for rule in rules
            if rule.start <= max(at, self.now)
        ]
        return Bounds(max(each.surely for each in limits), max(each.possibly for each in limits))

    def rules_of(self, tenant: str, tier: str, object_class: str) -> tuple[Rule, ...]:
        """The terms for a customer who has ``tier`` now: the one in force now, then those that follow it.

        Raises:
            ConfigurationError: there is no such tier or class.
        """
        return self._rules_of(tenant, tier, object_class, past=False)

    def _back(self, tenant: str, tier: str, object_class: str, changes: Sequence[TierChange]) -> Iterator[Rule]:
        """The terms until now, of the policy and the tier that were in force then, the latest first."""
        end = NEVER
        for before, since in (*((change.before, change.at) for change in reversed(changes)), ("", BEGINNING)):
            past = self._rules_of(tenant, tier, object_class, past=True)
            for rule in (self.rules_of(tenant, tier, object_class)[0], *past):
                start, stop = max(rule.start, since), min(rule.end, end)
                if start < stop:
                    yield Rule(rule.term, start, stop, rule.version)
            tier, end = before, since

    def _rules_of(self, tenant: str, tier: str, object_class: str, *, past: bool) -> tuple[Rule, ...]:
        """The same, or the terms before the one in force now, the latest first."""
        key = (tenant if tenant in self._agreed else "", tier, object_class, past)
        rules = self._rules.get(key)
        if rules is None:
            try:
                rules = self._rules[key] = tuple(
                    Rule(version.policy.term(tenant, tier, object_class), start, end, version.number)
                    for version, start, end in (self._past if past else self._spans)
                )
            except ValueError as error:
                message = f"An object of {tenant} has a tier or class that does not exist: {error}"
                raise ConfigurationError(message) from error
        return rules


def _spans(versions: Sequence[Version]) -> tuple[_Span, ...]:
    """The versions that are ever in force, in order of time; of those that begin together the one numbered highest."""
    order = sorted(versions, key=lambda version: (version.effective_from, version.number))
    kept = list({version.effective_from: version for version in order}.values())
    ends = [*(version.effective_from for version in kept[1:]), NEVER]
    return tuple(_Span(version, version.effective_from, end) for version, end in zip(kept, ends, strict=True))
