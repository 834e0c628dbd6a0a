"""The self-test of a loaded Qwen2-Audio: a chord and noise must give sane answers, or the model is not available.

Broken models of this kind do not fail, they answer: with random numbers for weights that are missing, with one control
token for ever where the head was tied to the embedding, without hearing where the features got lost, with nothing but
NaN in float16.  Under a grammar all of that looks like an answer.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ
from workers.models.answer import FIELDS, BadAnswer, parse_answer, value_spans
from workers.models.audio_batches import is_out_of_memory
from workers.models.constrained import Trace
from workers.models.qwen2_audio_network import Network, unavailable

COVERAGE_LEAST: Final = 0.05
"""The least median probability that a model, told the fields, may give to what the schema demands around the values.

Random weights give a few tokens' share of the vocabulary: 1e-5 of the published one, 0.01 of the smallest in our tests.
"""
SAME: Final = 1e-4
"""Two answers whose tokens' log-probabilities are nearer than this are the same; other audio moves a sane model by far
more, rounding by less."""

_SECONDS = 2.0


def check_network(network: Network) -> None:
    """Ask about a chord and about noise; also warms the network up.

    Raises:
        ModelUnavailable: what is wrong, with the model's place and the remedy.
    """
    try:
        inputs = network.prepare([_chord(), _noise()], FIELDS)
        chord, noise = network.answer(inputs, FIELDS)
    except (MemoryError, RuntimeError, ValueError, TypeError, IndexError) as error:
        if is_out_of_memory(error):
            why = "no memory for two clips of 2 s beside the weights"
            raise unavailable(network.place, why, "It needs 17 GB in bfloat16, and some to work in.") from error
        reason = " ".join(str(error).split())[:300]
        raise unavailable(network.place, f"the self-test failed ({type(error).__name__}: {reason})") from error
    for heard, trace in (("a chord", chord), ("noise", noise)):
        if not isinstance(trace, Trace):
            remedy = "Set the dtype to bfloat16 or float32, or download the model anew, whole and in one version."
            raise unavailable(network.place, f"asked about {heard} in the self-test, {trace.value}", remedy)
        try:
            parse_answer(trace.text, FIELDS)
        except BadAnswer as error:
            raise unavailable(network.place, f"its answer about {heard} does not fit the schema: {error}") from error
        coverage = structure_coverage(trace)
        if not coverage >= COVERAGE_LEAST:
            why = (
                f"asked about {heard} in the self-test, it gave {coverage:.1e} of its probability to any valid answer, "
                f"and {COVERAGE_LEAST} is the least: its weights are not those of a trained model, or its tokenizer is "
                "another's"
            )
            raise unavailable(network.place, why)
    if isinstance(chord, Trace) and isinstance(noise, Trace) and _same(chord, noise):
        raise unavailable(network.place, "its answers do not depend on what it hears")


def structure_coverage(trace: Trace) -> float:
    """The median coverage of the tokens between the values: keys, quotes, commas, which the question implies."""
    stops = np.cumsum([len(piece) for piece in trace.pieces])
    starts = stops - [len(piece) for piece in trace.pieces]
    between = np.ones(len(starts), bool)
    for spans in value_spans(trace.text).values():
        for start, stop in spans:
            between &= (starts >= stop) | (stops <= start)
    return float(np.median(trace.coverage[between]))


def _same(one: Trace, other: Trace) -> bool:
    return one.pieces == other.pieces and bool(np.abs(one.raw_logprob - other.raw_logprob).max(initial=0.0) < SAME)


def _chord() -> NDArray[np.float32]:
    """A minor with three harmonics a tone, at a peak of about a half."""
    time_s = np.arange(round(_SECONDS * CLIP_RATE_HZ)) / CLIP_RATE_HZ
    tones = sum(
        np.sin(2 * np.pi * hz * harmonic * time_s) / harmonic**1.5
        for hz in (220.0, 261.63, 329.63)
        for harmonic in (1, 2, 3)
    )
    return np.asarray(0.12 * tones, np.float32)


def _noise() -> NDArray[np.float32]:
    return np.asarray(0.15 * np.random.default_rng(0).standard_normal(round(_SECONDS * CLIP_RATE_HZ)), np.float32)
