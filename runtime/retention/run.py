"""What ``earmark retention run``, ``sweep``, ``archive``, ``rows`` and ``reconcile`` do."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from earmark.audit import AuditEntry
from earmark.errors import ConfigurationError, EarmarkError, Unavailable
from earmark.log import event
from earmark.rows import TABLES, CatalogueRow
from earmark.settings import Settings
from earmark.vocabulary import ObjectClass, ObjectState
from retention.applying import Applied
from retention.archiving import Archiver, Archiving
from retention.catalogue import LIVE, Cutoff
from retention.wording import size
from runtime import exit_status
from runtime.backend import UPLOADS
from runtime.dlq.desk import say
from runtime.retention.desk import Desk, open_desk
from runtime.retention.forget import forget_notices, forget_plans, sweep_scratch
from runtime.retention.inventory import compare, tell_inventories
from runtime.retention.output import print_json
from runtime.retention.plan import apply, status_of, tell_applied, tell_plan, told_plan
from runtime.signals import handled
from runtime.wiring import connect_existing

_log = logging.getLogger(__name__)

ARCHIVED_AT_ONCE: Final = 1000
"""Objects that one cycle moves to the archive at most, so that the other steps get their turn."""
KEPT_TABLES: Final = frozenset({"audit", "catalogue"})
"""Rows that do not go by their age: the audit log's are for ever, the catalogue's stay while their object does."""
DAY: Final = timedelta(days=1)


@dataclass
class Cycle:
    """What one run did, or would do."""

    executed: bool
    steps: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    """Steps that could not be taken, and why."""
    status: int = 0


def run_cycles(settings: Settings, *, every_s: float | None, execute: bool, as_json: bool) -> int:
    """One cycle, or one after another until told to stop; returns the exit status of the last."""
    desk = open_desk(settings, connect_existing(settings))
    stop = threading.Event()
    with handled(stop.set):
        while True:
            cycle = run_once(desk, execute=execute, show=not as_json)
            if as_json:
                print_json({"executed": cycle.executed, "steps": cycle.steps, "faults": cycle.faults})
            else:
                for step, fault in cycle.faults.items():
                    say(f"{step}: {fault}")
            if every_s is None or stop.wait(every_s):
                return cycle.status


def run_once(desk: Desk, *, execute: bool, show: bool = False) -> Cycle:
    """Every step once; one that fails keeps none of the others from being taken."""
    cycle = Cycle(execute)
    if execute:
        desk.policies.pin()  # no later release changes what was in force
    steps: dict[str, Callable[[], tuple[object, int]]] = {
        "scratch": lambda: (sweep_scratch(Path(desk.backend.scratch), desk.clock(), execute=execute), 0),
        "plan": lambda: _planned(desk, execute=execute, show=show),
        "archive": lambda: (archive_once(desk, ARCHIVED_AT_ONCE, execute=execute), 0),
        "rows": lambda: (purge_once(desk, execute=execute), 0),
        "reconcile": lambda: _compared(desk, execute=execute),
    }
    for name, step in steps.items():
        try:
            cycle.steps[name], status = step()
        except EarmarkError as error:
            event(_log, "retention.step_failed", level=logging.ERROR, step=name, error=str(error))
            cycle.faults[name] = str(error)
            status = exit_status.UNAVAILABLE if isinstance(error, Unavailable) else exit_status.SOME_NOT_DONE
        cycle.status = max(cycle.status, status)
    return cycle


def _planned(desk: Desk, *, execute: bool, show: bool) -> tuple[object, int]:
    plan = desk.make_plan()
    try:
        applied = apply(desk, plan.path, "daily run", execute=execute, approve=False, show=show)
    except ConfigurationError:
        if show:
            tell_plan(plan)
        raise
    if show:
        tell_plan(plan)
        tell_applied(applied)
    if applied.executed and not applied.stopped:
        plan.path.unlink(missing_ok=True)  # it names customers' files, and its outcomes are rows
    suspended = exit_status.SOME_NOT_DONE if plan.summary.kept.get("suspended") else 0
    return {"plan": told_plan(plan), "applied": applied}, max(status_of(applied), suspended)


def _compared(desk: Desk, *, execute: bool) -> tuple[object, int]:
    """The buckets that were not compared since a day, and those where something was overdue."""
    latest: dict[str, str] = {}
    for row in desk.backend.warehouse.query("inventories", {"limit": 100}):
        latest.setdefault(str(row["bucket"]), "" if row["overdue"] else str(row["compared_at"]))
    since = f"{desk.clock() - DAY:%Y-%m-%dT%H:%M:%SZ}"
    due = [bucket for bucket in desk.kept_buckets if latest.get(bucket, "") <= since]
    if due and execute:
        tell(desk, "retention.reconcile", ", ".join(due))
    found = [compare(desk, bucket, execute=execute) for bucket in due]
    return found, exit_status.SOME_NOT_DONE if any(each.overdue for each in found) else 0


def sweep_now(settings: Settings, *, execute: bool, as_json: bool) -> int:
    """Temporary objects and files."""
    desk = open_desk(settings, connect_existing(settings))
    if execute:
        tell(desk, "retention.sweep")
    files = sweep_scratch(Path(desk.backend.scratch), desk.clock(), execute=execute)
    plan = desk.make_plan(classes=frozenset({ObjectClass.TEMPORARY}))
    applied: Applied = apply(desk, plan.path, "sweep", execute=execute, approve=True, show=not as_json)
    plan.path.unlink(missing_ok=True)
    if as_json:
        print_json({"files": files, "objects": applied})
    else:
        say(f"{'Removed' if execute else 'Would be removed'}: {files:,} files that nobody owns any more.")
        tell_applied(applied)
    return status_of(applied)


def archive_now(settings: Settings, limit: int, *, execute: bool, as_json: bool) -> int:
    """Move old audio."""
    desk = open_desk(settings, connect_existing(settings))
    found = archive_once(desk, limit, execute=execute)
    if as_json:
        print_json(found)
    elif execute:
        sizes = f"{size(found['before_bytes'])} before and {size(found['after_bytes'])} after"
        moved = f"{found['packed']:,} packed, {found['copied']:,} as they are, {sizes}"
        say(f"Moved to the archive: {moved}; {found['left']:,} left.")
    else:
        say(f"Old enough for the archive: {found['old']:,} objects.  Add --execute to move them.")
    return 0


def archive_once(desk: Desk, limit: int, *, execute: bool) -> dict[str, int]:
    """Move so many objects at most, or count those that are old enough."""
    rows = islice(_old(desk), limit)
    if not execute:
        return {"old": sum(1 for _ in rows)}
    outlook = desk.outlook()

    def stays_until(row: CatalogueRow) -> Any:
        standing = outlook.of(row)
        return None if standing.hold is not None else standing.expires_at

    archiver = Archiver(
        catalogue=desk.backend.catalogue,
        uploads=desk.backend.bucket(UPLOADS),
        archive=desk.backend.archive,
        scratch=desk.backend.scratch,
        clock=desk.clock,
        stays_until=stays_until,
        dated=lambda bucket, row: desk.date(bucket, row, outlook),
    )
    counts = {"packed": 0, "copied": 0, "left": 0, "before_bytes": 0, "after_bytes": 0}
    stopped = desk.switch.stopped()
    if stopped is not None:
        message = f"Everything is stopped since {stopped.at:%Y-%m-%d %H:%M} UTC: {stopped.reason}"
        raise ConfigurationError(message)
    first = next(rows, None)
    if first is None:
        return counts
    tell(desk, "retention.archive", f"{limit} objects at most")
    for done in archiver.archive(chain([first], rows)):
        counts[done.archiving.value] += 1
        if done.archiving is not Archiving.LEFT:
            counts["before_bytes"] += done.row.size_bytes
            counts["after_bytes"] += done.size_bytes
    return counts


def _old(desk: Desk) -> Iterator[CatalogueRow]:
    """Uploads that the policy wants in the archive and that are not there."""
    now, tier_of = desk.clock(), desk.tier_of()
    terms = desk.policies.in_force(now).policy.archive
    cutoffs = []
    for group in desk.backend.catalogue.groups():
        term = {tier.value: term for tier, term in terms.items()}.get(tier_of(group.tenant, group.tier))
        if group.object_class == ObjectClass.UPLOAD and term is not None:
            cutoffs.append(Cutoff(group.tenant, group.object_class, term.bounds(now).surely))
    for row in desk.backend.catalogue.due(cutoffs) if cutoffs else ():
        if row.bucket == UPLOADS and row.state == ObjectState.ACTIVE:
            yield row


def tell(desk: Desk, action: str, detail: str = "") -> None:
    """Write down what is about to be done."""
    version = desk.policies.in_force(desk.clock()).number
    entry = AuditEntry(
        at=desk.clock(), actor=desk.actor, action=action, target="retention", policy_version=version, detail=detail
    )
    desk.audit([entry])


def purge_rows(settings: Settings, *, execute: bool, as_json: bool) -> int:
    """Remove old rows."""
    desk = open_desk(settings, connect_existing(settings))
    found = purge_once(desk, execute=execute)
    if as_json:
        print_json(found)
    elif execute:
        told = ", ".join(f"{count:,} {name}" for name, count in found.items() if count) or "nothing"
        say(f"Removed, being too old: {told}.")
    else:
        say(f"Rows from before {found['before']} would be removed.  Add --execute to do it.")
    return 0


def purge_once(desk: Desk, *, execute: bool) -> dict[str, Any]:
    """Remove rows, notices and plans that are older than the policy keeps rows."""
    now = desk.clock()
    before = desk.policies.in_force(now).policy.rows.bounds(now).surely
    if not execute:
        return {"before": f"{before:%Y-%m-%d}"}
    tell(desk, "retention.rows", f"before {before:%Y-%m-%d}")
    dead = [state.value for state in ObjectState if state not in LIVE]
    removed = {
        table: desk.backend.warehouse.purge(table, before=before) for table in TABLES if table not in KEPT_TABLES
    }
    removed["catalogue"] = desk.backend.warehouse.purge("catalogue", before=before, only={"state": dead})
    removed["notice files"] = forget_notices(desk, before)
    removed["plans"] = forget_plans(desk, before)
    return removed


def reconcile_now(settings: Settings, buckets: list[str], report: Path | None, *, execute: bool, as_json: bool) -> int:
    """Compare buckets now."""
    desk = open_desk(settings, connect_existing(settings))
    unknown = sorted(set(buckets) - set(desk.kept_buckets))
    if unknown:
        message = f"Retention does not look after {unknown[0]!r}.  It does after: {', '.join(desk.kept_buckets)}."
        raise ConfigurationError(message)
    if report is not None and len(buckets) != 1:
        message = "A report is of one bucket: name it."
        raise ConfigurationError(message)
    if execute:
        tell(desk, "retention.reconcile", ", ".join(buckets or desk.kept_buckets))
    found = [compare(desk, bucket, execute=execute, report=report) for bucket in buckets or desk.kept_buckets]
    if as_json:
        print_json(found)
    else:
        tell_inventories(found)
        if not execute:
            say("Nothing was changed.  Add --execute to put the catalogue right and to keep the figures.")
    return exit_status.SOME_NOT_DONE if any(each.overdue for each in found) else 0
