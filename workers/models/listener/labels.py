"""Genres, moods, instruments, vocals and free tags: MusiCNN's words brought into the closed vocabularies.

Genres, moods and tags are groups of MusiCNN's own tags, with raw scores: there are no labels to calibrate them on.
Instruments and vocals come from linear models on MusiCNN's last layers, fitted by ``training.fit``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from earmark.metadata import Rated
from earmark.vocabulary import Basis, Genre, Instrument, Mood, Vocals
from workers.curves import log_odds
from workers.models.listener.built_in import BuiltInCurves
from workers.models.listener.content import linear, softmax
from workers.models.listener.events import MUSIC, SINGING, SPEECH
from workers.models.listener.speech import Voice
from workers.models.listener.tags import MSD_LABELS, MTT_LABELS, TagFrames

Floats = NDArray[np.float64]
Word = TypeVar("Word", bound=str)

WEIGHTS = Path(__file__).parent / "weights" / "labels.npz"
GENRES: Mapping[Genre, tuple[str, ...]] = {
    Genre.ALTERNATIVE: ("msd/alternative", "msd/alternative rock"),
    Genre.AMBIENT: ("msd/ambient", "mtt/ambient"),
    Genre.BLUES: ("msd/blues",),
    Genre.CLASSICAL: ("mtt/classical", "mtt/classic"),
    Genre.COUNTRY: ("msd/country", "mtt/country"),
    Genre.DANCE: ("msd/dance", "mtt/dance"),
    Genre.EASY_LISTENING: ("msd/easy listening",),
    Genre.ELECTRONIC: ("msd/electronic", "msd/electronica", "msd/electro", "mtt/electronic"),
    Genre.EXPERIMENTAL: ("msd/experimental",),
    Genre.FOLK: ("msd/folk",),
    Genre.FUNK: ("msd/funk",),
    Genre.HIP_HOP: ("msd/Hip-Hop",),
    Genre.HOUSE: ("msd/House",),
    Genre.INDIAN_CLASSICAL: ("mtt/indian",),
    Genre.INDIE: ("msd/indie", "msd/indie rock", "msd/indie pop"),
    Genre.JAZZ: ("msd/jazz",),
    Genre.METAL: ("msd/metal", "msd/heavy metal", "mtt/metal"),
    Genre.NEW_AGE: ("mtt/new age",),
    Genre.OPERA: ("mtt/opera",),
    Genre.POP: ("msd/pop", "mtt/pop"),
    Genre.PROGRESSIVE_ROCK: ("msd/Progressive rock",),
    Genre.PUNK: ("msd/punk",),
    Genre.RHYTHM_AND_BLUES: ("msd/rnb",),
    Genre.ROCK: ("msd/rock", "msd/classic rock", "msd/hard rock", "mtt/rock"),
    Genre.SOUL: ("msd/soul",),
    Genre.TECHNO: ("mtt/techno",),
}
MOODS: Mapping[Mood, tuple[str, ...]] = {
    Mood.BEAUTIFUL: ("msd/beautiful",),
    Mood.CALM: ("msd/chillout", "msd/chill", "mtt/quiet", "mtt/soft"),
    Mood.CATCHY: ("msd/catchy",),
    Mood.ENERGETIC: ("mtt/fast", "mtt/loud"),
    Mood.FESTIVE: ("msd/party",),
    Mood.HAPPY: ("msd/happy",),
    Mood.MELLOW: ("msd/Mellow",),
    Mood.SAD: ("msd/sad",),
    Mood.SENSUAL: ("msd/sexy",),
    Mood.WEIRD: ("mtt/weird",),
}
TAGS: Mapping[str, tuple[str, ...]] = {
    **{decade: (f"msd/{decade}",) for decade in ("60s", "70s", "80s", "90s", "00s")},
    "acoustic": ("msd/acoustic",),
    "oldies": ("msd/oldies",),
    "solo": ("mtt/solo",),
    "beat": ("mtt/beat", "mtt/beats"),
}
"""Free tags; none of them says what another field says."""
GENRE_FLOOR, GENRE_MOST = 0.15, 3
MOOD_FLOOR, MOOD_MOST = 0.12, 3
TAG_FLOOR, TAG_MOST = 0.15, 4
INSTRUMENT_FLOOR, INSTRUMENT_MOST = 0.4, 4
INSTRUMENTS: tuple[Instrument, ...] = tuple(Instrument)
"""The columns of the instrument model."""
SINGERS = (Vocals.NONE, Vocals.MALE, Vocals.FEMALE, Vocals.CHOIR)
"""Who can be told apart; ``present`` is for somebody of whom no more is sure."""
VOICE_TAGS = (
    "msd/female vocalists", "msd/male vocalists", "msd/female vocalist", "msd/instrumental", "msd/soul",
    "mtt/vocal", "mtt/female", "mtt/opera", "mtt/male", "mtt/singing", "mtt/vocals", "mtt/no vocals", "mtt/woman",
    "mtt/male vocal", "mtt/no vocal", "mtt/man", "mtt/choir", "mtt/voice", "mtt/male voice", "mtt/female vocal",
    "mtt/no voice", "mtt/female voice", "mtt/choral",
)  # fmt: skip
"""The tags that say who sings.  Measured: the last layers tell whether somebody does better, but who does worse."""
TAG_EDGE = 1e-3
"""Tags are not trusted to be less likely than this, nor to be likelier than one minus this."""
SURE = 0.5
"""A kind of singer less likely than this is only "present"."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What music is like; most likely first."""

    genres: tuple[Rated[Genre], ...]
    moods: tuple[Rated[Mood], ...]
    instruments: tuple[Rated[Instrument], ...]
    vocals: Rated[Vocals]
    tags: tuple[Rated[str], ...]


def label_inputs(frames: TagFrames) -> Floats:
    """What the instrument model sees of a clip: the last layers averaged over its windows, (400,)."""
    return np.hstack([frames.msd_features.mean(axis=0), frames.mtt_features.mean(axis=0)]).astype(np.float64)


def vocal_inputs(frames: TagFrames, events: NDArray[np.float32], voice: Voice) -> Floats:
    """What says whether anybody sings or speaks: ``label_inputs``, then events and voice, (408,)."""
    return np.concatenate([label_inputs(frames), _voice_inputs(events, voice)])


def singer_inputs(frames: TagFrames, events: NDArray[np.float32], voice: Voice) -> Floats:
    """What says who does: log odds of ``VOICE_TAGS``, then events and voice, (31,)."""
    heard = averaged(frames)
    odds = [log_odds(min(1.0 - TAG_EDGE, max(TAG_EDGE, heard[tag]))) for tag in VOICE_TAGS]
    return np.concatenate([odds, _voice_inputs(events, voice)])


def _voice_inputs(events: NDArray[np.float32], voice: Voice) -> Floats:
    seen = events.astype(np.float64) if len(events) else np.zeros((1, 3))
    heard = voice.probabilities.astype(np.float64) if len(voice.probabilities) else np.zeros(1)
    means = [seen[:, kind].mean() for kind in (SPEECH, SINGING, MUSIC)]
    shares = [(seen[:, kind] > SURE).mean() for kind in (SPEECH, SINGING, MUSIC)]
    return np.array([*means, *shares, heard.mean(), (heard > SURE).mean()])


def vocal_shares(frames: TagFrames, events: NDArray[np.float32], voice: Voice, weights: Mapping[str, Floats]) -> Floats:
    """Uncalibrated probabilities of ``SINGERS``, (4,)."""
    nobody, somebody = softmax(linear(vocal_inputs(frames, events, voice)[None], weights, "someone"))[0]
    kinds = softmax(linear(singer_inputs(frames, events, voice)[None], weights, "singer"))[0]
    return np.concatenate([[nobody], somebody * kinds])


class Labeller:
    """The fitted models, loaded."""

    def __init__(self, curves: BuiltInCurves) -> None:
        """Load the weights.

        Args:
            curves: Turn raw scores into confidences.
        """
        self._curves = curves
        self._weights = _weights()

    def label(self, frames: TagFrames, events: NDArray[np.float32], voice: Voice) -> Labels:
        """Describe music.

        Args:
            frames: From ``Tagger.listen``.
            events: From ``EventDetector.listen``.
            voice: From ``Transcriber.hear``.
        """
        heard = averaged(frames)
        return Labels(
            genres=_named(heard, GENRES, GENRE_FLOOR, GENRE_MOST),
            moods=_named(heard, MOODS, MOOD_FLOOR, MOOD_MOST),
            instruments=self.instruments(frames),
            vocals=self.vocals(frames, events, voice),
            tags=_named(heard, TAGS, TAG_FLOOR, TAG_MOST),
        )

    def instruments(self, frames: TagFrames) -> tuple[Rated[Instrument], ...]:
        """The instruments that are probably played; at least the likeliest."""
        scores = linear(label_inputs(frames)[None], self._weights, "instruments")[0]
        chances = 1.0 / (1.0 + np.exp(-np.clip(scores, -30.0, 30.0)))
        order = np.argsort(-chances)[:INSTRUMENT_MOST]
        kept = [index for index in order if chances[index] >= INSTRUMENT_FLOOR or index == order[0]]
        return tuple(self._curves.rated("instruments", INSTRUMENTS[index], float(chances[index])) for index in kept)

    def vocals(self, frames: TagFrames, events: NDArray[np.float32], voice: Voice) -> Rated[Vocals]:
        """Who sings or speaks, if anybody."""
        shares = vocal_shares(frames, events, voice, self._weights)
        return self._curves.rated("vocals", *vocal_answer(shares))


def vocal_answer(shares: Floats) -> tuple[Vocals, float]:
    """The answer and its probability from those of ``SINGERS``: "present" where no kind of singer is sure."""
    best = int(np.argmax(shares))
    if SINGERS[best] is Vocals.NONE and shares[best] >= SURE:
        return Vocals.NONE, float(shares[best])
    someone = 1 + int(np.argmax(shares[1:]))
    if shares[someone] >= SURE:
        return SINGERS[someone], float(shares[someone])
    return Vocals.PRESENT, float(shares[1:].sum())


def averaged(frames: TagFrames) -> dict[str, float]:
    """Each tag's mean over the windows, by ``msd/`` or ``mtt/`` and its name."""
    names = [f"msd/{name}" for name in MSD_LABELS] + [f"mtt/{name}" for name in MTT_LABELS]
    means = np.hstack([frames.msd.mean(axis=0), frames.mtt.mean(axis=0)])
    return dict(zip(names, means.tolist(), strict=True))


def _named(
    heard: Mapping[str, float], groups: Mapping[Word, tuple[str, ...]], floor: float, most: int
) -> tuple[Rated[Word], ...]:
    """The likeliest words of a vocabulary; a word is as likely as the likeliest of its tags."""
    scores = {word: max(heard[tag] for tag in tags) for word, tags in groups.items()}
    best = sorted(scores, key=lambda word: -scores[word])[:most]
    return tuple(
        Rated(value=word, basis=Basis.UNCALIBRATED, score=scores[word]) for word in best if scores[word] >= floor
    )


@cache
def _weights() -> dict[str, Floats]:
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}
