"""``WebhookDesk``: what customers and operators do with webhooks; each change is in the audit log first."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from earmark.api_rows import DeliveryRow
from earmark.audit import AuditEntry, Auditing
from earmark.domain import Record
from earmark.errors import ConfigurationError, Unavailable
from earmark.ports import Clock, ObjectStore, Warehouse
from router.batches.batch import Batch
from runtime.posting import Posting
from runtime.webhooks.delivering import Delivering
from runtime.webhooks.endpoint import WebhookEndpoint, make_endpoint
from runtime.webhooks.endpoints import Endpoints
from runtime.webhooks.outbox import Box, Outbox, Waiting
from runtime.webhooks.webhook_event import CHOICES, EventType, WebhookEvent, analysis_event, batch_event, trial_event


@dataclass(frozen=True)
class WebhookDesk:
    """The parts; ``actor`` is who asked, as ``key:ID``, or a person.  Its methods raise ``Unavailable``."""

    state: ObjectStore
    warehouse: Warehouse
    posting: Posting
    audit: Auditing
    clock: Clock
    find_record: Callable[[str, str], Record | None]
    """By customer and job id."""
    find_batch: Callable[[str, str], Batch | None]
    """By customer and batch id."""
    api_url: str = ""

    @cached_property
    def endpoints(self) -> Endpoints:
        """The register."""
        return Endpoints(self.state)

    @cached_property
    def outbox(self) -> Outbox:
        """The calls that wait."""
        return Outbox(self.state)

    def add(
        self,
        tenant: str,
        url: str,
        *,
        events: Iterable[EventType] = CHOICES,
        each_of_batches: bool = False,
        actor: str,
        checked: bool = False,
    ) -> WebhookEndpoint:
        """Have a server called from now on; ``checked`` = ``check`` has just allowed the address.

        Raises:
            ConfigurationError: the address is none that is called, or cannot be looked up; or the customer has as many
                as there may be.
        """
        if not checked:
            self.check(url)
        endpoint = make_endpoint(tenant, url, self.clock(), events=events, each_of_batches=each_of_batches)
        self.endpoints.check_room(tenant)
        self._order("webhook.add", endpoint, actor, detail=",".join(endpoint.events))
        self.endpoints.add(endpoint)
        return endpoint

    def check(self, url: str) -> None:
        """Look an address up, which may take as long as the system's look-up of names.

        Raises:
            ConfigurationError: it is none that is called, or cannot be looked up.
        """
        try:
            self.posting.check(url)
        except Unavailable as error:
            raise ConfigurationError(str(error)) from None

    def remove(self, endpoint: WebhookEndpoint, actor: str) -> bool:
        """Have a server called no more; what waits for it is forgotten.  Whether it was there."""
        self._order("webhook.remove", endpoint, actor)
        gone = self.endpoints.remove(endpoint.tenant, endpoint.id)
        self.outbox.clear(Box(endpoint.tenant, endpoint.id))
        return gone

    def rotate(self, endpoint: WebhookEndpoint, actor: str) -> WebhookEndpoint | None:
        """Give it a new secret, beside which the old one signs for a day; ``None`` = it is gone."""
        self._order("webhook.rotate", endpoint, actor)
        now = self.clock()
        return self.endpoints.change(endpoint.tenant, endpoint.id, lambda each: each.rotated(now))

    def enable(self, endpoint: WebhookEndpoint, actor: str) -> WebhookEndpoint | None:
        """Have a server called again that was disabled; ``None`` = it is gone."""
        self._order("webhook.enable", endpoint, actor, before=endpoint.disabled_why)
        change = {"disabled_at": None, "disabled_why": ""}
        return self.endpoints.change(endpoint.tenant, endpoint.id, lambda each: each.model_copy(update=change))

    def test(self, endpoint: WebhookEndpoint) -> DeliveryRow:
        """Call a server now, once, to see whether it answers; ``webhook.test`` is the event."""
        event = trial_event(endpoint.tenant, endpoint.id, self.clock())
        delivering = Delivering(self.endpoints, self.posting, self.clock, self.warehouse.append)
        return delivering.deliver(endpoint, event, 1, last=True)

    def deliveries(
        self, tenant: str, endpoint: str, *, event: str = "", below: str = "", most: int = 100
    ) -> list[dict[str, object]]:
        """Calls that were made, the latest first, as rows of the query ``webhook_deliveries``."""
        asked = {"tenant": tenant, "endpoint": endpoint, "event": event, "below": below, "most": most}
        return self.warehouse.query("webhook_deliveries", asked)

    def replay(self, endpoint: WebhookEndpoint, event: str, actor: str) -> WebhookEvent | None:
        """Tell an event of which there was a call once more, beginning now; ``None`` = it cannot be told any more.

        Such is one of which there was no call, a test, and one about what is not there any more or has changed since.
        """
        calls = self.deliveries(endpoint.tenant, endpoint.id, event=event, most=1)
        told = self._event(endpoint.tenant, calls[0]) if calls else None
        if told is None or told.id != event:
            return None
        self._order("webhook.replay", endpoint, actor, detail=event)
        now = self.clock()
        earlier = int(str(calls[0]["attempt"]))
        self.outbox.put([Waiting(event=told, endpoint=endpoint.id, due_at=now, since=now, earlier=earlier)])
        return told

    def _event(self, tenant: str, call: dict[str, object]) -> WebhookEvent | None:
        """The event of a call, made anew from what it is about."""
        subject = str(call["subject"])
        match call["event_type"]:
            case EventType.ANALYSIS_COMPLETED | EventType.ANALYSIS_FAILED:
                record = self.find_record(tenant, subject)
                return None if record is None else analysis_event(record, self.api_url)
            case EventType.BATCH_COMPLETED:
                batch = self.find_batch(tenant, subject)
                return None if batch is None else batch_event(batch, self.api_url)
        return None

    def _order(self, action: str, endpoint: WebhookEndpoint, actor: str, *, detail: str = "", before: str = "") -> None:
        self.audit([
            AuditEntry(
                at=self.clock(),
                actor=actor,
                action=action,
                target=endpoint.id,
                tenant=endpoint.tenant,
                before=before,
                detail=detail,
            )
        ])  # fmt: skip
