"""``WaitingRoom``: where requests wait for jobs to end, however many, on one thread."""

from earmark.domain import Record
from earmark.ports import ObjectStore


class WaitingRoom:
    """Looks at the results store for those who wait."""

    def __init__(self, results: ObjectStore) -> None:
        """Take the results store."""
        self._results = results

    async def settled(
        self, tenant: str, job_id: str, timeout_s: float, *, after_generation: int | None = None
    ) -> Record | None:
        """The record of a job once it has ended; ``None`` = it has not within ``timeout_s``.

        Args:
            tenant: whose job.
            job_id: its id.
            timeout_s: seconds to wait; 0 = one look.
            after_generation: of a record that was there before the job was queued again, which does not count.
        """
        raise NotImplementedError
