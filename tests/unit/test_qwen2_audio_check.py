"""What keeps a Qwen2-Audio from being loaded: every broken model says that it is, and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from earmark.errors import ModelUnavailable
from tests.tiny_qwen import TINY_QWEN, edited_json, tiny_sound
from workers.models import qwen2_audio_network
from workers.models.answer import FIELDS
from workers.models.qwen2_audio import load
from workers.models.qwen2_audio_check import check_network
from workers.models.qwen2_audio_network import Network, load_network


@pytest.fixture
def network() -> Network:
    """A network of its own for a test to spoil."""
    return load_network(str(TINY_QWEN), dtype="auto", attention="sdpa", revision="", threads=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the folder for a test to spoil."""
    return Path(shutil.copytree(TINY_QWEN, tmp_path / "model"))


def test_a_good_model_passes(network: Network) -> None:
    """Twice, for it changes nothing."""
    check_network(network)
    check_network(network)


def test_random_weights(network: Network) -> None:
    """Under a grammar they write valid answers too; the probability they give to them tells."""
    torch.manual_seed(1)
    for parameter in network.model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    with pytest.raises(ModelUnavailable, match=r"tiny-qwen2-audio: .*(not those of a trained|still writing).*Download"):
        check_network(network)


def test_a_head_that_says_one_control_token_for_ever(network: Network) -> None:
    """As where it was tied to the embedding by mistake."""
    token = network.tokenizer.convert_tokens_to_ids("<|audio_bos|>")

    def only_that(_module: Any, _arguments: Any, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.clone()
        logits[..., token] += 50.0
        return logits

    network.model.lm_head.register_forward_hook(only_that)
    with pytest.raises(ModelUnavailable, match="not those of a trained model"):
        check_network(network)


def test_logits_that_are_no_numbers(network: Network) -> None:
    """As in float16, whose range the network leaves."""
    with torch.no_grad():
        network.model.lm_head.weight[5, 0] = float("nan")
    with pytest.raises(ModelUnavailable, match=r"its logits were not numbers.*bfloat16 or float32"):
        check_network(network)


def test_a_model_that_does_not_hear(network: Network) -> None:
    """All sounds are the same to it."""
    with torch.no_grad():
        for parameter in network.model.model.multi_modal_projector.parameters():
            parameter.zero_()
    with pytest.raises(ModelUnavailable, match="do not depend on what it hears"):
        check_network(network)


def test_a_model_that_never_ends(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it."""
    monkeypatch.setattr(qwen2_audio_network, "MOST_ANSWER_TOKENS", 10)
    with pytest.raises(ModelUnavailable, match="still writing"):
        check_network(network)


def test_no_memory(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is not another download."""

    def short(*_: object) -> None:
        message = "CUDA out of memory."
        raise torch.OutOfMemoryError(message)

    monkeypatch.setattr(network, "answer", short)
    with pytest.raises(ModelUnavailable, match=r"no memory .* needs 17 GB"):
        check_network(network)


def test_a_processor_that_drops_the_audio(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions that know the argument by another name ignore it, and the model would answer without hearing."""
    processor = network.processor

    class Deaf:
        apply_chat_template = processor.apply_chat_template

        def __call__(self, text: list[str], **_: object) -> Any:
            return processor.tokenizer(text, return_tensors="pt", padding=True)

    monkeypatch.setattr(network, "processor", Deaf())
    with pytest.raises(ModelUnavailable, match="gave no input_features"):
        check_network(network)


def test_padding_on_the_right(network: Network, folder: Path) -> None:
    """A folder that asks for it is overruled; whoever sets it later is found out."""
    edited_json(folder / "tokenizer_config.json", padding_side="right")
    overruled = load_network(str(folder), dtype="auto", attention="sdpa", revision="", threads=1)
    assert overruled.tokenizer.padding_side == "left"
    network.tokenizer.padding_side = "right"
    with pytest.raises(ModelUnavailable, match="padded on the right"):
        network.prepare([tiny_sound("chord", 1.0), tiny_sound("chord", 2.0)], FIELDS)


def test_tensors_that_are_missing(folder: Path) -> None:
    """For which transformers would take random numbers, without an error."""
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "lm_head" in name)
    del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"1 tensors are missing or of another shape, such as .*lm_head"):
        load(threads=1, path=str(folder))


def test_a_network_smaller_than_its_tokenizer(network: Network) -> None:
    """Tokens without a row in the head are another model's."""
    network.model.lm_head.weight = torch.nn.Parameter(network.model.lm_head.weight[:600])
    with pytest.raises(ModelUnavailable, match=r"has \d+ tokens and the network 600"):
        Network(network.model, network.processor, place="here", threads=1)


def test_another_place_for_audio(folder: Path) -> None:
    """Configuration and tokenizer must mean the same token."""
    edited_json(folder / "config.json", audio_token_index=7)
    with pytest.raises(ModelUnavailable, match=r"<\|AUDIO\|> is \d+ to its tokenizer and 7 to the network"):
        load(threads=1, path=str(folder))


def test_a_tokenizer_without_the_control_tokens(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The base model's, say."""
    monkeypatch.setattr(qwen2_audio_network, "CONTROL_TOKENS", ("<|AUDIO|>", "<|no_such_token|>"))
    with pytest.raises(ModelUnavailable, match=r"does not know <\|no_such_token\|>"):
        Network(network.model, network.processor, place="here", threads=1)


def test_places_where_there_is_no_model(tmp_path: Path) -> None:
    """A path is named with the remedy; nobody asks the hub about it."""
    for path in (str(tmp_path / "nowhere"), "./nowhere", "models/qwen/nowhere"):
        with pytest.raises(ModelUnavailable, match=r"nowhere is not there\.  Name a folder"):
            load(threads=1, path=path)


def test_a_name_the_hub_cannot_give(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name and the reason; no traceback of somebody else's."""

    def refuse(*_: object, **options: object) -> None:
        assert options["pretrained_model_name_or_path"] == "somebody/qwen"
        assert options["revision"] == "abc"
        assert options["local_files_only"] is False
        message = "We couldn't connect to the hub"
        raise OSError(message)

    monkeypatch.setattr(qwen2_audio_network.Qwen2AudioForConditionalGeneration, "from_pretrained", refuse)
    with pytest.raises(ModelUnavailable, match=r"at somebody/qwen: did not load \(OSError: We couldn't connect"):
        load(threads=1, path="somebody/qwen", revision="abc")


@pytest.mark.parametrize("wrong", [{"dtype": "int4"}, {"attention": "flex"}])
def test_settings_that_do_not_exist(wrong: dict[str, str]) -> None:
    """The words there are, are named."""
    with pytest.raises(ModelUnavailable, match=r"dtype must be one of auto, .* attention one of sdpa"):
        load(threads=1, path=str(TINY_QWEN), **wrong)
