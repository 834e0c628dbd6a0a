"""``earmark simulate``: what it prints, and what it says of bad traces."""

import gzip
import json
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_type_hints

import pytest
from typer.testing import CliRunner, Result

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime import exit_status
from runtime.cli import app
from runtime.simulation.command import simulate
from runtime.wiring import connect
from scaling.comparing import DEPTH, FIXED, HELPED, MATCHED, OURS
from scaling.policy import SHIPPED
from scaling.trace_reader import read_trace
from tests.contracts.test_warehouse import job_row

LINE = '{"at_s": 0, "lane": "high", "audio_s": 1}\n'
FLOATS = [
    f"--{name.replace('_', '-')}" for name, hint in get_type_hints(simulate).items() if hint in (float, float | None)
]
PRICES = Path(__file__).parents[2] / "runtime" / "cost" / "prices.toml"


def earmark(*words: str, given: str | None = None, **set_up: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["simulate", *words], input=given, env=set_up)


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


def test_prices_are_those_of_the_price_lists_with_their_dates(trace: Path, tmp_path: Path) -> None:
    """One place holds each price; another machine has others, and an old one is told of."""
    listed = tomllib.loads(PRICES.read_text())["machines"]["l4"]
    taken = json.loads(earmark("--trace", str(trace), "--json").stdout)["prices"]
    for name, key in (("usd_per_gpu_hour", "usd_per_hour"), ("spot_usd_per_gpu_hour", "spot_usd_per_hour")):
        assert taken[name]["usd"] == listed[key]["usd"]
        assert taken[name]["as_of"] == str(listed[key]["as_of"])
    assert taken["fallback_usd_per_audio_s"]["usd"] > 0
    assert taken["fallback_usd_per_audio_s"]["source"].startswith("openai/")
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.read_text().replace('machine = "l4"', 'machine = "old"'))
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[machines.old]\ntype = "old"\n[machines.old.usd_per_hour]\nusd = 9\nas_of = 2020-01-01\nsource = "a"'
    )
    refused = earmark("--trace", str(trace), "--policy", str(path), EARMARK_PRICES=str(prices))
    assert isinstance(refused.exception, ConfigurationError)
    assert "spot price of old" in str(refused.exception)
    told = earmark(
        "--trace", str(trace), "--policy", str(path), "--spot-usd-per-gpu-hour", "2", EARMARK_PRICES=str(prices)
    )
    assert "more than a year ago" in told.stderr
    assert "usd_per_gpu_hour 9 (a, 2020-01-01); spot_usd_per_gpu_hour 2 (given)" in told.stdout


@pytest.mark.parametrize("option", ["--lose-region", "--unseen"])
def test_a_span_behind_the_end_is_told(trace: Path, option: str) -> None:
    """By its option, with the end of the trace; one within it is not."""
    result = earmark("--trace", str(trace), "--json", option, "1e9:1e9", option, "600:60")
    assert result.exit_code == 0
    end_s = json.loads(result.stdout)["seconds"]
    assert f"{option} 1e9:1e9 changed nothing: the trace ends at {end_s:,.0f} s" in result.stderr
    assert "600:60" not in result.stderr


def test_jobs_that_nobody_answers_are_told(tmp_path: Path) -> None:
    """Counted in JSON, named below the table, with no latency that nobody saw."""
    path = tmp_path / "never.jsonl"
    path.write_text('{"at_s": 0, "lane": "low", "audio_s": 86400}\n' * 300)
    words = ("--trace", str(path), "--spot-losses-per-hour", "0")
    found = json.loads(earmark(*words, "--json").stdout)["scalers"][0]
    low = found["lanes"]["low"]
    assert low["jobs"] == 300
    assert 0 < low["unanswered"] == found["unanswered"] <= low["late"]
    assert low["p99_s"] is None
    shown = earmark(*words).stdout
    assert "> 21,600 s" in shown
    assert f"{low['unanswered']} low by controller" in shown
    assert "ended 6 hours after the last arrival" in shown


def test_a_depth_that_cannot_be_matched_is_told() -> None:
    """Where even the largest depth takes more than the controller, a line says so."""
    lines = [json.dumps({"at_s": at_s, "lane": "low", "audio_s": 180}) for at_s in (0, 7200)]
    result = earmark("--trace", "-", "--match", given="\n".join(lines))
    assert result.exit_code == 0, result.output
    assert "No depth was found that takes as few GPU hours as the controller in low." in result.stdout


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


@pytest.mark.parametrize("option", FLOATS)
@pytest.mark.parametrize("number", ["inf", "nan"])
def test_a_number_without_end_is_refused(option: str, number: str) -> None:
    """JSON has no word for it, and nobody pays it."""
    result = earmark("--trace", "-", f"{option}={number}", given=LINE)
    assert (result.exit_code, result.stdout) == (exit_status.USAGE, "")
    assert option in result.stderr


def test_a_policy_with_a_number_without_end_is_refused(tmp_path: Path) -> None:
    """As an option is."""
    path = tmp_path / "mine.toml"
    path.write_text(SHIPPED.read_text().replace("fallback_s =", "usd_per_gpu_hour = inf\nfallback_s ="))
    with pytest.raises(ConfigurationError, match=r"usd_per_gpu_hour: .*finite"):
        raise earmark("--trace", "-", "--policy", str(path), given=LINE).exception or AssertionError


def test_a_packed_trace_is_unpacked(tmp_path: Path) -> None:
    """Also from standard input; one that is cut off is told of."""
    path = tmp_path / "trace.jsonl.gz"
    path.write_bytes(gzip.compress(LINE.encode() * 2))
    for words, given in ((str(path), None), ("-", path.read_bytes())):
        result = CliRunner().invoke(app, ["simulate", "--json", "--trace", words], input=given)
        assert json.loads(result.stdout)["arrivals"] == 2
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ConfigurationError, match=r"unpack the trace .*trace\.jsonl\.gz.*damaged or cut off"):
        raise earmark("--trace", str(path)).exception or AssertionError


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LINE.encode("utf-16"), "text in UTF-16.*iconv"),
        (LINE.encode("utf-16-le"), "text in UTF-16.*iconv"),
        (LINE.encode("utf-16-be") * 200, "text in UTF-16.*iconv"),
        (gzip.compress(gzip.compress(LINE.encode(), mtime=0), mtime=0), "packed by gzip twice.*gunzip"),
        (b"PK\x03\x04" + bytes(40), "a zip archive.*CSV"),
        (b"PAR1" + bytes(40), "Parquet.*JSON lines"),
        (bytes(range(256)) * 9, "no text.*CSV"),
        (bytes(99), "no text.*CSV"),
    ],
    ids=["utf-16", "utf-16-le", "utf-16-be", "gzip", "zip", "parquet", "bytes", "zeros"],
)
def test_what_is_no_text_is_refused_by_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    """With what to do about it, and not as a CSV without a header."""
    path = tmp_path / "trace"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=rf"the trace .*trace: it is {said}"):
        raise earmark("--trace", str(path)).exception or AssertionError


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_ones_own_arrivals_are_played(tmp_path: Path, form: str) -> None:
    """As docs/scaling.md says: what the report prints is a trace, of when jobs came and not of when they ended."""
    at = datetime(2027, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)
    connect(Settings(data=tmp_path)).warehouse.append(
        [
            job_row(1, at, lane="low", total_s=600.5, queued_s=590.0, audio_s=60.0),
            job_row(2, at, lane="high", status="failed", total_s=0.0, queued_s=0.25, audio_s=3.0),
            job_row(3, at, audio_s=0.0),
            job_row(4, at - timedelta(days=9), audio_s=5.0),
        ]
    )
    words = ["report", "arrivals", "--since", "2027-02-27", "--format", form]
    printed = CliRunner().invoke(app, words, env={"EARMARK_DATA": str(tmp_path)}).stdout
    read = read_trace(printed.splitlines())
    assert not read.faulty
    assert {lane: (list(each.at_s), list(each.audio_s)) for lane, each in read.trace.lanes.items()} == {
        "low": ([0.0], [60.0]),
        "high": ([600.25], [3.0]),
    }
    assert json.loads(earmark("--trace", "-", "--json", given=printed).stdout)["arrivals"] == 2
    page = (PRICES.parents[2] / "docs" / "scaling.md").read_text()
    assert "earmark report arrivals --since 7d --format jsonl > arrivals.jsonl" in page
    assert "earmark simulate --trace arrivals.jsonl" in page


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
