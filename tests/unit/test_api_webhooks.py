"""The endpoints of webhooks: who may do what, what is shown once, and what is refused."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from earmark.clock import utc_now
from earmark.domain import Record
from router.access_scopes import AccessScope
from runtime.endpoints.calling_out import CallingOut, Errand
from runtime.endpoints.problem import Problem
from runtime.webhooks.courier import Courier
from runtime.webhooks.parts import make_announcing, make_courier
from tests.api_world import ApiWorld
from tests.making import make_job, make_upload
from tests.servers import missing
from tests.servers.receiver import Call, Receiver

try:
    from standardwebhooks.webhooks import Webhook as Verifier
except ImportError:
    Verifier = None

LANDED_S = 20.0


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API that may call this machine."""
    with ApiWorld(tmp_path, webhook_private=True) as world:
        world.clock.time = utc_now()  # receivers refuse what is minutes old
        yield world


@pytest.fixture
def courier(api: ApiWorld) -> Iterator[Courier]:
    """Who makes the calls."""
    made = make_courier(api.settings, api.backend, api.clock)
    yield made
    made.close()


def add(client: TestClient, url: str, **fields: Any) -> dict[str, Any]:
    """Have a server called."""
    answer = client.post("/v1/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/webhooks/{found['id']}"
    return found


def end(api: ApiWorld, content: str = "sound", tenant: str = "acme") -> Record:
    """End a job, as a worker does."""
    job = make_job(content, upload=make_upload(content, tenant))
    record = Record(job_id=job.id, tenant=tenant, status="done", enqueued_at=api.clock(), settled_at=api.clock())
    content_bytes = record.model_dump_json().encode()
    api.backend.results.write(record.name, content_bytes, content_type="application/json")
    make_announcing(api.settings, api.backend, api.clock).announce([record])
    return record


def deliver(courier: Courier) -> None:
    """Make the calls that are due."""
    courier.run_once()
    assert courier.landed(LANDED_S)


def test_the_secret_is_shown_once_and_signs(api: ApiWorld, courier: Courier) -> None:
    """From the API to a receiver of the project's own library."""
    if Verifier is None:
        missing("standardwebhooks", "Install the extra `dev`.")
    acme = api.client("acme")
    with Receiver() as receiver:
        made = add(acme, receiver.url)
        record = end(api)
        deliver(courier)
    [call] = receiver.calls
    told = Verifier(made["secret"]).verify(call.body, call.headers)
    assert told["data"]["links"] == {"self": f"/v1/analyses/{record.job_id}"}
    [listed] = acme.get("/v1/webhooks").json()["webhooks"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert made["secret"] not in acme.get(f"/v1/webhooks/{made['id']}").text


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.example/",
        "https://user:secret@acme.example/",
        "https://acme.example:22/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.1.2.3/",
        "https://2130706433/",
        "https://localhost/",
        "https://no-such-host.invalid/",
        "ftp://acme.example/",
    ],
)
def test_addresses_that_lead_inside_are_refused(tmp_path: Path, url: str) -> None:
    """As problem details, with what to do about it; nothing is kept."""
    with ApiWorld(tmp_path) as api:
        acme = api.client("acme")
        answer = acme.post("/v1/webhooks", json={"url": url})
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:earmark:problem:webhook_refused"
        assert answer.json()["remedy"]
        assert "secret" not in answer.text
        assert acme.get("/v1/webhooks").json() == {"webhooks": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": ""},
        {"url": "https://acme.example/", "events": []},
        {"url": "https://acme.example/", "events": ["webhook.test"]},
        {"url": "https://acme.example/", "secret": "mine"},
        {"url": "https://acme.example/" + "x" * 2000},
    ],
)
def test_malformed_ones_are_refused(api: ApiWorld, body: dict[str, Any]) -> None:
    """Before anything is looked up."""
    assert api.client("acme").post("/v1/webhooks", json=body).status_code == 422


def test_a_customer_sees_its_own_alone(api: ApiWorld, courier: Courier) -> None:
    """Whatever is another's is answered like what does not exist."""
    acme, other = api.client("acme"), api.client("other")
    with Receiver() as receiver:
        made = add(acme, receiver.url)
        end(api)
        deliver(courier)
        event = receiver.calls[0].headers["webhook-id"]
        assert other.get("/v1/webhooks").json() == {"webhooks": []}
        for identity in (made["id"], "wh_" + "0" * 20):
            path = f"/v1/webhooks/{identity}"
            answers = [
                other.get(path),
                other.delete(path),
                other.post(f"{path}/test"),
                other.post(f"{path}/rotate"),
                other.post(f"{path}/enable"),
                other.get(f"{path}/deliveries"),
                other.post(f"{path}/deliveries/{event}/replay"),
            ]
            assert [each.status_code for each in answers] == [404] * 7
            assert len({each.text for each in answers[:6]}) == 1
    assert len(receiver.calls) == 1
    assert acme.get(f"/v1/webhooks/{made['id']}").status_code == 200


def test_it_takes_a_key_for_webhooks(api: ApiWorld) -> None:
    """None is 401, one for something else 403."""
    everything_else = [each for each in AccessScope if each is not AccessScope.WEBHOOKS]
    assert api.anybody().get("/v1/webhooks").status_code == 401
    assert api.client("acme", everything_else).get("/v1/webhooks").status_code == 403
    assert api.client("acme", [AccessScope.WEBHOOKS]).get("/v1/webhooks").status_code == 200


def test_a_test_says_what_came_of_it(api: ApiWorld) -> None:
    """Answered, and not answered as it should be."""
    acme = api.client("acme")
    with Receiver() as receiver:
        made = add(acme, receiver.url)
        good = acme.post(f"/v1/webhooks/{made['id']}/test").json()
        receiver.status = lambda _: 302
        bad = acme.post(f"/v1/webhooks/{made['id']}/test").json()
    assert (good["status"], good["outcome"], good["type"]) == (204, "delivered", "webhook.test")
    assert (bad["status"], bad["outcome"]) == (302, "given_up")
    assert "redirects are not followed" in bad["detail"]


def test_tests_are_bounded(api: ApiWorld) -> None:
    """One at a time of a customer, ten a minute, eight in all; while they hang, others are served and hear at once."""
    calling_out = CallingOut(monotonic=lambda: 0.0)
    api.use(calling_out=calling_out)
    over = threading.Event()

    def hang(_: Call) -> int:
        over.wait(LANDED_S)
        return 204

    names = [f"customer-{number}" for number in range(9)]
    clients = {name: api.client(name) for name in names}
    with Receiver(hang) as receiver, ThreadPoolExecutor(8) as pool:
        paths = {name: f"/v1/webhooks/{add(clients[name], receiver.url)['id']}/test" for name in names}
        first = pool.submit(clients[names[0]].post, paths[names[0]])
        assert receiver.wait_for(1)
        again = clients[names[0]].post(paths[names[0]])
        assert (again.status_code, again.headers["Retry-After"]) == (429, "10")
        others = [pool.submit(clients[name].post, paths[name]) for name in names[1:8]]
        assert receiver.wait_for(8)
        busy = clients[names[8]].post(paths[names[8]])
        assert (busy.status_code, busy.json()["type"]) == (503, "urn:earmark:problem:unavailable")
        assert busy.headers["Retry-After"]
        over.set()
        assert [each.result().json()["outcome"] for each in (first, *others)] == ["delivered"] * 8
        for _ in range(9):
            assert clients[names[0]].post(paths[names[0]]).status_code == 200
        last = clients[names[0]].post(paths[names[0]])
    assert (last.status_code, last.headers["Retry-After"]) == (429, "6")
    assert last.headers["RateLimit"]


def test_a_request_does_not_wait_for_a_name_that_hangs(api: ApiWorld) -> None:
    """It is answered, and the thread stays taken."""
    calling_out, over = CallingOut(within_s=0.05), threading.Event()

    async def ask() -> None:
        errand = Errand("acme", "tests", 10)
        with pytest.raises(Problem) as late:
            await calling_out.run(errand, over.wait)
        assert late.value.status == 503
        with pytest.raises(Problem) as taken:
            await calling_out.run(errand, over.wait)
        assert taken.value.status == 429

    asyncio.run(ask())
    over.set()


def test_setting_one_does_not_tell_what_our_network_calls_itself(tmp_path: Path) -> None:
    """A name that leads inside and one that is none are refused alike, but for the name."""
    with ApiWorld(tmp_path) as api:
        acme = api.client("acme")
        told = [
            acme.post("/v1/webhooks", json={"url": f"https://{host}/"}).text.replace(host, "HOST")
            for host in ("localhost", "no-such-host.invalid")
        ]
    assert told[0] == told[1]


def test_deliveries_say_when_to_the_microsecond(api: ApiWorld) -> None:
    """As the test itself said."""
    acme = api.client("acme")
    api.clock.time = api.clock.time.replace(microsecond=123_456)
    with Receiver() as receiver:
        made = add(acme, receiver.url)
        said = acme.post(f"/v1/webhooks/{made['id']}/test").json()
    assert acme.get(f"/v1/webhooks/{made['id']}/deliveries").json()["deliveries"] == [said]
    assert ".123456" in said["at"]


def test_deliveries_come_in_pages_and_are_replayed(api: ApiWorld, courier: Courier) -> None:
    """The latest first, each once; a replay has the same id and body."""
    acme = api.client("acme")
    with Receiver() as receiver:
        made = add(acme, receiver.url)
        path = f"/v1/webhooks/{made['id']}/deliveries"
        for number in range(5):
            api.clock.move(1)
            end(api, f"sound {number}")
            deliver(courier)
        seen, cursor = list[str](), ""
        while True:
            page = acme.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
            seen += [each["event"] for each in page["deliveries"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert seen == [call.headers["webhook-id"] for call in reversed(receiver.calls)]
        api.clock.move(1)
        again = acme.post(f"{path}/{seen[-1]}/replay")
        assert again.status_code == 202
        deliver(courier)
        assert receiver.calls[-1].body == receiver.calls[0].body
        assert receiver.calls[-1].headers["webhook-id"] == seen[-1]
        about = acme.get(path, params={"event": seen[-1]}).json()["deliveries"]
        assert [each["attempt"] for each in about] == [2, 1]
        assert acme.post(f"{path}/evt_{'0' * 32}/replay").status_code == 404
        assert acme.get(path, params={"cursor": "../../x"}).status_code == 422


def test_one_that_is_gone_is_enabled_by_hand(api: ApiWorld, courier: Courier) -> None:
    """Until then it is neither tested nor told again."""
    acme = api.client("acme")
    with Receiver(lambda _: 410) as receiver:
        made = add(acme, receiver.url)
        end(api)
        deliver(courier)
        path = f"/v1/webhooks/{made['id']}"
        shown = acme.get(path).json()
        assert (shown["enabled"], "410" in shown["disabled_why"]) == (False, True)
        event = receiver.calls[0].headers["webhook-id"]
        for each in (f"{path}/test", f"{path}/deliveries/{event}/replay"):
            answer = acme.post(each)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:earmark:problem:webhook_disabled")
        assert acme.post(f"{path}/enable").json()["enabled"] is True
        assert acme.post(f"{path}/test").status_code == 200


def test_rotating_shows_a_new_secret(api: ApiWorld) -> None:
    """Once."""
    acme = api.client("acme")
    made = add(acme, "http://127.0.0.1:8999/")
    changed = acme.post(f"/v1/webhooks/{made['id']}/rotate").json()
    assert changed["secret"].startswith("whsec_")
    assert changed["secret"] != made["secret"]
    assert {**changed, "secret": ""} == {**made, "secret": ""}


def test_there_are_only_so_many(api: ApiWorld) -> None:
    """The eleventh is refused, until one is removed."""
    acme = api.client("acme")
    made = [add(acme, f"http://127.0.0.1:{port}/") for port in range(8990, 9000)]
    refused = acme.post("/v1/webhooks", json={"url": "http://127.0.0.1:9000/"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:earmark:problem:too_many_webhooks")
    assert acme.delete(f"/v1/webhooks/{made[0]['id']}").status_code == 204
    assert acme.delete(f"/v1/webhooks/{made[0]['id']}").status_code == 404
    add(acme, "http://127.0.0.1:9000/")


def test_changes_are_in_the_audit_log_by_key(api: ApiWorld) -> None:
    """And looks at deliveries in the access log."""
    acme = api.client("acme")
    made = add(acme, "http://127.0.0.1:8999/")
    acme.get(f"/v1/webhooks/{made['id']}/deliveries")
    acme.delete(f"/v1/webhooks/{made['id']}")
    api.parts.access.flush()
    rows = api.backend.warehouse.query("audit_entries", {"action": "webhook."})
    assert sorted(str(row["action"]) for row in rows) == ["webhook.add", "webhook.deliveries_read", "webhook.remove"]
    assert all(str(row["actor"]).startswith("key:") for row in rows)
    assert made["secret"] not in json.dumps(rows)
