"""The least time that Qwen2-Audio can take on a GPU, from what must be read from memory and what must be multiplied.

A decode step reads every weight of the decoder and of the head once, and the keys and values of every token so far; a
prompt multiplies every weight with every token.  Nothing else is counted, so no program can be faster.

    python -m benchmarks.gpu_floor [--write]

prints that for the GPUs it knows; ``--write`` puts it into ``docs/qwen2-audio.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch

from benchmarks.page import write_between

PROCESSOR: Final = "this processor"
WINDOW_FRAMES: Final = 1500
"""Positions of the audio tower for a window, whatever its length."""


class Device(NamedTuple):
    """What a device can do."""

    name: str
    bytes_per_s: float
    flops_per_s: float
    measured: bool = False


class DataSheet(NamedTuple):
    """What its maker says of a GPU."""

    part: str
    """Of its name."""
    terabytes_per_s: float
    teraflops: float
    """Per second, dense, bfloat16."""
    gigabytes: float


KNOWN: Final = (
    DataSheet("H200", 4.8, 989, 141), DataSheet("H100 NVL", 3.9, 835, 94), DataSheet("H100 PCIe", 2.0, 756, 80),
    DataSheet("H100", 3.35, 989, 80), DataSheet("A100-SXM4-80GB", 2.04, 312, 80), DataSheet("A100 80GB", 1.94, 312, 80),
    DataSheet("A100", 1.555, 312, 40), DataSheet("L40S", 0.864, 362, 48), DataSheet("A10G", 0.6, 70, 24),
    DataSheet("A10", 0.6, 125, 24), DataSheet("L4", 0.3, 121, 24),
)  # fmt: skip
"""The first whose part is in a GPU's name is meant."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What one network takes, in bytes and in multiplications and additions."""

    step_bytes: float
    """Read at every decode step whatever the batch."""
    token_bytes: float
    """Keys and values of one token."""
    token_flops: float
    """Of the decoder, for one token of a prompt, attention aside."""
    attention_flops: float
    """Of the decoder's attention, for each pair of tokens of a prompt."""
    tower_flops: float
    """Of the audio tower and the projector, for one window."""

    @classmethod
    def of(cls, model: Any) -> Costs:
        """Count a Qwen2AudioForConditionalGeneration."""
        text, audio = model.config.text_config, model.config.audio_config
        head_bytes = _bytes(model.lm_head)
        embedding = model.get_input_embeddings()
        decoder = next(layer for layer in model.modules() if type(layer).__name__ == "Qwen2Model")
        tower = next(layer for layer in model.modules() if type(layer).__name__ == "Qwen2AudioEncoder")
        decoder_weights = _weights(decoder) - _weights(embedding)
        width = model.lm_head.weight.element_size()
        heads = text.num_key_value_heads * (text.hidden_size // text.num_attention_heads)
        return cls(
            step_bytes=width * decoder_weights + head_bytes,
            token_bytes=2 * width * text.num_hidden_layers * heads,
            token_flops=2 * decoder_weights,
            # Two products of the width of the model a pair, half of the pairs masked.
            attention_flops=2 * text.num_hidden_layers * text.hidden_size,
            tower_flops=2 * _weights(tower) * WINDOW_FRAMES
            + 4 * audio.encoder_layers * audio.d_model * WINDOW_FRAMES**2,
        )

    def step_s(self, device: Device, rows: int, tokens: float) -> float:
        """Seconds of a decode step of so many rows that have so many tokens each."""
        return (self.step_bytes + rows * tokens * self.token_bytes) / device.bytes_per_s

    def prefill_s(self, device: Device, rows: int, tokens: float) -> float:
        """Seconds until a batch of windows with prompts of so many tokens has its first token."""
        decoder = tokens * self.token_flops + tokens**2 * self.attention_flops
        return rows * (self.tower_flops + decoder) / device.flops_per_s

    def clips_per_s(self, device: Device, rows: int, prompt: float, answer: float) -> float:
        """Clips of one window a second, with prompts and answers of so many tokens."""
        steps_s = answer * self.step_s(device, rows, prompt + answer / 2)
        return rows / (self.prefill_s(device, rows, prompt) + steps_s)


PUBLISHED: Final = Costs(
    step_bytes=14.23e9,
    token_bytes=2 * 2 * 32 * 4096,
    token_flops=2 * 6.477e9,
    attention_flops=2 * 32 * 4096,
    tower_flops=2 * 0.637e9 * WINDOW_FRAMES + 4 * 32 * 1280 * WINDOW_FRAMES**2,
)
"""The 7B model in bfloat16: 6.477 billion weights in the decoder, 0.639 in the head, 0.637 in the tower."""


PUBLISHED_BYTES: Final = 16.8e9
"""All of its weights."""
WORKING_BYTES: Final = 3e9
"""What a call takes besides weights, keys and values, roughly."""
USABLE: Final = 0.9
"""Share of a GPU's memory that can be filled."""
PROMPT, ANSWER = 1150, 150
"""Tokens: 750 of 30 s of audio and about 400 of the question; an answer of usual length."""


def rows_that_fit(gigabytes: float, tokens: float = PROMPT + ANSWER) -> int:
    """How many rows of so many tokens a GPU holds beside the 7B model."""
    free = USABLE * gigabytes * 1e9 - PUBLISHED_BYTES - WORKING_BYTES
    return max(0, int(free / (tokens * PUBLISHED.token_bytes)))


def table(batches: Sequence[int] = (1, 8, 32)) -> str:
    """The 7B model in bfloat16 on every GPU that is known, as Markdown."""
    named = " / ".join(map(str, batches))
    lines = [
        f"| GPU | memory, GB | rows that fit | ms a step at batch {named} | clips/s at batch {named} |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for sheet in KNOWN:
        device = Device(sheet.part, sheet.terabytes_per_s * 1e12, sheet.teraflops * 1e12)
        fit = rows_that_fit(sheet.gigabytes)
        steps, clips = [], []
        for rows in batches:
            step_s = PUBLISHED.step_s(device, rows, PROMPT + ANSWER / 2)
            steps.append(f"{1000 * step_s:.1f}" if rows <= fit else "no")
            clips.append(f"{PUBLISHED.clips_per_s(device, rows, PROMPT, ANSWER):.1f}" if rows <= fit else "no")
        lines.append(f"| {sheet.part} | {sheet.gigabytes:.0f} | {fit} | {' / '.join(steps)} | {' / '.join(clips)} |")
    return "\n".join(lines)


def _weights(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _bytes(module: Any) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def sheet_of(name: str) -> DataSheet | None:
    """What is known of a GPU by the name its driver gives it."""
    return next((sheet for sheet in KNOWN if sheet.part in name), None)


def find_device(device: torch.device, dtype: torch.dtype) -> Device:
    """A GPU by its name; what is not known is measured by copying and multiplying."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else PROCESSOR
    sheet = sheet_of(name)
    if sheet is not None:
        return Device(name, sheet.terabytes_per_s * 1e12, sheet.teraflops * 1e12)
    return Device(name, copied_bytes_per_s(device), multiplied_flops_per_s(device, dtype), measured=True)


def copied_bytes_per_s(device: torch.device, size_bytes: int = 0) -> float:
    """Bytes read and written a second by copying."""
    size_bytes = size_bytes or (2**30 if device.type == "cuda" else 2**26)
    source = torch.ones(size_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size_bytes / _best_s(lambda: target.copy_(source), device)


def multiplied_flops_per_s(device: torch.device, dtype: torch.dtype, size: int = 0) -> float:
    """Multiplications and additions a second of a product of two square matrices."""
    size = size or (8192 if device.type == "cuda" else 512)
    one = torch.ones((size, size), dtype=dtype, device=device)
    return 2 * size**3 / _best_s(lambda: one @ one, device)


def _best_s(work: Any, device: torch.device, times: int = 10) -> float:
    best_s = float("inf")
    for _ in range(times):
        synchronise(device)
        began = time.perf_counter()
        work()
        synchronise(device)
        best_s = min(best_s, time.perf_counter() - began)
    return best_s


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/qwen2-audio.md")
    options = parser.parse_args(arguments)
    print(table())
    if options.write:
        write_between(Path("docs/qwen2-audio.md"), "floor", table())


if __name__ == "__main__":
    main()
