"""Qwen2-Audio in this process beside plain ``generate``, and what constrained decoding costs: tiny weights, on a CPU.

    python -m benchmarks.qwen2_audio [--quick]

The tiny model under ``tests/data`` has the layers, the shapes and the code path of the published one and next to no
arithmetic, so what is timed is everything around the network.  Contestants hear the same clips of 30 s in turn, and a
ratio is the median over the rounds, each against its own round.  ``docs/figures-models.md`` says what that shows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoProcessor, GenerationConfig, Qwen2AudioForConditionalGeneration

from benchmarks.decode_steps import StepClock, decode
from benchmarks.masks import costs_at_full_size
from earmark.domain import CLIP_RATE_HZ, Clip
from tests.tiny_qwen import TINY_QWEN, tiny_clip, tiny_sound
from workers.models.answer import FIELDS, answer_schema
from workers.models.constrained import Grammar
from workers.models.prompt import prompt_for
from workers.models.qwen2_audio import MOST_SPEECH_WINDOWS, Qwen2Audio
from workers.models.qwen2_audio_network import MOST_ANSWER_TOKENS, Network, load_network, quiet

BATCHES = (1, 8, 32)
KINDS = ("chord", "bursts", "noise")
CLIP_S = 30.0
ROUNDS = 5
OVERHEAD_TOKENS = 40
"""Fewer than the shortest answer has, so that every row is still masked at every step."""


class Heard(NamedTuple):
    """What one contestant did in one round."""

    clips_per_s: float
    steps_per_s: float
    answers: tuple[Any, ...]


def plain(folder: Path, clips: Sequence[Clip]) -> Callable[[], Heard]:
    """The usual few lines with transformers: one clip a call, greedy, the same question, as many tokens at most."""
    with quiet():
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        model = Qwen2AudioForConditionalGeneration.from_pretrained(folder, local_files_only=True).eval()
    content = [{"type": "audio", "audio": ""}, {"type": "text", "text": prompt_for(FIELDS)}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    ends = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(
        do_sample=False, max_new_tokens=MOST_ANSWER_TOKENS, eos_token_id=ends, pad_token_id=ends[0]
    )

    def hear() -> Heard:
        said = []
        began = time.perf_counter()
        with StepClock(model) as clock, torch.inference_mode():
            for clip in clips:
                samples = np.fromfile(clip.path, "<f4")
                inputs = processor(text=text, audio=samples, sampling_rate=CLIP_RATE_HZ, return_tensors="pt")
                sequence = model.generate(**inputs)[0, inputs["input_ids"].shape[1] :]
                said.append(json.loads(processor.decode(sequence, skip_special_tokens=True)))
        wall_s = time.perf_counter() - began
        return Heard(len(clips) / wall_s, 1 / clock.steps.median_s, tuple(_told(answer) for answer in said))

    return hear


def ours(network: Network, rows: int, clips: Sequence[Clip]) -> Callable[[], Heard]:
    """The production model: batches of so many rows, windows, constrained decoding, scores, merging."""
    model = Qwen2Audio(network, version="1", windows=4, speech=MOST_SPEECH_WINDOWS, audio_s=rows * CLIP_S)

    def hear() -> Heard:
        began = time.perf_counter()
        with StepClock(network.model) as clock:
            said = model.predict(clips)
        wall_s = time.perf_counter() - began
        answers = tuple(
            answer and (answer.metadata.content_type.value, answer.metadata.key.value, answer.metadata.transcript.value)
            for answer in said
        )
        return Heard(len(clips) / wall_s, 1 / clock.steps.median_s, answers)

    return hear


def _told(answer: dict[str, Any]) -> tuple[Any, ...]:
    return answer["content_type"], answer["key"], answer["transcript"]


def compared(network: Network, folder: Path, *, batches: Sequence[int], clips: int, rounds: int) -> dict[str, float]:
    """Clips and decode steps a second of the production path at each batch, beside plain ``generate``."""
    heard = [tiny_clip(folder, KINDS[seed % len(KINDS)], CLIP_S, seed) for seed in range(clips)]
    contestants = {"plain": plain(TINY_QWEN, heard)} | {f"batch_{rows}": ours(network, rows, heard) for rows in batches}
    took: dict[str, list[Heard]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, hear in contestants.items():
            found = hear()
            if number:  # the first warms up
                took[name].append(found)
                print(f"{name:9} {found.clips_per_s:7.2f} clips/s {found.steps_per_s:8.1f} decode steps/s", flush=True)
    expected = took["plain"][0].answers
    found_all: dict[str, float] = {"clips": clips, "rounds": rounds}
    for name, each in took.items():
        found_all |= {
            f"{name}_clips_per_s": median(one.clips_per_s for one in each),
            f"{name}_steps_per_s": median(one.steps_per_s for one in each),
            f"{name}_same": sum(one == other for one, other in zip(each[0].answers, expected, strict=True)) / clips,
        }
        found_all |= against(name, [one.clips_per_s for one in each], [one.clips_per_s for one in took["plain"]])
    return found_all


def against(name: str, ones: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """The median ratio over the rounds, each against its own round, with the least and the most."""
    ratios = [one / other for one, other in zip(ones, others, strict=True)]
    return {f"{name}_ratio": median(ratios), f"{name}_least": min(ratios), f"{name}_most": max(ratios)}


def overhead(network: Network, *, batches: Sequence[int], rounds: int, tokens: int) -> dict[str, float]:
    """A decode step with masks and records beside the same step without, at each batch."""
    grammar = Grammar(network._constraints, answer_schema(FIELDS))  # noqa: SLF001  # the network's own tokenizer
    found: dict[str, float] = {}
    for rows in batches:
        pieces = [tiny_sound(KINDS[seed % len(KINDS)], CLIP_S, seed) for seed in range(rows)]
        inputs = network.prepare(pieces, FIELDS)
        took: dict[str, list[float]] = {"with": [], "without": []}
        for number in range(rounds + 1):
            for name, held_to in (("with", grammar), ("without", None)):
                with StepClock(network.model) as clock:
                    decode(network.model, inputs, tokens=tokens, grammar=held_to)
                if number:
                    took[name].append(clock.steps.median_s)
        found |= against(f"overhead_{rows}", took["with"], took["without"])
        found[f"overhead_{rows}_ms"] = 1000 * median(
            one - other for one, other in zip(took["with"], took["without"], strict=True)
        )
        print(
            f"batch {rows:2}: a step with grammar and record {1000 * median(took['with']):.2f} ms, without "
            f"{1000 * median(took['without']):.2f} ms, ratio {found[f'overhead_{rows}_ratio']:.2f}",
            flush=True,
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--quick", action="store_true", help="small batches, one round: a smoke run")
    options = parser.parse_args(arguments)
    batches, clips, rounds = ((1, 2), 2, 1) if options.quick else (BATCHES, max(BATCHES), ROUNDS)
    network = load_network(str(TINY_QWEN), dtype="float32", attention="sdpa", revision="", threads=1)
    with tempfile.TemporaryDirectory() as folder:
        found = compared(network, Path(folder), batches=batches, clips=clips, rounds=rounds)
    found |= overhead(network, batches=batches, rounds=rounds, tokens=8 if options.quick else OVERHEAD_TOKENS)
    found |= costs_at_full_size()
    print(
        f"vocabulary of the published size: mask {found['mask_mean_ms']:.2f} ms a row and token, p99 "
        f"{found['mask_p99_ms']:.2f} ms, {found['mask_answer_ms']:.0f} ms an answer of "
        f"{found['mask_answer_tokens']:.0f} tokens; with record {found['token_ms']:.1f} ms on this CPU; "
        f"reading an answer {found['reading_ms']:.2f} ms"
    )
    if options.json:
        options.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
