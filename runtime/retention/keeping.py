"""What ``earmark retention hold``, ``release``, ``extend``, ``withdraw``, ``holds``, ``stop`` and ``resume`` do."""

from datetime import datetime
from typing import Final

from earmark.errors import PreconditionFailed, Unavailable
from earmark.ports import ObjectStore
from earmark.settings import Settings
from retention.holds import Hold
from retention.scope import Scope
from runtime.backend import ARCHIVE, UPLOADS
from runtime.dlq.desk import say
from runtime.retention.desk import Desk, open_desk
from runtime.retention.output import print_json, print_table, scope_of, shown
from runtime.wiring import connect_existing

ATTEMPTS: Final = 5
"""Times that an object may be replaced while a hold is set on it."""


def place_hold(settings: Settings, target: str, prefix: str, tenant: str, reason: str, *, as_json: bool) -> int:
    """Place a hold, set it in the store where it is about one object, and wait until every run has seen it."""
    desk = open_desk(settings, connect_existing(settings))
    scope = scope_of(desk.backend, target, prefix, tenant)
    hold = desk.holds.place(scope, reason, desk.actor)
    set_in_store(desk, scope, held=True)
    wait_for_runs(desk)
    if as_json:
        print_json(hold)
    else:
        say(f"Held: {scope}.  The hold is {hold.id}; `earmark retention release {hold.id} --reason …` ends it.")
    return 0


def release_hold(settings: Settings, hold_id: str, reason: str, *, as_json: bool) -> int:
    """Release a hold, in the store too unless another one is about the same object."""
    desk = open_desk(settings, connect_existing(settings))
    hold = desk.holds.release(hold_id, reason, desk.actor)
    if not any(each.scope == hold.scope for each in desk.holds.all() if each.released_at is None):
        set_in_store(desk, hold.scope, held=False)
    if as_json:
        print_json(hold)
    else:
        say(f"Released: {hold.scope}, held since {shown(hold.placed_at)} UTC for: {hold.reason}")
    return 0


def set_in_store(desk: Desk, scope: Scope, *, held: bool) -> None:
    """Set or lift the hold of the store on a single object, in the archive too; others are held by us alone."""
    if scope.kind != "object":
        return
    buckets = (UPLOADS, ARCHIVE) if scope.bucket == UPLOADS else (scope.bucket,)
    for bucket in buckets:
        _protect(desk.backend.bucket(bucket), scope.name, held=held)


def wait_for_runs(desk: Desk) -> None:
    """Wait until no run deletes by what it knew before; raises ``Unavailable`` where one does not look again."""
    blind = desk.runs.wait_until_seen()
    if blind:
        message = (
            f"It is written down, but the run of the plan {', '.join(blind)} has not looked again within two minutes.  "
            "Stop it with `earmark retention stop`, and see what it deleted."
        )
        raise Unavailable(message)


def _protect(store: ObjectStore, name: str, *, held: bool) -> None:
    for _ in range(ATTEMPTS):
        info = store.stat(name)
        if info is None or info.held == held:
            return
        try:
            store.protect(name, if_generation=info.generation, held=held)
        except PreconditionFailed:
            continue
        return


def grant_extension(
    settings: Settings,
    target: str,
    prefix: str,
    tenant: str,
    until: datetime,
    approved_by: str,
    reason: str,
    *,
    as_json: bool,
) -> int:
    """Grant an extension."""
    desk = open_desk(settings, connect_existing(settings))
    scope = scope_of(desk.backend, target, prefix, tenant)
    extension = desk.extensions.grant(scope, until, reason, desk.actor, approved_by)
    wait_for_runs(desk)
    if as_json:
        print_json(extension)
    else:
        say(f"Kept until {shown(extension.until)} UTC: {scope}, of {extension.tenant}.  Its id: {extension.id}.")
    return 0


def withdraw_extension(settings: Settings, extension_id: str, reason: str, *, as_json: bool) -> int:
    """End an extension."""
    desk = open_desk(settings, connect_existing(settings))
    extension = desk.extensions.withdraw(extension_id, reason, desk.actor)
    if as_json:
        print_json(extension)
    else:
        say(f"Withdrawn: {extension.scope}, which was kept until {shown(extension.until)} UTC.")
    return 0


def list_keeping(settings: Settings, *, everything: bool, as_json: bool) -> int:
    """Print holds and extensions; without ``everything`` those that count."""
    desk = open_desk(settings, connect_existing(settings))
    now = desk.clock()
    holds = [each for each in desk.holds.all() if everything or each.released_at is None]
    extensions = [
        each for each in desk.extensions.all() if everything or (each.withdrawn_at is None and each.until > now)
    ]
    if as_json:
        print_json({"holds": holds, "extensions": extensions})
        return 0
    rows: list[list[object]] = [
        ["hold", each.id, str(each.scope), each.placed_at, _state(each), each.actor, each.reason] for each in holds
    ]
    rows += [
        ["extension", each.id, str(each.scope), each.granted_at,
         "withdrawn" if each.withdrawn_at else f"until {shown(each.until)}", each.approved_by, each.reason]
        for each in extensions
    ]  # fmt: skip
    if rows:
        print_table(["kind", "id", "what", "since", "state", "by", "reason"], rows)
    say(f"{len(holds)} holds, {len(extensions)} extensions.")
    return 0


def _state(hold: Hold) -> str:
    return "in force" if hold.released_at is None else f"released {shown(hold.released_at)}"


def switch(settings: Settings, reason: str, *, stopped: bool, as_json: bool) -> int:
    """Stop all deletions, or let them go on."""
    desk = open_desk(settings, connect_existing(settings))
    if stopped:
        stop = desk.switch.stop(reason, desk.actor)
        told = f"Stopped since {shown(stop.at)} UTC by {stop.actor}: {stop.reason}"
    else:
        changed = desk.switch.resume(reason, desk.actor)
        told = "Deletions go on." if changed else "Nothing was stopped."
    if as_json:
        print_json({"stopped": stopped, "told": told})
    else:
        say(told)
    return 0
