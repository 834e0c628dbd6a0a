"""What ``earmark retention plan`` and ``apply`` do."""

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from earmark.settings import Settings
from retention.applying import Applied, Progress
from retention.plan import Plan
from retention.wording import size
from runtime import exit_status
from runtime.dlq.desk import say
from runtime.retention.desk import Desk, open_desk
from runtime.retention.output import print_json, print_table, shown
from runtime.wiring import connect_existing


def write_plan(settings: Settings, as_of: datetime | None, out: Path | None, *, as_json: bool) -> int:
    """Make a plan and print its summary."""
    desk = open_desk(settings, connect_existing(settings))
    plan = desk.make_plan(out, as_of)
    if as_json:
        print_json(told_plan(plan))
        return 0
    tell_plan(plan)
    say(f"The plan {plan.id} is in {plan.path}.  `earmark retention apply {plan.path}` says what it would do now.")
    return 0


def told_plan(plan: Plan) -> dict[str, object]:
    """A plan without its objects."""
    return {"id": plan.id, "path": str(plan.path), "digest": plan.digest, "header": plan.header, **dict(plan.summary)}


def tell_plan(plan: Plan) -> None:
    """Print what a plan says."""
    summary = plan.summary
    say(f"As of {shown(plan.header.as_of)} UTC, by version {plan.header.policy_version} of the policy:")
    if summary.tallies:
        rows: list[list[object]] = [
            ["delete" if tally.do == "delete" else "tell of", tally.object_class, tally.objects, size(tally.size_bytes)]
            for tally in summary.tallies
        ]
        print_table(["do", "class", "objects", "size"], rows)
    else:
        say("Nothing to delete, nobody to tell.")
    if summary.tenants:
        columns = ["tenant", "deletions", "size", "tell of", "of objects"]
        print_table(
            columns,
            [[each.tenant, each.deletions, size(each.size_bytes), each.notices, each.live] for each in summary.tenants],
        )
    for reason, count in summary.kept.items():
        say(f"{count:,} objects stay although their term is over: {reason}.")
    for excess in summary.exceeded:
        say(f"Over a limit of the policy: {excess}.  It needs --approve.")


def apply_plan(settings: Settings, path: Path, reason: str, *, execute: bool, approve: bool, as_json: bool) -> int:
    """Carry out a plan, or say what that would do; returns the exit status."""
    desk = open_desk(settings, connect_existing(settings))
    applied = apply(desk, path, reason, execute=execute, approve=approve, show=not as_json)
    if as_json:
        print_json(applied)
    else:
        tell_applied(applied)
    return status_of(applied)


def apply(desk: Desk, path: Path, reason: str, *, execute: bool, approve: bool, show: bool) -> Applied:
    """Carry out a plan with a bar for whoever watches."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not (show and console.is_terminal)) as bar:
        task = bar.add_task("Deleting" if execute else "Looking", total=None)

        def progress(now: Progress) -> None:
            bar.update(task, completed=now.done, total=now.total)

        return desk.applying.apply(
            path, execute=execute, approve=approve, reason=reason, actor=desk.actor, progress=progress
        )


def tell_applied(applied: Applied) -> None:
    """Print what came of a plan."""
    if applied.finished_before:
        say(f"The plan {applied.plan} was carried out before; nothing was done now.  What came of it then:")
    elif applied.executed:
        notified = applied.notified
        parts = [f"{notified.sent} notices sent, of {notified.objects:,} objects"]
        for name in ("failed", "bounced", "suspended"):
            count = getattr(notified, name)
            parts += [f"{count} {name}"] if count else []
        say(", ".join(parts) + ".")
    else:
        say(f"Customers would be told of {applied.notices_due:,} objects.")
    done, left = applied.outcomes.get("deleted", 0), {k: v for k, v in applied.outcomes.items() if k != "deleted"}
    say(f"{'Deleted' if applied.executed else 'Would be deleted'}: {done:,} objects, {size(applied.deleted_bytes)}.")
    for name, count in sorted(left.items()):
        say(f"{name.replace('skipped_', 'Skipped, ').capitalize()}: {count:,}")
    if applied.stopped:
        say(applied.stopped)
    if not applied.executed:
        for told in applied.exceeded:
            say(f"Over a limit of the policy: {told}.  It needs --approve.")
        say("Nothing was changed.  Add --execute to do it.")


def status_of(applied: Applied) -> int:
    """The exit status: 3 where something was stopped, failed, or needs a person."""
    notified = applied.notified
    troubled = notified.failed or notified.bounced or notified.suspended or applied.outcomes.get("skipped_error")
    refused = not applied.executed and applied.exceeded
    return exit_status.SOME_NOT_DONE if troubled or applied.stopped or refused else 0
