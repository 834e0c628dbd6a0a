"""The runbooks have what somebody needs who was woken, and nothing that there is not."""

import re
import shlex
from functools import cache
from typing import Any, Final

import pytest
from typer.main import get_command

from earmark.settings import PREFIX, Settings
from runtime.cli import app
from tests.alert_rules import ROOT, RUNBOOKS, alerts, sections


def test_every_section_of_the_runbooks_belongs_to_an_alert() -> None:
    """And each alert has one, once; whoever is woken looks for its name."""
    headings = re.findall(r"^### (\S+)$", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(headings) == sorted({rule.name for rule in alerts()})


@pytest.mark.parametrize(("name", "text"), list(sections().items()), ids=list(sections()))
def test_a_section_says_what_somebody_who_was_woken_asks(name: str, text: str) -> None:
    """What customers notice, where to look, what to do, how to see that it is over."""
    for question in ("**Customers**", "**Look**", "**Do**", "**Over**"):
        assert question in text, f"{name} does not say {question}"


BESIDE: Final = ("operations.md", "retention.md", "dead-letters.md")
"""What the runbooks send somebody on to."""


def commands() -> list[str]:
    """Every command of Earmark's that the runbooks, and what they lead to, tell somebody to type."""
    texts = [path.read_text(encoding="utf-8") for path in (RUNBOOKS, *map(RUNBOOKS.with_name, BESIDE))]
    return sorted({line for text in texts for line in re.findall(r"`(earmark [^`]+)`", text)})


@cache
def whole_command() -> Any:
    """The command line, put together once."""
    return get_command(app)


def missing(command: Any, words: list[str]) -> list[str]:
    """The options that a command needs and does not get."""
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return [option.opts[0] for option in options if option.required and not set(option.opts) & set(words)]


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_runbooks_exists(line: str) -> None:
    """With all its options; nobody should learn at night that there is no such command."""
    words = shlex.split(line.split("|", maxsplit=1)[0])[1:]
    path = []
    command: Any = whole_command()
    while words and hasattr(command, "commands") and words[0] in command.commands:
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    assert not hasattr(command, "commands") or not words, f"{line}: there is no command {words[:1]}"
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options
    assert not missing(command, words), f"{line}: it is refused without these"
    if path == ["report"]:
        assert words[0] in {query.stem for query in (ROOT / "earmark" / "queries").glob("*.sql")}


def test_every_setting_of_the_runbooks_exists() -> None:
    """By the name it has in the environment."""
    named = re.findall(rf"`{PREFIX}(\w+)`", RUNBOOKS.read_text(encoding="utf-8"))
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_links_of_the_runbooks_lead_somewhere() -> None:
    """Files and sections."""
    text = RUNBOOKS.read_text(encoding="utf-8")
    for file, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text):
        target = RUNBOOKS if not file else RUNBOOKS.parent / file
        assert target.is_file(), target
        headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, f"{target.relative_to(ROOT)}#{anchor}"
