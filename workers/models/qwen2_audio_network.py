"""The network of Qwen2-Audio, loaded through transformers and torch: pieces of sound and a question in, answers out."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import transformers
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from llguidance import LLExecutor, LLTokenizer
from llguidance.hf import from_tokenizer
from numpy.typing import NDArray
from transformers import AutoProcessor, BatchFeature, GenerationConfig, Qwen2AudioForConditionalGeneration

from earmark.domain import CLIP_RATE_HZ
from earmark.errors import ConfigurationError, ModelUnavailable
from workers.models.answer import answer_bytes_max, answer_schema
from workers.models.constrained import ConstrainedDecoding, Grammar, Trace, Unfinished
from workers.models.prompt import prompt_for
from workers.models.weights_folder import check_folder, is_folder_name

MOST_ANSWER_TOKENS: Final = 1024
"""The longest answer, in tokens.  One with all fields has about 110 tokens; 30 s of fast speech add about 200 in
English, and up to twice that in scripts with more tokens a word.  A row that is still writing by then never ends."""
CONTROL_TOKENS: Final = ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<|im_start|>", "<|im_end|>")
"""What the chat template is made of; each must be one token."""
DTYPES: Final = ("auto", "bfloat16", "float16", "float32")
ATTENTIONS: Final = ("sdpa", "eager", "flash_attention_2")


class Network:
    """A loaded Qwen2-Audio.  ``prepare`` may run in another thread while ``answer`` runs."""

    def __init__(self, model: Any, processor: Any, *, place: str, threads: int) -> None:
        """Take a model in its place, its processor, and what a person calls it (a path or a name on the hub).

        Raises:
            ModelUnavailable: model and processor do not belong together.
        """
        self.model = model
        self.processor = processor
        self.place = place
        self.tokenizer = processor.tokenizer
        self.vocabulary = model.lm_head.weight.shape[0]
        self._check_vocabulary()
        self.tokenizer.padding_side = "left"  # whatever its configuration says; ``_last_position`` relies on it
        self.ends = _end_tokens(model, self.tokenizer)
        # Nothing of the published configuration, which samples and punishes repeated quotes, may fill a gap of ours.
        self.model.generation_config = GenerationConfig(eos_token_id=self.ends, pad_token_id=self.ends[0])
        self._executor = LLExecutor(num_threads=threads) if threads > 1 else None
        self._grammars: dict[tuple[str, ...], Grammar] = {}

    @cached_property
    def _constraints(self) -> LLTokenizer:
        return from_tokenizer(self.tokenizer, n_vocab=self.vocabulary, eos_token=self.ends)

    @property
    def hardware(self) -> str:
        """The GPU it computes on, as its driver names it; empty = there is none."""
        device = self.model.device
        return str(torch.cuda.get_device_name(device)) if device.type == "cuda" else ""

    @property
    def commit(self) -> str:
        """The commit on the hub it was loaded from; empty for a folder."""
        return str(getattr(self.model.config, "_commit_hash", None) or "")

    def prepare(self, pieces: Sequence[NDArray[np.float32]], fields: tuple[str, ...]) -> BatchFeature:
        """What the network is given: token ids padded on the left, and log-mel features.

        Args:
            pieces: Mono at 16 kHz, each (n,), from 0.1 s to 30 s; nothing is cut.
            fields: What to ask for.

        Raises:
            ModelUnavailable: the processor of this model or version does not give what it must.
        """
        text = [self.chat(prompt_for(fields))] * len(pieces)
        inputs = self.processor(
            text=text, audio=list(pieces), sampling_rate=CLIP_RATE_HZ, return_tensors="pt", padding=True
        )
        if "input_features" not in inputs:  # as versions do that know the argument by another name
            why = "its processor gave no input_features, so the model would answer without hearing"
            raise unavailable(self.place, why)
        if not bool(inputs["attention_mask"][:, -1].all()):
            why = "its processor padded on the right, which changes answers"
            raise unavailable(self.place, why)
        return inputs

    def chat(self, prompt: str) -> str:
        """The conversation up to where the model begins to answer."""
        content = [{"type": "audio", "audio": ""}, {"type": "text", "text": prompt}]
        text: str = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return text

    def answer(self, inputs: BatchFeature, fields: tuple[str, ...]) -> list[Trace | Unfinished]:
        """One answer a row, or why there is none.

        Greedy, held to the schema of the fields.
        """
        on_device = inputs.to(self.model.device)
        prompt_tokens = on_device["input_ids"].shape[1]
        decoding = ConstrainedDecoding(self._grammar(fields), len(on_device["input_ids"]), self._executor)
        greedy = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            max_new_tokens=min(answer_bytes_max(fields) + 1, MOST_ANSWER_TOKENS),
            eos_token_id=self.ends,
            pad_token_id=self.ends[0],
        )
        # The head over the whole prompt would be 9 GB at batch 32; only its last position is ever looked at.
        with torch.inference_mode(), self.model.lm_head.register_forward_pre_hook(_last_position):
            sequences = self.model.generate(**on_device, generation_config=greedy, logits_processor=[decoding])
        return decoding.traces(sequences[:, prompt_tokens:])

    def _grammar(self, fields: tuple[str, ...]) -> Grammar:
        if fields not in self._grammars:
            self._grammars[fields] = Grammar(self._constraints, answer_schema(fields))
        return self._grammars[fields]

    def _check_vocabulary(self) -> None:
        known, audio = len(self.tokenizer), CONTROL_TOKENS[0]
        if known > self.vocabulary:
            why = f"its tokenizer has {known} tokens and the network {self.vocabulary}: they are not of the same model"
            raise unavailable(self.place, why)
        ids = dict(zip(CONTROL_TOKENS, self.tokenizer.convert_tokens_to_ids(list(CONTROL_TOKENS)), strict=True))
        if split := [token for token, number in ids.items() if number in {None, self.tokenizer.unk_token_id}]:
            why = f"its tokenizer does not know {', '.join(split)}"
            raise unavailable(self.place, why)
        if ids[audio] != self.model.config.audio_token_id:
            why = f"{audio} is {ids[audio]} to its tokenizer and {self.model.config.audio_token_id} to the network"
            raise unavailable(self.place, why)


def unavailable(
    place: str, why: str, remedy: str = "Download the model anew, whole and in one version."
) -> ModelUnavailable:
    """The error that says which model, why, and what to do."""
    return ModelUnavailable(f"Qwen2-Audio at {place}: {why}.  {remedy}")


def load_network(path: str, *, dtype: str, attention: str, revision: str, threads: int) -> Network:
    """Load weights and processor from a local folder, or from the hub where there is no such folder.

    Args:
        path: A folder, or a name on the hub such as ``Qwen/Qwen2-Audio-7B-Instruct``.
        dtype: One of ``DTYPES``; auto = bfloat16 on a GPU, float32 on a CPU.
        attention: One of ``ATTENTIONS``.
        revision: Branch, tag or commit on the hub; empty = its main branch.  Means nothing for a folder.
        threads: How many the processor may compute on.

    Raises:
        ModelUnavailable: with the path, the reason and a remedy.
    """
    if dtype not in DTYPES or attention not in ATTENTIONS:
        message = f"dtype must be one of {', '.join(DTYPES)} and attention one of {', '.join(ATTENTIONS)}"
        raise ModelUnavailable(message)
    folder = Path(path).expanduser()
    is_local = is_folder_name(path)
    if is_local:
        try:
            check_folder(folder)
        except (ConfigurationError, OSError) as error:
            raise ModelUnavailable(str(error)) from error
    torch.set_num_threads(threads)
    device = find_device()
    source = {"pretrained_model_name_or_path": str(folder) if is_local else path, "local_files_only": is_local}
    if revision and not is_local:
        source["revision"] = revision
    to_device = {"device_map": {"": device}} if find_spec("accelerate") and device.type != "cpu" else {}
    try:
        with quiet():
            model, report = Qwen2AudioForConditionalGeneration.from_pretrained(
                **source,
                **to_device,
                dtype=_dtype(dtype, device),
                attn_implementation=attention,
                output_loading_info=True,
            )
            processor = AutoProcessor.from_pretrained(**source)
        model = model.eval() if to_device else model.to(device).eval()
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:300]
        if "out of memory" in reason or isinstance(error, MemoryError):
            raise unavailable(
                path, f"no memory for it on {device} ({reason})", "It needs 17 GB in bfloat16."
            ) from error
        raise unavailable(path, f"did not load ({type(error).__name__}: {reason})") from error
    wrong = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
    if wrong:  # transformers goes on with random numbers
        raise unavailable(path, f"{len(wrong)} tensors are missing or of another shape, such as {wrong[0]}")
    return Network(model, processor, place=path, threads=threads)


def find_device() -> torch.device:
    """Where to compute: CUDA, or Apple's GPU, or the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """The ids that end an answer: those the model names, or else the tokenizer's."""
    named = model.generation_config.eos_token_id
    ids = {tokenizer.eos_token_id, *(named if isinstance(named, list) else [named])} - {None}
    return sorted(ids)


def _last_position(_module: Any, arguments: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    """(rows, length, width) to (rows, 1, width); with padding on the left the last position is every row's last."""
    return (arguments[0][:, -1:],)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers and the hub from writing progress and advice to a worker's streams."""
    logger = transformers.utils.logging.get_logger("transformers")
    level, bars, hub_bars = (
        logger.level,
        transformers.utils.logging.is_progress_bar_enabled(),
        are_progress_bars_disabled(),
    )
    transformers.utils.logging.set_verbosity(logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers.utils.logging.set_verbosity(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()
        if not hub_bars:
            enable_progress_bars()
