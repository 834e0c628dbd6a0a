"""What sends webhooks, put together from the adapters of a backend."""

from collections.abc import Callable, Sequence
from typing import Final

from earmark.audit import Auditing, AuditTrail
from earmark.clock import utc_now
from earmark.domain import Record
from earmark.ports import Clock
from earmark.settings import Settings
from router.batches.batch import Batch
from router.batches.batches import Batches
from runtime.api.job_requests import JobRequests
from runtime.backend import Backend
from runtime.posting import Posting
from runtime.webhooks.announcing import Announcing
from runtime.webhooks.courier import Courier
from runtime.webhooks.delivering import Delivering
from runtime.webhooks.desk import WebhookDesk
from runtime.webhooks.endpoints import Endpoints
from runtime.webhooks.outbox import Outbox
from workers.settle import read_record

TEST_S: Final = 9.0
"""Seconds of a call that somebody waits for: so that the API, which waits a little longer, can say what came of it."""
FRESH_S: Final = {"local": 0.0, "gcp": 2.0}
"""Seconds for which it is remembered whom a customer wants called, by backend: next door a look costs nothing."""


def make_announcing(settings: Settings, backend: Backend, clock: Clock = utc_now) -> Announcing:
    """What puts the calls about ended jobs and batches into the outbox."""
    requests = JobRequests(backend.state, backend.results, clock)
    return Announcing(
        Endpoints(backend.state, fresh_s=FRESH_S[settings.backend]),
        Outbox(backend.state),
        api_url=settings.api_url,
        asked_for=lambda tenant, job: requests.find(tenant, job) is not None,
    )


def announcing_to_all(
    settings: Settings, backend: Backend, clock: Clock = utc_now
) -> Callable[[Sequence[Record]], None]:
    """For a settler: tells whoever listens to the backend, and the customers' servers."""
    webhooks = make_announcing(settings, backend, clock)

    def announce(records: Sequence[Record]) -> None:
        webhooks.announce(records)
        backend.announce(records)

    return announce


def make_courier(
    settings: Settings, backend: Backend, clock: Clock = utc_now, called: Callable[[str], None] = lambda _: None
) -> Courier:
    """What makes the calls: ``run(stop)`` in a thread of its own, in as many processes as you like.

    ``called`` hears what came of each.
    """
    endpoints = Endpoints(backend.state)
    posting = Posting(private=settings.webhook_private, whole_s=20.0)
    return Courier(
        outbox=Outbox(backend.state),
        endpoints=endpoints,
        delivering=Delivering(endpoints, posting, clock, backend.warehouse.append, called),
        clock=clock,
    )


def make_desk(
    settings: Settings, backend: Backend, clock: Clock = utc_now, *, audit: Auditing | None = None
) -> WebhookDesk:
    """What the API and the commands do with webhooks; making one costs nothing."""
    batches = Batches(backend.state, clock, max_entries=settings.batch_max_entries)

    def find_batch(tenant: str, batch: str) -> Batch | None:
        found = batches.find(tenant, batch)
        return found.batch if found is not None else None

    return WebhookDesk(
        state=backend.state,
        warehouse=backend.warehouse,
        posting=Posting(private=settings.webhook_private, whole_s=TEST_S),
        audit=audit or AuditTrail(backend.audit, backend.warehouse, clock, hints=backend.state),
        clock=clock,
        find_record=lambda tenant, job: read_record(backend.results, tenant, job),
        find_batch=find_batch,
        api_url=settings.api_url,
    )
