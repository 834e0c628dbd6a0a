"""``settled``: waits for a job for as long as the client is there."""

import asyncio

from fastapi import Request

from earmark.domain import Record
from runtime.endpoints.parts import parts_of
from runtime.job_requests import JobRequest


async def settled(request: Request, asked: JobRequest, wait_s: float) -> Record | None:
    """The record of a job once it has ended; ``None`` = it has not in time, or nobody is there to hear of it.

    Args:
        request: its body has been read.
        asked: the job.
        wait_s: seconds to wait; 0 = one look.

    Raises:
        Unavailable: only for one look: the store cannot be reached.
    """
    waiting = parts_of(request).waiting.settled(
        asked.upload.tenant, asked.job_id, wait_s, after_generation=asked.after_generation
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
