"""What ``earmark retention notices``, ``bounce`` and ``unbounce`` do."""

from datetime import datetime

from earmark.settings import Settings
from runtime.dlq.desk import say
from runtime.retention.desk import open_desk
from runtime.retention.keeping import wait_for_runs
from runtime.retention.output import print_json, print_table, shown
from runtime.wiring import connect_existing


def list_notices(settings: Settings, tenant: str, since: datetime | None, *, as_json: bool) -> int:
    """Print notices, the latest first, and who gets none."""
    desk = open_desk(settings, connect_existing(settings))
    found = sorted(
        desk.notices.all(tenant, since.date() if since else None), key=lambda each: each.digest.id, reverse=True
    )
    found.sort(key=lambda each: each.digest.made_at, reverse=True)
    suspensions = [each for name, each in sorted(desk.suspensions.standing().items()) if tenant in {"", name}]
    if as_json:
        print_json({"notices": found, "suspended": suspensions})
        return 0
    if found:
        columns = ["notice", "state", "objects", "first goes after", "confirmed", "accepted by", "detail"]
        rows: list[list[object]] = [
            [each.digest.id, each.state, each.digest.objects, desk.notices.first_delete_after(each), each.confirmed_at,
             ", ".join(each.accepted), each.detail]
            for each in found
        ]  # fmt: skip
        print_table(columns, rows)
    for each in suspensions:
        say(f"{each.tenant} gets no notices since {shown(each.since)} UTC: {each.reason}.  Put its address right, then "
            f"`earmark retention unbounce {each.tenant} --reason …`.")  # fmt: skip
    say(f"{len(found)} notices, {len(suspensions)} customers suspended.")
    return 0


def bounce_notice(settings: Settings, notice: str, reason: str, *, as_json: bool) -> int:
    """Say that a notice came back."""
    desk = open_desk(settings, connect_existing(settings))
    suspension = desk.suspensions.bounce(notice, reason, desk.actor)
    wait_for_runs(desk)
    if as_json:
        print_json(suspension)
    else:
        say(f"The notice {notice} is void; nothing it told of is deleted.  {suspension.tenant} gets no more notices "
            f"until `earmark retention unbounce {suspension.tenant} --reason …`.")  # fmt: skip
    return 0


def clear_bounce(settings: Settings, tenant: str, reason: str, *, as_json: bool) -> int:
    """Send notices to a customer again."""
    desk = open_desk(settings, connect_existing(settings))
    suspension = desk.suspensions.clear(tenant, reason, desk.actor)
    if as_json:
        print_json(suspension)
    else:
        say(f"{tenant} gets notices again; what {', '.join(suspension.notices)} told of is told of anew.")
    return 0
