"""``earmark submit`` and ``earmark batch`` by the real command, killed half way and run again."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from earmark.clock import utc_now
from earmark.settings import Settings
from earmark.vocabulary import Lane
from router.batches.batch import Batch, BatchState
from runtime import exit_status
from runtime.backend import Backend
from runtime.batches import parts as batch_parts
from runtime.routing.loop import take_all
from runtime.routing.steps import open_steps
from runtime.wiring import connect, make_batches
from tests.flows.command import Command
from tests.flows.world import World

ENTRIES = 2000
WAV = b"RIFF\x24\0\0\0WAVEfmt "


def opened(data: Path) -> tuple[Settings, Backend]:
    """The stores that the command left."""
    settings = Settings(data=data)
    return settings, connect(settings)


def newest(data: Path) -> Batch | None:
    """The latest batch, if there is one."""
    settings, backend = opened(data)
    return next(make_batches(settings, backend).of_tenant("default"), None)


def test_killed_half_way_it_goes_on(tmp_path: Path) -> None:
    """``kill -9`` while it feeds: run again, every line has one row and every content one job."""
    data, audio = tmp_path / "data", tmp_path / "audio"
    audio.mkdir()
    for number in range(ENTRIES):
        (audio / f"{number}.wav").write_bytes(WAV + number.to_bytes(4, "big"))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,id\n" + "".join(f"audio/{number}.wav,n-{number}\n" for number in range(ENTRIES)))
    earmark = Command(data, synchronous="NORMAL")
    deadline = time.monotonic() + 60
    with earmark.started("submit", manifest, log=True) as process:
        while (batch := newest(data) if (data / "warehouse.sqlite").exists() else None) is None or not batch.entries:
            assert process.poll() is None
            assert time.monotonic() < deadline
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert batch.entries < ENTRIES
    again = earmark.run("submit", manifest, "--json")
    assert again.returncode == 0, again.stderr
    assert "Going on with the batch" in again.stderr
    told = json.loads(again.stdout)
    assert (told["id"], told["status"], told["counts"]["entries"]) == (batch.id, "fed", ENTRIES)
    settings, backend = opened(data)
    asked = {"tenant": "default", "batch": batch.id, "most": ENTRIES + 10}
    rows = backend.warehouse.query("batch_page", asked)
    assert [row["entry"] for row in rows] == list(range(2, ENTRIES + 2))
    assert {row["routed"] for row in rows} == {"queued"}
    jobs = [lease.job.id for lease in backend.lanes[Lane.LOW].lease(2 * ENTRIES, 60)]
    assert sorted(jobs) == sorted({row["job_id"] for row in rows})
    assert rows[7]["reference"] == "n-7"
    assert settings.data == data


def test_a_folder_is_followed_to_its_end(tmp_path: Path) -> None:
    """Audio by content, duplicates, results as a file; the exit status says that something was rejected."""
    data, audio = tmp_path / "data", tmp_path / "audio"
    (audio / "more").mkdir(parents=True)
    (audio / "1.wav").write_bytes(WAV + b"1")
    (audio / "more" / "same.wav").write_bytes(WAV + b"1")
    (audio / "notes.txt").write_text("no audio")
    (audio / "text.wav").write_bytes(WAV + b"2")
    earmark = Command(data, synchronous="NORMAL")
    first = earmark.run("submit", audio)
    assert first.returncode == 0, first.stderr
    batch_id = first.stdout.strip()
    work = World(data, clock=utc_now)
    work.clock = utc_now  # type: ignore[assignment]  # jobs end after their entries were routed
    with work.worker() as worker:
        while worker.run_once():
            pass
    followed = earmark.run("submit", audio, "--follow", "--json")
    told = json.loads(followed.stdout)
    assert (told["id"], told["status"], followed.returncode) == (batch_id, "ended", 0), followed.stderr
    counts = told["counts"]
    assert (counts["entries"], counts["done"], counts["duplicate"]) == (3, 2, 1)
    out = tmp_path / "results.jsonl"
    assert earmark.run("batch", "results", batch_id, "--out", out).returncode == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["source"].rpartition("/")[2], line["status"]) for line in lines] == [
        ("1.wav", "done"), ("same.wav", "done"), ("text.wav", "done"),
    ]  # fmt: skip
    assert batch_id in earmark.run("batch", "list").stdout
    assert "ended" in earmark.run("batch", "show", batch_id).stdout
    over = earmark.run("batch", "cancel", batch_id)
    assert (over.returncode, "is over" in over.stderr) == (exit_status.USAGE, True)


def test_bad_lines_are_told(tmp_path: Path) -> None:
    """By their numbers, on standard input too; the rest goes on."""
    (tmp_path / "1.wav").write_bytes(WAV)
    earmark = Command(tmp_path / "data", synchronous="NORMAL")
    given = f"{tmp_path}/1.wav\n{tmp_path}/none.wav\nuploads/other/x.wav\n"
    sent = earmark.run("submit", "-", "--name", "Mine", given=given)
    assert sent.returncode == exit_status.SOME_NOT_DONE
    shown = earmark.run("batch", "show", sent.stdout.strip())
    assert shown.returncode == exit_status.SOME_NOT_DONE
    assert "line 2" in shown.stdout
    assert "line 3" in shown.stdout
    assert "line 1:" not in shown.stdout
    cancelled = earmark.run("batch", "cancel", sent.stdout.strip())
    assert cancelled.returncode == 0, cancelled.stderr
    batch = newest(tmp_path / "data")
    assert batch is not None
    assert (batch.state, batch.name) == (BatchState.CANCELLED, "Mine")
    counts = json.loads(earmark.run("batch", "show", batch.id, "--json").stdout)["counts"]
    assert (counts["entries"], counts["pending"], counts["cancelled"]) == (3, 0, 1)
    told = earmark.run("batch", "show", batch.id).stdout
    assert "2 of 3 entries have ended" in told
    assert "1 cancelled" in told
    _, backend = opened(tmp_path / "data")
    entries = backend.warehouse.query("audit_entries", {"action": "batch."})
    assert [(entry["action"], entry["subject"]) for entry in entries] == [
        ("batch.cancel", batch.id), ("batch.make", batch.id),
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["audio", "list.txt"])
def test_a_router_here_feeds_what_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Folders and manifests of files; one on another machine leaves them alone, and the command says so."""
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio" / "1.wav").write_bytes(WAV)
    (tmp_path / "list.txt").write_text("audio/1.wav\n")
    sent = Command(tmp_path / "data", synchronous="NORMAL").run("submit", tmp_path / source, "--no-feed")
    assert sent.returncode == 0, sent.stderr
    assert "no router elsewhere feeds it" in sent.stderr
    settings, backend = opened(tmp_path / "data")
    with monkeypatch.context() as patch:
        patch.setattr(batch_parts, "machine", lambda: "elsewhere:1")
        with open_steps(settings, backend) as steps:
            take_all(steps)
    batch = newest(tmp_path / "data")
    assert batch is not None
    assert (batch.state, batch.entries) == (BatchState.FEEDING, 0)
    with open_steps(settings, backend) as steps:
        take_all(steps)
    fed = newest(tmp_path / "data")
    assert fed is not None
    assert (fed.state, fed.queued) == (BatchState.FED, 1)


def test_whoever_queues_a_batch_tells_of_each_job(tmp_path: Path) -> None:
    """The router in its log, as the API does; the command at its terminal, for whoever asks for it, and not else."""
    heard, quiet, asked = (tmp_path / name for name in ("heard", "quiet", "asked"))
    for number, folder in enumerate((heard, quiet, asked)):
        folder.mkdir()
        for other in range(2):
            (folder / f"{other}.wav").write_bytes(WAV + bytes([number, other]))
    earmark = Command(tmp_path / "data", synchronous="NORMAL", log_format="json")
    assert earmark.run("submit", heard, "--no-feed").returncode == 0
    router = earmark.run("route", "--until-empty")
    assert (router.returncode, router.stderr.count('"job.queued"')) == (0, 2), router.stderr
    assert "job.queued" not in earmark.run("submit", quiet).stderr
    talking = Command(tmp_path / "data", synchronous="NORMAL", log_format="json", log_level="info")
    assert talking.run("submit", asked).stderr.count('"job.queued"') == 2


def test_a_prefix_is_fed_by_any_router(tmp_path: Path) -> None:
    """So that nothing is said about machines."""
    sent = Command(tmp_path / "data").run("submit", "uploads/default/", "--no-feed")
    assert sent.returncode == 0, sent.stderr
    assert "router" not in sent.stderr


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("none.csv", "No such file"),
        ("audio.wav", "is audio and no manifest"),
        ("empty.csv", "empty"),
        ("uploads/other/", "no audio of yours"),
        ("gs://elsewhere/x", "no audio of yours"),
    ],
)
def test_what_cannot_be_sent(tmp_path: Path, source: str, word: str) -> None:
    """One clear line and the status of wrong usage."""
    (tmp_path / "audio.wav").write_bytes(WAV)
    (tmp_path / "empty.csv").touch()
    path = source if "/" in source else tmp_path / source
    refused = Command(tmp_path / "data").run("submit", path)
    assert refused.returncode == exit_status.USAGE
    assert word in refused.stderr
    assert "Traceback" not in refused.stderr
