"""Audio for the API in tests, and an end for its jobs without a worker."""

import io
import wave

from earmark.domain import Analysis, Done, Failure, Record, Reject, Settlement
from earmark.vocabulary import Lane
from tests.analyses import make_analysis
from tests.api_world import ApiWorld
from tests.making import make_failure
from workers.settled_rows import SettledRows


def wav(content: str = "sound", size_bytes: int = 200) -> bytes:
    """A small WAV file, another one for other words."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(8000)
        writer.writeframes((content.encode() * (size_bytes // len(content) + 1))[:size_bytes])
    return file.getvalue()


def end(world: ApiWorld, lane: Lane = Lane.HIGH, failure: Failure | None = None, **fields: object) -> Record:
    """End the job that waits longest in a lane, with its record and row, as a worker does.

    Args:
        world: where it waits.
        lane: which one.
        failure: why it is rejected; ``None`` = it is done.
        fields: of the analysis.
    """
    [lease] = world.backend.lanes[lane].lease(1, 60)
    job, now = lease.job, world.clock()
    own = {"job_id": job.id, "content_sha256": job.upload.content_sha256, "created_at": now}
    analysis: Analysis = make_analysis(tenant=job.upload.tenant, **own, **fields)
    outcome = Reject(failure) if failure else Done(analysis)
    record = Record(
        job_id=job.id,
        tenant=job.upload.tenant,
        status="rejected" if failure else "done",
        analysis=None if failure else analysis,
        failures=(failure,) if failure else (),
        enqueued_at=job.enqueued_at,
        received_at=job.upload.received_at,
        settled_at=now,
    )
    world.backend.results.write(record.name, record.model_dump_json().encode(), content_type="application/json")
    world.backend.warehouse.append(SettledRows().of(Settlement(lease, outcome, 1.0), record))
    world.backend.lanes[lane].ack([lease])
    return record


def damaged() -> Failure:
    """Why audio is rejected, told with an address that is nobody's business."""
    told = {
        "kind": "damaged",
        "message": "file:///var/data/objects/uploads/acme/x cannot be decoded",
        "remedy": "Mend.",
    }
    return make_failure("damaged").model_copy(update=told)
