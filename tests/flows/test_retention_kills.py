"""kill -9 in the middle of a plan: run again until it ends, each object is deleted once and told of once."""

import gc
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from retention.run_ledger import RunLedger
from retention.scope import Scope
from runtime.worker_name import is_dead, own_name
from tests.clock import ManualClock
from tests.retention_office import DAY, Office, Postman, email

OBJECTS = 60
BATCH = 7


class Countdown:
    """Kills its own process at the n-th step, before or after it was taken."""

    def __init__(self, steps: int) -> None:
        """Take n."""
        self._left, self._lock = steps, threading.Lock()

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """A call that counts as two steps."""

        def counted(*arguments: Any, **rest: Any) -> Any:
            self._step()
            result = call(*arguments, **rest)
            self._step()
            return result

        return counted

    def _step(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Log:
    """Lines of a file, each written with one call, by whatever process."""

    def __init__(self, path: Path) -> None:
        """Take the file."""
        self._path = path

    def add(self, line: str) -> None:
        """Write a line."""
        with self._path.open("ab", buffering=0) as file:
            file.write(line.encode() + b"\n")

    def lines(self) -> list[str]:
        """All of them."""
        return self._path.read_text().splitlines() if self._path.exists() else []


@contextmanager
def opened(folder: Path, now: datetime) -> Iterator[Office]:
    """The parts in this process, closed again before a child is made."""
    clock = ManualClock()
    clock.time = now
    office = Office(folder, clock, own_name=own_name())
    office.runs = RunLedger(office.buckets["state"], clock, own_name=own_name(), is_dead=is_dead)
    office.contacts = {f"tenant{number}": [email("acme")] for number in range(4)}
    try:
        yield office
    finally:
        office.warehouse.close()
        del office
        gc.collect()


def carry_out(folder: Path, plan: Path, now: datetime, steps: int) -> None:
    """What the child does."""
    deleted, sent = Log(folder / "deleted.log"), Log(folder / "sent.log")
    countdown = Countdown(steps)
    with opened(folder, now) as office:

        class Writing(Postman):
            def _take(self, notice: Any, channel: str) -> None:
                sent.add(f"{notice.id} {channel} {hash(notice.model_dump_json())}")

        office.postman = Writing()
        office.postman.publish = countdown.around(office.postman.publish)  # type: ignore[method-assign]
        office.senders = {channel: countdown.around(office.postman.send) for channel in office.senders}
        uploads, state = office.buckets["uploads"], office.buckets["state"]
        delete = uploads.delete

        def delete_and_tell(name: str, *, if_generation: int) -> bool:
            there = delete(name, if_generation=if_generation)
            if there:
                deleted.add(f"{name} {if_generation}")
            return there

        uploads.delete = countdown.around(delete_and_tell)  # type: ignore[method-assign]
        state.write = countdown.around(state.write)  # type: ignore[method-assign]
        office.warehouse.append = countdown.around(office.warehouse.append)  # type: ignore[method-assign]
        office.catalogue.record = countdown.around(office.catalogue.record)  # type: ignore[method-assign]
        applying = office.applying(batch=BATCH)
        applying.apply(plan, execute=True, approve=True, reason="daily", actor="ada")


def in_a_child(work: Callable[[], None]) -> int:
    """Run something in a process of its own; its id.  It leaves without cleaning up after its parent."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  # told by the exit status
            os._exit(1)
    return child


def ended(child: int) -> int:
    """Exit status of a child, negative = killed by that signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def prepare(folder: Path, dice: random.Random) -> tuple[Path, datetime, dict[str, int], set[str]]:
    """A plan of deletions and notices, some of whose objects must not go any more."""
    with opened(folder, datetime.fromisoformat("2026-01-01T00:00:00Z")) as office:
        clock: Any = office.clock
        names = [f"tenant{number % 4}/{number:03}.wav" for number in range(OBJECTS)]
        office.upload(*names)
        clock.time += 24 * DAY
        assert office.apply().notified.sent == 4
        clock.time += DAY
        office.upload(*(f"tenant{number % 4}/late{number:03}.wav" for number in range(40)))
        clock.time += 24 * DAY
        plan = office.plan()
        assert plan.summary.count("delete") == OBJECTS
        assert plan.summary.count("notice") == 40
        planned = {line.name: line.generation for line in plan.lines() if line.do == "delete"}
        kept = set(dice.sample(names, 12))
        for index, name in enumerate(sorted(kept)):
            scope = Scope(kind="object", bucket="uploads", name=name)
            if index % 3 == 0:
                office.holds.place(scope, "a case", "judge")
            elif index % 3 == 1:
                office.extensions.grant(scope, office.clock() + 90 * DAY, "asked", "ada", "bob")
            else:
                office.upload(name, content=b"a new one")
        return plan.path, office.clock(), planned, kept


def hold_one_more(folder: Path, now: datetime, dice: random.Random, planned: dict[str, int]) -> str:
    """Place a hold on something that is still there, while no process is at work."""
    with opened(folder, now) as office:
        there = [info.name for info in office.buckets["uploads"].scan() if info.name in planned]
        name = dice.choice(there)
        office.holds.place(Scope(kind="object", bucket="uploads", name=name), "another case", "judge")
        return name


def check(folder: Path, plan: Path, now: datetime, planned: dict[str, int], kept: set[str]) -> None:
    """Deleted once, told once, nothing gone that was kept."""
    deleted = Counter(Log(folder / "deleted.log").lines())
    assert not [line for line, count in deleted.items() if count > 1], "deleted twice"
    with opened(folder, now) as office:
        present = {info.name: info.generation for info in office.buckets["uploads"].scan()}
        assert kept <= present.keys()
        rows = [row for row in office.rows("deletions") if row["plan"] == plan.stem]
        assert len(rows) == len(planned)
        ids = {str(row["object_id"]): str(row["outcome"]) for row in rows}
        assert len(ids) == len(planned)
        for name, generation in planned.items():
            [row] = [each for each in office.catalogue.find("uploads", name) if each.generation == generation]
            is_there = present.get(name) == generation
            assert is_there == (name in kept and row.state != "replaced")
            gone = "skipped_changed" if name in present else "deleted"
            assert ids[row.row_id] == gone if not is_there else ids[row.row_id].startswith("skipped_")
            assert row.state == ("noticed" if is_there else "replaced" if name in present else "deleted")
        run = office.runs.find(plan.stem)
        assert run is not None
        assert run.state == "done"
        assert run.counts == dict(Counter(ids.values()))
        assert run.deleted_bytes == 4 * run.counts["deleted"]
        told = [status for status in office.notices.all() if status.digest.made_at == now]
        assert {status.state for status in told} == {"sent"}
        assert sum(status.digest.objects for status in told) == 40
        for number in range(40):
            assert office.row(f"tenant{number % 4}/late{number:03}.wav").state == "noticed"
    said = Log(folder / "sent.log").lines()
    assert len({line.rsplit(" ", 1)[0] for line in said}) == len(set(said)) == 8, "the same words however often"


@pytest.mark.parametrize("seed", range(4))
def test_killed_before_or_after_some_step_again_and_again(tmp_path: Path, seed: int) -> None:
    """Every child dies at a random step until one comes to the end; what is held in between stays."""
    dice = random.Random(seed)
    plan, now, planned, kept = prepare(tmp_path, dice)
    kills, status = 0, -signal.SIGKILL
    while status != 0:
        steps = dice.randrange(1, 60) if kills < 12 else 1_000_000
        status = ended(in_a_child(partial(carry_out, tmp_path, plan, now, steps)))
        assert status in {0, -signal.SIGKILL}
        kills += status != 0
        if kills in {2, 5} and status != 0:
            kept.add(hold_one_more(tmp_path, now, dice, planned))
    assert kills >= 2
    check(tmp_path, plan, now, planned, kept)


@pytest.mark.parametrize("seed", [11, 12])
def test_killed_by_somebody_else_at_any_moment(tmp_path: Path, seed: int) -> None:
    """The parent kills once so many deletions were told of, wherever the child is then."""
    dice = random.Random(seed)
    plan, now, planned, kept = prepare(tmp_path, dice)
    log, status, target = Log(tmp_path / "deleted.log"), -signal.SIGKILL, 0
    while status != 0:
        target += dice.randrange(1, 12)
        child = in_a_child(partial(carry_out, tmp_path, plan, now, 1_000_000))
        deadline = time.monotonic() + 60
        found = 0
        while not found and len(log.lines()) < target and time.monotonic() < deadline:
            found, code = os.waitpid(child, os.WNOHANG)
        if not found:
            os.kill(child, signal.SIGKILL)
            code = os.waitpid(child, 0)[1]
        status = os.waitstatus_to_exitcode(code)
        assert status in {0, -signal.SIGKILL}
    check(tmp_path, plan, now, planned, kept)
