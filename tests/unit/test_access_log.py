"""The access log: written before anything is shown, and in the chain once, whatever dies in between."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from earmark.audit import FOLDER, AuditEntry, AuditTrail, pseudonym, read_link
from earmark.audit_check import check
from earmark.errors import Unavailable
from runtime.endpoints.access import LINK_ENTRIES, AccessLog
from runtime.endpoints.access_segment import Segment
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock


class House:
    """An audit trail, and access logs that write to it."""

    def __init__(self, folder: Path) -> None:
        """Open the stores."""
        self.clock = ManualClock()
        self.folder = folder / "access"
        self.links = LocalObjectStore(folder / "objects", "audit", clock=self.clock)
        self.hints = LocalObjectStore(folder / "objects", "state", clock=self.clock)
        self.warehouse = LocalWarehouse(folder / "warehouse.sqlite")
        self.trail = AuditTrail(self.links, self.warehouse, self.clock, hints=self.hints)
        self.fails = False
        self.dies_after_link = False
        self.log = self.opened()

    def opened(self) -> AccessLog:
        """An access log, as of another process."""
        return AccessLog(self.folder, self.links, self.audit, self.clock, hints=self.hints)

    def audit(self, entries: Sequence[AuditEntry]) -> None:
        """Write a link, or be away, or die after it."""
        if self.fails:
            message = "the audit log is away"
            raise Unavailable(message)
        self.trail(entries)
        if self.dies_after_link:
            raise KeyboardInterrupt

    def look(self, *targets: str, log: AccessLog | None = None) -> None:
        """Record looks, a moment apart."""
        for target in targets:
            self.clock.move(0.001)
            (log or self.log).record(tenant="acme", key_id="abc", action="analysis.read", target=target)

    def targets(self) -> list[str]:
        """What the chain has, in its order."""
        found = []
        for info in self.links.scan(FOLDER):
            link = read_link(b"".join(self.links.read(info.name)))
            assert link is not None
            found += [entry.target for entry in link.entries]
        return found

    def files(self) -> list[str]:
        """What lies in the folder."""
        return sorted(path.suffix for path in self.folder.iterdir()) if self.folder.exists() else []


def die(log: AccessLog) -> None:
    """Let go of what a process that was killed would let go of."""
    for segment in filter(None, [log._segment, *log._closed]):
        os.close(segment._descriptor)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The house."""
    return House(tmp_path)


def test_a_look_is_in_the_audit_log(house: House) -> None:
    """Who, what and whose: a row with the customer's name, a link with the pseudonym; then nothing is left over."""
    house.log.record(tenant="acme", key_id="abc", action="batch.read", target="b1", detail="12 entries")
    assert house.log.flush() == 1
    [row] = house.warehouse.query("audit_entries", {"tenant": "acme", "pseudonym": pseudonym("acme")})
    found = {name: row[name] for name in ("tenant", "actor", "action", "subject", "detail")}
    assert found == {
        "tenant": "acme",
        "actor": "key:abc",
        "action": "batch.read",
        "subject": "b1",
        "detail": "12 entries",
    }
    assert check(house.links, house.warehouse, hints=house.hints).whole
    assert house.files() == []
    assert house.log.flush() == 0


def test_it_is_on_the_disk_before_it_is_in_the_chain(house: House) -> None:
    """When ``record`` returns, the file has it, under a pseudonym and without the name; another process leaves it."""
    house.look("job1")
    [path] = house.folder.iterdir()
    content = path.read_text()
    assert "job1" in content
    assert pseudonym("acme") in content
    assert "acme" not in content.replace(pseudonym("acme"), "")
    assert house.opened().flush() == 0
    assert house.log.flush() == 1


def test_many_looks_share_links(house: House) -> None:
    """A link holds five hundred at most, and the order stays."""
    names = [f"job{number}" for number in range(LINK_ENTRIES + 7)]
    house.look(*names)
    assert house.log.flush() == len(names)
    assert house.targets() == names
    assert len(list(house.links.scan(FOLDER))) == 2


def test_threads_share_writes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one write is under way the others gather, and go together with the next."""
    began, go_on = threading.Event(), threading.Event()
    append, writes = Segment.append, []

    def slow(segment: Segment, lines: bytes) -> None:
        writes.append(lines.count(b"\n"))
        began.set()
        assert go_on.wait(30)
        append(segment, lines)

    monkeypatch.setattr(Segment, "append", slow)
    threads = [threading.Thread(target=house.look, args=[f"job{number}"]) for number in range(20)]
    threads[0].start()
    assert began.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(house.log._next.lines) < 19:
        assert threads[0].is_alive()
    go_on.set()
    for thread in threads:
        thread.join()
    assert writes == [1, 19]
    house.log.flush()
    assert sorted(house.targets()) == sorted(f"job{number}" for number in range(20))


def test_what_cannot_be_written_is_not_shown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: whoever waits hears of it, and the next look goes to another file."""
    append = Segment.append

    def half(segment: Segment, lines: bytes) -> None:
        os.write(segment._descriptor, lines[: len(lines) // 2])
        raise OSError(28, "No space left on device")

    house.look("job1")
    monkeypatch.setattr(Segment, "append", half)
    with pytest.raises(Unavailable, match="No space left"):
        house.look("job2")
    monkeypatch.setattr(Segment, "append", append)
    house.look("job3")
    house.log.flush()
    house.log.flush()
    assert house.targets() == ["job1", "job3"]
    assert house.files() == []


def test_a_folder_that_cannot_be_made_shows_nothing(house: House) -> None:
    """The first look already needs its file."""
    house.folder.write_text("in the way")
    with pytest.raises(Unavailable):
        house.look("job1")
    house.folder.unlink()
    house.look("job1")
    assert house.log.flush() == 1


def test_an_audit_log_that_is_away_loses_nothing(house: House) -> None:
    """Looks wait on the disk, in one file and the present one, however often the step is taken."""
    house.fails = True
    for number in range(5):
        house.look(f"job{number}")
        with pytest.raises(Unavailable):
            house.log.flush()
    assert house.files() == [".begun", ".looks", ".looks"]
    house.fails = False
    assert house.log.flush() == 1
    assert house.log.flush() == 4
    assert house.targets() == [f"job{number}" for number in range(5)]


def test_the_next_process_takes_over_from_a_dead_one(house: House) -> None:
    """What was acknowledged comes into the chain, under the pseudonym; a line that is half there was not."""
    house.look("job1", "job2")
    assert house.log._segment is not None
    os.write(house.log._segment._descriptor, b'{"at": "2026')
    die(house.log)
    after = house.opened()
    assert after.flush() == 2
    assert house.targets() == ["job1", "job2"]
    assert house.files() == []
    [first, _] = house.warehouse.query("audit_entries", {"tenant": "acme", "pseudonym": pseudonym("acme")})
    assert first["tenant"] == pseudonym("acme")


@pytest.mark.parametrize("looks", [3, LINK_ENTRIES * 2 + 1])
@pytest.mark.parametrize("others", [0, 20])
def test_nothing_comes_twice_after_a_death_behind_the_link(house: House, looks: int, others: int) -> None:
    """Killed between link and file, with links of others before and after it: the link is found."""
    names = [f"job{number}" for number in range(looks)]
    for number in range(others):
        house.trail([entry(f"before{number}")])
    house.look(*names)
    house.dies_after_link = True
    with pytest.raises(KeyboardInterrupt):
        house.log.flush()
    die(house.log)
    house.dies_after_link = False
    for number in range(others):
        house.trail([entry(f"after{number}")])
    house.opened().flush()
    assert [target for target in house.targets() if target.startswith("job")] == names
    assert house.files() == []


def test_nothing_comes_twice_after_a_death_before_the_link(house: House) -> None:
    """Killed between note and link: the look is written once."""
    house.look("job1")
    house.fails = True
    with pytest.raises(Unavailable):
        house.log.flush()
    die(house.log)
    house.fails = False
    assert house.opened().flush() == 1
    assert house.targets() == ["job1"]


def test_notes_without_a_file_are_removed(house: House) -> None:
    """Killed between the two removals: the note that is left means nothing."""
    house.folder.mkdir()
    (house.folder / "0123.begun").write_text('{"first": 0, "after": 0}\n')
    assert house.log.flush() == 0
    assert house.files() == []


def test_a_spoilt_line_costs_no_other(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """It is told of, and the rest goes on."""
    house.look("job1")
    assert house.log._segment is not None
    house.log._segment.append(b"spoilt\n")
    house.look("job2")
    assert house.log.flush() == 2
    assert house.targets() == ["job1", "job2"]
    assert "access.unreadable" in caplog.text


def entry(target: str) -> AuditEntry:
    """Something that somebody else did."""
    return AuditEntry(at=ManualClock()(), actor="somebody", action="other.thing", target=target)


PROGRAM = """
import sys
from pathlib import Path
from tests.unit.test_access_log import House
house, number = House(Path(sys.argv[1])), 0
while True:
    house.look(f"job{number}")
    print(number, flush=True)
    number += 1
    if number % 7 == 0:
        house.log.flush()
"""


def test_a_killed_process_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """SIGKILL in the middle of it: all that was acknowledged is in the chain, once, and the chain is whole."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    with process.stdout as lines:
        acknowledged = [int(lines.readline()) for _ in range(40)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in lines]
    process.wait(30)
    house = House(tmp_path)
    house.log.flush()
    found = house.targets()
    assert len(found) == len(set(found))
    assert found[: len(acknowledged)] == [f"job{number}" for number in acknowledged]
    assert len(found) - len(acknowledged) <= 1
    assert check(house.links, house.warehouse, hints=house.hints, repair=True).links > 0
    assert house.files() == []
