"""The catalogue of models."""

import pytest

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from tests.tiny_qwen import TINY_QWEN
from workers.models.catalogue import MODELS, ModelSpec, check_packages, find_model


def test_every_model_is_found_and_its_packages_are_here() -> None:
    """What the base install offers works on the base install."""
    settings = Settings(model_path=str(TINY_QWEN), model_provider="openai")
    for name in MODELS:
        spec = find_model(name, settings)
        assert spec.name == name
        check_packages(spec)


def test_what_is_missing_is_named_with_a_remedy() -> None:
    """An unknown model and a missing package are one clear line."""
    with pytest.raises(ConfigurationError, match="listener"):
        find_model("oracle")
    with pytest.raises(ConfigurationError, match=r"no_such_module.*make setup"):
        check_packages(ModelSpec("odd", "1", "odd:load", ("no_such_module",)))
