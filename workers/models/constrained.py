"""Decoding held to a JSON schema, with a record of how sure each token was.

A grammar masks, at every step, the tokens that no valid answer can go on with; what is left is always a valid answer
or the beginning of one.  The masks come from llguidance, one matcher a row.

Only a few numbers a token are kept.  All the logits of an answer would be 3 GB at 150 steps of 32 rows of the
published vocabulary (150 x 32 x 156,032 x 4 bytes).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask, fill_next_token_bitmask_par
from numpy.typing import NDArray

Reals = NDArray[np.float32]

_CHARACTER: Final = r'[^"\\\x00-\x1F\x7F-\x9F]'
SLICES: Final = [_CHARACTER + "{1,10}", _CHARACTER + "{1,30}", _CHARACTER + "+"]
"""Kinds of tokens that llguidance looks at together: those within a text as the schema has it.  Its own slices take in
the control characters from U+0080; with them a mask within a text takes ten times as long."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One answer, token by token; every array has one entry a token."""

    pieces: tuple[bytes, ...]
    """The bytes of each token."""
    raw_logprob: Reals
    """Natural logarithm of the chosen token's probability among all tokens."""
    constrained_logprob: Reals
    """The same among the tokens that the grammar allowed."""
    margin: Reals
    """Constrained probability of the best token less that of the second best, 0 to 1; 1 where one was allowed."""
    coverage: Reals
    """Probability that the model gave to all allowed tokens together, 0 to 1: low = it wanted to say something else."""
    allowed: NDArray[np.int32]
    """How many tokens the grammar allowed; 1 = it left no choice."""

    @property
    def text(self) -> str:
        """The answer."""
        return b"".join(self.pieces).decode()


class Unfinished(StrEnum):
    """Why a row has no answer."""

    ENDLESS = "it was still writing after the last token it may have"
    NOT_FINITE = "its logits were not numbers"


class Grammar:
    """A JSON schema compiled for one tokenizer; compile once, use for every call."""

    def __init__(self, tokenizer: LLTokenizer, schema: Mapping[str, Any]) -> None:
        """Compile; whitespace is compact, for flexible whitespace lets greedy decoding loop on newlines.

        Raises:
            ValueError: the schema holds something no grammar can be made of.
        """
        self.tokenizer = tokenizer.with_slices(SLICES)
        self.source = LLMatcher.grammar_from_json_schema(
            json.dumps(_bounded_by_pattern(schema)), defaults={"whitespace_flexible": False}
        )
        if wrong := LLMatcher.validate_grammar(self.source, self.tokenizer):
            raise ValueError(wrong)

    def matcher(self) -> LLMatcher:
        """A matcher at the beginning of an answer; takes 1 to 2 ms."""
        return LLMatcher(self.tokenizer, self.source, log_level=0)


class ConstrainedDecoding:
    """A logits processor of transformers for one greedy ``generate`` call: masks, and records.

    Greedy, because the record is of the likeliest allowed token, which only greedy decoding is sure to choose.
    """

    def __init__(self, grammar: Grammar, rows: int, executor: LLExecutor | None = None) -> None:
        """Take the grammar, the number of rows, and threads to compute masks on (None = this one).

        Ties need no rule: of two tokens equally likely, whichever was chosen, the numbers are the same.
        """
        self._tokenizer = grammar.tokenizer
        self._matchers = [grammar.matcher() for _ in range(rows)]
        self._executor = executor
        self._steps: list[torch.Tensor] = []
        self._ended_at: list[int | None] = [None] * rows
        self._broken: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores with forbidden tokens at minus infinity.

        Args:
            input_ids: (rows, length so far), the token chosen last at the end.
            scores: (rows, vocabulary) raw logits; left as they are, because ``output_logits`` shares their memory.

        Returns:
            (rows, vocabulary), a new tensor.
        """
        if self._steps:
            self._consume(input_ids[:, -1].tolist())
        allowed = self._allowed(scores.shape[1], scores.device)
        raw = scores.float()
        mass = raw.logsumexp(-1)
        broken = ~mass.isfinite()
        self._broken = broken if self._broken is None else self._broken | broken
        # A row of NaN goes on with something valid, so that the others of its batch do too; it is dropped at the end.
        raw = torch.where(broken[:, None], torch.zeros_like(raw), raw)
        mass = torch.where(broken, raw.logsumexp(-1), mass)
        masked = raw.masked_fill(~allowed, float("-inf"))
        allowed_mass = masked.logsumexp(-1)
        best = masked.topk(2, dim=-1).values
        constrained = (best - allowed_mass[:, None]).exp()
        self._steps.append(
            torch.stack(
                [
                    best[:, 0] - mass,
                    best[:, 0] - allowed_mass,
                    constrained[:, 0] - constrained[:, 1],
                    (allowed_mass - mass).exp().clamp(max=1.0),
                    allowed.sum(-1).to(raw.dtype),
                ],
                dim=-1,
            )
        )
        return masked.to(scores.dtype)

    def traces(self, answers: torch.Tensor) -> list[Trace | Unfinished]:
        """What each row said, up to and without its end token, or why there is nothing.

        Args:
            answers: (rows, steps) the tokens that ``generate`` chose, without the prompt.
        """
        if self._broken is None:
            return [Unfinished.ENDLESS] * len(self._matchers)
        tokens = answers.tolist()
        self._consume([row[-1] for row in tokens])
        numbers = torch.stack(self._steps, dim=1).cpu().numpy()
        found: list[Trace | Unfinished] = []
        for row, of_row, end, broken in zip(tokens, numbers, self._ended_at, self._broken.tolist(), strict=True):
            if broken:
                found.append(Unfinished.NOT_FINITE)
            else:
                found.append(Unfinished.ENDLESS if end is None else self._trace(row[:end], of_row[:end]))
        return found

    def _trace(self, tokens: Sequence[int], numbers: Reals) -> Trace:
        pieces = tuple(self._tokenizer.decode_bytes([token]) for token in tokens)
        raw, constrained, margin, coverage, allowed = numbers.T
        return Trace(pieces, raw, constrained, margin, coverage, allowed.astype(np.int32))

    def _consume(self, tokens: Sequence[int]) -> None:
        for row, (matcher, token) in enumerate(zip(self._matchers, tokens, strict=True)):
            if self._ended_at[row] is not None:
                continue  # whatever transformers pads a finished row with
            if token in self._tokenizer.eos_tokens and matcher.is_accepting():
                self._ended_at[row] = len(self._steps) - 1
            elif not matcher.consume_token(token):
                message = f"The decoder chose a token that the grammar forbids: {matcher.get_error()}"
                raise RuntimeError(message)

    def _allowed(self, vocabulary: int, device: torch.device) -> torch.Tensor:
        """(rows, vocabulary), true where a token is allowed; of a row that ended anything is, and goes nowhere."""
        bits = allocate_token_bitmask(len(self._matchers), vocabulary)
        open_rows = [(matcher, row) for row, matcher in enumerate(self._matchers) if self._ended_at[row] is None]
        if self._executor is not None and len(open_rows) > 1:
            fill_next_token_bitmask_par(self._executor, open_rows, bits)
        else:
            for matcher, row in open_rows:
                fill_next_token_bitmask(matcher, bits, row)
        # The packed bits travel to the device, a thirty-second of what the unpacked would be.
        packed = torch.from_numpy(bits).to(device)
        unpacked = (packed[:, :, None] >> torch.arange(32, device=device, dtype=torch.int32)) & 1
        return unpacked.reshape(len(bits), -1)[:, :vocabulary].bool()


def _bounded_by_pattern(schema: Any) -> Any:
    """The same schema with the lengths of texts in their patterns.

    ``maxLength`` beside a pattern keeps llguidance from its slices, and a mask takes ten times as long.
    """
    if isinstance(schema, list):
        return [_bounded_by_pattern(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    same = {name: _bounded_by_pattern(value) for name, value in schema.items()}
    pattern, most = same.get("pattern"), same.get("maxLength")
    if isinstance(pattern, str) and pattern.endswith("]*$") and isinstance(most, int):  # one character, then any number
        same = {name: value for name, value in same.items() if name not in {"minLength", "maxLength"}}
        same["pattern"] = f"{pattern[:-2]}{{0,{most - 1}}}$"
    return same
