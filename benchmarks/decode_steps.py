"""Decode steps of Qwen2-Audio, counted and timed from inside: shared by the benchmarks on a CPU and on a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from types import TracebackType
from typing import Any, NamedTuple, Self

import torch
from transformers import BatchFeature, GenerationConfig

from workers.models.constrained import ConstrainedDecoding, Grammar


class Steps(NamedTuple):
    """What a clock saw."""

    number: int
    """How many there were."""
    median_s: float
    """Seconds of one step."""
    prefill_s: float
    """Seconds from the beginning of the clock's context to the first token of the last call."""


class StepClock:
    """Times decode steps where the head begins, so that it serves any kind of ``generate``.

    A step lasts from one entry into the head to the next, with the choice of the token and all masks in it.  Entries
    with a whole prompt begin a call and end no step.
    """

    def __init__(self, model: Any) -> None:
        """Watch a Qwen2AudioForConditionalGeneration."""
        self._model = model
        self._entries: list[tuple[float, bool]] = []
        self._began = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        self._entries = []
        self._hook = self._model.lm_head.register_forward_pre_hook(self._note)
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._hook.remove()

    def _note(self, _module: Any, arguments: tuple[torch.Tensor]) -> None:
        if arguments[0].is_cuda:
            torch.cuda.synchronize()
        self._entries.append((time.perf_counter(), arguments[0].shape[1] == 1))

    @property
    def steps(self) -> Steps:
        """All steps since the beginning."""
        return steps_of(self._entries, self._began)


def steps_of(entries: list[tuple[float, bool]], began: float) -> Steps:
    """Steps from entries into the head.

    Args:
        entries: when, in seconds, and whether it was for one token; else it was for a prompt.
        began: when the clock began.
    """
    lasted = sorted(time_s - before_s for (before_s, _), (time_s, is_step) in pairwise(entries) if is_step)
    first_s = next((time_s for time_s, is_step in reversed(entries) if not is_step), began)
    median_s = lasted[len(lasted) // 2] if lasted else 0.0
    return Steps(len(lasted), median_s, first_s - began)


def decode(
    model: Any,
    inputs: BatchFeature,
    *,
    tokens: int,
    grammar: Grammar | None,
    last_position_only: bool = True,
    executor: Any = None,
) -> torch.Tensor:
    """Exactly so many greedy tokens a row, whatever is said; gives them, (rows, tokens).

    Args:
        model: a Qwen2AudioForConditionalGeneration.
        inputs: of its processor, on its device.
        tokens: how many; end tokens end nothing.
        grammar: that the answer is held to, with every token recorded; None = neither.
        last_position_only: keep the head from computing logits for the whole prompt, as production does.
        executor: threads for the masks.
    """
    rows, prompt = inputs["input_ids"].shape
    processors = [] if grammar is None else [ConstrainedDecoding(grammar, rows, executor)]
    # A pad token that no row needs, so that transformers has nothing to warn of.
    fixed = GenerationConfig(
        do_sample=False, num_beams=1, repetition_penalty=1.0, max_new_tokens=tokens, eos_token_id=None, pad_token_id=0
    )
    remove: Callable[[], None] = lambda: None  # noqa: E731
    if last_position_only:
        remove = model.lm_head.register_forward_pre_hook(lambda _module, arguments: (arguments[0][:, -1:],)).remove
    try:
        with torch.inference_mode():
            sequences: torch.Tensor = model.generate(**inputs, generation_config=fixed, logits_processor=processors)
    finally:
        remove()
    return sequences[:, prompt:]
