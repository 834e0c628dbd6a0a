"""``earmark dlq`` as the person on call uses it."""

import json
import random
import sqlite3
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.cli import app
from runtime.wiring import connect
from tests.flows.command import Command, lines
from tests.making import make_failure, make_job

Ended = subprocess.CompletedProcess[str]


def recordings(folder: Path, count: int) -> list[Path]:
    """Short recordings of noise, no two the same."""
    folder.mkdir()
    paths = [folder / f"take-{number}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(random.Random(number).randbytes(8000))
    return paths


def groups(earmark: Command, *arguments: str) -> list[dict[str, object]]:
    """What ``dlq list`` knows."""
    ended = earmark.run("dlq", "list", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, object]] = json.loads(ended.stdout)
    return found


def letters(earmark: Command, *arguments: str) -> list[dict[str, object]]:
    """Single letters."""
    return lines(earmark.run("dlq", "list", "--letters", "--json", *arguments).stdout)


def counts(ended: Ended) -> dict[str, int]:
    """What a command says that it did."""
    found: dict[str, int] = json.loads(ended.stdout)
    return found


@pytest.mark.slow
def test_two_hundred_letters_one_fixed_the_rest_discarded(tmp_path: Path) -> None:
    """The check of the issue, from an outage of a folder to an empty list and a full audit log."""
    earmark = Command(tmp_path / "data", actor="ada", decoders="2")
    paths = recordings(tmp_path / "in", 200)
    assert earmark.run("route", tmp_path / "in", "--tenant", "acme").returncode == 0
    kept = paths[17].read_bytes()
    for path in paths:
        path.unlink()
    assert earmark.run("work", "--until-empty").returncode == 0
    [group] = groups(earmark)
    assert (group["count"], group["kinds"], group["tenants"]) == (200, {"not_found": 200}, {"acme": 200})
    fingerprint = str(group["fingerprint"])
    dead = {row["queue"]: row for row in json.loads(earmark.run("status", "--json").stdout)}["dead"]
    assert dead["waiting"] == 200

    paths[17].write_bytes(kept)
    [fixed] = [letter for letter in letters(earmark) if paths[17].name in str(show(earmark, letter)["job"])]
    replayed = earmark.run("dlq", "replay", str(fixed["id"])[:20], "--json")
    assert (replayed.returncode, counts(replayed)["put"]) == (0, 1)
    assert earmark.run("work", "--until-empty").returncode == 0
    [group] = groups(earmark)
    assert (group["count"], group["states"]) == (199, {"open": 199})
    assert [letter["id"] for letter in letters(earmark, "--state", "resolved")] == [fixed["id"]]

    planned = earmark.run("dlq", "discard", "--group", fingerprint[:6], "--reason", "folder lost", "--dry-run")
    assert "199 letters would be discarded" in planned.stdout
    discarded = earmark.run("dlq", "discard", "--group", fingerprint[:6], "--reason", "folder lost", "--json")
    assert (discarded.returncode, counts(discarded)["discarded"]) == (0, 199)
    assert groups(earmark) == []
    assert {letter["reason"] for letter in letters(earmark, "--state", "discarded")} == {"folder lost"}
    assert json.loads(earmark.run("dlq", "stats", "--json").stdout)["state"] == {"discarded": 199, "resolved": 1}
    with sqlite3.connect(tmp_path / "data" / "warehouse.sqlite") as warehouse:
        rows = warehouse.execute("SELECT action, actor, reason, count(*) FROM audit GROUP BY 1, 2, 3 ORDER BY 1")
        assert list(rows) == [
            ("dlq.discard", "ada", "folder lost", 199),
            ("dlq.replay", "ada", "", 1),
            ("uploads.route", "ada", "", 1),
        ]
    warehouse.close()
    [row] = json.loads(earmark.run("report", "failure_analytics", "--json").stdout)
    assert (row["kind"], row["tenant"], row["failures"], row["final_failures"], row["jobs"]) == (
        "not_found",
        "acme",
        200,
        200,
        200,
    )


def show(earmark: Command, letter: dict[str, object]) -> dict[str, object]:
    """Everything about one letter, read from the store as ``dlq show --json`` prints it."""
    path = Path(earmark.environment["EARMARK_DATA"]) / "objects" / "state" / "letters" / f"{letter['id']}.json"
    found: dict[str, object] = json.loads(path.read_text())
    return found


@pytest.mark.slow
def test_replay_on_a_model_of_our_own(tmp_path: Path) -> None:
    """``--model`` runs the jobs in the command itself, five first; what fails again goes back among the letters."""
    earmark = Command(tmp_path / "data", retry_delay_s="0.05")
    paths = recordings(tmp_path / "in", 8)
    contents = {path: path.read_bytes() for path in paths}
    assert earmark.run("route", tmp_path / "in").returncode == 0
    for path in paths:
        path.unlink()
    assert earmark.run("work", "--until-empty").returncode == 0
    again = earmark.run("dlq", "replay", "--all", "--model", "listener", "--json")
    assert again.returncode == 3
    told = json.loads(again.stdout)
    assert (told["end"], told["put"] - told["interrupted"], told["done"]) == ("canary_failed", told["failed_again"], 0)
    assert told["failed_again"] >= 3
    for path in paths:
        path.write_bytes(contents[path])
    before = json.loads(earmark.run("status", "--json").stdout)
    done = earmark.run("dlq", "replay", "--all", "--model", "listener", "--json")
    assert (done.returncode, counts(done)["done"]) == (0, 8), done.stderr
    assert groups(earmark) == []
    after = {row["queue"]: row["waiting"] for row in json.loads(earmark.run("status", "--json").stdout)}
    assert after == {"high": 0, "low": 0, "dead": 0}
    assert {row["queue"]: row["waiting"] for row in before}["dead"] == 8
    text = earmark.run("dlq", "show", str(letters(earmark, "--state", "resolved")[0]["id"])).stdout
    assert "on listener: done" in text
    [row] = json.loads(earmark.run("report", "cost_by_model", "--json").stdout)
    assert row["jobs"] == 8


@dataclass(frozen=True)
class Here:
    """The command in this process, which is quicker; errors come as ``main`` gets them."""

    data: Path

    def bury(self, *words: str, kind: str = "not_audio") -> list[str]:
        """Bury jobs; gives their ids in order."""
        backend = connect(Settings(data=self.data))
        jobs = [make_job(word, enqueued_at=utc_now()) for word in words]
        backend.lanes[Lane.LOW].put(jobs)
        for lease in backend.lanes[Lane.LOW].lease(1000, 60):
            failure = make_failure(kind).model_copy(update={"at": utc_now(), "remedy": "Send audio."})
            backend.lanes[Lane.LOW].bury(lease, failure)
        return sorted(job.id for job in jobs)

    def run(self, *arguments: str) -> Result:
        """Run to the end."""
        return CliRunner().invoke(app, ["dlq", *arguments], env={"EARMARK_DATA": str(self.data)})

    def told(self, *arguments: str) -> str:
        """What a command prints that succeeds."""
        ended = self.run(*arguments)
        assert ended.exit_code == 0, ended.exception
        return ended.stdout


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """On an empty data folder."""
    return Here(tmp_path / "data")


def test_words_that_are_wrong(here: Here) -> None:
    """Unknown ids, groups, states, times and models, ambiguous prefixes and missing reasons change nothing."""
    first, _ = here.bury("a", "b")
    here.told("list")
    store = here.data / "objects" / "state" / "letters"
    (store / f"{first[:8]}{'0' * 24}.json").write_bytes((store / f"{first}.json").read_bytes())
    wrong = {
        "no dead letter 'ffffffff0123'": ["show", "ffffffff0123"],
        "no dead letter 'xyz'": ["replay", first, "xyz"],
        "Several letters": ["show", first[:8]],
        "Say which letters": ["replay"],
        "filters go with": ["replay", first, "--tenant", "default"],
        "no letter to take in a group": ["replay", "--group", "0123"],
        "There is no state": ["list", "--state", "lost"],
        "is no time": ["list", "--since", "yesterday"],
        "There is no model": ["replay", first, "--model", "oracle"],
        "Say why": ["discard", first, "--reason", " "],
    }
    for text, arguments in wrong.items():
        ended = here.run(*arguments)
        assert isinstance(ended.exception, ConfigurationError), arguments
        assert (text in str(ended.exception), ended.stdout) == (True, ""), ended.exception
    assert here.run("discard", first).exit_code == 2
    assert {letter["state"] for letter in lines(here.told("list", "--letters", "--json"))} == {"open"}
    assert all("Examples" in here.told(name, "--help") for name in ("list", "show", "replay", "discard", "stats"))


def test_the_real_command_says_so_in_one_line(tmp_path: Path) -> None:
    """An unknown id ends with status 2 and no traceback."""
    earmark = Command(tmp_path / "data")
    earmark.run("init")
    ended = earmark.run("dlq", "show", "ffff")
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert ended.stderr.startswith("earmark: There is no dead letter 'ffff'.")


def test_texts_for_people(here: Here) -> None:
    """Groups, letters, one letter, a plan and counts without JSON; filters by time, class and tenant."""
    connect(Settings(data=here.data))
    assert here.told("list") == "No dead letters.\n"
    here.bury("a")
    listed = here.told("list", "--since", "1h", "--kind", "not_audio", "--model", "scripted")
    assert "1 letter: open 1" in listed
    assert "1 letter in 1 group." in listed
    assert "No dead letters." in here.told("list", "--until", "1h")
    assert "acme" in here.told("list", "--letters", "--tenant", "acme")
    assert "1 letter would be replayed; nothing was changed." in here.told("replay", "--all", "--dry-run")
    assert "1 put" in here.told("replay", "--all")
    [letter] = lines(here.told("list", "--letters", "--json"))
    assert letter["state"] == "replayed"
    shown = here.told("show", str(letter["id"]))
    assert "not_audio at predict" in shown
    assert "pending" in shown
    assert "replayed 1" in here.told("stats")
    assert "Nothing to do." in here.told("replay", "--all")


def test_what_was_passed_over_is_status_3(here: Here) -> None:
    """A letter that is named and cannot be replayed or discarded now."""
    [job_id] = here.bury("a")
    assert here.run("replay", job_id).exit_code == 0
    for arguments in (["replay", job_id], ["discard", job_id, "--reason", "no use"]):
        ended = here.run(*arguments)
        assert ended.exit_code == 3
        assert "1 passed over" in ended.stderr
    here.bury(*"bcdefgh")  # and the one that was put again
    silent = here.run("replay", "--all", "--canary", "2", "--canary-timeout", "0", "--rate", "1000")
    assert silent.exit_code == 3
    assert "Is a worker running?" in silent.stderr
    assert here.told("list", "--state", "open", "--json").count('"open": 6') == 1
