"""``sought``: a job or its record; ``settled``: waits for a job for as long as the client is there."""

import asyncio

from fastapi import Request

from earmark.domain import Record
from runtime.api.awaited_jobs import AwaitedJob
from runtime.endpoints.parts import ApiParts, parts_of
from runtime.endpoints.problem import not_found


def sought(parts: ApiParts, tenant: str, job_id: str) -> tuple[AwaitedJob | None, Record | None]:
    """A customer's job, if it has not been seen to have ended, and its record, if it has one; never neither.

    Raises:
        Problem: 404, the customer has no such job.
        Unavailable: a store cannot be reached.
    """
    asked = parts.analyses.awaited.requested(tenant, job_id)
    record = parts.waiting.look(tenant, job_id, asked.after_generation if asked else None)
    if asked is None and record is None:
        asked = parts.analyses.awaited.in_batch(tenant, job_id)
        record = None if asked else parts.waiting.look(tenant, job_id)  # it may have ended between the looks
    if asked is None and record is None:
        raise not_found()
    return asked, record


async def settled(request: Request, asked: AwaitedJob, wait_s: float) -> Record | None:
    """The record of a job once it has ended; ``None`` = it has not in time, or nobody is there to hear of it.

    Args:
        request: its body has been read.
        asked: the job.
        wait_s: seconds to wait; 0 = one look.

    Raises:
        Unavailable: only for one look: the store cannot be reached.
    """
    waiting = parts_of(request).waiting.settled(
        asked.tenant, asked.job_id, wait_s, after_generation=asked.after_generation
    )
    if not wait_s:
        return await waiting
    wait, gone = asyncio.ensure_future(waiting), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({wait, gone}, return_when=asyncio.FIRST_COMPLETED)
        return wait.result() if wait.done() else None
    finally:
        wait.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
