"""Every call of the API as its OpenAPI page describes it, and as it does not, made by schemathesis."""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.api_world import ApiWorld

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "6"))
"""Requests for each call; more find more."""
TEXT = ("text/", "application/x-ndjson", "application/jsonl", "application/octet-stream", "audio/", "multipart/")


@schemathesis.serializer("audio/*")
def _audio(_: Any, value: object) -> dict[str, Any]:
    return {"data": value if isinstance(value, bytes) else b"", "headers": {"Content-Type": "audio/wav"}}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A customer whom no limit stops, and the page."""
    with ApiWorld(tmp_path_factory.mktemp("schema")) as world:
        world.tenant("acme", requests_per_minute=1_000_000, concurrent_jobs=1_000_000)
        world.key("acme")
        world.parts.analyses.erasing._pause = lambda _: None
        _WORLD.append(world)
        yield schemathesis.openapi.from_asgi("/openapi.json", world.app)
        _WORLD.clear()


_WORLD: list[ApiWorld] = []
schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
    database=None,
    derandomize=True,
)
def test_the_page_is_true(case: Any) -> None:
    """Statuses, bodies and headers as it says, no 500, nothing without a key.

    What is valid may be refused all the same: a file may be no audio, an address nobody's.  And text may be anything.
    """
    [world] = _WORLD
    world.clock.move(60)  # so that requests with a wrong key do not use up what an address may send of them
    headers = {"Authorization": f"Bearer {world.key('acme')}"}
    answer = case.call(headers=headers)
    anything = answer.status_code == 413 or str(case.media_type or "").startswith(TEXT)
    excluded = [positive_data_acceptance, *([negative_data_rejection] if anything else [])]
    case.validate_response(answer, excluded_checks=excluded, headers=headers)
    assert answer.status_code != 500
