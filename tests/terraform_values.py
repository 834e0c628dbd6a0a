"""What arguments in ``infra/terraform`` come to, from the module that uses them up to the one that decides.

Followed are variables to the module's callers, locals to what they say, and the few expressions that access is written
in.  ``modules/earmark`` is the top: what an environment hands to it has a name there, as ``${var.operators}``.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from tests.terraform_files import TERRAFORM, bare, document, folders, local

TOP = "modules/earmark"


@cache
def calls() -> tuple[tuple[str, str, str, Mapping[str, Any]], ...]:
    """Every use of a module: whose folder, by which name, which module, with which arguments."""
    return tuple(
        (path.relative_to(TERRAFORM).as_posix(), bare(name), (path / bare(body["source"])).resolve().name, body)
        for path in folders()
        for item in document(path).get("module", [])
        for name, body in item.items()
        if isinstance(body, Mapping)
    )


def caller(folder: str) -> tuple[str, Mapping[str, Any]]:
    """Who uses a module below the top, and with which arguments; each is used in one place."""
    [(above, _, _, body)] = [each for each in calls() if f"modules/{each[2]}" == folder]
    return above, body


def value(folder: str, said: Any) -> Any:
    """What an argument comes to: lists and maps of names, or the expression that the top has for it."""
    if isinstance(said, Mapping):
        return {bare(key): value(folder, each) for key, each in said.items() if not key.startswith("__")}
    if isinstance(said, list):
        return [value(folder, each) for each in said]
    text = bare(said) if isinstance(said, str) else str(said)
    for pattern, meaning in _MEANINGS:
        if found := pattern.fullmatch(text):
            return meaning(folder, found)
    return text


def _handed(folder: str, found: re.Match[str]) -> Any:
    if folder == TOP:
        return found[0]
    above, body = caller(folder)
    return value(above, body[found[1]])


def _handed_in_part(folder: str, found: re.Match[str]) -> Any:
    whole = _handed(folder, found)
    return whole[found[2]] if isinstance(whole, Mapping) else f"{whole}[{found[2]}]"


_MEANINGS: tuple[tuple[re.Pattern[str], Callable[[str, re.Match[str]], Any]], ...] = (
    (re.compile(r"\$\{(?:toset\()?var\.(\w+)\)?\}"), _handed),
    (re.compile(r'\$\{var\.(\w+)\["(\w[\w-]*)"\]\}'), _handed_in_part),
    (
        re.compile(r"\$\{(?:toset\()?local\.(\w+)\)?\}"),
        lambda folder, found: value(folder, local(folder, found[1])),
    ),
    (
        re.compile(r"\$\{keys\((local\.\w+)\)\}"),
        lambda folder, found: list(value(folder, f"${{{found[1]}}}")),
    ),
    (
        re.compile(r'\$\{\[for name in (local\.\w+) : name if name != "([\w-]+)"\]\}'),
        lambda folder, found: [each for each in value(folder, f"${{{found[1]}}}") if each != found[2]],
    ),
    (
        re.compile(r"\$\{toset\((\[[^\]]*\])\)\}"),
        lambda _folder, found: re.findall(r'"([^"]*)"', found[1]),
    ),
)


def arguments(body: Any, *names: str) -> Iterator[Any]:
    """Each argument of these names, in a block and all blocks within it."""
    if isinstance(body, Mapping):
        for key, each in body.items():
            if key in names:
                yield each
            else:
                yield from arguments(each, *names)
    elif isinstance(body, list):
        for each in body:
            yield from arguments(each, *names)
