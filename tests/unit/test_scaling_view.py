"""What the controller is told in production, and that workers follow what it says."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from earmark.errors import ConfigurationError, Unavailable
from earmark.rows import JobRow
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.backend import Backend, QueueDepth
from runtime.cascading import make_degradation
from runtime.controller.failover_flag import HOLDS, NAME, FailoverFlag
from runtime.controller.scaling_look import ScalingLook
from runtime.controller.scaling_memory import NAME as MEMORY
from runtime.controller.scaling_view import ScalingView, open_scaling
from runtime.local.backend import connect_local
from scaling.policy import SHIPPED, load_policy
from scaling.seen import Seen
from tests.clock import ManualClock
from tests.flaky import FlakyStore
from tests.making import make_job
from workers.degradation import LOOK_S, Degradation, LaneLimits

POLICY = load_policy()
EVERY_S = POLICY.every_s


def ended(name: str, clock: ManualClock, **fields: object) -> JobRow:
    """A low job of 180 s that a worker took 3.6 s for, a minute after it came."""
    given: dict[str, object] = {
        "row_id": name, "tenant": "acme", "at": clock(), "status": "done", "lane": "low", "tier": "free",
        "origin": "api", "arm": "primary", "model": "listener", "pipeline": "1", "region": None, "tries": 1,
        "error_kind": None, "content_type": "music", "confidence": 0.9, "tempo_bpm": None, "key": None,
        "language": None, "vocals": None, "review": False, "audio_s": 180.0, "covered_s": 180.0,
        "size_bytes": 1_800_000, "queued_s": 60.0, "decode_s": 0.1, "predict_s": 3.6, "total_s": 64.0,
        "cost_usd": 0.0, "warm": True, **fields,
    }  # fmt: skip
    return JobRow.model_validate(given)


@dataclass
class Place:
    """A backend of one machine, a clock, and what the controller was told."""

    backend: Backend
    clock: ManualClock
    money: bool = True
    looks: list[dict[Lane, Seen]] = field(default_factory=list)
    change: Callable[[Backend], Backend] = lambda backend: backend

    def open(self) -> ScalingView:
        """A view that notes what the controller is told."""
        view = ScalingView(POLICY, self.change(self.backend), self.clock, lambda: self.money)
        look = view._seen

        def noted(lane: Lane, *given: Any) -> Seen:
            self.looks[-1:] = [{**(self.looks or [{}])[-1], lane: look(lane, *given)}]
            return self.looks[-1][lane]

        view._seen = noted  # type: ignore[method-assign]
        return view

    def put(self, count: int, size_bytes: int = 3_600_000, lane: Lane = Lane.LOW) -> None:
        """So many jobs of a size."""
        jobs = [make_job(f"{lane}{size_bytes}-{number}", lane) for number in range(count)]
        sized = [
            job.model_copy(update={"upload": job.upload.model_copy(update={"size_bytes": size_bytes})}) for job in jobs
        ]
        self.backend.lanes[lane].put(sized)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Nothing waits and nothing has ended."""
    clock = ManualClock()
    return Place(connect_local(Settings(data=tmp_path), clock), clock)


def test_an_idle_system_has_its_floors(place: Place) -> None:
    """Empty queues and no rows are seen as such; high keeps its floor, low has nobody."""
    view = place.open()
    for _ in range(100):
        found = view()
        place.clock.move(EVERY_S)
    assert {lane: each.workers for lane, each in found.items()} == {Lane.HIGH: 1, Lane.LOW: 0}
    assert found[Lane.LOW].waiting_audio_s == 0.0
    assert place.looks[-1][Lane.LOW].waiting == 0


def test_rows_and_sizes_tell_the_work(place: Place) -> None:
    """Ten waiting jobs of twice the usual size are ten of twice the usual length; service comes from the rows."""
    place.backend.warehouse.append([ended(f"job-{number}", place.clock) for number in range(50)])
    place.clock.move(10.0)
    place.put(10)
    view = place.open()
    found = view()[Lane.LOW]
    assert found.waiting_audio_s == pytest.approx(10 * 360.0)
    assert found.service_s == pytest.approx(3.6)
    assert found.arrivals_per_s == pytest.approx(50 / 3600)
    low = place.looks[0][Lane.LOW]
    assert low.settled is not None
    assert (low.settled.jobs, low.settled.busy_s, low.settled.queued_s) == (
        50,
        pytest.approx(180.0),
        pytest.approx(3000.0),
    )


@pytest.mark.parametrize("sized", [True, False])
def test_refused_uploads_hide_no_backlog(place: Place, *, sized: bool) -> None:
    """Large files without audio end beside the jobs: what waits is as long as before, by sizes and by mean length."""
    rows = [ended(f"job-{number}", place.clock) for number in range(50)]
    none = {"status": "rejected", "audio_s": 0.0, "predict_s": 0.0, "size_bytes": 90_000_000}
    rows += [ended(f"none-{number}", place.clock, **none) for number in range(500)]
    place.backend.warehouse.append(rows)
    place.clock.move(10.0)
    place.put(10)
    if not sized:
        place.change = lambda backend: replace(backend, mean_waiting_bytes=lambda _lane: None)
    view = place.open()
    view()
    assert view()[Lane.LOW].waiting_audio_s == pytest.approx(10 * (360.0 if sized else 180.0))


def test_arrivals_are_what_ended_and_what_grew(place: Place) -> None:
    """Sixty jobs that came in half a minute, of which none ended, are two a second."""
    view = place.open()
    view()
    for _ in range(20):
        place.clock.move(POLICY.rows_every_s)
        found = view()
    assert found[Lane.LOW].arrivals_per_s == 0.0
    place.put(60)
    place.clock.move(POLICY.rows_every_s)
    now = view()[Lane.LOW].arrivals_per_s
    assert now is not None
    assert 0.1 < now <= 2.0


def test_what_the_fallback_answered_is_no_workers_time(place: Place) -> None:
    """Its seconds are left out, and those of a first batch, which loads the model; jobs with audio count."""
    rows = [
        ended("a", place.clock),
        ended("b", place.clock, model="gpt", fallback_model="gpt", predict_s=900.0),
        ended("c", place.clock, warm=False, predict_s=900.0),
        ended("d", place.clock, status="failed", predict_s=0.0, audio_s=0.0),
    ]
    place.backend.warehouse.append(rows)
    place.clock.move(1.0)
    place.open()()
    settled = place.looks[0][Lane.LOW].settled
    assert settled is not None
    assert (settled.jobs, settled.heard_audio_s, settled.busy_s) == (3, 180.0, pytest.approx(3.6))


def test_a_queue_that_cannot_tell_is_watched(place: Place) -> None:
    """Where the queue gives no depth, whoever watches it does, less what is in hand; where nobody does, rows do."""
    blind = {lane.value: lambda: QueueDepth(None, None, 3, None) for lane in Lane}
    watch = {lane.value: lambda: QueueDepth(40, None, 0, 90.0) for lane in Lane}
    place.change = lambda backend: replace(backend, depths=blind, watched=watch)
    place.open()()
    assert (place.looks[-1][Lane.LOW].waiting, place.looks[-1][Lane.LOW].oldest_s) == (37, 90.0)
    place.change = lambda backend: replace(backend, depths=blind)
    place.backend.warehouse.append([ended(str(number), place.clock) for number in range(60)])
    place.clock.move(1.0)
    found = place.open()()[Lane.LOW]
    assert place.looks[-1][Lane.LOW].waiting is None
    assert found.waiting_audio_s == pytest.approx(60 * 60.0 / 3600 * 180.0, rel=0.01), "as many as end while one waits"
    assert found.workers >= 1


def test_an_outage_is_not_an_empty_queue(place: Place) -> None:
    """While nothing can be reached nobody is taken away; where nothing ever could, there is no answer."""

    def down() -> QueueDepth:
        message = "down"
        raise Unavailable(message)

    place.put(5000)
    view = place.open()
    for _ in range(10):
        before = view()[Lane.LOW].workers
        place.clock.move(EVERY_S)
    assert before > 1
    view._backend = replace(place.backend, depths=dict.fromkeys(("high", "low"), down))

    def unreachable() -> Any:
        message = "down"
        raise Unavailable(message)

    view._rows.ended = view._rows.usual_audio_per_s = unreachable  # type: ignore[method-assign]
    for _ in range(100):
        assert view()[Lane.LOW].workers >= before
        place.clock.move(EVERY_S)
    fresh = place.open()
    fresh._backend, fresh._rows = view._backend, view._rows
    with pytest.raises(Unavailable, match="nobody knows"):
        fresh()


def test_a_restart_takes_nobody_away(place: Place) -> None:
    """A new controller goes on from what the last one asked for, unless that is long ago or unreadable."""
    place.put(5000)
    view = place.open()
    for _ in range(10):
        before = view()[Lane.LOW].workers
        place.clock.move(EVERY_S)
    assert before > 10
    jobs = place.backend.lanes[Lane.LOW].lease(5000, 60.0)
    place.backend.lanes[Lane.LOW].ack(jobs)
    assert place.open()()[Lane.LOW].workers == before, "what was enough for a moment is not enough for long"
    for content in (b"[]", b"{", b'{"at": "2026-01-01", "workers": {"middle": 1}}', b'{"at": 1}', b'{"at": "x"}'):
        place.backend.state.write(MEMORY, content, content_type="application/json")
        assert place.open()()[Lane.LOW].workers == POLICY.lanes[Lane.LOW].blind
    view()
    place.clock.move(3600)
    assert place.open()()[Lane.LOW].workers == POLICY.lanes[Lane.LOW].blind


def test_the_usual_hour_is_looked_up_once_an_hour(place: Place) -> None:
    """What came in this hour of three of the last four weeks is a floor; the warehouse is asked four times an hour."""
    for week in (1, 2, 3):
        then = ManualClock()
        then.move(-week * 7 * 86_400)
        place.backend.warehouse.append([ended(f"{week}-{number}", then, audio_s=3600.0) for number in range(200)])
    view = place.open()
    asked: list[str] = []
    query = view._rows._warehouse.query
    view._rows._warehouse.query = lambda name, given: (asked.append(name), query(name, given))[1]  # type: ignore[method-assign, assignment, func-returns-value]
    for _ in range(3):
        found = view()
        place.clock.move(POLICY.rows_every_s)
    assert asked.count("jobs_by_hour") == 4
    assert place.looks[-1][Lane.LOW].seasonal_per_s == pytest.approx(200.0)
    assert found[Lane.LOW].workers == 4, "200 s of audio a second, at 0.02, of which 0.8, and up"


def test_workers_follow_the_flag(tmp_path: Path, place: Place) -> None:
    """A job that waited half its promise goes to the fallback while the flag is up, and no longer than it holds."""
    flag = FailoverFlag(place.backend.state, place.clock)
    settings = Settings(data=tmp_path, degraded_high_s=0, degraded_high_backlog=0)
    flag.tell([])
    assert place.backend.state.stat(NAME) is None, "nothing to tell, nothing written"
    flag.tell([Lane.LOW])

    def late(lane: Lane, waited_s: float) -> bool:
        return make_degradation(settings, place.backend, place.clock).lasts(lane, waited_s)

    assert late(Lane.LOW, settings.sla_low_s / 2)
    assert not late(Lane.LOW, settings.sla_low_s / 2 - 1)
    assert not late(Lane.HIGH, 1e6)
    place.clock.move(HOLDS.total_seconds() - 1)
    assert late(Lane.LOW, 1e6)
    place.clock.move(2)
    assert not late(Lane.LOW, 1e6)
    flag.tell([Lane.LOW])
    assert late(Lane.LOW, 1e6)
    flag.tell([])
    assert not late(Lane.LOW, 1e6)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"lanes": ["middle"], "until": "2030-01-01T00:00:00Z"}', b"{}"])
def test_a_broken_flag_helps_nobody(place: Place, content: bytes) -> None:
    """What cannot be read spends no money."""
    place.backend.state.write(NAME, content, content_type="application/json")
    assert FailoverFlag(place.backend.state, place.clock).lanes() == frozenset()


def test_a_worker_asks_seldom_and_survives_an_outage() -> None:
    """The store is asked every few seconds, only about jobs that waited long enough, and its outage is a no."""
    asked, now_s = [], [0.0]

    def helped() -> frozenset[Lane]:
        asked.append(now_s[0])
        if len(asked) > 1:
            message = "down"
            raise Unavailable(message)
        return frozenset({Lane.LOW})

    degradation = Degradation({Lane.LOW: LaneLimits(0, 0, 300.0)}, now=lambda: now_s[0], helped=helped)
    assert not degradation.lasts(Lane.LOW, 10.0)
    assert not asked
    assert all(degradation.lasts(Lane.LOW, 300.0) for _ in range(100))
    now_s[0] = LOOK_S
    assert not degradation.lasts(Lane.LOW, 300.0)
    assert asked == [0.0, LOOK_S]


def test_the_controller_raises_the_flag(place: Place) -> None:
    """A pile that no fleet gets through puts it up, with money only; a store that is down stops nothing."""
    place.put(1)
    pile = {"high": place.backend.depths["high"], "low": lambda: QueueDepth(10**6, 0, 5, 500.0)}
    place.change = lambda backend: replace(backend, depths=pile, state=FlakyStore(backend.state))
    view, flag = place.open(), FailoverFlag(place.backend.state, place.clock)
    for _ in range(60):
        view()
        place.clock.move(EVERY_S)
    assert flag.lanes() == {Lane.LOW}
    place.money = False
    view()
    assert flag.lanes() == frozenset()


def test_a_look_shows_what_stands_and_writes_nothing(place: Place, tmp_path: Path) -> None:
    """Failover in force, workers and arrivals as the controller that runs said them, whatever the look's own policy."""
    settings = Settings(data=tmp_path)
    place.put(1)
    pile = {"high": place.backend.depths["high"], "low": lambda: QueueDepth(10**6, 0, 5, 500.0)}
    backend = replace(place.backend, depths=pile)
    place.change = lambda _: backend
    place.backend.warehouse.append([ended(f"job-{number}", place.clock) for number in range(50)])
    place.clock.move(10.0)
    view = place.open()
    for _ in range(60):
        said = view()
        place.clock.move(EVERY_S)
    assert said[Lane.LOW].failover
    assert said[Lane.LOW].workers == POLICY.lanes[Lane.LOW].cap
    workers = {lane: each.workers for lane, each in said.items()}
    before = {name: b"".join(place.backend.state.read(name)) for name in (MEMORY, NAME)}
    small = tmp_path / "small.toml"
    small.write_text(SHIPPED.read_text().replace("cap = 20", "cap = 2"))
    told: list[str] = []
    for given in (settings, settings.model_copy(update={"scaling_policy": small})):
        look = ScalingLook(given, backend, place.clock, told.append)
        for _ in range(3):
            found = look()
            assert {lane: each.workers for lane, each in found.items()} == workers
            assert {lane: each.failover for lane, each in found.items()} == {Lane.HIGH: False, Lane.LOW: True}
            assert found[Lane.LOW].arrivals_per_s == pytest.approx(said[Lane.LOW].arrivals_per_s, rel=0.5)
            assert found[Lane.LOW].service_s == pytest.approx(3.6)
            assert "the controller at" in told[-1]
    assert {name: b"".join(place.backend.state.read(name)) for name in (MEMORY, NAME)} == before
    place.clock.move(420)
    assert not ScalingLook(settings, backend, place.clock, told.append)()[Lane.LOW].failover, "it ran out"
    assert "does it run?" in told[-1]


def test_a_look_where_no_controller_runs(place: Place, tmp_path: Path) -> None:
    """It says so, shows what one that begins now would say, and leaves no trace of it."""
    place.put(5000)
    told: list[str] = []
    found = ScalingLook(Settings(data=tmp_path), place.backend, place.clock, told.append)()
    assert found[Lane.LOW].workers > 1
    assert "no controller has asked" in told[0]
    assert f"low {found[Lane.LOW].wanted}" in told[0]
    assert list(place.backend.state.scan("scaling/")) == []


def test_a_look_explains_a_blind_start(place: Place, tmp_path: Path) -> None:
    """With nothing to do it shows more than lanes need, and names both numbers."""
    told: list[str] = []
    found = ScalingLook(Settings(data=tmp_path), place.backend, place.clock, told.append)()
    shown = {lane: each.workers for lane, each in found.items()}
    assert shown == {lane: max(each.floor, each.blind) for lane, each in POLICY.lanes.items()}
    assert f"it would ask for high {shown[Lane.HIGH]}, low {shown[Lane.LOW]}, and lanes need: high 1, low 0." in told[0]
    assert "`blind`" in told[0]


def test_it_opens_from_settings(tmp_path: Path) -> None:
    """Promises come from the settings; without a fallback there is no money for one; a wrong policy is said at once."""
    settings = Settings(data=tmp_path, sla_low_s=1200.0)
    backend, clock = connect_local(settings, ManualClock()), ManualClock()
    assert set(open_scaling(settings, backend, clock)()) == set(Lane)
    with pytest.raises(ConfigurationError, match="buffer_s"):
        open_scaling(Settings(data=tmp_path, sla_low_s=60.0), backend, clock)
    with pytest.raises(ConfigurationError, match="Cannot read"):
        open_scaling(Settings(data=tmp_path, scaling_policy=tmp_path / "none.toml"), backend, clock)
