"""``earmark simulate``: what it prints, and what it says of bad traces."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from earmark.errors import ConfigurationError
from runtime import exit_status
from runtime.cli import app
from scaling.comparing import DEPTH, FIXED, HELPED, MATCHED, OURS
from scaling.policy import SHIPPED, load_policy

PRICES = Path(__file__).parents[2] / "runtime" / "prices.toml"


def earmark(*words: str, given: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["simulate", *words], input=given)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of a made-up day."""
    path = tmp_path_factory.mktemp("traces") / "trace.jsonl"
    path.write_text(earmark("--make", "burst", "--seed", "4", "--hours", "1").stdout)
    return path


def test_figures_as_json(trace: Path) -> None:
    """All four ways to scale, every job in each, and the same figures again."""
    result = earmark("--trace", str(trace), "--json", "--seed", "3")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [each["scaler"] for each in found["scalers"]] == [OURS, HELPED, DEPTH, FIXED]
    assert found["arrivals"] == len(trace.read_text().splitlines())
    for each in found["scalers"]:
        assert sum(lane["jobs"] for lane in each["lanes"].values()) == found["arrivals"]
        assert each["gpu_hours"] > 0
    assert earmark("--trace", str(trace), "--json", "--seed", "3").stdout == result.stdout


def test_a_table_for_people(trace: Path) -> None:
    """Who was late, what it took and what it cost, and what the others were set to."""
    words = ("--trace", str(trace), "--lose-region", "600:600", "--unseen", "1200:300")
    result = earmark(*words, "--match")
    assert result.exit_code == 0, result.output
    assert all(word in result.stdout for word in (OURS, MATCHED, FIXED, "GPU hours", "dollars", "a worker for so many"))
    fixed = re.search(r"Fixed: (\d+) high, (\d+) low; ([\d.]+)% (more|fewer) GPU hours", result.stdout)
    assert fixed is not None
    found = json.loads(earmark(*words, "--json").stdout)
    hours = {each["scaler"]: each["gpu_hours"] for each in found["scalers"]}
    more = float(fixed[3]) * (1 if fixed[4] == "more" else -1)
    assert more == pytest.approx(100 * (hours[FIXED] / hours[OURS] - 1), abs=0.1)


def test_prices_and_limits_can_be_given(trace: Path, tmp_path: Path) -> None:
    """Twice the price is twice the dollars; another policy has another fleet."""
    cheap, dear = (
        json.loads(earmark("--trace", str(trace), "--json", "--usd-per-gpu-hour", price).stdout)["scalers"][0]["lanes"]
        for price in ("1", "2")
    )
    assert dear["high"]["gpu_usd"] == pytest.approx(2 * cheap["high"]["gpu_usd"], abs=0.02)
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.read_text().replace("floor = 1 ", "floor = 5 ").replace("gpus = 24", "gpus = 30"))
    found = json.loads(earmark("--trace", str(trace), "--json", "--policy", str(path)).stdout)
    assert found["scalers"][0]["lanes"]["high"]["gpu_hours"] > 4.9


def test_the_usual_prices_are_those_of_the_price_list() -> None:
    """The simulator's dollars for an hour are those that costs are reckoned with."""
    machine = tomllib.loads(PRICES.read_text())["machines"]["l4"]
    usual = load_policy().simulation
    assert usual.usd_per_gpu_hour == machine["usd_per_hour"]["usd"]
    assert usual.spot_usd_per_gpu_hour == machine["spot_usd_per_hour"]["usd"]


def test_bad_lines_are_named_and_the_rest_is_played() -> None:
    """On standard error with their numbers, and the exit status says that something was left out."""
    lines = ['{"at_s": 9, "lane": "low", "audio_s": 60}', "oops", '{"at_s": 0, "lane": "high", "audio_s": 1e9}']
    result = earmark("--trace", "-", "--json", given="\n".join(lines))
    assert result.exit_code == exit_status.SOME_NOT_DONE
    assert "line 2: it is no JSON" in result.stderr
    assert "line 3: audio_s" in result.stderr
    assert json.loads(result.stdout)["left_out"] == 2


def test_a_file_without_line_ends_is_one_bad_line(tmp_path: Path) -> None:
    """However long, it is read in pieces, and what follows it counts."""
    path = tmp_path / "long.jsonl"
    path.write_text("x" * 300_000 + '\n{"at_s": 0, "lane": "high", "audio_s": 1}\n')
    result = earmark("--trace", str(path), "--json")
    assert (result.exit_code, json.loads(result.stdout)["arrivals"]) == (exit_status.SOME_NOT_DONE, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name a trace"),
        (("--trace", "/nowhere/at.all"), "Cannot read the trace"),
        (("--trace", "x", "--make", "burst"), "not both"),
        (("--trace", "-", "--lose-region", "ten:1"), "no span"),
        (("--trace", "-", "--unseen", "10"), "no span"),
        (("--trace", "-", "--policy", "/nowhere/at.all"), "scaling policy"),
        (("--trace", "-"), "no arrivals"),
    ],
)
def test_wrong_usage_is_said(words: tuple[str, ...], said: str) -> None:
    """Each as an error that the command turns into a line and status 2."""
    result = earmark(*words, given="")
    assert isinstance(result.exception, ConfigurationError)
    assert said in str(result.exception)
