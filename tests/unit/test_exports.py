"""Analyses as rows, as CSV and as JSON-LD."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.domain import Record
from earmark.metadata import KEYS, Rated
from earmark.sniff import CONTAINERS
from earmark.vocabulary import Basis
from runtime.exports.columns import ANALYSIS_COLUMNS, COLUMNS, Kind, as_text, cells, row_of
from runtime.exports.csv_file import csv_file
from runtime.exports.json_ld import iso_duration, json_ld
from runtime.exports.languages import THREE_LETTERS
from runtime.exports.media_types import MEDIA_TYPES, media_type
from runtime.exports.tags import TAGGED, short_key, tags_of
from runtime.exports.trusted import trusted
from tests.analyses import make_analysis, make_metadata, make_record, raw, sure
from tests.making import EPOCH, make_failure

PYTHON: dict[Kind, type | tuple[type, ...]] = {
    Kind.TEXT: str,
    Kind.NUMBER: (float, int),
    Kind.COUNT: int,
    Kind.FLAG: bool,
    Kind.MOMENT: datetime,
    Kind.WORDS: tuple,
}
RECORDING = {
    "@context", "@type", "@id", "identifier", "sha256", "duration", "encodingFormat", "contentSize", "bitrate",
    "description", "genre", "keywords", "inLanguage", "transcript", "subjectOf",
}  # fmt: skip
DATA_SET = {"@type", "name", "description", "dateCreated", "measurementTechnique", "variableMeasured"}
PROPERTY = {"@type", "name", "value", "minValue", "maxValue", "unitText", "measurementMethod", "valueReference"}
"""Properties that schema.org gives AudioObject, Dataset and PropertyValue, as far as we use them."""


def test_a_row_has_every_column_in_order_and_of_its_kind() -> None:
    """A done job's, a failed one's, and one's with nothing known."""
    failed = Record(
        job_id="0" * 32,
        tenant="acme",
        status="failed",
        failures=(make_failure(),),
        enqueued_at=EPOCH,
        settled_at=EPOCH,
    )
    for record in (make_record(), failed):
        row = row_of(record)
        assert list(row) == list(COLUMNS)
        for name, cell in row.items():
            assert cell is None or isinstance(cell, PYTHON[COLUMNS[name]]), name
    assert row_of(failed)["error_kind"] == "model_crashed"
    assert row_of(make_record())["genres"] == ("hip hop", "jazz")
    assert list(cells(None)) == [column.name for column in ANALYSIS_COLUMNS]


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.lists(st.text()).map(tuple),
        st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))])),
    )
)
def test_no_cell_is_a_formula(cell: Any) -> None:
    """Whatever is in it; numbers stay numbers."""
    text = as_text(cell)
    assert isinstance(text, str)
    if isinstance(cell, str | tuple):
        assert text[:1] not in {"=", "+", "-", "@", "\t", "\r"}
    if isinstance(cell, float):
        assert float(text) == cell


def test_a_csv_file_reads_back() -> None:
    """Quotes, line ends and other alphabets included; what a spreadsheet would run is defused."""
    record = make_record()
    [line] = csv.DictReader(io.StringIO(csv_file(record), newline=""))
    assert list(line) == list(COLUMNS)
    assert line["transcript"] == "'=Hello, wörld\n音楽"
    assert line["genres"] == "hip hop; jazz"
    assert line["tempo_bpm"] == "119.7"
    assert line["review"] == "false"
    assert line["settled_at"] == "2026-01-01T00:00:00Z"
    assert line["error"] == ""


def test_json_ld_tells_facts_and_beside_them_all_that_was_found() -> None:
    """Facts are what is sure; the data set has the rest with its confidence."""
    told = json.loads(json.dumps(json_ld(make_analysis(), 0.8)))
    assert told["@context"] == "https://schema.org"
    assert told["@type"] == "AudioObject"
    assert told["duration"] == "PT3M20.52S"
    assert told["encodingFormat"] == "audio/mpeg"
    assert told["contentSize"] == "3208256 B"
    assert told["genre"] == ["hip hop"]
    assert told["keywords"] == ["music", "calm", "drums", "beat"]
    assert told["inLanguage"] == "en"
    found = told["subjectOf"]["variableMeasured"]
    tempo = next(each for each in found if each["name"] == "tempo")
    assert tempo == {
        "@type": "PropertyValue",
        "name": "tempo",
        "value": 119.7,
        "unitText": "beats per minute",
        "measurementMethod": "calibrated",
        "valueReference": {"@type": "PropertyValue", "name": "confidence", "value": 0.9, "minValue": 0, "maxValue": 1},
    }
    assert [each["value"] for each in found if each["name"] == "instruments"] == ["drums", "bass"]
    assert next(each for each in found if each["value"] == "jazz")["valueReference"]["name"] == "score"


def test_json_ld_has_terms_of_schema_org_alone() -> None:
    """Each where that vocabulary has it."""
    told = json_ld(make_analysis(), 0.8)
    assert set(told) == RECORDING
    assert set(told["subjectOf"]) == DATA_SET
    for each in told["subjectOf"]["variableMeasured"]:
        assert set(each) <= PROPERTY
        assert set(each.get("valueReference", {})) <= PROPERTY


def test_of_a_recording_of_which_nothing_is_known_only_the_file_is_told() -> None:
    """No null, no empty list."""
    told = json_ld(make_analysis(metadata=type(make_metadata())()), 0.8)
    assert not {"genre", "keywords", "inLanguage", "transcript", "description"} & set(told)
    assert None not in told.values()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "PT0S"),
        (0.004, "PT0S"),
        (0.5, "PT0.5S"),
        (10.0, "PT10S"),
        (59.999, "PT1M"),
        (60.0, "PT1M"),
        (200.516, "PT3M20.52S"),
        (3600.0, "PT1H"),
        (3661.25, "PT1H1M1.25S"),
        (36_000.0, "PT10H"),
    ],
)
def test_lengths(seconds: float, text: str) -> None:
    """As ISO 8601 writes them, without exponents."""
    assert iso_duration(seconds) == text


def test_every_container_has_a_media_type() -> None:
    """Those that are taken, and those that bear tags."""
    assert set(MEDIA_TYPES) == CONTAINERS
    assert TAGGED <= CONTAINERS
    assert media_type("ogg", "opus").suffix == "opus"
    assert media_type("nothing").name == "application/octet-stream"


@pytest.mark.parametrize(
    ("rated", "told"),
    [
        (sure("a", 0.8), "a"),
        (sure("a", 0.79), None),
        (raw("a", 0.5), "a"),
        (raw("a", 0.49), None),
        (Rated[str](value="a"), None),
        (Rated[str](value="a", confidence=1.0, basis=Basis.MEASURED), "a"),
        (Rated[str](), None),
    ],
)
def test_what_is_told_as_a_fact(rated: Rated[str], told: str | None) -> None:
    """By its confidence, or by its score where it has none."""
    assert trusted(rated, 0.8) == told


def test_tags_are_what_is_sure() -> None:
    """In the words of tags."""
    tags = tags_of(make_analysis(), 0.8)
    assert tags.genres == ("hip hop",)
    assert tags.moods == ("calm",)
    assert tags.instruments == ("drums",)
    assert (tags.tempo_bpm, tags.key, tags.language) == (120, "C#m", "eng")
    assert tags.lyrics == "=Hello, wörld\n音楽"
    unsure = tags_of(
        make_analysis(metadata=make_metadata(transcript=sure("words", 0.5), key=sure("C major", 0.1))), 0.8
    )
    assert (unsure.lyrics, unsure.key) == (None, None)


def test_keys_are_as_short_as_their_frame() -> None:
    """Three signs at most, each key another."""
    short = {short_key(key) for key in KEYS}
    assert len(short) == len(KEYS)
    assert all(len(key) <= 3 for key in short)


def test_languages_have_three_letters() -> None:
    """Each two letters, once."""
    assert all(len(two) == 2 and len(three) == 3 for two, three in THREE_LETTERS.items())
    assert THREE_LETTERS["de"] == "deu"
