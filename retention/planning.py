"""``make_plan``: what is to go and of what customers are to be told, from the catalogue; it changes nothing."""

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass
from retention.catalogue import Catalogue, Cutoff, object_id
from retention.limits import Radius
from retention.notice import notice_id
from retention.outlook import Outlook
from retention.plan import Do, Header, Plan, PlanLine, PlanWriter, Summary, Tally, TenantTally
from retention.policy import NOTICED, Limits
from retention.standing import Hindrance, Standing, delete_after
from retention.timeline import Timeline

TENANTS_MAX: Final = 20
"""Customers in the summary: those who lose most."""
_KEPT: Final = frozenset({Hindrance.HOLD, Hindrance.EXTENDED, Hindrance.NOTICE})


def make_plan(
    catalogue: Catalogue,
    outlook: Outlook,
    *,
    out: Path,
    backend: str,
    made_at: datetime,
    usual: Callable[[], int],
    classes: Collection[ObjectClass] = frozenset(ObjectClass),
) -> Plan:
    """Write a plan; of ten million rows only those that may be due are read, and none are all in memory.

    Args:
        catalogue: what there is.
        outlook: what holds at the moment that the plan judges by.
        out: file of the plan, or a folder.
        backend: name of where the objects are.
        made_at: the present.
        usual: gives how many objects are deleted on the usual day, the median of the last seven.
        classes: of the objects that it is about.

    Raises:
        ConfigurationError: the plan cannot be written there.
        Unavailable: the catalogue or the record of notices cannot be reached.
    """
    # Objects come customer by customer.
    outlook = replace(outlook, suspended=lru_cache(1)(outlook.suspended))
    cutoffs, live = _asked(catalogue, outlook.timeline, classes)
    header = Header(made_at=made_at, as_of=outlook.now, policy_version=outlook.timeline.version, backend=backend)
    with PlanWriter(out, header) as writer:
        count = _Count(outlook.timeline.policy.limits, live)
        for row in catalogue.due(cutoffs) if cutoffs else ():
            standing = outlook.of(row)
            count.stays(row, standing, suspended=outlook.suspended(row.tenant))
            line = _line(row, standing, outlook.timeline)
            if line is not None:
                count.goes(line)
                writer.add(line)
        return writer.finish(count.summary(usual))


def _asked(
    catalogue: Catalogue, timeline: Timeline, classes: Collection[ObjectClass]
) -> tuple[list[Cutoff], dict[str, int]]:
    """Which objects to look at, and how many each customer has, temporary ones not counted."""
    cutoffs: list[Cutoff] = []
    live: Counter[str] = Counter()
    for group in catalogue.groups():
        noticed = group.object_class in NOTICED
        if noticed:
            live[group.tenant] += group.objects
        if group.object_class in classes:
            until = timeline.candidates(group, timeline.notice_horizon if noticed else timeline.now).possibly
            if group.oldest_at <= until:
                cutoffs.append(Cutoff(group.tenant, group.object_class, until))
    return cutoffs, live


def _line(row: CatalogueRow, standing: Standing, timeline: Timeline) -> PlanLine | None:
    """What is to be done with an object, if anything."""
    if standing.deletable:
        do: Do = "delete"
        promised, notice, reason = standing.delete_after, row.notice, "expired"
    elif standing.notice_due:
        do = "notice"
        promised = delete_after(standing.expires_at, timeline.now, timeline.policy.notice)
        notice = notice_id(row.tenant, timeline.now)
        reason = "earlier" if standing.notice_fault is None else standing.notice_fault.value
    else:
        return None
    return PlanLine(
        do=do,
        id=object_id(row.bucket, row.name, row.generation),
        bucket=row.bucket,
        name=row.name,
        generation=row.generation,
        tenant=row.tenant,
        object_class=row.object_class,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
        expires_at=standing.expires_at,
        delete_after=promised,
        notice=notice,
        reason=reason,
        policy_version=standing.policy_version,
    )


class _Count:
    """Adds up a plan while it is made, one customer at a time."""

    def __init__(self, limits: Limits, live: dict[str, int]) -> None:
        self._live = live
        self._radius = Radius(limits)
        self._tallies: Counter[tuple[Do, str]] = Counter()
        self._bytes: Counter[tuple[Do, str]] = Counter()
        self._kept: Counter[str] = Counter()
        self._worst: list[tuple[int, int, str, TenantTally]] = []
        self._tenant, self._of_tenant, self._counted = "", Counter[str](), 0

    def stays(self, row: CatalogueRow, standing: Standing, *, suspended: bool) -> None:
        """Count an object whose term has ended and that stays."""
        if standing.hindrance in _KEPT and standing.policy_expires_at <= standing.now:
            self._kept[standing.hindrance.value] += 1
        if suspended and row.object_class in NOTICED and standing.notice_fault is not None and standing.hold is None:
            self._kept["suspended"] += 1

    def goes(self, line: PlanLine) -> None:
        """Count an object that something is done with."""
        if line.tenant != self._tenant:
            self._close()
            self._tenant = line.tenant
        self._tallies[line.do, line.object_class] += 1
        self._bytes[line.do, line.object_class] += line.size_bytes
        self._of_tenant[line.do] += 1
        if line.do == "delete":
            self._of_tenant["bytes"] += line.size_bytes
            self._counted += line.object_class in NOTICED

    def summary(self, usual: Callable[[], int]) -> Summary:
        """The whole plan."""
        self._close()
        return Summary(
            lines=self._tallies.total(),
            tallies=tuple(self._by_class()),
            tenants=tuple(tally for *_, tally in sorted(self._worst, reverse=True)),
            kept=dict(sorted(self._kept.items())),
            exceeded=self._radius.exceeded(usual()),
            exceeded_tenants=self._radius.tenants,
        )

    def _by_class(self) -> Iterator[Tally]:
        for (do, object_class), objects in sorted(self._tallies.items()):
            size_bytes = self._bytes[do, object_class]
            yield Tally(do=do, object_class=object_class, objects=objects, size_bytes=size_bytes)

    def _close(self) -> None:
        """All lines of a customer have been seen."""
        if not self._tenant:
            return
        live, found = self._live.get(self._tenant, 0), self._of_tenant
        self._radius.add(self._tenant, self._counted, live)
        tally = TenantTally(
            tenant=self._tenant,
            deletions=found["delete"],
            notices=found["notice"],
            size_bytes=found["bytes"],
            live=live,
        )
        heapq.heappush(self._worst, (tally.deletions, tally.notices, self._tenant, tally))
        if len(self._worst) > TENANTS_MAX:
            heapq.heappop(self._worst)
        self._of_tenant, self._counted = Counter(), 0
