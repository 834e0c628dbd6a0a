"""Qwen2-Audio on a GPU: the tiny weights in bfloat16, and the full 7B architecture with random weights.

Random weights say nothing sensible, but they take the memory and the arithmetic of real ones.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks import qwen2_audio_gpu
from benchmarks.big_vocabulary import HEAD_ROWS
from benchmarks.qwen2_audio_gpu import random_network
from tests.tiny_qwen import TINY_QWEN, tiny_clip, tiny_sound
from workers.models import qwen2_audio_network
from workers.models.audio_batches import AudioBudget, Batching
from workers.models.constrained import Trace, Unfinished
from workers.models.qwen2_audio import load
from workers.models.qwen2_audio_network import Network, load_network

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA"),
]

SHORT = ("content_type", "key")
ROUNDING = 0.15
"""Most that a log-probability may differ between batches in bfloat16, whose numbers have three digits."""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """8.4 billion parameters in bfloat16."""
    built = random_network("cuda", torch.bfloat16)
    yield built
    del built
    gc.collect()
    torch.cuda.empty_cache()


def sounds(*lengths_s: float) -> list[NDArray[np.float32]]:
    """One of each length."""
    return [tiny_sound("between", seconds, index) for index, seconds in enumerate(lengths_s)]


def answered(network: Network, pieces: list[NDArray[np.float32]]) -> list[Trace]:
    """A short answer a piece."""
    traces = network.answer(network.prepare(pieces, SHORT), SHORT)
    found = [trace for trace in traces if isinstance(trace, Trace)]
    assert len(found) == len(pieces)
    return found


def test_the_tiny_model_on_a_gpu(tmp_path: Path) -> None:
    """In bfloat16, as is its own choice there, batched and alone: the same words."""
    model = load(threads=4, path=str(TINY_QWEN))
    assert model._network.model.dtype == torch.bfloat16
    assert model._network.model.device.type == "cuda"
    clips = [
        tiny_clip(tmp_path, kind, seconds) for kind in ("chord", "bursts", "noise") for seconds in (1.0, 7.3, 45.0)
    ]
    batched, single = model.predict(clips), [model.predict([clip])[0] for clip in clips]
    for one, other, kind in zip(batched, single, ["music"] * 3 + ["speech"] * 3 + ["sound"] * 3, strict=True):
        assert one is not None
        assert other is not None
        assert one.metadata.content_type.value == other.metadata.content_type.value == kind


def test_float32_agrees_with_the_processor() -> None:
    """The same numbers on the GPU as on the CPU."""
    on_gpu = load_network(str(TINY_QWEN), dtype="float32", attention="sdpa", revision="", threads=4)
    expected = answered(on_gpu, sounds(1.0, 7.3, 30.0))
    on_gpu.model.to("cpu")
    for one, other in zip(answered(on_gpu, sounds(1.0, 7.3, 30.0)), expected, strict=True):
        assert one.pieces == other.pieces
        assert one.raw_logprob == pytest.approx(other.raw_logprob, abs=5e-3)


def test_a_batch_of_the_full_size_equals_single(network: Network) -> None:
    """The first token's numbers, before answers can part ways over a rounding."""
    pieces = sounds(0.5, 2.0, 7.3, 15.0, 30.0)
    for piece, batched in zip(pieces, answered(network, pieces), strict=True):
        (single,) = answered(network, [piece])
        assert batched.raw_logprob[0] == pytest.approx(single.raw_logprob[0], abs=ROUNDING)
        assert batched.coverage[0] == pytest.approx(single.coverage[0], rel=0.3)


def test_the_head_takes_no_memory_for_the_prompt(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """At batch 8 of 30 s the logits of the whole prompt would be gigabytes."""
    inputs = network.prepare(sounds(*[30.0] * 8), SHORT)

    def peak_bytes() -> int:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        network.answer(inputs, SHORT)
        return torch.cuda.max_memory_allocated()

    hooked = peak_bytes()
    monkeypatch.setattr(qwen2_audio_network, "_last_position", lambda _module, arguments: arguments)
    whole_bytes = 2 * inputs["input_ids"].numel() * HEAD_ROWS
    assert peak_bytes() - hooked > 0.5 * whole_bytes


def test_running_out_of_memory_halves_the_batch(network: Network) -> None:
    """With a limit between what four rows take and what sixteen do, every row has its answer."""
    pieces = sounds(*[30.0] * 16)

    def peak_bytes(rows: int) -> int:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        answered(network, pieces[:rows])
        return torch.cuda.max_memory_reserved()

    limit = (peak_bytes(4) + peak_bytes(16)) // 2
    budget = AudioBudget(16 * 30.0)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
    try:
        with ThreadPoolExecutor(1) as executor:
            batching: Batching[NDArray[np.float32], Any, Trace | Unfinished] = Batching(
                length_s=lambda piece: len(piece) / 16000,
                prepare=lambda batch: network.prepare(batch, SHORT),
                answer=lambda inputs: network.answer(inputs, SHORT),
                free=torch.cuda.empty_cache,
                budget=budget,
                executor=executor,
            )
            traces = batching.run(pieces)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert all(isinstance(trace, Trace) for trace in traces)
    assert budget.audio_s < 16 * 30.0


def test_the_script_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """On a GPU with peaks of memory, and what GPUs are known is told by their data sheets."""
    qwen2_audio_gpu.main(["--config", "tiny", "--batches", "1,2", "--tokens", "8", "--rounds", "1"])
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if line.startswith(("| 1 |", "| 2 |"))]
    assert len(rows) == 2
    assert not any(qwen2_audio_gpu.UNKNOWN in row for row in rows)
