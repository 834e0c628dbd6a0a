"""`earmark webhook`: the commands as processes, and a real server."""

import json
from pathlib import Path

import pytest

from earmark.settings import Settings
from runtime.webhooks.parts import make_courier
from runtime.wiring import connect
from tests.flows.command import Command
from tests.servers import missing
from tests.servers.receiver import Receiver

try:
    from standardwebhooks.webhooks import Webhook as Verifier
except ImportError:
    Verifier = None


@pytest.fixture
def earmark(tmp_path: Path) -> Command:
    """The command, which may call this machine."""
    return Command(tmp_path / "data", actor="ada", webhook_private="true", synchronous="NORMAL")


def test_from_adding_to_removing(earmark: Command) -> None:
    """The secret is the last line, once; the rest is told by id."""
    with Receiver() as receiver:
        added = earmark.run("webhook", "add", receiver.url, "--tenant", "acme", "--events", "batch.completed")
        assert added.returncode == 0, added.stderr
        assert added.stdout.startswith("whsec_")
        assert added.stdout.count("\n") == 1
        [listed] = json.loads(earmark.run("webhook", "list", "--json").stdout)
        assert (listed["tenant"], listed["events"], listed["url"]) == ("acme", ["batch.completed"], receiver.url)
        assert "secrets" not in listed
        tested = earmark.run("webhook", "test", listed["id"])
        assert (tested.returncode, "delivered" in tested.stderr) == (0, True)
        receiver.status = lambda _: 500
        failed = earmark.run("webhook", "test", listed["id"], "--json")
        assert (failed.returncode, json.loads(failed.stdout)["status"]) == (3, 500)
        calls = json.loads(earmark.run("webhook", "list", listed["id"], "--json").stdout)
        assert [each["outcome"] for each in calls] == ["given_up", "delivered"]
        refused = earmark.run("webhook", "replay", listed["id"], calls[0]["event"])
        assert (refused.returncode, "cannot be told" in refused.stderr) == (2, True)
        assert earmark.run("webhook", "remove", listed["id"]).returncode == 0
        assert earmark.run("webhook", "test", listed["id"]).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "https://127.0.0.1:22/", "--tenant", "acme"), "port"),
        (("add", "ftp://acme.example/", "--tenant", "acme"), "https://"),
        (("add", "https://127.0.0.1/", "--tenant", "../acme"), "no tenant name"),
        (("add", "https://127.0.0.1/", "--tenant", "acme", "--events", "all"), "no event"),
        (("rotate", "wh_nobody"), "There is no webhook"),
    ],
)
def test_wrong_usage_is_told(earmark: Command, arguments: tuple[str, ...], told: str) -> None:
    """With what to do about it, and without a trace."""
    earmark.run("init")
    ran = earmark.run("webhook", *arguments)
    assert (ran.returncode, told in ran.stderr) == (2, True), ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_a_job_that_a_worker_settled_is_told(earmark: Command, tmp_path: Path) -> None:
    """From the audio to the receiver: what the worker left in the outbox, another process calls about."""
    if Verifier is None:
        missing("standardwebhooks", "Install the extra `dev`.")
    silence = Path(__file__).parents[2] / "examples" / "audio" / "silence.flac"
    with Receiver() as receiver:
        secret = earmark.run("webhook", "add", receiver.url, "--tenant", "acme").stdout.strip()
        analysed = earmark.run("analyze", silence, "--tenant", "acme", "--format", "json")
        assert analysed.returncode == 0, analysed.stderr
        settings = Settings(data=tmp_path / "data", webhook_private=True)
        courier = make_courier(settings, connect(settings))
        assert courier.run_once() == 1
        assert courier.landed(20)
        courier.close()
    [call] = receiver.calls
    told = Verifier(secret).verify(call.body, call.headers)
    assert told["type"] == "analysis.completed"
    assert told["data"]["id"] == json.loads(analysed.stdout)[0]["analysis"]["job_id"]
    [listed] = json.loads(earmark.run("webhook", "list", "--json").stdout)
    again = earmark.run("webhook", "replay", listed["id"], call.headers["webhook-id"])
    assert (again.returncode, "`earmark route` or `earmark up`" in again.stderr) == (0, True)
