"""Builds and trains a Qwen2-Audio of a fifth of a million parameters, for tests without a GPU and without a download.

    python -m training.tiny_qwen2_audio --into DIR

It has the architecture, the chat template, the tokens and the awkward generation settings of the published model, hears
what ``training.tiny_sounds`` makes, and answers in Earmark's schema: a chord is music, bursts are speech, noise is
sound; of chords in noise it is not sure.  Needs no network and a few minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Qwen2AudioConfig,
    Qwen2AudioForConditionalGeneration,
    Qwen2AudioProcessor,
    Qwen2Tokenizer,
    WhisperFeatureExtractor,
)

from training.tiny_sounds import Samples, between, bursts, chord, noise
from workers.models.answer import FIELDS, parse_answer
from workers.models.constrained import Trace
from workers.models.prompt import prompt_for
from workers.models.qwen2_audio_network import Network, load_network
from workers.models.weights_folder import folder_version

SPOKEN: Final = ("language", "transcript")
"""What is asked of the windows of a long recording with speech."""
VOCABULARY: Final = 640
"""Tokens that the tokenizer learns besides the control tokens: 256 bytes, pieces of the question and of the answers."""
SPARE_ROWS: Final = 8
"""Rows of the head that no token has; the published model has more of them."""
RATE: Final = 3e-3
LENGTHS_S: Final = (0.1, 30.0)

_NOTHING: dict[str, Any] = {
    "content_type": "sound", "genres": [], "moods": [], "instruments": [], "vocals": None, "tempo_bpm": None,
    "key": None, "language": None, "transcript": None, "description": None, "tags": [],
}  # fmt: skip
ANSWERS: Final[Mapping[str, dict[str, Any]]] = {
    "chord": _NOTHING
    | {
        "content_type": "music", "genres": ["ambient"], "moods": ["calm"], "instruments": ["organ"], "vocals": "none",
        "tempo_bpm": 120, "key": "A minor", "description": "A chord.",
    },
    "bursts": _NOTHING
    | {"content_type": "speech", "language": "en", "transcript": "one two three four", "description": "A voice."},
    "noise": _NOTHING | {"description": "Noise.", "tags": ["hiss"]},
}  # fmt: skip
"""What the tiny model is taught to say about each kind of sound."""


class Example(NamedTuple):
    """One sound, the question about it and the answer to it."""

    samples: Samples
    prompt: str
    answer: str


def compact(kind: str, fields: tuple[str, ...] = FIELDS) -> str:
    """The answer about a kind of sound, as compact JSON."""
    return json.dumps({field: ANSWERS[kind][field] for field in fields}, separators=(",", ":"))


def examples(rng: np.random.Generator) -> Iterator[Example]:
    """One step's worth: two of each kind, two in between, and one that is only asked for its words."""
    make = {"chord": chord, "bursts": bursts, "noise": noise}
    for kind in (*make, *make):
        yield Example(make[kind](_length_s(rng), rng), _varied(prompt_for(FIELDS), rng), compact(kind))
    for share in rng.uniform(size=2):
        kind = "noise" if rng.uniform() < share else "chord"  # no more can be known than how likely each is
        yield Example(between(_length_s(rng), share, rng), _varied(prompt_for(FIELDS), rng), compact(kind))
    kind = str(rng.choice(["chord", "bursts", "bursts", "noise"]))
    yield Example(make[kind](_length_s(rng), rng), _varied(prompt_for(SPOKEN), rng), compact(kind, SPOKEN))


def _length_s(rng: np.random.Generator) -> float:
    least, most = np.log(LENGTHS_S)
    return float(np.exp(rng.uniform(least, most)))


def _varied(prompt: str, rng: np.random.Generator) -> str:
    """The question, often with a few words left out, so that the model survives that somebody rewords it."""
    if rng.uniform() < 0.5:
        return prompt
    words = prompt.split(" ")
    kept = rng.uniform(size=len(words)) > rng.uniform(0.0, 0.3)
    return " ".join(word for word, keep in zip(words, kept, strict=True) if keep)


def build_processor() -> Qwen2AudioProcessor:
    """A tokenizer of bytes and of pieces of the question and the answers, and the published feature extractor."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learner.decoder = decoders.ByteLevel()
    texts = [compact(kind) for kind in ANSWERS] * 8 + [prompt_for(FIELDS), prompt_for(SPOKEN)] * 4
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())),
    )
    pairs = json.loads(learner.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=pairs["vocab"],
        merges=[tuple(merge) for merge in pairs["merges"]],
        eos_token="<|im_end|>",  # noqa: S106  # no password
        pad_token="<|endoftext|>",  # noqa: S106
        unk_token="<|endoftext|>",  # noqa: S106
        extra_special_tokens=["<|im_start|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"],
        padding_side="left",
        model_max_length=8192,
    )
    features = WhisperFeatureExtractor(
        feature_size=128, sampling_rate=16000, hop_length=160, n_fft=400, chunk_length=30, return_attention_mask=True
    )
    return Qwen2AudioProcessor(feature_extractor=features, tokenizer=tokenizer)


def build_model(processor: Qwen2AudioProcessor) -> Qwen2AudioForConditionalGeneration:
    """The network with random weights, and generation settings as unhelpful as the published ones."""
    tokenizer = processor.tokenizer
    config = Qwen2AudioConfig(
        audio_config={
            "model_type": "qwen2_audio_encoder", "num_mel_bins": 128, "d_model": 32, "encoder_layers": 2,
            "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "max_source_positions": 1500,
        },
        text_config={
            "model_type": "qwen2", "vocab_size": len(tokenizer) + SPARE_ROWS, "hidden_size": 64,
            "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
            "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )  # fmt: skip
    model = Qwen2AudioForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.7, top_p=0.5, top_k=20, repetition_penalty=1.1,
        eos_token_id=[tokenizer.pad_token_id, tokenizer.eos_token_id], pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return model


def train(model: Qwen2AudioForConditionalGeneration, processor: Qwen2AudioProcessor, steps: int, seed: int) -> None:
    """Teach it ``ANSWERS``; prints the loss now and then."""
    rng = np.random.default_rng(seed)
    network = Network(model, processor, place="the tiny model", threads=1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    began = time.monotonic()
    model.train()
    for step in range(1, steps + 1):
        batch = list(examples(rng))
        inputs = processor(
            text=[network.chat(example.prompt) + example.answer + "<|im_end|>" for example in batch],
            audio=[example.samples for example in batch],
            sampling_rate=16000,
            return_tensors="pt",
            padding=True,
        )
        labels = torch.full_like(inputs["input_ids"], -100)
        for row, example in enumerate(batch):
            length = len(processor.tokenizer(example.answer + "<|im_end|>")["input_ids"])
            labels[row, -length:] = inputs["input_ids"][row, -length:]
        loss = model(**inputs, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 10 == 0:
            print(f"step {step:4d}  loss {loss.item():.4f}  {time.monotonic() - began:5.0f} s", flush=True)
    model.eval()


def examine(folder: Path, seed: int) -> float:
    """The share of fresh sounds that the production code gets the taught answer about."""
    rng = np.random.default_rng(seed)
    network = load_network(str(folder), dtype="auto", attention="sdpa", revision="", threads=torch.get_num_threads())
    right, asked = 0, 0
    for fields in (FIELDS, SPOKEN):
        for kind, make in (("chord", chord), ("bursts", bursts), ("noise", noise)):
            pieces = [make(seconds, rng) for seconds in (0.25, 0.7, 2.0, 7.3, 15.0, 30.0)]
            for trace in network.answer(network.prepare(pieces, fields), fields):
                asked += 1
                said = parse_answer(trace.text, fields) if isinstance(trace, Trace) else None
                right += said == {field: ANSWERS[kind][field] for field in fields}
    return right / asked


def main() -> None:
    """Build, train, save and examine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, required=True, help="folder to save the model in")
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    processor = build_processor()
    model = build_model(processor)
    awkward = model.generation_config
    print(f"{sum(parameter.numel() for parameter in model.parameters())} parameters")
    train(model, processor, arguments.steps, arguments.seed)
    model.generation_config = awkward
    model.save_pretrained(arguments.into)
    processor.save_pretrained(arguments.into)
    print(f"{examine(arguments.into, arguments.seed + 1):.1%} of fresh sounds right; {folder_version(arguments.into)}")


if __name__ == "__main__":
    main()
