"""``earmark retention`` as somebody types it, over objects that came weeks ago by a clock of ours."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from earmark.catalogued import catalogue_row
from earmark.errors import Unavailable
from earmark.settings import Settings
from earmark.vocabulary import ObjectClass
from retention.notice import Channel
from runtime.retention.desk import Desk, open_desk
from runtime.retention.status import health_of
from runtime.wiring import connect
from tests.clock import ManualClock
from tests.flows.command import Command
from tests.unit.test_retention_packing import samples, wave

DAY = timedelta(days=1)


class Shelf:
    """A data folder with objects of a past that the command finds."""

    def __init__(self, folder: Path) -> None:
        tenants = folder / "tenants.toml"
        tenants.write_text('[acme]\ntier = "free"\n[bigco]\ntier = "enterprise"\n')
        self.data = folder / "data"
        self.clock = ManualClock()
        settings = Settings(data=self.data, tenants=tenants, synchronous="NORMAL")
        self.desk: Desk = open_desk(settings, connect(settings, self.clock), self.clock)
        self.earmark = Command(self.data, tenants=str(tenants), synchronous="NORMAL", actor="ada")

    def ago(self, days: float) -> None:
        """Let the clock stand so many days before now."""
        self.clock.time = datetime.now(UTC) - timedelta(days=days)

    def put(self, name: str, content: bytes = b"audio", bucket: str = "uploads") -> None:
        """An object that came at the time of the clock."""
        info = self.desk.backend.bucket(bucket).write(name, content, content_type="audio/wav")
        tenant = name.split("/", maxsplit=1)[0]
        tier = "enterprise" if tenant == "bigco" else "free"
        kind = ObjectClass.TEMPORARY if bucket == "temporary" else ObjectClass.UPLOAD
        self.desk.backend.catalogue.record(
            [catalogue_row(bucket, info, tenant=tenant, tier=tier, object_class=kind, at=self.clock())]
        )

    def run_then(self) -> None:
        """A run at the time of the clock."""
        plan = self.desk.make_plan()
        self.desk.applying.apply(plan.path, execute=True, approve=True, reason="", actor="retention")

    def names(self, bucket: str = "uploads") -> list[str]:
        """What is there."""
        return [info.name for info in self.desk.backend.bucket(bucket).scan()]

    def retention(self, *words: str | Path, status: int = 0) -> str:
        """What the command prints; its exit status is as told."""
        done = self.earmark.run("retention", *words)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def told(self, *words: str | Path, status: int = 0) -> dict[str, object]:
        """The same as JSON."""
        done = self.earmark.run("retention", *words, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        content: dict[str, object] = json.loads(done.stdout)
        return content


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """One old file that its customer was told of, one that nobody was told of, and a fresh one."""
    shelf = Shelf(tmp_path)
    shelf.ago(40)
    shelf.put("acme/told.wav")
    shelf.ago(9)
    shelf.run_then()
    shelf.ago(39)
    shelf.put("acme/untold.wav")
    shelf.ago(2)
    shelf.put("acme/fresh.wav")
    return shelf


def test_plan_and_apply(shelf: Shelf) -> None:
    """A plan changes nothing, a rehearsal neither; executed, it deletes what was told and tells of the rest."""
    plan = shelf.told("plan")
    tallies = plan["tallies"]
    assert isinstance(tallies, list)
    assert {(each["do"], each["objects"]) for each in tallies} == {("delete", 1), ("notice", 1)}
    path = str(plan["path"])
    rehearsed = shelf.told("apply", path)
    assert (rehearsed["executed"], rehearsed["outcomes"], rehearsed["notices_due"]) == (False, {"deleted": 1}, 1)
    assert len(shelf.names()) == 3
    assert "Deleted: 1 objects" in shelf.retention("apply", path, "--execute")
    assert shelf.names() == ["acme/fresh.wav", "acme/untold.wav"]
    assert "Deleted: 1 objects" in shelf.retention("apply", path, "--execute")
    listed = shelf.told("notices", "--tenant", "acme")["notices"]
    assert isinstance(listed, list)
    assert len(listed) == 2
    assert "a notice is due today" not in shelf.retention("explain", "uploads/acme/untold.wav")
    [event] = (shelf.data / "objects" / "notices" / "acme").glob(f"{datetime.now(UTC):%F}.json")
    assert json.loads(event.read_text())["data"]["sample"][0]["name"] == "acme/untold.wav"


def test_a_plan_edited_by_hand(shelf: Shelf, tmp_path: Path) -> None:
    """It is refused, whatever was changed; so is one for another moment, and one that is no plan."""
    path = tmp_path / "plan.jsonl"
    shelf.retention("plan", "--out", path)
    text = path.read_text()
    path.write_text(text.replace("told.wav", "fresh.wav"))
    assert "was changed" in shelf.retention("apply", path, "--execute", status=2) or len(shelf.names()) == 3
    path.write_text("nonsense")
    shelf.retention("apply", path, "--execute", status=2)
    shelf.retention("plan", "--as-of", "2199-01-01", "--out", path)
    assert "looks ahead" in shelf.retention("apply", path, "--execute", status=2)
    assert len(shelf.names()) == 3


def test_holds_and_extensions(shelf: Shelf) -> None:
    """Both keep what a run would delete; released, it is told of anew."""
    hold = shelf.told("hold", "--object", "uploads/acme/told.wav", "--reason", "case 7")
    assert shelf.desk.backend.bucket("uploads").stat("acme/told.wav").held  # type: ignore[union-attr]
    shelf.retention("run", "--execute")
    assert len(shelf.names()) == 3
    assert "case 7" in shelf.retention("explain", "uploads/acme/told.wav")
    assert "case 7" in shelf.retention("holds")
    shelf.retention("release", str(hold["id"]), "--reason", "closed")
    assert not shelf.desk.backend.bucket("uploads").stat("acme/told.wav").held  # type: ignore[union-attr]
    shelf.retention("run", "--execute")
    assert len(shelf.names()) == 3
    until = f"{datetime.now(UTC) + 20 * DAY:%F}"
    words = ("extend", "--until", until, "--approved-by", "chief", "--reason", "ticket 1")
    assert "only enterprise" in shelf.retention(*words, "--tenant", "acme", status=2)
    extension = shelf.told(*words, "--tenant", "bigco")
    shelf.retention("withdraw", str(extension["id"]), "--reason", "a mistake")


def test_the_switch(shelf: Shelf) -> None:
    """Stopped, nothing is deleted, and the status says so."""
    shelf.retention("stop", "--reason", "wrong policy")
    assert "wrong policy" in shelf.retention("run", "--execute", status=3)
    assert "wrong policy" in shelf.retention("status", status=3)
    assert len(shelf.names()) == 3
    shelf.retention("resume", "--reason", "put right")
    shelf.retention("run", "--execute")
    assert len(shelf.names()) == 2
    assert "earmark_retention_stopped 0.0" in shelf.retention("status", "--metrics")


def test_policies(shelf: Shelf, tmp_path: Path) -> None:
    """What is shown can be changed, compared and set; nothing is set by a look."""
    file = tmp_path / "policy.toml"
    file.write_text(shelf.earmark.run("retention", "policy", "show").stdout.replace('"30 days"', '"10 days"', 1))
    shelf.retention("policy", "check", file)
    diff = shelf.told("policy", "diff", file)
    tiers = diff["tiers"]
    assert isinstance(tiers, list)
    assert [(each["tier"], each["object_class"], each["earlier"]) for each in tiers] == [("free", "upload", 1)]
    shelf.retention("policy", "set", file, "--reason", "prices")
    assert shelf.told("policy", "show")["in_force"] == 1
    shelf.retention("policy", "set", file, "--reason", "prices", "--execute")
    assert shelf.told("policy", "show")["in_force"] == 2
    file.write_text(file.read_text().replace('"10 days"', '"6 days"', 1))
    assert "are less than the notice" in shelf.retention("policy", "check", file, status=2)


def test_bounces(shelf: Shelf) -> None:
    """What a notice told of stays once that came back, until the address was put right."""
    [notice] = shelf.told("notices")["notices"]  # type: ignore[misc]
    shelf.retention("bounce", str(notice["digest"]["id"]), "--reason", "no such mailbox")
    shelf.retention("run", "--execute", status=3)
    assert len(shelf.names()) == 3
    assert "no such mailbox" in shelf.retention("status", status=3)
    shelf.retention("unbounce", "acme", "--reason", "new address")
    shelf.retention("run", "--execute")
    assert len(shelf.names()) == 3


def test_temporary_and_archive(shelf: Shelf, tmp_path: Path) -> None:
    """What is temporary goes after a day without a word; old audio is packed, and comes back as it was."""
    song = wave(samples(16, 2, 30_000))
    shelf.ago(100)
    shelf.put("bigco/song.wav", song)
    shelf.ago(1.1)
    shelf.put("acme/clip", bucket="temporary")
    left = shelf.data / "scratch" / "upload-left"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"audio")
    shelf.retention("sweep")
    assert shelf.names("temporary") == ["acme/clip"]
    shelf.retention("sweep", "--execute")
    assert shelf.names("temporary") == []
    assert left.exists()
    shelf.retention("archive", "--execute")
    assert shelf.names("archive") == ["bigco/song.wav"]
    assert "bigco/song.wav" not in shelf.names()
    out = tmp_path / "back.wav"
    shelf.retention("fetch", "uploads/bigco/song.wav", "--out", out)
    assert out.read_bytes() == song
    assert "archive/bigco/song.wav" in shelf.retention("explain", "uploads/bigco/song.wav")


def test_the_inventory(shelf: Shelf) -> None:
    """What came or went behind our back is found, and what is overdue is an alarm."""
    shelf.data.joinpath("objects/uploads/acme/fresh.wav").unlink()
    shelf.ago(3)
    shelf.desk.backend.bucket("uploads").write("acme/orphan.wav", b"audio", content_type="audio/wav")
    looked = shelf.earmark.run("retention", "reconcile", "uploads", "--json")
    [row] = json.loads(looked.stdout)
    assert (row["orphans"], row["ghosts"], row["overdue"], looked.returncode) == (1, 1, 1, 3)
    shelf.retention("reconcile", "uploads", "--execute", status=3)
    [row] = json.loads(shelf.earmark.run("retention", "reconcile", "uploads", "--json").stdout)
    assert (row["orphans"], row["ghosts"]) == (0, 0)
    assert "overdue" in shelf.retention("status", status=3)
    assert "came" in shelf.retention("explain", "uploads/acme/orphan.wav")


def test_what_is_nobodys(shelf: Shelf) -> None:
    """It is counted at each comparison, an alarm with what to do, and explained as what it is."""
    shelf.ago(3)
    shelf.desk.backend.bucket("uploads").write("stranger/a.wav", b"audio", content_type="audio/wav")
    (shelf.data / "objects" / "uploads" / "acme" / "a\tb.wav").write_bytes(b"audio")
    for _ in range(2):
        done = shelf.earmark.run("retention", "reconcile", "uploads", "--execute", "--json")
        [row] = json.loads(done.stdout)
        assert (row["orphans"], row["nobodys"]) == (2, 2)
        assert "stranger/a.wav" in done.stderr
        assert "a\\\\tb.wav" in done.stderr
    assert "nobody's" in shelf.retention("reconcile", "uploads", status=3)
    assert "add their customers to the tenants file" in shelf.retention("status", status=3).replace("\n", " ")
    assert "earmark_retention_nobodys_objects 2.0" in shelf.earmark.run("retention", "status", "--metrics").stdout
    told = shelf.retention("explain", "uploads/stranger/a.wav", status=2)
    assert "is nobody's, for there is no customer stranger" in told
    shelf.ago(0.1)
    shelf.put("acme/clip", bucket="temporary")
    assert "without notice" in shelf.retention("explain", "temporary/acme/clip")


def test_runs_and_notices_that_fail(shelf: Shelf, tmp_path: Path) -> None:
    """A run that some notice failed of is a run; after a day of failures that is an alarm, until one is delivered."""

    def refuse(*_: object) -> None:
        message = "connection refused"
        raise Unavailable(message)

    tenants = tmp_path / "tenants.toml"
    tenants.write_text('[acme]\ntier = "free"\nnotice_email = "a@example.org"\n[bigco]\ntier = "enterprise"\n')
    settings = shelf.desk.settings
    shelf.desk = open_desk(settings, connect(settings, shelf.clock), shelf.clock, senders={Channel.EMAIL: refuse})
    now = datetime.now(UTC).replace(hour=12)
    for days in (2, 1, 0):
        shelf.clock.time = now - timedelta(days=days)
        shelf.run_then()
        health = health_of(shelf.desk)
        assert health.run_age_seconds == 0.0
        assert health.failed_notices == int(days == 0)
    assert any("Notices to acme fail since" in alarm for alarm in health.alarms)
    shelf.desk = open_desk(settings, connect(settings, shelf.clock), shelf.clock, senders={Channel.EMAIL: accept})
    shelf.clock.time = now + timedelta(days=1)
    shelf.run_then()
    assert health_of(shelf.desk).failed_notices == 0


def test_nobody_ever_ran_it(tmp_path: Path) -> None:
    """That is fine for a day, and an alarm once there is an older object."""
    shelf = Shelf(tmp_path)
    shelf.put("acme/a.wav")
    shelf.clock.move(86_400)
    assert health_of(shelf.desk).alarms == ()
    shelf.clock.move(1)
    health = health_of(shelf.desk)
    assert (health.run_age_seconds, len(health.alarms)) == (-1.0, 1)
    assert "No run ever ended" in health.alarms[0]


def accept(*_: object) -> None:
    """Take a notice."""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("explain", "uploads/acme/none.wav"), "knows no object"),
        (("explain", "elsewhere/acme/none.wav"), "does not look after"),
        (("hold", "--reason", "x"), "name one of"),
        (("hold", "--object", "uploads", "--reason", "x"), "no address"),
        (("hold", "--tenant", "acme", "--reason", " "), "reason"),
        (("release", "../../x", "--reason", "x"), "no hold"),
        (("bounce", "acme", "--reason", "x"), "no notice"),
        (("plan", "--as-of", "soon"), "no time"),
        (("plan", "--as-of", "9999-12-31T23:59"), "too far away"),
        (("plan", "--as-of", "0001-01-01"), "too far away"),
        (("fetch", "uploads/../x", "--out", "none.wav"), "cannot name an object"),
        (("erase", "--object", "uploads/acme/../x", "--reason", "x"), "cannot name an object"),
        (("apply", "/nowhere.jsonl"), "Cannot read"),
        (("reconcile", "state"), "does not look after"),
        (("erase", "--reason", "x"), "Say what to erase"),
        (("erase", "--tenant", "acme"), "Say why"),
        (("readmit", "--reason", "x"), "Say whom"),
        (("policy", "check", "/nowhere.toml"), "nowhere.toml"),
        (("fetch", "uploads/acme/none.wav", "--out", "none.wav"), "no object"),
    ],
    ids=range(19),
)
def test_clear_errors(shelf: Shelf, words: tuple[str, ...], told: str) -> None:
    """Each names what is wrong, in a line, with status 2."""
    done = shelf.earmark.run("retention", *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
