"""Dead letters: the rules by which they change, by examples."""

from datetime import timedelta

import pytest

from earmark.actor import actor_name
from earmark.domain import Failure, Job, Lease, Record
from router.dead_letters.changes import LIVES_MAX, Terms, bury, claim, confirm, discard, interrupt, observed
from router.dead_letters.collector import history_of
from router.dead_letters.letter import NO_FINGERPRINT, UNSETTLED, DeadLetter, State
from router.dead_letters.pace import Pace
from router.dead_letters.selection import Selection, grouped
from tests.making import EPOCH, make_failure, make_job

TERMS = Terms(keep=timedelta(days=7), replays_max=3)
SECOND = timedelta(seconds=1)


def fail(number: int, at_s: float, **fields: object) -> Failure:
    """A failed try at a time."""
    return make_failure(try_number=number).model_copy(update={"at": EPOCH + at_s * SECOND, **fields})


def buried(letter: DeadLetter | None, job: Job, *failures: Failure) -> DeadLetter:
    """The letter after a burial, told at the time of the last failure."""
    now = failures[-1].at if failures else EPOCH
    return bury(letter, job, failures, now=now, terms=TERMS, actor="me")


def replayed(letter: DeadLetter, at_s: float, *, states: frozenset[State] = frozenset({State.OPEN})) -> DeadLetter:
    """The letter put in its lane again."""
    now = EPOCH + at_s * SECOND
    claimed = claim(letter, now=now, until=now + 60 * SECOND, terms=TERMS, actor="me", model=None, states=states)
    assert claimed is not None
    assert claimed.pending is not None
    confirmed = confirm(claimed, claimed.pending)
    assert confirmed is not None
    return confirmed


def done(letter: DeadLetter) -> Record:
    """The record of an answer."""
    return Record(job_id=letter.id, tenant=letter.tenant, status="done", enqueued_at=EPOCH, settled_at=EPOCH)


def a_letter() -> DeadLetter:
    """An open letter."""
    return buried(None, make_job(), fail(1, 1), fail(2, 2), fail(3, 3))


def test_a_burial_is_an_open_letter() -> None:
    """It has the job, the tries, the cause of the last one, and seven days."""
    letter = a_letter()
    assert letter.state is State.OPEN
    assert [failure.try_number for failure in letter.lives[0].failures] == [1, 2, 3]
    assert letter.first_buried_at == letter.last_buried_at == EPOCH + 3 * SECOND
    assert letter.expires_at == letter.last_buried_at + timedelta(days=7)
    assert (letter.fingerprint, letter.kind, letter.model) == ("0" * 16, "model_crashed", "scripted")


def test_a_burial_told_again_changes_nothing() -> None:
    """Not even hours later: the very same letter comes back."""
    letter = a_letter()
    again = bury(letter, make_job(), letter.lives[0].failures, now=EPOCH + 9999 * SECOND, terms=TERMS, actor="me")
    assert again is letter


def test_one_message_delivered_twice_is_one_life() -> None:
    """Two workers fail with the same message: all their tries, and no second life."""
    letter = buried(a_letter(), make_job(), fail(1, 1), fail(2, 5), fail(3, 6))
    assert len(letter.lives) == 1
    assert len(letter.lives[0].failures) == 5
    assert letter.state is State.OPEN


def test_a_history_that_cannot_be_read_is_a_letter_all_the_same() -> None:
    """It is in a group of its own, and told again it is known."""
    letter = buried(None, make_job())
    assert (letter.fingerprint, letter.kind, letter.failure) == (NO_FINGERPRINT, "", None)
    assert buried(letter, make_job()) is letter
    assert grouped([letter])[0].count == 1


def test_a_replay_is_the_same_job_anew() -> None:
    """Lane, arm, upload and pipeline stay; only the time it was put is another."""
    letter = a_letter()
    again = replayed(letter, 100)
    assert again.state is State.REPLAYED
    assert again.job.enqueued_at == EPOCH + 100 * SECOND
    assert again.job.model_copy(update={"enqueued_at": EPOCH}) == letter.job
    assert [act.action for act in again.acts] == ["dlq.replay"]
    assert again.expires_at == EPOCH + 100 * SECOND + timedelta(days=7)


def test_only_one_of_two_replays_gets_a_letter() -> None:
    """Whoever comes second finds it under way, unless that is what was asked for."""
    letter = replayed(a_letter(), 100)
    now = EPOCH + 101 * SECOND
    for states, wanted in ((frozenset({State.OPEN}), None), (frozenset({State.REPLAYED}), 2)):
        claimed = claim(letter, now=now, until=now, terms=TERMS, actor="you", model=None, states=states)
        assert (len(claimed.replays) if claimed else None) == wanted
    assert claimed is not None
    assert [replay.outcome for replay in claimed.replays] == ["interrupted", "pending"]


def test_a_replay_that_fails_opens_the_letter_again() -> None:
    """With one life more, and the earlier tries kept."""
    letter = replayed(a_letter(), 100)
    again = buried(letter, letter.job, fail(1, 101), fail(2, 102), fail(3, 103))
    assert again.state is State.OPEN
    assert [len(life.failures) for life in again.lives] == [3, 3]
    assert (again.replays[0].outcome, again.failed_replays) == ("failed", 1)


def test_the_third_failed_replay_quarantines() -> None:
    """It says why, and is not replayed along with others; asked for by state it may be, and comes back the same."""
    letter = a_letter()
    for number in (1, 2, 3):
        letter = replayed(letter, 100 * number)
        letter = buried(letter, letter.job, fail(1, 100 * number + 1))
        assert letter.state is (State.QUARANTINED if number == 3 else State.OPEN)
    assert letter.reason == "3 replays failed"
    assert [act.action for act in letter.acts].count("dlq.quarantine") == 1
    now = EPOCH + 500 * SECOND
    open_only = frozenset({State.OPEN})
    assert claim(letter, now=now, until=now, terms=TERMS, actor="me", model=None, states=open_only) is None
    letter = replayed(letter, 500, states=frozenset({State.QUARANTINED}))
    letter = buried(letter, letter.job, fail(1, 501))
    assert letter.state is State.QUARANTINED


def test_an_old_burial_told_late_does_not_fail_a_replay() -> None:
    """A message of the life before is known by when it was put."""
    first = a_letter()
    letter = replayed(first, 100)
    assert buried(letter, first.job, *first.lives[0].failures) is letter
    late = buried(letter, first.job, fail(3, 99))
    assert (late.state, len(late.lives)) == (State.REPLAYED, 1)


def test_a_job_that_was_in_its_lane_already_ends_the_replay() -> None:
    """A queue that coalesces keeps the one it had, whose burial tells how the replay ended."""
    letter = replayed(a_letter(), 100)
    other = make_job(enqueued_at=EPOCH + 50 * SECOND)
    assert buried(letter, other, fail(1, 99)).state is State.REPLAYED, "buried before it was replayed"
    assert buried(letter, other, fail(1, 101)).state is State.OPEN


def test_an_answer_resolves() -> None:
    """Whenever it was written, for a done record stands; what is discarded stays so."""
    letter = a_letter()
    now = EPOCH + 200 * SECOND
    for each in (letter, replayed(letter, 100)):
        resolved = observed(each, done(each), now=now)
        assert resolved.state is State.RESOLVED
        assert resolved.pending is None
        assert observed(resolved, done(each), now=now) is resolved
    failed = done(letter).model_copy(update={"status": "failed"})
    assert observed(letter, failed, now=now) is letter
    discarded = discard(letter, now=now, actor="me", reason="test")
    assert discarded is not None
    assert observed(discarded, done(letter), now=now) is discarded


def test_failed_replays_count_from_the_last_answer() -> None:
    """A job that had its answer in between begins anew."""
    letter = replayed(a_letter(), 100)
    letter = buried(letter, letter.job, fail(1, 101))
    letter = replayed(letter, 200)
    letter = observed(letter, done(letter), now=EPOCH + 201 * SECOND)
    assert letter.failed_replays == 0
    letter = buried(letter, make_job(enqueued_at=EPOCH + 300 * SECOND), fail(1, 301))
    assert letter.state is State.OPEN, "sent and buried anew"


def test_a_claim_that_nobody_put_runs_out() -> None:
    """The letter is as before; the job may be running all the same, and its burial is then told as it was."""
    letter = a_letter()
    now = EPOCH + 100 * SECOND
    claimed = claim(
        letter, now=now, until=now + SECOND, terms=TERMS, actor="me", model=None, states=frozenset({State.OPEN})
    )
    assert claimed is not None
    assert observed(claimed, None, now=now) is claimed
    open_again = observed(claimed, None, now=now + SECOND)
    assert (open_again.state, open_again.replays[0].outcome) == (State.OPEN, "interrupted")
    assert confirm(open_again, claimed.replays[0]) is None
    assert interrupt(open_again, claimed.replays[0], now=now) is None
    failed = buried(open_again, claimed.job, fail(1, 150))
    assert (failed.state, failed.replays[0].outcome) == (State.OPEN, "failed")


def test_discarding_needs_a_letter_that_waits() -> None:
    """One under way is not discarded; one that is discarded and buried anew is open."""
    letter = a_letter()
    assert discard(replayed(letter, 100), now=EPOCH, actor="me", reason="no") is None
    gone = discard(letter, now=EPOCH, actor="me", reason="test upload")
    assert gone is not None
    assert (gone.state, gone.reason) == (State.DISCARDED, "test upload")
    assert discard(gone, now=EPOCH, actor="me", reason="twice") is None
    anew = buried(gone, make_job(enqueued_at=EPOCH + 9 * SECOND), fail(1, 10))
    assert (anew.state, anew.reason) == (State.OPEN, "")


def test_a_letter_stays_small() -> None:
    """Of a job sent and buried again and again it tells the latest lives, and an old one told late is passed over."""
    letter = a_letter()
    for number in range(1, LIVES_MAX + 5):
        letter = buried(letter, make_job(enqueued_at=EPOCH + number * 10 * SECOND), fail(1, number * 10 + 1))
    assert len(letter.lives) == LIVES_MAX
    assert buried(letter, make_job(), fail(1, 1)) is letter


def test_collectors_that_died_are_no_tries() -> None:
    """The leases of the dead queue leave failures of their own, which say nothing about the job."""
    lost = make_failure("worker_lost")
    own = (make_failure("timed_out"), lost)
    assert history_of(Lease(make_job(), "t", 1, EPOCH, own)) == own
    assert history_of(Lease(make_job(), "t", 3, EPOCH, (*own, lost, lost))) == own
    assert history_of(Lease(make_job(), "t", 3, EPOCH, ())) == ()
    assert history_of(Lease(make_job(), "t", 2, EPOCH, (lost, own[0]))) == (lost, own[0])


def test_filters() -> None:
    """Each filter alone lets the letter pass or not."""
    letter = a_letter()
    at = letter.last_buried_at
    passing = [
        {"tenant": "acme"},
        {"kind": "model_crashed"},
        {"model": "scripted"},
        {"group": "000"},
        {"since": at},
        {"until": at + SECOND},
        {"states": UNSETTLED},
    ]
    stopping = [
        {"tenant": "beta"},
        {"kind": "model"},
        {"model": "other"},
        {"group": "1"},
        {"since": at + SECOND},
        {"until": at},
        {"states": frozenset({State.RESOLVED})},
    ]
    assert all(Selection(**fields).matches(letter) for fields in passing)  # type: ignore[arg-type]
    assert not any(Selection(**fields).matches(letter) for fields in stopping)  # type: ignore[arg-type]


def test_groups_count_by_cause() -> None:
    """The largest first, with a few ids, whose they are, and from when to when."""
    many = [buried(None, make_job(str(number)), fail(1, number)) for number in range(5)]
    other = buried(None, make_job("other"), fail(1, 9, fingerprint="f" * 16, kind="no_answer", message="silence"))
    first, second = grouped([other, *many])
    assert (first.fingerprint, first.count, len(first.sample)) == ("0" * 16, 5, 3)
    assert (first.first_at, first.last_at) == (EPOCH, EPOCH + 4 * SECOND)
    assert dict(first.tenants) == {"acme": 5}
    assert (second.count, second.message, dict(second.kinds)) == (1, "silence", {"no_answer": 1})


@pytest.mark.parametrize(("rate", "seconds", "wanted"), [(None, 0, 1000), (10.0, 2.0, 21), (200.0, 1.0, 220)])
def test_pace(rate: float | None, seconds: float, wanted: int) -> None:
    """So many a second, and a tenth of a second's worth at once; unset, all."""
    now = 0.0
    pace = Pace(rate, monotonic=lambda: now)
    taken = pace.take(1000)
    while rate is not None and (step := max(pace.wait_s(), 1e-3)) and now + step <= seconds + 1e-6:
        now += step
        taken += pace.take(1000 - taken)
    assert taken == pytest.approx(wanted, abs=1)


def test_who_acts() -> None:
    """The setting, else somebody at least."""
    assert actor_name("ada") == "ada"
    assert actor_name("")
