"""A plan over a catalogue of ten million objects: ``python -m benchmarks.retention_plan [--rows N] [--folder F]``.

An ordinary day: customers of three tiers whose uploads came evenly over their terms, so that each day one thirtieth of
a free customer's objects goes and as many are told of.  What was told of in the last seven days was confirmed, has to
be looked at again and stays.  Rows were written in the order in which the objects came, so a customer's lie all over
the file.

Loading and planning are processes of their own; memory is the most that was resident in the one that plans.  What plain
SQL takes to read the same rows, through the same index and without judging them, stands beside.  A folder that is named
is kept, and what it holds is planned again.
"""

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from earmark.rows import CatalogueRow
from retention.extensions import ExtensionsNow
from retention.holds import HoldsNow
from retention.outlook import Outlook
from retention.planning import make_plan
from retention.policies import first_version
from retention.policy import load_policy
from retention.standing import NoticeState
from retention.timeline import Timeline
from runtime.local.catalogue import LocalCatalogue
from runtime.local.warehouse import LocalWarehouse

NOW: Final = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
WEEK: Final = timedelta(days=7)
TIERS: Final = (("free", 0.40, 30), ("pro", 0.40, 181), ("enterprise", 0.20, 365))
"""Tier, its share of the customers, and the days of its term, over which, and one more, their objects came."""
CHUNK: Final = 200_000


def rows(total: int, customers: int) -> Iterator[list[tuple[object, ...]]]:
    """All rows in chunks, in the order in which their objects came, as the table has them."""
    dice = np.random.default_rng(1)
    customer = dice.integers(0, customers, total, dtype=np.int32)
    age = dice.random(total, dtype=np.float32)
    below = 0.0
    for _, share, days in TIERS:
        age[(customer >= below * customers) & (customer < (below + share) * customers)] *= days + 1
        below += share
    order = np.argsort(-age)
    for first in range(0, total, CHUNK):
        chosen = order[first : first + CHUNK]
        sizes = dice.lognormal(15, 1, len(chosen)).astype(int)
        found = zip(customer[chosen].tolist(), age[chosen].tolist(), sizes.tolist(), strict=True)
        yield [_row(first + position, *each, customers) for position, each in enumerate(found)]


def _row(number: int, customer: int, age_days: float, size_bytes: int, customers: int) -> tuple[object, ...]:
    """One row."""
    tenant = f"customer-{customer:06d}"
    tier, term = tier_of(tenant, customers)
    created = NOW - timedelta(days=age_days)
    ends = created + timedelta(days=term)
    noticed = ends - WEEK < NOW
    content = f"{number:064x}"
    return (
        content[32:], tenant, _text(created), "uploads", f"{tenant}/by-content/{content}", 1_780_000_000 + number,
        "upload", tier, None, size_bytes, "audio/wav", content, content[32:], _text(created),
        "noticed" if noticed else "active", _text(ends), 1,
        f"{tenant}/{ends - WEEK:%Y-%m-%d}" if noticed else None, _text(ends) if noticed else None, 0,
    )  # fmt: skip


def tier_of(tenant: str, customers: int) -> tuple[str, int]:
    """Tier and term of a customer, by its number."""
    below = 0.0
    place = int(tenant.rpartition("-")[2]) / customers
    for tier, share, days in TIERS:
        below += share
        if place < below:
            return tier, days
    return TIERS[-1][0], TIERS[-1][2]


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def load(folder: Path, total: int, customers: int) -> dict[str, float]:
    """Fill the catalogue, with its indexes made at the end, which is quicker."""
    path = folder / "warehouse.sqlite"
    LocalWarehouse(path).close()
    connection = sqlite3.connect(path, isolation_level=None)
    for name in ("catalogue_at", *(index.name for index in CatalogueRow.indexes)):
        connection.execute(f"DROP INDEX IF EXISTS {name}")
    connection.execute("PRAGMA synchronous=OFF")
    marks = ", ".join("?" * len(CatalogueRow.model_fields))
    for some in rows(total, customers):
        connection.execute("BEGIN")
        connection.executemany(f"INSERT INTO catalogue VALUES ({marks})", some)  # noqa: S608  # question marks
        connection.execute("COMMIT")
    connection.execute('CREATE INDEX "catalogue_at" ON "catalogue" (at, tenant)')
    connection.close()
    LocalWarehouse(path).close()
    return {"file_gb": round(path.stat().st_size / 1e9, 2)}


def plan(folder: Path, total: int, customers: int) -> dict[str, float]:
    """Plan, with the policy that ships and every notice confirmed."""
    del total
    catalogue = LocalCatalogue(LocalWarehouse(folder / "warehouse.sqlite"))

    def notice_of(row: CatalogueRow) -> NoticeState | None:
        told = row.delete_after
        return None if told is None else NoticeState(told - WEEK, bounced=False, delete_after=told)

    known = lru_cache(1)(lambda tenant: tier_of(tenant, customers)[0])
    outlook = Outlook(
        timeline=Timeline([first_version(load_policy())], NOW, lambda tenant, _: known(tenant)),
        holds=HoldsNow([]),
        extensions=ExtensionsNow([]),
        notice_of=notice_of,
        suspended=lambda _: False,
    )
    made = make_plan(catalogue, outlook, out=folder / "plan.jsonl", backend="local", made_at=NOW, usual=lambda: 1)
    figures: dict[str, float] = {tally.do: tally.objects for tally in made.summary.tallies}
    return {**figures, "plan_mb": round((folder / "plan.jsonl").stat().st_size / 1e6)}


def plain(folder: Path, total: int, customers: int) -> dict[str, float]:
    """Read the same rows by SQL alone, one customer after another."""
    del total
    connection = sqlite3.connect(folder / "warehouse.sqlite")
    read = 0
    for number in range(customers):
        tenant = f"customer-{number:06d}"
        until = _text(NOW - timedelta(days=tier_of(tenant, customers)[1]) + WEEK + timedelta(days=1))
        read += sum(
            1
            for _ in connection.execute(
                "SELECT * FROM catalogue INDEXED BY catalogue_age WHERE state IN ('active', 'noticed') AND tenant = ?"
                " AND object_class = 'upload' AND created_at <= ? ORDER BY bucket, name, generation",
                [tenant, until],
            )
        )
    return {"read": read}


STEPS: Final = {"load": load, "plan": plan, "plain": plain}


def take(step: str, folder: Path, total: int, customers: int) -> None:
    """Take one step in this process and print its figures."""
    began = time.monotonic()
    found = STEPS[step](folder, total, customers)
    seconds = time.monotonic() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({f"{step}_s": round(seconds, 1), f"{step}_mib": round(peak_mib), **found}))


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        take(given.step, given.folder, given.rows, given.customers)
        return
    with tempfile.TemporaryDirectory(prefix="earmark-plan-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        steps = list(STEPS) if not (folder / "warehouse.sqlite").exists() else ["plan", "plain"]
        figures: dict[str, float] = {"rows": given.rows, "customers": given.customers}
        for step in steps:
            command = [sys.executable, "-m", "benchmarks.retention_plan", "--step", step, "--folder", str(folder)]
            command += ["--rows", str(given.rows), "--customers", str(given.customers)]
            figures |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
