"""From upload to stored record with real commands: Qwen2-Audio on tiny weights, and a provider over real HTTP."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from earmark.metadata import AudioMetadata
from tests.audio_files import wav
from tests.flows.command import Command, lines
from tests.servers import ears
from tests.servers.openai import OpenAIServer
from tests.tiny_qwen import TINY_QWEN, tiny_sound

KEY = "sk-test-secret-0123456789"
RATE_HZ = 16_000


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """A provider."""
    with OpenAIServer(key=KEY) as made:
        yield made


@pytest.fixture
def command(server: OpenAIServer, tmp_path: Path) -> Command:
    """The command with the tiny model, and the provider as its fallback for every field."""
    return command_of(server, tmp_path)


def command_of(server: OpenAIServer, folder: Path) -> Command:
    """That command in a folder."""
    providers = folder / "providers.toml"
    providers.write_text(
        f'[test]\nurl = "{server.url}"\nmodel = "gpt-audio-1.5"\nkey_variable = "TEST_PROVIDER_KEY"\n'
        'regions = ["us-east1"]\nretries = 0\nlogprobs = "no"\n'
        "[test.prices]\nas_of = 2026-11-20\n"
        "text_in = 2.5\ncached_in = 2.5\naudio_in = 32.0\ntext_out = 10.0\naudio_out = 64.0\n"
    )
    tenants = folder / "tenants.toml"
    tenants.write_text('[default]\n[bound]\nregion = "europe-west1"\n[inside]\nregion = "us-east1"\n')
    made = Command(
        folder / "data",
        model="qwen2_audio",
        model_path=str(TINY_QWEN),
        model_threads="1",
        providers=str(providers),
        tenants=str(tenants),
        fallback="test",
        fallback_fields="all",
    )
    made.environment["TEST_PROVIDER_KEY"] = KEY
    return made


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chord and noise, which the tiny model knows, and sounds between them, of which it is not sure."""
    folder = tmp_path_factory.mktemp("audio")
    for name, kind, seed in (("chord", "chord", 1), ("noise", "noise", 2), ("a", "between", 1), ("b", "between", 2)):
        (folder / f"{name}.wav").write_bytes(wav(tiny_sound(kind, 1.5, seed)[None, :], RATE_HZ))
    return folder


@dataclass(frozen=True)
class Worked:
    """What is there after a worker has heard the sounds, once for anybody and once for a tenant of another region."""

    command: Command
    server: OpenAIServer
    told: str
    """What the worker wrote on standard error."""


@pytest.fixture(scope="module")
def worked(audio: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    """One run of a worker for all tests that look at what became of the sounds, for loading the model takes seconds."""
    with OpenAIServer(key=KEY) as server:
        command = command_of(server, tmp_path_factory.mktemp("worked"))
        for tenant in ("default", "bound"):
            assert command.run("route", audio, "--tenant", tenant).returncode == 0
        ended = command.run("work", "--until-empty")
        assert ended.returncode == 0, ended.stderr
        yield Worked(command, server, ended.stderr)


def analysed(command: Command, *arguments: str | Path) -> dict[str, dict[str, Any]]:
    """What ``earmark analyze`` said of each file, by name."""
    done = command.run("analyze", *arguments, "--format", "jsonl", "--quiet")
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    return {Path(str(line["source"])).stem: dict(line["analysis"]) for line in lines(done.stdout)}  # type: ignore[call-overload]


@pytest.mark.slow
def test_from_upload_to_record(worked: Worked, audio: Path) -> None:
    """Routed, worked on, answered by both, stored: what was weak was asked, and every answer names who gave it."""
    command = worked.command
    told = [json.loads(line) for line in worked.told.splitlines() if line.startswith("{")]
    assert KEY not in worked.told
    stored = analysed(command, audio)
    assert {line["event"] for line in told} >= {"job.settled", "fallback.asked"}
    unsure = {name for name, analysis in stored.items() if analysis["provenance"]["routes"]}
    assert unsure >= {"a", "b"}
    assert len(worked.server.requests) == len(unsure)
    for name, analysis in stored.items():
        provenance = analysis["provenance"]
        AudioMetadata.model_validate(analysis["metadata"])
        assert (analysis["model"], provenance["engine"]) == ("qwen2_audio", "transformers")
        if name not in unsure:
            assert (provenance["fallback_model"], analysis["cost_usd"]) == ("", 0)
            continue
        assert provenance["fallback_model"] == "test/gpt-audio-1.5"
        assert analysis["cost_usd"] > 0
        assert sum(route["cost_usd"] for route in provenance["routes"]) == pytest.approx(analysis["cost_usd"])
        for route in provenance["routes"]:
            assert route["primary_worth"] is None or route["primary_worth"] < 0.8 or route["reason"] == "content_type"
        taken = set(provenance["fallback_fields"])
        assert taken == {route["field"] for route in provenance["routes"] if route["chosen"] == "fallback"}
    billed = sum(analysis["cost_usd"] for analysis in stored.values())
    spent = json.loads(command.run("spend", "--json").stdout)
    assert spent[0]["spent_usd"] == pytest.approx(billed, abs=1e-4)
    [day] = json.loads(command.run("report", "fallback_by_day", "--json").stdout)
    assert (day["jobs"], day["asked"]) == (8, len(unsure))
    explained = " ".join(command.run("analyze", audio / "a.wav", "--explain", "--quiet").stdout.split())
    assert "test/gpt-audio-1.5" in explained
    assert "below the threshold" in explained


@pytest.mark.slow
def test_no_call_for_a_region_bound_tenant(worked: Worked, command: Command, server: OpenAIServer, audio: Path) -> None:
    """Not one request, neither as the fallback nor as the primary; a tenant of the provider's region is sent."""
    bound, anybodys = (analysed(worked.command, audio, "--tenant", tenant) for tenant in ("bound", "default"))
    asked = [analysis for analysis in anybodys.values() if analysis["provenance"]["fallback_model"]]
    assert len(worked.server.requests) == len(asked) >= 2
    assert {analysis["provenance"]["fallback_model"] for analysis in bound.values()} == {""}
    refused = {route["refused"] for analysis in bound.values() for route in analysis["provenance"]["routes"]}
    assert refused == {"region"}
    command.environment |= {"EARMARK_MODEL": "openai_compatible", "EARMARK_MODEL_PROVIDER": "test"}
    rejected = command.run("analyze", audio, "--tenant", "bound", "--format", "jsonl", "--quiet")
    assert rejected.returncode == 3
    assert {line["error"]["kind"] for line in lines(rejected.stdout)} == {"region"}  # type: ignore[index]
    assert server.requests == []
    assert analysed(command, audio / "noise.wav", "--tenant", "inside")["noise"]["cost_usd"] > 0
    assert server.requests


def test_a_wrong_key_or_model_is_said_at_the_start(command: Command, server: OpenAIServer, audio: Path) -> None:
    """Before any audio is decoded, in one line with the remedy, without the key."""
    command.environment["TEST_PROVIDER_KEY"] = "sk-wrong-9876543210"
    wrong = command.run("analyze", audio)
    assert wrong.returncode == 2
    assert "TEST_PROVIDER_KEY" in wrong.stderr
    assert "sk-wrong" not in wrong.stderr
    assert "Traceback" not in wrong.stderr
    command.environment |= {"EARMARK_MODEL": "openai_compatible", "EARMARK_MODEL_PROVIDER": "test"}
    doctor = command.run("doctor")
    assert doctor.returncode == 4
    assert "fallback test" in doctor.stdout
    assert server.requests == []


@pytest.mark.slow
def test_a_provider_as_the_primary(command: Command, server: OpenAIServer, tmp_path: Path) -> None:
    """A model that somebody serves hears music, speech and noise for what they are."""
    command.environment |= {
        "EARMARK_MODEL": "openai_compatible",
        "EARMARK_MODEL_PROVIDER": "test",
        "EARMARK_FALLBACK": "",
    }
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name, samples in (("music", ears.tone(440, 2)), ("speech", ears.voice(2)), ("sound", ears.noise(2))):
        (folder / f"{name}.wav").write_bytes(wav(samples[None, :], RATE_HZ))
    stored = analysed(command, folder)
    assert {name: analysis["metadata"]["content_type"]["value"] for name, analysis in stored.items()} == {
        "music": "music",
        "speech": "speech",
        "sound": "sound",
    }
    assert all(analysis["cost_usd"] > 0 for analysis in stored.values())
