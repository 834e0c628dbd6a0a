"""The answer a language model writes: its JSON Schema, its strict reading, and its way into ``AudioMetadata``.

The schema is derived from ``AudioMetadata``: there is no second list of fields.  What types cannot say, such as how
long a text may be, stands in ``BOUNDS``.  Answers hold plain values; how sure the model was is measured from outside,
because models that are asked for it overrate themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, Final, get_args, get_origin

from earmark.metadata import KEYS, AudioMetadata
from earmark.vocabulary import Basis
from workers.models.answer_reader import BadAnswer, members, value_spans

__all__ = [
    "BOUNDS",
    "FIELDS",
    "BadAnswer",
    "answer_bytes_max",
    "answer_schema",
    "metadata_of",
    "parse_answer",
    "value_spans",
]

FIELDS: tuple[str, ...] = tuple(AudioMetadata.model_fields)
"""The fields an answer may have, in the order in which it gives them."""

PRINTABLE: Final = r"^[^ \x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
r"""Free text: no control characters, no space in front.

Under it, llguidance writes every character as itself in UTF-8, never as ``\uXXXX``: no half of a surrogate pair, and
at most four bytes a character.
"""
MOST_BYTES_PER_CHARACTER: Final = 4
"""In UTF-8; what must be escaped takes two."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the type of a field does not say about its value, or about each of its entries."""

    words: tuple[str, ...] = ()
    """The only texts there are."""
    pattern: str = PRINTABLE
    """What any other text looks like."""
    characters: int = 0
    """The most that a text has."""
    numbers: tuple[int, int] = (0, 0)
    """The least and the greatest whole number."""
    entries: int = 5
    """The most that a list has."""
    nullable: bool = True


BOUNDS: Mapping[str, Bounds] = {
    "content_type": Bounds(nullable=False),  # every recording is one of the five
    "tempo_bpm": Bounds(numbers=(20, 300)),
    "key": Bounds(words=KEYS),
    "language": Bounds(pattern="^[a-z]{2}$", characters=2),
    "transcript": Bounds(characters=1200),  # 30 s of speech are about 600
    "description": Bounds(characters=300),
    "tags": Bounds(characters=24, entries=8),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer's value for one field may be."""

    kind: type[str | int]
    words: tuple[str, ...]
    is_list: bool
    bounds: Bounds

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the value."""
        one: dict[str, Any]
        if self.words:
            one = {"type": "string", "enum": list(self.words)}
        elif self.kind is int:
            one = {"type": "integer", "minimum": self.bounds.numbers[0], "maximum": self.bounds.numbers[1]}
        elif self.bounds.pattern == PRINTABLE:
            one = {"type": "string", "pattern": PRINTABLE, "minLength": 1, "maxLength": self.bounds.characters}
        else:
            one = {"type": "string", "pattern": self.bounds.pattern}
        if self.is_list:
            return {"type": "array", "items": one, "maxItems": self.bounds.entries}
        return {"anyOf": [one, {"type": "null"}]} if self.bounds.nullable else one

    def allowed(self) -> str:
        """What a value must be, for a message."""
        if self.words:
            one = f"one of {', '.join(self.words)}"
        elif self.kind is int:
            one = f"a whole number from {self.bounds.numbers[0]} to {self.bounds.numbers[1]}"
        elif self.bounds.pattern == PRINTABLE:
            one = f"a text of at most {self.bounds.characters} characters without control characters"
        else:
            one = f"a text like {self.bounds.pattern}"
        if self.is_list:
            return f"a list of at most {self.bounds.entries} entries, each {one}"
        return f"{one}, or null" if self.bounds.nullable else one

    def fits(self, value: object) -> bool:
        """Whether a value that was read may stand in the answer."""
        if self.is_list:
            return isinstance(value, list) and len(value) <= self.bounds.entries and all(map(self._fits_one, value))
        return (value is None and self.bounds.nullable) or self._fits_one(value)

    def _fits_one(self, value: object) -> bool:
        if self.words:
            return isinstance(value, str) and value in self.words
        if self.kind is int:
            least, most = self.bounds.numbers
            return type(value) in {int, float} and least <= value <= most and value == int(value)  # type: ignore[operator,call-overload]
        if not isinstance(value, str):
            return False
        if self.bounds.pattern == PRINTABLE:
            tidy = tidied(value)
            return len(value) <= self.bounds.characters and (not tidy or re.fullmatch(PRINTABLE, tidy) is not None)
        return re.fullmatch(self.bounds.pattern, value) is not None

    def bytes_max(self) -> int:
        """The most bytes of a compact value in UTF-8."""
        if self.words:
            one = max(len(json.dumps(word, ensure_ascii=False).encode()) for word in self.words)
        elif self.kind is int:
            one = max(len(str(number)) for number in self.bounds.numbers)
        else:
            one = MOST_BYTES_PER_CHARACTER * self.bounds.characters + len('""')
        if self.is_list:
            return len("[]") + self.bounds.entries * one + self.bounds.entries - 1
        return max(one, len("null")) if self.bounds.nullable else one


@cache
def shapes() -> Mapping[str, Shape]:
    """What the value of each field may be, found by walking ``AudioMetadata``.

    Raises:
        TypeError: ``AudioMetadata`` has a field whose type or bounds this module does not know.
    """
    return {name: _shape(name, field.annotation) for name, field in AudioMetadata.model_fields.items()}


def _shape(name: str, annotation: Any) -> Shape:
    is_list = get_origin(annotation) is tuple
    rated = get_args(annotation)[0] if is_list else annotation
    value = next(kind for kind in get_args(rated.model_fields["value"].annotation) if kind is not NoneType)
    bounds = BOUNDS.get(name, Bounds())
    if issubclass(value, StrEnum):
        return Shape(str, tuple(word.value for word in value), is_list, bounds)
    if issubclass(value, str) and (bounds.words or bounds.characters):
        return Shape(str, bounds.words, is_list, bounds)
    if issubclass(value, float) and any(bounds.numbers):
        return Shape(int, (), is_list, bounds)
    message = f"the field {name} of AudioMetadata needs an entry in BOUNDS, or a rule for {value}"
    raise TypeError(message)


def chosen_fields(fields: Collection[str]) -> tuple[str, ...]:
    """The fields in the order of ``FIELDS``.

    Raises:
        ValueError: there is none, or one that ``AudioMetadata`` does not have.
    """
    if not fields or not set(fields) <= set(FIELDS):
        message = f"fields must be some of {', '.join(FIELDS)}"
        raise ValueError(message)
    return tuple(name for name in FIELDS if name in set(fields))


def answer_schema(fields: Collection[str]) -> dict[str, Any]:
    """The JSON Schema of an answer with these fields, each of them required.

    It uses nothing but ``type``, ``enum``, ``pattern``, ``anyOf`` with null, and bounds of lengths and numbers: what
    llguidance, vLLM and OpenAI's function parameters all take.  ``uniqueItems`` is none of it, so that lists may
    repeat themselves; ``metadata_of`` drops repetitions.

    Raises:
        ValueError: no fields, or unknown ones.
    """
    names = chosen_fields(fields)
    return {
        "type": "object",
        "properties": {name: shapes()[name].schema() for name in names},
        "required": list(names),
        "additionalProperties": False,
    }


def answer_bytes_max(fields: Collection[str]) -> int:
    """The most bytes of a compact answer whose characters stand as themselves, as ``PRINTABLE`` has it.

    No token is shorter than a byte, so no answer under the grammar takes more tokens.

    Raises:
        ValueError: no fields, or unknown ones.
    """
    names = chosen_fields(fields)
    return len("{}") + sum(len(f'"{name}":') + shapes()[name].bytes_max() for name in names) + len(names) - 1


def parse_answer(text: str, fields: Collection[str]) -> dict[str, Any]:
    """Read an answer strictly: these fields, each once, each with a value that fits the schema.

    Only white space is forgiven: around tokens, around and inside free texts, and a free text that is nothing else.
    ``metadata_of`` tidies it.

    Args:
        text: Whatever the model wrote; may be hostile.
        fields: What was asked for.

    Returns:
        Values in the order of ``FIELDS``; entries of lists as they stand in the text, repetitions too.

    Raises:
        BadAnswer: the text is anything else; the message names every field that is wrong and what it may be.
        ValueError: no fields, or unknown ones.
    """
    names = chosen_fields(fields)
    read: dict[str, Any] = {}
    for name, found in members(text):
        if name in read:
            message = "a field stands twice" if name not in names else f"{name} stands twice"
            raise BadAnswer(message)
        read[name] = [value for value, _, _ in found] if isinstance(found, list) else found[0]
    wrong = [f"{name} is missing" for name in names if name not in read]
    wrong += [
        f"{name} must be {shapes()[name].allowed()}"
        for name in names
        if name in read and not shapes()[name].fits(read[name])
    ]
    if not set(read) <= set(names):
        wrong.append(f"there must be no other fields than {', '.join(names)}")
    if wrong:
        raise BadAnswer("; ".join(wrong))
    return {name: int(read[name]) if isinstance(read[name], float) else read[name] for name in names}


def tidied(text: str) -> str:
    """Free text on one line: white space of any kind and length becomes one space, none at the ends."""
    return " ".join(text.split())


def metadata_of(
    values: Mapping[str, Any], scores: Mapping[str, float | Sequence[float | None] | None]
) -> AudioMetadata:
    """Put an answer into ``AudioMetadata``, uncalibrated.

    Free texts are tidied; an empty one is unknown.  Of entries that repeat each other the first one stays.

    Args:
        values: From ``parse_answer``.
        scores: The raw score, 0 to 1, of each field; for a list one for all entries, or one an entry.  A missing
            field or ``None`` = no score.

    Raises:
        ValueError: a value is not what ``parse_answer`` gives, or there are more or fewer scores than entries.
    """
    metadata: dict[str, Any] = {}
    for name in chosen_fields(values) if values else ():
        value, score = values[name], scores.get(name)
        if isinstance(value, list | tuple):
            each = list(score) if isinstance(score, Sequence) else [score] * len(value)
            entries: dict[str, dict[str, Any]] = {}
            for entry, entry_score in zip(value, each, strict=True):
                word = tidied(entry)
                if word:
                    entries.setdefault(word, _rated(word, entry_score))
            metadata[name] = tuple(entries.values())
        else:
            (single,) = score if isinstance(score, Sequence) else (score,)
            known = (tidied(value) or None) if isinstance(value, str) else value
            metadata[name] = {} if known is None else _rated(known, single)
    return AudioMetadata.model_validate(metadata)


def _rated(value: object, score: float | None) -> dict[str, Any]:
    return {"value": value, "score": score, "basis": Basis.UNCALIBRATED}
