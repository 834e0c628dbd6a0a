"""What ``earmark retention policy`` does."""

import sys
from datetime import datetime
from pathlib import Path

from earmark.settings import Settings
from retention.policies import Version
from retention.policy import Policy, load_policy
from retention.policy_diff import PolicyDiff, Share, diff_policy
from retention.policy_text import policy_text
from retention.wording import size
from runtime.dlq.desk import say
from runtime.retention.desk import Desk, open_desk
from runtime.retention.output import print_json, print_table, shown
from runtime.wiring import connect_existing


def show(settings: Settings, as_of: datetime | None, *, as_json: bool) -> int:
    """Print the policy in force and every version."""
    desk = open_desk(settings, connect_existing(settings))
    versions = desk.policies.versions()
    current = desk.policies.in_force(as_of or desk.clock())
    if as_json:
        print_json({"in_force": current.number, "versions": versions})
        return 0
    for version in versions:
        mark = "  <- in force" if version == current else ""
        say(
            f"Version {version.number} from {shown(version.effective_from)}, registered {shown(version.registered_at)} "
            f"by {version.actor}: {version.reason}{mark}"
        )
    sys.stdout.write(policy_text(current.policy))
    return 0


def check(file: Path) -> int:
    """Read a policy; what is wrong with it is raised."""
    policy = load_policy(file)
    say(f"{file} is a policy: free {policy.keep['free'].upload}, pro {policy.keep['pro'].upload}, "  # type: ignore[index]
        f"enterprise {policy.keep['enterprise'].upload}, {len(policy.own.tenants)} customers with terms of their own.")  # type: ignore[index]  # fmt: skip
    return 0


def diff(settings: Settings, file: Path, effective_from: datetime | None, *, as_json: bool) -> int:
    """Print what a policy would do."""
    desk = open_desk(settings, connect_existing(settings))
    found = _diff(desk, load_policy(file), effective_from)
    if as_json:
        print_json(found)
    else:
        _tell(found)
    return 0


def register(
    settings: Settings, file: Path, effective_from: datetime | None, reason: str, *, execute: bool, as_json: bool
) -> int:
    """Print what a policy would do and, if told so, make it the next version."""
    desk = open_desk(settings, connect_existing(settings))
    policy = load_policy(file)
    found = _diff(desk, policy, effective_from)
    version: Version | None = None
    if execute:
        version = desk.policies.register(policy, effective_from, desk.actor, reason)
    if as_json:
        print_json({"diff": found, "registered": version})
        return 0
    _tell(found)
    if version is None:
        say("Nothing was changed.  Add --execute to register it.")
    else:
        say(f"Registered as version {version.number}, in force from {shown(version.effective_from)} UTC.")
    return 0


def _diff(desk: Desk, policy: Policy, effective_from: datetime | None) -> PolicyDiff:
    now = desk.clock()
    return diff_policy(
        desk.backend.catalogue,
        desk.policies.versions(),
        policy,
        now=now,
        effective_from=effective_from or now,
        tier_of=desk.tier_of(),
    )


def _tell(found: PolicyDiff) -> None:
    say(f"In force from {shown(found.effective_from)} UTC; due means: to go before {shown(found.horizon)} UTC, and so "
        "far not.  Nothing goes without a fresh notice.")  # fmt: skip
    columns = ["tier", "tenant", "class", "objects", "size", "earlier", "later", "due", "due size"]
    print_table(columns, [_cells(share) for share in (*found.tiers, *found.tenants)])
    if found.tenants_more:
        say(f"… and {found.tenants_more} customers more some of whose objects would go earlier.")


def _cells(share: Share) -> list[object]:
    return [
        share.tier, share.tenant or "all", share.object_class or "all", share.objects, size(share.size_bytes),
        share.earlier, share.later, share.due, size(share.due_bytes),
    ]  # fmt: skip
