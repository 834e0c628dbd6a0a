"""What a PromQL expression asks for: metrics with the labels it selects by, and labels that it groups by.

No parser: promtool has checked the grammar before, so that words can be told apart by what stands around them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"|(?P<range>\[[^\]]*\])"
    r"|(?P<word>[A-Za-z_:][\w:]*)"
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<sign>=~|!~|!=|==|<=|>=|[^\s\w])"
)
_GROUPING: Final = frozenset({"by", "on", "without", "ignoring", "group_left", "group_right"})
_WORDS: Final = _GROUPING | {"and", "or", "unless", "bool", "offset", "start", "end", "inf", "nan"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition of a selector."""

    label: str
    sign: str
    """``=``, ``!=``, ``=~`` or ``!~``."""
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """One mention of a metric."""

    name: str
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """All that an expression asks for."""

    selectors: tuple[Selector, ...]
    grouped: frozenset[str]
    """Labels named by ``by``, ``on`` and their like."""
    made: frozenset[str]
    """Labels that ``label_replace`` and ``label_join`` make."""


def asked(expression: str) -> Asked:
    """Read an expression that promtool takes."""
    text = re.sub(r"#[^\n]*", "", expression)
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(text)]
    selectors: list[Selector] = []
    grouped: set[str] = set()
    made: set[str] = set()
    at = 0
    while at < len(tokens):
        kind, word = tokens[at]
        at += 1
        following = tokens[at][1] if at < len(tokens) else ""
        if kind != "word":
            continue
        if word in _GROUPING and following == "(":
            end = _end(tokens, at)
            grouped.update(text for kind, text in tokens[at:end] if kind == "word")
            at = end
        elif following == "(":
            if word in {"label_replace", "label_join"}:
                made.add(_unquoted(next(_second_argument(tokens, at))))
        elif word.lower() not in _WORDS and not (following in _GROUPING and _is_aggregation(tokens, at)):
            matchers: tuple[Matcher, ...] = ()
            if following == "{":
                end = _end(tokens, at)
                matchers = tuple(_matchers([text for _, text in tokens[at + 1 : end - 1]]))
                at = end
            selectors.append(Selector(word, matchers))
    return Asked(tuple(selectors), frozenset(grouped), frozenset(made))


def _is_aggregation(tokens: list[tuple[str, str]], at: int) -> bool:
    """Whether the labels after a word are followed by what is aggregated, as in ``sum by (a) (b)``."""
    end = _end(tokens, at + 1)
    return tokens[at][1] in {"by", "without"} and end < len(tokens) and tokens[end][1] == "("


def _end(tokens: list[tuple[str, str]], at: int) -> int:
    """The place after the bracket that closes the one at a place."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(tokens[place][1], 0)
        if depth == 0:
            return place + 1
    return len(tokens)


def _second_argument(tokens: list[tuple[str, str]], at: int) -> Iterator[str]:
    depth = 0
    for place in range(at, len(tokens)):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(tokens[place][1], 0)
        if depth == 1 and tokens[place][1] == ",":
            yield tokens[place + 1][1]


def _matchers(texts: list[str]) -> Iterator[Matcher]:
    for at in range(0, len(texts), 4):
        label, sign, value = texts[at : at + 3]
        yield Matcher(label, sign, _unquoted(value))


def _unquoted(text: str) -> str:
    return text[1:-1]
