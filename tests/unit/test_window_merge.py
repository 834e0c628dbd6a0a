"""Windows vote, and each that says otherwise lowers the score."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.metadata import KEYS, AudioMetadata, Rated
from earmark.vocabulary import Basis, ContentType, Genre, Vocals
from workers.models.answer import BOUNDS, metadata_of
from workers.models.window_merge import FAIR_SHARE, GAP, WindowAnswer, merge_windows
from workers.models.windows import Window

RATE_HZ = 16_000


def window(start_s: float, stop_s: float) -> Window:
    """A window between two times in seconds."""
    return Window(round(start_s * RATE_HZ), round(stop_s * RATE_HZ))


def said(*values: dict[str, Any] | None, score: float | None = 0.8) -> list[WindowAnswer]:
    """Answers of windows of 30 s side by side, all equally sure."""
    return [
        WindowAnswer(
            window(30 * index, 30 * index + 30),
            None if each is None else metadata_of(each, dict.fromkeys(each, score)),
        )
        for index, each in enumerate(values)
    ]


def scored(field: str, *pairs: tuple[Any, float | None]) -> list[WindowAnswer]:
    """Answers for one field, each with its own score."""
    return [
        WindowAnswer(window(30 * index, 30 * index + 30), metadata_of({field: value}, {field: score}))
        for index, (value, score) in enumerate(pairs)
    ]


def kinds(*names: str) -> list[WindowAnswer]:
    """Answers that say the content type alone."""
    return said(*({"content_type": name} for name in names))


SCORES = st.none() | st.floats(0, 1)


@st.composite
def window_answers(draw: st.DrawFn) -> list[WindowAnswer]:
    """Windows anywhere, with any answers."""
    rated = st.builds(Rated[Any], value=st.none(), score=st.none())

    def any_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.builds(Rated[Any], value=values, score=SCORES) | rated

    answers = []
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, 4000))
        metadata = AudioMetadata(
            content_type=draw(any_of(st.sampled_from(ContentType))),
            genres=tuple(draw(st.lists(any_of(st.sampled_from(Genre)), max_size=5))),
            vocals=draw(any_of(st.sampled_from(Vocals))),
            tempo_bpm=draw(any_of(st.floats(-1, 1e6) | st.integers(20, 300).map(float))),
            key=draw(any_of(st.sampled_from(KEYS))),
            transcript=draw(any_of(st.text(st.sampled_from("ab. か"), max_size=12))),
            description=draw(any_of(st.text(max_size=5))),
        )
        answers.append(
            WindowAnswer(Window(start, start + draw(st.integers(0, 2000))), draw(st.just(metadata) | st.none()))
        )
    return answers


def heard(answers: list[WindowAnswer]) -> list[AudioMetadata]:
    """The answers there are."""
    return [answer.metadata for answer in answers if answer.metadata is not None]


def entries(metadata: AudioMetadata) -> list[tuple[str, Rated[Any]]]:
    """Every value with the name of its field."""
    found = []
    for name in AudioMetadata.model_fields:
        rated = getattr(metadata, name)
        found += [(name, each) for each in (rated if isinstance(rated, tuple) else (rated,))]
    return found


def test_nothing_cannot_be_merged() -> None:
    """No windows, and windows without answers, are an error of the caller."""
    for answers in ([], said(None, None)):
        with pytest.raises(ValueError, match="no window"):
            merge_windows(answers)


def test_a_single_answer_is_the_result() -> None:
    """Unchanged, a confidence too, also beside windows that gave none."""
    metadata = AudioMetadata(
        tempo_bpm=Rated(value=5.0), key=Rated(value="C major", confidence=0.9, basis=Basis.CALIBRATED)
    )
    assert merge_windows([WindowAnswer(window(0, 30), metadata)]) is metadata
    assert merge_windows([*said(None, None), WindowAnswer(window(60, 70), metadata), *said(None)]) is metadata


@settings(max_examples=80, deadline=None)
@given(window_answers(), st.randoms())
def test_the_order_of_the_answers_does_not_matter(answers: list[WindowAnswer], random: Any) -> None:
    """The same windows in any order say the same."""
    if heard(answers):
        shuffled = answers[:]
        random.shuffle(shuffled)
        assert merge_windows(shuffled) == merge_windows(answers)


@settings(max_examples=80, deadline=None)
@given(window_answers())
def test_nothing_is_made_up(answers: list[WindowAnswer]) -> None:
    """Merged values come from windows, no score is above the best of the windows', and all travel as JSON."""
    if not heard(answers):
        return
    merged = merge_windows(answers)
    assert AudioMetadata.model_validate_json(merged.model_dump_json()) == merged
    if len(heard(answers)) == 1:
        return
    for name, rated in entries(merged):
        sources = [each for metadata in heard(answers) for field, each in entries(metadata) if field == name]
        if rated.value is None:
            continue
        if name not in {"transcript", "content_type"}:
            assert rated.value in [each.value for each in sources]
        best = max((each.score for each in sources if each.score is not None), default=None)
        assert rated.confidence is None
        assert rated.score is None or (best is not None and 0.0 <= rated.score <= best + 1e-9)


@settings(max_examples=60, deadline=None)
@given(window_answers(), st.integers(2, 4))
def test_windows_that_agree_keep_their_score(answers: list[WindowAnswer], count: int) -> None:
    """The same answer from several windows is that answer, with that score."""
    for metadata in heard(answers):
        merged = merge_windows([WindowAnswer(window(30 * index, 30 * index + 30), metadata) for index in range(count)])
        for name in ("content_type", "vocals", "tempo_bpm", "key", "description"):
            before, after = getattr(metadata, name), getattr(merged, name)
            if before.value is None or (name == "tempo_bpm" and not 20 <= before.value <= 300):
                continue
            assert after.value == before.value
            assert after.score == (None if before.score is None else pytest.approx(before.score))


@given(st.integers(1, 6), st.integers(0, 6), st.floats(0.05, 1))
def test_the_score_is_share_times_mean(agreeing: int, other: int, score: float) -> None:
    """With k of n equally sure windows for a value: k/n of their score; the more disagree, the lower."""
    merged = merge_windows(scored("key", *[("C major", score)] * agreeing, *[("D major", score)] * other))
    most = max(agreeing, other)
    assert merged.key.value == ("C major" if agreeing >= other else "D major")
    assert merged.key.score == pytest.approx(score * most / (agreeing + other))
    assert merged.key.basis is Basis.UNCALIBRATED


def test_sure_windows_outvote_unsure_ones() -> None:
    """By hand: 0.9 against 0.2 + 0.3, so that the share is 0.9 / 1.4."""
    merged = merge_windows(scored("key", ("C major", 0.2), ("D major", 0.9), ("C major", 0.3)))
    assert merged.key.value == "D major"
    assert merged.key.score == pytest.approx(0.9 * 0.9 / 1.4)


def test_long_windows_outvote_short_ones() -> None:
    """The rest of a clip, three seconds long, weighs a tenth."""
    answers = [
        WindowAnswer(window(0, 30), metadata_of({"language": "de"}, {"language": 0.5})),
        WindowAnswer(window(30, 33), metadata_of({"language": "en"}, {"language": 0.9})),
    ]
    merged = merge_windows(answers)
    assert merged.language.value == "de"
    assert merged.language.score == pytest.approx(0.5 * 15 / (15 + 2.7))


def test_unknown_is_no_vote() -> None:
    """A window that cannot tell neither agrees nor disagrees."""
    merged = merge_windows(scored("key", (None, None), ("C major", 0.6), (None, None)))
    assert (merged.key.value, merged.key.score) == ("C major", 0.6)
    assert merge_windows(scored("key", (None, None), (None, None))).key == Rated()


def test_without_scores_there_is_no_score() -> None:
    """Providers that tell no probabilities vote too, and agreement alone is not passed off as one."""
    merged = merge_windows(scored("key", ("C major", None), ("C major", None), ("D major", None)))
    assert (merged.key.value, merged.key.score) == ("C major", None)
    mixed = merge_windows(scored("key", ("C major", None), ("C major", 0.5)))
    assert mixed.key.score == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("names", "expected", "share"),
    [
        (("music", "music", "speech"), "mixed", 1),
        (("music", "speech"), "mixed", 1),
        (("music", "mixed", "music"), "mixed", 1),
        (("music",) * 4 + ("speech",), "music", 4 / 5),
        (("speech",) * 9 + ("mixed",), "speech", 9 / 10),
        (("music", "silence", "silence"), "music", 1),
        (("silence", "silence"), "silence", 1),
        (("sound", "sound", "music"), "sound", 2 / 3),
        (("sound", "sound", "sound", "mixed", "mixed"), "sound", 3 / 5),
        (("sound", "music", "speech", "speech"), "mixed", 3 / 4),
    ],
)
def test_content_type(names: tuple[str, ...], expected: str, share: float) -> None:
    """Both have a fair share: mixed; silence yields to everything; a jingle makes no talk a mixture."""
    for order in (names, names[::-1]):
        merged = merge_windows(kinds(*order))
        assert merged.content_type.value == expected
        assert merged.content_type.score == pytest.approx(0.8 * share)


@pytest.mark.parametrize(
    ("tempi", "expected", "agreeing"),
    [
        ((120, 60, 120, 240), 120, 2),
        ((60, 60, 120), 60, 2),
        ((140, 70, 141, 71, 100), 140, 2),
        ((100, 102, 101), 101, 3),
        ((90, 91, 133), 90, 2),
        ((50, 100, 200, 33), 100, 1),
        ((20, 300, 75), 75, 1),
        ((5, 120, 1e300), 120, 1),
    ],
)
def test_tempo(tempi: tuple[float, ...], expected: int, agreeing: int) -> None:
    """Half and double tempo are heard as the same beat; those in the octave of the result agree."""
    for order in (tempi, tempi[::-1]):
        merged = merge_windows(said(*({"tempo_bpm": tempo} for tempo in order)))
        assert merged.tempo_bpm.value == expected
        possible = sum(20 <= tempo <= 300 for tempo in tempi)
        assert merged.tempo_bpm.score == pytest.approx(0.8 * agreeing / possible)


@given(st.floats(40, 150), st.lists(st.sampled_from([-1, 0, 0, 0, 1]), min_size=2, max_size=6))
def test_octaves_fold(tempo: float, octaves: list[int]) -> None:
    """One beat heard in several octaves gives one of those that most windows heard."""
    merged = merge_windows(scored("tempo_bpm", *((tempo * 2.0**octave, 0.5) for octave in octaves)))
    octave = math.log2(merged.tempo_bpm.value / tempo)
    assert octaves.count(round(octave)) == max(octaves.count(each) for each in octaves)
    assert octave == pytest.approx(round(octave))


def test_lists_are_merged_entry_by_entry() -> None:
    """By the share of the time that has an entry; the best first, no rare ones, never more than a list holds."""
    merged = merge_windows(
        said(
            {"genres": ["jazz", "blues"]}, {"genres": ["jazz"]}, {"genres": ["jazz", "rock"]}, {"genres": ["jazz"]},
            {"genres": ["blues"]}, {"genres": []},
        )
    )  # fmt: skip
    assert [entry.value for entry in merged.genres] == ["jazz", "blues"]
    assert [entry.score for entry in merged.genres] == [pytest.approx(0.8 * 4 / 6), pytest.approx(0.8 * 2 / 6)]
    many = merge_windows(said({"tags": list("abcdefgh")}, {"tags": list("ijklmnop")}))
    assert len(many.tags) == BOUNDS["tags"].entries
    rare = merge_windows(said(*({"genres": [genre]} for genre in ("jazz", "rock", "pop", "folk", "funk"))))
    assert len(rare.genres) == 1
    assert FAIR_SHARE > 1 / 5


def test_an_instrumental_part_does_not_silence_a_singer() -> None:
    """None only where hardly anybody sings."""
    song = merge_windows(said(*({"vocals": word} for word in ("none", "female", "none", "female", "none"))))
    assert (song.vocals.value, song.vocals.score) == (Vocals.FEMALE, pytest.approx(0.8))
    instrumental = merge_windows(said(*({"vocals": word} for word in ("none",) * 5 + ("male",))))
    assert (instrumental.vocals.value, instrumental.vocals.score) == (Vocals.NONE, pytest.approx(0.8 * 5 / 6))


def test_each_field_is_asked_of_the_windows_it_concerns() -> None:
    """Applause has no genre to vote with, music no language; and a jingle gives a talk no tempo."""
    music = {"content_type": "music", "genres": ["rock"], "tempo_bpm": 100, "language": "fr"}
    applause = {"content_type": "sound", "genres": [], "tempo_bpm": 77}
    talk = {"content_type": "speech", "language": "en", "transcript": "Hello."}
    concert = merge_windows(said(music, applause, music, music))
    assert (concert.genres[0].score, concert.tempo_bpm.score) == (pytest.approx(0.8), pytest.approx(0.8))
    assert merge_windows(said(music, talk, music, talk)).language.value == "en"
    lecture = merge_windows(said(music, *[talk] * 9))
    assert lecture.content_type.value is ContentType.SPEECH
    assert (lecture.genres, lecture.tempo_bpm, lecture.language.value) == ((), Rated(), "en")


def test_the_description_is_that_of_the_surest_window_of_the_right_kind() -> None:
    """Applause at the end is not what a concert is described by; its score falls with the share of the kind."""
    answers = [
        WindowAnswer(window(30 * index, 30 * index + 30), metadata_of(
            {"content_type": kind, "description": text}, {"content_type": 0.5, "description": score}))
        for index, (kind, text, score) in enumerate(
            [("music", "A band.", 0.5), ("music", "A rock band.", 0.6), ("sound", "Applause.", 0.9)]
        )
    ]  # fmt: skip
    merged = merge_windows(answers)
    assert (merged.description.value, merged.description.score) == ("A rock band.", pytest.approx(0.6 * 2 / 3))
    both = merge_windows([*answers[:2], *(WindowAnswer(window(60 + x, 90 + x), metadata_of(
        {"content_type": "speech", "description": "A talk."}, {"description": 0.7})) for x in (0, 30))])  # fmt: skip
    assert (both.content_type.value, both.description.value) == (ContentType.MIXED, "A talk.")


def transcript(*pieces: tuple[float, float, str | None]) -> AudioMetadata:
    """What windows between two times heard, merged."""
    return merge_windows([WindowAnswer(window(start, stop), metadata_of({"transcript": text}, {"transcript": 0.5}))
                          for start, stop, text in pieces])  # fmt: skip


def test_the_transcript_is_in_the_order_of_time() -> None:
    """Windows side by side share no words, so a word said twice stays; unheard time shows; silence adds nothing."""
    assert transcript((30, 60, "no, I said."), (0, 30, "No,")).transcript.value == "No, no, I said."
    assert transcript((0, 30, "Good day."), (30, 60, None), (60, 90, "Bye.")).transcript.value == "Good day. Bye."
    assert transcript((0, 30, "Good day."), (60, 90, "Bye.")).transcript.value == f"Good day.{GAP}Bye."
    assert transcript((0, 30, None), (60, 90, "Bye."), (120, 150, None)).transcript.value == "Bye."
    assert transcript((0, 30, None), (30, 60, None)).transcript == Rated()
    assert transcript((0, 30, "a"), (15, 45, "b")).transcript.score == pytest.approx(0.5)


def test_a_window_without_an_answer_was_not_heard() -> None:
    """Its time is a gap in the transcript."""
    answers = said({"transcript": "One"}, None, {"transcript": "three."})
    assert merge_windows(answers).transcript.value == f"One{GAP}three."
