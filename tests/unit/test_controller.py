"""What the controller shows, and that nothing it cannot see keeps a value."""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from earmark.clock import utc_now
from earmark.errors import Unavailable
from earmark.ports import ObjectInfo, ObjectStore
from earmark.settings import Settings
from earmark.vocabulary import Lane
from router.dead_letters.changes import Terms, bury, discard
from router.dead_letters.letters import FOLDER, Letters
from runtime import exit_status
from runtime.controller.controller import Controller, Figure, Part, Seen
from runtime.controller.disk import look_at_disk
from runtime.controller.failover_flag import FailoverFlag
from runtime.controller.parts import open_parts
from runtime.controller.process import look_once
from runtime.controller.scaling_memory import ScalingMemory
from runtime.dlq.waiting_letters import WaitingLetters
from runtime.metrics.metric import Kind
from runtime.metrics.of_controller import OF_CONTROLLER, QUEUE_WAITING, SPENT
from runtime.report import show_status
from runtime.wiring import connect
from scaling.desired import Desired
from tests.clock import ManualClock
from tests.making import EPOCH, make_failure, make_job
from workers.spend import Spend

LOOKED = "earmark_controller_looked_timestamp_seconds"


class Looking:
    """A controller of parts that do as they are told."""

    def __init__(self, *parts: Part) -> None:
        """Register it."""
        self.registry, self.seconds = CollectorRegistry(), 0.0
        self.controller = Controller(parts, now=lambda: 1000 + self.seconds, monotonic=lambda: self.seconds)
        self.registry.register(self.controller)

    def value(self, name: str, **labels: str) -> float | None:
        """Of a series; ``None`` = there is none."""
        return self.registry.get_sample_value(name, labels)

    def look(self) -> dict[str, Seen]:
        """One round."""
        return {seen.part: seen for seen in self.controller.run_once(wait_s=5)}


def waiting(jobs: int) -> list[Figure]:
    """So many of each lane."""
    return [Figure(QUEUE_WAITING, jobs, (lane,)) for lane in Lane]


def refused() -> Sequence[Figure]:
    """Cannot be seen."""
    message = "away"
    raise Unavailable(message)


def test_before_the_first_look_there_is_nothing() -> None:
    """No zero that nobody has seen."""
    looking = Looking(Part("queues", lambda: waiting(3)))
    assert list(looking.registry.collect()) == []
    looking.look()
    assert looking.value("earmark_queue_waiting", queue="high") == 3
    assert looking.value(LOOKED, part="queues") == 1000


def test_a_part_that_cannot_be_seen_loses_its_figures_and_no_other_does(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once, and comes back by itself."""
    looks: list[Callable[[], Sequence[Figure]]] = [lambda: waiting(3), refused, refused, lambda: waiting(4)]
    looking = Looking(Part("queues", lambda: [*looks.pop(0)()]), Part("spend", lambda: [Figure(SPENT, 1.5)]))
    looking.look()
    with caplog.at_level(logging.INFO):
        for seconds in (15, 30):
            looking.seconds = seconds
            assert looking.look()["queues"].why == "unavailable: away"
            assert looking.value("earmark_queue_waiting", queue="high") is None
            assert looking.value(LOOKED, part="queues") is None
            assert looking.value("earmark_fallback_spent_dollars") == 1.5
            assert looking.value(LOOKED, part="spend") == 1000 + seconds
        looking.look()
    assert looking.value("earmark_queue_waiting", queue="high") == 4
    assert [each.message for each in caplog.records] == ["controller.part_unseen", "controller.part_seen"]


def test_a_figure_that_is_not_told_any_more_is_gone() -> None:
    """As of a queue that was there a moment ago."""
    looks = [waiting(3), waiting(3)[:1]]
    looking = Looking(Part("queues", lambda: looks.pop(0)))
    looking.look()
    looking.look()
    assert looking.value("earmark_queue_waiting", queue="high") == 3
    assert looking.value("earmark_queue_waiting", queue="low") is None


def test_a_fault_of_ours_is_no_end_of_the_others() -> None:
    """Whatever is raised."""
    looking = Looking(Part("scaling", lambda: [Figure(SPENT, 1 / 0)]), Part("queues", lambda: waiting(1)))
    seen = looking.look()
    assert seen["scaling"].why == "fails: ZeroDivisionError: division by zero"
    assert looking.value("earmark_queue_waiting", queue="low") == 1


def test_a_part_that_hangs_is_not_asked_twice_and_holds_nobody_up() -> None:
    """A scrape goes on, others are seen, and its answer, when it comes at last, is thrown away as too old."""
    asked, go = [0], threading.Event()

    def hang() -> Sequence[Figure]:
        asked[0] += 1
        if asked[0] == 1:
            assert go.wait(20)
        return waiting(asked[0])

    looking = Looking(Part("queues", hang, within_s=30), Part("spend", lambda: [Figure(SPENT, 1.5)]))

    def rounds(*seconds: float) -> Seen:
        for at in seconds:
            looking.seconds = at
            seen = {each.part: each for each in looking.controller.run_once(wait_s=0.01)}
        return seen["queues"]

    assert rounds(0, 15).why == ""
    assert rounds(31).why == "no answer within 30 s"
    assert looking.value("earmark_fallback_spent_dollars") == 1.5
    assert asked == [1]
    looking.seconds = 50
    go.set()
    for _ in range(2000):
        if (why := looking.look()["queues"].why) != "no answer within 30 s":
            break
        go.wait(0.01)
    assert why == "took 50 s; it may take 30 s"
    looking.look()
    assert looking.value("earmark_queue_waiting", queue="high") == 2
    assert asked == [2]


def test_what_costs_money_is_looked_at_less_often() -> None:
    """And stands meanwhile; one that failed is tried again at once."""
    asked: list[float] = []

    def counted() -> Sequence[Figure]:
        asked.append(looking.seconds)
        return [Figure(SPENT, float(len(asked)))] if len(asked) != 2 else refused()

    looking = Looking(Part("retention", counted, every_s=300))
    for seconds in (0, 15, 299, 301, 302, 303):
        looking.seconds = seconds
        looking.look()
    assert asked == [0, 301, 302]
    assert looking.value("earmark_fallback_spent_dollars") == 3
    assert looking.value(LOOKED, part="retention") == 1302


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a folder."""
    return Settings(data=tmp_path / "data", synchronous="NORMAL", fallback_daily_usd=7.0)


def test_a_machine_shows_every_figure_of_the_catalogue(settings: Settings) -> None:
    """Two jobs wait, one for a minute; a letter is open; nothing was spent; all parts are seen."""
    clock = ManualClock()
    backend = connect(settings, clock)
    backend.lanes[Lane.LOW].put([make_job("a", enqueued_at=clock())])
    clock.move(60)
    backend.lanes[Lane.LOW].put([make_job("b", enqueued_at=clock())])
    with open_parts(settings, backend, clock) as parts:
        looking = Looking(*parts)
        seen = looking.look()
    assert {name: each.why for name, each in seen.items()} == dict.fromkeys(seen, "")
    assert looking.value("earmark_queue_waiting", queue="low") == 2
    assert looking.value("earmark_queue_oldest_seconds", queue="low") == 60
    assert looking.value("earmark_queue_waiting", queue="high") == 0
    assert looking.value("earmark_dead_letters", kind="model_crashed") == 0
    assert looking.value("earmark_fallback_cap_dollars") == 7
    assert looking.value("earmark_retention_stopped") == 0
    assert looking.value("earmark_desired_workers", lane="high") is not None
    assert 0 < (looking.value("earmark_disk_free_bytes") or 0) <= (looking.value("earmark_disk_bytes") or 0)
    shown = {family.name for family in looking.registry.collect()}
    unseen_yet = {"earmark_scaling_service_seconds"}
    assert {metric.name for metric in OF_CONTROLLER} - shown <= unseen_yet
    assert all(metric.kind is Kind.GAUGE for metric in OF_CONTROLLER)


def test_a_disk_that_cannot_be_looked_at_has_no_figure(tmp_path: Path) -> None:
    """And is said to be unseen; a figure of another disk would be worse than none."""
    looking = Looking(Part("disk", lambda: look_at_disk(tmp_path / "gone")))
    assert looking.look()["disk"].why.startswith("unavailable: the disk of ")
    assert looking.value("earmark_disk_free_bytes") is None


def test_only_one_machine_has_a_disk_to_be_told_of(settings: Settings) -> None:
    """Pods of Google Cloud have one each, on which nothing lasts, so that no alert may look for it there."""
    backend, clock = connect(settings), ManualClock()
    for name, told in (("local", True), ("gcp", False)):
        with open_parts(settings.model_copy(update={"backend": name}), backend, clock) as parts:
            assert ("disk" in {part.name for part in parts}) is told


class Reads:
    """A bucket that counts what is read of it."""

    def __init__(self, store: ObjectStore) -> None:
        """Stand before a bucket."""
        self.store, self.names = store, list[str]()

    def scan(self, *words: Any, **named: Any) -> Iterator[ObjectInfo]:
        """As the bucket does."""
        return self.store.scan(*words, **named)

    def read(self, name: str, **named: Any) -> Iterable[bytes]:
        """As the bucket does."""
        self.names.append(name)
        return self.store.read(name, **named)


def test_dead_letters_count_until_somebody_has_dealt_with_them(settings: Settings) -> None:
    """Each is read once, and again when it changed; one that cannot be read waits for somebody too."""
    state, now = connect(settings).state, EPOCH + timedelta(days=1)
    terms = Terms(keep=timedelta(days=7), replays_max=3)
    reads = Reads(state)
    with Letters(state) as letters, WaitingLetters(reads) as waiting_letters:  # type: ignore[arg-type]  # as used
        jobs = [make_job(word) for word in ("a", "b")]
        for job, kind in zip(jobs, ("model_crashed", "timed_out"), strict=True):
            letter = bury(None, job, [make_failure(kind)], now=now, terms=terms, actor="me")
            letters.change(job.id, lambda _, letter=letter: letter)  # type: ignore[misc]  # bound at once
        broken = state.write(f"{FOLDER}broken.json", b"{", content_type="application/json")
        assert sorted(each.kind for each in waiting_letters.look()) == ["", "model_crashed", "timed_out"]
        assert {each.buried_at for each in waiting_letters.look() if each.kind} == {EPOCH}
        assert len(reads.names) == 3
        letters.change(jobs[0].id, lambda old: discard(old, now=now, actor="me", reason="known") if old else None)
        state.delete(f"{FOLDER}broken.json", if_generation=broken.generation)
        assert [each.kind for each in waiting_letters.look()] == ["timed_out"]
        assert reads.names[3:] == [f"{FOLDER}{jobs[0].id}.json"]


def test_the_command_prints_what_it_sees_and_says_what_it_cannot(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON a line for programs, a table for people; exit status 3 where something cannot be seen."""
    connect(settings)
    assert look_once(settings, as_json=True) == 0
    figures = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"metric": "earmark_queue_waiting", "labels": {"queue": "high"}, "value": 0.0} in figures
    assert {"queues", "spend"} <= {each["labels"]["part"] for each in figures if each["metric"] == LOOKED}
    monkeypatch.setattr(Spend, "today", lambda _: refused())
    assert look_once(settings, as_json=False) == exit_status.SOME_NOT_DONE
    told = capsys.readouterr()
    assert "spend cannot be seen: unavailable: away" in told.out + told.err
    assert "queue=high" in told.out
    assert "earmark_fallback_spent_dollars" not in told.out


def test_the_command_changes_nothing(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """What a controller asked for, and the failover that workers follow, are shown and stand as they were."""
    state, clock = connect(settings).state, utc_now
    said = Desired(7, 9, 0.5, 3.5, 0.0, failover=True, reason="")
    ScalingMemory(state, clock).keep({Lane.HIGH: replace(said, workers=3, failover=False), Lane.LOW: said})
    FailoverFlag(state, clock).tell([Lane.LOW])
    before = {info.name: (info.generation, b"".join(state.read(info.name))) for info in state.scan("")}
    assert look_once(settings, as_json=True) == 0
    told = capsys.readouterr()
    low = {
        each["metric"]: each["value"]
        for each in map(json.loads, told.out.splitlines())
        if each["labels"] == {"lane": "low"}
    }
    assert low["earmark_desired_workers"] == 7
    assert low["earmark_failover"] == 1
    assert low["earmark_scaling_arrivals_per_second"] == 0.5
    assert "One that begins now would say that lanes need: high 1, low 0." in told.err
    assert {info.name: (info.generation, b"".join(state.read(info.name))) for info in state.scan("")} == before


def test_a_broken_file_of_queues_hides_queues_alone(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """All other parts are seen; the command names the one that is not and ends with 3."""
    settings.data.mkdir()
    (settings.data / "queues.sqlite").write_bytes(b"garbage" * 1000)
    assert look_once(settings, as_json=True) == exit_status.SOME_NOT_DONE
    told = capsys.readouterr()
    assert told.err.count("cannot be seen") == 1
    assert "queues cannot be seen" in told.err
    assert "earmark_dead_letters" in told.out


def test_the_dead_queue_is_what_status_says(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """With the letters that were collected from it."""
    clock = ManualClock()
    backend = connect(settings, clock)
    terms = Terms(keep=timedelta(days=7), replays_max=3)
    with Letters(backend.state) as letters:
        job = make_job("a")
        letter = bury(None, job, [make_failure("timed_out")], now=clock(), terms=terms, actor="me")
        letters.change(job.id, lambda _: letter)
    with open_parts(settings, backend, clock) as parts:
        looking = Looking(*parts)
        looking.look()
    show_status(settings, as_json=True)
    [status] = [row["waiting"] for row in json.loads(capsys.readouterr().out) if row["queue"] == "dead"]
    assert looking.value("earmark_queue_waiting", queue="dead") == status == 1


def test_the_call_that_is_longest_due_is_shown(settings: Settings) -> None:
    """One that is due later is not late; of those that are, the oldest counts."""
    clock = ManualClock()
    backend = connect(settings, clock)
    for box, seconds in (("acme.wh_1", -30), ("acme.wh_1", -600), ("beta.wh_2", -60), ("beta.wh_3", 600)):
        due = f"{clock() + timedelta(seconds=seconds):%Y%m%dT%H%M%S.%fZ}"
        backend.state.write(f"outbox/{box}/{due}-evt_{0:032x}.json", b"{}", content_type="application/json")
    with open_parts(settings, backend, clock) as parts:
        looking = Looking(*(part for part in parts if part.name == "webhooks"))
        looking.look()
    assert looking.value("earmark_webhook_oldest_seconds") == 600
