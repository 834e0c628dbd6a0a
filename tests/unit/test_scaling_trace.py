"""Traces: read from hostile files, made from seeds."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from earmark.vocabulary import Lane
from scaling.trace import Gathering
from scaling.trace_maker import LENGTHS, Shape, make_trace
from scaling.trace_reader import NAMED, SPAN_MOST_S, read_trace

GOOD = '{"at_s": 5, "lane": "high", "audio_s": 3}'
FAR = '{"at_s": 1e9, "lane": "low", "audio_s": 3}'


def lines_of(shape: Shape, seed: int) -> list[str]:
    """A made-up hour as JSON."""
    return [json.dumps(each._asdict()) for each in make_trace(shape, seed, hours=1.0)]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "no JSON"),
        ("[1, 2]", "no JSON object"),
        ('{"lane": "high", "audio_s": 3}', "at_s is missing"),
        ('{"at_s": "1", "lane": "high", "audio_s": 3}', "numbers"),
        ('{"at_s": true, "lane": "high", "audio_s": 3}', "numbers"),
        ('{"at_s": 1' + "0" * 400 + ', "lane": "high", "audio_s": 3}', "numbers that can be"),
        ('{"at_s": NaN, "lane": "high", "audio_s": 3}', "a time"),
        ('{"at_s": 1e300, "lane": "high", "audio_s": 3}', "a time"),
        ('{"at_s": -1, "lane": "high", "audio_s": 3}', "negative"),
        ('{"at_s": 1, "lane": "middle", "audio_s": 3}', "high or low"),
        ('{"at_s": 1, "lane": ["high"], "audio_s": 3}', "high or low"),
        ('{"at_s": 1, "lane": "high", "audio_s": Infinity}', "audio_s"),
        ('{"at_s": 1, "lane": "high", "audio_s": -3}', "audio_s"),
        ("[" * 5000, "no JSON"),
        ("x" * 10_001, "characters"),
        ("\ufffd\ufffd", "no JSON"),
    ],
)
def test_a_bad_line_is_named_and_left_out(line: str, why: str) -> None:
    """Its number and what is wrong with it are said; all others count."""
    read = read_trace([GOOD, "", line, GOOD])
    assert len(read.trace) == 2
    assert read.faulty == 1
    assert read.faults[0].line == 3
    assert why in read.faults[0].why


def test_csv_in_any_order_of_columns() -> None:
    """A header names the columns, others are passed over, and short or wrong rows are named."""
    read = read_trace(
        ["\ufefflane,note,audio_s,AT_S\n", 'low,"a, b",60,10\n', "high,,3,2\n", "high,,3\n", "low,,x,1\n"]
    )
    assert list(read.trace.lanes[Lane.LOW].at_s) == [8.0]
    assert list(read.trace.lanes[Lane.HIGH].audio_s) == [3.0]
    assert [(fault.line, fault.why.split()[0]) for fault in read.faults] == [(4, "it"), (5, "at_s")]


@pytest.mark.parametrize(
    ("at", "at_s"),
    [("1970-01-01T00:00:10Z", 10.0), ("1970-01-01 01:00:10.5+01:00", 10.5), ("1970-01-01T00:00:10", 10.0)],
)
def test_a_time_may_stand_for_seconds(at: str, at_s: float) -> None:
    """As ISO 8601 writes it, in JSON and in CSV; what counts from 1970 fits to it."""
    other = '{"at_s": 0, "lane": "low", "audio_s": 3}'
    read = read_trace([json.dumps({"at": at, "lane": "low", "audio_s": 3}), other])
    assert list(read.trace.lanes[Lane.LOW].at_s) == [0.0, at_s]
    read = read_trace(["audio_s,lane,at", "3,low,1970-01-01", f'3,low,"{at}"', "3,low,1", "x,low,1970-01-01"])
    assert list(read.trace.lanes[Lane.LOW].at_s) == [0.0, at_s]
    assert [(fault.line, fault.why[:17]) for fault in read.faults] == [
        (4, "at must be a time"),
        (5, "at must be a time"),
    ]


@pytest.mark.parametrize("at", ["soon", 5, None, "", "1969-12-31T23:59:59Z"])
def test_what_is_no_time_is_named(at: object) -> None:
    """Beside ``at_s`` it is passed over."""
    line = {"at": at, "lane": "high", "audio_s": 3}
    read = read_trace([GOOD, json.dumps(line), json.dumps({**line, "at_s": 3})])
    assert ([fault.line for fault in read.faults], len(read.trace)) == ([2], 2)
    assert "at must be a time" in read.faults[0].why or "negative" in read.faults[0].why


@pytest.mark.parametrize(("line", "why"), [("null", "no JSON object"), ("7", "no JSON object"), ("x\ry", "header")])
@pytest.mark.parametrize("rest", [[GOOD], ["at_s,lane,audio_s", "1,low,60"]])
def test_what_comes_before_the_first_arrival_is_a_bad_line(line: str, why: str, rest: list[str]) -> None:
    """By its number; what follows it is JSON or CSV all the same."""
    read = read_trace([line, *rest])
    assert [fault.line for fault in read.faults] == [1]
    assert why in read.faults[0].why
    assert len(read.trace) == 1


@pytest.mark.parametrize("lines", [[], ["", "\n"], ["x"], ["1,2,3", "4,5,6"]])
def test_no_arrivals_at_all(lines: list[str]) -> None:
    """What a trace looks like is said."""
    with pytest.raises(ConfigurationError, match="no arrivals"):
        read_trace(lines)


def test_a_span_of_years_is_a_mistake() -> None:
    """Milliseconds among seconds would be played for ever."""
    for good, far in ((1, 1), (18, 3)):
        with pytest.raises(ConfigurationError, match=rf"{far} of .* line {good + 1}, .*days"):
            read_trace([GOOD] * good + [FAR] * far)


def test_a_few_far_lines_are_named_and_left_out() -> None:
    """Before or after the others, by number among other faults; what is left begins at zero."""
    read = read_trace([GOOD, "x", FAR, *[GOOD] * 30, GOOD.replace("5", "40"), FAR])
    assert (len(read.trace), read.trace.end_s, read.faulty) == (32, 35.0, 3)
    assert [fault.line for fault in read.faults] == [2, 3, 35]
    assert "days from most others" in read.faults[1].why
    late = read_trace([GOOD, *[FAR] * 20])
    assert ([fault.line for fault in late.faults], len(late.trace.lanes[Lane.LOW])) == ([1], 20)
    assert late.trace.end_s == 0.0


def test_a_whole_year_is_played() -> None:
    """The last arrival of a span as long as may be still counts; one that lies just outside of it does not."""
    lines = [json.dumps({"at_s": at_s, "lane": "low", "audio_s": 3}) for at_s in (0, 1, 2, SPAN_MOST_S)]
    assert read_trace(lines).trace.end_s == SPAN_MOST_S
    read = read_trace([*lines, json.dumps({"at_s": SPAN_MOST_S + 0.5, "lane": "high", "audio_s": 3})])
    assert [fault.line for fault in read.faults] == [5]
    assert read.trace.end_s == SPAN_MOST_S


def test_many_faults_are_counted() -> None:
    """The first ones are named, all are counted."""
    read = read_trace([GOOD, *["x"] * 1000])
    assert (len(read.faults), read.faulty) == (NAMED, 1000)


@given(st.lists(st.tuples(st.sampled_from(list(Lane)), st.floats(0, 1e6), st.floats(0, 1e4)), min_size=1, max_size=50))
def test_any_order_is_put_in_order(arrivals: list[tuple[Lane, float, float]]) -> None:
    """By lane and time, from zero on, each with its own length."""
    gathering = Gathering()
    for each in arrivals:
        gathering.add(*each)
    trace, first_s = gathering.trace(), min(at_s for _, at_s, _ in arrivals)
    for lane in Lane:
        expected = sorted((at_s - first_s, audio_s) for each, at_s, audio_s in arrivals if each is lane)
        found = list(zip(trace.lanes[lane].at_s, trace.lanes[lane].audio_s, strict=True))
        assert sorted(found) == expected
        assert [at_s for at_s, _ in found] == sorted(at_s for at_s, _ in found)


@pytest.mark.parametrize("shape", list(Shape))
def test_a_seed_is_a_trace(shape: Shape) -> None:
    """The same seed gives the same lines, another one others; they are in order and read back without a fault."""
    lines = lines_of(shape, 1)
    assert lines == lines_of(shape, 1) != lines_of(shape, 2)
    read = read_trace(lines)
    assert len(read.trace) == len(lines) > 1000
    assert not read.faulty
    assert all(max(read.trace.lanes[lane].audio_s) <= LENGTHS[lane][2] for lane in Lane)


def test_a_steady_trace_has_the_rate_that_was_asked_for() -> None:
    """Within five standard deviations of a Poisson process."""
    made = list(make_trace(Shape.STEADY, 3, hours=1.0, high_per_s=2.0, low_per_s=0.0))
    assert all(each.lane is Lane.HIGH for each in made)
    assert abs(len(made) - 7200) < 5 * math.sqrt(7200)
