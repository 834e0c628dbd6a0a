"""Trace contexts: what of a caller's header is believed, and which traces are recorded."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from earmark.trace import TraceContext, begun, current, follow, following, parsed, trace_id_of

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEX = "0123456789abcdef"


def test_a_header_says_trace_span_and_flag() -> None:
    """As the standard's own example."""
    assert parsed(GOOD) == TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
    assert parsed(GOOD[:-1] + "0") == TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert trace_id_of(GOOD) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        GOOD.upper(),
        GOOD[:-1],
        GOOD + "0",
        GOOD + "-more",
        GOOD.replace("00-4", "ff-4"),
        GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        GOOD.replace("00f067aa0ba902b7", "0" * 16),
        GOOD.replace("-", "_"),
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "01" + GOOD[2:] + "-" + "x" * 1000,
        GOOD + "\n" + GOOD,
    ],
)
def test_what_is_no_header_says_nothing(header: str | None) -> None:
    """Nothing of it goes on."""
    assert parsed(header) is None
    assert trace_id_of(header) is None


def test_a_later_version_is_understood_as_far_as_it_is_known() -> None:
    """Other flags and further fields are left alone, as the standard asks."""
    assert parsed("01" + GOOD[2:-2] + "03-whatever") == parsed(GOOD)


@given(st.text(HEX, min_size=32, max_size=32), st.text(HEX, min_size=16, max_size=16), st.booleans())
def test_opentelemetry_reads_what_we_write(trace_id: str, span_id: str, sampled: bool) -> None:  # noqa: FBT001
    """And comes to the same, also about what says nothing."""
    context = TraceContext(trace_id, span_id, sampled)
    found = TraceContextTextMapPropagator().extract({"traceparent": context.header})
    ours = parsed(context.header)
    assert (ours is None) == (not found)
    if ours is not None:
        assert ours == context


@given(st.text(HEX, min_size=32, max_size=32), st.floats(0, 1))
def test_a_share_of_traces_is_that_of_opentelemetry(trace_id: str, share: float) -> None:
    """So that a caller that records a larger share by the same rule records all of ours."""
    theirs = (
        TraceIdRatioBased(share).should_sample(None, int(trace_id, 16), "any").decision is Decision.RECORD_AND_SAMPLE
    )
    assert TraceContext(trace_id, "0" * 15 + "1").within(share).sampled == theirs


def test_all_or_none_of_them() -> None:
    """The ends of the range."""
    traces = [begun(1.0) for _ in range(100)]
    assert all(trace.sampled for trace in traces)
    assert not any(trace.within(0.0).sampled for trace in traces)
    assert len({trace.trace_id for trace in traces} | {trace.span_id for trace in traces}) == 200


def test_a_child_is_of_the_same_trace() -> None:
    """With a span of its own."""
    context = begun(1.0)
    assert context.child()._replace(span_id=context.span_id) == context
    assert context.child().span_id != context.span_id


def test_what_is_followed_ends_and_is_nobody_elses() -> None:
    """A thread follows what it was told itself."""
    context, seen = begun(), []
    with following(context):
        assert current() == context
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
    assert current() is None
    assert seen == [None]
    follow(context)
    assert current() == context
    follow(None)
