"""Every command says whether it changes something, and by which actions the audit log hears of it first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from runtime.cli import app

PACKAGES: Final = ("ab_testing", "retention", "router", "runtime")
READS: Final = ()
"""Changes nothing that is kept."""
FILES: Final = ()
"""Writes files that were named to it, and nothing that is kept."""

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "ab assign": READS,
    "ab complete": ("experiment.",),
    "ab list": READS,
    "ab pause": ("experiment.",),
    "ab plan": READS,
    "ab report": FILES,
    "ab resume": ("experiment.",),
    "ab rollback": ("experiment.",),
    "ab start": ("experiment.",),
    "ab status": READS,
    "alive": READS,
    "analyze": ("uploads.analyze",),
    "api": READS,  # what its callers change is written down call by call
    "audit list": READS,
    "audit verify": READS,  # --repair writes rows again that the links have
    "batch cancel": ("batch.cancel",),
    "batch list": READS,
    "batch results": FILES,
    "batch show": READS,
    "calibrate": FILES,
    "config": READS,
    "controller": READS,
    "cost break-even": READS,
    "cost report": READS,
    "dlq discard": ("dlq.discard",),
    "dlq list": ("dlq.expire", "dlq.quarantine"),  # it collects what was buried on the way
    "dlq replay": ("dlq.replay",),
    "dlq show": ("dlq.expire", "dlq.quarantine"),
    "dlq stats": ("dlq.expire", "dlq.quarantine"),
    "doctor": READS,
    "init": ("backend.init",),
    "report": READS,
    "retention apply": ("retention.apply",),
    "retention archive": ("retention.archive",),
    "retention bounce": ("retention.bounce",),
    "retention erase": ("retention.erase", "retention.erased", "retention.erase_refused"),
    "retention explain": READS,
    "retention extend": ("retention.extend",),
    "retention fetch": FILES,
    "retention hold": ("retention.hold",),
    "retention holds": READS,
    "retention notices": READS,
    "retention plan": FILES,
    "retention policy check": READS,
    "retention policy diff": READS,
    "retention policy set": ("retention.policy",),
    "retention policy show": READS,
    "retention readmit": ("retention.readmit",),
    "retention reconcile": ("retention.reconcile",),
    "retention release": ("retention.release",),
    "retention resume": ("retention.resume",),
    "retention rows": ("retention.rows",),
    "retention run": ("retention.apply", "retention.archive", "retention.rows", "retention.sweep"),
    "retention status": READS,
    "retention stop": ("retention.stop",),
    "retention sweep": ("retention.sweep",),
    "retention unbounce": ("retention.clear",),
    "retention withdraw": ("retention.withdraw",),
    "review": ("review.add",),
    "route": ("uploads.route", "uploads.listen", "uploads.reconcile"),
    "simulate": READS,
    "spend": READS,
    "status": READS,
    "submit": ("batch.make",),
    "tenant add": ("tenant.add",),
    "tenant key": ("tenant.key",),
    "tenant keys": READS,
    "tenant limit": ("tenant.change",),
    "tenant list": READS,
    "tenant revoke": ("tenant.revoke",),
    "tenant set": ("tenant.change",),
    "threshold": READS,
    "up": READS,  # what it starts says what it does
    "validate": FILES,
    "webhook add": ("webhook.add",),
    "webhook enable": ("webhook.enable",),
    "webhook list": READS,
    "webhook remove": ("webhook.remove",),
    "webhook replay": ("webhook.replay",),
    "webhook rotate": ("webhook.rotate",),
    "webhook test": READS,  # a call, and its row
    "work": ("dlq.expire", "dlq.quarantine"),  # what it settles was ordered by who routed it, and is a row of its own
}
"""Each command and what it writes down before it changes something; add yours."""


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command there is."""
    if not hasattr(group, "commands"):
        yield " ".join(words)
        return
    for name, command in group.commands.items():
        yield from commands(command, (*words, name))


def literals() -> str:
    """The source of every package that may write to the audit log."""
    root = Path(__file__).parents[2]
    return "".join(path.read_text() for package in PACKAGES for path in sorted((root / package).rglob("*.py")))


def test_every_command_is_declared() -> None:
    """A new one says here what it changes, before it is let in."""
    assert set(commands(typer.main.get_command(app))) == set(COMMANDS), "say in COMMANDS what they change"


@pytest.mark.parametrize("action", sorted({action for actions in COMMANDS.values() for action in actions}))
def test_every_action_is_written_somewhere(action: str) -> None:
    """An action that nobody writes is a promise that nobody keeps."""
    found = f'"{action}' in literals()
    assert found, f"{action} is written nowhere"
