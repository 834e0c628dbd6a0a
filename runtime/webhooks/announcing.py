"""``Announcing``: puts what happened into the outbox, for each endpoint that wants to hear of it."""

from collections.abc import Callable, Sequence
from functools import partial

from earmark.domain import Record
from router.batches.batch import Batch
from runtime.webhooks.endpoints import Endpoints
from runtime.webhooks.outbox import Outbox, Waiting
from runtime.webhooks.webhook_event import WebhookEvent, analysis_event, batch_event


class Announcing:
    """Tells customers' servers, at least once each: what it is told before it returns is in the outbox."""

    def __init__(
        self, endpoints: Endpoints, outbox: Outbox, *, api_url: str = "", asked_for: Callable[[str, str], bool]
    ) -> None:
        """Take the register and the outbox.

        Args:
            endpoints: who is to be called.
            outbox: where calls wait.
            api_url: where customers reach the API, for links; empty = links begin with its path.
            asked_for: whether somebody asked the API for a job, by customer and id, beside the batch it is of.
        """
        self._endpoints, self._outbox, self._api_url, self._asked_for = endpoints, outbox, api_url, asked_for

    def announce(self, records: Sequence[Record]) -> None:
        """Tell that jobs ended.

        Raises:
            Unavailable: the store cannot be reached; called again, it tells nobody twice what still waits.
        """
        calls: list[Waiting] = []
        for record in records:
            if self._endpoints.called(record.tenant):
                event = analysis_event(record, self._api_url)
                calls += self._calls(event, partial(self._is_of_batch_alone, record))
        self._outbox.put(calls)

    def batch_ended(self, batch: Batch) -> None:
        """Tell that a batch ended; told again, it is the same event.

        Raises:
            Unavailable: the store cannot be reached.
        """
        self._outbox.put(self._calls(batch_event(batch, self._api_url), lambda: False))

    def _calls(self, event: WebhookEvent, of_batch_alone: Callable[[], bool]) -> list[Waiting]:
        wanting = self._endpoints.called(event.tenant)
        choosy = any(event.type in each.events and not each.each_of_batches for each in wanting)
        alone = choosy and of_batch_alone()
        return [
            Waiting(event=event, endpoint=each.id, due_at=event.at, since=event.at)
            for each in wanting
            if each.wants(event, of_batch_alone=alone)
        ]

    def _is_of_batch_alone(self, record: Record) -> bool:
        return record.batch is not None and not self._asked_for(record.tenant, record.job_id)
