"""Rows on their way to BigQuery: cut into requests, told apart by age, read back from their lines."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigurationError
from earmark.rows import LabelRow

codec = pytest.importorskip("runtime.gcp.row_codec", reason="needs Google's clients")

AT = datetime(2026, 1, 1, tzinfo=UTC)


def label(**fields: object) -> LabelRow:
    """A row."""
    plain = {"row_id": "1", "tenant": "t", "at": AT, "job_id": "j", "field": "moods", "value": "sad"}
    return LabelRow.model_validate({**plain, "confidence": None, "score": None, **fields})


@given(sizes=st.lists(st.integers(0, 20), max_size=40), rows_max=st.integers(1, 9), bytes_max=st.integers(1, 30))
def test_chunks(sizes: list[int], rows_max: int, bytes_max: int) -> None:
    """Every row is in one run, in order; no run is empty, nor above a limit unless it is a single row."""
    runs = [sizes[each] for each in codec.chunks(sizes, rows_max=rows_max, bytes_max=bytes_max)]
    assert [size for run in runs for size in run] == sizes
    assert all(runs)
    assert all(len(run) <= rows_max and (sum(run) <= bytes_max or len(run) == 1) for run in runs)


@given(value=st.text(), confidence=st.none() | st.floats(allow_nan=False), at=st.datetimes(timezones=st.just(UTC)))
def test_a_row_and_its_line(value: str, confidence: float | None, at: datetime) -> None:
    """A row that waited in the spool is sent as it would have been at once."""
    rows = codec.RowCodec(LabelRow)
    stored = rows.stored(label(value=value, confidence=confidence, at=at), 5)
    line = codec.line_of(stored)
    assert line.count(b"\n") == 1
    assert codec.row_of(line) == stored
    assert rows.encoded(codec.row_of(line)) == rows.encoded(stored)


@given(text=st.text(max_size=30))
def test_long_text(text: str) -> None:
    """Text is cut at a limit in bytes, never inside a character."""
    rows = codec.RowCodec(LabelRow)
    whole = text + "é" * codec.TEXT_MAX_BYTES
    cut = rows.stored(label(value=whole), 5)["value"]
    assert len(cut.encode()) <= codec.TEXT_MAX_BYTES
    assert whole.startswith(cut.removesuffix("…"))


def test_rows_that_do_not_fit() -> None:
    """Columns that are unknown and values of another type are refused, and lines that hold no row."""
    rows = codec.RowCodec(LabelRow)
    stored = rows.stored(label(), 5)
    for wrong in ({"no_such_column": 1}, {"value": 1}, {"at": "today"}, {"appended_at": 2**63}):
        with pytest.raises(ConfigurationError, match="labels"):
            rows.encoded({**stored, **wrong})
    for line in (b"[]", b"{", b"5"):
        with pytest.raises(ValueError, match=r".+"):
            codec.row_of(line)


def test_which_rows_a_purge_removes() -> None:
    """Those before a time, of one tenant if one is named."""
    stored = codec.RowCodec(LabelRow).stored(label(), 5)
    at_us = codec.microseconds(AT)
    assert not codec.is_older(stored, at_us, None)
    assert codec.is_older(stored, at_us + 1, None)
    assert codec.is_older(stored, at_us + 1, "t")
    assert not codec.is_older(stored, at_us + 1, "other")
    assert codec.is_older(stored, at_us + 1, None, {"tenant": {"t", "u"}, "job_id": {str(stored["job_id"])}})
    assert not codec.is_older(stored, at_us + 1, None, {"tenant": {"t"}, "job_id": {"another"}})
    assert not codec.is_older(stored, at_us, None, {"tenant": {"t"}})
