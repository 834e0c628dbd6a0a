"""``Delivering``: one call of a customer's server about one event, and the row that says what came of it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Final

from earmark.api_rows import DeliveryRow
from earmark.errors import ConfigurationError, EarmarkError, Unavailable
from earmark.log import event as log_event
from earmark.ports import Clock
from earmark.row import Row
from runtime.posting import Posting
from runtime.webhooks.endpoint import WebhookEndpoint
from runtime.webhooks.endpoints import Endpoints
from runtime.webhooks.standard_webhooks import signed_headers
from runtime.webhooks.webhook_event import WebhookEvent

_log = logging.getLogger(__name__)
DELIVERED: Final = "delivered"
RETRYING: Final = "retrying"
GIVEN_UP: Final = "given_up"
DISABLED: Final = "disabled"
"""What can become of a call: the words of ``DeliveryRow.outcome``."""


_MOMENT: Final = "%Y%m%dT%H%M%S.%fZ"


def moment_of(row: Mapping[str, object]) -> datetime:
    """When the call of a row of the query ``webhook_deliveries`` had ended, which its id says to the microsecond."""
    return datetime.strptime(str(row["row_id"]).partition(":")[0], _MOMENT).replace(tzinfo=UTC)


class Delivering:
    """Makes calls and writes them down."""

    def __init__(
        self,
        endpoints: Endpoints,
        posting: Posting,
        clock: Clock,
        append: Callable[[Sequence[Row]], None],
        called: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the register, what posts, the time that signatures bear, what adds rows, and who hears each outcome."""
        self._endpoints, self._posting, self._clock, self._append = endpoints, posting, clock, append
        self._called = called

    def deliver(self, endpoint: WebhookEndpoint, event: WebhookEvent, attempt: int, *, last: bool) -> DeliveryRow:
        """Call once.  A server that says it is gone for good is disabled.

        Args:
            endpoint: whom to call.
            event: about what.
            attempt: number of the call about this event, from 1.
            last: whether there will be no other.

        Raises:
            Unavailable: the register cannot be reached, to disable the endpoint in it.
        """
        began, now, body = time.monotonic(), self._clock(), event.body
        status, detail = None, ""
        try:
            status = self._posting.post(endpoint.url, body, signed_headers(event.id, now, body, endpoint.signing(now)))
        except (Unavailable, ConfigurationError) as error:
            detail = str(error)
        outcome = GIVEN_UP if last else RETRYING
        if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            outcome = DELIVERED
        elif status == HTTPStatus.GONE:
            outcome, detail = DISABLED, "it answers 410: it is gone for good"
            self._endpoints.change(endpoint.tenant, endpoint.id, lambda each: each.disabled(now, detail))
        elif status is not None:
            moved = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
            detail = f"it answers {status}{'; redirects are not followed' if moved else ''}"
        return self._note(endpoint, event, attempt, status, outcome, detail, time.monotonic() - began)

    def give_up(self, endpoint: WebhookEndpoint, event: WebhookEvent, attempt: int, outcome: str, why: str) -> None:
        """Write down that an event is not told any more, without a call."""
        self._note(endpoint, event, attempt, None, outcome, why, 0.0)

    def _note(
        self,
        endpoint: WebhookEndpoint,
        event: WebhookEvent,
        attempt: int,
        status: int | None,
        outcome: str,
        detail: str,
        took_s: float,
    ) -> DeliveryRow:
        now = self._clock()
        row = DeliveryRow(
            row_id=f"{now.astimezone(UTC):{_MOMENT}}:{event.id}:{endpoint.id}:{attempt}",  # in order of time, for pages
            tenant=endpoint.tenant,
            at=now,
            endpoint=endpoint.id,
            event=event.id,
            event_type=event.type.value,
            subject=event.subject,
            attempt=attempt,
            status=status,
            outcome=outcome,
            detail=detail,
            took_s=round(took_s, 3),
        )
        self._called(outcome)
        level = logging.INFO if outcome == DELIVERED else logging.WARNING
        told = partial(log_event, _log, f"webhook.{outcome}", tenant=endpoint.tenant, endpoint=endpoint.id)
        told(level=level, webhook_event=event.id, attempt=attempt, status=status, error=detail or None)
        try:
            self._append([row])
        except EarmarkError as error:  # what was called was called: nobody is called twice for want of a row
            log_event(_log, "webhook.unlogged", level=logging.WARNING, webhook_event=event.id, error=str(error))
        return row
