"""The price of a model's time over a clip."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from earmark.domain import Prediction
from earmark.errors import ConfigurationError
from earmark.metadata import AudioMetadata
from earmark.settings import load
from runtime.analyzing.explain import _summary
from runtime.exports.example import EXAMPLE
from workers.compose import time_usd
from workers.models.qwen2_audio_network import Network


def heard(predict_s: float, cost_usd: float = 0.0) -> Prediction:
    """An answer that took so long."""
    return Prediction(AudioMetadata(), covered_s=1.0, predict_s=predict_s, cost_usd=cost_usd)


def test_by_hand() -> None:
    """90 s of a machine at two dollars an hour are five cents."""
    assert time_usd(heard(90.0), 2.0) == pytest.approx(0.05)


def test_who_costs_nothing_extra() -> None:
    """A primary without a price, one that gave no answer, and one that sends a bill of its own."""
    assert time_usd(heard(90.0), 0.0) == 0.0
    assert time_usd(None, 2.0) == 0.0
    assert time_usd(heard(90.0, cost_usd=0.01), 2.0) == 0.0


@pytest.mark.parametrize("predict_s", [math.nan, math.inf, -math.inf, -5.0])
@pytest.mark.parametrize("usd_per_hour", [0.0, 2.0])
def test_times_that_cannot_be_cost_nothing(predict_s: float, usd_per_hour: float) -> None:
    """One of them would spoil every sum it is in."""
    assert time_usd(heard(predict_s), usd_per_hour) == 0.0


@given(st.lists(st.floats(0, 1e4), max_size=20), st.floats(0, 1e4))
def test_shares_of_a_batch_add_up(shares_s: list[float], usd_per_hour: float) -> None:
    """However a batch is divided, its time is paid once."""
    whole = time_usd(heard(math.fsum(shares_s)), usd_per_hour)
    assert math.fsum(time_usd(heard(each), usd_per_hour) for each in shares_s) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(("device", "name"), [("cuda:1", "NVIDIA L4"), ("cpu", "")])
def test_a_model_on_a_gpu_names_it(device: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or its time would be measured as that of the processor beside it; on a processor the worker names that."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda which: f"NVIDIA L4 {which}".removesuffix(" cuda:1"))
    network: Any = SimpleNamespace(model=SimpleNamespace(device=torch.device(device)))
    found: Any = Network.hardware
    assert found.fget(network) == name


@pytest.mark.parametrize(("machine_usd", "told"), [(0.0, ""), (0.00123, ", $0.00123 of it the primary's time")])
def test_an_explanation_tells_of_it(machine_usd: float, told: str) -> None:
    """Where it has a price."""
    provenance = EXAMPLE.provenance.model_copy(update={"machine_usd": machine_usd})
    shown = _summary(EXAMPLE.model_copy(update={"provenance": provenance, "cost_usd": 0.5}))
    assert shown.endswith(f"cost $0.50000{told}\n")


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "1e9", "much"])
def test_prices_that_cannot_be(value: str) -> None:
    """Refused at start, by name."""
    with pytest.raises(ConfigurationError, match="model_usd_per_hour"):
        load({"EARMARK_MODEL_USD_PER_HOUR": value})
