"""``PolicyDiff``: what a policy would do to what there is, before anybody registers it."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pydantic import AwareDatetime, NonNegativeInt

from earmark.metadata import Frozen
from retention.bands import Band, Kind, bands
from retention.catalogue import Catalogue, Cutoff, Group
from retention.policies import Version
from retention.policy import NOTICED, Policy
from retention.timeline import TierOf, Timeline

TENANTS_MAX: Final = 20
"""Customers that are told of: those whom it costs most."""
_GROUPS_AT_ONCE: Final = 2000


class Share(Frozen):
    """What it does to some of the objects.  Holds, extensions and notices are not looked at."""

    tier: str
    """That their customers have now."""
    tenant: str
    """Empty = all customers of the tier."""
    object_class: str
    """Empty = all."""
    objects: NonNegativeInt
    size_bytes: NonNegativeInt
    earlier: NonNegativeInt
    """Objects that would end earlier."""
    earlier_bytes: NonNegativeInt
    later: NonNegativeInt
    later_bytes: NonNegativeInt
    due: NonNegativeInt
    """Objects that would end before the horizon and so far would not: each needs a notice first."""
    due_bytes: NonNegativeInt


class PolicyDiff(Frozen):
    """What a candidate does, beside the policies registered so far."""

    now: AwareDatetime
    effective_from: AwareDatetime
    horizon: AwareDatetime
    """A notice term after it comes into force."""
    tiers: tuple[Share, ...]
    """By tier and class."""
    tenants: tuple[Share, ...]
    """Customers some of whose objects end earlier, those who lose most first."""
    tenants_more: NonNegativeInt
    """Such customers beyond those."""


def diff_policy(
    catalogue: Catalogue,
    versions: Sequence[Version],
    candidate: Policy,
    *,
    now: datetime,
    effective_from: datetime,
    tier_of: TierOf,
) -> PolicyDiff:
    """Compare; objects are counted by the catalogue and none is read.

    Args:
        catalogue: what there is.
        versions: registered so far.
        candidate: the policy to judge.
        now: the present.
        effective_from: when it would come into force; not before now.
        tier_of: gives the tier a customer has now; where that is known of nobody, all of a customer's objects count as
            of the tier of the newest.

    Raises:
        Unavailable: the catalogue cannot be reached.
    """
    effective_from = max(now, effective_from)
    version = Version(
        number=max(each.number for each in versions) + 1,
        effective_from=effective_from,
        policy=candidate,
        registered_at=now,
        actor="",
        reason="",
    )
    before, after = Timeline(versions, now, tier_of), Timeline([*versions, version], now, tier_of)
    horizon = candidate.notice.after(effective_from)
    groups = catalogue.groups()
    oldest_at = min((group.oldest_at for group in groups), default=now)
    known: dict[Kind, list[Band]] = {}

    def bands_of(kind: Kind, agreed: frozenset[str]) -> list[Band]:
        shared = kind if kind.tenant in agreed else kind._replace(tenant="")
        if shared not in known:
            last = max(now, oldest_at) + timedelta(days=1)
            known[shared] = bands(shared, before, after, horizon, first=oldest_at, last=last)
        return known[shared]

    agreed = frozenset(tenant for each in (*versions, version) for tenant in each.policy.own.tenants)
    count = _Count()
    for start in range(0, len(groups), _GROUPS_AT_ONCE):
        several = []
        for group in groups[start : start + _GROUPS_AT_ONCE]:
            kind = Kind(group.tenant, before.tier_of(group.tenant, group.tier), group.object_class)
            several.append(_Banded(kind, group, bands_of(kind, agreed)))
        for banded, found in _counted(catalogue, several):
            count.add(banded, found)
    return count.diff(now, effective_from, horizon)


class _Banded(NamedTuple):
    kind: Kind
    group: Group
    bands: Sequence[Band]

    @property
    def cutoffs(self) -> list[Cutoff]:
        """What must be asked for; the last band has what the others leave."""
        kind, group = self.kind, self.group
        return [
            Cutoff(kind.tenant, group.object_class, band.until)
            for band in self.bands[:-1]
            if band.until >= group.oldest_at
        ]


class _Part(NamedTuple):
    band: Band
    objects: int
    size_bytes: int


def _counted(catalogue: Catalogue, several: Sequence[_Banded]) -> Iterator[tuple[_Banded, list[_Part]]]:
    """How many objects of each group lie in each of its bands."""
    cutoffs = [cutoff for banded in several for cutoff in banded.cutoffs]
    counts = iter(catalogue.count(cutoffs) if cutoffs else [])
    for banded in several:
        group, parts, objects, size_bytes = banded.group, [], 0, 0
        for band in banded.bands[:-1]:
            if band.until >= group.oldest_at:
                count = next(counts)
                parts.append(_Part(band, count.objects - objects, count.size_bytes - size_bytes))
                objects, size_bytes = count.objects, count.size_bytes
        # Rows may have come between the two questions.
        rest = max(group.objects - objects, 0), max(group.size_bytes - size_bytes, 0)
        yield banded, [*parts, _Part(banded.bands[-1], *rest)]


class _Count:
    """Adds up groups, which come in order of customer."""

    def __init__(self) -> None:
        self._tiers: dict[tuple[str, str], Counter[str]] = {}
        self._tenant, self._of_tenant = ("", ""), Counter[str]()
        self._worst: list[tuple[int, int, str, Share]] = []
        self._losing = 0

    def add(self, banded: _Banded, parts: Sequence[_Part]) -> None:
        """Count one group."""
        kind = banded.kind
        if (kind.tier, kind.tenant) != self._tenant:
            self._close()
            self._tenant = kind.tier, kind.tenant
        found = Counter[str]()
        for (_, effect), objects, size_bytes in parts:
            names = ["objects", *([("earlier", "later")[effect.moved > 0]] if effect.moved else [])]
            names += ["due"] if effect.due and kind.object_class in NOTICED else []
            for name in names:
                found[name] += objects
                found["size_bytes" if name == "objects" else f"{name}_bytes"] += size_bytes
        self._of_tenant.update(found)
        self._tiers.setdefault((kind.tier, kind.object_class), Counter()).update(found)

    def diff(self, now: datetime, effective_from: datetime, horizon: datetime) -> PolicyDiff:
        """All of it."""
        self._close()
        return PolicyDiff(
            now=now,
            effective_from=effective_from,
            horizon=horizon,
            tiers=tuple(_share(tier, "", kind, found) for (tier, kind), found in sorted(self._tiers.items())),
            tenants=tuple(share for *_, share in sorted(self._worst, reverse=True)),
            tenants_more=self._losing - len(self._worst),
        )

    def _close(self) -> None:
        (tier, tenant), found = self._tenant, self._of_tenant
        self._of_tenant = Counter()
        if found["earlier"]:
            self._losing += 1
            heapq.heappush(self._worst, (found["earlier"], found["due"], tenant, _share(tier, tenant, "", found)))
            if len(self._worst) > TENANTS_MAX:
                heapq.heappop(self._worst)


def _share(tier: str, tenant: str, object_class: str, found: Counter[str]) -> Share:
    fields = ("objects", "size_bytes", "earlier", "earlier_bytes", "later", "later_bytes", "due", "due_bytes")
    figures = {name: found[name] for name in fields}
    return Share.model_validate({"tier": tier, "tenant": tenant, "object_class": object_class, **figures})
