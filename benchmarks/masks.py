"""What holding answers to the schema costs at the published model's size: masks, records, and reading the answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from itertools import islice
from statistics import mean, median
from typing import Any, Final

import numpy as np
import torch
from llguidance import LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

from benchmarks.big_vocabulary import HEAD_ROWS, made_up_tokenizer, words
from workers.models.answer import FIELDS, answer_schema, metadata_of, parse_answer
from workers.models.constrained import ConstrainedDecoding, Grammar, Trace
from workers.models.field_scores import field_scores

_NOTHING: Final[Mapping[str, Any]] = {
    "content_type": "sound", "genres": [], "moods": [], "instruments": [], "vocals": None, "tempo_bpm": None,
    "key": None, "language": None, "transcript": None, "description": None, "tags": [],
}  # fmt: skip


def long_answers() -> dict[str, str]:
    """Answers as long as real ones, of made-up words: 30 s of speech have about 80 words."""
    more = words(1)
    speech = {
        "content_type": "speech", "vocals": "female", "language": "en", "transcript": " ".join(islice(more, 80)),
        "description": " ".join(islice(more, 15)), "tags": list(islice(more, 4)),
    }  # fmt: skip
    music = {
        "content_type": "music", "genres": ["jazz", "blues", "funk"], "moods": ["calm", "happy"],
        "instruments": ["piano", "drums", "guitar", "bass"], "vocals": "none", "tempo_bpm": 96, "key": "Eb major",
        "description": " ".join(islice(more, 20)), "tags": list(islice(more, 6)),
    }  # fmt: skip
    sound = {"description": " ".join(islice(more, 12)), "tags": list(islice(more, 4))}
    return {
        name: json.dumps({**_NOTHING, **said}, separators=(",", ":"))
        for name, said in (("speech", speech), ("music", music), ("sound", sound))
    }


def mask_costs(tokenizer: LLTokenizer, schema: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, float]:
    """Milliseconds of one row's masks, over every token of some answers.

    Args:
        tokenizer: whose tokens are masked.
        schema: that the answers keep.
        answers: compact JSON.
    """
    grammar = Grammar(tokenizer, schema)
    bits = allocate_token_bitmask(1, tokenizer.vocab_size)
    all_ms: list[float] = []
    answers_ms: list[float] = []
    for text in answers.values():
        matcher = grammar.matcher()
        each_ms = []
        for token in tokenizer.greedy_tokenize(text):
            began = time.perf_counter()
            fill_next_token_bitmask(matcher, bits)
            each_ms.append(1000 * (time.perf_counter() - began))
            if not matcher.consume_token(token):
                message = f"The grammar forbids a valid answer: {matcher.get_error()}"
                raise RuntimeError(message)
        all_ms += each_ms
        answers_ms.append(sum(each_ms))
    return {
        "mask_mean_ms": mean(all_ms),
        "mask_p99_ms": float(np.quantile(all_ms, 0.99)),
        "mask_answer_ms": mean(answers_ms),
        "mask_answer_most_ms": max(answers_ms),
        "mask_answer_tokens": len(all_ms) / len(answers_ms),
    }


def recorded(tokenizer: LLTokenizer, grammar: Grammar, text: str, head_rows: int) -> tuple[Trace, float]:
    """The trace of an answer that made-up logits favour, and the milliseconds a token took with mask and record."""
    tokens = tokenizer.greedy_tokenize(text)
    decoding = ConstrainedDecoding(grammar, 1)
    logits = torch.randn((1, head_rows), generator=torch.Generator().manual_seed(0))
    each_ms = []
    said: list[int] = []
    for token in [*tokens, tokenizer.eos_token]:
        favoured = logits.clone()
        favoured[0, token] += 20.0
        began = time.perf_counter()
        decoding(torch.tensor([[0, *said]]), favoured)
        each_ms.append(1000 * (time.perf_counter() - began))
        said.append(token)
    (trace,) = decoding.traces(torch.tensor([said]))
    if not isinstance(trace, Trace):
        message = f"A valid answer has no trace: {trace.value}"
        raise TypeError(message)
    return trace, median(each_ms)


def reading_ms(trace: Trace, times: int = 50) -> float:
    """Median milliseconds from a trace to metadata with scores."""
    each_ms = []
    for _ in range(times):
        began = time.perf_counter()
        metadata_of(parse_answer(trace.text, FIELDS), field_scores(trace))
        each_ms.append(1000 * (time.perf_counter() - began))
    return median(each_ms)


def costs_at_full_size(head_rows: int = HEAD_ROWS) -> dict[str, float]:
    """Masks of the whole schema over a vocabulary of the published size, and the reading of answers of usual length."""
    tokenizer, schema, answers = made_up_tokenizer(head_rows), answer_schema(FIELDS), long_answers()
    mask_costs(tokenizer, schema, answers)  # llguidance keeps what it found out about the grammar
    found = mask_costs(tokenizer, schema, answers)
    grammar = Grammar(tokenizer, schema)
    traces, each_ms = zip(*(recorded(tokenizer, grammar, text, head_rows) for text in answers.values()), strict=True)
    began = time.perf_counter()
    for _ in range(20):
        grammar.matcher()
    return found | {
        "matcher_ms": 1000 * (time.perf_counter() - began) / 20,
        "token_ms": mean(each_ms),
        "reading_ms": mean(reading_ms(trace) for trace in traces),
    }
