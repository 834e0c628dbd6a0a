"""The schema follows ``AudioMetadata``, what fits it can be read, and nothing else can."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from types import NoneType
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from pydantic import create_model

from earmark.metadata import KEYS, AudioMetadata, Frozen, Rated, RatedNumber, RatedText
from earmark.vocabulary import Basis, Genre
from workers.models import answer
from workers.models.answer import (
    FIELDS,
    BadAnswer,
    answer_bytes_max,
    answer_schema,
    metadata_of,
    parse_answer,
    shapes,
    value_spans,
)

SOME_FIELDS = st.sets(st.sampled_from(FIELDS), min_size=1)
PRINTABLE = st.characters(exclude_categories=("Cs", "Cc"))
ANSWER = {
    "content_type": "music",
    "genres": ["jazz", "hip hop"],
    "moods": [],
    "instruments": ["piano"],
    "vocals": "none",
    "tempo_bpm": 120,
    "key": "Eb major",
    "language": None,
    "transcript": None,
    "description": 'A "café" trio, 漢字 😀.',
    "tags": ["live", "brushes"],
}


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of ours allows."""
    if "anyOf" in schema:
        return st.one_of(*map(of_schema, schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "null": st.none,
        "array": lambda: st.lists(of_schema(schema["items"]), max_size=schema["maxItems"]),
        "integer": lambda: st.integers(schema["minimum"], schema["maximum"]),
        "string": lambda: (
            printable(schema) if "maxLength" in schema else st.from_regex(schema["pattern"], fullmatch=True)
        ),
    }
    return kinds[schema["type"]]()


def printable(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Free text within its bounds."""
    text = st.text(PRINTABLE, min_size=schema["minLength"], max_size=schema["maxLength"])
    return text.filter(lambda text: not text.startswith(" "))


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Answers that fit the schema, with some of the fields."""
    schema = answer_schema(draw(SOME_FIELDS))
    return {name: draw(of_schema(one)) for name, one in schema["properties"].items()}


def compact(values: dict[str, Any], *, ascii_only: bool = False) -> str:
    """An answer as the grammar writes it."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=ascii_only)


def grammar(fields: Any) -> str:
    """The schema as llguidance compiles it."""
    source = json.dumps(answer_schema(fields))
    return str(LLMatcher.grammar_from_json_schema(source, defaults={"whitespace_flexible": False}))


def test_the_schema_has_the_fields_of_the_metadata() -> None:
    """Each of them, in order, required, with the words of its own type."""
    schema = answer_schema(FIELDS)
    assert tuple(AudioMetadata.model_fields) == FIELDS
    assert list(schema["properties"]) == schema["required"] == list(FIELDS)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["genres"]["items"]["enum"] == [genre.value for genre in Genre]
    assert schema["properties"]["key"]["anyOf"][0]["enum"] == list(KEYS)
    assert list(answer_schema({"tags", "key"})["properties"]) == ["key", "tags"]


def test_a_new_field_comes_by_itself_or_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field of closed words needs nothing; one whose bounds nobody gave is an error that names it."""

    def walked(name: str, kind: Any) -> dict[str, Any]:
        extended = create_model("Extended", __base__=AudioMetadata, **{name: (kind, ...)})
        monkeypatch.setattr(answer, "AudioMetadata", extended)
        return dict(shapes.__wrapped__())

    assert walked("second_genre", Rated[Genre])["second_genre"].words == tuple(Genre)
    for kind in (RatedText, RatedNumber, tuple[RatedText, ...], Rated[bool]):
        with pytest.raises(TypeError, match="mood_swing"):
            walked("mood_swing", kind)


def test_every_value_is_bounded() -> None:
    """No text and no list without an end: a model could go on for ever."""

    def check(schema: dict[str, Any]) -> None:
        for one in schema.get("anyOf", [schema]):
            if one["type"] == "array":
                assert one["maxItems"] <= 8
                check(one["items"])
            elif one["type"] == "integer":
                assert one["minimum"] < one["maximum"]
            elif one["type"] == "string":
                assert "enum" in one or "maxLength" in one or one["pattern"] == "^[a-z]{2}$"

    for one in answer_schema(FIELDS)["properties"].values():
        check(one)


def test_only_what_all_engines_know_is_in_the_schema() -> None:
    """Llguidance takes no ``uniqueItems``, OpenAI no ``oneOf``; none needs ``format``."""
    keys = set(re.findall(r'"([a-zA-Z]+)": ', json.dumps(answer_schema(FIELDS)))) - set(FIELDS)
    assert keys == {
        "type", "properties", "required", "additionalProperties", "anyOf", "enum", "items", "maxItems", "minimum",
        "maximum", "pattern", "minLength", "maxLength",
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(answers())
@example(ANSWER)
def test_what_fits_the_schema_is_understood(values: dict[str, Any]) -> None:
    """The grammar accepts it, it is no longer than said, it reads as it was written, and it becomes metadata."""
    text = compact(values)
    assert parse_answer(text, values) == values
    assert len(text.encode()) <= answer_bytes_max(values)
    metadata = metadata_of(parse_answer(text, values), dict.fromkeys(values, 0.5))
    assert AudioMetadata.model_validate_json(metadata.model_dump_json()) == metadata
    matcher = LLMatcher(LLTokenizer("byte"), grammar(values))
    assert matcher.consume_tokens(list(text.encode())), text
    assert matcher.is_accepting()


@settings(max_examples=8, deadline=None)
@given(SOME_FIELDS, st.integers(0, 2**32 - 1))
def test_what_the_grammar_lets_out_is_understood(fields: set[str], seed: int) -> None:
    """Random decoding under the grammar ends within the bound and gives an answer that reads."""
    rng = np.random.default_rng(seed)
    tokenizer = LLTokenizer("byte")
    matcher = LLMatcher(tokenizer, grammar(fields))
    mask = allocate_token_bitmask(1, tokenizer.vocab_size)
    out = bytearray()
    while not matcher.is_stopped():
        fill_next_token_bitmask(matcher, mask)
        allowed = np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little"))
        ends = allowed[np.isin(allowed, [ord('"'), ord("]")])]
        token = int(rng.choice(ends if len(ends) and rng.random() < 0.1 else allowed))
        assert matcher.consume_token(token)
        if token < 256:
            out.append(token)
        assert len(out) <= answer_bytes_max(fields)
    text = out.decode()
    values = parse_answer(text, fields)
    metadata_of(values, {})
    assert set(value_spans(text)) == set(fields)


def test_the_longest_answer_is_as_long_as_said() -> None:
    """``answer_bytes_max`` is reached, and not passed, by the longest value of each field."""

    def longest(name: str) -> Any:
        shape = shapes()[name]
        one: Any = max(shape.words, key=len) if shape.words else "😀" * shape.bounds.characters
        if name == "tempo_bpm":
            one = None  # a letter longer than 300
        return [one] * shape.bounds.entries if shape.is_list else one

    for name in set(FIELDS) - {"language"}:
        text = compact({name: longest(name)})
        parse_answer(text, [name])
        assert len(text.encode()) == answer_bytes_max([name])
    assert answer_bytes_max(FIELDS) < 10_000


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("content_type", None, "one of music, speech, mixed, sound, silence"),
        ("content_type", "Music", "one of music"),
        ("content_type", ["music"], "one of music"),
        ("genres", None, "list of at most 5"),
        ("genres", "jazz", "list of at most 5"),
        ("genres", ["jazz"] * 6, "list of at most 5"),
        ("genres", ["polka-core"], "each one of alternative"),
        ("genres", [None], "each one of"),
        ("tempo_bpm", 19, "from 20 to 300, or null"),
        ("tempo_bpm", 301, "from 20 to 300"),
        ("tempo_bpm", 120.5, "whole number"),
        ("tempo_bpm", 10**25, "from 20 to 300"),
        ("tempo_bpm", True, "whole number"),
        ("tempo_bpm", "120", "whole number"),
        ("key", "H major", "one of C major"),
        ("key", "", "one of C major"),
        ("language", "english", "^[a-z]{2}$"),
        ("language", "en\n", "^[a-z]{2}$"),
        ("language", "EN", "^[a-z]{2}$"),
        ("transcript", "x" * 1201, "at most 1200 characters"),
        ("transcript", "a\x00b", "without control characters"),
        ("description", "a\x9fb", "without control characters"),
        ("description", 5, "at most 300 characters"),
        ("description", "half \ud83d", "surrogate"),
        ("tags", ["x" * 25], "at most 24 characters"),
        ("tags", ["x"] * 9, "at most 8"),
    ],
)
def test_a_wrong_value_is_refused(field: str, value: object, said: str) -> None:
    """With a message that says what is allowed, to repair the answer from, and repeats nothing of it."""
    with pytest.raises(BadAnswer, match=re.escape(said)) as caught:
        parse_answer(compact({**ANSWER, field: value}, ascii_only=True), FIELDS)
    assert "polka" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "null", "[]", '"key"', "{", "}", '{"key"', '{"key":', '{"key":null', '{"key":null,}', "{,}",
        '{"key":null}}', '{"key":null} x', '{"key":NaN}', '{"key":Infinity}', '{"key":-Infinity}', '{"key":nul}',
        '{"key":null,"key":null}', '{"key":null,"mood":null}', "{}", '{"key":{}}', '{"key":{"value":null}}',
        '{"key":[]}', '{"key":[[null]]}', '{"key":"C\nmajor"}', '{"key":"C\\xmajor"}', '{"key":"\\u12"}', "{key:null}",
        "{'key':null}", '{"key":1-2}', '{"key":01}', '{"key":' + "9" * 5000 + "}", '{"key":' + "[" * 50_000,
        "```json\n{}\n```", '{"key":null}\x00', "\ufeff{}", '{"key":null}' + " " * 70_000, '{"key":"' + "x" * 70_000,
        '{"\\ud800":null}', "\ud800", '{"key":"\ud800"}', "{null:null}", '{"key":null,"<|AUDIO|>":null}',
    ],
)  # fmt: skip
def test_a_wrong_text_is_refused(text: str) -> None:
    """Cut off, nested, doubled, not JSON, not an object, too long, too deep: all of it with the same error."""
    with pytest.raises(BadAnswer) as caught:
        parse_answer(text, ["key"])
    assert "AUDIO" not in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.text(max_size=60) | st.text(st.sampled_from('{}[]":,\\ u0dénul1-.e\n\ud800'), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever it is handed, it reads an answer or says that it is none."""
    for read in (lambda: parse_answer(text, FIELDS), lambda: value_spans(text)):
        try:
            read()
        except BadAnswer as bad:
            assert str(bad)  # noqa: PT017  # both ends are right; any other exception fails the test


@settings(deadline=None)
@given(st.data())
def test_a_damaged_answer_is_read_or_refused(data: st.DataObject) -> None:
    """Cut, doubled or changed anywhere; what is still read fits the schema."""
    text = compact(ANSWER)
    start, stop = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    changed = text[:start] + data.draw(st.text(max_size=3) | st.just(text[start:stop] * 2)) + text[stop:]
    try:
        values = parse_answer(changed, FIELDS)
    except BadAnswer:
        return
    metadata_of(values, {})
    assert list(values) == list(FIELDS)


def test_every_fault_is_named_at_once() -> None:
    """One repair is paid for, so one message says all."""
    with pytest.raises(BadAnswer) as caught:
        parse_answer('{"tempo_bpm":5,"genres":["x"],"extra":1}', ["genres", "tempo_bpm", "key"])
    message = str(caught.value)
    assert all(said in message for said in ("genres must be", "tempo_bpm must be", "key is missing", "no other fields"))


def test_white_space_and_order_are_forgiven() -> None:
    """Text by models that no grammar holds: indented, in another order, a line break in a transcript, 120.0."""
    text = json.dumps({"transcript": " one\n two\t", "tempo_bpm": 120.0, "description": ""}, indent=2) + "\n"
    values = parse_answer(text, ["tempo_bpm", "transcript", "description"])
    assert list(values) == ["tempo_bpm", "transcript", "description"]
    assert type(values["tempo_bpm"]) is int
    metadata = metadata_of(values, {"transcript": 0.5})
    assert metadata.transcript.value == "one two"
    assert metadata.description == RatedText()


def test_scores_find_their_values() -> None:
    """One a field, or one an entry; repeated and empty entries go and take theirs with them; unknown has none."""
    values = {
        "genres": ["jazz", "rock", "jazz"],
        "tags": [" live ", "\u00a0", "a  b"],
        "tempo_bpm": None,
        "key": "C major",
    }
    metadata = metadata_of(values, {"genres": [0.9, None, 0.2], "tags": 0.5, "tempo_bpm": 0.8, "key": (0.7,)})
    assert [(entry.value, entry.score) for entry in metadata.genres] == [("jazz", 0.9), ("rock", None)]
    assert [(entry.value, entry.score) for entry in metadata.tags] == [("live", 0.5), ("a b", 0.5)]
    assert metadata.tempo_bpm == RatedNumber()
    assert (metadata.key.score, metadata.key.confidence, metadata.key.basis) == (0.7, None, Basis.UNCALIBRATED)
    assert metadata_of({}, {}) == AudioMetadata()
    with pytest.raises(ValueError, match="zip"):
        metadata_of({"genres": ["jazz", "rock"]}, {"genres": [0.5]})


def test_unknown_fields_cannot_be_asked_for() -> None:
    """A misspelt field is our own fault, not the model's."""
    for wrong in ([], ["mood"], "key"):
        for ask in (answer_schema, answer_bytes_max, lambda fields: parse_answer("{}", fields)):
            with pytest.raises(ValueError, match="fields must be") as caught:
                ask(wrong)
            assert not isinstance(caught.value, BadAnswer)


def test_an_answer_is_plain() -> None:
    """No confidence of the model's own making is asked for."""
    assert issubclass(AudioMetadata, Frozen)
    assert "confidence" not in json.dumps(answer_schema(FIELDS))
    assert NoneType in get_args(RatedText.model_fields["value"].annotation)
