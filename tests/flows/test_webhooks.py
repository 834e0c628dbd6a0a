"""Webhooks from the settled job to a real server, judged by the library of the Standard Webhooks project."""

import io
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from earmark.clock import utc_now
from earmark.domain import Record
from earmark.errors import ConfigurationError, Unavailable
from earmark.settings import Settings
from router.batches.batch import BatchState
from router.batches.batches import Batches
from runtime.api.job_requests import JobRequests
from runtime.erasing.erasure import tenant_request
from runtime.erasing.stores import erasable_stores
from runtime.webhooks.courier import AT_ONCE, DELAYS, OLDEST
from runtime.webhooks.endpoint import WebhookEndpoint
from runtime.webhooks.outbox import CLAIM, Box, Outbox
from runtime.webhooks.parts import announcing_to_all, make_announcing, make_courier, make_desk
from runtime.webhooks.webhook_event import EventType
from runtime.wiring import connect
from tests.clock import ManualClock
from tests.making import make_failure, make_job, make_upload
from tests.servers import free_port, missing
from tests.servers.receiver import Call, Receiver

try:
    from standardwebhooks.webhooks import Webhook as Verifier
    from standardwebhooks.webhooks import WebhookVerificationError
except ImportError:
    Verifier = None

LANDED_S = 20.0


class Post:
    """A data folder, and what calls customers' servers from it."""

    def __init__(self, folder: Path) -> None:
        """Open it; the time is that of the tests' beginning, and moves when it is told to."""
        self.clock = ManualClock()
        self.clock.time = utc_now()  # receivers refuse what is minutes old
        self.settings = Settings(
            data=folder / "data", synchronous="NORMAL", webhook_private=True, api_url="https://api.example/"
        )
        self.backend = connect(self.settings, self.clock)
        self.desk = make_desk(self.settings, self.backend, self.clock)
        self.announce = announcing_to_all(self.settings, self.backend, self.clock)
        self.courier = make_courier(self.settings, self.backend, self.clock)
        self.outbox = Outbox(self.backend.state)

    def add(self, url: str, tenant: str = "acme", **fields: Any) -> WebhookEndpoint:
        """Have a server called."""
        return self.desk.add(tenant, url, actor="ada", **fields)

    def end(self, content: str = "sound", status: str = "done", tenant: str = "acme", **fields: Any) -> Record:
        """End a job: write its record and announce it, as the settler does."""
        job = make_job(content, upload=make_upload(content, tenant))
        failures = () if status == "done" else (make_failure(),)
        record = Record(
            job_id=job.id,
            tenant=tenant,
            status=status,  # type: ignore[arg-type]
            failures=failures,
            enqueued_at=self.clock(),
            settled_at=self.clock(),
            **fields,
        )
        self.backend.results.write(record.name, record.model_dump_json().encode(), content_type="application/json")
        self.announce([record])
        return record

    def deliver(self) -> int:
        """Make what is due, all of it; returns how many calls were begun at first."""
        begun = self.courier.run_once()
        assert self.courier.landed(LANDED_S)
        return begun

    def waiting(self) -> list[str]:
        """The names of the calls that wait."""
        return [info.name for info in self.backend.state.scan("outbox/")]

    def told(self, endpoint: WebhookEndpoint) -> list[tuple[object, object, object]]:
        """Attempt, status and outcome of each call, the latest first."""
        rows = self.desk.deliveries(endpoint.tenant, endpoint.id)
        return [(row["attempt"], row["status"], row["outcome"]) for row in rows]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """A data folder."""
    made = Post(tmp_path)
    yield made
    made.courier.close()


def secret_of(endpoint: WebhookEndpoint) -> str:
    """The secret in force."""
    return endpoint.secrets[0].value.get_secret_value()


def test_a_settled_job_is_told_once_signed_and_thin(post: Post) -> None:
    """The official library accepts it, and refuses it with a byte changed; the log has it."""
    if Verifier is None:
        missing("standardwebhooks", "Install the extra `dev`.")
    with Receiver() as receiver:
        endpoint = post.add(receiver.url)
        record = post.end()
        assert post.deliver() == 1
        assert post.deliver() == 0
    [call] = receiver.calls
    told = Verifier(secret_of(endpoint)).verify(call.body, call.headers)
    assert told == {
        "type": "analysis.completed",
        "timestamp": record.settled_at.isoformat(),
        "data": {
            "id": record.job_id,
            "status": "done",
            "batch": None,
            "links": {"self": f"https://api.example/v1/analyses/{record.job_id}"},
        },
    }
    assert len(call.body) < 20_000
    assert post.waiting() == []
    assert post.told(endpoint) == [(1, 204, "delivered")]
    with pytest.raises(WebhookVerificationError):
        Verifier(secret_of(endpoint)).verify(call.body.replace(b"done", b"gone"), call.headers)


def test_announced_again_it_is_the_same_event(post: Post) -> None:
    """A settler that was killed before it acknowledged announces again: the same id, so that receivers see it."""
    with Receiver() as receiver:
        post.add(receiver.url)
        record = post.end()
        post.announce([record])
        assert len(post.waiting()) == 1
        post.deliver()
        post.announce([record])
        post.deliver()
    ids = [call.headers["webhook-id"] for call in receiver.calls]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_failures_are_their_own_event_and_each_hears_what_it_chose(post: Post) -> None:
    """And of nobody else's."""
    with Receiver() as all_of_them, Receiver() as failures, Receiver() as stranger:
        post.add(all_of_them.url)
        post.add(failures.url, events=[EventType.ANALYSIS_FAILED])
        post.add(stranger.url, tenant="other")
        post.end("a")
        post.end("b", status="failed")
        post.end("c", status="rejected")
        post.deliver()
        post.deliver()
    heard = [json.loads(call.body) for call in failures.calls]
    assert [each["type"] for each in heard] == ["analysis.failed"] * 2
    assert heard[0]["data"]["error"] == {"kind": "model_crashed"}
    assert {each["data"]["status"] for each in heard} == {"failed", "rejected"}
    assert len(all_of_them.calls) == 3
    assert stranger.calls == []


def test_jobs_of_batches_are_told_to_those_that_want_each(post: Post) -> None:
    """And to all, where somebody asked the API for the same job."""
    with Receiver() as plain, Receiver() as each:
        post.add(plain.url)
        post.add(each.url, each_of_batches=True)
        post.end("a", batch="0" * 32)
        job = make_job("b")
        JobRequests(post.backend.state, post.backend.results, post.clock).add(job.id, make_upload("b"), None)
        post.end("b", batch="0" * 32)
        post.deliver()
    assert [json.loads(call.body)["data"]["id"] for call in plain.calls] == [job.id]
    assert len(each.calls) == 2


def test_a_failed_call_is_made_again_ten_times_over_three_days(post: Post) -> None:
    """As the specification advises, and not a moment earlier; then it is given up."""
    with Receiver(lambda _: 503) as receiver:
        endpoint = post.add(receiver.url)
        post.end()
        assert post.deliver() == 1
        for delay in DELAYS:
            post.clock.move(delay.total_seconds() - 0.1)
            assert post.deliver() == 0, f"early by {delay}"
            post.clock.move(delay.total_seconds() * 0.2 + 0.2)
            assert post.deliver() == 1, f"late by {delay}"
        post.clock.move(10 * 86_400)
        assert post.deliver() == 0
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
    assert len({call.body for call in receiver.calls}) == 1
    assert post.told(endpoint) == [(10, 503, "given_up"), *((n, 503, "retrying") for n in range(9, 0, -1))]
    assert post.waiting() == []
    stamps = [int(call.headers["webhook-timestamp"]) for call in receiver.calls]
    assert 86_400 < stamps[-1] - stamps[0] < OLDEST.total_seconds()


def test_gone_disables_and_nothing_is_sent_any_more(post: Post) -> None:
    """410: what waits is written down as untold, later events are not queued; enabled, it is called again."""
    with Receiver(lambda _: 410) as receiver:
        endpoint = post.add(receiver.url)
        post.end("a")
        post.deliver()
        gone = post.desk.endpoints.find("acme", endpoint.id)
        assert gone is not None
        assert not gone.enabled
        assert "410" in gone.disabled_why
        post.end("b")
        assert post.waiting() == []
        receiver.status = lambda _: 204
        assert post.desk.enable(gone, "ada") is not None
        post.clock.move(1)
        post.end("c")
        post.deliver()
    assert len(receiver.calls) == 2
    assert post.told(endpoint) == [(1, 204, "delivered"), (1, 410, "disabled")]


def test_what_waited_when_it_was_disabled_is_written_down(post: Post) -> None:
    """So that it can be replayed."""
    with Receiver(lambda _: 410 if len(receiver.calls) > 1 else 500) as receiver:
        endpoint = post.add(receiver.url)
        post.end("a")
        post.deliver()
        post.clock.move(1)
        post.end("b")
        post.deliver()
        post.clock.move(60)
        post.deliver()
    assert post.told(endpoint) == [(2, None, "disabled"), (1, 410, "disabled"), (1, 500, "retrying")]


def test_a_removed_one_is_forgotten_with_what_waits(post: Post) -> None:
    """And what was put there by somebody who had not heard of it is not sent."""
    with Receiver(lambda _: 500) as receiver:
        endpoint = post.add(receiver.url)
        post.end("a")
        [name] = post.waiting()
        held = post.outbox.read(name)
        assert held is not None
        assert post.desk.remove(endpoint, "ada")
        assert post.waiting() == []
        post.outbox.put([held.waiting])
        post.deliver()
    assert receiver.calls == []
    assert post.waiting() == []
    assert not post.desk.remove(endpoint, "ada")


def test_one_that_hangs_holds_up_nobody_else(post: Post) -> None:
    """It gets four threads at most, and the others their calls meanwhile."""
    over = threading.Event()

    def hang(_: Call) -> int:
        over.wait(LANDED_S)
        return 204

    with Receiver(hang) as slow, Receiver() as quick:
        post.add(slow.url, tenant="acme")
        post.add(quick.url, tenant="zebra")
        for number in range(12):
            post.end(f"a{number}", tenant="acme")
            post.end(f"z{number}", tenant="zebra")
        post.courier.run_once()
        assert quick.wait_for(12)
        assert slow.wait_for(AT_ONCE)
        assert post.courier.run_once() == 0
        assert len(slow.calls) == AT_ONCE
        over.set()
        assert slow.wait_for(12)
        assert post.courier.landed(LANDED_S)
    assert slow.at_once == AT_ONCE
    assert post.waiting() == []


def test_one_that_fails_is_called_once_at_a_time(post: Post) -> None:
    """So that many who hang cannot take all threads."""
    with Receiver(lambda _: 500) as receiver:
        post.add(receiver.url)
        for number in range(8):
            post.end(f"a{number}")
        post.deliver()
        begun = [post.deliver() for _ in range(4)]
    assert begun == [1] * 4
    assert len(receiver.calls) == 8


def test_what_is_claimed_is_left_to_its_claimant_and_taken_over_when_it_dies(post: Post) -> None:
    """Two couriers make no call twice; one that was killed in the middle is followed by another."""
    with Receiver() as receiver:
        endpoint = post.add(receiver.url)
        post.end()
        [name] = post.waiting()
        held = post.outbox.read(name)
        assert held is not None
        assert post.outbox.claim(held, post.clock(), post.clock() + timedelta(seconds=5)) is not None
        assert post.outbox.claim(held, post.clock(), post.clock() + timedelta(seconds=5)) is None
        post.deliver()
        assert receiver.calls == []
        post.clock.move(CLAIM.total_seconds() + 1)
        post.deliver()
        assert len(receiver.calls) == 1
    assert post.told(endpoint) == [(1, 204, "delivered")]


def test_killed_between_the_next_call_and_the_last_it_goes_on_once(post: Post) -> None:
    """When the next call is written down already, the one before is only forgotten."""
    with Receiver() as receiver:
        post.add(receiver.url)
        post.end()
        [name] = post.waiting()
        held = post.outbox.read(name)
        assert held is not None
        claimed = post.outbox.claim(held, post.clock(), post.clock() + timedelta(hours=1))
        assert claimed is not None
        again = claimed.waiting.again()
        assert again is not None
        post.outbox.put([again])
        post.clock.move(CLAIM.total_seconds() + 1)
        post.deliver()
        assert receiver.calls == []
        assert post.waiting() == [again.name]


def test_a_backlog_that_is_too_old_is_given_up_unmade(post: Post) -> None:
    """Else one who hangs would be called for weeks."""
    with Receiver() as receiver:
        endpoint = post.add(receiver.url)
        post.end()
        post.clock.move(OLDEST.total_seconds() + 1)
        post.deliver()
    assert receiver.calls == []
    assert post.told(endpoint) == [(1, None, "given_up")]


def test_rotated_both_secrets_sign_for_a_day(post: Post) -> None:
    """So that a receiver can change over; then the new one alone does."""
    if Verifier is None:
        missing("standardwebhooks", "Install the extra `dev`.")
    with Receiver() as receiver:
        old = post.add(receiver.url)
        new = post.desk.rotate(old, "ada")
        assert new is not None
        post.end("a")
        post.deliver()
        [call] = receiver.calls
        for endpoint in (old, new):
            Verifier(secret_of(endpoint)).verify(call.body, call.headers)
        post.clock.move(86_401)
        post.end("b")
        post.deliver()
        signatures = receiver.calls[-1].headers["webhook-signature"].split(" ")
        assert len(signatures) == 1
        signed = signatures[0]
    stamp = utc_now().fromtimestamp(int(receiver.calls[-1].headers["webhook-timestamp"]), utc_now().tzinfo)
    identity, body = receiver.calls[-1].headers["webhook-id"], receiver.calls[-1].body.decode()
    assert signed == Verifier(secret_of(new)).sign(identity, stamp, body)
    assert signed != Verifier(secret_of(old)).sign(identity, stamp, body)


def test_however_often_it_is_rotated_two_secrets_sign(post: Post) -> None:
    """The newest and the one before it, so that a call does not grow."""
    with Receiver() as receiver:
        endpoint = post.add(receiver.url)
        secrets = [secret_of(endpoint)]
        for _ in range(5):
            changed = post.desk.rotate(endpoint, "ada")
            assert changed is not None
            secrets.append(secret_of(changed))
        post.end()
        post.deliver()
    assert [each.get_secret_value() for each in changed.signing(post.clock())] == secrets[:-3:-1]
    assert len(receiver.calls[0].headers["webhook-signature"].split(" ")) == 2


def test_replayed_by_hand_it_is_the_same_event_with_tries_of_its_own(post: Post) -> None:
    """Also after it was given up; what has no call, or is not there any more, cannot be."""
    with Receiver(lambda _: 500) as receiver:
        endpoint = post.add(receiver.url)
        record = post.end()
        post.deliver()
        first = receiver.calls[0]
        event = first.headers["webhook-id"]
        post.outbox.clear(Box("acme", endpoint.id))
        assert post.desk.replay(endpoint, event, "ada") is not None
        post.deliver()
        assert (receiver.calls[1].headers["webhook-id"], receiver.calls[1].body) == (event, first.body)
        assert post.told(endpoint) == [(2, 500, "retrying"), (1, 500, "retrying")]
        assert post.desk.replay(endpoint, "evt_" + "0" * 32, "ada") is None
        info = post.backend.results.stat(record.name)
        assert info is not None
        post.backend.results.delete(record.name, if_generation=info.generation)
        assert post.desk.replay(endpoint, event, "ada") is None


def test_a_test_calls_at_once_and_is_no_promise(post: Post) -> None:
    """It says what came of it, and is not repeated."""
    with Receiver() as receiver:
        endpoint = post.add(receiver.url)
        assert post.desk.test(endpoint).outcome == "delivered"
        receiver.status = lambda _: 500
        row = post.desk.test(endpoint)
        assert (row.status, row.outcome, row.detail) == (500, "given_up", "it answers 500")
        assert json.loads(receiver.calls[0].body)["type"] == "webhook.test"
    assert post.waiting() == []


def test_nobody_there_is_tried_again(post: Post) -> None:
    """And the log says what was wrong, without anything secret."""
    endpoint = post.add(f"http://127.0.0.1:{free_port()}/hook?token=very-secret")
    post.end()
    post.deliver()
    [row] = post.desk.deliveries("acme", endpoint.id)
    assert row["status"] is None
    assert row["outcome"] == "retrying"
    assert "cannot be reached" in str(row["detail"])
    assert "very-secret" not in str(row)


def test_every_change_is_in_the_audit_log(post: Post) -> None:
    """By whom, to which; neither address nor secret."""
    with Receiver() as receiver:
        endpoint = post.add(receiver.url)
        post.desk.rotate(endpoint, "ada")
        post.desk.enable(endpoint, "ada")
        post.desk.remove(endpoint, "ada")
    rows = post.backend.warehouse.query("audit_entries", {"action": "webhook."})
    assert [row["action"] for row in reversed(rows)] == [
        "webhook.add",
        "webhook.rotate",
        "webhook.enable",
        "webhook.remove",
    ]
    assert {(row["actor"], row["subject"], row["tenant"]) for row in rows} == {("ada", endpoint.id, "acme")}
    assert "127.0.0.1" not in str(rows)
    assert secret_of(endpoint) not in str(rows)


def test_there_are_only_so_many(post: Post) -> None:
    """Ten of a customer; an address that is none is refused before anything is written."""
    for number in range(10):
        post.add(f"http://127.0.0.1:8{number}00/")
    with pytest.raises(ConfigurationError, match="is the most"):
        post.add("http://127.0.0.1:8999/")
    with pytest.raises(ConfigurationError, match="https://"):
        post.add("ftp://127.0.0.1/", tenant="other")
    assert len(post.desk.endpoints.all("acme")) == 10
    assert post.desk.endpoints.all("other") == []


def test_a_secret_is_in_no_repr(post: Post) -> None:
    """It is in the store alone, where it must be."""
    with Receiver() as receiver:
        endpoint = post.add(receiver.url)
    assert secret_of(endpoint) not in repr(endpoint)
    assert post.desk.endpoints.find("acme", endpoint.id) == endpoint
    assert post.desk.endpoints.find("other", endpoint.id) is None


def test_running_it_calls_until_it_is_told_to_stop(post: Post) -> None:
    """As a server does it, in a thread."""
    stop = threading.Event()
    with Receiver() as receiver:
        post.add(receiver.url)
        thread = threading.Thread(target=post.courier.run, args=(stop,))
        thread.start()
        try:
            post.end("a")
            assert receiver.wait_for(1)
            post.end("b")
            assert receiver.wait_for(2)
        finally:
            stop.set()
            thread.join()


def test_the_settler_is_told_when_the_outbox_is_out_of_reach(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it does not acknowledge a job that nobody would hear of."""
    with Receiver() as receiver:
        post.add(receiver.url)

    def down(*_: object, **__: object) -> None:
        message = "The bucket cannot be reached"
        raise Unavailable(message)

    announcing = make_announcing(post.settings, post.backend, post.clock)
    monkeypatch.setattr(type(post.backend.state), "write", down)
    job = make_job()
    record = Record(job_id=job.id, tenant="acme", status="done", enqueued_at=post.clock(), settled_at=post.clock())
    with pytest.raises(Unavailable):
        announcing.announce([record])


def test_of_an_erased_customer_nothing_is_left(post: Post) -> None:
    """Neither addresses nor secrets nor calls that wait; another's stay."""
    for tenant in ("acme", "acme-2"):
        post.add(f"http://127.0.0.1:{free_port()}/", tenant=tenant)
        post.end(tenant=tenant)
    stores = {each.name: each for each in erasable_stores(post.backend)}
    request = tenant_request("acme", post.clock)
    assert [stores[name].left(request) for name in ("webhooks", "outbox")] == [1, 1]
    assert [stores[name].erase(request).items for name in ("webhooks", "outbox")] == [1, 1]
    left = [info.name for folder in ("webhooks/", "outbox/") for info in post.backend.state.scan(folder)]
    assert len(left) == 2
    assert all("acme-2" in name for name in left)


def test_an_erased_content_is_told_nowhere(post: Post) -> None:
    """Calls about its jobs go; others wait on."""
    post.add(f"http://127.0.0.1:{free_port()}/")
    gone, kept = post.end("a"), post.end("b")
    outbox = next(each for each in erasable_stores(post.backend) if each.name == "outbox")
    request = tenant_request("acme", post.clock).model_copy(update={"kind": "content", "jobs": (gone.job_id,)})
    assert outbox.erase(request).items == 1
    [name] = post.waiting()
    held = post.outbox.read(name)
    assert held is not None
    assert held.waiting.event.subject == kept.job_id


def test_a_batch_that_ended_is_told_and_replayed(post: Post) -> None:
    """With its state and the address of its results; told twice by whoever was killed, it is the same event."""
    batches = Batches(post.backend.state, post.clock, max_entries=100)
    made = batches.make("acme", io.BytesIO(b'{"uri": "gs://a/b.wav"}\n'), made_by="key:1", name="May")
    ended = made.model_copy(update={"state": BatchState.ENDED, "ended_at": post.clock(), "queued": 3, "rejected": 1})
    announcing = make_announcing(post.settings, post.backend, post.clock)
    with Receiver() as receiver, Receiver() as other:
        endpoint = post.add(receiver.url, events=[EventType.BATCH_COMPLETED])
        post.add(other.url, events=[EventType.ANALYSIS_COMPLETED])
        announcing.batch_ended(ended)
        announcing.batch_ended(ended)
        found = batches.find("acme", made.id)
        assert found is not None
        assert batches.save(found, ended) is not None
        post.deliver()
        [call] = receiver.calls
        assert post.desk.replay(endpoint, call.headers["webhook-id"], "ada") is not None
        post.deliver()
    assert other.calls == []
    assert [each.body for each in receiver.calls] == [call.body] * 2
    assert json.loads(call.body)["data"] == {
        "id": made.id,
        "name": "May",
        "status": "ended",
        "entries": 4,
        "links": {
            "self": f"https://api.example/v1/batches/{made.id}",
            "results": f"https://api.example/v1/batches/{made.id}/results",
        },
    }
