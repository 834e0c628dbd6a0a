"""The arithmetic of the benchmarks of language models, and that their commands run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import fallback, gpu_floor, qwen2_audio, qwen2_audio_gpu
from benchmarks.__main__ import ALL, rows
from benchmarks.big_vocabulary import made_up_tokenizer
from benchmarks.decode_steps import StepClock, decode, steps_of
from benchmarks.figure_rows import MODELS
from benchmarks.gpu_floor import PUBLISHED, Costs, Device, rows_that_fit, sheet_of
from benchmarks.masks import long_answers, mask_costs, reading_ms, recorded
from benchmarks.qwen2_audio_gpu import agreement, random_network
from benchmarks.sound_set import LENGTHS_S, Mix, chord_truth, labelled_clips, transposed
from earmark.metadata import AudioMetadata, RatedContentType, RatedText
from earmark.vocabulary import ContentType
from tests.servers.openai import OpenAIServer
from tests.tiny_qwen import TINY_QWEN, tiny_sound
from workers.models.answer import FIELDS, answer_schema, parse_answer
from workers.models.constrained import Grammar, Trace
from workers.models.openai_compatible import OpenAICompatible
from workers.models.provider import Prices, load_providers
from workers.models.qwen2_audio_network import Network, load_network
from workers.reply import Reply, Usage

H100 = Device("H100", 3.35e12, 989e12)
SMALL_TEXT = {
    "vocab_size": 4096, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
}  # fmt: skip
SMALL_AUDIO = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16}


@pytest.fixture(scope="module")
def network() -> Network:
    """The tiny weights."""
    return load_network(str(TINY_QWEN), dtype="float32", attention="sdpa", revision="", threads=1)


def trace(pieces: list[bytes], logprob: list[float]) -> Trace:
    """An answer of which only tokens and probabilities matter."""
    numbers = np.array(logprob, np.float32)
    return Trace(tuple(pieces), numbers, numbers, numbers, numbers, np.ones(len(pieces), np.int32))


@pytest.mark.parametrize(("batch", "step_ms", "clips"), [(1, 4.40, 1.48), (8, 5.47, 8.56), (32, 9.13, 17.5)])
def test_the_floor_is_what_a_pencil_finds(batch: int, step_ms: float, clips: float) -> None:
    """(14.23 GB of weights + 0.524 MB x 975 tokens a row) / 3.35 TB/s; 150 steps and 14.3 ms of prompt a clip."""
    assert 1000 * PUBLISHED.step_s(H100, batch, 975) == pytest.approx(step_ms, rel=2e-3)
    assert 1000 * PUBLISHED.prefill_s(H100, 1, 900) == pytest.approx(14.3, rel=2e-3)
    assert PUBLISHED.clips_per_s(H100, batch, 900, 150) == pytest.approx(clips, rel=2e-3)


def test_rows_that_fit() -> None:
    """Nine tenths of the memory less 19.8 GB, by 0.68 GB a row of 1300 tokens; nothing fits into too little."""
    assert rows_that_fit(80) == int((72e9 - 19.8e9) / (1300 * 524_288))
    assert rows_that_fit(16) == 0


@pytest.mark.parametrize(
    ("name", "terabytes"),
    [
        ("NVIDIA H100 80GB HBM3", 3.35),
        ("NVIDIA H100 PCIe", 2.0),
        ("NVIDIA A100-SXM4-80GB", 2.04),
        ("NVIDIA A100-SXM4-40GB", 1.555),
        ("NVIDIA L40S", 0.864),
        ("NVIDIA L4", 0.3),
        ("NVIDIA A10G", 0.6),
        ("NVIDIA GeForce GTX 970", None),
        ("this processor", None),
    ],
)
def test_gpus_are_known_by_their_names(name: str, terabytes: float | None) -> None:
    """None is taken for one whose name is part of its own."""
    sheet = sheet_of(name)
    assert (sheet and sheet.terabytes_per_s) == terabytes


def test_costs_are_counted_from_the_network(network: Network) -> None:
    """Decoder and head are read at each step, the embedding and the tower are not."""
    costs = Costs.of(network.model)
    named = dict(network.model.named_parameters())
    read = sum(
        tensor.numel()
        for name, tensor in named.items()
        if "audio_tower" not in name and "multi_modal_projector" not in name and "embed_tokens" not in name
    )
    assert costs.step_bytes == 4 * read
    assert costs.token_bytes == 2 * 4 * 2 * 64  # keys and values, float32, layers, width
    assert costs.token_flops == 2 * (read - network.model.lm_head.weight.numel())


def test_an_unknown_device_is_measured() -> None:
    """By copying and multiplying."""
    found = gpu_floor.find_device(torch.device("cpu"), torch.float32)
    assert found.measured
    assert found.bytes_per_s > 0
    assert found.flops_per_s > 0


def test_steps_lie_between_entries_of_one_token() -> None:
    """A prompt begins a call and is no step; the prefill is that of the last call."""
    entries = [(2.0, False), (2.1, True), (2.4, True), (5.0, False), (5.2, True)]
    found = steps_of(entries, 1.0)
    assert found.number == 3
    assert found.median_s == pytest.approx(0.2)
    assert found.prefill_s == pytest.approx(4.0)
    assert steps_of([], 0.0).number == 0


def test_decoding_takes_exactly_so_many_steps(network: Network) -> None:
    """With the grammar and without, whole prompts through the head or not: the same tokens."""
    inputs = network.prepare([tiny_sound("chord", 0.5), tiny_sound("noise", 1.0)], FIELDS)
    grammar = Grammar(network._constraints, answer_schema(FIELDS))
    with StepClock(network.model) as clock:
        held = decode(network.model, inputs, tokens=12, grammar=grammar)
    assert held.shape == (2, 12)
    assert clock.steps.number == 11  # the first comes from the prompt
    free = decode(network.model, inputs, tokens=12, grammar=None, last_position_only=False)
    assert torch.equal(held, free)
    assert not network.model.lm_head._forward_pre_hooks


def test_ratios_are_those_of_their_own_rounds() -> None:
    """The median of ratios, not the ratio of medians."""
    assert qwen2_audio.against("x", [2.0, 10.0, 3.0], [1.0, 10.0, 1.0]) == {
        "x_ratio": 2.0, "x_least": 1.0, "x_most": 3.0,
    }  # fmt: skip


def test_plain_generate_gives_the_same_answers(network: Network, tmp_path: Path) -> None:
    """Or the two would not be compared on the same work."""
    found = qwen2_audio.compared(network, tmp_path, batches=(1,), clips=1, rounds=1)
    assert found["batch_1_same"] == found["plain_same"] == 1.0
    assert found["batch_1_ratio"] == pytest.approx(found["batch_1_clips_per_s"] / found["plain_clips_per_s"])


def test_masks_and_reading_at_any_size() -> None:
    """Every answer can be walked in a made-up vocabulary, whose first ids are never allowed, and reads as it was."""
    tokenizer = made_up_tokenizer(3000)
    assert tokenizer.vocab_size == 3000
    answers = long_answers()
    for text in answers.values():
        parse_answer(text, FIELDS)
    found = mask_costs(tokenizer, answer_schema(FIELDS), {"sound": answers["sound"]})
    assert found["mask_answer_ms"] == pytest.approx(found["mask_mean_ms"] * found["mask_answer_tokens"])
    heard, token_ms = recorded(tokenizer, Grammar(tokenizer, answer_schema(FIELDS)), answers["sound"], 3000)
    assert heard.text == answers["sound"]
    assert heard.allowed.max() < 3000 - 750
    assert token_ms > 0
    assert reading_ms(heard, times=2) > 0


def test_transposed_chords_are_what_their_truth_says() -> None:
    """Five semitones up: every tone and the pulse a third faster."""
    taught, higher = (transposed(2.0, semitones, np.random.default_rng(3)) for semitones in (0, 5))
    assert len(taught) == len(higher) == 32_000
    powers = [np.abs(np.fft.rfft(sound)) ** 2 for sound in (taught, higher)]
    middles = [float((np.arange(len(power)) * power).sum() / power.sum()) for power in powers]
    assert middles[1] / middles[0] == pytest.approx(2 ** (5 / 12), rel=0.01)
    truth = chord_truth(5)
    assert (truth.key, truth.tempo_bpm) == ("D minor", pytest.approx(160.2, abs=0.1))
    assert chord_truth(0).key == "A minor"
    assert chord_truth(3).key == "C minor"


def test_the_labelled_set_is_mixed_as_told(tmp_path: Path) -> None:
    """One seed gives one set; without unclear or transposed sounds there are none."""
    clear = labelled_clips(tmp_path, 12, 1, Mix(unclear=0.0, transposed=0.0))
    assert [each.truth.content_type for each in clear[:3]] == ["music", "speech", "sound"]
    assert {each.truth.key for each in clear} == {"A minor", None}
    assert all(LENGTHS_S[0] <= each.clip.duration_s <= LENGTHS_S[1] + 0.01 for each in clear)
    unclear = labelled_clips(tmp_path, 6, 2, Mix(unclear=1.0))
    assert {each.truth.content_type for each in unclear} == {"music"}


def test_a_policy_counts_what_it_is_billed() -> None:
    """At 30 s a clip has as many more audio tokens as it is longer; text and answer are the same."""
    policy = fallback.Policy("x")
    policy.pay(Reply(None, cost_usd=0.001, usage=Usage(1, 0, 20, 300, 0, 50)), 4, 2.0, Prices(audio_in=32.0))
    assert (policy.asked, policy.fields, policy.tokens) == (1, 4, 370)
    assert policy.long_usd == pytest.approx(0.001 + 280 * 32 / 1e6)


def test_a_policy_counts_what_is_right() -> None:
    """What is missing is known and not right."""
    policy = fallback.Policy("x")
    said = AudioMetadata(content_type=RatedContentType(value=ContentType.MUSIC), key=RatedText(value="D minor"))
    policy.judge(said, chord_truth(0))
    assert (policy.right, policy.known) == (1, 4)


def test_savings_are_shares_of_the_others() -> None:
    """And negative where more is spent."""
    assert fallback.saved(25, 100) == 0.75
    assert fallback.saved(150, 100) == -0.5
    assert fallback.saved(0, 0) == 0.0


def test_policies_are_compared_on_the_same_clips(tmp_path: Path) -> None:
    """Over real HTTP: nobody asks nothing, per field asks less than whole records, and all is asked at the end."""
    torch.set_num_threads(1)
    with OpenAIServer() as server:
        provider = load_providers()["openai"].model_copy(
            update={"url": server.url, "key_variable": "", "requests_per_minute": 0, "tokens_per_minute": 0}
        )
        with OpenAICompatible(provider, environment={}) as client:
            labelled = labelled_clips(tmp_path, 16, 1, Mix())
            listeners = fallback.Listeners(client, labelled[:8])
            policies = fallback.compare(listeners, labelled[8:], threshold=0.999, prior=0.7)
    by_name = dict(zip(fallback.POLICIES, policies, strict=True))
    assert by_name["nobody"].asked == 0
    assert by_name["everything"].asked == 8
    assert 0 < by_name["listed"].fields < by_name["whole"].fields <= by_name["everything"].fields == 8 * len(FIELDS)
    assert by_name["whole"].usd == by_name["best"].usd < by_name["everything"].usd + 1e-9
    assert all(each.known == policies[0].known for each in policies)
    assert set(fallback.figures(policies, 8)) >= {"listed_tokens_saved", "listed_usd_saved", "whole_right"}
    assert fallback.table(policies, 8).count("\n") == 1 + len(policies)


def test_agreement_ends_where_answers_part() -> None:
    """Tokens after the first that differs are another answer's."""
    one = trace([b"a", b"b", b"c", b"d"], [-1.0, -2.0, -3.0, -4.0])
    other = trace([b"a", b"b", b"x", b"d"], [-1.0, -2.25, -9.0, -9.0])
    assert agreement([(one, other)]) == (0.5, 0.25)
    assert agreement([(one, one)]) == (1.0, 0.0)


def test_the_script_for_a_gpu_runs_on_a_processor(capsys: pytest.CaptureFixture[str]) -> None:
    """End to end with the tiny weights."""
    qwen2_audio_gpu.main(["--config", "tiny", "--batches", "1,2", "--tokens", "6", "--rounds", "1", "--seconds", "1"])
    told = capsys.readouterr().out
    assert "| sdpa | unknown |" in told
    assert "| eager | unknown |" in told
    assert "100.0% of the tokens equal" in told
    assert {"1", "2"} <= {line.split("|")[1].strip() for line in told.splitlines() if line.startswith("| ")}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_published_size_is_refused_without_a_gpu() -> None:
    """In one line that says what would run."""
    with pytest.raises(SystemExit, match="needs a GPU") as refused:
        qwen2_audio_gpu.main([])
    assert "\n" not in str(refused.value)


def test_random_weights_are_held_to_the_schema_over_a_made_up_vocabulary() -> None:
    """The tiny tokenizer's control tokens never come up in an answer."""
    network = random_network("cpu", torch.float32, text=SMALL_TEXT, audio=SMALL_AUDIO)
    bench = qwen2_audio_gpu.Bench(network, tokens=4, rounds=1, seconds=0.5)
    inputs = bench.inputs(1)
    run = bench.run(inputs)
    assert run is not None
    assert run.steps.number == 3
    assert run.peak_bytes is None
    said = decode(network.model, inputs, tokens=4, grammar=bench.grammar)
    assert int(said.min()) >= 1000
    assert bench.grammar.tokenizer.decode_str(said[0].tolist()).startswith('{"')


def test_a_batch_that_does_not_fit_is_told(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others are still measured; other errors are not swallowed."""
    bench = qwen2_audio_gpu.Bench(network, tokens=4, rounds=1, seconds=0.5)

    def out_of_memory(*_: object, **__: object) -> None:
        message = "CUDA out of memory"
        raise RuntimeError(message)

    monkeypatch.setattr(qwen2_audio_gpu, "decode", out_of_memory)
    lines = qwen2_audio_gpu.batch_rows(bench, (1, 2), H100)
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["does not fit"] * 2
    assert {line.count("|") for line in lines} == {len(qwen2_audio_gpu.COLUMNS) + 1}


def test_the_pages_have_places_for_the_tables() -> None:
    """Those that ``--write`` fills."""
    page = Path("docs/qwen2-audio.md").read_text(encoding="utf-8")
    assert "<!-- gpu: begin -->" in page
    assert gpu_floor.table() in page, "run python -m benchmarks.gpu_floor --write"
    assert "<!-- fallback: begin -->" in fallback.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_figures_that_were_measured_have_rows(name: str) -> None:
    """In the README's table."""
    kept = json.loads(Path("benchmarks/figures.json").read_text(encoding="utf-8"))
    assert name in ALL
    told = rows(name, kept[name])
    assert len(told) >= 3
    assert all(what and figure for what, figure, _ in told)
