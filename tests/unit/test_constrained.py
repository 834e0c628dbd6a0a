"""Decoding held to a schema, and the numbers kept of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from llguidance import LLExecutor, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import AutoTokenizer

from tests.tiny_qwen import TINY_QWEN
from workers.models.answer import answer_schema, parse_answer
from workers.models.constrained import ConstrainedDecoding, Grammar, Trace, Unfinished

FIELDS = ("content_type", "genres", "tempo_bpm", "key")
ROWS, PROMPT = 5, 3

Logits = Callable[[int], torch.Tensor]


@pytest.fixture(scope="module")
def tokenizer() -> LLTokenizer:
    """The tiny model's, with rows in the head that no token has."""
    loaded = AutoTokenizer.from_pretrained(TINY_QWEN)
    return from_tokenizer(loaded, n_vocab=len(loaded) + 8, eos_token=[loaded.pad_token_id, loaded.eos_token_id])


@pytest.fixture(scope="module")
def grammar(tokenizer: LLTokenizer) -> Grammar:
    """Of a short answer."""
    return Grammar(tokenizer, answer_schema(FIELDS))


def random_logits(tokenizer: LLTokenizer, seed: int, rows: int = ROWS) -> Logits:
    """Other logits at every step, the same for the same seed."""

    def logits(step: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1000 * seed + step)
        return 3 * torch.randn(rows, tokenizer.vocab_size, generator=generator)

    return logits


def decoded(decoding: ConstrainedDecoding, logits: Logits, steps: int, ends: list[int]) -> torch.Tensor:
    """What ``generate`` does: greedy, and padding for rows that ended; gives (rows, steps)."""
    rows = len(logits(0))
    ids, done = torch.zeros(rows, PROMPT, dtype=torch.long), torch.zeros(rows, dtype=torch.bool)
    for step in range(steps):
        chosen = decoding(ids, logits(step)).argmax(-1)
        chosen[done] = ends[0]
        done |= torch.isin(chosen, torch.tensor(ends))
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        if done.all():
            break
    return ids[:, PROMPT:]


@pytest.mark.parametrize("seed", range(6))
def test_every_answer_fits_the_schema(tokenizer: LLTokenizer, grammar: Grammar, seed: int) -> None:
    """Random logits give random answers, all of them valid and compact, whenever the others of the batch end."""
    decoding = ConstrainedDecoding(grammar, ROWS)
    answers = decoded(decoding, random_logits(tokenizer, seed), 300, tokenizer.eos_tokens)
    lengths = set()
    for trace in decoding.traces(answers):
        assert isinstance(trace, Trace)
        parse_answer(trace.text, FIELDS)
        assert ", " not in trace.text
        assert "\n" not in trace.text
        lengths.add(len(trace.pieces))
    assert len(lengths) > 1


def test_the_numbers_are_those_of_the_logits(tokenizer: LLTokenizer, grammar: Grammar) -> None:
    """Raw and constrained log-probability, margin and coverage, worked out anew from all the logits."""
    logits = random_logits(tokenizer, 7)
    decoding = ConstrainedDecoding(grammar, ROWS)
    answers = decoded(decoding, logits, 300, tokenizer.eos_tokens)
    for row, trace in enumerate(decoding.traces(answers)):
        assert isinstance(trace, Trace)
        matcher = grammar.matcher()
        for step, piece in enumerate(trace.pieces):
            allowed = torch.tensor(np.frombuffer(matcher.compute_logit_bias(), np.uint8)[: tokenizer.vocab_size] > 0)
            raw = logits(step)[row].double().log_softmax(-1)
            masked = logits(step)[row].double().masked_fill(~allowed, float("-inf")).softmax(-1)
            token = int(answers[row, step])
            best = masked.topk(2).values
            assert tokenizer.decode_bytes([token]) == piece
            assert trace.raw_logprob[step] == pytest.approx(float(raw[token]), abs=1e-4)
            assert np.exp(trace.constrained_logprob[step]) == pytest.approx(float(masked[token]), abs=1e-5)
            assert trace.margin[step] == pytest.approx(float(best[0] - best[1]), abs=1e-5)
            assert trace.coverage[step] == pytest.approx(float(raw.exp()[allowed].sum()), abs=1e-5)
            assert trace.allowed[step] == int(allowed.sum())
            assert matcher.consume_token(token)


def test_raw_scores_stay_as_they_are(tokenizer: LLTokenizer, grammar: Grammar) -> None:
    """The mask is not applied in place, which would spoil ``output_logits``."""
    scores = random_logits(tokenizer, 1)(0)
    before = scores.clone()
    masked = ConstrainedDecoding(grammar, ROWS)(torch.zeros(ROWS, PROMPT, dtype=torch.long), scores)
    assert torch.equal(scores, before)
    assert masked.isinf().any()
    assert masked.data_ptr() != scores.data_ptr()


def test_no_logits_are_kept(tokenizer: LLTokenizer, grammar: Grammar) -> None:
    """Five numbers a token, whatever the size of the vocabulary."""
    decoding = ConstrainedDecoding(grammar, ROWS)
    steps = decoded(decoding, random_logits(tokenizer, 2), 300, tokenizer.eos_tokens).shape[1]
    kept = [step.untyped_storage().nbytes() for step in decoding._steps]
    assert len(kept) == steps
    assert max(kept) == ROWS * 5 * 4


def test_a_row_does_not_depend_on_its_company(tokenizer: LLTokenizer, grammar: Grammar) -> None:
    """Alone, in a batch, and with masks computed on several threads: the same trace."""
    logits = random_logits(tokenizer, 3)
    together = ConstrainedDecoding(grammar, ROWS, LLExecutor(num_threads=2))
    batched = together.traces(decoded(together, logits, 300, tokenizer.eos_tokens))
    for row, expected in enumerate(batched):
        alone = ConstrainedDecoding(grammar, 1)
        (found,) = alone.traces(
            decoded(alone, lambda step, row=row: logits(step)[row : row + 1], 300, tokenizer.eos_tokens)
        )
        assert isinstance(found, Trace)
        assert isinstance(expected, Trace)
        assert found.pieces == expected.pieces
        assert np.allclose(found.constrained_logprob, expected.constrained_logprob, atol=1e-6)


def test_an_answer_without_an_end_is_none(tokenizer: LLTokenizer, grammar: Grammar) -> None:
    """Finishing by length is said, and nobody gets half a record."""
    decoding = ConstrainedDecoding(grammar, ROWS)
    answers = decoded(decoding, random_logits(tokenizer, 4), 5, tokenizer.eos_tokens)
    assert decoding.traces(answers) == [Unfinished.ENDLESS] * ROWS
    unasked = ConstrainedDecoding(grammar, 2)
    assert unasked.traces(torch.zeros(2, 0, dtype=torch.long)) == [Unfinished.ENDLESS] * 2


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_logits_that_are_no_numbers_spoil_their_row_alone(tokenizer: LLTokenizer, grammar: Grammar, bad: float) -> None:
    """The others of the batch go on, with the answers they would have had."""
    logits = random_logits(tokenizer, 5)

    def spoiled(step: int) -> torch.Tensor:
        scores = logits(step)
        if step == 2:
            scores[1] = bad
        return scores

    clean, found = ConstrainedDecoding(grammar, ROWS), ConstrainedDecoding(grammar, ROWS)
    expected = clean.traces(decoded(clean, logits, 300, tokenizer.eos_tokens))
    traces = found.traces(decoded(found, spoiled, 300, tokenizer.eos_tokens))
    assert traces[1] is Unfinished.NOT_FINITE
    for row in (0, 2, 3, 4):
        one, other = traces[row], expected[row]
        assert isinstance(one, Trace)
        assert isinstance(other, Trace)
        assert one.text == other.text


def test_a_token_that_the_grammar_forbids_is_an_error(tokenizer: LLTokenizer, grammar: Grammar) -> None:
    """Somebody else chose the tokens: the record would be of another answer."""
    decoding = ConstrainedDecoding(grammar, 1)
    scores = random_logits(tokenizer, 6, rows=1)(0)
    decoding(torch.zeros(1, PROMPT, dtype=torch.long), scores)
    with pytest.raises(RuntimeError, match="grammar forbids"):
        decoding(torch.full((1, PROMPT + 1), tokenizer.tokenize_str("}")[0]), scores)


def test_a_schema_that_is_none_is_refused(tokenizer: LLTokenizer) -> None:
    """When it is compiled, not when the first clip comes."""
    with pytest.raises(ValueError, match=r"(?i)type|schema|invalid"):
        Grammar(tokenizer, {"type": "no such type"})
