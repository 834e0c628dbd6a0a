"""Batches of pieces of sound of about the same length, within what the memory of a GPU holds."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
Inputs = TypeVar("Inputs")
Answer = TypeVar("Answer")

ROW_LEAST_S: Final = 20.0
"""What a row costs at least, in seconds of audio: the question and the answer, about 500 tokens, lie in the same cache
as the audio's 25 tokens a second."""


class AudioBudget:
    """How much audio goes into one call; learns from calls that ran out of memory.

    A batch costs as many seconds as its longest piece has, times its rows, for shorter rows are padded.
    """

    def __init__(self, audio_s: float) -> None:
        """Begin with ``audio_s`` seconds a call."""
        self.audio_s = audio_s

    def rows(self, lengths_s: Sequence[float]) -> int:
        """How many of the pieces, sorted from long to short, make the first batch; at least one."""
        fitting = 1
        while fitting < len(lengths_s) and self._cost_s(lengths_s[: fitting + 1]) <= self.audio_s:
            fitting += 1
        return fitting

    def failed(self, lengths_s: Sequence[float]) -> None:
        """Remember that a batch of these lengths was too much: from now on no more than half of it."""
        self.audio_s = min(self.audio_s, self._cost_s(lengths_s) / 2)

    @staticmethod
    def _cost_s(lengths_s: Sequence[float]) -> float:
        return len(lengths_s) * max(ROW_LEAST_S, *lengths_s)


@dataclass(frozen=True, slots=True)
class Batching(Generic[Item, Inputs, Answer]):
    """How to answer many pieces a batch at a time; an answer does not depend on the company."""

    length_s: Callable[[Item], float]
    prepare: Callable[[Sequence[Item]], Inputs]
    """Runs in the executor while the batch before is answered."""
    answer: Callable[[Inputs], Sequence[Answer]]
    free: Callable[[], None]
    """Gives memory back after a call that ran out of it."""
    budget: AudioBudget
    executor: Executor

    def run(self, items: Sequence[Item]) -> list[Answer | None]:
        """One answer an item, in order; ``None`` where memory does not hold even that item alone.

        A batch that runs out of memory is halved, and each half tried; later batches are smaller from the beginning.
        """
        answers: list[Answer | None] = [None] * len(items)
        waiting = sorted(range(len(items)), key=lambda index: -self.length_s(items[index]))
        ahead: tuple[list[int], Future[Inputs]] | None = None
        while waiting or ahead:
            batch, inputs = ahead or self._next(items, waiting)
            ahead = self._next(items, waiting) if waiting else None
            self._answer([items[index] for index in batch], batch, inputs.result, answers)
        return answers

    def _next(self, items: Sequence[Item], waiting: list[int]) -> tuple[list[int], Future[Inputs]]:
        """Take the next batch off those that wait, and begin to prepare it."""
        rows = self.budget.rows([self.length_s(items[index]) for index in waiting])
        batch = waiting[:rows]
        del waiting[:rows]
        return batch, self.executor.submit(self.prepare, [items[index] for index in batch])

    def _answer(
        self, items: Sequence[Item], places: Sequence[int], inputs: Callable[[], Inputs], answers: list[Answer | None]
    ) -> None:
        try:
            given = self.answer(inputs())
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            for place, answer in zip(places, given, strict=True):
                answers[place] = answer
            return
        # Here and not in the except clause, where the traceback still holds the tensors of the call that failed.
        self.free()
        if len(items) == 1:
            return
        self.budget.failed([self.length_s(item) for item in items])
        middle = len(items) // 2
        for half in (slice(None, middle), slice(middle, None)):
            self._answer(items[half], places[half], partial(self.prepare, items[half]), answers)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on a GPU (torch says so in a RuntimeError) or beside it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
