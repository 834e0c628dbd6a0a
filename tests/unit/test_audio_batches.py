"""Batches of pieces of sound: by length, within a budget, smaller after memory ran out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.models.audio_batches import ROW_LEAST_S, AudioBudget, Batching, is_out_of_memory

LENGTHS_S = st.lists(st.floats(0.01, 30.0), min_size=1, max_size=30)


class Memory:
    """Answers a batch with the double of each piece, and runs out of memory as told."""

    def __init__(self, rows: int = 1000, never: float | None = None) -> None:
        """Take the most rows it holds, and a piece it never holds."""
        self.rows = rows
        self.never = never
        self.calls: list[list[float]] = []
        self.freed = 0

    def answer(self, batch: Sequence[float]) -> list[float]:
        """The doubles."""
        self.calls.append(list(batch))
        if len(batch) > self.rows or self.never in batch:
            message = "CUDA out of memory. Tried to allocate 9.00 GiB"
            raise RuntimeError(message)
        return [2 * piece for piece in batch]

    def free(self) -> None:
        """Count."""
        self.freed += 1


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    """One thread to prepare in."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def batching(
    memory: Memory, executor: ThreadPoolExecutor, budget: AudioBudget
) -> Batching[float, Sequence[float], float]:
    """Pieces that are their own length."""
    return Batching(lambda piece: piece, list, memory.answer, memory.free, budget, executor)


@given(lengths_s=LENGTHS_S, audio_s=st.floats(1.0, 300.0), rows=st.integers(1, 8))
def test_every_piece_has_its_answer_in_order(
    executor: ThreadPoolExecutor, lengths_s: list[float], audio_s: float, rows: int
) -> None:
    """Whatever the budget and the memory."""
    memory = Memory(rows)
    assert batching(memory, executor, AudioBudget(audio_s)).run(lengths_s) == [2 * length for length in lengths_s]
    for batch in memory.calls:
        assert batch == sorted(batch, reverse=True)
        assert len(batch) == 1 or len(batch) * max(ROW_LEAST_S, *batch) <= audio_s


def test_the_safe_size_is_remembered(executor: ThreadPoolExecutor) -> None:
    """After one failure later calls begin at what went well, and memory is given back first."""
    memory, budget = Memory(rows=4), AudioBudget(240.0)
    assert batching(memory, executor, budget).run([30.0] * 8) == [60.0] * 8
    assert [len(batch) for batch in memory.calls] == [8, 4, 4]
    assert memory.freed == 1
    memory.calls.clear()
    assert batching(memory, executor, budget).run([30.0] * 8) == [60.0] * 8
    assert [len(batch) for batch in memory.calls] == [4, 4]
    assert memory.freed == 1


def test_a_piece_that_memory_never_holds_has_no_answer(executor: ThreadPoolExecutor) -> None:
    """The others of its batch have theirs, and one such piece does not make batches of one for ever."""
    memory, budget = Memory(never=7.0), AudioBudget(240.0)
    assert batching(memory, executor, budget).run([1.0, 7.0, 3.0, 2.0]) == [2.0, None, 6.0, 4.0]
    assert budget.audio_s == pytest.approx(ROW_LEAST_S)


def test_other_errors_are_not_swallowed(executor: ThreadPoolExecutor) -> None:
    """Only running out of memory halves a batch."""

    def broken(_: Sequence[float]) -> list[float]:
        message = "CUDA error: device-side assert triggered"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="device-side"):
        Batching(lambda piece: piece, list, broken, lambda: None, AudioBudget(60.0), executor).run([1.0])


def test_running_out_of_memory_while_preparing_halves_too(executor: ThreadPoolExecutor) -> None:
    """Features need memory as well."""

    def prepare(batch: Sequence[float]) -> Sequence[float]:
        if len(batch) > 2:
            raise MemoryError
        return batch

    memory = Memory()
    found = Batching(lambda piece: piece, prepare, memory.answer, memory.free, AudioBudget(240.0), executor)
    assert found.run([1.0, 2.0, 3.0, 4.0, 5.0]) == [2.0, 4.0, 6.0, 8.0, 10.0]


def test_what_counts_as_out_of_memory() -> None:
    """On a GPU, in the processor's allocator, in Python; nothing else."""
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"))
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
