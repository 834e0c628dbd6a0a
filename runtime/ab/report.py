"""``earmark ab report``: everything that can be said of an experiment, out of the warehouse."""

import io
import os
import sys
from pathlib import Path
from typing import TextIO

from ab_testing.evidence_rows import read_evidence, read_history, read_pairs, read_segments
from ab_testing.report import Report, build_report
from earmark.clock import utc_now
from earmark.errors import ConfigurationError
from earmark.named_file import write_whole
from earmark.ports import Clock
from earmark.settings import Settings
from runtime.ab.report_html import as_html
from runtime.ab.report_json import as_json
from runtime.ab.report_text import WIDTH, as_markdown, write_table
from runtime.backend import Backend
from runtime.experiments import make_registry
from runtime.wiring import connect_existing

FORMATS = ("table", "json", "md", "html")


def show_report(
    settings: Settings,
    name: str,
    output: str,
    out: Path | None,
    *,
    version: int | None = None,
    clock: Clock = utc_now,
) -> int:
    """Print or write the report of an experiment; returns the exit status.

    Args:
        settings: where the warehouse and the experiments are.
        name: of the experiment.
        output: one of ``FORMATS``.
        out: a file to write; None = standard output.
        version: of the experiment; None = the latest.
        clock: tells the present.

    Raises:
        ConfigurationError: there is none of that name or version, or the file cannot be written.
    """
    report = read_report(connect_existing(settings), name, clock, version=version)
    if out is not None:
        write_whole(out, rendered(report, output), "--out")
    elif output == "table":
        _to_terminal(report, sys.stdout)
    else:
        sys.stdout.write(rendered(report, output))
    return 0


def read_report(backend: Backend, name: str, clock: Clock = utc_now, *, version: int | None = None) -> Report:
    """The report of one version of an experiment, the latest where none is named.

    Raises:
        ConfigurationError: there is none of that name, or no such version.
    """
    course = make_registry(backend, clock).course(name)
    trial = course.latest if version is None else course.trial(version)
    if trial is None:
        there = ", ".join(str(each.definition.version) for each in course.trials)
        message = f"{name} has no version {version} that was ever started; there are: {there}."
        raise ConfigurationError(message)
    definition, now, query = trial.definition, clock(), backend.warehouse.query
    version = definition.version
    return build_report(
        definition,
        str(trial.state),
        read_evidence(query, name, version),
        seen_at=now,
        started_at=trial.started_at,
        coverage=trial.coverage_at(now),
        segments=read_segments(query, name, version),
        steps=read_history(query, name, version),
        pairs=read_pairs(query, name, version),
        decisions=[decision for decision in course.decisions if decision.version == version],
    )


def rendered(report: Report, output: str) -> str:
    """The report as text in one of ``FORMATS``; a table has no colours and fits ``WIDTH`` columns."""
    if output == "json":
        return as_json(report)
    if output == "md":
        return as_markdown(report)
    if output == "html":
        return as_html(report)
    stream = io.StringIO()
    write_table(report, stream)
    return stream.getvalue()


def _to_terminal(report: Report, stream: TextIO) -> None:
    own = stream.isatty() or os.environ.get("COLUMNS")
    write_table(report, stream, width=None if own else WIDTH)
