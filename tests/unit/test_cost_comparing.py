"""``earmark cost break-even``: what is measured, what is given, what is refused, and what is told."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from earmark.errors import ConfigurationError
from earmark.rows import JobRow
from earmark.settings import Settings
from runtime.cli import main
from runtime.cost.assumed import ANSWER_TOKENS, Given
from runtime.cost.choice_output import as_json, told
from runtime.cost.comparing import VOLUMES, Choice, Question, choose
from runtime.cost.measured import LEAST_JOBS
from runtime.cost.prices import load_prices
from runtime.local.warehouse import LocalWarehouse
from tests.contracts.test_warehouse import job_row
from tests.cost_rows import START, heard_jobs
from workers.models.provider import load_providers

NOW = START + timedelta(days=10)
OPENAI = load_providers()["openai"]
ALL_GIVEN = Given(audio_s_per_job=30.0, fallback_share=0.1, api_usd_per_job=0.02, predict_s_per_audio_s={"l4": 0.1})
Ask = Callable[..., Choice]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks over some rows."""

    def asked(
        rows: Sequence[JobRow] = (), settings: Settings | None = None, now: datetime = NOW, **fields: Any
    ) -> Choice:
        warehouse = LocalWarehouse(tmp_path / "w.sqlite", synchronous="NORMAL")
        warehouse.append(rows)
        try:
            return choose(settings or Settings(data=tmp_path), warehouse, Question(**fields), now)
        finally:
            warehouse.close()

    return asked


def with_fallback(rows: Sequence[JobRow], every: int, usd: float) -> list[JobRow]:
    """The same, every so-many-th with a question to the fallback."""
    more = {"fallback_model": "openai/gpt-audio-1.5", "fallback_usd": usd, "cost_usd": usd}
    return [row.model_copy(update=more if place % every == 0 else {}) for place, row in enumerate(rows)]


def test_all_of_it_by_hand(ask: Ask) -> None:
    """1000 jobs of 60 s in 1000 minutes at 0.05 s a second on an L4; every fifth asked about, for three cents."""
    rows = with_fallback(heard_jobs(1000, "NVIDIA L4", s_per_s=0.05), 5, 0.03)
    choice = ask(rows, utilisation=0.5, volumes=[2000.0])
    [l4] = choice.machines
    price = load_prices().machine("l4").usd_per_hour.usd
    assert l4.machine == "l4"
    assert (l4.predict_s_per_audio_s.value, l4.usd_per_hour.value) == pytest.approx((0.05, price))
    assert choice.assumed.audio_s_per_job.value == 60
    assert choice.assumed.fallback_share.value == pytest.approx(0.2)
    assert choice.assumed.fallback_usd_per_job.value == pytest.approx(0.03)
    words = round(choice.assumed.api_usd_per_job.value * 1e6 - 60 * 10 * 32 - 2 * ANSWER_TOKENS * 10) / (2 * 2.5)
    assert 500 < words < 2000, "the tokens of a question, two of which 60 s are"
    saved = choice.assumed.api_usd_per_job.value - 0.2 * 0.03
    assert l4.turn is not None
    assert l4.turn.first == pytest.approx(24 * price / saved)
    [asked_for] = [point for point in l4.points if point.jobs_per_day == 2000]
    assert asked_for.machine_usd == pytest.approx(30 * price * max(24, 2000 * 3 / 3600 / 0.5))
    assert asked_for.fallback_usd == pytest.approx(30 * 2000 * 0.2 * 0.03)
    assert choice.measured is not None
    assert choice.measured.jobs_per_day == pytest.approx(1000 / (999 / 1440))
    assert {point.jobs_per_day for point in l4.points} == {2000, choice.measured.jobs_per_day, l4.turn.first}
    assert choice.warnings == []


@pytest.mark.parametrize("count", [0, LEAST_JOBS - 1])
def test_too_few_rows(ask: Ask, count: int) -> None:
    """The command says how many there are and how many it needs, whether a machine is named or not."""
    rows = heard_jobs(count, "NVIDIA L4", s_per_s=0.05)
    with pytest.raises(ConfigurationError, match=f"Too few rows.*{LEAST_JOBS}.*{count or 'none'}"):
        ask(rows)
    with pytest.raises(ConfigurationError, match=f"Too few rows: {count} jobs were heard on the machine l4"):
        ask(rows, machines=["l4"], given=Given(audio_s_per_job=60, fallback_share=0))
    with pytest.raises(ConfigurationError, match=r"Too few rows.*--audio-s-per-job"):
        ask(rows, given=Given(predict_s_per_audio_s={"l4": 0.1}))
    with pytest.raises(ConfigurationError, match=r"Too few rows.*--fallback-share"):
        ask(rows, given=Given(predict_s_per_audio_s={"l4": 0.1}, audio_s_per_job=60))


def test_just_enough_rows(ask: Ask) -> None:
    """A hundred will do."""
    assert [each.machine for each in ask(heard_jobs(LEAST_JOBS, "NVIDIA L4", s_per_s=0.05)).machines] == ["l4"]


def test_a_figure_holds_for_the_machine_it_was_measured_on(ask: Ask) -> None:
    """What a processor took says nothing about a GPU, nor a GPU without a name; the refusal tells what there is."""
    rows = [*heard_jobs(200, "AMD EPYC", s_per_s=0.5), *heard_jobs(150, None, s_per_s=0.25)]
    assert [(each.machine, each.predict_s_per_audio_s.value) for each in ask(rows).machines] == [
        ("cpu", pytest.approx(0.5))
    ]
    with pytest.raises(ConfigurationError, match=r"200 on AMD EPYC, 0\.5 s.*|150 on hardware that their rows do not"):
        ask(machines=["h100"])
    both = ask(machines=["cpu", "h100"], given=Given(predict_s_per_audio_s={"h100": 0.01})).machines
    assert {each.machine: each.predict_s_per_audio_s.source for each in both} == {
        "cpu": "mean of 200 warm jobs on AMD EPYC",
        "h100": "given",
    }


def test_a_provider_that_is_the_primary_is_no_machine(ask: Ask) -> None:
    """The hardware in its rows is that of the worker that asked it."""
    rows = [row.model_copy(update={"model": "openai_compatible"}) for row in heard_jobs(200, "AMD EPYC", s_per_s=0.1)]
    with pytest.raises(ConfigurationError, match="200 on hardware that their rows do not name"):
        ask(rows, model="openai_compatible")


def test_other_models_and_cold_jobs_do_not_count(ask: Ask) -> None:
    """Only warm jobs of the primary, in the window and of the tenant that was asked for."""
    rows = heard_jobs(120, "NVIDIA L4", s_per_s=0.05)
    cold = [row.model_copy(update={"row_id": f"cold {row.row_id}", "warm": False, "predict_s": 99.0}) for row in rows]
    other = [row.model_copy(update={"row_id": f"o {row.row_id}", "model": "other", "predict_s": 99.0}) for row in rows]
    assert ask([*rows, *cold, *other]).machines[0].predict_s_per_audio_s.value == pytest.approx(0.05)
    with pytest.raises(ConfigurationError, match="Too few rows"):
        ask(tenant="nobody")
    with pytest.raises(ConfigurationError, match="Too few rows"):
        ask(since=START + timedelta(minutes=60))
    with pytest.raises(ConfigurationError, match="Too few rows"):
        ask(now=NOW + timedelta(days=60))


def test_nothing_is_measured_where_all_is_given(ask: Ask) -> None:
    """No row is needed, and the sums are those of what was given."""
    given = replace(ALL_GIVEN, usd_per_hour=2.0)
    choice = ask(given=replace(given, fallback_usd_per_job=0.05), utilisation=1.0)
    assert choice.measured is choice.around is None
    [l4] = choice.machines
    assert l4.turn is not None
    assert l4.turn.first == pytest.approx(24 * 2.0 / (0.02 - 0.1 * 0.05))
    assert [point.jobs_per_day for point in l4.points if point.jobs_per_day != l4.turn.first] == list(VOLUMES)


def test_few_questions_to_the_fallback_are_not_averaged(ask: Ask) -> None:
    """Then each counts as much as asking about everything, which is the most it costs."""
    choice = ask(with_fallback(heard_jobs(200, "NVIDIA L4", s_per_s=0.05), 20, 9.99))
    assert choice.assumed.fallback_usd_per_job.value == choice.assumed.api_usd_per_job.value
    assert "only 10 were asked about" in choice.assumed.fallback_usd_per_job.source
    unheard = ask(given=ALL_GIVEN, tenant="nobody").assumed
    assert unheard.fallback_usd_per_job.value == unheard.api_usd_per_job.value == 0.02
    nobody = ask(heard_jobs(200, "NVIDIA L4", s_per_s=0.05))
    assert nobody.assumed.fallback_usd == 0.0


def test_a_provider_hears_a_part_of_what_is_long(ask: Ask) -> None:
    """It is paid for that part, and the answer says so; so is it with a length that was given."""
    long_ones = heard_jobs(200, "NVIDIA L4", s_per_s=0.05, audio_s=[600.0])
    choice, most_s = ask(long_ones), OPENAI.audio_windows * 30
    audio_usd = most_s * OPENAI.tokens_per_audio_s * OPENAI.prices.audio_in / 1e6
    assert audio_usd < choice.assumed.api_usd_per_job.value < 2 * audio_usd
    assert any("20% of the audio" in warning for warning in choice.warnings)
    same = ask(long_ones, given=Given(audio_s_per_job=600.0))
    assert same.assumed.api_usd_per_job.value == pytest.approx(choice.assumed.api_usd_per_job.value)
    assert same.warnings == choice.warnings
    assert choice.api_jobs_per_day == pytest.approx(30_000 * 1440 / (most_s * 10))


def test_spot(ask: Ask) -> None:
    """At the spot price, where one is known."""
    rows = [*heard_jobs(200, "NVIDIA L4", s_per_s=0.05), *heard_jobs(200, "AMD EPYC", s_per_s=0.5)]
    spot = load_prices().machine("l4").spot_usd_per_hour
    assert spot is not None
    assert ask(rows, machines=["l4"], spot=True).machines[0].usd_per_hour.value == spot.usd
    with pytest.raises(ConfigurationError, match="no spot price of cpu"):
        ask(machines=["cpu"], spot=True)


def test_unknown_names(ask: Ask) -> None:
    """A machine or provider there is not is refused before anything is measured; a free provider is no comparison."""
    with pytest.raises(ConfigurationError, match="no price of a machine 't4'"):
        ask(machines=["t4"])
    with pytest.raises(ConfigurationError, match="no provider 'nobody'"):
        ask(provider="nobody")
    given = Given(audio_s_per_job=30.0, fallback_share=0.0, predict_s_per_audio_s={"l4": 0.1})
    with pytest.raises(ConfigurationError, match="vllm costs nothing by its prices"):
        ask(provider="vllm", given=given)
    assert ask(machines=["t4"], given=Given(**vars_of(given), usd_per_hour=0.4, api_usd_per_job=0.1)).machines


def vars_of(given: Given) -> dict[str, Any]:
    """What was given, with a speed for any machine."""
    fields = {name: getattr(given, name) for name in ("audio_s_per_job", "fallback_share")}
    return {**fields, "predict_s_per_audio_s": {"t4": 0.2}}


def test_old_prices_and_those_of_days_to_come_are_doubted(ask: Ask, tmp_path: Path) -> None:
    """Of the machines that were asked about and of the provider, and of nothing that was given instead."""
    years = NOW + timedelta(days=800)
    doubted = ask(given=ALL_GIVEN, now=years).warnings
    assert len(doubted) == 1
    assert "price of l4" in doubted[0]
    given = Given(audio_s_per_job=30.0, fallback_share=0.1, predict_s_per_audio_s={"l4": 0.1}, usd_per_hour=1.0)
    [openai] = ask(given=given, now=years).warnings
    assert "price of openai" in openai
    names = ("text_in", "cached_in", "audio_in", "text_out", "audio_out")
    prices = "\n".join(["[openai.prices]", "as_of = 2999-01-01", *(f"{name} = 1" for name in names)])
    (tmp_path / "providers.toml").write_text(prices)
    [early] = ask(given=given, settings=Settings(data=tmp_path, providers=tmp_path / "providers.toml")).warnings
    assert "openai is of 2999-01-01, which is not yet" in early


@pytest.mark.parametrize(
    ("speed", "whole", "words"),
    [
        (0.001, False, r"^From 1,138 jobs a day on l4 costs less than openai\.$"),
        (2.2, True, r"^From 1,138 .* the next machine can turn that back; from [\d,]+ on it stays\.$"),
        (10.0, False, r"^Never: a job costs \$"),
    ],
)
def test_where_it_turns_is_told(ask: Ask, speed: float, whole: bool, words: str) -> None:  # noqa: FBT001  # a parameter
    """In one sentence that a person can act on."""
    given = Given(
        audio_s_per_job=30.0, fallback_share=0.1, api_usd_per_job=0.02, predict_s_per_audio_s={"l4": speed},
        usd_per_hour=0.8536,
    )  # fmt: skip
    choice = ask(given=given, whole=whole, utilisation=1.0)
    assert re.search(words, told(choice.machines[0], "openai")), told(choice.machines[0], "openai")


def test_json_has_all_of_it(ask: Ask) -> None:
    """What it stands on, what was measured, what turns where, what is not counted."""
    found = json.loads(json.dumps(as_json(ask(heard_jobs(300, "NVIDIA L4", s_per_s=0.05)))))
    assert found["assumed"]["audio_s_per_job"] == {"value": 60.0, "from": "mean of 300 answers"}
    assert found["measured"]["heard"] == [
        {"hardware": "NVIDIA L4", "machine": "l4", "jobs": 300, "predict_s_per_audio_s": pytest.approx(0.05)}
    ]
    [machine] = found["machines"]
    assert machine["turns_at_jobs_per_day"] == machine["for_good_from_jobs_per_day"] > 0
    assert {row["cheaper"] for row in machine["table"]} >= {"own", "api"}
    assert found["not_counted"]
    assert found["around_usd_per_1000_jobs"]["storage_month"]["standard"] > 0


def run(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str) -> int:
    """The exit status of the command."""
    monkeypatch.chdir(data)
    (data / "data").mkdir(exist_ok=True)
    monkeypatch.setenv("EARMARK_DATA", str(data / "data"))
    monkeypatch.setattr("sys.argv", ["earmark", "cost", "break-even", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "Too few rows: a figure needs 100 jobs heard"),
        (["--tenant", "nobody", "--gpu", "l4"], "0 jobs of tenant 'nobody' have an answer"),
        (["--since", "7d", "--until", "30d"], "--since '7d' is not before --until '30d'"),
        (["--gpu", "t4"], "no price of a machine 't4'"),
        (["--utilisation", "0"], "--utilisation 0 cannot be"),
        (["--utilisation", "1.1"], "--utilisation 1.1 cannot be"),
        (["--utilisation", "nan"], "--utilisation nan cannot be"),
        (["--fallback-share", "2"], "--fallback-share 2 cannot be"),
        (["--fallback-share", "-0.1"], "--fallback-share -0.1 cannot be"),
        (["--jobs-per-day", "-1"], "--jobs-per-day -1 cannot be"),
        (["--jobs-per-day", "inf"], "--jobs-per-day inf cannot be"),
        (["--audio-s-per-job", "0"], "--audio-s-per-job 0 cannot be"),
        (["--usd-per-hour", "-3"], "--usd-per-hour -3 cannot be"),
        (["--predict-s-per-audio-s", "0.1"], "write MACHINE=SECONDS"),
        (["--predict-s-per-audio-s", "l4=fast"], "write MACHINE=SECONDS"),
        (["--predict-s-per-audio-s", "l4=0"], "write MACHINE=SECONDS"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One clear line that names the option, and status 2."""
    assert run(monkeypatch, tmp_path, *arguments) == 2
    assert named in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_told_of_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where something had to be measured; where all is given, or a word is wrong, that is no matter."""
    given = ["--gpu", "l4", "--predict-s-per-audio-s", "0.02", "--audio-s-per-job", "60", "--fallback-share", "0.1"]
    for words, status, missed in (
        (given, 0, True),
        ([*given, "--fallback-usd-per-job", "0.01"], 0, False),
        (["--gpu", "l4"], 2, True),
        (["--gpu", "nope"], 2, False),
    ):
        monkeypatch.setenv("EARMARK_DATA", str(tmp_path / "typo"))
        monkeypatch.setattr("sys.argv", ["earmark", "cost", "break-even", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert int(ended.value.code or 0) == status
        assert ("There is no data folder" in capsys.readouterr().err) is missed
    assert not (tmp_path / "typo").exists()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A table, where it turns, what it stands on and what is not counted; or all of that as JSON."""
    given = ["--gpu", "l4", "--predict-s-per-audio-s", "0.02", "--audio-s-per-job", "60", "--fallback-share", "0.1"]
    assert run(monkeypatch, tmp_path, *given, "--jobs-per-day", "5000") == 0
    shown = capsys.readouterr().out
    for words in ("l4 beside openai", "5,000", "jobs a day on l4 costs less", "at work 60%", "Not counted: "):
        assert words in shown
    assert run(monkeypatch, tmp_path, *given, "--json", "--api-usd-per-job", "0.01", "--usd-per-hour", "1") == 0
    [machine] = json.loads(capsys.readouterr().out)["machines"]
    assert machine["turns_at_jobs_per_day"] == pytest.approx(24 / (0.01 - 0.1 * 0.01))


def test_jobs_without_audio_are_no_measure(ask: Ask) -> None:
    """Nothing is divided by zero."""
    rows = [
        job_row(n, START + timedelta(minutes=n), audio_s=0.0, predict_s=0.1, hardware="NVIDIA L4") for n in range(150)
    ]
    with pytest.raises(ConfigurationError, match="Too few rows"):
        ask(rows)
    with pytest.raises(ConfigurationError, match="about no audio at all"):
        ask(rows, given=Given(predict_s_per_audio_s={"l4": 0.1}))
    at_once = [row.model_copy(update={"at": START + timedelta(days=1), "audio_s": 9.0}) for row in rows]
    choice = ask(at_once, given=Given(predict_s_per_audio_s={"l4": 0.1}))
    assert choice.measured is not None
    assert choice.measured.jobs_per_day is None, "all at once say nothing about a day"
