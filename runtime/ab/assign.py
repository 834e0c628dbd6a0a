"""``earmark ab assign``: where units belong, one a line, as they come; holds one line at a time."""

import codecs
import io
import json
import sys
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from ab_testing.assignment import Assigner, buckets_of
from ab_testing.experiment import load_experiment
from earmark.errors import ConfigurationError
from runtime import exit_status
from runtime.dlq.desk import say

LINE_BYTES_MAX: Final = 65_536
TOLD_MAX: Final = 5
"""Lines at fault that a person is told of; the rest are counted."""
LINES_AT_ONCE: Final = 1000
"""Lines that are written together."""


def assign_units(path: Path, *, coverage: float | None, as_json: bool) -> int:
    """Read units from standard input and write where each belongs; returns the exit status.

    Raises:
        ConfigurationError: the file is no experiment, or the coverage no share.
    """
    experiment = load_experiment(path)
    covered = experiment.final_coverage if coverage is None else coverage
    if not 0 <= covered <= 1:
        message = f"--coverage {covered:g} is no share.  Write one from 0 to 1, as 0.1 for 10 %."
        raise ConfigurationError(message)
    faults = _Faults()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    _write(Assigner(experiment), buckets_of(covered), sys.stdin.buffer, sys.stdout, faults, as_json=as_json)
    return faults.status()


class _Faults:
    """Lines that name no unit."""

    def __init__(self) -> None:
        self._count = 0

    def note(self, line: int, fault: str) -> None:
        """Tell of the first few."""
        self._count += 1
        if self._count <= TOLD_MAX:
            say(f"earmark: line {line} {fault}.")

    def status(self) -> int:
        """The exit status, after telling how many there were."""
        if self._count > TOLD_MAX:
            say(f"earmark: {self._count} lines in all name no unit.")
        return exit_status.SOME_NOT_DONE if self._count else 0


def _write(
    assigner: Assigner, covered: int, source: BinaryIO, output: TextIO, faults: _Faults, *, as_json: bool
) -> None:
    text = _json_line if as_json else _text_line
    lines: list[str] = []
    number = 0
    while raw := source.readline(LINE_BYTES_MAX + 2 + (0 if number else len(codecs.BOM_UTF8))):
        number += 1
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)  # what some editors put before everything
            if not raw:
                break
        unit_bytes = raw.removesuffix(b"\n").removesuffix(b"\r")
        fault = ""
        if len(unit_bytes) > LINE_BYTES_MAX:
            while raw and not raw.endswith(b"\n"):
                raw = source.readline(LINE_BYTES_MAX)
            fault, unit = f"is longer than {LINE_BYTES_MAX} bytes; a unit is a job's id or a tenant's name", ""
        else:
            try:
                unit = unit_bytes.decode()
            except UnicodeDecodeError:
                fault, unit = "is no UTF-8; convert it first", unit_bytes.decode(errors="backslashreplace")
        if fault:
            faults.note(number, fault)
            lines.append(text(unit, None, None, None, fault))
        else:
            first = assigner.bucket("coverage", unit_bytes)
            second = assigner.bucket("arm", unit_bytes)
            lines.append(text(unit, first, second, assigner.arm_at(second) if first < covered else None))
        if len(lines) >= LINES_AT_ONCE:
            output.write("".join(lines))
            lines.clear()
    output.write("".join(lines))
    output.flush()


def _json_line(unit: str, coverage: int | None, arm_bucket: int | None, arm: str | None, fault: str = "") -> str:
    first, second = ("null" if bucket is None else bucket for bucket in (coverage, arm_bucket))
    name = "null" if arm is None else f'"{arm}"'
    more = f', "error": {json.dumps(fault)}' if fault else ""
    return f'{{"unit": {json.dumps(unit)}, "coverage_bucket": {first}, "arm_bucket": {second}, "arm": {name}{more}}}\n'


def _text_line(unit: str, coverage: int | None, arm_bucket: int | None, arm: str | None, fault: str = "") -> str:
    plain = unit.isprintable() and "\\" not in unit and '"' not in unit
    shown = unit if plain else "".join(map(_escaped, unit))
    if fault:
        return f"{shown}\tnull\tnull\tnull\n"
    return f"{shown}\t{coverage}\t{arm_bucket}\t{arm or 'null'}\n"


def _escaped(char: str) -> str:
    """A character as it stands between the quotes of a JSON string, with nothing in it that a terminal obeys."""
    return char if char.isprintable() and char not in '"\\' else json.dumps(char)[1:-1]
