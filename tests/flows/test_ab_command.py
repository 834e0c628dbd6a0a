"""``earmark ab`` as people use it: starting, watching and ending experiments, and saying where units belong."""

import contextlib
import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from ab_testing.counters import Counters
from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.cli import app
from runtime.wiring import connect
from tests.flows.command import EARMARK, Command, lines
from tests.unit.test_ab_counters import exposure, trial_row

EXAMPLES = Path(__file__).parents[2] / "examples" / "experiments"


@dataclass(frozen=True)
class Here:
    """The command in this process; errors come as ``main`` gets them."""

    folder: Path

    def file(self, name: str = "trial", **fields: Any) -> str:
        """An experiment file."""
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, **fields}), encoding="utf-8")
        return str(path)

    def run(self, *arguments: str, given: bytes = b"", **settings: str) -> Result:
        """Run to the end."""
        environment = {"EARMARK_DATA": str(self.folder / "data"), "EARMARK_ACTOR": "ada", **settings}
        return CliRunner().invoke(app, ["ab", *arguments], env=environment, input=given)

    def told(self, *arguments: str, given: bytes = b"") -> str:
        """What a command prints that succeeds."""
        ended = self.run(*arguments, given=given)
        assert ended.exit_code == 0, ended.exception or ended.stderr
        return ended.stdout

    def fields(self, *arguments: str) -> Any:
        """The same as JSON."""
        return json.loads(self.told(*arguments, "--json"))


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """On a data folder that is empty yet."""
    connect(Settings(data=tmp_path / "data"))
    return Here(tmp_path)


def test_the_life_of_an_experiment(here: Here) -> None:
    """Started, covered more, paused, resumed, rolled back, and again as a new version; each said once in the log."""
    file = here.file(coverage=0.1)
    assert here.fields("start", file)["changed"]
    assert here.fields("start", file)["changed"] is False
    assert "covers 50 % of all uploads" in here.told("start", here.file(coverage=0.5), "--reason", "looks well")
    assert "paused" in here.told("pause", "trial", "--reason", "GPUs move")
    assert "was so already" in here.told("pause", "trial", "--reason", "GPUs move")
    assert "running for" in here.told("resume", "trial")
    assert "rolled back" in here.told("rollback", "trial", "--reason", "ticket 1")
    assert here.fields("start", here.file(version=2))["state"] == "running"
    assert here.fields("complete", "trial", "--reason", "seen enough")["state"] == "completed"
    [listed] = here.fields("list")
    assert (listed["experiment"], listed["version"], listed["state"]) == ("trial", 2, "completed")
    decisions = here.fields("status", "trial")["decisions"]
    assert [(each["action"], each["version"], each["reason"]) for each in decisions] == [
        ("start", 1, ""),
        ("cover", 1, "looks well"),
        ("pause", 1, "GPUs move"),
        ("resume", 1, ""),
        ("roll_back", 1, "ticket 1"),
        ("start", 2, ""),
        ("complete", 2, "seen enough"),
    ]
    assert {each["actor"] for each in decisions} == {"ada"}
    text = here.told("status", "trial")
    assert "roll back version 1, coverage 0 %, by ada: ticket 1" in text


def test_status_is_live(here: Here) -> None:
    """What routers and workers counted is there at once, in text and as JSON; ended experiments are left out."""
    assert "No experiment runs" in here.told("status")
    assert here.fields("status") == []
    assert "No experiments." in here.told("list")
    here.told("start", here.file())
    counters = Counters(connect(Settings(data=here.folder / "data")).state, "worker")
    for number in range(600):
        arm = "primary" if number % 10 else "experimental"
        counters.assigned(exposure(arm), f"{number:032x}")
        counters.add(trial_row(number, arm, status="failed" if arm == "experimental" else "done", predict_s=1.0))
    counters.flush()
    [found] = here.fields("status")
    assert found["arms"]["primary"] == {
        "share": 0.9,
        "assigned": 540,
        "ended": 540,
        "done": 540,
        "failed": 0,
        "rejected": 0,
        "diverted": 0,
    }
    findings = {each["metric"]: each for each in found["findings"]}
    assert (findings["error_rate"]["verdict"], findings["error_rate"]["treatment"]) == ("worse", 1.0)
    assert [alarm["metric"] for alarm in found["alarms"]] == ["error_rate"]
    text = here.told("status")
    assert "experimental  10 %   60        60" in text
    assert "ALARM: " in text
    here.told("complete", "trial", "--reason", "enough")
    assert "No experiment runs" in here.told("status")
    assert "540" in here.told("status", "trial")


def test_words_that_are_wrong(here: Here) -> None:
    """Each names what was given and what to do, prints nothing and changes nothing."""
    file = here.file()
    here.told("start", file)
    before = here.fields("status", "trial")
    broken = here.folder / "broken.yaml"
    broken.write_text("name: [", encoding="utf-8")
    wrong = {
        "Cannot read the experiment": ["start", "nowhere.yaml"],
        "is no regular file": ["start", str(here.folder)],
        "is no YAML": ["start", str(broken)],
        "no experiment 'nobody'": ["status", "nobody"],
        "There is no experiment '../x'": ["pause", "../x", "--reason", "y"],
        "The name is empty": ["resume", ""],
        "Say why": ["rollback", "trial", "--reason", "  "],
        "characters; 2000 are enough": ["pause", "trial", "--reason", "y" * 3000],
        "would get nothing: trial, started before it": ["start", here.file("other")],
        "There is no model 'oracle'": ["start", here.file("b", arms=arms(model="oracle"))],
        "has wrong settings": ["start", here.file("c", arms=arms(settings={"model_threads": -1}))],
        "cannot set max_tries": ["start", here.file("d", arms=arms(settings={"max_tries": 9}))],
        "with another definition (alpha)": ["start", here.file(alpha=0.01)],
        "--coverage 2 is no share": ["assign", file, "--coverage", "2"],
        "There is no metric 'beauty'": ["plan", "--metric", "beauty", "--baseline", "0.1", "--change", "0.2"],
    }
    for text, arguments in wrong.items():
        ended = here.run(*arguments)
        assert isinstance(ended.exception, ConfigurationError), (arguments, ended.stdout, ended.exception)
        assert (text in str(ended.exception), ended.stdout) == (True, ""), ended.exception
    assert here.run("pause", "trial").exit_code == 2
    assert here.fields("status", "trial")["decisions"] == before["decisions"]
    names = ("assign", "plan", "start", "status", "report", "pause", "resume", "rollback", "complete", "list")
    assert all("Example" in here.told(name, "--help") for name in names)


def test_what_is_no_experiment_in_the_store(here: Here) -> None:
    """Those who list, look or start are told of it by name with what to do, and so is who wants to end it."""
    here.told("start", here.file(coverage=0.5))
    state = connect(Settings(data=here.folder / "data")).state
    state.write("experiments/bad.json", b'{"format": 1}', content_type="application/json")
    for arguments in (["list"], ["status"], ["list", "--json"], ["start", here.file(coverage=0.5)]):
        ended = here.run(*arguments)
        assert ended.exit_code == 0
        assert "trial" in ended.stdout
        assert "earmark: The object experiments/bad.json in the state store is no experiment: name: " in ended.stderr
        assert "Delete that object, or put right what it holds" in ended.stderr
        assert "pydantic" not in ended.stderr
    for arguments in (["rollback", "bad", "--reason", "x"], ["complete", "bad", "--reason", "x"], ["status", "bad"]):
        assert "Delete that object, or put right what it holds" in str(here.run(*arguments).exception)


def test_a_start_that_fails_starts_nothing(here: Here) -> None:
    """Neither a version beyond every column nor words that no UTF-8 holds."""
    for arguments, settings in (
        (["start", here.file("large", version=10**26)], {}),
        (["start", here.file(), "--reason", "\udcff"], {}),
        (["start", here.file()], {"EARMARK_ACTOR": "\udcff"}),
    ):
        ended = here.run(*arguments, **settings)
        assert isinstance(ended.exception, ConfigurationError), ended.exception
    assert here.fields("list") == []


def test_less_coverage_keeps_what_was_declared(here: Here) -> None:
    """And the headline says so."""
    here.told("start", here.file(coverage=0.25))
    assert "covers 10 % of all uploads, keeps 25 % for itself" in here.told("start", here.file(coverage=0.1))
    [listed] = here.fields("list")
    assert (listed["final_coverage"], listed["reserved_coverage"]) == (0.1, 0.25)


def arms(**fields: object) -> list[dict[str, object]]:
    """Two arms, the second with these fields."""
    return [{"name": "primary", "share": 0.9}, {"name": "experimental", "share": 0.1, **fields}]


def test_plan(here: Here) -> None:
    """With a file and without; in text and as JSON."""
    wanted = ("--metric", "error_rate", "--baseline", "0.03", "--change", "0.05")
    assert here.fields("plan", *wanted)["metric"] == "error_rate"
    assert "50/50" in here.told("plan", here.file(), *wanted, "--per-day", "1000")


def bucket(salt: str, unit: bytes, name: str = "trial") -> int:
    """The formula of docs/experiments.md, and no code of ours."""
    return int(hashlib.sha256(f"{name}:1:{salt}:".encode() + unit).hexdigest()[:15], 16) % 10_000


def test_assign(here: Here) -> None:
    """A line each, in order, recomputed here; a ramp covers more of the same."""
    file = here.file()
    units = [f"{number:032x}".encode() for number in range(500)] + ["Zürich 🎧".encode(), b"", b"a\tb", b"x:y"]
    rows = lines(here.told("assign", file, "--json", given=b"\n".join(units) + b"\n"))
    assert [str(row["unit"]).encode() for row in rows] == units
    for unit, row in zip(units, rows, strict=True):
        second = bucket("arm", unit)
        arm = "primary" if second < 9000 else "experimental"
        assert row == {
            "unit": unit.decode(),
            "coverage_bucket": bucket("coverage", unit),
            "arm_bucket": second,
            "arm": arm,
        }
    assert here.told("assign", file, given=b"".join(unit + b"\r\n" for unit in units)).splitlines() == [
        f"{row['unit']}\t{row['coverage_bucket']}\t{row['arm_bucket']}\t{row['arm']}".replace("a\tb", "a\\tb")
        for row in rows
    ]
    odd = ["a\tb", "a\\tb", 'a"b', "\x1b[31m", "\u2028", "\x00", "\U000e0001", "Zürich 🎧"]
    text = here.told("assign", file, given="\n".join(odd).encode()).splitlines()
    assert [json.loads(f'"{line.partition(chr(9))[0]}"') for line in text] == odd
    assert all(line.isprintable() for line in "".join(text).split("\t"))
    assert [line.split("\t")[0] for line in text[:3]] == ["a\\tb", "a\\\\tb", 'a\\"b']
    covered = 0
    for coverage in ("0", "0.01", "0.1", "0.5", "1"):
        some = lines(here.told("assign", file, "--json", "--coverage", coverage, given=b"\n".join(units)))
        assert all(row["arm"] in (None, whole["arm"]) for row, whole in zip(some, rows, strict=True))
        assert sum(row["arm"] is not None for row in some) >= covered
        covered = sum(row["arm"] is not None for row in some)
    assert covered == len(units)


@pytest.mark.parametrize("unit", [b"acme", b"", b"x" * 65_536])
def test_a_byte_order_mark_is_no_part_of_a_unit(here: Here, unit: bytes) -> None:
    """At the very start; further on it is a character as any other."""
    file, mark = here.file(), b"\xef\xbb\xbf"
    with_mark = here.told("assign", file, "--json", given=mark + unit + b"\r\nb\n" + mark + b"c\n")
    assert with_mark == here.told("assign", file, "--json", given=unit + b"\r\nb\n" + mark + b"c\n")
    assert [row["unit"] for row in lines(with_mark)] == [unit.decode(), "b", "\ufeffc"]
    assert here.told("assign", file, given=mark) == ""


def test_assign_covers_what_a_ramp_ends_with(here: Here) -> None:
    """Unless told otherwise."""
    file = here.file(ramp=[{"after_h": 0, "coverage": 0.01}, {"after_h": 1, "coverage": 0.5}])
    rows = lines(here.told("assign", file, "--json", given=b"".join(b"%d\n" % number for number in range(300))))
    assert all((row["arm"] is not None) == (int(str(row["coverage_bucket"])) < 5000) for row in rows)


def test_hostile_lines(here: Here) -> None:
    """What is no unit gets a line too, is told of, and makes status 3; the lines after it are right."""
    good = b"0123456789abcdef"
    bad = [b"\xff\xfe", b"\xed\xa0\x80", b"x" * 70_000, b"y" * 65_537]
    ended = here.run("assign", here.file(), "--json", given=b"\n".join([good, *bad, b"z" * 65_536, good]))
    rows = lines(ended.stdout)
    assert (ended.exit_code, len(rows)) == (3, 7)
    assert [row["arm"] is None for row in rows] == [False, True, True, True, True, False, False]
    assert rows[0] == rows[-1]
    assert rows[1]["error"] == "is no UTF-8; convert it first"
    assert "line 4 is longer than 65536 bytes" in ended.stderr
    many = here.run("assign", here.file(), given=b"\xff\n" * 50)
    assert (many.exit_code, len(many.stderr.splitlines())) == (3, 6)
    assert "50 lines in all" in many.stderr
    shown = here.run("assign", here.file(), given=b"\x1b[31mred\n\xff\n")
    assert "\x1b" not in shown.stdout
    nothing = here.run("assign", here.file(), given=b"")
    assert (nothing.exit_code, nothing.stdout) == (0, "")


def test_the_real_command(tmp_path: Path) -> None:
    """Through pipes, with bytes as they are; one line for an error, and a reader that leaves early is no traceback."""
    earmark = Command(tmp_path / "data")
    file = EXAMPLES / "a-against-a.yaml"
    units = b"".join(b"%032x\n" % number for number in range(20_000))
    ended = subprocess.run([EARMARK, "ab", "assign", file], env=earmark.environment, input=units, capture_output=True)  # noqa: PLW1510
    assert (ended.returncode, ended.stderr, ended.stdout.count(b"\n")) == (0, b"", 20_000)
    with subprocess.Popen(
        [EARMARK, "ab", "assign", file], env=earmark.environment, stdin=-1, stdout=-1, stderr=-1
    ) as left:
        assert left.stdin is not None
        assert left.stdout is not None
        assert left.stderr is not None
        left.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            left.stdin.write(units)
        with contextlib.suppress(BrokenPipeError):
            left.stdin.close()
        assert b"Traceback" not in left.stderr.read()
    earmark.run("init")
    wrong = earmark.run("ab", "status", "nobody")
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (2, "", 1)
    assert wrong.stderr.startswith("earmark: There is no experiment 'nobody'.")
