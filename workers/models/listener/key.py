"""Key: the tonic and mode a listener would name for a piece of music.

1. Pitches.  Spectral peaks of half-second frames, their frequencies interpolated; how far they lie from equal
   temperament at A = 440 Hz, on average, is the tuning, and is taken out (Gomez, "Tonal description of polyphonic
   audio", 2006).  What a note's third and fifth harmonic would explain of a higher pitch is taken away.
2. Harmony.  Pitch classes of the whole and of the bass; how much of the time each major and minor triad sounds; the
   chords and basses at the start and at the end; how often chords move as in a cadence; what sounds beside the third
   and fifth that a bass may bring along as harmonics; which pitch classes sound at all; the correlation with the key
   profiles of Krumhansl and Kessler (1982) and of Temperley ("Music and Probability", 2007).
3. Choice.  All of this, turned to each of the 24 keys, weighted; one set of weights for all major keys and one for all
   minor keys, fitted on rendered music (`training/fit_tempo_and_key.py`, `docs/tempo-and-key.md`).
"""

from __future__ import annotations

import json
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from workers.models.listener.tempo import QUIETEST, WEIGHTS, Array, Samples

SAMPLE_RATE_HZ = 16_000
SHORTEST_S = 2.0
"""Less than this holds no harmony."""
LONGEST_S = 600.0
"""Of a longer sound only the middle ten minutes are listened to."""
LEAST_PITCHED = 0.02
"""The least strength of tuned peaks that is music; white noise stays below, having peaks at every frequency."""

MAJOR_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
"""How each pitch class is spelled as a tonic: the key signature with fewer signs.

Of the ties with six signs, F# major and Eb minor are the ones more often written."""

_FRAME, _HOP, _BLOCK_FRAMES = 8192, 2048, 64
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 2200.0
_PITCHES = 128
_CHORD_FRAMES, _MOTION_FRAMES, _START_FRAMES, _END_FRAMES = 6, 8, 12, 18
_BASS_FRAMES = 5
_PROFILES = np.array((
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
    (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
))  # fmt: skip
"""Krumhansl and Kessler's major and minor, then Temperley's, from the tonic up; (4, 12)."""
_MOTIONS = ((0, 7, 0), (0, 5, 0), (0, 7, 1), (0, 10, 1), (1, 5, 1), (1, 7, 1), (0, 10, 0), (0, 8, 1))
"""Chords that move to a tonic chord: mode (0 major, 1 minor), semitones above the tonic, mode of the tonic chord."""


class Key(NamedTuple):
    """A key and what speaks for it."""

    tonic: str
    """As musicians spell it, with "#" or "b": one of `MAJOR_TONICS` or `MINOR_TONICS`."""
    mode: str
    """"major" or "minor"."""
    score: float
    """How far the choice leads, in log-odds: evidence for a calibrator, not a probability."""
    features: tuple[float, ...]
    """`FEATURES`, for a calibrator."""

    @property
    def name(self) -> str:
        """The key in words, as in "Eb major"."""
        return f"{self.tonic} {self.mode}"


FEATURES = ("log_odds", "margin", "fit", "agreement")
"""Log-odds of the chosen key among all 24; its lead over the next; correlation with Temperley's profile; the share of
the sound's two halves that give the same key (0, 0.5 or 1)."""


class KeyEvidence(NamedTuple):
    """What was heard of some stretch of sound, turned to each key: C major to B major, then C minor to B minor."""

    features: Array
    """One row a key; (24, 379)."""
    fit: Array
    """Correlation with Temperley's profile of each key; (24,)."""


def estimate_key(samples: Samples) -> Key | None:
    """Estimate the key of music.

    Takes about 0.1 s of one core and 20 MB for each minute of sound.

    Args:
        samples: mono at 16 kHz, finite; (samples,).  Of more than ten minutes the middle ten are used.

    Returns:
        The key; None for silence, unpitched sound or less than 2 s.
    """
    evidence = key_evidence(samples)
    return None if evidence is None else choose_key(evidence, shipped_weights())


def key_evidence(samples: Samples) -> tuple[KeyEvidence, ...] | None:
    """Describe the whole sound and either half.

    Returns:
        The evidence of the whole, the first and the second half; None for silence, unpitched sound or less than 2 s.
    """
    if len(samples) < SHORTEST_S * SAMPLE_RATE_HZ:
        return None
    kept = int(LONGEST_S * SAMPLE_RATE_HZ)
    start = max(0, len(samples) - kept) // 2
    pitches = pitch_strengths(samples[start : start + kept])
    if pitches is None:
        return None
    middle = len(pitches) // 2
    return tuple(describe(part) for part in (pitches, pitches[:middle], pitches[middle:]))


def choose_key(evidence: tuple[KeyEvidence, ...], weights: Array) -> Key:
    """Choose the key of the whole and see whether its halves agree."""
    whole, *halves = evidence
    scores = whole.features @ weights
    best = int(np.argmax(scores))
    rest = np.delete(scores, best)
    others = float(np.log(np.exp(rest - scores[best]).sum() + 1e-9))
    same = [int(np.argmax(half.features @ weights)) == best for half in halves]
    features = (-others, float(scores[best] - rest.max()), float(whole.fit[best]), float(np.mean(same)))
    tonic, mode = (MINOR_TONICS[best - 12], "minor") if best >= 12 else (MAJOR_TONICS[best], "major")  # noqa: PLR2004
    return Key(tonic, mode, -others, features)


@cache
def shipped_weights() -> Array:
    """Read the rule that ships with the model, (379,)."""
    return np.array(json.loads(WEIGHTS.read_text("utf-8"))["key"]["weights"])


def pitch_strengths(samples: Samples) -> NDArray[np.float32] | None:
    """Measure how strongly each pitch sounds at each moment, with the sound's own tuning taken out.

    Returns:
        The square root of the magnitude near each MIDI pitch, every 128 ms; (frames, 128).  None for silence and for
        sound without pitch.
    """
    samples = np.clip(samples - samples.mean(dtype=np.float64), -1e6, 1e6).astype(np.float32)
    if float(np.abs(samples).max(initial=0.0)) < QUIETEST:
        return None
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    frames = sliding_window_view(np.pad(samples, _FRAME // 2), _FRAME)[::_HOP]
    found = [
        _peaks(np.abs(np.fft.rfft(frames[block : block + _BLOCK_FRAMES] * window)), block)
        for block in range(0, len(frames), _BLOCK_FRAMES)
    ]
    frame, pitch, magnitude = (np.concatenate(parts) for parts in zip(*found, strict=True))
    loudest = np.zeros(len(frames), np.float64)
    np.maximum.at(loudest, frame, magnitude)
    reference = float(np.percentile(loudest, 95)) + 1e-9
    kept = magnitude > reference * 10 ** (-50 / 20)
    frame, pitch, strength = frame[kept], pitch[kept], np.sqrt(magnitude[kept] / reference)
    steady = pitch > 48  # noqa: PLR2004 (below, a peak's frequency is too coarse to tell the tuning)
    turn = (strength[steady] * np.exp(2j * np.pi * pitch[steady])).sum()
    if abs(turn) < LEAST_PITCHED * strength[steady].sum() or not steady.any():
        return None
    pitch = pitch - np.angle(turn) / (2 * np.pi)
    nearest = np.rint(pitch).astype(np.int64)
    strengths = np.zeros((len(frames), _PITCHES), np.float32)
    np.add.at(strengths, (frame, nearest), np.cos(np.pi * (pitch - nearest)) ** 2 * strength)
    return strengths


def _peaks(spectra: NDArray[np.float32], first_frame: int) -> tuple[NDArray[np.int64], Array, Array]:
    """Find spectral peaks: their frame, their pitch (MIDI, fractional) and their magnitude.

    The frequency comes from a parabola through the logarithms of the peak and its neighbours (Smith and Serra, 1987).
    """
    low, high = (int(hz * _FRAME / SAMPLE_RATE_HZ) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    before, here, after = spectra[:, low - 1 : high], spectra[:, low : high + 1], spectra[:, low + 1 : high + 2]
    frame, position = np.nonzero((here > before) & (here >= after))
    left, centre, right = (np.log(part[frame, position].astype(np.float64) + 1e-9) for part in (before, here, after))
    offset = np.clip(0.5 * (left - right) / (left - 2 * centre + right - 1e-9), -0.5, 0.5)
    frequency_hz = (position + low + offset) * SAMPLE_RATE_HZ / _FRAME
    return frame + first_frame, 69 + 12 * np.log2(frequency_hz / 440.0), here[frame, position].astype(np.float64)


def describe(pitches: NDArray[np.float32]) -> KeyEvidence:
    """Describe the harmony of a stretch of sound as each of the 24 keys would see it.

    Args:
        pitches: as `pitch_strengths` gives them, at least one frame; (frames, 128).
    """
    heard = pitches.astype(np.float64)
    clean = heard.copy()
    clean[:, 19:] = np.maximum(0.0, clean[:, 19:] - 0.5 * heard[:, :-19])
    clean[:, 28:] = np.maximum(0.0, clean[:, 28:] - 0.35 * heard[:, :-28])
    energy = clean.sum(axis=1)
    loud = np.clip(energy / (np.percentile(energy, 90) + 1e-9), 0.0, 1.0)
    classes, low = _folded(clean[:, 45:96], 45), _folded(clean[:, 24:52], 24)
    bass = np.where(low == low.max(axis=1, keepdims=True), low, 0.0)
    shares = classes / (np.linalg.norm(classes, axis=1, keepdims=True) + 1e-6)
    overall = _normed((shares * loud[:, np.newaxis]).sum(axis=0))
    beside = _beside_bass(shares, low).T @ loud
    chords = _chords(classes + bass) * loud[:, np.newaxis]

    sounding = np.flatnonzero(loud > 0.2)  # noqa: PLR2004 (skip silence before and after)
    start, stop = (int(sounding[0]), int(sounding[-1]) + 1) if len(sounding) else (0, len(heard))
    begin, end = slice(start, start + _START_FRAMES), slice(max(start, stop - _END_FRAMES), stop)
    vectors = [overall, bass.sum(axis=0), chords.sum(axis=0), chords[begin].sum(axis=0), chords[end].sum(axis=0),
               bass[begin].sum(axis=0), bass[end].sum(axis=0), beside]  # fmt: skip
    sounds = [0.2 * np.minimum(1.0, _normed(vector) / least)
              for vector, least in ((vectors[1], 0.08), (overall, 0.06), (beside, 0.08))]  # fmt: skip
    moves = _motions(chords)
    fits = np.array([[np.corrcoef(np.roll(profile, tonic), overall + 1e-12 * profile)[0, 1] for tonic in range(12)]
                     for profile in _PROFILES])  # fmt: skip
    turned = np.array([
        np.concatenate([*(_turned(vector, tonic) for vector in (*map(_normed, vectors), *sounds)), moves[:, tonic]])
        for tonic in range(12)
    ])  # fmt: skip
    width = turned.shape[1]
    features = np.zeros((24, 2 * width + 3))
    features[:12, :width], features[12:, width : 2 * width] = turned, turned
    features[12:, 2 * width] = 0.2
    features[:, 2 * width + 1 :] = np.nan_to_num(np.concatenate([fits[0::2].T, fits[1::2].T]))
    return KeyEvidence(features, features[:, -1])


def _folded(pitches: Array, lowest: int) -> Array:
    """Sum octaves: (frames, pitches) from MIDI pitch `lowest` up to (frames, 12) from C up."""
    classes = np.zeros((len(pitches), 12))
    for column in range(pitches.shape[1]):
        classes[:, (lowest + column) % 12] += pitches[:, column]
    return classes


def _beside_bass(shares: Array, low: Array) -> Array:
    """Leave out the major third and the fifth above the bass at each moment; (frames, 12).

    A distorted guitar's root and fifth sound the third too, as their fifth partial, whether the key is major or minor.
    """
    kernel = np.ones(_BASS_FRAMES)
    padded = np.pad(low, ((_BASS_FRAMES // 2, _BASS_FRAMES // 2), (0, 0)))
    heard = sliding_window_view(padded, _BASS_FRAMES, axis=0) @ kernel
    left, frame = shares.copy(), np.flatnonzero(heard.max(axis=1) > 0.0)
    root = np.argmax(heard[frame], axis=1)
    left[frame, (root + 4) % 12] = left[frame, (root + 7) % 12] = 0.0
    return left


def _normed(vector: Array) -> Array:
    return np.asarray(vector / (vector.sum() + 1e-9))


def _turned(vector: Array, tonic: int) -> Array:
    """Make a tonic the first of twelve pitch classes, or of twelve major and twelve minor chords."""
    return np.roll(vector.reshape(-1, 12), -tonic, axis=1).ravel()


def _chords(classes: Array) -> Array:
    """How likely each triad sounds at each frame, by its likeness over 0.8 s; (frames, 24), majors first."""
    kernel = np.ones(_CHORD_FRAMES) / _CHORD_FRAMES
    padded = np.pad(classes, ((_CHORD_FRAMES // 2, _CHORD_FRAMES - 1 - _CHORD_FRAMES // 2), (0, 0)))
    smooth = sliding_window_view(padded, _CHORD_FRAMES, axis=0) @ kernel
    centred = smooth - smooth.mean(axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6
    likeness = centred @ _triads().T
    weight = np.exp(12.0 * (likeness - likeness.max(axis=1, keepdims=True)))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


@cache
def _triads() -> Array:
    """The 24 triads as centred unit vectors over pitch classes; (24, 12)."""
    shapes = np.zeros((24, 12))
    for root in range(12):
        shapes[root, [root, (root + 4) % 12, (root + 7) % 12]] = 1
        shapes[12 + root, [root, (root + 3) % 12, (root + 7) % 12]] = 1
    shapes -= shapes.mean(axis=1, keepdims=True)
    return np.asarray(shapes / np.linalg.norm(shapes, axis=1, keepdims=True))


def _motions(chords: Array) -> Array:
    """How much of the time a chord moves to the tonic chord within a second, for `_MOTIONS` and each tonic; (8, 12)."""
    moves = chords[:-_MOTION_FRAMES].T @ chords[_MOTION_FRAMES:] / max(1, len(chords) - _MOTION_FRAMES)
    tonics = np.arange(12)
    return 4.0 * np.array([
        moves[12 * mode + (tonics + above) % 12, 12 * home + tonics] for mode, above, home in _MOTIONS
    ])  # fmt: skip
