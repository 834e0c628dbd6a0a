"""One answer from the answers about the windows of a clip.

**Votes.**  An answer's *worth* is its raw score (its confidence where it has no score, ``UNSCORED`` where it has
neither) within ``WORTH_LEAST``..1; its *vote* is worth x seconds of its window.  A value wins by the sum of its votes.

**Agreement.**  The score of a winner is

    share of the votes that are for it  x  mean score of the windows that gave it, weighted by seconds.

So windows that agree keep their score and each that says otherwise lowers it; no score rises.  Where no window that
agrees has a score the result has none: agreement alone is not taken for a probability.  Merged answers are
uncalibrated.

**Whose vote counts.**  Unknown (``None``) is no vote.  Music's fields are asked of the windows with music, the language
of those with speech; but where the clip as a whole is something else, of the windows that are that: a jingle gives a
talk no tempo.  A description counts where its window's content type is the merged one.  Where no window qualifies all
are asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from earmark.domain import CLIP_RATE_HZ
from earmark.metadata import AudioMetadata, Rated
from earmark.vocabulary import ContentType, Vocals
from workers.models.answer import shapes
from workers.models.transcript_join import joined
from workers.models.windows import LEAST_S, Window

FAIR_SHARE: Final = 0.25
"""Share of the votes from which a part of a clip counts as a part of what the clip is."""
UNSCORED: Final = 0.5
"""Worth of an answer that nothing is known of: between that of a sure and of an unsure one."""
WORTH_LEAST: Final = 0.01
"""No answer is worth nothing, so that there are votes to share."""
SAME_TEMPO: Final = 0.04
"""Tempi this near to each other, relatively, are the same: the tolerance of tempo evaluations since the
ISMIR contest of 2004 (Gouyon and others 2006)."""
HALF: Final = 0.5
USUAL_BPM: Final = 120.0
"""The tempo people tap most readily (van Noorden and Moelants 1999): between octaves with equal votes the nearer."""
GAP: Final = " … "
"""Stands in a transcript where the clip was not heard."""

_MUSIC: Final = frozenset({ContentType.MUSIC, ContentType.MIXED})
_SPEECH: Final = frozenset({ContentType.SPEECH, ContentType.MIXED})
_BOTH: Final = _MUSIC | _SPEECH
_ASKED: Final[Mapping[str, frozenset[ContentType]]] = {
    **dict.fromkeys(("genres", "moods", "instruments", "vocals", "tempo_bpm", "key"), _MUSIC),
    "language": _SPEECH,
}
"""The content types of the windows whose word on a field counts, as far as there are any."""
_Heard = tuple[Window, AudioMetadata]


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """What the model said about one window."""

    window: Window
    metadata: AudioMetadata | None
    """``None`` = no answer."""


@dataclass(frozen=True, slots=True)
class _Vote:
    """One window's answer for one field."""

    content: ContentType | None
    """Of the window."""
    seconds: float
    """Length of the window, at least a little, so that empty windows can vote among themselves."""
    value: Any
    score: float | None
    """How sure the window is, 0 to 1."""

    @property
    def weight(self) -> float:
        """Worth x seconds."""
        return self.seconds * max(WORTH_LEAST, UNSCORED if self.score is None else self.score)


def merge_windows(answers: Sequence[WindowAnswer]) -> AudioMetadata:
    """What the windows say together; the order of the answers does not matter.

    The answer of a single window is the result, unchanged.

    - ``content_type``: silence only if nothing else is heard.  Mixed if music and speech both have ``FAIR_SHARE`` of
      the votes, a mixed window counting for both, and together half of them.
    - ``genres``, ``moods``, ``instruments``, ``tags``: each entry for itself; its share is that of the seconds.  Those
      with ``FAIR_SHARE`` stay, and the best one always; the best come first.
    - ``vocals``: none only if a voice has less than ``FAIR_SHARE``: an instrumental part does not contradict a singer.
    - ``tempo_bpm``: see ``_tempo``.
    - ``transcript``: in the order of time; see ``_transcript``.
    - ``description``: the one with the greatest score; that score times the share of the content type.
    - every other field: the value with the most votes.

    Raises:
        ValueError: no window has an answer.
    """
    heard = [(answer.window, answer.metadata) for answer in answers if answer.metadata is not None]
    if not heard:
        message = "no window has an answer"
        raise ValueError(message)
    if len(heard) == 1:
        return heard[0][1]
    heard.sort(key=lambda pair: (pair[0], pair[1].model_dump_json()))
    content, content_share = _content_type(_votes(heard, "content_type"))
    asked = {name: _asked(heard, name, content.value) for name in shapes()}
    votes = {name: _votes(asked[name], name) for name, shape in shapes().items() if not shape.is_list}
    merged: dict[str, Any] = {
        "content_type": content,
        "vocals": _vocals(votes["vocals"]),
        "tempo_bpm": _tempo(votes["tempo_bpm"]),
        "transcript": _transcript(heard),
        "description": _description(votes["description"], content.value, content_share),
    }
    for name, shape in shapes().items():
        if name not in merged:
            merged[name] = _entries(asked[name], name) if shape.is_list else _winner(votes[name])
    return AudioMetadata(**merged)


def _asked(heard: Sequence[_Heard], name: str, content: ContentType | None) -> list[_Heard]:
    """The windows whose word on a field counts."""
    kinds = _ASKED.get(name, frozenset(ContentType) | {None})
    if content is not None and content not in kinds:
        kinds = frozenset({content})
    return [pair for pair in heard if pair[1].content_type.value in kinds] or list(heard)


def _votes(asked: Sequence[_Heard], name: str) -> list[_Vote]:
    found = ((window, metadata, getattr(metadata, name)) for window, metadata in asked)
    return [_vote(window, metadata, rated) for window, metadata, rated in found if rated.value is not None]


def _vote(window: Window, metadata: AudioMetadata, rated: Rated[Any]) -> _Vote:
    score = rated.score if rated.score is not None else rated.confidence
    known = None if score is None or math.isnan(score) else min(1.0, max(0.0, score))
    return _Vote(metadata.content_type.value, max(window.duration_s, LEAST_S), rated.value, known)


def _weight(votes: Iterable[_Vote]) -> float:
    return sum(vote.weight for vote in votes)


def _share(votes: Sequence[_Vote], whole: Sequence[_Vote]) -> float:
    return _weight(votes) / _weight(whole) if votes else 0.0


def _mean_score(votes: Sequence[_Vote]) -> float | None:
    """Weighted by seconds; ``None`` where no vote has a score."""
    scored = [(vote.score, vote.seconds) for vote in votes if vote.score is not None]
    return sum(score * seconds for score, seconds in scored) / sum(seconds for _, seconds in scored) if scored else None


def _elected(value: object, votes: Sequence[_Vote], share: float) -> Rated[Any]:
    """A value with the score of the windows that gave it, lowered by those that did not."""
    score = _mean_score(votes)
    return Rated[Any](value=value, score=None if score is None else min(1.0, share) * score)


def _winner(votes: Sequence[_Vote]) -> Rated[Any]:
    if not votes:
        return Rated[Any]()
    values = sorted({vote.value for vote in votes})
    camps = [[vote for vote in votes if vote.value == value] for value in values]
    camp = max(camps, key=_weight)
    return _elected(camp[0].value, camp, _share(camp, votes))


def _content_type(votes: Sequence[_Vote]) -> tuple[Rated[Any], float]:
    """The content type, and its share of the votes."""
    sounding = [vote for vote in votes if vote.value is not ContentType.SILENCE] or list(votes)
    camps = {kinds: [vote for vote in sounding if vote.value in kinds] for kinds in (_MUSIC, _SPEECH, _BOTH)}
    shares = {kinds: _share(camp, sounding) for kinds, camp in camps.items()}
    if min(shares[_MUSIC], shares[_SPEECH]) >= FAIR_SHARE and shares[_BOTH] >= HALF:
        return _elected(ContentType.MIXED, camps[_BOTH], shares[_BOTH]), shares[_BOTH]
    winner = _winner(sounding)
    return winner, _share([vote for vote in sounding if vote.value is winner.value], sounding) if votes else 1.0


def _vocals(votes: Sequence[_Vote]) -> Rated[Any]:
    voices = [vote for vote in votes if vote.value is not Vocals.NONE]
    return _winner(voices if _share(voices, votes) >= FAIR_SHARE else votes)


def _entries(asked: Sequence[_Heard], name: str) -> tuple[Rated[Any], ...]:
    votes: dict[str, list[_Vote]] = {}
    for window, metadata in asked:
        first = {rated.value: rated for rated in reversed(getattr(metadata, name)) if rated.value is not None}
        for value, rated in first.items():
            votes.setdefault(value, []).append(_vote(window, metadata, rated))
    seconds = sum(max(window.duration_s, LEAST_S) for window, _ in asked)
    merged: list[Rated[Any]] = []
    for value, camp in sorted(votes.items(), key=lambda item: (-_weight(item[1]), item[0])):
        share = sum(vote.seconds for vote in camp) / seconds
        if share >= FAIR_SHARE or not merged:
            merged.append(_elected(value, camp, share))
    return tuple(merged[: shapes()[name].bounds.entries])


def _tempo(votes: Sequence[_Vote]) -> Rated[Any]:
    """The median tempo, with octaves folded.

    A model often hears half or double the tempo.  So the tempi are first folded, by halving and doubling, around the
    one that most votes share in some octave; their median is the tempo but for its octave; and of the votes near it
    the octave with the most votes wins, between equals the one nearer to ``USUAL_BPM``.  Those in another octave do not
    agree: they lower the score.  What no answer may say, such as 5 beats a minute, is no vote.
    """
    least, most = shapes()["tempo_bpm"].bounds.numbers
    known = [vote for vote in votes if least <= vote.value <= most]
    if not known:
        return Rated[Any]()

    def octaves(tempo: float, other: float) -> int:
        return round(math.log2(tempo / other))

    def near(tempo: float) -> list[_Vote]:
        return [
            vote
            for vote in known
            if abs(math.log2(vote.value / tempo) - octaves(vote.value, tempo)) <= math.log2(1.0 + SAME_TEMPO)
        ]

    reference = max(sorted({vote.value for vote in known}), key=lambda tempo: _weight(near(tempo)))
    middle = _median((vote.value / 2.0 ** octaves(vote.value, reference), vote.weight) for vote in known)
    camps: dict[int, list[_Vote]] = {}
    for vote in near(middle):
        camps.setdefault(octaves(vote.value, middle), []).append(vote)
    octave = max(camps, key=lambda number: (_weight(camps[number]), -abs(math.log2(middle / USUAL_BPM) + number)))
    camp = camps[octave]
    return _elected(_median((vote.value, vote.weight) for vote in camp), camp, _share(camp, known))


def _median(weighted: Iterable[tuple[float, float]]) -> float:
    """The least value that half of the weight does not exceed."""
    ordered = sorted(weighted)
    half, reached = sum(weight for _, weight in ordered) / 2.0, 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= half:
            return value
    return ordered[-1][0]


def _description(votes: Sequence[_Vote], content: ContentType | None, share: float) -> Rated[Any]:
    fitting = [vote for vote in votes if vote.content is content] or votes
    if not fitting:
        return Rated[Any]()
    best = max(fitting, key=lambda vote: (-1.0 if vote.score is None else vote.score, vote.seconds))
    return _elected(best.value, [best], share)


def _transcript(heard: Sequence[_Heard]) -> Rated[Any]:
    """The words of all windows; the score is their mean score, weighted by seconds.

    Where a window overlaps the one before, the longest run of words that ends the one and begins the other is said
    once.  Where there is time between two windows that nobody heard, ``GAP`` stands.
    """
    text, reached, spoken_to, missed = "", heard[0][0].start, 0, False
    votes = []
    for window, metadata in heard:
        missed |= window.start > reached
        reached = max(reached, window.stop)
        rated = metadata.transcript
        if not rated.value:
            continue
        votes.append(_vote(window, metadata, rated))
        if missed and text:
            text += GAP + rated.value
        else:
            text = joined(text, rated.value, overlap_s=max(0, spoken_to - window.start) / CLIP_RATE_HZ)
        spoken_to, missed = max(spoken_to, window.stop), False
    return _elected(text, votes, 1.0) if text else Rated[Any]()
