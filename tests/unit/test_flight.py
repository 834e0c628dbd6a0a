"""Which flights the model hears next."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from earmark.domain import CLIP_RATE_HZ, Clip, Technical
from earmark.vocabulary import Lane
from tests.making import EPOCH, make_lease
from workers.flight import URGENT_WAIT, Flight, next_batch


def flight(name: str, seconds: float = 10, lane: Lane = Lane.LOW, *kinds: str) -> Flight:
    """A decoded flight."""
    technical = Technical(
        duration_s=seconds, sample_rate_hz=16000, channels=1, codec="pcm_s16le", container="wav", size_bytes=1
    )
    lease = make_lease(name, lane, 1 + len(kinds), *kinds)
    return Flight(lease, EPOCH, Clip(lease.job.id, Path(name), int(seconds * CLIP_RATE_HZ), technical))


def test_nothing_ready_gives_nothing() -> None:
    """An empty worker starts no model."""
    assert next_batch([], decoding=[], max_jobs=8, max_audio_s=100, now=EPOCH) == []


def test_high_never_waits_for_low_to_fill() -> None:
    """A high flight goes at once and alone of its lane, even while low ones decode."""
    high, low = flight("a", lane=Lane.HIGH), flight("b")
    assert next_batch([low, high], decoding=[flight("c")], max_jobs=8, max_audio_s=100, now=EPOCH) == [high]


def test_low_waits_only_for_low_under_way() -> None:
    """A part-filled low batch waits while another low one decodes, and goes when none does."""
    low = flight("a")
    assert next_batch([low], decoding=[flight("b")], max_jobs=8, max_audio_s=100, now=EPOCH) == []
    assert next_batch([low], decoding=[], max_jobs=8, max_audio_s=100, now=EPOCH) == [low]


def test_low_lets_high_be_decoded_first() -> None:
    """A high job that has just come goes before a low batch that is ready; one that takes long does not hold it up."""
    low, high = flight("a"), flight("b", lane=Lane.HIGH)
    assert next_batch([low], decoding=[high], max_jobs=8, max_audio_s=100, now=EPOCH) == []
    assert next_batch([low], decoding=[high], max_jobs=8, max_audio_s=100, now=EPOCH + URGENT_WAIT) == [low]
    assert next_batch([low], decoding=[], max_jobs=8, max_audio_s=100, now=EPOCH) == [low]


def test_a_suspect_goes_alone() -> None:
    """A job whose last try killed something shares a batch with nobody, after the sound ones."""
    sound, suspect = flight("a"), flight("b", 10, Lane.LOW, "worker_lost")
    assert next_batch([suspect, sound], decoding=[], max_jobs=8, max_audio_s=100, now=EPOCH) == [sound]
    other = flight("c", 10, Lane.LOW, "model_crashed")
    assert next_batch([suspect, other], decoding=[], max_jobs=8, max_audio_s=100, now=EPOCH) == [suspect]


def test_a_longer_one_goes_alone() -> None:
    """Audio beyond the budget is not refused: it is a batch of its own."""
    assert len(next_batch([flight("a", 500)], decoding=[], max_jobs=8, max_audio_s=100, now=EPOCH)) == 1


@given(
    st.lists(st.tuples(st.floats(0.1, 300), st.sampled_from(Lane)), min_size=1, max_size=30),
    st.integers(1, 10),
    st.floats(10, 400),
)
def test_batches_are_bounded_and_everything_gets_its_turn(
    shapes: list[tuple[float, Lane]], max_jobs: int, max_audio_s: float
) -> None:
    """Every batch is one lane within both budgets, and repeated batches empty the ready list."""
    ready = [flight(str(index), seconds, lane) for index, (seconds, lane) in enumerate(shapes)]
    while ready:
        batch = next_batch(ready, decoding=[], max_jobs=max_jobs, max_audio_s=max_audio_s, now=EPOCH)
        assert batch
        assert len(batch) <= max_jobs
        assert len(batch) == 1 or sum(each.audio_s for each in batch) <= max_audio_s
        assert len({each.urgent for each in batch}) == 1
        ready = [each for each in ready if each not in batch]


def test_only_the_last_try_makes_a_suspect() -> None:
    """A job that behaved since it was in bad company is trusted again."""
    assert flight("a", 10, Lane.LOW, "no_answer", "timed_out").suspect
    assert not flight("b", 10, Lane.LOW, "model_crashed", "no_answer").suspect
    assert not flight("c").suspect
