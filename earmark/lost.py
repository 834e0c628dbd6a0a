"""``worker_lost``: what to write into the history of a job whose worker disappeared with it."""

from datetime import datetime

from earmark.domain import Failure
from earmark.errors import WorkerLost
from earmark.fingerprint import fingerprint

_MESSAGE = "The worker that held the job disappeared"


def worker_lost(try_number: int, *, worker: str, at: datetime) -> Failure:
    """The failure of a try that nobody is left to tell about."""
    return Failure(
        try_number=try_number,
        stage="lease",
        kind=WorkerLost.kind,
        message=_MESSAGE,
        fingerprint=fingerprint("lease", WorkerLost.kind, _MESSAGE, ""),
        model="",
        worker=worker,
        at=at,
    )
