"""Whoever runs the service sees everybody's batches, and need not say whose one is."""

import json
from io import BytesIO
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from router.batches.batch import Batch, BatchState
from router.batches.batches import Batches
from runtime.batches.desk import cancel_batch, list_batches, show_batch, write_results
from runtime.batches.result_format import ResultFormat
from runtime.wiring import connect, make_batches
from tests.clock import ManualClock


class House:
    """A data folder with batches of two customers, made in turns."""

    def __init__(self, data: Path) -> None:
        """Make three."""
        self.settings = Settings(data=data, synchronous="NORMAL", actor="Ada")
        self.backend = connect(self.settings)
        self.clock = ManualClock()
        self.batches = Batches(self.backend.state, self.clock, max_entries=10)
        self.made = [self._make(tenant) for tenant in ("acme", "zebra", "acme")]

    def _make(self, tenant: str) -> Batch:
        self.clock.move(60)
        return self.batches.make(tenant, BytesIO(b"/nowhere.wav\n"), made_by="somebody")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """The folder."""
    return House(tmp_path / "data")


def test_without_a_customer_all_batches_are_listed_the_latest_first(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    """With whose they are; the limit is that of all together."""
    list_batches(house.settings, "", limit=2, json_=True)
    shown = json.loads(capsys.readouterr().out)
    latest = list(reversed(house.made))
    assert [(each["id"], each["tenant"]) for each in shown] == [(each.id, each.tenant) for each in latest[:2]]
    list_batches(house.settings, "", limit=20, json_=False)
    told = capsys.readouterr()
    assert [line.split()[:2] for line in told.out.splitlines()] == [[each.id, each.tenant] for each in latest]
    assert "3 batches" in told.err


def test_with_a_customer_only_its_own_are(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """And where there is none that is said."""
    list_batches(house.settings, "zebra", limit=20, json_=False)
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["zebra"]
    list_batches(house.settings, "nobody", limit=20, json_=False)
    assert capsys.readouterr() == ("", "0 batches.\n")


def test_a_batch_is_found_by_its_id_alone(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    """To look at it and to fetch its results; one that has ended too."""
    of_zebra = house.made[1]
    for state in (BatchState.FEEDING, BatchState.ENDED):
        found = house.batches.find("zebra", of_zebra.id)
        assert found is not None
        house.batches.save(found, found.batch.model_copy(update={"state": state}))
        show_batch(house.settings, of_zebra.id, "", failures=0, json_=False)
        assert f"Batch {of_zebra.id} of zebra ({state}" in capsys.readouterr().out
    write_results(house.settings, of_zebra.id, "", ResultFormat.JSONL, None)
    entries = house.backend.warehouse.query("audit_entries", {"action": "batch."})
    assert [(entry["action"], entry["tenant"]) for entry in entries] == [("batch.results", "zebra")]


def test_cancelling_by_the_id_is_written_down_for_its_customer(house: House) -> None:
    """Whoever asks what was done to a customer's things finds it."""
    of_acme = house.made[0]
    cancel_batch(house.settings, of_acme.id, "")
    found = make_batches(house.settings, house.backend).find("acme", of_acme.id)
    assert found is not None
    assert found.batch.state is BatchState.CANCELLED
    [entry] = house.backend.warehouse.query("audit_entries", {"action": "batch.cancel"})
    assert (entry["tenant"], entry["subject"]) == ("acme", of_acme.id)


@pytest.mark.parametrize("tenant", ["zebra", ""])
def test_another_customers_batch_is_none(house: House, tenant: str) -> None:
    """Where a customer is named, and an id that nobody has."""
    batch_id = house.made[0].id if tenant else "0" * 32
    with pytest.raises(ConfigurationError, match=r"no batch .*earmark batch list"):
        cancel_batch(house.settings, batch_id, tenant)
