"""Reads the text of an answer: one JSON object of plain values and lists of them, and where each value stands.

The standard library's reader nests as deep as the text does, lets a field stand twice, and does not say where a value
stands.  This one is for text that may be hostile: it nests two levels, in time linear in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

Value = str | int | float | bool | None
Found = tuple[Value, int, int]
"""A value, and where it starts and stops in the text, in characters, without the quotes of a text."""

ANSWER_CHARACTERS_MAX: Final = 65_536
"""No answer that fits the schema is longer, however it is escaped and indented."""

_SPACE = re.compile(r"[ \t\n\r]*")
_TEXT = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*+"')
_WORD = re.compile(r"-?[0-9][0-9.eE+-]{0,30}|true|false|null")


class BadAnswer(ValueError):
    """An answer that does not fit the schema; the message says what would, and repeats nothing of the answer."""


def members(text: str) -> Iterator[tuple[str, Found | list[Found]]]:
    """The fields of an object, as they come, repeated ones too.

    Raises:
        BadAnswer: the text is anything but such an object, or longer than ``ANSWER_CHARACTERS_MAX``.
    """
    if len(text) > ANSWER_CHARACTERS_MAX:
        message = f"the answer must have at most {ANSWER_CHARACTERS_MAX} characters"
        raise BadAnswer(message)
    at = _past(text, 0, "{")
    closed = text.startswith("}", at)
    at += closed
    while not closed:
        (name, _, _), at = _plain(text, at)
        if not isinstance(name, str):
            raise _broken(at)
        at = _past(text, at, ":")
        found, at = _listed(text, at) if text.startswith("[", at) else _plain(text, at)
        yield name, found
        at, closed = _past_comma_or(text, at, "}")
    if _skipped(text, at) != len(text):
        raise _broken(at)


def value_spans(text: str) -> dict[str, tuple[tuple[int, int], ...]]:
    """Where the values stand in an answer, so that a score is made of the tokens that carry a choice.

    Args:
        text: An answer; its values need not fit the schema.

    Returns:
        For each field, offsets (start, stop) in bytes of UTF-8: one pair for a value, without the quotes of a text;
        one pair for each entry of a list.

    Raises:
        BadAnswer: the text is no object of plain values and lists of them, or a field stands twice.
    """
    spans: dict[str, tuple[tuple[int, int], ...]] = {}
    read, read_bytes = 0, 0
    for name, found in members(text):
        if name in spans:
            message = "a field stands twice"
            raise BadAnswer(message)
        pairs: list[tuple[int, int]] = []
        for _, start, stop in found if isinstance(found, list) else [found]:
            start_byte = read_bytes + _utf8_bytes(text[read:start])
            read, read_bytes = stop, start_byte + _utf8_bytes(text[start:stop])
            pairs.append((start_byte, read_bytes))
        spans[name] = tuple(pairs)
    return spans


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _skipped(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _past(text: str, at: int, mark: str) -> int:
    at = _skipped(text, at)
    if not text.startswith(mark, at):
        raise _broken(at)
    return _skipped(text, at + 1)


def _past_comma_or(text: str, at: int, end: str) -> tuple[int, bool]:
    at = _skipped(text, at)
    if text.startswith(end, at):
        return at + 1, True
    return _past(text, at, ","), False


def _plain(text: str, at: int) -> tuple[Found, int]:
    token = _TEXT.match(text, at) or _WORD.match(text, at)
    if token is None:
        raise _broken(at)
    try:
        value: Value = json.loads(token.group())
    except ValueError:
        raise _broken(at) from None
    if not isinstance(value, str):
        return (value, at, token.end()), token.end()
    if any("\ud800" <= character <= "\udfff" for character in value):
        message = f"half of a surrogate pair stands in the text at character {at}"
        raise BadAnswer(message)
    return (value, at + 1, token.end() - 1), token.end()


def _listed(text: str, at: int) -> tuple[list[Found], int]:
    entries: list[Found] = []
    at = _past(text, at, "[")
    if text.startswith("]", at):
        return entries, at + 1
    closed = False
    while not closed:
        entry, at = _plain(text, at)
        entries.append(entry)
        at, closed = _past_comma_or(text, at, "]")
    return entries, at


def _broken(at: int) -> BadAnswer:
    return BadAnswer(
        "the answer must be one complete JSON object of plain values and lists of plain values, and nothing else; "
        f"it is not at character {at}"
    )
