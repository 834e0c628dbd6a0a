"""``earmark tenant``: what it prints where, what it refuses, and what the audit log hears of it."""

import json
from pathlib import Path

import click
import pytest
from typer.testing import CliRunner

from earmark.errors import ConfigurationError
from earmark.settings import load
from router.keys import Keys, read_key
from runtime.cli import app
from runtime.wiring import connect
from tests.clock import ManualClock


class Command:
    """The command, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        """Let it work in a folder."""
        monkeypatch.setenv("EARMARK_DATA", str(folder))
        monkeypatch.setenv("EARMARK_SYNCHRONOUS", "NORMAL")
        monkeypatch.setenv("EARMARK_ACTOR", "j.doe")
        monkeypatch.setenv("COLUMNS", "200")

    def run(self, *words: str) -> tuple[str, str]:
        """Standard output and standard error of a command that does it."""
        result = CliRunner().invoke(app, ["tenant", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        return result.stdout, result.stderr

    def refused(self, *words: str) -> str:
        """The message of a command that does not do it: wrong usage."""
        result = CliRunner().invoke(app, ["tenant", *words])
        if isinstance(result.exception, ConfigurationError):
            return str(result.exception)
        assert result.exit_code == 2, result.stdout
        return click.unstyle(result.stderr)

    def audited(self) -> list[tuple[str, str]]:
        """Actions and customers in the audit log, the latest first."""
        rows = connect(load().settings).warehouse.query("audit_entries")
        assert {row["actor"] for row in rows} <= {"j.doe"}
        return [(str(row["action"]), str(row["tenant"])) for row in rows]


@pytest.fixture
def earmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """The command."""
    return Command(monkeypatch, tmp_path)


def test_a_new_key_is_the_last_line_and_nowhere_else(earmark: Command) -> None:
    """Standard output has the key alone; the lists have its id."""
    earmark.run("add", "acme", "--tier", "enterprise", "--region", "europe-west1")
    out, told = earmark.run("key", "acme")
    text = out.rstrip("\n")
    read = read_key(text)
    assert read is not None
    assert out == f"{text}\n"
    assert text not in told
    key = Keys(connect(load().settings).state, ManualClock()).find(read[0])
    assert key is not None
    assert (key.tenant, key.scopes, key.expires_at) == (
        "acme",
        frozenset({"read", "write", "delete", "webhooks"}),
        None,
    )
    [listed] = json.loads(earmark.run("keys", "acme", "--json")[0])
    assert (listed["id"], listed["state"]) == (read[0], "active")
    assert "sha256" not in listed
    assert read[0] in earmark.run("keys", "acme")[0]
    assert earmark.audited() == [("tenant.key", "acme"), ("tenant.add", "acme")]


def test_scopes_and_expiry(earmark: Command) -> None:
    """A key for reading, for a day; malformed ones are told of."""
    earmark.run("add", "acme", "--tier", "pro")
    earmark.run("key", "acme", "--scopes", "read, write", "--expires-days", "1")
    [listed] = json.loads(earmark.run("keys", "acme", "--json")[0])
    assert listed["scopes"] == ["read", "write"]
    assert listed["expires_at"][:10] > listed["created_at"][:10]
    assert "divided by commas" in earmark.refused("key", "acme", "--scopes", "read,admin")
    assert "divided by commas" in earmark.refused("key", "acme", "--scopes", "")
    assert "expires-days" in earmark.refused("key", "acme", "--expires-days", "0")


def test_a_third_key_is_refused_until_one_is_revoked(earmark: Command) -> None:
    """The message says which to revoke, by its id or itself; what was refused is not in the audit log."""
    earmark.run("add", "acme", "--tier", "pro")
    first, _ = earmark.run("key", "acme")
    earmark.run("key", "acme")
    before = earmark.audited()
    assert "`earmark tenant revoke" in earmark.refused("key", "acme")
    assert earmark.audited() == before
    assert "within a minute" in earmark.run("revoke", first.strip())[1]
    assert "already" in earmark.run("revoke", first[8:20])[1]
    assert earmark.audited()[0] == ("tenant.revoke", "acme")
    earmark.run("key", "acme")
    assert "There is no key 000000000000" in earmark.refused("revoke", "000000000000")
    told = earmark.refused("revoke", first.strip()[:-1] + "_")
    assert first.strip()[21:51] not in told


def test_adding_twice_is_an_error_unless_it_is_the_same(earmark: Command) -> None:
    """And what is malformed is told without being done."""
    earmark.run("add", "acme", "--tier", "free")
    assert "There already" in earmark.run("add", "acme", "--tier", "free")[1]
    assert "earmark tenant set acme" in earmark.refused("add", "acme", "--tier", "pro")
    assert "a name is 1 to 63" in earmark.refused("add", "Acme Ltd", "--tier", "pro")
    assert "--notice-email" in earmark.refused("add", "other", "--tier", "pro", "--notice-email", "nobody")
    assert "a slash at its end" in earmark.refused("add", "other", "--tier", "pro", "--source", "gs://bucket")
    assert "tier" in earmark.refused("add", "other", "--tier", "gold")
    assert "Missing option" in earmark.refused("add", "other")
    for words in (["key", "other"], ["keys", "other"], ["limit", "other"], ["set", "other", "--tier", "pro"]):
        assert "earmark tenant add other" in earmark.refused(*words)
    assert [each["name"] for each in json.loads(earmark.run("list", "--json")[0])] == ["acme"]


def test_customers_change(earmark: Command) -> None:
    """What is named changes, empty takes away, and the rest stays."""
    earmark.run("add", "acme", "--tier", "free", "--region", "europe-west1", "--notice-email", "a@acme.example")
    earmark.run("set", "acme", "--tier", "pro", "--source", "gs://acme-a/", "--source", "gs://acme-b/x/")
    [row] = json.loads(earmark.run("list", "--json")[0])
    assert (row["tier"], row["region"], row["sources"]) == ("pro", "europe-west1", ["gs://acme-a/", "gs://acme-b/x/"])
    earmark.run("set", "acme", "--region", "", "--source", "", "--notice-email", "")
    [row] = json.loads(earmark.run("list", "--json")[0])
    assert (row["tier"], row["region"], row["sources"], row["notice_email"]) == ("pro", None, [], None)
    assert "Say what to change" in earmark.refused("set", "acme")
    assert "acme  pro" in earmark.run("list")[0]


def test_limits_are_shown_set_and_cleared(earmark: Command) -> None:
    """Those that hold are printed, with whose they are."""
    earmark.run("add", "acme", "--tier", "free")
    assert "tier free" in earmark.run("limit", "acme")[0]
    before = len(earmark.audited())
    words = ["--requests", "5", "--jobs", "2", "--audio-seconds", "10.5", "--duration-seconds", "60"]
    limits = json.loads(earmark.run("limit", "acme", *words, "--json")[0])
    assert (limits["requests_per_minute"], limits["concurrent_jobs"]) == (5, 2)
    assert (limits["audio_s_per_day"], limits["max_duration_s"]) == (10.5, 60)
    limits = json.loads(earmark.run("limit", "acme", "--clear", "--requests", "7", "--json")[0])
    assert (limits["requests_per_minute"], limits["concurrent_jobs"]) == (7, 4)
    assert limits["max_duration_s"] == load().settings.max_duration_s
    assert "its own" in earmark.run("limit", "acme")[0]
    assert len(earmark.audited()) == before + 2
    assert "requests" in earmark.refused("limit", "acme", "--requests", "0")


def test_customers_of_the_file_are_changed_there(
    earmark: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They get keys here, and nothing else."""
    file = tmp_path / "tenants.toml"
    file.write_text('[acme]\ntier = "enterprise"\nconcurrent_jobs = 9\n')
    monkeypatch.setenv("EARMARK_TENANTS", str(file))
    earmark.run("add", "second", "--tier", "pro")
    for words in (["add", "acme", "--tier", "pro"], ["set", "acme", "--tier", "pro"], ["limit", "acme", "--jobs", "2"]):
        assert "change it there" in earmark.refused(*words)
    earmark.run("key", "acme")
    assert json.loads(earmark.run("limit", "acme", "--json")[0])["concurrent_jobs"] == 9
    rows = json.loads(earmark.run("list", "--json")[0])
    assert [(row["name"], row["from"], row["keys"]) for row in rows] == [("acme", "file", 1), ("second", "register", 0)]
