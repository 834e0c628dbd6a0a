"""The registry: decisions that are made once and told once, and a view that stands through outages."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ab_testing.counters import Counters, read_counters
from ab_testing.courses import BELL, name_of
from ab_testing.experiment import Experiment
from ab_testing.registry import FRESH_S, WHOLE_S, Registry
from ab_testing.state import Action, State
from earmark.errors import ConfigurationError, Unavailable
from earmark.rows import Row
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock
from tests.contracts.gcs_case import new_case
from tests.flaky import FlakyStore, FlakyWarehouse
from tests.unit.test_ab_counters import trial_row


def made(name: str = "trial", **fields: Any) -> Experiment:
    """An experiment that leaves room for others."""
    return Experiment.model_validate({"name": name, "coverage": 0.5, **fields})


@dataclass
class World:
    """Several processes that share a store and a warehouse, each with a registry of its own."""

    folder: Path

    def __post_init__(self) -> None:
        """Start with nothing."""
        self.clock = ManualClock()
        self.store = FlakyStore(LocalObjectStore(self.folder, "state"))
        self.warehouse = FlakyWarehouse(LocalWarehouse(self.folder / "warehouse.sqlite"))

    def registry(self) -> Registry:
        """As another process sees it."""
        return Registry(self.store, self.clock, warehouse=self.warehouse, monotonic=self.seconds)

    def seconds(self) -> float:
        """The clock that only goes forward."""
        return self.clock().timestamp()

    def rows(self, table: str) -> list[dict[str, Any]]:
        """What the warehouse has been told, each row once."""
        connection = sqlite3.connect(self.folder / "warehouse.sqlite")
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY at, row_id")]  # noqa: S608
        finally:
            connection.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With nothing in it."""
    return World(tmp_path)


def events(caplog: pytest.LogCaptureFixture, name: str) -> int:
    """How often something was told."""
    return sum(record.getMessage() == name for record in caplog.records)


def test_a_change_is_seen_by_others_within_seconds(world: World) -> None:
    """Not before the view is old, and then at once; an ended one is still found by its version."""
    here, there = world.registry(), world.registry()
    assert (there.live(), there.find("trial", 1)) == ((), None)
    here.start(made(), actor="ada")
    assert [trial.definition.name for trial in here.live()] == ["trial"]
    assert there.live() == ()
    world.clock.move(FRESH_S)
    [trial] = there.live()
    assert (trial, trial.state) == (there.find("trial", 1), State.RUNNING)
    here.decide("trial", Action.ROLL_BACK, actor="ada", reason="harm")
    world.clock.move(FRESH_S)
    assert there.live() == ()
    found = there.find("trial", 1)
    assert found is not None
    assert (found.state, found.live) == (State.ROLLED_BACK, False)
    assert there.find("trial", 2) is None


def test_a_look_costs_one_question_while_nothing_changes(world: World) -> None:
    """Only the bell is asked about; once in a while everything is."""
    world.registry().start(made(), actor="ada")
    registry = world.registry()
    registry.live()
    for seconds, calls in ((FRESH_S, ["stat"]), (FRESH_S / 2, []), (FRESH_S, ["stat"]), (WHOLE_S, ["stat", "scan"])):
        world.store.faults.calls.clear()
        world.clock.move(seconds)
        registry.live()
        registry.find("trial", 1)
        assert world.store.faults.calls == calls


def test_a_bell_that_was_never_rung(world: World) -> None:
    """Whoever changed something may have died before: it is seen with the next whole look."""
    registry = world.registry()
    registry.live()
    writer = world.registry()
    writer.start(made(), actor="ada")
    world.clock.move(FRESH_S)
    assert registry.live()
    info = world.store.stat(BELL)
    assert info is not None
    registry.live()
    path = name_of("trial")
    content = b"".join(world.store.read(path)).replace(b'"state":"running"', b'"state":"paused"')
    world.store.write(path, content, content_type="application/json")
    world.clock.move(FRESH_S)
    assert registry.live()[0].state is State.RUNNING
    world.clock.move(WHOLE_S)
    assert registry.live()[0].state is State.PAUSED


def test_in_order_of_start_without_those_that_ended(world: World) -> None:
    """Names, versions and folders of counters do not confuse it."""
    registry = world.registry()
    for name in ("b", "a-b", "a", "a_c"):
        registry.start(made(name, coverage=0.1), actor="ada")
        world.store.write(f"experiments/{name}/v1/counters/x.json", b"{}", content_type="application/json")
        world.clock.move(60)
    registry.decide("a-b", Action.COMPLETE, actor="ada", reason="seen enough")
    registry.start(made("a-b", version=2, coverage=0.1), actor="ada")
    world.clock.move(60)
    registry.decide("a", Action.PAUSE, actor="ada", reason="wait")
    found = [(trial.definition.name, trial.definition.version) for trial in world.registry().live()]
    assert found == [("b", 1), ("a", 1), ("a_c", 1), ("a-b", 2)]
    assert [course.name for course in registry.all()] == ["a-b", "a", "a_c", "b"]
    first = registry.find("a-b", 1)
    assert first is not None
    assert first.state is State.COMPLETED


def test_the_last_view_stands_through_an_outage(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised and it is told once; before there was a first view there is nothing to go by."""
    world.registry().start(made(), actor="ada")
    registry, late = world.registry(), world.registry()
    registry.live()
    world.store.faults.down = True
    with pytest.raises(Unavailable):
        late.live()
    with caplog.at_level(logging.INFO, logger="ab_testing"):
        for _ in range(5):
            world.clock.move(FRESH_S)
            assert [trial.definition.name for trial in registry.live()] == ["trial"]
            assert registry.find("trial", 1) is not None
        assert (events(caplog, "experiments.not_seen"), events(caplog, "experiments.seen_again")) == (1, 0)
        world.store.faults.down = False
        world.clock.move(FRESH_S)
        assert registry.live()
        assert (events(caplog, "experiments.not_seen"), events(caplog, "experiments.seen_again")) == (1, 1)
    assert late.live()


def test_an_outage_in_the_middle_of_a_look(world: World) -> None:
    """Half a view is taken over from nowhere."""
    registry = world.registry()
    for name in ("a", "b"):
        registry.start(made(name, coverage=0.1), actor="ada")
    other = world.registry()
    assert len(other.live()) == 2
    registry.decide("a", Action.PAUSE, actor="ada", reason="x")
    world.store.faults.fail("read")
    world.clock.move(FRESH_S)
    assert [trial.state for trial in other.live()] == [State.RUNNING, State.RUNNING]
    world.clock.move(FRESH_S)
    assert [trial.state for trial in other.live()] == [State.PAUSED, State.RUNNING]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"format":2}', b'{"format":1,"name":"x","trials":[],"decisions":[]}'],
)
def test_what_is_no_experiment(world: World, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    """Told once and passed over by those who look; who asks for it by name is told what to do."""
    world.registry().start(made(), actor="ada")
    world.store.write(name_of("x"), content, content_type="application/json")
    registry = world.registry()
    for _ in range(3):
        assert [trial.definition.name for trial in registry.live()] == ["trial"]
        assert registry.find("x", 1) is None
        world.clock.move(WHOLE_S)
    assert events(caplog, "experiment.malformed") == 1
    assert [course.name for course in registry.all()] == ["trial"]
    [told] = registry.malformed()
    for call in (
        lambda: registry.course("x"),
        lambda: registry.decide("x", Action.ROLL_BACK, actor="ada", reason="y"),
        lambda: registry.start(made("x"), actor="ada"),
    ):
        with pytest.raises(
            ConfigurationError, match=r"experiments/x.json in the state store is no exp.* Delete"
        ) as caught:
            call()
        assert str(caught.value) == told
        assert "pydantic" not in told


@pytest.mark.parametrize("name", ["", "nobody", "../trial", "a/b", "TRIAL", "x\0y", "ü", "a" * 2000])
def test_names_that_there_are_not(world: World, name: str) -> None:
    """No name reaches anything but an experiment."""
    for call in (
        world.registry().course,
        lambda each: world.registry().decide(each, Action.PAUSE, actor="", reason="x"),
    ):
        with pytest.raises(ConfigurationError, match="There is no experiment"):
            call(name)


def test_every_decision_is_told_once(world: World) -> None:
    """A row for analysts and one for the audit log, with who, when, why and the evidence."""
    registry = world.registry()
    registry.start(made(), actor="ada")
    registry.start(made(), actor="bob")
    world.clock.move(60)
    registry.start(made(coverage=0.6), actor="bob", reason="looks well")
    world.clock.move(60)
    change = registry.decide("trial", Action.ROLL_BACK, actor="guard", reason="harm", evidence='{"alarms": []}')
    assert change.changed
    again = registry.decide("trial", Action.ROLL_BACK, actor="late", reason="harm too", evidence="{}")
    assert (again.changed, again.course.decisions[-1].actor) == (False, "guard")
    rows = world.rows("ab_experiments")
    assert [(row["state"], row["coverage"], row["actor"], row["reason"], row["evidence"]) for row in rows] == [
        ("running", 0.5, "ada", "", ""),
        ("running", 0.6, "bob", "looks well", ""),
        ("rolled_back", 0.0, "guard", "harm", '{"alarms": []}'),
    ]
    assert Experiment.model_validate_json(rows[-1]["definition"]) == made(coverage=0.6)
    audit = [(row["action"], row["actor"], row["subject"], row["reason"]) for row in world.rows("audit")]
    assert audit == [
        ("experiment.start", "ada", "trial:1", ""),
        ("experiment.cover", "bob", "trial:1", "looks well"),
        ("experiment.roll_back", "guard", "trial:1", "harm"),
    ]
    assert registry.tell() == 0


def test_a_warehouse_that_is_down_delays_no_decision(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """It is in force at once, and told by whoever looks next."""
    world.warehouse.faults.down = True
    registry = world.registry()
    assert registry.start(made(), actor="ada").changed
    assert events(caplog, "experiment.not_told") == 1
    other = world.registry()
    with pytest.raises(Unavailable):
        other.tell()
    world.warehouse.faults.down = False
    assert (other.tell(), other.tell()) == (1, 0)
    world.clock.move(FRESH_S)
    assert (registry.tell(), world.registry().tell()) == (0, 0)
    assert len(world.rows("audit")) == len(world.rows("ab_experiments")) == 1


@pytest.mark.parametrize("method", ["write", "append"])
def test_answers_that_are_lost(world: World, method: str) -> None:
    """A write that took effect and seemed to fail: saying it again changes nothing twice."""
    faults = world.store.faults if method == "write" else world.warehouse.faults
    faults.fail(method, when="after")
    registry = world.registry()
    if method == "write":
        with pytest.raises(Unavailable):
            registry.start(made(), actor="ada")
    else:
        registry.start(made(), actor="ada")
    assert registry.start(made(), actor="ada").changed is False
    assert len(registry.course("trial").decisions) == 1
    assert registry.course("trial").told == 1
    assert len(world.rows("audit")) == 1


def test_of_many_who_decide_one_is_first(world: World) -> None:
    """Threads of several processes: one rollback, one reason, and every later one sees it."""
    world.registry().start(made(), actor="ada")

    def roll_back(number: int) -> bool:
        registry = Registry(world.store, world.clock, warehouse=world.warehouse)
        return registry.decide("trial", Action.ROLL_BACK, actor=f"worker {number}", reason="harm").changed

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(roll_back, range(8))) == 1
    course = world.registry().course("trial")
    assert [decision.action for decision in course.decisions] == [Action.START, Action.ROLL_BACK]
    assert course.told == 2
    assert len(world.rows("audit")) == 2


def test_a_decision_about_a_version_touches_no_other(world: World) -> None:
    """A guard that looked at version 1 does nothing to version 2."""
    registry = world.registry()
    registry.start(made(), actor="ada")
    registry.decide("trial", Action.COMPLETE, actor="ada", reason="next")
    registry.start(made(version=2), actor="ada")
    assert not registry.decide("trial", Action.ROLL_BACK, actor="guard", reason="harm", version=1).changed
    assert registry.course("trial").latest.state is State.RUNNING
    assert registry.decide("trial", Action.ROLL_BACK, actor="guard", reason="harm", version=2).changed


def test_starting_beside_others(world: World) -> None:
    """What takes every unit leaves no room; what has ended does."""
    registry = world.registry()
    registry.start(made("all", coverage=1.0), actor="ada")
    with pytest.raises(ConfigurationError, match="takes every unit"):
        registry.start(made(), actor="ada")
    assert world.registry().find("trial", 1) is None
    registry.decide("all", Action.COMPLETE, actor="ada", reason="enough")
    assert registry.start(made(), actor="ada").changed


def test_times_are_those_of_the_clock(world: World) -> None:
    """The start is when it was said, and a resumed one keeps it."""
    registry = world.registry()
    registry.start(made(), actor="ada")
    world.clock.move(3600)
    registry.decide("trial", Action.PAUSE, actor="ada", reason="x")
    world.clock.move(3600)
    trial = registry.start(made(), actor="ada").course.latest
    assert (trial.started_at, trial.hours(world.clock())) == (datetime(2026, 1, 1, tzinfo=UTC), 2.0)
    assert trial.coverage_at(world.clock()) == 0.5


def test_on_cloud_storage() -> None:
    """The same over Cloud Storage: decisions, the view, counters in folders below, and a lost race."""
    case = new_case()
    registry, other = (Registry(case.open(), case.clock) for _ in range(2))
    for name in ("b", "a-b", "a", "a_c"):
        registry.start(made(name, coverage=0.1), actor="ada")
        counters = Counters(case.open(), "host:1:2:3")
        counters.add(trial_row(1, experiment=name))
        counters.flush()
        assert read_counters(case.open(), name, 1).arms["primary"].jobs == 1
    assert [trial.definition.name for trial in other.live()] == ["b", "a-b", "a", "a_c"]
    assert [course.name for course in other.all()] == ["a-b", "a", "a_c", "b"]
    said = [each.decide("a", Action.ROLL_BACK, actor="guard", reason="harm").changed for each in (registry, other)]
    assert said == [True, False]
    assert Registry(case.open(), case.clock).find("b", 1) is not None


def test_a_clock_that_is_behind_takes_nothing_from_others(world: World) -> None:
    """What is started now comes after what runs, and what is decided now after what was decided."""
    world.registry().start(made("b"), actor="ada")
    world.clock.move(-3600)
    registry = world.registry()
    registry.start(made("a"), actor="bob")
    assert [trial.definition.name for trial in registry.live()] == ["b", "a"]
    registry.decide("b", Action.PAUSE, actor="bob", reason="x")
    registry.start(made("b"), actor="bob")
    times = [decision.at for decision in registry.course("b").decisions]
    assert times == sorted(set(times))


def test_a_view_is_looked_at_by_one_thread(world: World) -> None:
    """Many that ask at once cost one look."""
    world.registry().start(made(), actor="ada")
    registry = world.registry()
    world.store.faults.calls.clear()
    look: Callable[[int], object] = lambda _: registry.live()  # noqa: E731  # what each thread does
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(look, range(64)))
    assert all(found)
    assert world.store.faults.calls.count("scan") <= 2


def test_what_cannot_be_told_or_kept_is_not_started(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written before the rows are made and what is to be kept was read back."""
    registry = world.registry()
    with pytest.raises(ConfigurationError, match=r"trial cannot be kept in the state store: .*Nothing was changed"):
        registry.start(made(), actor="half a \ud800")

    def refuse(*_: object) -> list[Row]:
        message = "no row"
        raise ValueError(message)

    with monkeypatch.context() as patched:
        patched.setattr("ab_testing.registry.decision_rows", refuse)
        with pytest.raises(ValueError, match="no row"):
            registry.start(made(), actor="ada")
    assert registry.all() == []
    assert registry.start(made(version=1_000_000), actor="ada").changed
    assert [row["version"] for row in world.rows("ab_experiments")] == [1_000_000]


def test_a_warehouse_that_refuses_a_row_stops_no_decision(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Once written a decision stands, and whoever decided is not told that it failed."""
    registry = Registry(world.store, world.clock, warehouse=Refusing())
    assert registry.start(made(), actor="ada").changed
    assert events(caplog, "experiment.not_told") == 1


class Refusing(LocalWarehouse):
    """Takes no row."""

    def __init__(self) -> None:
        """Open nothing."""

    def append(self, rows: Sequence[Row]) -> None:
        """Refuse."""
        message = f"{len(rows)} rows that fit no table"
        raise ConfigurationError(message)


def test_the_first_file_again_after_less_coverage(world: World) -> None:
    """Beside experiments that were started in between."""
    registry = world.registry()
    registry.start(made("one", coverage=0.25), actor="ada")
    registry.start(made("two"), actor="ada")
    registry.start(made("one", coverage=0.1), actor="ada")
    registry.start(made("three"), actor="ada")
    assert registry.start(made("one", coverage=0.25), actor="ada").changed
    with pytest.raises(ConfigurationError, match=r"a coverage of at most 0.25 since it was started"):
        registry.start(made("one", coverage=0.3), actor="ada")
