"""The pods that people are sent to: whatever the documents say to run there, its account may do."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

import runtime.doctor
import runtime.wiring
from earmark.clock import utc_now
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime import exit_status
from runtime.cli import app
from runtime.local.backend import connect_local
from runtime.mounted_secrets import take_mounted
from runtime.needs import NEEDS
from tests.account import Account
from tests.granted import grants, may, table
from tests.kubernetes import ROOT, Object, base_objects, pods, settings_of
from tests.making import make_failure, make_job

DOCS: Final = ROOT / "docs"
RUNBOOKS: Final = (DOCS / "runbooks.md").read_text(encoding="utf-8")
KINDS: Final = {"Deployment": "deploy", "StatefulSet": "statefulset"}
BY_HAND: Final = "job/retention-by-hand"
POD: Final = re.compile(r"(?:deploy|statefulset|job)/[a-z-]+")
EXEC: Final = re.compile(r"exec ((?:deploy|statefulset|job)/[a-z-]+) -- (?:env \S+ )?earmark ([a-z][^\n`#|]*)")
ELSEWHERE: Final = frozenset({"analyze", "api", "init", "route", "up", "validate", "work"})
"""What the runbooks name and no pod is asked to run: processes, and what is for development or one machine."""
FINE: Final = frozenset({0, exit_status.SOME_NOT_DONE})

SAMPLES: Final = (
    ("deploy/operator", "status"),
    ("deploy/operator", "report failures_by_kind"),
    ("deploy/operator", "spend"),
    ("deploy/operator", "cost report"),
    ("deploy/operator", "dlq list"),
    ("deploy/operator", "dlq stats"),
    ("deploy/operator", "dlq show JOB"),
    ("deploy/operator", "dlq replay JOB --dry-run"),
    ("deploy/operator", "dlq replay JOB --canary 0"),
    ("deploy/operator", "dlq discard JOB --reason tried"),
    ("deploy/operator", "ab status"),
    ("deploy/operator", "batch list"),
    ("deploy/operator", "webhook list"),
    ("deploy/operator", "tenant add bcme --tier pro"),
    ("deploy/operator", "audit verify"),
    ("deploy/operator", "config"),
    ("deploy/operator", "controller --once"),
    ("deploy/operator", "retention status"),
    ("deploy/operator", "retention explain uploads/acme/song.wav"),
    ("deploy/operator", "retention notices"),
    ("deploy/operator", "retention run"),
    ("deploy/operator", "retention reconcile"),
    ("deploy/operator", "retention stop --reason tried"),
    ("deploy/operator", "retention resume --reason tried"),
    ("deploy/operator", "retention unbounce acme --reason tried"),
    ("deploy/worker-high", "alive"),
    ("deploy/worker-low", "alive"),
    (BY_HAND, "retention run --execute"),
    (BY_HAND, "retention archive --execute"),
    (BY_HAND, "retention sweep --execute"),
    (BY_HAND, "retention rows --execute"),
    (BY_HAND, "retention reconcile --execute"),
    (BY_HAND, "retention erase --tenant acme --reason asked --execute"),
    *((pod, "doctor") for pod in ("deploy/api", "deploy/router", "statefulset/controller")),
    *((pod, "doctor") for pod in ("deploy/worker-high", "deploy/worker-low", "deploy/operator")),
)
"""What each pod is said to run, with arguments; ``retention apply`` is the second half of ``run --execute``."""
ABSENT: Final = frozenset({"retention explain", "retention unbounce", "alive"})
"""Commands that find nothing in an empty world, and say so."""


@cache
def workloads() -> dict[str, Object]:
    """Pods that can be asked, by the name that kubectl takes; the one by hand is made of the one by the clock."""
    found = {}
    for each, _ in pods(base_objects()):
        name = each["metadata"]["name"]
        found[BY_HAND if each["kind"] == "CronJob" else f"{KINDS[each['kind']]}/{name}"] = each
    return found


def pod_of(pod: str) -> tuple[str, dict[str, str]]:
    """The account that a pod acts as, and its settings."""
    [spec] = [spec for each, spec in pods(base_objects()) if each == workloads()[pod]]
    return spec["serviceAccountName"], settings_of(base_objects(), spec["containers"][0])


def said() -> Iterator[tuple[str, str]]:
    """The table of the runbooks: pods and the beginnings of commands."""
    section = RUNBOOKS[RUNBOOKS.index("**On Kubernetes** every") : RUNBOOKS.index("Who deletes is the account")]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) == 4
    for row in rows:
        commands, where = row.strip("| ").split(" | ")
        family = ""
        for part in commands.split(";"):
            for name in re.findall(r"`([^`]+)`", part):
                if name.startswith("--"):
                    continue
                if name == "retention":
                    family = "retention "
                    continue
                word = name if name.startswith("retention ") else family + name
                family = "retention " if word.startswith("retention ") else family
                yield from ((pod, word) for pod in POD.findall(where))


def written() -> Iterator[tuple[str, str, str]]:
    """Every command that some document sends to a pod."""
    for path in sorted(DOCS.glob("*.md")):
        for pod, command in EXEC.findall(path.read_text(encoding="utf-8")):
            yield path.name, pod, command.strip()


def test_the_table_says_what_is_tried_here() -> None:
    """And the other way round: nothing is promised that was not tried as that account."""
    told = {(pod, command) for pod, command in said() if command != "retention apply"}
    tried = set(SAMPLES)
    missing = {each for each in told if not any(_begins(sample, each) for sample in tried)}
    assert missing == set()
    assert {each for each in tried if not any(_begins(each, row) for row in told)} == set()


def _begins(sample: tuple[str, str], row: tuple[str, str]) -> bool:
    return sample[0] == row[0] and sample[1].split()[: len(row[1].split())] == row[1].split()


def test_documents_send_people_to_pods_that_may() -> None:
    """Each command in a pod that the table names for it."""
    told, found = set(said()), list(written())
    assert {"runbooks.md", "deployment.md", "dead-letters.md"} <= {document for document, _, _ in found}
    wrong = [each for each in found if not any(_begins(each[1:], row) for row in told)]
    assert wrong == []
    assert [each for each in found if "--execute" in each[2] and each[1] != BY_HAND] == []


def test_every_command_of_the_runbooks_has_a_pod() -> None:
    """Whoever is woken need not guess where."""
    words = {re.split(r"[ `]", each)[0] for each in re.findall(r"`earmark ([a-z][^`]*)`", RUNBOOKS)}
    assert words - {command.split()[0] for _, command in said()} - ELSEWHERE == set()


def test_the_pod_by_hand_is_made_of_what_there_is() -> None:
    """The documented change waits in place of running, and everything else stays as the clock's."""
    [changes] = re.findall(r"--type=json -p '(\[.*?\])'", RUNBOOKS, re.DOTALL)
    job = json.loads(json.dumps(workloads()[BY_HAND]["spec"]["jobTemplate"]["spec"]))
    [container] = job["template"]["spec"]["containers"]
    arguments = container.pop("args")
    expected = json.loads(json.dumps(job))
    expected["template"]["spec"]["containers"][0]["command"] = ["sleep", "infinity"]
    expected["activeDeadlineSeconds"] = 86400
    container["args"] = arguments
    for each in json.loads(changes):
        *folders, name = each["path"].removeprefix("/spec/").split("/")
        place = job
        for folder in folders:
            place = place[int(folder) if isinstance(place, list) else folder]
        assert (name in place) is (each["op"] != "add"), "kubectl refuses to replace or remove what is not there"
        if each["op"] == "remove":
            del place[name]
        else:
            place[name] = each["value"]
    assert job == expected


def test_nobody_enters_the_pod_by_hand_before_it_is_there() -> None:
    """An image that is being pulled refuses; and it is deleted by people, after their command."""
    [block] = [each for each in RUNBOOKS.split("```") if "create job retention-by-hand" in each]
    verbs = re.findall(r"kubectl (?:-n \$NS )?([a-z]+)", block)
    assert verbs == ["create", "patch", "apply", "wait", "exec", "delete"]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], tuple[Account, Result]]:
    """Runs a command as a pod would, over a world with one buried job."""
    backend = connect_local(Settings(data=tmp_path, synchronous="NORMAL"), utc_now)
    job = make_job()
    backend.lanes[Lane.LOW].put([job])
    [lease] = backend.lanes[Lane.LOW].lease(1, 60)
    assert backend.lanes[Lane.LOW].bury(lease, make_failure())

    def invoke(pod: str, command: str) -> tuple[Account, Result]:
        name, settings = pod_of(pod)
        account = Account(name)
        monkeypatch.setattr(
            runtime.wiring, "connect_local", lambda *words, **named: account.of(connect_local(*words, **named))
        )
        monkeypatch.setattr(runtime.doctor, "_decoder", lambda _: "not tried here")
        given = {
            "EARMARK_DATA": str(tmp_path),
            "EARMARK_ROLE": settings["EARMARK_ROLE"],
            "EARMARK_SYNCHRONOUS": "NORMAL",
        }
        words = shlex.split(command.replace("JOB", job.id))
        return account, CliRunner().invoke(app, words, env=given)

    return invoke


@pytest.mark.parametrize(("pod", "command"), SAMPLES)
def test_the_account_of_a_pod_may_do_what_is_run_there(
    run: Callable[[str, str], tuple[Account, Result]], pod: str, command: str
) -> None:
    """Nothing is refused by what Terraform grants, and the command comes to its end."""
    account, result = run(pod, command)
    assert account.refused == [], result.output
    if not command.startswith(tuple(ABSENT)):
        assert result.exit_code in FINE, result.output + str(result.exception)


@pytest.mark.parametrize(
    ("pod", "command"),
    [
        ("deploy/router", "dlq list"),
        ("deploy/api", "dlq list"),
        ("statefulset/controller", "tenant add bcme --tier pro"),
        (BY_HAND, "status"),
        ("deploy/operator", "retention erase --tenant acme --reason asked --execute"),
    ],
)
def test_these_tests_notice_what_is_not_granted(
    run: Callable[[str, str], tuple[Account, Result]], tmp_path: Path, pod: str, command: str
) -> None:
    """Else they would show nothing; with an upload that nobody told of, for what dates uploads."""
    uploads = connect_local(Settings(data=tmp_path, synchronous="NORMAL"), utc_now).bucket("uploads")
    uploads.write("acme/song.wav", b"sound", content_type="audio/wav")
    account, result = run(pod, command)
    assert account.refused
    assert result.exit_code != 0


@pytest.mark.parametrize("pod", ["deploy/api", "deploy/router", "deploy/operator"])
def test_who_is_asked_about_queues_can_tell(run: Callable[[str, str], tuple[Account, Result]], pod: str) -> None:
    """``earmark status`` works wherever somebody happens to be."""
    account, result = run(pod, "status")
    assert (account.refused, result.exit_code) == ([], 0)


def test_every_pod_says_what_it_is_there_for() -> None:
    """As ``earmark doctor`` takes it."""
    roles = {pod: pod_of(pod)[1]["EARMARK_ROLE"] for pod in workloads()}
    expected = {pod: re.sub(r"-(high|low|by-hand)$", "", pod.partition("/")[2]) for pod in workloads()}
    assert roles == expected
    assert set(roles.values()) == set(NEEDS) - {""}


@pytest.mark.parametrize("pod", list(workloads()))
def test_the_doctor_asks_for_what_is_granted_and_for_nothing_else(pod: str) -> None:
    """Each queue whose depth an account may ask, and each bucket it may look into."""
    account, settings = pod_of(pod)
    needs = NEEDS[settings["EARMARK_ROLE"]]
    assert set(needs.queues) == may(account, "pubsub.viewer")
    seen = {each.on for each in grants() if each.component == account and each.column == "Cloud Storage"}
    assert set(needs.buckets) == seen


def test_the_operators_pod_waits_and_serves_nothing() -> None:
    """As the account that may pull dead letters, in an image that has a model to replay with."""
    each = workloads()["deploy/operator"]
    account, settings = pod_of("deploy/operator")
    [container] = each["spec"]["template"]["spec"]["containers"]
    assert account == "dlq"
    assert "dead" in may(account, "pubsub.subscriber")
    assert (container["command"], container["image"]) == (["sleep", "infinity"], "earmark-worker")
    assert settings["EARMARK_METRICS_PORT"] == "0"
    assert "role" not in each["spec"]["template"]["metadata"]["labels"], "nothing is collected from it"


def test_the_page_of_google_cloud_names_the_roles_that_are_granted() -> None:
    """Errors send people to it.  ``python -m tests.granted`` prints the table."""
    assert table() in (DOCS / "google-cloud.md").read_text(encoding="utf-8")


def test_files_of_secrets_become_variables(tmp_path: Path) -> None:
    """By ``kubectl exec`` as well; what the environment has stays."""
    for name, text in {"OPENAI_API_KEY": "key\n", "EARMARK_ACTOR": "file", "notes.txt": "not one"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    environment = {"SECRETS_FOLDER": str(tmp_path), "EARMARK_ACTOR": "ann", "OPENAI_API_KEY": ""}
    take_mounted(environment)
    assert environment == {"SECRETS_FOLDER": str(tmp_path), "EARMARK_ACTOR": "ann", "OPENAI_API_KEY": "key"}
    nothing: dict[str, Any] = {"SECRETS_FOLDER": str(tmp_path / "none")}
    take_mounted(nothing)
    assert len(nothing) == 1
