"""How fast the music tagger is, beside a plain PyTorch rebuild of the same two networks.

    python -m benchmarks.tags [--threads N] [--json PATH]

Both sides run the same pictures, in the same process, in turn; the ratio is the median over the pairs.  The figure
is seconds of audio per second of processor time.  It is taken on one thread unless told otherwise: with more, the
time that waiting threads spend spinning would count as work.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from workers.models.listener.log_mel import HOP_SAMPLES, SAMPLE_RATE_HZ, Samples, frame_count
from workers.models.listener.tags import WEIGHTS, WINDOW_FRAMES, WINDOWS_AT_ONCE, Tagger, pictures, window_starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

WINDOW_S = WINDOW_FRAMES * HOP_SAMPLES / SAMPLE_RATE_HZ
PAIRS = 7


class Spent(NamedTuple):
    """What one measurement took, in seconds."""

    processor_s: float
    wall_s: float


def audio(seconds: float) -> Samples:
    """Seeded chords with noise; the networks' speed does not depend on what they hear."""
    rng = np.random.default_rng(20)
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    chords = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220.0, 277.2, 329.6, 440.0))
    return np.asarray(0.1 * chords + 0.02 * rng.standard_normal(len(time_s)), np.float32)


def spent(work: Callable[[], object]) -> Spent:
    """Measure one call."""
    wall_s, processor_s = time.perf_counter(), time.process_time()
    work()
    return Spent(time.process_time() - processor_s, time.perf_counter() - wall_s)


def pytorch_networks(threads: int) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Rebuild both networks in PyTorch as published, with the weights of the shipped file.

    Returns:
        A function from pictures (n, 187, 96) to the MSD and the MTT tags, each (n, 50).
    """
    import onnx  # noqa: PLC0415 (only the benchmark's machine has these two)
    import torch  # noqa: PLC0415
    from torch.nn import functional as F  # noqa: N812, PLC0415 (its usual name)

    torch.set_num_threads(threads)
    variables = {
        item.name: torch.from_numpy(onnx.numpy_helper.to_array(item).copy())
        for item in onnx.load(WEIGHTS).graph.initializer
        if "/" in item.name
    }
    for name, value in variables.items():
        if name.endswith("/kernel") and value.ndim == 4:  # a convolution's
            variables[name] = value.permute(3, 2, 0, 1).contiguous()

    def norm(values: torch.Tensor, name: str) -> torch.Tensor:
        keys = ("moving_mean", "moving_variance", "gamma", "beta")
        mean, variance, gamma, beta = (variables[f"{name}/{key}"] for key in keys)
        return F.batch_norm(values, mean, variance, gamma, beta, eps=1e-3)

    def block(values: torch.Tensor, network: str, layer: str, index: int) -> torch.Tensor:
        kernel, bias = variables[f"{network}/{layer}/kernel"], variables[f"{network}/{layer}/bias"]
        return norm(F.relu(F.conv2d(values, kernel, bias)), f"{network}/batch_normalization_{index}")

    def tags(patches: torch.Tensor, network: str) -> torch.Tensor:
        image = norm(patches.unsqueeze(1), f"{network}/batch_normalization")
        padded = F.pad(image, (0, 0, 3, 3))
        parts = [block(padded, network, "conv2d", 1), block(padded, network, "conv2d_1", 2)]
        for index, length in ((2, 128), (3, 64), (4, 32)):
            same = F.pad(image, (0, 0, (length - 1) // 2, length // 2))
            parts.append(block(same, network, f"conv2d_{index}", index + 1))
        front = torch.cat([part.amax(dim=3) for part in parts], dim=1)

        features, previous = [front], front
        for index in (5, 6, 7):
            columns = F.pad(previous, (3, 3)).transpose(1, 2).unsqueeze(1)
            active = block(columns, network, f"conv2d_{index}", index + 1).squeeze(3)
            previous = active if index == 5 else active + previous  # the first has no shortcut
            features.append(previous)
        everything = torch.cat(features, dim=1)

        pooled = torch.stack([everything.amax(dim=2), everything.mean(dim=2)], dim=2).flatten(1)
        pooled = norm(pooled, f"{network}/batch_normalization_9")
        hidden = F.relu(pooled @ variables[f"{network}/dense/kernel"] + variables[f"{network}/dense/bias"])
        hidden = norm(hidden, f"{network}/batch_normalization_10")
        logits = hidden @ variables[f"{network}/dense_1/kernel"] + variables[f"{network}/dense_1/bias"]
        return torch.sigmoid(logits)

    def hear(patches: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [tags(torch.from_numpy(patches), network).numpy() for network in ("msd", "mtt")]

    return hear


def in_groups(hear: Callable[[NDArray[np.float32]], object], patches: NDArray[np.float32], size: int) -> None:
    """Let one side hear all pictures, some at a time."""
    for start in range(0, len(patches), size):
        hear(patches[start : start + size])


def measure(threads: int, windows: int) -> dict[str, float]:
    """Run both sides in turn and derive the figures."""
    samples = audio(windows * WINDOW_S)
    patches = pictures(samples, window_starts(frame_count(len(samples))))
    tagger, hear = Tagger(threads), pytorch_networks(threads)

    ours, theirs = tagger.hear(patches), hear(patches)
    difference = max(float(np.abs(mine - other).max()) for mine, other in zip(ours, theirs, strict=False))

    # Each side runs in the group size that suits it: ours as in `Tagger.listen`, PyTorch in its fastest.
    def pytorch_s(size: int) -> float:
        return min(spent(partial(in_groups, hear, patches[:8], size)).processor_s for _ in range(2))

    size = min((1, 2, 4, 8), key=pytorch_s)

    onnx_runs, torch_runs, whole_runs = [], [], []
    for _ in range(PAIRS):
        onnx_runs.append(spent(partial(in_groups, tagger.hear, patches, WINDOWS_AT_ONCE)))
        torch_runs.append(spent(partial(in_groups, hear, patches, size)))
        whole_runs.append(spent(partial(tagger.listen, samples)))
    audio_s = len(patches) * WINDOW_S

    def median_speed(runs: list[Spent]) -> float:
        return round(statistics.median(audio_s / run.processor_s for run in runs), 1)

    pairs = list(zip(torch_runs, onnx_runs, strict=True))
    return {
        "threads": threads,
        "audio_s": round(audio_s, 1),
        "largest_difference": difference,
        "pytorch_windows_at_once": size,
        "tagger_audio_s_per_processor_s": median_speed(whole_runs),
        "onnx_audio_s_per_processor_s": median_speed(onnx_runs),
        "pytorch_audio_s_per_processor_s": median_speed(torch_runs),
        "ratio": round(statistics.median(slow.processor_s / fast.processor_s for slow, fast in pairs), 2),
        "ratio_wall": round(statistics.median(slow.wall_s / fast.wall_s for slow, fast in pairs), 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Speed of the music tagger beside a PyTorch rebuild.")
    parser.add_argument("--threads", type=int, default=1, help="threads of both sides (default: %(default)s)")
    parser.add_argument("--windows", type=int, default=16, help="windows of 3 s in a run, at least 8")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    try:
        figures = measure(arguments.threads, max(arguments.windows, 8))
    except ModuleNotFoundError as missing:
        sys.exit(f"The comparison needs {missing.name}: pip install torch onnx")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures))
    table = Table(title=f"Music tags, {figures['threads']:.0f} thread(s)", title_justify="left")
    table.add_column("")
    table.add_column("audio s per processor s", justify="right")
    table.add_row("whole tagger", f"{figures['tagger_audio_s_per_processor_s']:.1f}")
    table.add_row("networks, onnxruntime", f"{figures['onnx_audio_s_per_processor_s']:.1f}")
    table.add_row("networks, PyTorch", f"{figures['pytorch_audio_s_per_processor_s']:.1f}")
    table.add_row("ratio (processor time)", f"{figures['ratio']:.2f}")
    table.add_row("ratio (wall time)", f"{figures['ratio_wall']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
