"""Places that customers put files into themselves."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from earmark.vocabulary import Lane, Origin
from router.arrivals import PREFIX
from runtime.api.direct_uploads import DirectUploads
from runtime.backend import SignedUpload
from runtime.wiring import make_arrivals
from tests.api_jobs import end, wav
from tests.api_world import ApiWorld

WAV = "audio/wav"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API whose places hold for a minute."""
    with ApiWorld(tmp_path, upload_url_s=60, max_input_bytes=100_000) as world:
        yield world


def ask(client: TestClient, **fields: Any) -> dict[str, Any]:
    """Ask for a place."""
    answer = client.post("/v1/uploads", json={"size_bytes": len(wav()), "content_type": WAV, **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"].endswith(f"/v1/uploads/{found['id']}")
    return found


def put(api: ApiWorld, place: dict[str, Any], content: bytes, **headers: str) -> httpx.Response:
    """Put a file there, without a key."""
    return api.anybody().put(place["url"], content=content, headers={**place["headers"], **headers})


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of a problem."""
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_whoever_put_a_file_there_can_wait_for_its_analysis(api: ApiWorld) -> None:
    """Also who learns its id of the place, however the object was noticed; it is asked for once."""
    acme = api.client("acme")
    place = ask(acme)
    api.backend.bucket("uploads").write(f"acme/direct/{place['id']}", wav(), content_type=WAV)
    make_arrivals(api.settings, api.backend, clock=api.clock).arrive(f"acme/direct/{place['id']}")
    state = acme.get(f"/v1/uploads/{place['id']}").json()
    assert state["status"] == "queued"
    assert acme.get(state["analysis"], headers={"Prefer": "wait=0"}).json()["status"] == "queued"
    assert acme.get(f"{state['analysis']}/export").status_code == 409
    ending = threading.Timer(0.2, end, (api, Lane.LOW))
    ending.start()
    told = acme.get(f"{state['analysis']}/events").text
    ending.join()
    assert [line for line in told.splitlines() if line.startswith("event")] == ["event: queued", "event: settled"]


def test_a_file_that_was_put_there_is_analysed(api: ApiWorld) -> None:
    """From the place to the analysis; the name of the object is ours."""
    acme = api.client("acme")
    place = ask(acme, sha256=hashlib.sha256(wav()).hexdigest())
    where = f"/v1/uploads/{place['id']}"
    assert acme.get(where).json()["status"] == "waiting"
    came = put(api, place, wav())
    assert (came.status_code, came.json()) == (200, acme.get(where).json())
    state = came.json()
    assert state["status"] == "queued"
    analysis = acme.get(state["analysis"])
    assert (analysis.json()["id"], analysis.json()["status"]) == (state["analysis_id"], "queued")
    [job] = api.waiting(Lane.LOW)
    assert job.upload.uri.endswith(f"/uploads/acme/direct/{place['id']}")
    assert job.upload.origin is Origin.NOTIFICATION
    assert [row.job_id for row in api.backend.catalogue.scan("uploads", tenant="acme")] == [state["analysis_id"]]
    end(api, Lane.LOW)
    assert acme.get(state["analysis"]).json()["status"] == "done"
    assert acme.get(where).json() == state
    named = acme.post("/v1/analyses", json={"uri": f"upload:{place['id']}"})
    assert (named.status_code, named.json()["id"]) == (200, state["analysis_id"])


def test_a_known_file_leads_to_its_analysis(api: ApiWorld) -> None:
    """Nothing is queued for it."""
    acme = api.client("acme")
    acme.post("/v1/analyses", content=wav(), headers={"Content-Type": WAV})
    record = end(api)
    state = put(api, ask(acme), wav()).json()
    assert (state["status"], state["analysis_id"]) == ("queued", record.job_id)
    assert acme.get(state["analysis"]).json()["status"] == "done"
    assert api.waiting(Lane.LOW) == []


def test_a_place_takes_one_file_for_a_while(api: ApiWorld) -> None:
    """A second one is refused, and one that comes late."""
    acme = api.client("acme")
    place, late = ask(acme), ask(acme)
    assert put(api, place, b"no audio").status_code == 422
    assert put(api, place, wav()).status_code == 200
    assert problem(put(api, place, wav("other"))) == (409, "already_uploaded")
    api.clock.move(60)
    assert problem(put(api, late, wav())) == (410, "expired")
    assert acme.get(f"/v1/uploads/{late['id']}").json()["status"] == "expired"
    assert acme.get(f"/v1/uploads/{place['id']}").json()["status"] == "queued"


def test_a_file_must_be_the_one_that_was_announced(api: ApiWorld) -> None:
    """No larger, of that type, with that hash; nothing else is kept."""
    acme = api.client("acme")
    assert problem(put(api, ask(acme, size_bytes=100), wav())) == (413, "too_large")
    assert problem(put(api, ask(acme), wav(), **{"Content-Type": "audio/flac"})) == (415, "unsupported_media_type")
    assert problem(put(api, ask(acme, sha256="0" * 64), wav())) == (422, "changed")
    assert list(api.backend.bucket("uploads").scan()) == []
    assert api.waiting(Lane.LOW) == []


def test_a_file_that_comes_short_leaves_the_place(api: ApiWorld) -> None:
    """Half a file is none; the whole one is taken afterwards."""
    acme = api.client("acme")
    place = ask(acme)
    assert problem(put(api, place, wav()[:-1])) == (422, "changed")
    assert acme.get(f"/v1/uploads/{place['id']}").json()["status"] == "waiting"
    assert put(api, place, wav()).json()["status"] == "queued"


def test_a_place_takes_more_than_a_body_may_have(tmp_path: Path) -> None:
    """That is what it is for; one byte more than was announced is too many."""
    with ApiWorld(tmp_path, api_body_max_bytes=len(wav()) // 2) as api:
        acme = api.client("acme")
        assert acme.post("/v1/analyses", content=wav(), headers={"Content-Type": WAV}).status_code == 413
        place = ask(acme)
        assert problem(put(api, place, wav() + b"x")) == (413, "too_large")
        assert put(api, place, wav()).status_code == 200


def test_an_address_holds_for_what_it_was_signed_for(api: ApiWorld) -> None:
    """Another customer, another id or another signature lead nowhere."""
    acme = api.client("acme")
    api.tenant("other")
    place, second = ask(acme), ask(acme)
    signature = parse_qs(urlsplit(place["url"]).query)["signature"][0]
    base = place["url"].partition("?")[0]
    for url in (
        f"{base}?customer=other&signature={signature}",
        f"{base}?customer=acme&signature={'0' * 64}",
        f"{base}?customer=acme&signature=%C3%A9",
        place["url"].replace(place["id"], second["id"]),
        place["url"].replace(place["id"], "0" * 32),
    ):
        assert problem(put(api, {**place, "url": url}, wav())) == (404, "not_found")
    for url in (base, f"{base}?customer=../x&signature={signature}", place["url"].replace(place["id"], "..%2Fx")):
        assert put(api, {**place, "url": url}, wav()).status_code in {404, 422}
    assert api.client("other").get(f"/v1/uploads/{place['id']}").status_code == 404


@pytest.mark.parametrize(
    "told",
    [
        {"size_bytes": 0},
        {"size_bytes": "many"},
        {"size_bytes": "1000"},
        {"size_bytes": True},
        {"content_type": "text/plain"},
        {"content_type": "audio/wav\r\nX-Evil: 1"},
        {"sha256": "x"},
        {"size_bytes": None},
    ],
)
def test_what_cannot_be_announced_is_refused(api: ApiWorld, told: dict[str, Any]) -> None:
    """Before there is a place."""
    answer = api.client("acme").post("/v1/uploads", json={"size_bytes": 1000, **told})
    assert answer.status_code == 422
    assert list(api.backend.state.scan("uploads/")) == []


def test_a_file_beyond_the_limit_has_no_place(api: ApiWorld) -> None:
    """That of the customer, or of the system."""
    api.tenant("small", max_input_bytes=10)
    for name, size in (("small", 11), ("acme", 100_001)):
        answer = api.client(name).post("/v1/uploads", json={"size_bytes": size, "content_type": WAV})
        assert problem(answer) == (413, "too_large")


def test_where_a_store_takes_files_its_address_is_given(api: ApiWorld) -> None:
    """With the headers that it demands; that the file came says the store."""
    signed: list[tuple[Any, ...]] = []

    def sign(*told: Any) -> SignedUpload:
        signed.append(told)
        return SignedUpload("https://store.example/put?sig=1", {"Content-Type": WAV, "x-most": "0,1000"})

    api.use(backend=replace(api.backend, sign_upload=sign))
    acme = api.client("acme")
    place = ask(acme)
    assert (place["url"], place["method"]) == ("https://store.example/put?sig=1", "PUT")
    assert place["headers"] == {"Content-Type": WAV, "x-most": "0,1000"}
    assert signed == [(f"acme/direct/{place['id']}", WAV, len(wav()), 60.0)]
    assert acme.get(f"/v1/uploads/{place['id']}").json()["status"] == "waiting"
    marker = f"{PREFIX}{api.backend.upload_bucket}/acme/direct/{place['id']}"
    told = b'{"generation": 1, "arrival": "rejected", "job_id": null, "fault": "too_large"}'
    api.backend.state.write(marker, told, content_type="application/json")
    state = acme.get(f"/v1/uploads/{place['id']}").json()
    assert (state["status"], state["error"]["kind"]) == ("rejected", "too_large")
    assert "EARMARK" not in state["error"]["remedy"]


def test_places_are_forgotten_a_day_after_they_expired(api: ApiWorld) -> None:
    """And processes share the key that signs."""
    acme = api.client("acme")
    place = ask(acme)
    uploads = api.parts.analyses.uploads
    found = uploads.find("acme", place["id"])
    assert found is not None
    other = DirectUploads(
        api.backend,
        arrive=uploads._arrive,
        valid_s=60,
        clock=api.clock,
    )
    assert other.signature(found) == uploads.signature(found)
    api.clock.move(86_400)
    assert uploads.sweep() == 0
    api.clock.move(61)
    assert uploads.sweep() == 1
    assert acme.get(f"/v1/uploads/{place['id']}").status_code == 404
