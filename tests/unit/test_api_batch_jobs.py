"""An analysis of a batch can be asked for by its id before it has ended, like any other."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from earmark.errors import Unavailable
from earmark.vocabulary import Lane, Tier
from router.batches.batch import made_at_of, new_batch_id
from runtime.wiring import make_feeding
from tests.api_jobs import end, wav
from tests.api_world import ApiWorld


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API over empty stores."""
    with ApiWorld(tmp_path) as world:
        yield world


def send(api: ApiWorld, client: TestClient, *names: str) -> dict[str, Any]:
    """Send a batch of audio of acme, and feed it; gives how it stands."""
    for name in names:
        api.backend.bucket("uploads").write(f"acme/{name}", wav(name), content_type="audio/wav")
    entries = [{"uri": f"uploads/acme/{name}"} for name in names]
    sent = client.post("/v1/batches", json={"entries": entries})
    assert sent.status_code == 202, sent.text
    feeding = make_feeding(api.settings, api.backend, api.clock)
    while feeding.run_once():
        pass
    feeding.close()
    found: dict[str, Any] = client.get(sent.json()["links"]["self"]).json()
    return found


def the_job(api: ApiWorld) -> str:
    """The id of the job that waits."""
    [job] = api.waiting(Lane.LOW)
    return job.id


def events(client: TestClient, job: str) -> list[str]:
    """The names of the events of an analysis."""
    told = client.get(f"/v1/analyses/{job}/events").text
    return [line.removeprefix("event: ") for line in told.splitlines() if line.startswith("event: ")]


def test_it_is_queued_until_it_has_ended(api: ApiWorld) -> None:
    """For whoever reads its id in the results of the batch."""
    acme = api.client("acme")
    send(api, acme, "1.wav")
    job = the_job(api)
    path = f"/v1/analyses/{job}"
    state = acme.get(path)
    assert (state.status_code, state.json()["status"], state.headers["Retry-After"]) == (200, "queued", "1")
    assert state.json()["created_at"] == api.clock().isoformat().replace("+00:00", "Z")
    assert acme.get(f"{path}/export").json()["type"] == "urn:earmark:problem:not_ready"
    assert acme.delete(path).status_code == 409
    assert acme.get(path, headers={"Prefer": "wait=0"}).json()["status"] == "queued"
    api.clock.move(5)
    end(api, Lane.LOW)
    assert acme.get(path).json()["status"] == "done"
    assert events(acme, job) == ["settled"]


def test_whoever_waits_hears_of_its_end(api: ApiWorld) -> None:
    """By ``Prefer: wait``, and by events."""
    acme = api.client("acme")
    send(api, acme, "1.wav", "2.wav")
    first, second = [job.id for job in api.waiting(Lane.LOW)]
    ending = threading.Timer(0.2, end, (api, Lane.LOW))
    ending.start()
    waited = acme.get(f"/v1/analyses/{first}", headers={"Prefer": "wait=20"})
    ending.join()
    assert waited.json()["status"] == "done"
    ending = threading.Timer(0.2, end, (api, Lane.LOW))
    ending.start()
    assert events(acme, second) == ["queued", "settled"]
    ending.join()


def test_it_is_nobody_elses(api: ApiWorld) -> None:
    """Another customer, and whoever asks for an id that is none, hear 404, both in the same words."""
    acme, zeta = api.client("acme"), api.client("zeta")
    send(api, acme, "1.wav")
    job = the_job(api)
    api.backend.bucket("uploads").write("zeta/9.wav", wav("9"), content_type="audio/wav")
    assert zeta.post("/v1/batches", json={"entries": [{"uri": "uploads/zeta/9.wav"}]}).status_code == 202
    for path in (f"/v1/analyses/{job}", f"/v1/analyses/{job}/events", f"/v1/analyses/{job}/export"):
        strange, unknown = zeta.get(path), zeta.get(path.replace(job, "0" * 32))
        assert strange.status_code == unknown.status_code == 404
        assert strange.json() == unknown.json()
    assert zeta.delete(f"/v1/analyses/{job}").status_code == 404


def test_nobody_waits_for_a_cancelled_one(api: ApiWorld) -> None:
    """Unless another batch under way has the same audio."""
    acme = api.client("acme")
    first = send(api, acme, "1.wav")
    job = the_job(api)
    second = send(api, acme, "1.wav")
    for batch in (first, second):
        assert acme.get(f"/v1/analyses/{job}").json()["status"] == "queued"
        acme.post(f"{batch['links']['self']}/cancel").raise_for_status()
    assert acme.get(f"/v1/analyses/{job}").status_code == 404


def test_a_request_goes_before_a_batch(api: ApiWorld) -> None:
    """What was asked for by itself too has the time of that."""
    acme = api.client("acme")
    send(api, acme, "1.wav")
    api.clock.move(60)
    asked = acme.post("/v1/analyses", json={"uri": "uploads/acme/1.wav"}).json()
    assert acme.get(asked["links"]["self"]).json()["created_at"] == asked["created_at"]


def test_who_sends_no_batches_costs_no_query(api: ApiWorld) -> None:
    """And while the warehouse is away, nobody who has sent one is told that there is no such analysis."""
    acme = api.client("acme")

    class Away:
        """A warehouse that cannot be reached."""

        def query(self, name: str, given: object) -> object:
            """See ``Warehouse``."""
            raise Unavailable(name)

    api.parts.analyses.awaited._warehouse = Away()  # type: ignore[assignment]
    path = f"/v1/analyses/{'0' * 32}"
    assert acme.get(path).status_code == 404
    send(api, acme, "1.wav")
    assert acme.get(path).status_code == 503


def test_an_id_tells_when_a_batch_was_made(api: ApiWorld) -> None:
    """To the millisecond, so that entries are looked for from then on."""
    now = api.clock() + timedelta(milliseconds=7)
    assert made_at_of(new_batch_id(now)) == now


def test_a_paused_batch_says_so(api: ApiWorld) -> None:
    """Until when, and why; it is still being fed."""
    api.tenant("acme", Tier.FREE, audio_s_per_day=1.0)
    acme = api.client("acme")
    assert send(api, acme, "1.wav")["paused_until"] is None
    acme.post("/v1/batches", json={"prefix": "uploads/acme/"})
    end(api, Lane.LOW)
    api.clock.move(60)
    refused = acme.post("/v1/batches", json={"prefix": "uploads/acme/"})
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:earmark:problem:too_much_audio")
    [waiting] = [each for each in acme.get("/v1/batches").json()["items"] if each["status"] == "accepting"]
    standing = acme.get(waiting["link"]).json()
    assert (standing["paused_until"], standing["paused_why"]) == ("2026-01-02T00:00:00Z", "too_much_audio")
    assert standing["left_s"] is None
    [fed] = [each for each in acme.get("/v1/batches").json()["items"] if each["status"] == "fed"]
    assert acme.get(fed["link"]).json()["paused_why"] is None
