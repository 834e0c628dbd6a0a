"""The list of analyses: order, pages and filters."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from earmark.domain import Provenance
from earmark.vocabulary import ContentType
from tests.analyses import make_metadata, sure
from tests.api_jobs import damaged, end, wav
from tests.api_world import ApiWorld

AUDIO = {"Content-Type": "audio/wav"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiWorld]:
    """Nine analyses, three of them of the same moment, one of another customer."""
    with ApiWorld(tmp_path_factory.mktemp("listing")) as world:
        acme = world.client("acme")
        for number in range(9):
            acme.post("/v1/analyses", content=wav(str(number)), headers=AUDIO)
            world.clock.move(0 if number in {3, 4} else 0.25)
            review = Provenance(
                model="m", model_version="1", pipeline="test", covered_s=1, arm="primary", review=number == 7
            )
            kind = ContentType.SPEECH if number == 8 else ContentType.MUSIC
            metadata = make_metadata(content_type=sure(kind))
            fields = {"confidence": number / 10, "provenance": review, "metadata": metadata}
            end(world, failure=damaged() if number == 0 else None, **fields)
        world.client("other").post("/v1/analyses", content=wav(), headers=AUDIO)
        end(world)
        yield world


@pytest.fixture
def acme(api: ApiWorld) -> TestClient:
    """The customer."""
    return api.client("acme")


def listed(acme: TestClient, **asked: Any) -> list[dict[str, Any]]:
    """The items of a page."""
    answer = acme.get("/v1/analyses", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@given(st.integers(1, 10))
def test_pages_together_are_the_list(acme: TestClient, limit: int) -> None:
    """However long they are: all, once, the latest first, those of one moment by their ids."""
    whole = listed(acme)
    assert len(whole) == 9
    order = [(datetime.fromisoformat(each["settled_at"]), each["id"]) for each in whole]
    assert order == sorted(order, reverse=True)
    paged, cursor = [], None
    while cursor is not None or not paged:
        page = acme.get("/v1/analyses", params={"limit": limit, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["items"]) == min(limit, 9 - len(paged))
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == whole


@pytest.mark.parametrize(
    ("asked", "confidences"),
    [
        ({"status": "rejected"}, [None]),
        ({"status": "done", "limit": 2}, [0.8, 0.7]),
        ({"status": "failed"}, []),
        ({"content_type": "speech"}, [0.8]),
        ({"min_confidence": 0.65}, [0.8, 0.7]),
        ({"review": True}, [0.7]),
        ({"review": False, "min_confidence": 0.7}, [0.8]),
        ({"since": "2026-01-01T00:00:01.5Z"}, [0.8, 0.7]),
        ({"until": "2026-01-01T01:00:00.5+01:00"}, [None]),
        ({"since": "2027-01-01T00:00:00Z"}, []),
    ],
)
def test_filters_narrow_it(acme: TestClient, asked: dict[str, Any], confidences: list[float | None]) -> None:
    """Alone and together."""
    assert [each["confidence"] for each in listed(acme, **asked)] == confidences


def test_an_item_leads_to_the_analysis(acme: TestClient) -> None:
    """And says what it is in short."""
    first, *_, last = listed(acme)
    assert acme.get(first["link"]).json()["id"] == first["id"]
    assert (first["content_type"], first["tempo_bpm"], first["audio_s"]) == ("speech", 119.7, 200.516)
    assert (last["status"], last["error_kind"], last["review"]) == ("rejected", "damaged", False)


@pytest.mark.parametrize(
    "told",
    [
        {"limit": 0},
        {"limit": 201},
        {"status": "queued"},
        {"content_type": "noise?"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "12345"},
        {"until": "yesterday"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"min_confidence": 1.1},
        {"review": "perhaps"},
        {"cursor": "x" * 201},
    ],
)
def test_what_cannot_be_asked_is_refused(acme: TestClient, told: dict[str, Any]) -> None:
    """With the name of what is wrong."""
    answer = acme.get("/v1/analyses", params=told)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["at"] == f"query.{next(iter(told))}"


@pytest.mark.parametrize(
    "told", [b"", b"[]", b'["2026-01-01T00:00:00", "x"]', b'["0001-01-01T00:00:00+14:00", "%s"]' % (b"0" * 32), b"\xff"]
)
def test_a_cursor_of_ones_own_making_is_refused(acme: TestClient, told: bytes) -> None:
    """Whatever is in it."""
    for cursor in (base64.urlsafe_b64encode(told).decode(), told.decode("latin-1") + "!"):
        answer = acme.get("/v1/analyses", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:earmark:problem:bad_cursor")
