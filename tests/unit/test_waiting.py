"""The room where requests wait for jobs to end."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from earmark.domain import Record
from earmark.errors import Unavailable
from earmark.ports import ObjectInfo
from runtime.endpoints.waiting import WaitingRoom
from runtime.local.object_store import LocalObjectStore
from tests.analyses import make_record

LONG_S = 30.0


def put(store: LocalObjectStore, record: Record) -> int:
    """Store a record; gives its generation."""
    content = record.model_dump_json().encode()
    return store.write(record.name, content, content_type="application/json").generation


async def until(condition: Callable[[], bool]) -> None:
    """Let others work until something holds."""
    async with asyncio.timeout(LONG_S):
        while not condition():  # noqa: ASYNC110  # it is a thread that changes it
            await asyncio.sleep(0.001)


@pytest.fixture
def store(tmp_path: Path) -> LocalObjectStore:
    """An empty results store."""
    return LocalObjectStore(tmp_path, "results")


def test_all_who_wait_are_told_on_one_thread(store: LocalObjectStore) -> None:
    """Two hundred for forty jobs; each hears of its own, and the thread ends when nobody waits."""
    records = [make_record(str(number)) for number in range(40)]
    room = WaitingRoom(store)

    async def run() -> list[Record | None]:
        waiting = [asyncio.ensure_future(room.settled("acme", each.job_id, LONG_S)) for each in records * 5]
        await until(lambda: room.waiting == 200)
        lookers = [each for each in threading.enumerate() if each.name == "waiting-room"]
        assert len(lookers) == 1
        for record in records:
            await asyncio.to_thread(put, store, record)
        found = await asyncio.gather(*waiting)
        await until(lambda: not lookers[0].is_alive())
        return found

    assert asyncio.run(run()) == records * 5
    assert room.waiting == 0


def test_an_earlier_record_does_not_count(store: LocalObjectStore) -> None:
    """Of a job that was queued again."""
    first = make_record()
    generation = put(store, first)
    room = WaitingRoom(store)

    async def run() -> None:
        assert await room.settled("acme", first.job_id, 0.02, after_generation=generation) is None
        assert await room.settled("acme", first.job_id, 0, after_generation=generation) is None
        assert await room.settled("acme", first.job_id, 0) == first
        waiting = asyncio.ensure_future(room.settled("acme", first.job_id, LONG_S, after_generation=generation))
        await until(lambda: room.waiting == 1)
        second = first.model_copy(update={"failures": ()})
        await asyncio.to_thread(put, store, second)
        assert await waiting == second

    asyncio.run(run())


def test_whoever_goes_frees_the_place(store: LocalObjectStore) -> None:
    """And beyond the places nobody waits."""
    room, job_id = WaitingRoom(store, seats=1), make_record().job_id

    async def run() -> None:
        waiting = asyncio.ensure_future(room.settled("acme", job_id, LONG_S))
        await until(lambda: room.waiting == 1)
        assert await room.settled("acme", job_id, LONG_S) is None
        waiting.cancel()
        await until(lambda: room.waiting == 0)

    asyncio.run(run())


def test_a_closed_room_answers_at_once(store: LocalObjectStore) -> None:
    """Those inside, and those who come."""
    room, job_id = WaitingRoom(store), make_record().job_id

    async def run() -> None:
        waiting = asyncio.ensure_future(room.settled("acme", job_id, LONG_S))
        await until(lambda: room.waiting == 1)
        room.close()
        assert await waiting is None
        assert await room.settled("acme", job_id, LONG_S) is None
        assert room.closed

    asyncio.run(run())


def test_a_store_that_is_away_is_asked_again(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who looks once hears of it."""
    record, room = make_record(), WaitingRoom(store)
    put(store, record)
    stat, failures = store.stat, [Unavailable("away")] * 3

    def failing(name: str) -> ObjectInfo | None:
        if failures:
            raise failures.pop()
        return stat(name)

    monkeypatch.setattr(store, "stat", failing)

    async def run() -> None:
        with pytest.raises(Unavailable):
            await room.settled("acme", record.job_id, 0)
        assert await room.settled("acme", record.job_id, LONG_S) == record

    asyncio.run(run())
    assert not failures
