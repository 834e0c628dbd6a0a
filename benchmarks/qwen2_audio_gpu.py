"""Qwen2-Audio on a GPU: memory, time and batch equality at the published size, with random weights or real ones.

    python -m benchmarks.qwen2_audio_gpu [--path DIR] [--write]      # 7B; needs a GPU of 40 GB or more for batch 32
    python -m benchmarks.qwen2_audio_gpu --config tiny               # the tiny weights, on whatever there is

Random weights take the memory and the arithmetic of real ones and nothing is downloaded; what they say is nonsense that
keeps the schema, held to it over a made-up vocabulary of the published size.  Prints Markdown, beside the least that
memory and arithmetic of the GPU allow (``benchmarks.gpu_floor``); ``--write`` puts it into ``docs/qwen2-audio.md``.
"""

from __future__ import annotations

import argparse
import gc
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import BatchFeature, Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

from benchmarks.big_vocabulary import HEAD_ROWS, made_up_tokenizer
from benchmarks.decode_steps import StepClock, Steps, decode
from benchmarks.gpu_floor import Costs, Device, find_device
from benchmarks.page import write_between
from tests.tiny_qwen import TINY_QWEN, tiny_sound
from workers.models.answer import FIELDS, answer_schema
from workers.models.audio_batches import is_out_of_memory
from workers.models.constrained import Grammar, Trace
from workers.models.qwen2_audio_network import Network, load_network, quiet

PAGE: Final = Path("docs/qwen2-audio.md")
PUBLISHED_TEXT: Final = {
    "vocab_size": HEAD_ROWS, "hidden_size": 4096, "intermediate_size": 11_008, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
}  # fmt: skip
"""Of the published model's decoder; the audio tower's are the defaults of transformers."""
WINDOW_S: Final = 30.0
LENGTHS_S: Final = (0.5, 1.0, 2.0, 5.0, 7.3, 15.0, 22.0, 30.0)
SHORT: Final = ("content_type", "key", "tempo_bpm")
"""Fields of an answer that even random weights soon bring to an end."""
COLUMNS: Final = (
    "batch", "peak, GB", "head over the prompt, GB", "prefill, ms", "step, ms", "no grammar, ms", "floor, ms",
    "of the floor", "clips/s", "floor, clips/s",
)  # fmt: skip
UNKNOWN: Final = "unknown"
UNFIT: Final = "does not fit"


class Run(NamedTuple):
    """One batch, decoded."""

    steps: Steps
    peak_bytes: int | None
    """None = not known here."""


def random_network(
    device: str, dtype: torch.dtype, *, text: dict[str, Any] = PUBLISHED_TEXT, audio: dict[str, Any] | None = None
) -> Network:
    """The published architecture, or another of its kind, with random weights and the tiny model's processor."""
    tiny = load_network(str(TINY_QWEN), dtype="float32", attention="sdpa", revision="", threads=_threads())
    config = Qwen2AudioConfig(
        text_config={"model_type": "qwen2", **text},
        audio_config={"model_type": "qwen2_audio_encoder", **(audio or {})},
        audio_token_index=tiny.model.config.audio_token_index,
    )
    config._attn_implementation = "sdpa"  # noqa: SLF001  # what from_pretrained does with its argument
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Qwen2AudioForConditionalGeneration(config).eval()
    finally:
        torch.set_default_dtype(before)
    model.generation_config = tiny.model.generation_config
    return Network(model, tiny.processor, place="random weights", threads=_threads())


def _threads() -> int:
    return min(8, os.cpu_count() or 1)


class Bench:
    """A network, and what is asked of it."""

    def __init__(self, network: Network, *, tokens: int, rounds: int, seconds: float) -> None:
        """Take a network, the tokens of an answer, how often each batch is timed, and the length of a window."""
        self.network = network
        self.seconds = seconds
        self.device = network.model.device
        self.tokens = tokens
        self.rounds = rounds
        self.costs = Costs.of(network.model)
        made_up = network.vocabulary > 2 * len(network.tokenizer)  # the tiny model's tokenizer under a full-size head
        tokenizer = made_up_tokenizer(network.vocabulary) if made_up else network._constraints  # noqa: SLF001
        self.grammar = Grammar(tokenizer, answer_schema(FIELDS))

    def inputs(self, rows: int) -> BatchFeature:
        """So many windows."""
        pieces = [tiny_sound("between", self.seconds, seed) for seed in range(rows)]
        return self.network.prepare(pieces, FIELDS).to(self.device)

    def run(self, inputs: BatchFeature, *, grammar: bool = True, last_position_only: bool = True) -> Run | None:
        """Decode a batch; None where memory does not hold it."""
        self.free()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        took = []
        try:
            for _ in range(self.rounds + 1):  # the first warms up
                with StepClock(self.network.model) as clock:
                    decode(
                        self.network.model, inputs, tokens=self.tokens, last_position_only=last_position_only,
                        grammar=self.grammar if grammar else None, executor=self.network._executor,  # noqa: SLF001
                    )  # fmt: skip
                took.append(clock.steps)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        timed = took[1:]
        steps = Steps(
            sum(each.number for each in timed),
            median(each.median_s for each in timed),
            median(each.prefill_s for each in timed),
        )
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None
        return Run(steps, peak)

    def free(self) -> None:
        """Give back what nothing holds."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def clips_per_s(self, run: Run, rows: int) -> float:
        """Of windows whose answers have as many tokens as are asked."""
        return rows / (run.steps.prefill_s + (self.tokens - 1) * run.steps.median_s)


def batch_rows(bench: Bench, batches: Sequence[int], device: Device) -> list[str]:
    """A table with a row a batch."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " ---: |" * len(COLUMNS)]
    for rows in batches:
        inputs = bench.inputs(rows)
        prompt = inputs["input_ids"].shape[1]
        run, free = bench.run(inputs), bench.run(inputs, grammar=False)
        whole = bench.run(inputs, last_position_only=False)
        if run is None or free is None:
            lines.append(f"| {rows} | {UNFIT} |" + " |" * (len(COLUMNS) - 2))
            continue
        floor_s = bench.costs.step_s(device, rows, prompt + bench.tokens / 2)
        cells = (
            str(rows), _gigabytes(run), UNFIT if whole is None else _gigabytes(whole), _ms(run.steps.prefill_s),
            _ms(run.steps.median_s), _ms(free.steps.median_s), _ms(floor_s), f"{floor_s / run.steps.median_s:.0%}",
            f"{bench.clips_per_s(run, rows):.2f}",
            f"{bench.costs.clips_per_s(device, rows, prompt, bench.tokens):.2f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
        del inputs
    return lines


def attention_rows(bench: Bench, rows: int) -> list[str]:
    """A table with a row for each way to compute attention that is installed, at one batch."""
    inputs = bench.inputs(rows)
    names = ["sdpa", "eager"]
    if find_spec("flash_attn") and bench.device.type == "cuda":
        names.append("flash_attention_2")
    lines = [f"| attention, batch {rows} | peak, GB | prefill, ms | step, ms |", "| --- | ---: | ---: | ---: |"]
    for name in names:
        bench.network.model.set_attn_implementation(name)
        run = bench.run(inputs)
        told = (
            f"{UNFIT} | | |"
            if run is None
            else (f"{_gigabytes(run)} | {_ms(run.steps.prefill_s)} | {_ms(run.steps.median_s)} |")
        )
        lines.append(f"| {name} | {told}")
    bench.network.model.set_attn_implementation("sdpa")
    return lines


def equality_line(network: Network, lengths_s: Sequence[float]) -> str:
    """How far answers in a batch are from those alone."""
    pieces: list[NDArray[np.float32]] = [tiny_sound("between", seconds, seed) for seed, seconds in enumerate(lengths_s)]
    batched = network.answer(network.prepare(pieces, SHORT), SHORT)
    alone = [network.answer(network.prepare([piece], SHORT), SHORT)[0] for piece in pieces]
    pairs = [
        (one, other)
        for one, other in zip(batched, alone, strict=True)
        if isinstance(one, Trace) and isinstance(other, Trace)
    ]
    share, difference = agreement(pairs)
    return (
        f"Batch against single: {len(pairs)} windows of {min(lengths_s):g} to {max(lengths_s):g} s, {share:.1%} of the "
        f"tokens equal, log-probabilities up to {difference:.1g} apart while they are."
    )


def agreement(pairs: Sequence[tuple[Trace, Trace]]) -> tuple[float, float]:
    """The share of equal tokens, and the greatest difference of log-probabilities up to the first that differs."""
    same, tokens, apart = 0, 0, 0.0
    for one, other in pairs:
        together = 0
        for mine, its in zip(one.pieces, other.pieces, strict=False):
            if mine != its:
                break
            together += 1
        same += together
        tokens += max(len(one.pieces), len(other.pieces))
        differences = np.abs(one.raw_logprob[:together] - other.raw_logprob[:together])
        apart = max(apart, float(differences.max(initial=0.0)))
    return same / max(tokens, 1), apart


def _gigabytes(run: Run) -> str:
    return UNKNOWN if run.peak_bytes is None else f"{run.peak_bytes / 1e9:.1f}"


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f}"


def report(network: Network, *, batches: Sequence[int], tokens: int, rounds: int, seconds: float) -> str:
    """All of it as Markdown, of windows of so many seconds."""
    model = network.model
    loaded = f"{torch.cuda.memory_allocated(model.device) / 1e9:.1f} GB" if model.device.type == "cuda" else UNKNOWN
    bench = Bench(network, tokens=tokens, rounds=rounds, seconds=seconds)
    device = find_device(model.device, model.dtype)
    billions = sum(parameter.numel() for parameter in model.parameters()) / 1e9
    how = "measured" if device.measured else "by its data sheet"
    prompt = bench.inputs(1)["input_ids"].shape[1]
    title = (
        f"{device.name}: {device.bytes_per_s / 1e12:.3g} TB/s, {device.flops_per_s / 1e12:.3g} TFLOP/s, {how}.  "
        f"{billions:.3g} billion weights ({network.place}), {str(model.dtype).removeprefix('torch.')}, memory once "
        f"loaded {loaded}.  torch {torch.__version__}, transformers {transformers.__version__}.  Windows of "
        f"{seconds:g} s, prompts of {prompt} tokens, answers of {tokens}."
    )
    return "\n".join(
        [
            title,
            "",
            *batch_rows(bench, batches, device),
            "",
            *attention_rows(bench, max(rows for rows in batches if rows <= max(8, batches[0]))),
            "",
            equality_line(network, [length_s for length_s in LENGTHS_S if length_s <= seconds]),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=("7b", "tiny"), default="7b")
    parser.add_argument("--path", default="", help="folder of real weights; without, 7b has random ones")
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--tokens", type=int, default=150, help="of an answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=WINDOW_S, help="of a window")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    options = parser.parse_args(arguments)
    if options.config == "7b" and not torch.cuda.is_available():
        message = "The 7B model needs a GPU that torch can use, and there is none; --config tiny runs anywhere."
        raise SystemExit(message)
    with quiet():
        if options.config == "7b" and not options.path:
            network = random_network("cuda", torch.bfloat16)
        else:
            path = options.path or str(TINY_QWEN)
            network = load_network(path, dtype="auto", attention="sdpa", revision="", threads=_threads())
            network.place = Path(path).name
    batches = [int(rows) for rows in options.batches.split(",")]
    text = report(network, batches=batches, tokens=options.tokens, rounds=options.rounds, seconds=options.seconds)
    print(text)
    if options.write:
        write_between(PAGE, "gpu", text)


if __name__ == "__main__":
    main()
