"""The report on an experiment over many jobs, from roll-ups: ``python -m benchmarks.ab_report [--rows N]``.

Rows of 30 days go into a local warehouse in the order of time, with its triggers; then everything is rolled up at once,
on up to four cores, where workers do it hour by hour; then a new process reads what the report is made from (evidence,
segments, history), first with nothing new, then after another batch of the last hour.  Beside it stands what one would
do without roll-ups: the same means and rates by a plain GROUP BY over the rows, without bins, segments or history.

Each step is a process of its own, and its memory the most that was resident in it.  A folder that is named is kept, and
a load that was interrupted goes on.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from earmark.rows import AssignmentRow, TrialRow
from runtime.local.warehouse import LocalWarehouse

NAME: Final = "bench"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
HOURS: Final = 30 * 24
CHUNK: Final = 20_000
BATCH: Final = 500
"""Jobs that end between two reports."""
PLAIN: Final = """
SELECT arm, COUNT(*), SUM(status = 'failed'), SUM(fallback), SUM(low_confidence), SUM(over_sla),
  AVG(CASE WHEN warm THEN predict_s END), AVG(CASE WHEN warm THEN predict_s * predict_s END),
  AVG(confidence), AVG(confidence * confidence), AVG(cost_usd), AVG(cost_usd * cost_usd)
FROM ab_trials WHERE experiment = 'bench' AND version = 1 AND NOT shadow AND NOT diverted AND status <> 'rejected'
GROUP BY arm
"""


def trials(first: int, count: int, total: int) -> Iterator[tuple[object, ...]]:
    """Rows ``first`` to ``first + count`` of ``total``, as the table has them; the same each time."""
    dice = np.random.default_rng(first)
    audio_s = np.round(dice.lognormal(4, 1, count), 3).tolist()
    slow = dice.lognormal(0, 0.5, count)
    predict_s = (0.05 * slow * np.sqrt(np.array(audio_s))).tolist()
    queued_s, total_s = dice.lognormal(-1, 1, count).tolist(), dice.lognormal(1, 0.6, count).tolist()
    confidence, cost = dice.beta(8, 2, count).tolist(), dice.lognormal(-6, 0.7, count).tolist()
    chance = dice.random((4, count)).tolist()
    tiers, languages = ("free", "pro", "enterprise"), (None, "en", "de", "es", "fr", "ja", "pt", "zh")
    tier, language = dice.integers(0, 3, count).tolist(), dice.integers(0, 8, count).tolist()
    step_s = HOURS * 3600 / total
    for place in range(count):
        number = first + place
        at = (START + timedelta(seconds=number * step_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        arm = "primary" if chance[0][place] < 0.9 else "experimental"
        job = f"{number:032x}"
        failed = chance[1][place] < 0.03
        sure = None if failed else confidence[place]
        low = sure is None or sure < 0.7
        yield (
            f"{NAME}:1:{job}", "tenant", at, NAME, 1, arm, job, 0.9 if arm == "primary" else 0.1, job, 0, 0,
            "failed" if failed else "done", "model_crashed" if failed else None, 3 if failed else 1, "low",
            tiers[tier[place]], "api", "music", languages[language[place]], "listener", "1", "onnx", "cpu",
            int(chance[2][place] > 0.01), audio_s[place], queued_s[place], None if failed else predict_s[place],
            total_s[place], int(chance[3][place] < 0.02), sure, sure, int(low), int(low), int(low), 0, cost[place],
        )  # fmt: skip


def assignment(trial: tuple[object, ...]) -> tuple[object, ...]:
    """The assignment that came before a trial."""
    row_id, tenant, at, name, version, arm, unit, share, job = trial[:9]
    return (row_id, tenant, at, name, version, arm, unit, share, 1.0, 0, job, "free")


def put(warehouse: LocalWarehouse, first: int, count: int, total: int) -> None:
    """Add rows as ``append`` does, without making objects of them first."""
    rows = list(trials(first, count, total))
    upserts, database = warehouse._upserts, warehouse._database  # noqa: SLF001  # the statements of the product

    def work(connection: object) -> None:
        connection.executemany(upserts["ab_trials"], rows)  # type: ignore[attr-defined]
        connection.executemany(upserts["ab_assignments"], map(assignment, rows))  # type: ignore[attr-defined]

    assert len(rows[0]) == len(TrialRow.model_fields)  # noqa: S101  # guards the order of the columns
    assert len(assignment(rows[0])) == len(AssignmentRow.model_fields)  # noqa: S101  # same
    database.write(work)


def load(warehouse: LocalWarehouse, total: int) -> None:
    """Fill the warehouse, or go on with it."""
    warehouse.query("ab_span")
    first = warehouse._database.read(lambda each: each.execute("SELECT MAX(rowid) FROM ab_trials").fetchone())[0] or 0  # noqa: SLF001
    while first < total:
        count = min(CHUNK, total - first)
        put(warehouse, first, count, total)
        first += count


def roll_up(warehouse: LocalWarehouse, _: int) -> None:
    """Keep every hour, as the first report after an import does; workers do it beside their work."""
    warehouse.query("ab_span", {"experiment": NAME})


def report(warehouse: LocalWarehouse, _: int) -> None:
    """Read what the report is made from."""
    from ab_testing.evidence_rows import read_evidence, read_history, read_segments  # noqa: PLC0415  # in its time

    evidence = read_evidence(warehouse.query, NAME, 1)
    segments = read_segments(warehouse.query, NAME, 1)
    history = read_history(warehouse.query, NAME, 1)
    jobs = sum(arm.jobs for arm in evidence.arms.values())
    assert jobs == sum(arm.jobs for _, each in history for arm in each.arms.values())  # noqa: S101  # a report that is wrong has no speed
    assert len(segments) == 16  # noqa: S101  # same


def batch(warehouse: LocalWarehouse, total: int) -> None:
    """Some jobs of the last hour."""
    first = warehouse._database.read(lambda each: each.execute("SELECT MAX(rowid) FROM ab_trials").fetchone())[0]  # noqa: SLF001
    put(warehouse, first, BATCH, max(total, first + BATCH))


def plain(warehouse: LocalWarehouse, _: int) -> None:
    """Rates and means straight from the rows."""
    warehouse._database.read(lambda connection: connection.execute(PLAIN).fetchall())  # noqa: SLF001


STEPS: Final[dict[str, Callable[[LocalWarehouse, int], None]]] = {
    "load": load,
    "roll_up": roll_up,
    "report": report,
    "batch": batch,
    "report_after_batch": report,
    "plain": plain,
}


def take(step: str, folder: Path, total: int) -> None:
    """Take one step in this process and print its figures."""
    warehouse = LocalWarehouse(folder / "warehouse.sqlite", synchronous="NORMAL")
    began = time.monotonic()
    STEPS[step](warehouse, total)
    seconds = time.monotonic() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({f"{step}_s": round(seconds, 3), f"{step}_mib": round(peak_mib)}))


def measure(folder: Path, total: int) -> dict[str, float]:
    """Take every step in a process of its own."""
    figures: dict[str, float] = {"rows": total}
    for step in STEPS:
        command = [sys.executable, "-m", "benchmarks.ab_report", "--step", step, "--folder", str(folder)]
        answer = subprocess.run([*command, "--rows", str(total)], check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(answer.stdout)
        figures |= found
        print(f"{step:20} {found[f'{step}_s']:8.2f} s {found[f'{step}_mib']:6.0f} MiB", flush=True)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the warehouse is kept; without one it is thrown away")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        take(options.step, options.folder, options.rows)
        return
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(options.folder or Path(scratch), options.rows)
    if options.json:
        options.json.write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
