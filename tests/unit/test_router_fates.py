"""A router tells of each upload what became of it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from earmark.domain import Job, Record, Upload
from earmark.vocabulary import Lane
from router.fate import Fate
from router.lanes import load_rules
from router.router import Router
from runtime.local.queue import LocalQueue
from tests.clock import ManualClock
from tests.making import EPOCH, make_upload


def test_each_upload_has_one_fate(tmp_path: Path) -> None:
    """New, twice in one go, waiting from before, and known."""
    clock, told = ManualClock(), list[tuple[str, Lane, Fate]]()
    lanes = {lane: LocalQueue(tmp_path / "queues.sqlite", lane, clock=clock, worker="me") for lane in Lane}
    known: dict[str, Record] = {}
    router = Router(
        lanes=lanes,
        find_record=lambda _, job: known.get(job),
        rules=load_rules(None),
        pipeline="test",
        clock=clock,
        routed=lambda upload, lane, fate: told.append((upload.uri, lane, fate)),
    )

    def fates(uploads: Sequence[Upload]) -> Counter[str]:
        told.clear()
        router.route(uploads)
        assert {lane for _, lane, _ in told} == {Lane.LOW}
        return Counter(fate for _, _, fate in told)

    a, b = make_upload("a"), make_upload("b")
    assert fates([a, b, a]) == {Fate.QUEUED: 2, Fate.WAITING_ALREADY: 1}
    assert fates([a, make_upload("c")]) == {Fate.QUEUED: 1, Fate.WAITING_ALREADY: 1}
    [job] = [each for each in jobs(lanes[Lane.LOW]) if each.upload.content_sha256 == a.content_sha256]
    known[job.id] = Record.model_construct(
        job_id=job.id, status="done", tenant="acme", enqueued_at=EPOCH, settled_at=EPOCH
    )
    assert fates([a]) == {Fate.KNOWN: 1}


def jobs(queue: LocalQueue) -> list[Job]:
    """All that wait."""
    return [lease.job for lease in queue.lease(10, 60)]
