"""``read_trace``: a trace from lines of JSON or CSV; a line that is no arrival is named by number and left out."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from earmark.errors import ConfigurationError
from earmark.vocabulary import Lane
from scaling.trace import Gathering, Trace

LINE_MOST: Final = 10_000
"""Characters of a line."""
AT_MOST_S: Final = 1e11
"""Seconds since 1970 in some thousands of years."""
AUDIO_MOST_S: Final = 86_400.0
SPAN_MOST_S: Final = 366 * 86_400.0
FAR_MOST: Final = 0.1
"""Arrivals that are too far from all others are left out up to this share, or a single one among three and more."""
NAMED: Final = 20
"""So many faults are kept; the rest is counted."""
EXAMPLE: Final = (
    'A line is {"at_s": 0.5, "lane": "high", "audio_s": 12}, or CSV with a header that says at_s,lane,audio_s; '
    "`at` may stand for at_s, with times as 2026-01-31T12:00:00Z."
)
COLUMNS: Final = ("at_s", "lane", "audio_s")
AT: Final = "at"
"""May stand in the place of ``at_s``, with a time as ISO 8601 writes it; without a zone it is UTC."""
PROGRESS_EVERY: Final = 20_000

_NO_TIME: Final = "at must be a time, as 2026-01-31T12:00:00Z"
_LANES: Final = {lane.value: lane for lane in Lane}


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is no arrival."""

    line: int
    """Its number, from 1."""
    why: str


@dataclass(frozen=True, slots=True)
class Read:
    """What was read."""

    trace: Trace
    faults: tuple[Fault, ...]
    """The first ones."""
    faulty: int
    """All of them."""


def read_trace(lines: Iterable[str], progress: Callable[[int], None] = lambda _: None) -> Read:
    """Read a trace, in any order; ``at_s`` may count from anything, as from 1970.

    Args:
        lines: JSON objects with ``at_s`` or ``at``, ``lane`` and ``audio_s``, or CSV whose header names these, among
            others.
        progress: is told the number of the line now and then.

    Raises:
        ConfigurationError: no line is an arrival, or more than a tenth of them lie outside of any one year.
    """
    gathering, faults, faulty, taken, last = Gathering(), list[Fault](), 0, 0, 0
    for number, found in _arrivals(lines):
        last = number
        if number % PROGRESS_EVERY == 0:
            progress(number)
        if isinstance(found, str):
            faulty += 1
            if len(faults) < NAMED:
                faults.append(Fault(number, found))
        else:
            gathering.add(*found, number)
            taken += 1
    progress(last)
    if not taken:
        why = f"; the first fault is in line {faults[0].line}: {faults[0].why}" if faults else ", it is empty"
        message = f"The trace has no arrivals{why}.  {EXAMPLE}"
        raise ConfigurationError(message)
    far = _left_out_far(gathering, taken)
    all_faults = sorted([*faults, *far[:NAMED]], key=lambda fault: fault.line)
    return Read(gathering.trace(), tuple(all_faults[:NAMED]), faulty + len(far))


def _left_out_far(gathering: Gathering, taken: int) -> list[Fault]:
    """The arrivals that are a year and more from most others, as faults; milliseconds would be played for ever."""
    days = SPAN_MOST_S / 86_400
    lines = gathering.leave_out_far(SPAN_MOST_S)
    if len(lines) > max(1.0, FAR_MOST * taken) or 2 * len(lines) >= taken > 1:
        message = (
            f"The trace spans too long: {len(lines):,} of {taken:,} arrivals, the first in line {lines[0]}, lie "
            f"outside of the {days:.0f} days with the most.  Is `at_s` in milliseconds, or without its date?"
        )
        raise ConfigurationError(message)
    why = f"at_s is more than {days:.0f} days from most others: is it in milliseconds, or without its date?"
    return [Fault(line, why) for line in lines]


def _arrivals(lines: Iterable[str]) -> Iterator[tuple[int, tuple[Lane, float, float] | str]]:
    """Each line that is not empty: its number, and the arrival or what is wrong with it."""
    columns: tuple[int, int, int, bool] | None = None
    is_json = False
    for number, raw in enumerate(lines, 1):
        line = raw.strip("\ufeff \t\r\n\x00")
        if not line:
            continue
        if len(line) > LINE_MOST:
            yield number, f"it has more than {LINE_MOST:,} characters"
            continue
        is_json = is_json or (columns is None and line.startswith(("{", "[")))
        if is_json:
            yield number, _of_json(line)
        elif columns is not None:
            yield number, _of_csv(line, columns)
        else:
            columns = _columns(line)
            if columns is None:
                yield number, _no_beginning(line)


def _columns(line: str) -> tuple[int, int, int, bool] | None:
    """Where a header has the columns, and whether times are written as ISO 8601 does; ``None`` = it is no header."""
    try:
        names = [name.strip().lower() for name in next(csv.reader([line]), [])]
    except csv.Error:
        return None
    iso = COLUMNS[0] not in names
    wanted = (AT if iso else COLUMNS[0], *COLUMNS[1:])
    if not all(name in names for name in wanted):
        return None
    at, lane, audio = map(names.index, wanted)
    return at, lane, audio, iso


def _no_beginning(line: str) -> str:
    """What is wrong with a line before which there was neither an object nor a header."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return f"a CSV begins with a header that names {', '.join(COLUMNS)}"
    return "it is no JSON object"


def _of_csv(line: str, columns: tuple[int, int, int, bool]) -> tuple[Lane, float, float] | str:
    at, lane, audio, iso = columns
    try:
        fields = line.split(",") if '"' not in line else next(csv.reader([line], strict=True))
        fields[max(columns[:3])]
        at_s = _seconds(fields[at].strip()) if iso else float(fields[at])
        audio_s = float(fields[audio])
    except (csv.Error, StopIteration):
        return "it is no CSV"
    except IndexError:
        return "it has fewer columns than the header"
    except ValueError:
        return "at_s and audio_s must be numbers" if not iso else f"{_NO_TIME}, and audio_s a number"
    return _checked(at_s, fields[lane].strip(), audio_s)


def _of_json(line: str) -> tuple[Lane, float, float] | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return "it is no JSON"
    return _of_object(found) if isinstance(found, dict) else "it is no JSON object"


def _of_object(found: dict[str, Any]) -> tuple[Lane, float, float] | str:
    if AT in found and "at_s" not in found:
        try:
            found["at_s"] = _seconds(found[AT])
        except (TypeError, ValueError):
            return _NO_TIME
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        return f"{missing[0]} is missing"
    at_s, lane, audio_s = found["at_s"], found["lane"], found["audio_s"]
    if type(at_s) not in {int, float} or type(audio_s) not in {int, float}:
        return "at_s and audio_s must be numbers"
    try:
        return _checked(float(at_s), lane, float(audio_s))
    except OverflowError:
        return "at_s and audio_s must be numbers that can be"


def _seconds(at: str) -> float:
    """Seconds since 1970 of a time in ISO 8601; raises ``ValueError``."""
    moment = datetime.fromisoformat(at)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except OverflowError as error:
        raise ValueError(at) from error


def _checked(at_s: float, lane: object, audio_s: float) -> tuple[Lane, float, float] | str:
    if not (isinstance(lane, str) and lane in _LANES):
        return f"lane must be {' or '.join(_LANES)}"
    if not 0 <= at_s <= AT_MOST_S:  # not true of NaN either
        return "at_s must not be negative" if math.isfinite(at_s) and at_s < 0 else "at_s must be a time in seconds"
    if not 0 <= audio_s <= AUDIO_MOST_S:
        return f"audio_s must be from 0 to {AUDIO_MOST_S:,.0f}"
    return _LANES[lane], at_s, audio_s
