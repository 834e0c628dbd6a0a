"""What ``earmark retention status``, ``explain`` and ``fetch`` do."""

import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

from earmark.errors import ConfigurationError, ObjectMissing
from earmark.metadata import Frozen
from earmark.named_file import writable
from earmark.rows import CatalogueRow
from earmark.settings import Settings
from earmark.vocabulary import ObjectClass
from retention.archiving import read_archived
from retention.catalogue import LIVE
from retention.inventory import CLASSES, owner_told
from retention.standing import Hindrance, NoticeFault, Standing
from runtime import exit_status
from runtime.backend import ARCHIVE, UPLOADS
from runtime.dlq.desk import say
from runtime.metrics.metric import Metric
from runtime.metrics.of_controller import RETENTION
from runtime.retention.desk import Desk, open_desk
from runtime.retention.inventory import owners
from runtime.retention.output import print_json, print_table, scope_of, shown
from runtime.wiring import connect_existing

DAY: Final = timedelta(days=1)
DAY_S: Final = DAY.total_seconds()
NOTICES_BACK: Final = timedelta(days=14)
"""Notices that failed before that say nothing about now."""
RUN_AGE_MOST_S: Final = 25 * 3600.0
"""A run a day is the least there should be."""
_METRICS: Final = {metric.name.removeprefix("earmark_retention_"): metric for metric in RETENTION}
"""By the figure that each shows."""


class Health(Frozen):
    """Whether retention does its work."""

    overdue_objects: int
    overdue_seconds: float
    orphan_objects: int
    nobodys_objects: int
    ghost_objects: int
    bounced_customers: int
    failed_notices: int
    stopped: int
    run_age_seconds: float
    unfinished_erasures: int
    compared_at: dict[str, str]
    """When each bucket was compared with the catalogue last."""
    alarms: tuple[str, ...]
    """What somebody has to look at, in words; empty = nothing."""


_COUNTED: Final = ("overdue", "orphans", "nobodys", "ghosts")
"""Figures of a comparison that are added up."""


def show_status(settings: Settings, *, as_json: bool, metrics: bool) -> int:
    """Print how things stand; exit status 3 where there is an alarm."""
    desk = open_desk(settings, connect_existing(settings))
    health = health_of(desk)
    if metrics:
        sys.stdout.write(exposition(health))
    elif as_json:
        print_json(health)
    else:
        print_table(["figure", "value"], [[name, getattr(health, name)] for name in _METRICS])
        for bucket, at in health.compared_at.items():
            say(f"{bucket} was compared with the catalogue at {at}.")
        for alarm in health.alarms:
            say(f"ALARM: {alarm}")
    return exit_status.SOME_NOT_DONE if health.alarms else 0


def health_of(desk: Desk) -> Health:
    """How things stand, from the last comparisons, runs, suspensions and receipts."""
    latest: dict[str, dict[str, object]] = {}
    for row in desk.backend.warehouse.query("inventories", {"limit": 100}):
        latest.setdefault(str(row["bucket"]), row)
    suspended = desk.suspensions.standing()
    stop, now = desk.switch.stopped(), desk.clock()
    # A run that some notice failed of ends interrupted, and did its work all the same.
    ended = [run.beat_at for run in desk.runs.all() if run.state in {"done", "interrupted"}]
    # One may have ended since `now` was read, or by a clock that is ahead; less than 0 would say that none ever did.
    age_s = max(0.0, (now - max(ended)).total_seconds()) if ended else -1.0
    figures = {name: sum(_number(row, name) for row in latest.values()) for name in _COUNTED}
    failing = _failing(desk, now)
    unfinished = desk.unfinished_erasures()
    health = Health(
        overdue_objects=int(figures["overdue"]),
        overdue_seconds=max((_number(row, "overdue_s") for row in latest.values()), default=0.0),
        orphan_objects=int(figures["orphans"]),
        nobodys_objects=int(figures["nobodys"]),
        ghost_objects=int(figures["ghosts"]),
        bounced_customers=len(suspended),
        failed_notices=len(failing),
        stopped=int(stop is not None),
        run_age_seconds=age_s,
        unfinished_erasures=len(unfinished),
        compared_at={bucket: str(row["compared_at"]) for bucket, row in sorted(latest.items())},
        alarms=(),
    )
    alarms = [f"{each.tenant} gets no notices: {each.reason}" for _, each in sorted(suspended.items())]
    alarms += [
        f"Notices to {tenant} fail since {since}, so nothing they were to tell of is deleted.  "
        f"`earmark retention notices --tenant {tenant}` says why; mend what they are sent to."
        for tenant, since in failing.items()
    ]
    if not ended and any(now - group.oldest_at > DAY for group in desk.backend.catalogue.groups()):
        alarms.append("No run ever ended, and there are objects older than a day: `earmark retention run --execute`")
    alarms += [f"The erasure {each} left something, or was killed: run it again." for each in unfinished]
    if stop is not None:
        alarms.append(f"All deletions are stopped since {shown(stop.at)} UTC by {stop.actor}: {stop.reason}")
    return health.model_copy(update={"alarms": (*_alarms(health), *alarms)})


def _alarms(health: Health) -> Iterator[str]:
    if health.overdue_objects:
        days = health.overdue_seconds / DAY_S
        yield f"{health.overdue_objects:,} objects are overdue, the longest for {days:.1f} days"
    if health.nobodys_objects:
        yield (
            f"{health.nobodys_objects:,} objects are nobody's, so nothing ever deletes them: add their customers to "
            "the tenants file, or remove the files.  `earmark retention reconcile` logs which they are."
        )
    if health.run_age_seconds > RUN_AGE_MOST_S:
        yield f"The last run ended {health.run_age_seconds / DAY_S:.1f} days ago"


def _failing(desk: Desk, now: datetime) -> dict[str, str]:
    """Customers whose latest notices failed, for more than a day, and since when; those that bounce are told apart."""
    found = desk.backend.warehouse.query("notices_failed", {"since": now - NOTICES_BACK})
    limit = f"{now - DAY:%Y-%m-%dT%H:%M:%SZ}"
    return {str(row["tenant"]): str(row["failing_since"]) for row in found if str(row["failing_since"]) < limit}


def _number(row: dict[str, object], name: str) -> float:
    value = row[name]
    return float(value) if isinstance(value, int | float) else 0.0


def figures_of(health: Health) -> list[tuple[Metric, float]]:
    """The figures with the metrics that show them."""
    return [(metric, float(getattr(health, name))) for name, metric in _METRICS.items()]


def exposition(health: Health) -> str:
    """The figures in Prometheus' text format."""
    registry = CollectorRegistry()
    for metric, value in figures_of(health):
        metric.gauge(registry).set(value)
    return generate_latest(registry).decode()


class Explained(Frozen):
    """What will happen to an object."""

    object: str
    generation: int
    state: str
    tenant: str
    tier: str
    created_at: datetime
    expires_at: datetime
    policy_expires_at: datetime
    policy_version: int
    hold: str | None
    extended_until: datetime | None
    notice: str | None
    notice_fault: str | None
    delete_after: datetime | None
    told: str
    """All of it in a sentence or two."""


def explain_object(settings: Settings, name: str, *, as_json: bool) -> int:
    """Print what will happen to an object."""
    desk = open_desk(settings, connect_existing(settings))
    rows = _rows(desk, name)
    if not rows:
        message = f"The catalogue knows no object {name}.  `earmark retention reconcile` finds what was never told of."
        raise ConfigurationError(_nobodys(desk, name) or message)
    outlook = desk.outlook()
    found = [_explained(desk, row, outlook.of(row)) for row in rows]
    if as_json:
        print_json(found)
        return 0
    for each in found:
        say(f"{each.object}, generation {each.generation}, of {each.tenant} ({each.tier}), "
            f"came {shown(each.created_at)} UTC.  {each.told}")  # fmt: skip
    return 0


def _rows(desk: Desk, name: str) -> list[CatalogueRow]:
    """What is known of an object, in the archive too, the live generation first."""
    scope = scope_of(desk.backend, name, "", "")
    buckets = (UPLOADS, ARCHIVE) if scope.bucket == UPLOADS else (scope.bucket,)
    rows = [row for bucket in buckets for row in desk.backend.catalogue.find(bucket, scope.name)]
    return sorted(rows, key=lambda row: (row.state not in LIVE, -row.generation))


def _nobodys(desk: Desk, name: str) -> str:
    """What there is to say of an object that belongs to nobody; empty = there is none, or it is somebody's."""
    scope = scope_of(desk.backend, name, "", "")
    owner, _ = owner_told(scope.name, CLASSES[scope.bucket])
    if (owner and owners(desk)(owner)) or desk.backend.bucket(scope.bucket).stat(scope.name) is None:
        return ""
    whose = f"there is no customer {owner}" if owner else "its name tells of no customer"
    return (
        f"The object {name} is nobody's, for {whose}, so it has no row and nothing ever deletes it.  Add the customer "
        "to the tenants file and run `earmark retention reconcile --execute`, or remove the file."
    )


def _explained(desk: Desk, row: CatalogueRow, standing: Standing) -> Explained:
    return Explained(
        object=f"{row.bucket}/{row.name}",
        generation=row.generation,
        state=row.state,
        tenant=row.tenant,
        tier=desk.tier_of()(row.tenant, row.tier),
        created_at=row.created_at,
        expires_at=standing.expires_at,
        policy_expires_at=standing.policy_expires_at,
        policy_version=standing.policy_version,
        hold=standing.hold.id if standing.hold else None,
        extended_until=standing.extension.until if standing.extension else None,
        notice=row.notice,
        notice_fault=standing.notice_fault.value if standing.notice_fault else None,
        delete_after=standing.delete_after,
        told=_sentence(row, standing),
    )


def _sentence(row: CatalogueRow, standing: Standing) -> str:
    by = f"by version {standing.policy_version} of the policy"
    match standing.hindrance:
        case Hindrance.GONE:
            return f"It is no longer there: {row.state}."
        case Hindrance.HOLD if standing.hold is not None:
            ends = f"Its term ends {shown(standing.expires_at)} UTC, {by}"
            return f"The hold {standing.hold.id} keeps it: {standing.hold.reason}.  {ends}."
        case None:
            return "It goes with the next run."
    ends = f"Its term ends {shown(standing.expires_at)} UTC, {by}"
    if row.object_class == ObjectClass.TEMPORARY:
        return f"{ends}; it goes then without notice, or sooner with its job."
    if standing.extension is not None and standing.extension.until == standing.expires_at:
        ends += f" and the extension {standing.extension.id}"
    if standing.delete_after is not None:
        return f"{ends}; by the notice {row.notice} it goes {shown(standing.delete_after)} UTC."
    why = {
        None: "", NoticeFault.NONE: "", NoticeFault.UNCONFIRMED: "  Its notice could not be delivered yet.",
        NoticeFault.BOUNCED: "  Its notice bounced.", NoticeFault.LATER: "  Its notice told an earlier day.",
        NoticeFault.INTERRUPTED: "  What kept it beyond the day it was noticed for has ended.",
    }[standing.notice_fault]  # fmt: skip
    told = "a notice is due today" if standing.notice_due else "its customer gets a notice before"
    return f"{ends}; {told}.{why}"


def fetch_object(settings: Settings, name: str, out: Path) -> int:
    """Write an object as it came to us."""
    desk = open_desk(settings, connect_existing(settings))
    scope = scope_of(desk.backend, name, "", "")
    out = writable(out, "--out")
    with tempfile.NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as file:
        part = Path(file.name)
        try:
            try:
                chunks = desk.backend.bucket(scope.bucket).read(scope.name)
            except ObjectMissing:
                chunks = read_archived(desk.backend.archive, scope.name, desk.backend.scratch)
            size_bytes = sum(file.write(chunk) for chunk in chunks)
        except ObjectMissing:
            part.unlink()
            message = f"There is no object {name}, in the archive neither."
            raise ConfigurationError(message) from None
        except BaseException:
            part.unlink()
            raise
    part.replace(out)
    say(f"{size_bytes:,} bytes are in {out}.")
    return 0
