"""Applying a plan: looked at again object by object, each deleted once, each outcome written down once."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError, PreconditionFailed, Unavailable
from retention.outcomes import Outcome
from retention.outlook import Outlook
from retention.policy import load_policy
from retention.run_ledger import Run
from retention.scope import Scope
from tests.clock import ManualClock
from tests.flaky import FlakyStore, FlakyWarehouse
from tests.retention_office import DAY, Office, email
from tests.retention_rows import make_policy


@pytest.fixture
def clock() -> ManualClock:
    """Told the time."""
    return ManualClock()


@pytest.fixture
def office(tmp_path: Path, clock: ManualClock) -> Office:
    """Over a folder of its own."""
    return Office(tmp_path, clock)


def age(office: Office, clock: ManualClock) -> None:
    """Let free customers' uploads of now be told of, and come to their end a week later."""
    clock.time += 24 * DAY
    assert office.apply().notified.failed == 0
    clock.time += 7 * DAY


def test_the_whole_way(office: Office, clock: ManualClock) -> None:
    """Nothing before the notice, nothing in the week after it, then deleted, told and catalogued as such."""
    office.upload("acme/a.wav", "acme/b.wav")
    clock.time += 22 * DAY
    assert office.apply().notified.sent == 0
    clock.time += 2 * DAY
    assert office.apply().notified.sent == 1
    for _ in range(6):
        clock.time += DAY
        assert office.apply().outcomes == {}
    clock.time += DAY
    assert office.names() == ["acme/a.wav", "acme/b.wav"]
    applied = office.apply()
    assert applied.outcomes == {"deleted": 2}
    assert applied.deleted_bytes == 8
    assert office.names() == []
    assert office.row("acme/a.wav").state == "deleted"
    rows = office.rows("deletions")
    assert {row["outcome"] for row in rows} == {"deleted"}
    assert {row["notice"] for row in rows} == {"acme/2026-01-25"}
    assert all(str(row["notice_confirmed_at"]).startswith("2026-01-25") for row in rows)


def test_a_rehearsal_changes_nothing(office: Office, clock: ManualClock, tmp_path: Path) -> None:
    """Without execution the same outcomes are told, and no store holds anything new."""
    office.upload("acme/a.wav", "acme/b.wav", "acme/c.wav")
    age(office, clock)
    office.upload("acme/new.wav")
    plan = office.plan()
    office.holds.place(Scope(kind="object", bucket="uploads", name="acme/b.wav"), "a case", "judge")
    office.buckets["uploads"].delete("acme/c.wav", if_generation=office.row("acme/c.wav").generation)
    before = {path: path.read_bytes() for path in (tmp_path / "objects").rglob("*") if path.is_file()}
    entries = len(office.audit)
    applied = office.apply(plan, execute=False, approve=False)
    assert applied.outcomes == {"deleted": 1, "skipped_hold": 1, "missing": 1}
    assert not applied.executed
    assert {path: path.read_bytes() for path in (tmp_path / "objects").rglob("*") if path.is_file()} == before
    assert len(office.audit) == entries
    assert office.rows("deletions") == []


def test_a_rehearsal_says_how_many_would_be_told_of(office: Office, clock: ManualClock) -> None:
    """Objects of notices are looked at again too."""
    office.upload("acme/a.wav", "acme/b.wav")
    clock.time += 24 * DAY
    plan = office.plan()
    office.holds.place(Scope(kind="object", bucket="uploads", name="acme/b.wav"), "a case", "judge")
    assert office.apply(plan, execute=False).notices_due == 1
    assert office.postman.sent == []


@pytest.mark.parametrize(
    ("happen", "outcome"),
    [
        (
            lambda office: office.holds.place(Scope(kind="tenant", tenant="acme"), "a case", "judge"),
            Outcome.HOLD,
        ),
        (
            lambda office: office.extensions.grant(
                Scope(kind="tenant", tenant="acme"), office.clock() + 9 * DAY, "asked", "ada", "bob"
            ),
            Outcome.EXTENDED,
        ),
        (lambda office: office.upload("acme/a.wav"), Outcome.CHANGED),
        (
            lambda office: office.buckets["uploads"].write("acme/a.wav", b"new", content_type="audio/wav"),
            Outcome.CHANGED,
        ),
        (
            lambda office: office.buckets["uploads"].delete(
                "acme/a.wav", if_generation=office.row("acme/a.wav").generation
            ),
            Outcome.MISSING,
        ),
        (lambda office: office.suspensions.bounce("acme/2026-01-25", "mailbox full", "mail"), Outcome.NOTICE),
        (
            lambda office: office.buckets["uploads"].protect(
                "acme/a.wav", if_generation=office.row("acme/a.wav").generation, held=True
            ),
            Outcome.HOLD,
        ),
    ],
    ids=["hold", "extension", "replaced", "overwritten", "gone", "bounced", "held in the store"],
)
def test_what_happens_after_the_plan_counts(
    office: Office, clock: ManualClock, happen: Callable[[Office], object], outcome: Outcome
) -> None:
    """Whatever keeps an object and comes after the plan keeps it; the row and the catalogue say so."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    assert plan.summary.count("delete") == 1
    object_id = office.id_of("acme/a.wav")
    happen(office)
    assert office.apply(plan).outcomes == {outcome.value: 1}
    assert office.outcomes() == {object_id: [outcome.value]}
    assert (office.names() == []) == (outcome is Outcome.MISSING)
    state = office.catalogue.find("uploads", "acme/a.wav")[-1].state
    assert state == {Outcome.MISSING: "missing", Outcome.CHANGED: "replaced"}.get(outcome, "noticed")


def test_a_lengthened_policy_saves_what_was_planned(office: Office, clock: ManualClock) -> None:
    """A plan of an older policy is not carried out at all."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    office.policies.register(make_policy(free="60 days"), clock.time, "chief", "kinder")
    clock.move(1)
    with pytest.raises(ConfigurationError, match="follows version 1 of the policy, not 2"):
        office.apply(plan)
    assert office.names() == ["acme/a.wav"]


def test_a_plan_changed_by_hand_is_refused(office: Office, clock: ManualClock) -> None:
    """Another name, another digest, or a digest made anew: nothing is done."""
    office.upload("acme/a.wav", "acme/b.wav")
    age(office, clock)
    office.holds.place(Scope(kind="object", bucket="uploads", name="acme/b.wav"), "a case", "judge")
    plan = office.plan()
    content = plan.path.read_bytes()
    plan.path.write_bytes(content.replace(b"acme/a.wav", b"acme/b.wav"))
    with pytest.raises(ConfigurationError, match="digest"):
        office.apply(plan)
    lines = content.replace(b"acme/a.wav", b"acme/b.wav").splitlines(keepends=True)
    body = b"".join(lines)[: -len(b',"digest":""}\n') - 64]
    forged = body + b',"digest":"' + hashlib.sha256(body).hexdigest().encode() + b'"}\n'
    plan.path.write_bytes(forged)
    with pytest.raises(ConfigurationError, match="changed by hand"):
        office.apply(plan)
    assert office.names() == ["acme/a.wav", "acme/b.wav"]
    assert office.rows("deletions") == []


def test_a_plan_changed_while_it_is_looked_at_is_refused(
    office: Office, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the check of the digest and the reading of the lines nothing can be slipped in."""
    office.upload("acme/a.wav", "acme/b.wav")
    age(office, clock)
    office.holds.place(Scope(kind="object", bucket="uploads", name="acme/b.wav"), "a case", "judge")
    plan = office.plan()
    demand = office.plans.demand

    def swap(opened: object) -> object:
        record = demand(opened)  # type: ignore[arg-type]
        plan.path.write_bytes(plan.path.read_bytes().replace(b"acme/a.wav", b"acme/b.wav"))
        return record

    monkeypatch.setattr(office.plans, "demand", swap)
    with pytest.raises(ConfigurationError, match="changed while it was read"):
        office.apply(plan)
    assert office.rows("deletions") == []


def test_a_stale_plan_is_refused(office: Office, clock: ManualClock) -> None:
    """Older than a day, or of another moment than now."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    clock.time += DAY + timedelta(seconds=1)
    with pytest.raises(ConfigurationError, match="stale"):
        office.apply(plan)
    clock.time -= 2 * DAY
    with pytest.raises(ConfigurationError, match="looks ahead"):
        office.apply(plan)
    assert office.names() == ["acme/a.wav"]


def test_a_plan_for_another_place_is_refused(office: Office, clock: ManualClock, tmp_path: Path) -> None:
    """A plan names where its objects are."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    text = plan.path.read_text()
    assert json.loads(text.splitlines()[0])["backend"] == "here"
    elsewhere = office.applying()
    elsewhere._backend = "there"
    with pytest.raises(ConfigurationError, match="made for here, and this is there"):
        elsewhere.apply(plan.path, execute=True, approve=True, reason="", actor="ada")


def test_a_plan_over_its_limits_needs_approval(office: Office, clock: ManualClock) -> None:
    """Without approval nothing is done, a rehearsal tells of it, and with approval it is carried out."""
    limits = load_policy().limits.model_dump() | {"objects": 1}
    office.policies.register(make_policy({"limits": limits}), clock.time, "chief", "careful")
    office.upload("acme/a.wav", "acme/b.wav")
    clock.time += 24 * DAY
    office.apply()
    clock.time += 7 * DAY
    plan = office.plan()
    with pytest.raises(ConfigurationError, match="2 objects, where 1 are the most"):
        office.apply(plan, approve=False)
    assert office.apply(plan, approve=False, execute=False).exceeded
    assert office.names() == ["acme/a.wav", "acme/b.wav"]
    assert office.apply(plan, approve=True).outcomes == {"deleted": 2}


def test_a_second_process_is_refused_while_the_first_lives(office: Office, clock: ManualClock, tmp_path: Path) -> None:
    """The lease of one that died here is taken at once, of one elsewhere a minute after its last sign of life."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    office.runs.take(plan.id, actor="bob", reason="", approved=True)
    other = Office(tmp_path, clock, own_name="other")
    with pytest.raises(ConfigurationError, match="being carried out by bob"):
        other.apply(plan)
    clock.time += timedelta(seconds=59)
    with pytest.raises(ConfigurationError, match="being carried out by bob"):
        other.apply(plan)
    clock.time += timedelta(seconds=1)
    assert other.apply(plan).outcomes == {"deleted": 1}


def test_a_process_that_died_here_is_followed_at_once(office: Office, clock: ManualClock, tmp_path: Path) -> None:
    """Where its death is certain nobody waits."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    office.runs.take(plan.id, actor="bob", reason="", approved=True)
    other = Office(tmp_path, clock, own_name="other")
    other.dead.add("me")
    applied = other.apply(plan)
    assert applied.resumed
    assert applied.outcomes == {"deleted": 1}


def test_whoever_lost_the_lease_writes_nothing(office: Office, clock: ManualClock, tmp_path: Path) -> None:
    """A run that slept too long finds that another took over, and leaves the outcomes to it."""
    office.upload(*(f"acme/{number}.wav" for number in range(4)))
    age(office, clock)
    plan = office.plan()
    other = Office(tmp_path, clock, own_name="other")
    other.dead.add("me")
    done: list[object] = []

    def sleep_through(progress: object) -> None:
        if not done:
            done.append(other.apply(plan))

    with pytest.raises(PreconditionFailed):
        office.apply(plan, batch=1, progress=sleep_through)
    assert [len(each) for each in office.outcomes().values()] == [1, 1, 1, 1]
    assert office.runs.find(plan.id).state == "done"  # type: ignore[union-attr]


def test_the_kill_switch_stops_between_batches(office: Office, clock: ManualClock) -> None:
    """What was begun is finished, the rest stays, and the same plan goes on after the switch is set back."""
    office.upload(*(f"acme/{number}.wav" for number in range(6)))
    age(office, clock)
    plan = office.plan()
    seen: list[object] = []

    def stop(progress: object) -> None:
        seen.append(progress)
        if len(seen) == 2:
            office.switch.stop("wrong policy", "ada")

    applied = office.apply(plan, batch=2, progress=stop)
    assert applied.outcomes == {"deleted": 4}
    assert "wrong policy" in applied.stopped
    assert len(office.names()) == 2
    with pytest.raises(ConfigurationError, match="wrong policy"):
        office.apply(plan)
    assert len(office.names()) == 2
    office.switch.resume("policy put right", "ada")
    applied = office.apply(plan)
    assert applied.outcomes == {"deleted": 6}
    assert applied.stopped == ""
    assert [len(each) for each in office.outcomes().values()] == [1] * 6


def test_a_plan_that_ended_is_not_carried_out_again(office: Office, clock: ManualClock) -> None:
    """The second time tells the same and does nothing."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    first = office.apply(plan)
    entries = len(office.audit)
    second = office.apply(plan)
    assert second.outcomes == first.outcomes
    assert second.resumed
    assert len(office.audit) == entries


def test_a_hold_in_the_middle_of_a_run_is_seen_by_the_next_batch(office: Office, clock: ManualClock) -> None:
    """Holds are read anew before each batch."""
    office.upload(*(f"acme/{number}.wav" for number in range(6)))
    age(office, clock)

    def hold(progress: object) -> None:
        if not office.holds.all():
            office.holds.place(Scope(kind="tenant", tenant="acme"), "a case", "judge")

    applied = office.apply(batch=2, progress=hold)
    assert applied.outcomes == {"deleted": 2, "skipped_hold": 4}
    assert len(office.names()) == 4


def test_an_outage_of_one_object_is_its_own_outcome(office: Office, clock: ManualClock) -> None:
    """After some attempts the run goes on with the others; the next plan has it again."""
    office.upload("acme/a.wav", "acme/b.wav")
    age(office, clock)
    store = FlakyStore(office.buckets["uploads"])
    office.buckets["uploads"] = store
    applying = office.applying(batch=1)
    store.faults.fail("delete", 3)
    plan = office.plan()
    applied = applying.apply(plan.path, execute=True, approve=True, reason="", actor="ada")
    assert applied.outcomes == {"deleted": 2}
    assert len(office.naps_s) == 3
    assert all(0 < nap <= 3 for nap in office.naps_s)


def test_an_outage_of_the_store_ends_the_run_and_spends_nothing(office: Office, clock: ManualClock) -> None:
    """Where no object of a batch can be reached the run is broken off, and goes on later where it was."""
    office.upload("acme/a.wav", "acme/b.wav")
    age(office, clock)
    plan = office.plan()
    real = office.buckets["uploads"]
    store = FlakyStore(real)
    office.buckets["uploads"] = store
    store.faults.down = True
    with pytest.raises(Unavailable):
        office.apply(plan)
    assert office.rows("deletions") == []
    assert office.runs.find(plan.id).state == "interrupted"  # type: ignore[union-attr]
    store.faults.down = False
    assert office.apply(plan).outcomes == {"deleted": 2}


def test_a_deletion_whose_answer_was_lost_counts_as_ours(office: Office, clock: ManualClock) -> None:
    """Deleted at the first attempt, not there at the second: deleted."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    store = FlakyStore(office.buckets["uploads"])
    office.buckets["uploads"] = store
    store.faults.fail("delete", when="after")
    assert office.apply(plan).outcomes == {"deleted": 1}


@pytest.mark.parametrize("step", ["delete", "decide", "rows", "catalogue", "cursor"])
def test_broken_off_at_each_step_of_a_batch(
    office: Office, clock: ManualClock, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after any step, and held before the next run: what was deleted is told as deleted, once."""

    class Killed(BaseException):
        pass

    office.upload("acme/a.wav", "acme/b.wav")
    age(office, clock)
    plan = office.plan()
    applying = office.applying()
    with monkeypatch.context() as patch:
        kill_at(patch, office, step, Killed)
        with pytest.raises(Killed):
            applying.apply(plan.path, execute=True, approve=True, reason="", actor="ada")
    office.dead.add("me")
    assert office.names() == []
    office.holds.place(Scope(kind="tenant", tenant="acme"), "a case", "judge")
    applied = office.apply(plan)
    assert applied.outcomes == {"deleted": 2}
    assert applied.deleted_bytes == 8
    assert sorted(office.outcomes().values()) == [["deleted"], ["deleted"]]
    assert {office.row(name).state for name in ("acme/a.wav", "acme/b.wav")} == {"deleted"}
    assert {row["notice"] for row in office.rows("deletions")} == {"acme/2026-01-25"}
    assert all(row["notice_confirmed_at"] for row in office.rows("deletions"))


def kill_at(patch: pytest.MonkeyPatch, office: Office, step: str, killed: type[BaseException]) -> None:
    """Let the process die right after a step; nothing it would do on its way out is done."""
    state = office.buckets["state"]
    write, dead = state.write, [False]

    def die() -> None:
        dead[0] = True
        raise killed

    def write_until_dead(name: str, content: bytes, **rest: object) -> object:
        if dead[0]:
            raise killed
        run = json.loads(content) if name.startswith("retention/runs/") else {}
        if step == "delete" and run.get("decided"):
            die()
        if step == "cursor" and run.get("cursor"):
            die()
        info = write(name, content, **rest)  # type: ignore[arg-type]
        if step == "decide" and run.get("decided"):
            die()
        return info

    patch.setattr(state, "write", write_until_dead)
    if step == "rows":
        append = office.warehouse.append
        patch.setattr(office.warehouse, "append", lambda rows: (append(rows), die()))
    if step == "catalogue":
        record = office.catalogue.record
        patch.setattr(office.catalogue, "record", lambda rows: (record(rows), die()))


def test_a_run_that_died_and_is_stale_is_written_down_and_deletes_nothing_more(
    office: Office, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had deleted is told of; the rest waits for a new plan."""

    class Killed(BaseException):
        pass

    office.upload(*(f"acme/{number}.wav" for number in range(4)))
    age(office, clock)
    plan = office.plan()
    with monkeypatch.context() as patch:
        kill_at(patch, office, "delete", Killed)
        with pytest.raises(Killed):
            office.apply(plan, batch=2)
    office.dead.add("me")
    clock.time += 2 * DAY
    with pytest.raises(ConfigurationError, match="stale"):
        office.apply(plan)
    assert sorted(office.outcomes().values()) == [["deleted"], ["deleted"]]
    assert len(office.names()) == 2
    assert office.apply().outcomes == {"deleted": 2}
    assert office.names() == []


def test_the_audit_trail_has_each_run_before_it_acts(office: Office, clock: ManualClock) -> None:
    """Where it cannot be written down nothing is done; ids stand there, no names of files."""
    office.upload("acme/secret-name.wav", "acme/b.wav")
    age(office, clock)
    plan = office.plan()
    office.apply(plan)
    mine = [entry for entry in office.audit if entry.action == "retention.apply" and entry.target == plan.id]
    assert [(entry.before, entry.after) for entry in mine] == [("", "begun"), ("begun", "done")]
    assert "2 deleted" in mine[-1].detail
    assert {entry.policy_version for entry in mine} == {1}
    assert "secret-name" not in "".join(entry.model_dump_json() for entry in office.audit)


def test_nothing_is_deleted_where_it_cannot_be_written_down(office: Office, clock: ManualClock) -> None:
    """The audit trail is down: the run does not begin."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    applying = office.applying()

    def refuse(entries: object) -> None:
        message = "the audit trail is down"
        raise Unavailable(message)

    applying._audit = refuse
    with pytest.raises(Unavailable):
        applying.apply(plan.path, execute=True, approve=True, reason="", actor="ada")
    assert office.names() == ["acme/a.wav"]


def test_the_rate_is_kept(office: Office, clock: ManualClock) -> None:
    """No more than so many deletions a second; the bucket of tokens holds a tenth of a second's worth."""
    office.upload(*(f"acme/{number}.wav" for number in range(30)))
    age(office, clock)
    plan = office.plan()
    now = [0.0]
    applying = office.applying()
    pace = applying._deleter._pace
    pace._step_s, pace._monotonic = 0.1, lambda: now[0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)

    pace._pause = sleep
    applying.apply(plan.path, execute=True, approve=True, reason="", actor="ada")
    assert max(slept) == pytest.approx(2.9, abs=0.01)
    assert len(slept) == 29


def test_temporary_objects_need_no_notice(office: Office, clock: ManualClock) -> None:
    """A day after they came they go."""
    office.upload("acme/a.wav", bucket="temporary", object_class="temporary")
    clock.time += DAY - timedelta(seconds=1)
    assert office.apply().outcomes == {}
    clock.move(1)
    assert office.apply().outcomes == {"deleted": 1}
    assert office.postman.sent == []


def test_a_hold_waits_until_every_run_has_looked_again(office: Office, clock: ManualClock) -> None:
    """The next round reads the holds anew, after all deletions of this one; dead runs are not waited for."""
    lease = office.runs.take("20260101T000000Z-00000000", actor="bob", reason="", approved=True)
    assert office.runs.wait_until_seen(most_s=0) == []
    lease.update(state="deleting", rounds=7)
    looks: list[float] = []

    def round_passes(seconds: float) -> None:
        looks.append(seconds)
        lease.update(rounds=lease.run.rounds + 1)

    assert office.runs.wait_until_seen(pause=round_passes) == []
    assert len(looks) == 1
    assert office.runs.wait_until_seen(most_s=0) == [lease.run.plan]
    lease.update(state="done")
    assert office.runs.wait_until_seen(most_s=0) == []
    lease.update(state="deleting")
    office.dead.add("me")
    assert office.runs.wait_until_seen(most_s=0) == []


def test_a_run_says_so_before_it_looks(office: Office, monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    """Whoever places a hold finds a run to wait for from the moment on at which that run reads the holds."""
    office.upload("acme/a.wav", bucket="temporary", object_class="temporary")
    clock.time += DAY
    seen: list[list[str]] = []
    look = office.outlook

    def looked() -> Outlook:
        seen.append([run.state for run in office.runs.all()])
        return look()

    monkeypatch.setattr(office, "outlook", looked)
    assert office.apply().outcomes == {"deleted": 1}
    assert seen[-1] == ["deleting"]


def test_one_plan_at_a_time(office: Office, clock: ManualClock) -> None:
    """Another plan waits for the one that is carried out, until that has ended or its process is dead."""
    first = office.runs.take("20260101T000000Z-00000000", actor="bob", reason="", approved=True)
    with pytest.raises(ConfigurationError, match="one is at a time"):
        office.runs.take("20260101T000000Z-11111111", actor="bob", reason="", approved=True)
    first.update(state="done")
    office.runs.give_back(first.run.plan)
    second = office.runs.take("20260101T000000Z-11111111", actor="bob", reason="", approved=True)
    clock.move(61)
    third = office.runs.take("20260101T000000Z-22222222", actor="bob", reason="", approved=True)
    office.runs.give_back(second.run.plan)
    with pytest.raises(ConfigurationError, match=third.run.plan):
        office.runs.take("20260101T000000Z-33333333", actor="bob", reason="", approved=True)
    office.dead.add("me")
    office.runs.take("20260101T000000Z-33333333", actor="bob", reason="", approved=True)


def test_a_run_gives_signs_of_life(office: Office, clock: ManualClock) -> None:
    """A sign is written down when a third of the minute has passed, not at every call."""
    lease = office.runs.take("20260101T000000Z-00000000", actor="bob", reason="", approved=True)
    generation = lease._generation
    clock.move(19)
    lease.beat()
    assert lease._generation == generation
    clock.move(1)
    lease.beat()
    assert office.runs.find(lease.run.plan) == Run.model_validate({**dict(lease.run), "beat_at": clock.time})


def test_failing_rows_are_written_by_the_next_run(office: Office, clock: ManualClock) -> None:
    """The warehouse is down after the deletions: the run breaks off, the next one writes what was decided."""
    office.upload("acme/a.wav")
    age(office, clock)
    plan = office.plan()
    flaky = FlakyWarehouse(office.warehouse)
    applying = office.applying()
    applying._warehouse = flaky
    flaky.faults.down = True
    with pytest.raises(Unavailable):
        applying.apply(plan.path, execute=True, approve=True, reason="", actor="ada")
    assert office.names() == []
    assert office.rows("deletions") == []
    assert office.apply(plan).outcomes == {"deleted": 1}
    assert list(office.outcomes().values()) == [["deleted"]]


def test_notices_that_failed_are_tried_again_by_the_same_plan(office: Office, clock: ManualClock) -> None:
    """Its deletions are done, and whoever did not take a notice is asked once more."""
    office.upload("acme/a.wav")
    office.contacts["acme"] = [email("acme")]
    office.postman.faults["email"] = [Unavailable("451 later")]
    clock.time += 24 * DAY
    plan = office.plan()
    assert office.apply(plan).notified.failed == 1
    assert office.apply(plan).notified.sent == 1
    assert office.apply(plan).notified.sent == 0
    assert office.postman.got("email") == ["acme/2026-01-25"]
    assert office.postman.got("topic") == ["acme/2026-01-25"]
