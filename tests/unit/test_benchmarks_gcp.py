"""The benchmarks' own judgement: what they call lost, buried too soon or late."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.chaos import Journal, faults_of_job, is_poison
from benchmarks.lanes import waits_of
from benchmarks.scripted import Heard, job_of
from earmark.domain import Lease, Record
from tests.making import EPOCH, make_failure

KINDS = ("model_crashed", "worker_lost", "model_crashed")


def failed(word: str, kinds: tuple[str, ...] = KINDS) -> tuple[Record, Lease]:
    """The record and the letter of a job that failed so."""
    job = job_of(word)
    failures = tuple(make_failure(kind, number + 1) for number, kind in enumerate(kinds))
    record = Record.model_validate(
        {
            "job_id": job.id,
            "tenant": job.upload.tenant,
            "status": "failed",
            "enqueued_at": EPOCH,
            "settled_at": EPOCH,
            "failures": failures,
        }
    )
    return record, Lease(job, "token", 1, EPOCH, failures)


def faults(word: str, record: Record | None, letters: list[Lease]) -> list[str]:
    """What the examination finds wrong."""
    return faults_of_job(word, job_of(word), record, letters, Counter())


def test_poison_is_known_by_its_word() -> None:
    """Only words that always fail are poison."""
    assert [is_poison(word) for word in ("good-1", "raise-1", "none-1", "crash-1")] == [False, True, True, True]


def test_a_poison_job_with_three_tries_and_a_letter_is_right() -> None:
    """The last failure named twice, as after a worker that died while it buried, is no fourth try."""
    record, letter = failed("raise-1")
    assert faults("raise-1", record, [letter]) == []
    twice = Lease(letter.job, "t", 1, EPOCH, (*letter.history, letter.history[-1]))
    assert faults("raise-1", record, [twice]) == []


@pytest.mark.parametrize(
    ("word", "kinds", "said"),
    [
        ("raise-1", KINDS[:2], "after 2 tries"),
        ("raise-1", (*KINDS, "no_answer"), "after 4 tries"),
        ("good-1", ("no_answer", *KINDS[:2]), "is sound and was buried"),
    ],
)
def test_wrong_ends_are_found(word: str, kinds: tuple[str, ...], said: str) -> None:
    """Too few tries, too many, and sound jobs buried for anything but kills."""
    record, letter = failed(word, kinds)
    assert any(said in fault for fault in faults(word, record, [letter]))


def test_a_lost_job_and_a_lost_letter_are_found() -> None:
    """No record, or a failed record without a letter."""
    assert faults("good-1", None, []) == ["has no record"]
    assert faults("raise-1", failed("raise-1")[0], []) == ["is not among the dead letters"]


def test_a_half_written_line_is_no_hearing(tmp_path: Path) -> None:
    """A journal is read up to its last whole line, and on from there."""
    journal = Journal(tmp_path / "journal")
    journal.path.write_text("1.0 id good-1\n2.0 id go")
    journal.read()
    assert journal.hearings == {"good-1": 1}
    journal.path.write_text("1.0 id good-1\n2.0 id good-2\n")
    journal.read()
    assert journal.hearings == {"good-1": 1, "good-2": 1}


def test_waits_are_from_put_to_the_first_hearing() -> None:
    """Later hearings do not count, low jobs are counted apart, and a job never heard fails the benchmark."""
    heard = [Heard(1.010, "a", "high-0"), Heard(2.0, "a", "high-0"), Heard(1.5, "b", "low-0")]
    waits = waits_of({"high-0": 1.0}, heard, 1.0, 2.0)
    assert (round(waits.p50_ms), round(waits.p99_ms), waits.low_per_s) == (10, 10, 1.0)
    with pytest.raises(RuntimeError, match="never began"):
        waits_of({"high-1": 1.0}, heard, 1.0, 2.0)
