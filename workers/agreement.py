"""Whether two models said the same of one recording, field by field, by the rules of ``workers.judging``."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from earmark.domain import Analysis
from earmark.metadata import AudioMetadata
from workers.judging import JUDGED, is_right

VALUE_CHARS: Final = 200
"""Of a value as it is shown; a transcript is longer."""


class Agreement(NamedTuple):
    """One field that both models answered."""

    field: str
    agrees: bool
    primary: str
    shadow: str


def agreements(shown: Analysis, shadow: Analysis) -> Iterator[Agreement]:
    """Every field that both primaries answered, the shown one's as it was before the fallback answered better.

    List fields agree when the first entry of each is among the other's.  A transcript that the fallback replaced is
    left out, for only its beginning is kept.
    """
    replaced = {route.field: route.primary_value for route in shown.provenance.routes if route.chosen == "fallback"}
    for field in JUDGED:
        other = _values(shadow.metadata, field)
        if field not in replaced:
            mine = _values(shown.metadata, field)
        elif field != "transcript" and other:
            mine = _read(replaced[field], type(other[0]))
        else:
            continue
        if not mine or not other:
            continue
        if isinstance(getattr(shown.metadata, field), tuple):
            agrees: bool | None = mine[0] in other and other[0] in mine
        else:
            agrees = is_right(field, other[0], mine[0])
        if agrees is not None:
            yield Agreement(field, agrees, _short(mine), _short(other))


def _read(text: str | None, kind: Callable[[str], Any]) -> list[Any]:
    """Values from the short form in which a record keeps them."""
    if text is None or text.endswith("…"):
        return []
    return [kind(value) for value in text.split(", ")]


def _values(metadata: AudioMetadata, field: str) -> list[Any]:
    rated = getattr(metadata, field)
    entries = rated if isinstance(rated, tuple) else (rated,)
    return [entry.value for entry in entries if entry.value is not None]


def _short(values: list[Any]) -> str:
    text = ", ".join(map(str, values))
    return text if len(text) <= VALUE_CHARS else text[: VALUE_CHARS - 1] + "…"
