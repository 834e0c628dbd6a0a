"""Batches and erasure: all of a customer's go; of one content the lines that name it, while the batch is fed."""

from pathlib import Path

import pytest

from earmark.clock import utc_now
from earmark.domain import job_id
from retention.stores import ErasureRequest, Place
from router.batches.batch import BatchState
from runtime.erasing.batches import BatchesStore
from runtime.erasing.erasure import tenant_request
from tests.batch_world import TENANT, BatchWorld

PRIVATE = "very-private.wav"


@pytest.fixture
def world(tmp_path: Path) -> BatchWorld:
    """Empty stores."""
    return BatchWorld(tmp_path)


def store(world: BatchWorld) -> BatchesStore:
    """What erases batches."""
    return BatchesStore(world.backend.state, upload_bucket="prefix-uploads")


def of_content(*names: str) -> ErasureRequest:
    """A request about some objects."""
    places = tuple(Place("uploads", f"{TENANT}/{name}") for name in names)
    return ErasureRequest(
        id="1", at=utc_now(), kind="content", tenant=TENANT, places=places, contents=("0" * 64,),
        jobs=(job_id(TENANT, "0" * 64, "test"),),
    )  # fmt: skip


def test_all_of_a_customer(world: BatchWorld) -> None:
    """Marks, manifests and batches, open or over; those of others stay."""
    world.make(world.put(PRIVATE))
    over = world.make(["x"])
    world.batches.cancel(TENANT, over.id)
    world.make(["x"], tenant=f"{TENANT}-2")
    found, request = store(world), tenant_request(TENANT, utc_now)
    assert sorted(found.tenants()) == [TENANT, f"{TENANT}-2"]
    assert found.left(request) == 4
    assert found.erase(request).items == 4
    assert (found.left(request), found.held(request)) == (0, 0)
    assert {info.name.split("/")[1] for info in world.backend.state.scan()} == {f"{TENANT}-2"}
    feeding = world.feeding()
    assert feeding.run_once()
    feeding.close()


@pytest.mark.parametrize("head", ["jsonl", "csv"])
def test_lines_that_name_a_content(world: BatchWorld, head: str) -> None:
    """They become spaces, however they are written, so that a feeder goes on where it was; others stay."""
    names = world.put("1.wav", PRIVATE, f"{PRIVATE}.bak", "2.wav")
    if head == "csv":
        manifest = (
            "uri,id\r\n" + "".join(f"{name},é\r\n" for name in names) + f"gs://prefix-uploads/{TENANT}/{PRIVATE},x"
        )
    else:
        escaped = PRIVATE.replace("v", "\\u0076")
        manifest = "".join(f'"{name}"\n' for name in names) + f'{{"uri": "uploads/{TENANT}/{escaped}"}}'
    batch = world.make(manifest.encode())
    feeding = world.feeding()
    feeding._step_entries = 1
    feeding.run_once()
    feeding.close()
    found, request = store(world), of_content(PRIVATE)
    assert found.left(request) == 2
    assert found.erase(request).items == 2
    assert (found.left(request), found.erase(request).items) == (0, 0)
    kept = b"".join(world.batches.manifest(batch))
    assert len(kept) == len(manifest.encode())
    assert kept.count(PRIVATE.encode()) == 1, "the one with the longer name"
    world.feed()
    assert [row["source"] for row in world.rows(batch)] == [names[0], names[2], names[3]]
    assert world.now(batch).state is BatchState.FED


def test_batches_that_are_over_hold_no_names(world: BatchWorld) -> None:
    """Their manifests are gone; nothing has to be blanked."""
    batch = world.make(world.put(PRIVATE))
    world.batches.cancel(TENANT, batch.id)
    assert store(world).left(of_content(PRIVATE)) == 0
