"""The experiment file: what loads, what is refused and why, and the rules of states."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ab_testing import lifecycle
from ab_testing.experiment import Experiment, load_experiment
from ab_testing.lifecycle import Say
from ab_testing.metrics import METRICS, Better
from ab_testing.overlap import check_dealing, check_overlap, units_left
from ab_testing.state import Action, Course, State, Trial, dumped
from earmark.errors import ConfigurationError
from tests.making import EPOCH

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "experiments").glob("*.yaml"))
ADA = Say("ada", EPOCH, "to see")


def made(**fields: Any) -> Experiment:
    """An experiment."""
    return Experiment.model_validate({"name": "trial", **fields})


def begun(**fields: Any) -> Course:
    """One that runs."""
    return lifecycle.start(None, made(**fields), ADA)


def later(hours: float = 1.0, **fields: Any) -> Say:
    """Somebody else decides afterwards."""
    return Say("bob", EPOCH + timedelta(hours=hours), **fields)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load_and_can_be_dealt(path: Path) -> None:
    """Each is called what its file is called, and comes back the same from what is stored of it."""
    experiment = load_experiment(path)
    check_dealing(experiment)
    assert experiment.name == path.stem
    assert Experiment.model_validate_json(json.dumps(dumped(experiment))) == experiment


def test_the_page_shows_the_example() -> None:
    """To the letter, but for the comment it begins with."""
    page = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    block = page.partition("```yaml\n")[2].partition("```")[0]
    assert block in (ROOT / "examples" / "experiments" / "qwen-or-listener.yaml").read_text(encoding="utf-8")
    assert load_experiment(ROOT / "examples" / "experiments" / "qwen-or-listener.yaml").name in block


def test_there_are_examples() -> None:
    """So that the test above tests something."""
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"arms": [{"name": "a", "share": 1.0}]}, "at least two"),
        ({"arms": [{"name": "a", "share": 0.9}, {"name": "a", "share": 0.1}]}, "a name of its own"),
        ({"arms": [{"name": "a", "share": 0.9}, {"name": "b", "share": 0.2}]}, "add up to 1.1"),
        ({"arms": [{"name": "a", "share": 0.9}, {"name": "b", "share": 0.1, "settings": {"data": "/"}}]}, "cannot set"),
        ({"ramp": [{"after_h": 1, "coverage": 0.1}, {"after_h": 1, "coverage": 0.2}]}, "hours must rise"),
        ({"ramp": [{"after_h": 0, "coverage": 0.1}], "coverage": 0.5}, "follows from the ramp"),
        ({"metrics": ["beauty"]}, "no metric beauty"),
        ({"guardrails": [{"metric": "predict_s_p95"}]}, "never acts"),
        ({"coverage": 1.5}, "coverage"),
        ({"version": 0}, "version"),
        ({"name": "../etc"}, "name"),
        ({"colour": "red"}, "colour"),
        ({"version": 99999999999999999999999999}, "version: .*less than or equal to 1000000"),
        ({"version": True}, "version: .*valid integer"),
        ({"coverage": True}, "coverage: .*valid number"),
        ({"alpha": float("nan")}, "alpha: .*finite"),
        ({"ramp": [{"after_h": float("inf"), "coverage": 0.5}]}, "after_h: .*finite"),
        ({"ramp": [{"after_h": 1e9, "coverage": 0.5}]}, "after_h"),
        ({"arms": [{"name": "a", "share": 1.0, "settings": {"model_threads": float("inf")}}]}, "model_threads is too"),
        ({"arms": [{"name": "a", "share": 1.0, "settings": {"model_threads": 10**30}}]}, "model_threads is too large"),
        ({"arms": [{"name": "abcdefghijk"[n], "share": n // 10 * 1.0} for n in range(11)]}, "at most 10"),
        ({"metrics": ["error_rate", "cost_usd", "error_rate"]}, "error_rate more than once"),
        ({"description": "x" * 3000}, "description"),
        ({"coverage": 0.12345}, "0.12345 lies in the middle between 0.1234 and 0.1235"),
        (
            {
                "arms": [
                    {"name": n, "share": s} for n, s in (("a", 0.10002), ("b", 0.10003), ("c", 0.10002), ("d", 0.69993))
                ]
            },
            "first 2",
        ),
    ],
)
def test_files_that_are_no_experiment(tmp_path: Path, fields: dict[str, object], told: str) -> None:
    """Each is refused in one sentence that names the file and the fault."""
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump({"name": "trial", **fields}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=told) as caught:
        load_experiment(path)
    assert str(path) in str(caught.value)
    assert "pydantic" not in str(caught.value)


BOMB = "x0: &x0 {a: 1}\n" + "".join(
    f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 31)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "line 1: the anchor &x0; leave it out"),
        ("name: a\nversion: *b", "line 2: the alias .b; write out"),
        ("name: a\n<<: {version: 2}", "line 2: the merge key <<"),
        ("name: a\nversion: !!int '2'", "line 2: the tag "),
        ("name: a\nversion: 1\nname: b", "line 3: the key name stands there twice"),
        ("arms:\n- {name: a, share: 0.5, share: 0.6}", "line 2: the key share stands there twice"),
        ("name: a\n1: 2", "line 2: a key that is no text"),
        ("[" * 200_000, "20 lists or mappings in each other"),
        ("version: " + "9" * 5000, "is no YAML"),
        ("version: 0x_", "is no YAML"),
        ("alpha: 1" + ":59" * 1000 + ".5", "is no YAML"),
        ("description: 2026-13-45", "is no YAML"),
        ('name: a\ndescription: "\\ud800"', "description: "),
    ],
    ids=lambda text: text[:20],
)
def test_yaml_that_is_not_plain(tmp_path: Path, text: str, told: str) -> None:
    """Refused where it stands, before anything is built of it, so that two kilobytes cost no more than they are."""
    path = tmp_path / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    began_s = time.process_time()
    with pytest.raises(ConfigurationError, match=told):
        load_experiment(path)
    assert time.process_time() - began_s < 2


_numbers = st.one_of(
    st.floats(), st.integers(), st.floats(0, 1), st.booleans(), st.sampled_from([0.05, 0.5, 1, 10**400])
)
_texts = st.one_of(st.text(), st.sampled_from(["\ud800", "\0", "a" * 3000]))
_shares = st.one_of(st.sampled_from([0.5, 1.0]), _numbers)
_settings = st.dictionaries(
    st.sampled_from(["model_threads", "model_path"]), st.one_of(_texts, _numbers), min_size=1, max_size=2
)
_arms = st.fixed_dictionaries(
    {"name": st.just("b"), "share": st.sampled_from([0.1, 1 / 3])}, optional={"model": _texts, "settings": _settings}
).map(lambda arm: [{"name": "a", "share": 1 - arm["share"]}, arm])
_metrics = st.sampled_from(list(METRICS))
_field = {
    "version": _numbers,
    "description": _texts,
    "coverage": _numbers,
    "shadow": _numbers,
    "alpha": _numbers,
    "ramp": st.lists(st.fixed_dictionaries({"after_h": _shares, "coverage": _shares}), min_size=1, max_size=2),
    "guardrails": st.lists(st.fixed_dictionaries({"metric": _metrics, "margin": _numbers}), max_size=2),
    "arms": _arms,
    "metrics": st.lists(_metrics, max_size=3),
    "exclude": st.fixed_dictionaries({"tenants": st.lists(st.sampled_from(["acme", "b", "\ud800"]), max_size=2)}),
}
_fields = st.one_of(
    *(st.fixed_dictionaries({"name": st.just("trial"), name: value}) for name, value in _field.items()),
    st.fixed_dictionaries({"name": st.just("trial")}, optional=_field),
)


@given(fields=_fields)
@settings(max_examples=400)
def test_what_is_an_experiment_survives_the_store(fields: dict[str, object]) -> None:
    """Whatever validates is JSON in which no number is infinite, fits a column, and comes back the same."""
    try:
        experiment = Experiment.model_validate(fields)
    except ValidationError:
        return
    content = json.dumps(dumped(experiment), allow_nan=False)
    assert Experiment.model_validate_json(content) == experiment
    assert all(abs(number) < 2**63 for number in _numbers_in(json.loads(content)))
    course = lifecycle.start(None, experiment, ADA)
    assert Course.model_validate_json(course.model_dump_json().encode()) == course


def _numbers_in(value: object) -> list[float]:
    if isinstance(value, dict | list):
        return [n for part in (value.values() if isinstance(value, dict) else value) for n in _numbers_in(part)]
    return [value] if isinstance(value, int | float) else []


def test_the_page_lists_the_metrics() -> None:
    """All, in order, each with the way it should go."""
    page = (
        (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8").partition("## Metrics")[2].partition("\n## ")[0]
    )
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| `")]
    assert [(row[0].strip("`"), row[1], row[3]) for row in rows] == [
        (metric.name, metric.kind.value, "lower" if metric.better is Better.LOWER else "higher")
        for metric in METRICS.values()
    ]


@pytest.mark.parametrize("state", [state for state in State if state is not State.DRAFT])
@pytest.mark.parametrize("action", [Action.RESUME, Action.PAUSE, Action.ROLL_BACK, Action.COMPLETE])
def test_states(state: State, action: Action) -> None:
    """Every action in every state leads where the table says, is no change, or is refused without a trace."""
    way = {State.PAUSED: Action.PAUSE, State.ROLLED_BACK: Action.ROLL_BACK, State.COMPLETED: Action.COMPLETE}
    course = begun()
    if state in way:
        course = lifecycle.change(course, way[state], later())
    wanted = lifecycle.TRANSITIONS.get((state, action))
    if lifecycle.ASKED_FOR[action] is state:
        assert lifecycle.change(course, action, later(2)) is course
    elif wanted is None:
        with pytest.raises(ConfigurationError, match="What has ended stays so"):
            lifecycle.change(course, action, later(2))
        assert state in lifecycle.ENDED
    else:
        after = lifecycle.change(course, action, later(2, reason="why", evidence="{}"))
        assert after.latest.state is wanted
        assert after.decisions[:-1] == course.decisions
        last = after.decisions[-1]
        assert (last.actor, last.reason, last.evidence, last.before, last.state) == ("bob", "why", "{}", state, wanted)
        assert last.number == len(after.decisions)
        assert (after.latest.ended_at is not None) == (wanted in lifecycle.ENDED)
        assert after.latest.started_at == EPOCH


def test_starting() -> None:
    """Twice is no change; paused it goes on; with more coverage that is a decision of its own."""
    course = begun(coverage=0.1)
    assert lifecycle.start(course, made(coverage=0.1), later()) is course
    paused = lifecycle.change(course, Action.PAUSE, later())
    assert lifecycle.start(paused, made(coverage=0.1), later(2)).decisions[-1].action is Action.RESUME
    more = lifecycle.start(course, made(coverage=0.5), later())
    assert (more.latest.state, more.decisions[-1].action, more.decisions[-1].coverage) == ("running", "cover", 0.5)
    assert [each.coverage for each in more.latest.coverages] == [0.1, 0.5]
    assert more.latest.started_at == EPOCH
    ramped = lifecycle.start(course, made(ramp=[{"after_h": 0, "coverage": 0.2}]), later())
    assert ramped.decisions[-1].coverage == 0.2
    both = lifecycle.start(paused, made(coverage=0.5), later(2))
    assert [each.action for each in both.decisions] == ["start", "pause", "cover", "resume"]
    assert [each.coverage for each in both.decisions] == [0.1, 0.0, 0.0, 0.5]


def test_what_cannot_be_started() -> None:
    """Another definition of the same version, a version beside one that runs, an older one, and what has ended."""
    course = begun(version=2)
    for fields, told in (
        ({"version": 2, "alpha": 0.01}, "with another definition .alpha."),
        ({"version": 3}, "two versions at once would mix"),
        ({"version": 1}, "is older than version 2"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            lifecycle.start(course, made(**fields), later())
    ended = lifecycle.change(course, Action.COMPLETE, later())
    with pytest.raises(ConfigurationError, match="Give the file version 3"):
        lifecycle.start(ended, made(version=2), later(2))
    third = lifecycle.start(ended, made(version=3), later(2))
    assert [trial.state for trial in third.trials] == [State.COMPLETED, State.RUNNING]
    assert third.trial(2) == ended.latest
    assert third.trial(1) is None


def test_courses_survive_the_store() -> None:
    """A course with a ramp, several versions and decisions reads back the same."""
    course = begun(ramp=[{"after_h": 0, "coverage": 0.01}, {"after_h": 1, "coverage": 1.0}])
    course = lifecycle.change(course, Action.ROLL_BACK, later(reason="harm", evidence='{"alarms": []}'))
    course = lifecycle.start(course, made(version=2), later(2))
    assert Course.model_validate_json(course.model_dump_json()) == course


def trial(name: str, hours: float, **fields: Any) -> Trial:
    """One that was started some hours after the epoch."""
    definition = Experiment.model_validate({"name": name, **fields})
    return Trial(definition=definition, state=State.RUNNING, started_at=EPOCH + timedelta(hours=hours))


def test_what_nobody_would_notice_is_not_started() -> None:
    """Too little coverage, an arm below one bucket, a control without share, nothing to try."""
    for fields, told in (
        ({"coverage": 0.00001}, "cover nobody"),
        ({"arms": [{"name": "a", "share": 0.99999}, {"name": "b", "share": 0.00001}]}, "less than one in 10000"),
        ({"arms": [{"name": "a", "share": 0.0}, {"name": "b", "share": 1.0}]}, "nothing to compare with"),
        ({"arms": [{"name": "a", "share": 1.0}, {"name": "b", "share": 0.0}]}, "nothing would be tried"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            check_dealing(made(**fields))
    check_dealing(made(shadow=0.1, arms=[{"name": "a", "share": 1.0}, {"name": "b", "share": 0.0}]))


def test_room_beside_others() -> None:
    """Nothing is left where an earlier one takes every unit, unless it leaves some out that this one takes."""
    everything, part = trial("everything", 0), trial("part", 1, coverage=0.25)
    with pytest.raises(ConfigurationError, match="everything, started before it, takes every unit"):
        check_overlap(made(), None, [part, everything])
    check_overlap(made(), None, [part])
    check_overlap(made(), None, [trial("everything", 0, exclude={"tiers": ["free"]})])
    with pytest.raises(ConfigurationError, match="takes every unit"):
        check_overlap(made(exclude={"tiers": ["free"]}), None, [trial("everything", 0, exclude={"tiers": ["free"]})])
    assert units_left(trial("trial", 5), [part, trial("half", 2, coverage=0.5), trial("later", 6)]) == 0.375


def test_growing_takes_nothing_from_others() -> None:
    """More coverage than was ever told is refused while an experiment runs that was started later."""
    own = trial("trial", 1, coverage=0.1)
    for other, grown in ((trial("later", 2, coverage=0.1), 0.2), (trial("later", 2), 0.11)):
        with pytest.raises(ConfigurationError, match="it would take units from later"):
            check_overlap(made(coverage=grown), own, [other])
        check_overlap(made(coverage=0.05), own, [other])
    check_overlap(made(coverage=0.2), own, [trial("earlier", 0, coverage=0.1)])


def test_coverage_can_be_lowered_and_raised_again_beside_others() -> None:
    """As far as was ever declared since the start, and no further; the space stays its own all the while."""
    course = begun(coverage=0.25)
    lowered = lifecycle.start(course, made(coverage=0.1), later())
    assert (lowered.latest.definition.final_coverage, lowered.latest.reserved) == (0.1, 0.25)
    others = [trial("second", 2), trial("third", 3)]
    check_overlap(made(coverage=0.25), lowered.latest, others)
    with pytest.raises(ConfigurationError, match=r"at most 0.25 since .* second, third, .*stay within 0.25"):
        check_overlap(made(coverage=0.26), lowered.latest, others)
    again = lifecycle.start(lowered, made(coverage=0.25), later(4))
    assert (again.latest.reserved, again.latest.definition.final_coverage) == (0.25, 0.25)
    assert units_left(others[0], [lowered.latest]) == 0.75
    paused = lifecycle.change(lowered, Action.PAUSE, later(2))
    resumed = lifecycle.start(paused, made(coverage=0.25), later(3))
    assert (resumed.latest.state, resumed.latest.definition.final_coverage) == (State.RUNNING, 0.25)


def test_what_was_declared_for_every_unit_leaves_no_room_when_lowered() -> None:
    """And the message says why."""
    lowered = lifecycle.start(begun(), made(coverage=0.1), later())
    with pytest.raises(ConfigurationError, match=r"trial, started before it, keeps every unit, though it covers 0.1"):
        check_overlap(made(name="second"), None, [lowered.latest])
