"""Where lines of manifests begin and end: empty ones before the first, and carriage returns alone."""

import io
from pathlib import Path

import pytest

from earmark.clock import utc_now
from earmark.errors import InputRejected
from retention.stores import ErasureRequest, Place
from router.batches.batches import Batches
from runtime.erasing.batches import BatchesStore
from tests.batch_world import TENANT, BatchWorld

LINES_BYTES = (1 << 20) + 40_000
"""More than is read of a manifest at once."""


@pytest.fixture
def world(tmp_path: Path) -> BatchWorld:
    """Empty stores."""
    return BatchWorld(tmp_path, batch_max_entries=2_000_000)


@pytest.mark.parametrize("empty", [b"\n", b"  \r\n", b"\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_empty_lines_before_the_first(world: BatchWorld, empty: bytes, mark: bytes) -> None:
    """However many: the form is that of the first line that is not empty, and numbers are those of the file."""
    end = b"\r" if empty == b"\r" else b"\n"
    count = LINES_BYTES // len(empty)
    batch = world.make(mark + empty * count + b"\tid\turi" + end + b"\tA\tuploads/acme/none.wav" + end)
    world.feed()
    [row] = world.rows(batch)
    assert (row["entry"], row["reference"], row["source"]) == (count + 2, "A", "uploads/acme/none.wav")


def test_nothing_but_empty_lines(world: BatchWorld) -> None:
    """That is no manifest."""
    with pytest.raises(InputRejected, match="no entries"):
        world.make(b" \n" * 100_000)


def test_lines_may_end_with_a_carriage_return_alone(world: BatchWorld) -> None:
    """Where there is no line feed at all; they count like others, and erasing keeps the numbers."""
    one, two = world.put("1.wav", "2.wav")
    batch = world.make(f'uri,id\r{one},"A"\r\r{two},B\r'.encode(), media_type="text/csv")
    place = Place("uploads", "acme/1.wav")
    request = ErasureRequest(id="1", at=utc_now(), kind="content", tenant=TENANT, places=(place,))
    assert BatchesStore(world.backend.state, upload_bucket="uploads").erase(request).items == 1
    world.feed()
    assert [(row["entry"], row["source"], row["reference"]) for row in world.rows(batch)] == [(4, two, "B")]
    with pytest.raises(InputRejected, match="more than 10 lines"):
        Batches(world.backend.state, world.clock, max_entries=10).make(TENANT, io.BytesIO(b"x\r" * 12), made_by="x")
