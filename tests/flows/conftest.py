"""Flows run on the local queue; those that ask for ``everywhere`` run on Pub/Sub as well."""

import pytest

from tests.flows import world


@pytest.fixture(params=["local", "pubsub"])
def everywhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the queues of one machine, then with those of Google Cloud."""
    name: str = request.param
    monkeypatch.setattr(world, "ON", name)
    return name
