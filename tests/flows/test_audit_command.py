"""``earmark audit``: what commands did is listed, and a log that somebody changed is told from one that is whole."""

import json
from pathlib import Path

import pytest

from earmark.audit import pseudonym
from tests.flows.command import Command, lines

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"


@pytest.fixture
def earmark(tmp_path: Path) -> Command:
    """The command, after three routings."""
    command = Command(tmp_path / "data", actor="ada")
    for tenant in ("acme", "beta", "acme"):
        assert command.run("route", EXAMPLES / "silence.flac", "--tenant", tenant).returncode == 0
    return command


def links(earmark: Command) -> list[Path]:
    """The files of the chain."""
    return sorted((Path(earmark.environment["EARMARK_DATA"]) / "objects" / "audit" / "links").iterdir())


def test_what_was_done_is_listed(earmark: Command) -> None:
    """The latest first; by customer, action and time; without the names of files."""
    listed = lines(earmark.run("audit", "list", "--json").stdout)
    assert [(row["actor"], row["action"], row["tenant"], row["link"]) for row in listed] == [
        ("ada", "uploads.route", tenant, number) for number, tenant in ((3, "acme"), (2, "beta"), (1, "acme"))
    ]
    assert listed[0]["detail"] == "1 paths"
    assert len(lines(earmark.run("audit", "list", "--tenant", "beta", "--json").stdout)) == 1
    assert earmark.run("audit", "list", "--action", "dlq.").stdout == ""
    assert earmark.run("audit", "list", "--until", "1h").stdout == ""
    text = earmark.run("audit", "list", "--since", "1h", "--most", "1").stdout
    assert "ada  uploads.route" in text
    assert "(acme)" in text
    assert not any("silence" in path.read_text() or "acme" in path.read_text() for path in links(earmark))
    assert pseudonym("acme") in links(earmark)[0].read_text()


def test_a_whole_log_is_verified(earmark: Command) -> None:
    """With the last link to write down, which the next check is given."""
    verified = json.loads(earmark.run("audit", "verify", "--json").stdout)
    assert (verified["whole"], verified["links"], verified["entries"]) == (True, 3, 3)
    again = earmark.run("audit", "verify", "--anchor", verified["anchor"])
    assert again.returncode == 0
    assert "3 links with 3 entries, whole." in again.stdout


def test_a_changed_log_is_told(earmark: Command) -> None:
    """An edit, a removal, an end that was cut off; and an anchor that is none."""
    anchor = json.loads(earmark.run("audit", "verify", "--json").stdout)["anchor"]
    first, second, third = links(earmark)
    kept = {path: path.read_bytes() for path in (first, second, third)}
    first.write_bytes(kept[first].replace(b'"ada"', b'"bob"'))
    told = earmark.run("audit", "verify")
    assert told.returncode == 3
    assert "link 1: edited" in told.stdout
    first.write_bytes(kept[first])
    second.unlink()
    assert "link 2: missing" in earmark.run("audit", "verify").stdout
    second.write_bytes(kept[second])
    third.unlink()
    for options in ((), ("--anchor", anchor)):
        faults = json.loads(earmark.run("audit", "verify", "--json", *options).stdout)["faults"]
        assert {fault["flaw"] for fault in faults} == ({"truncated", "anchor"} if options else {"truncated"})
    third.write_bytes(kept[third])
    assert earmark.run("audit", "verify").returncode == 0
    assert earmark.run("audit", "verify", "--anchor", "three").returncode == 2
