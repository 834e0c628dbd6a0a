"""Small JSON bodies: nobody learns anything of one before it is known who asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_world import ApiWorld

PATHS = ("/v1/uploads", "/v1/webhooks")
JSON = {"Content-Type": "application/json"}
BODIES = (b"{bad", b"9" * 5000, b"[" * 30_000, b"", b'"\xff"', b"{}")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ApiWorld]:
    """An API."""
    with ApiWorld(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BODIES)
def test_without_a_key_nothing_is_said_of_the_body(world: ApiWorld, path: str, body: bytes) -> None:
    """Whatever it is."""
    answer = world.anybody().post(path, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:earmark:problem:no_key")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("body", BODIES)
def test_with_a_key_what_is_wrong_is_said_and_counted(world: ApiWorld, path: str, body: bytes) -> None:
    """As a request like any other."""
    answer = world.client("acme").post(path, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:earmark:problem:malformed")
    assert "RateLimit" in answer.headers


def test_another_media_type_is_not_read(world: ApiWorld) -> None:
    """A form that some page sends from a browser is no question."""
    form = {"Content-Type": "text/plain"}
    answer = world.client("acme").post("/v1/uploads", content=b'{"size_bytes": 3}', headers=form)
    assert answer.status_code == 422
    assert "application/json" in answer.json()["detail"]
