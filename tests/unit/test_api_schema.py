"""Every call of the API as its OpenAPI page describes it, and as it does not, made by schemathesis."""

import os
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.api_world import ApiWorld

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "4"))
"""Requests for each call; more find more."""
TEXT = ("text/", "application/x-ndjson", "application/jsonl", "application/octet-stream", "audio/", "multipart/")
TOO_LARGE = 413


@schemathesis.serializer("audio/*")
def _audio(_: Any, value: object) -> dict[str, Any]:
    return {"data": value if isinstance(value, bytes) else b"", "headers": {"Content-Type": "audio/wav"}}


def test_the_page_is_true(tmp_path: Path) -> None:
    """Statuses, bodies and headers as it says, never 500, and nothing without a key.

    What is valid may be refused all the same: a file may be no audio, an address nobody's.  And text may be anything;
    parameters that nobody knows are passed over.
    """
    with ApiWorld(tmp_path) as world:
        world.tenant("acme", requests_per_minute=1_000_000, concurrent_jobs=1_000_000)
        headers = {"Authorization": f"Bearer {world.key('acme')}"}
        world.parts.analyses.erasing._pause = lambda _: None

        def call(case: Any) -> None:
            world.clock.move(60)  # so that requests with a wrong key do not use up what an address may send of them
            answer = case.call(headers=headers)
            anything = (
                answer.status_code == TOO_LARGE
                or str(case.media_type or "").startswith(TEXT)
                or set(case.query or {}) - {each.name for each in case.operation.query}
            )
            excluded = [positive_data_acceptance, *([negative_data_rejection] if anything else [])]
            case.validate_response(answer, excluded_checks=excluded, headers=headers)

        page = schemathesis.openapi.from_asgi("/openapi.json", world.app)
        called = 0
        for found in page.get_all_operations():
            operation = found.ok()
            cases = st.one_of(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)
            settings(
                max_examples=EXAMPLES,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.explicit, Phase.generate],
                database=None,
                derandomize=True,
            )(given(case=cases)(call))()
            called += 1
        assert called > 10
