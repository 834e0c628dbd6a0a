"""Tempo: how many beats a minute a listener would tap to a piece of music.

1. Onsets.  A log-mel picture every 10 ms; what grew since 30 ms before, beyond its neighbours in pitch, is an onset
   (Boeck and Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013).  Four curves: all bands,
   and the low, middle and high ones (about bass and kick, chords and snare, hi-hat).
2. Periodicity.  In windows of 12 s, autocorrelation and spectrum of each curve and correlation between curves (a
   snare a beat after the kick), averaged over the windows (Peeters, "Template-based estimation of time-varying
   tempo", EURASIP 2007, on why both are needed); in windows of 30 s, a spectrum fine enough to tell 5/4 from 6/5.
3. Candidates.  The peaks of a comb over both, and their halves, doubles and thirds.
4. Choice.  What is shown at simple ratios of a candidate's period, and how usual its tempo is, weighted; a
   candidate's half and double speak for it too.  The weights were fitted on rendered music
   (`training/fit_tempo_and_key.py`, `docs/tempo-and-key.md`).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Samples = NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "tempo_and_key.json"

SAMPLE_RATE_HZ = 16_000
SHORTEST_S = 4.0
"""Less than this holds too few beats."""
LONGEST_S = 600.0
"""Of a longer sound only the middle ten minutes are listened to."""
SLOWEST_BPM, FASTEST_BPM = 40.0, 250.0
FAINTEST_ONSET = 0.5
"""The least 98th percentile of onset strength that music has; steady tones stay below."""
NOISE_ONSET, NOISE_RIPPLE = 1.5, 0.2
"""Onsets up to this strength are the flutter of noise (1.3 at most) where the spectrum is as smooth as noise's."""
QUIETEST = 1e-4
"""A peak below -80 dB of full scale is silence."""

_HOP, _WINDOW, _BANDS = 160, 1024, 40
_FRAMES_PER_S = SAMPLE_RATE_HZ / _HOP
_BLOCK_FRAMES = 2048
_RISE_FRAMES = 3
_LOW_HZ, _HIGH_HZ = 250.0, 2500.0
_PERIOD_WINDOW, _PERIOD_HOP, _TRANSFORM = 1200, 300, 4096
_LAGS = 650
_LONG_WINDOW, _LONG_TRANSFORM = 3000, 16_384
_PAIRS = ((1, 2), (1, 3), (2, 3))
_GRID_STEP = 0.01
_GRID_BPM = np.exp(np.arange(np.log(SLOWEST_BPM), np.log(FASTEST_BPM), _GRID_STEP))
_RATIOS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 3 / 2, 2, 3, 4)
_RELATIVES = (1 / 2, 2, 1 / 3, 3, 2 / 3, 3 / 2, 3 / 4, 4 / 3)
_USUAL_BPM = 110.0
_OCTAVE_SLACK = float(np.log2(1.03))


class Tempo(NamedTuple):
    """A tempo and what speaks for it."""

    bpm: float
    """Beats a minute, 40 to 250."""
    score: float
    """How far the choice leads, in log-odds: evidence for a calibrator, not a probability."""
    features: tuple[float, ...]
    """`FEATURES`, for a calibrator."""


FEATURES = ("log_odds", "margin", "pulse", "agreement")
"""Log-odds of the chosen candidate among all; its lead over the next, negative where its octaves decided;
autocorrelation at its period; the share of the sound's two halves that give the same tempo within 4 % (0, 0.5 or 1)."""


class TempoEvidence(NamedTuple):
    """What was heard of some stretch of sound: tempo candidates and what each looks like."""

    bpm: Array
    """Candidates; (c,)."""
    features: Array
    """One row a candidate; (c, 140)."""
    pulse: Array
    """Autocorrelation of all onsets at each candidate's period; (c,)."""


class Weights(NamedTuple):
    """The fitted linear rule."""

    mean: Array
    scale: Array
    weights: Array


def estimate_tempo(samples: Samples) -> Tempo | None:
    """Estimate the tempo of music.

    Takes about 0.1 s of one core and 20 MB for each minute of sound.

    Args:
        samples: mono at 16 kHz, finite; (samples,).  Of more than ten minutes the middle ten are used.

    Returns:
        The tempo; None where there is no beat to speak of: silence, a drone, noise or less than 4 s.
    """
    evidence = tempo_evidence(samples)
    return None if evidence is None else choose_tempo(evidence, shipped_weights())


def tempo_evidence(samples: Samples) -> tuple[TempoEvidence, ...] | None:
    """Find the candidates in the whole sound and in either half.

    Returns:
        The evidence of the whole, the first and the second half; None for silence or less than 4 s.
    """
    if len(samples) < SHORTEST_S * SAMPLE_RATE_HZ:
        return None
    kept = int(LONGEST_S * SAMPLE_RATE_HZ)
    start = max(0, len(samples) - kept) // 2
    samples = samples[start : start + kept]
    curves = onset_curves(samples)
    if curves is None:
        return None
    middle = curves.shape[1] // 2
    return tuple(stretch_evidence(part) for part in (curves, curves[:, :middle], curves[:, middle:]))


def choose_tempo(evidence: tuple[TempoEvidence, ...], rule: Weights) -> Tempo | None:
    """Choose among the candidates of the whole and see whether its halves agree.

    Returns:
        The tempo; None where nothing repeats at any candidate's period.
    """
    whole, *halves = evidence
    scores = _scores(whole, rule)
    best = _best(whole, scores)
    if whole.pulse.max() <= 0.0:
        return None
    bpm = float(whole.bpm[best])
    rest = np.delete(scores, best)
    others = float(np.log(np.exp(rest - scores[best]).sum() + 1e-9))
    margin = float(scores[best] - rest.max()) if len(rest) else -others
    same = [abs(half.bpm[_best(half, _scores(half, rule))] / bpm - 1.0) <= 0.04 for half in halves]  # noqa: PLR2004
    features = (-others, margin, float(whole.pulse[best]), float(np.mean(same)))
    return Tempo(bpm, -others, features)


def _best(evidence: TempoEvidence, scores: Array) -> int:
    """Pick the likeliest candidate, where half the chance of one's half and double speaks for it too."""
    chance = np.exp(scores - scores.max())
    apart = np.abs(np.log2(evidence.bpm[:, np.newaxis] / evidence.bpm))
    return int(np.argmax(chance + 0.5 * (np.abs(apart - 1) <= _OCTAVE_SLACK) @ chance))


def _scores(evidence: TempoEvidence, rule: Weights) -> Array:
    return np.asarray((evidence.features - rule.mean) / rule.scale @ rule.weights)


@cache
def shipped_weights() -> Weights:
    """Read the rule that ships with the model."""
    stored = json.loads(WEIGHTS.read_text("utf-8"))["tempo"]
    return Weights(*(np.array(stored[name]) for name in ("mean", "scale", "weights")))


def onset_curves(samples: Samples) -> NDArray[np.float32] | None:
    """Measure how much begins at each moment.

    Returns:
        Onset strength in all, the low, the middle and the high bands, every 10 ms; (4, frames).  None for silence and
        for sound in which nothing begins.
    """
    samples = np.clip(samples - samples.mean(dtype=np.float64), -1e6, 1e6).astype(np.float32)
    if float(np.abs(samples).max(initial=0.0)) < QUIETEST:
        return None
    filters, centre_hz = _mel_filters()
    window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    frames = sliding_window_view(np.pad(samples, _WINDOW // 2), _WINDOW)[::_HOP]
    bands = np.empty((len(frames), _BANDS), np.float32)
    spectrum = np.zeros(_WINDOW // 2 + 1)
    for block in range(0, len(frames), _BLOCK_FRAMES):
        stop = block + _BLOCK_FRAMES
        magnitude = np.abs(np.fft.rfft(frames[block:stop] * window))
        bands[block:stop] = magnitude @ filters
        spectrum += magnitude.sum(axis=0)
    # Relative to the sound's own loudness, with a floor 60 dB below, so that neither gain nor hiss matters.
    loud = np.log1p(1000.0 * bands / (np.percentile(bands, 99) + 1e-9))
    padded = np.pad(loud, ((0, 0), (1, 1)), mode="edge")
    before = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    rise = np.maximum(loud[_RISE_FRAMES:] - before[:-_RISE_FRAMES], 0.0)
    low, high = centre_hz < _LOW_HZ, centre_hz > _HIGH_HZ
    sums = [rise.sum(axis=1), *(rise[:, chosen].sum(axis=1) for chosen in (low, ~low & ~high, high))]
    smooth, local = (_bell(width) for width in (7, 101))
    curves = []
    for strength in sums:
        smoothed = np.convolve(strength, smooth, "same")
        curves.append(np.maximum(smoothed - np.convolve(smoothed, local, "same"), 0.0))
    strongest = float(np.percentile(curves[0], 98))
    if strongest < FAINTEST_ONSET:
        return None
    if strongest < NOISE_ONSET and _ripple(spectrum) < NOISE_RIPPLE:
        return None
    return np.asarray(curves, np.float32)


def _ripple(spectrum: Array) -> float:
    """How far a spectrum (513,) strays from its smooth course between 300 Hz and 4 kHz, in logarithms: its tones."""
    heights = np.log(spectrum + 1e-9)
    course = np.convolve(heights, _bell(31), "same")
    return float(np.std((heights - course)[20:256]))


def _bell(width: int) -> Array:
    bell = np.hanning(width + 2)[1:-1]
    return np.asarray(bell / bell.sum())


@cache
def _mel_filters() -> tuple[NDArray[np.float32], Array]:
    """Triangles from the transform's frequencies to 40 mel bands, (513, 40), and the bands' centres in Hz.

    The mel scale of O'Shaughnessy, "Speech Communication" (1987): 2595 log10(1 + f / 700).
    """
    frequencies_hz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ)[:, np.newaxis]
    lowest, highest = (float(2595 * np.log10(1 + hz / 700)) for hz in (30.0, SAMPLE_RATE_HZ / 2))
    corners_hz = 700 * (10 ** (np.linspace(lowest, highest, _BANDS + 2) / 2595) - 1)
    low, centre, high = corners_hz[:-2], corners_hz[1:-1], corners_hz[2:]
    triangles = np.minimum((frequencies_hz - low) / (centre - low), (high - frequencies_hz) / (high - centre))
    triangles = np.maximum(triangles, 0.0)
    nearest = np.abs(frequencies_hz - centre).argmin(axis=0)
    for band in np.flatnonzero(triangles.sum(axis=0) == 0.0):  # narrower than the transform's step
        triangles[nearest[band], band] = 1.0
    return (triangles / triangles.sum(axis=0)).astype(np.float32), centre


class _Periodicity(NamedTuple):
    """What repeats in the four curves; pairs are low with middle, low with high, middle with high."""

    correlation: Array
    """Autocorrelation, then the pairs' correlation, even part; (7, 650 lags of 10 ms)."""
    spectrum: Array
    """Magnitude over windows of 12 s, its highest 1; (4, 2049), step 100 / 4096 Hz."""
    coherent: Array
    """Magnitude over windows of 30 s as a share of all that begins; (4, 8193), step 100 / 16384 Hz."""


def _periodicity(curves: NDArray[np.float32]) -> _Periodicity:
    """Average autocorrelation and spectrum over windows."""
    curves = np.pad(curves, ((0, 0), (0, max(0, _PERIOD_WINDOW - curves.shape[1]))))
    bell = _bell(_PERIOD_WINDOW) * _PERIOD_WINDOW
    usual = np.sqrt(np.square(curves).mean(axis=1, keepdims=True) * _PERIOD_WINDOW)
    power = np.zeros((len(curves) + len(_PAIRS), _TRANSFORM // 2 + 1))
    magnitude = np.zeros((len(curves), _TRANSFORM // 2 + 1))
    for start in _starts(curves.shape[1], _PERIOD_WINDOW, _PERIOD_HOP):
        window = curves[:, start : start + _PERIOD_WINDOW]
        window = window - window.mean(axis=1, keepdims=True)
        energy = np.sqrt(np.square(window).sum(axis=1, keepdims=True))
        # Each window counts the same, but for those with next to nothing in them.
        window = window / (np.maximum(energy, 0.05 * usual) + 1e-6)
        transform = np.fft.rfft(window, _TRANSFORM)
        power[: len(curves)] += np.square(np.abs(transform))
        for row, (one, other) in enumerate(_PAIRS, len(curves)):
            power[row] += (transform[one] * transform[other].conj()).real
        magnitude += np.abs(np.fft.rfft(window * bell, _TRANSFORM))
    correlation = np.fft.irfft(power)[:, :_LAGS]
    own = correlation[: len(curves), 0]
    strength = np.array([*own, *(np.sqrt(own[one] * own[other]) for one, other in _PAIRS)])[:, np.newaxis]
    correlation /= (strength + 1e-9) * (1 - np.arange(_LAGS) / _PERIOD_WINDOW)
    coherent = np.zeros((len(curves), _LONG_TRANSFORM // 2 + 1))
    length = min(_LONG_WINDOW, curves.shape[1])
    for start in _starts(curves.shape[1], length, _LONG_WINDOW // 2):
        window = curves[:, start : start + length] * (_bell(length) * length)
        coherent += np.abs(np.fft.rfft(window - window.mean(axis=1, keepdims=True), _LONG_TRANSFORM))
    coherent /= curves.sum(axis=1, keepdims=True) + 1e-6
    coherent *= curves.shape[1] / length / len(_starts(curves.shape[1], length, _LONG_WINDOW // 2))
    return _Periodicity(correlation, magnitude / (magnitude.max(axis=1, keepdims=True) + 1e-6), coherent)


def _starts(length: int, window: int, hop: int) -> list[int]:
    """Where windows begin, the last at the end."""
    return sorted({*range(0, length - window + 1, hop), length - window})


def stretch_evidence(curves: NDArray[np.float32]) -> TempoEvidence:
    """Find candidates and describe each by what the curves show at simple ratios of its period."""
    correlation, spectrum, coherent = _periodicity(curves)
    comb = sum(_at(correlation[0], 60 / _GRID_BPM * ratio * _FRAMES_PER_S) for ratio in (1, 2, 4)) / 3
    salience = comb + _at(spectrum[0], _GRID_BPM / 60 * _TRANSFORM / _FRAMES_PER_S)
    chosen = _candidates(salience)
    bpm = _GRID_BPM[chosen]
    refined, pulse = np.array([_refined(correlation[0], candidate) for candidate in bpm]).T
    lags = 60 / bpm * _FRAMES_PER_S
    shown = [_around(correlation, lags * ratio, exact=ratio <= 1) for ratio in _RATIOS]
    shown += [_at(spectrum, bpm / 60 * ratio * _TRANSFORM / _FRAMES_PER_S) for ratio in _RATIOS]
    sharp = refined / 60 * _LONG_TRANSFORM / _FRAMES_PER_S
    near = (0.995, 0.9975, 1.0, 1.0025, 1.005)
    shown += [np.max([_at(coherent, sharp * ratio * by) for by in near], axis=0) for ratio in _RATIOS]
    octaves = np.log2(bpm / _USUAL_BPM)
    usual = (octaves, octaves**2, np.maximum(octaves - 0.5, 0) ** 2, np.maximum(-octaves - 0.5, 0) ** 2)
    relative = salience[chosen] / (salience[chosen].max() + 1e-9)
    features = np.concatenate([*shown, usual, relative[np.newaxis]]).T
    return TempoEvidence(refined, features, pulse)


def _candidates(salience: Array) -> NDArray[np.int64]:
    """Pick grid points: the six highest peaks, and the best points near simple multiples of the first four."""
    inner = np.flatnonzero((salience[1:-1] >= salience[:-2]) & (salience[1:-1] > salience[2:])) + 1
    peaks = inner[np.argsort(-salience[inner], kind="stable")][:6].tolist() or [int(np.argmax(salience))]
    found = list(peaks)
    for peak in peaks[:4]:
        for ratio in _RELATIVES:
            centre = peak + round(np.log(ratio) / _GRID_STEP)
            if 0 <= centre < len(salience):
                first = max(0, centre - 3)
                found.append(first + int(np.argmax(salience[first : centre + 4])))
    kept: list[int] = []
    for point in sorted(found, key=lambda point: -salience[point]):
        if all(abs(point - other) > 3 for other in kept):  # noqa: PLR2004 (3 % apart)
            kept.append(point)
    return np.array(kept)


def _at(rows: Array, position: Array) -> Array:
    """Read rows (..., n) between their points, at fractional positions (p,); beyond the end, the last value."""
    position = np.minimum(position, rows.shape[-1] - 1.0)
    below = np.minimum(position.astype(np.int64), rows.shape[-1] - 2)
    part = position - below
    return np.asarray(rows[..., below] * (1 - part) + rows[..., below + 1] * part)


def _around(correlation: Array, lag: Array, *, exact: bool) -> Array:
    """Autocorrelation at a lag or, for long ones, its highest within 1.5 %; none below 80 ms, where all is alike."""
    stretches = (1.0,) if exact else (0.985, 0.9925, 1.0, 1.0075, 1.015)
    highest = np.max([_at(correlation, lag * stretch) for stretch in stretches], axis=0)
    return np.where(lag < 8, 0.0, highest)  # noqa: PLR2004 (frames)


def _refined(correlation: Array, bpm: float) -> tuple[float, float]:
    """Move a candidate to where its period and multiples fit best, within 2 %; also its autocorrelation there."""
    tries = bpm * np.linspace(0.98, 1.02, 41)
    multiples = [ratio for ratio in (1, 2, 3, 4, 6, 8) if 60 / bpm * ratio * _FRAMES_PER_S * 1.02 < _LAGS]
    fit = sum(_at(correlation, 60 / tries * ratio * _FRAMES_PER_S) for ratio in multiples)
    best = float(tries[int(np.argmax(fit))])
    return best, float(_around(correlation, np.array([60 / bpm * _FRAMES_PER_S]), exact=False)[0])
