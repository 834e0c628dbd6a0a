"""Roll-ups in SQLite: whatever happens to the rows, what is kept says the same as the rows themselves."""

import random
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ab_testing.evidence import Evidence
from ab_testing.evidence_rows import read_evidence
from earmark.rows import TABLES, Row
from earmark.view import load_views
from runtime.local import views
from runtime.local.dialect import to_sqlite
from runtime.local.rollups import ROLLED_UP
from runtime.local.warehouse import LocalWarehouse
from tests.contracts.test_ab_views import nearly
from tests.experiment_rows import NAMES, START, any_agreement, any_assignment, any_pair, any_trial, plain, trial_row

LATER = START + timedelta(days=300)


def open_at(path: Path) -> LocalWarehouse:
    """The warehouse as another process has it."""
    return LocalWarehouse(path, synchronous="NORMAL", wait_s=10.0)


def table(path: Path, sql: str) -> dict[tuple[object, ...], tuple[object, ...]]:
    """What a query finds: the figures by what they are of."""
    connection = sqlite3.connect(path)
    views.add_functions(connection)
    cursor = connection.execute(sql)
    numbers = {"n", "y", "yy", "x", "xx", "xy"}
    rows = [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor]
    connection.close()
    found = {}
    for row in rows:
        key = tuple(value for name, value in row.items() if not isinstance(value, float) and name not in numbers)
        found[key] = tuple(value for name, value in row.items() if isinstance(value, float) or name in numbers)
    assert len(found) == len(rows)
    return found


def assert_exact(path: Path) -> None:
    """Each rolled-up view shows what its SQL makes of the rows."""
    for name in ROLLED_UP:
        assert table(path, f"SELECT * FROM {name}") == nearly(table(path, to_sqlite(load_views()[name].sql)))  # noqa: S608


def some_row(dice: random.Random) -> Row:
    """A row of any table of experiments, maybe another version of one."""
    return dice.choice([any_trial, any_assignment, any_pair, any_agreement])(dice, 80)


@pytest.mark.parametrize("seed", range(6))
def test_kept_hours_are_exact(tmp_path: Path, seed: int) -> None:
    """After any mix of appends, purges, edits by hand and roll-ups, every view is what its SQL makes of the rows."""
    dice, path = random.Random(seed), tmp_path / "w.sqlite"
    first, second = open_at(path), open_at(path)
    first.query("ab_history")
    for _ in range(25):
        warehouse = dice.choice([first, second])
        match dice.randrange(6):
            case 0 | 1 | 2:
                warehouse.append([some_row(dice) for _ in range(dice.randrange(1, 30))])
            case 3:
                before = START + timedelta(minutes=dice.randrange(400))
                warehouse.purge(dice.choice(sorted(set(ROLLED_UP.values()))), before=before, tenant="acme")
            case 4:
                warehouse.roll_up(LATER, limit_s=dice.choice([0.0, 1.0]))
            case 5:
                connection = sqlite3.connect(path)
                connection.execute(
                    "UPDATE ab_trials SET arm = 'primary', at = ? WHERE row_id = 'trial 7'", [_text(dice)]
                )
                connection.commit()
                connection.close()
        assert_exact(path)
    first.roll_up(LATER)
    assert_exact(path)


def _text(dice: random.Random) -> str:
    return (START + timedelta(minutes=dice.randrange(400))).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def kept(path: Path) -> int:
    """How many hours wait to be kept."""
    connection = sqlite3.connect(path)
    [count] = connection.execute("SELECT COUNT(*) FROM ab_changed_hours").fetchone()
    connection.close()
    return int(count)


def test_rows_of_an_earlier_version(tmp_path: Path) -> None:
    """A data folder from before there were roll-ups gets them, with every hour it has."""
    path = tmp_path / "w.sqlite"
    dice = random.Random(5)
    old = LocalWarehouse(path, tables=TABLES)
    old.append([some_row(dice) for _ in range(300)])
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'trigger'").fetchone() == (0,)
    connection.close()
    open_at(path).query("ab_history")
    assert kept(path) == 0
    assert_exact(path)


def test_views_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of what the views say everything is rolled up anew; older code keeps no hours, and reads on."""
    path = tmp_path / "w.sqlite"
    dice = random.Random(6)
    older = open_at(path)
    older.append([some_row(dice) for _ in range(100)])
    older.query("ab_history")
    monkeypatch.setattr("runtime.local.rollups.VERSION", 2)
    newer = open_at(path)
    newer.append([some_row(dice) for _ in range(100)])
    newer.query("ab_history")
    assert kept(path) == 0
    newer.append([some_row(dice)])
    assert older.roll_up(LATER) == 0
    assert kept(path) == 1
    assert older.query("ab_history") == newer.query("ab_history")
    assert_exact(path)


def test_a_bounded_step(tmp_path: Path) -> None:
    """A step ends after its time, keeps one hour at least, and leaves the present hour alone."""
    warehouse = open_at(tmp_path / "w.sqlite")
    assert warehouse.roll_up(LATER) == 0
    warehouse.append([trial_row(hours, START + timedelta(hours=hours)) for hours in range(4)])
    now = START + timedelta(hours=2)
    assert [warehouse.roll_up(now, limit_s=0.0) for _ in range(3)] == [1, 1, 0]
    assert kept(tmp_path / "w.sqlite") == 2


def test_rows_arrive_while_an_hour_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour that changed after it was computed is not kept, and is right all the same."""
    path = tmp_path / "w.sqlite"
    warehouse, other = open_at(path), open_at(path)
    warehouse.append([trial_row(1)])
    warehouse.query("ab_history")
    warehouse.append([trial_row(2)])
    plain_rows = views.hour_rows

    def computed(*arguments: object) -> object:
        rows = plain_rows(*arguments)  # type: ignore[arg-type]
        other.append([trial_row(3)])
        return rows

    monkeypatch.setattr(views, "hour_rows", computed)
    assert warehouse.roll_up(LATER) == 0
    assert kept(path) == 1
    assert read_evidence(warehouse.query, NAMES[0], 1).arms["primary"].counts["done"] == 3


def test_a_report_waits_for_no_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody writes for long a report is made from the rows that nobody could roll up."""
    monkeypatch.setattr(views, "WAIT_S", 0.05)
    path = tmp_path / "w.sqlite"
    warehouse = open_at(path)
    warehouse.append([trial_row(1)])
    warehouse.query("ab_history")
    warehouse.append([trial_row(2)])
    hog = sqlite3.connect(path, isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")
    assert read_evidence(warehouse.query, NAMES[0], 1).arms["primary"].counts["done"] == 2
    hog.close()
    assert kept(path) == 1


def test_several_at_once(tmp_path: Path) -> None:
    """Threads that append, roll up and report at once lose no row, and a report never counts one twice."""
    path = tmp_path / "w.sqlite"
    faults: list[BaseException] = []

    def work(part: int) -> None:
        try:
            warehouse, seen = open_at(path), 0
            for step in range(15):
                at = START + timedelta(minutes=step * 20)
                warehouse.append([trial_row(part * 1000 + step * 10 + number, at) for number in range(10)])
                warehouse.roll_up(LATER)
                count = read_evidence(warehouse.query, NAMES[0], 1).arms["primary"].counts["done"]
                assert seen + 10 <= count <= 600
                seen = count
        except BaseException as error:  # noqa: BLE001  # told by the thread that waits
            faults.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    evidence = read_evidence(open_at(path).query, NAMES[0], 1)
    expected = Evidence()
    expected.add(trial_row(number) for number in range(600))
    assert plain(evidence) == nearly(plain(expected))
    assert_exact(path)


def test_appending_imports_no_sqlglot(tmp_path: Path) -> None:
    """Who only appends rows, and has no experiment, never loads the translator."""
    program = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from runtime.local.warehouse import LocalWarehouse; from earmark.rows import AuditRow\n"
        f"w = LocalWarehouse(Path({str(tmp_path / 'w.sqlite')!r})); now = datetime.now(UTC)\n"
        "w.append([AuditRow(row_id='1', tenant='', at=now, actor='', action='', subject='', reason='', detail='')])\n"
        "w.roll_up(now); sys.exit('sqlglot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_moment_before_the_full_hour(tmp_path: Path) -> None:
    """A microsecond before the hour is still the hour before, which SQLite's own functions round away."""
    warehouse = open_at(tmp_path / "w.sqlite")
    warehouse.append([trial_row(1, datetime(2026, 1, 1, 12, 59, 59, 999_999, tzinfo=UTC))])
    assert [row["hour"] for row in warehouse.query("ab_history")] == ["2026-01-01T12:00:00Z"]
