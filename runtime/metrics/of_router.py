"""Metrics of the router; the first two are those of the API too, which routes what it takes."""

from typing import Final

from runtime.metrics.labels import FATE, KIND, LANE, ORIGIN, OUTCOME
from runtime.metrics.metric import Kind, Metric, Server

ROUTED: Final = Metric(
    "earmark_uploads_routed_total",
    Kind.COUNTER,
    "uploads",
    "Uploads that were routed, or known already; those of commands are not seen, for nobody scrapes these.",
    Server.ROUTER,
    (LANE, ORIGIN, FATE),
)
ROUTED_BYTES: Final = Metric(
    "earmark_uploads_routed_bytes_total",
    Kind.COUNTER,
    "bytes",
    "Size of the uploads that became jobs.",
    Server.ROUTER,
    (LANE,),
)

ARRIVALS_REJECTED: Final = Metric(
    "earmark_arrivals_rejected_total",
    Kind.COUNTER,
    "objects",
    "New objects of the upload bucket that cannot be heard.",
    Server.ROUTER,
    (KIND,),
)
WEBHOOK_CALLS: Final = Metric(
    "earmark_webhook_calls_total",
    Kind.COUNTER,
    "calls",
    "Calls of customers' servers that ended, those among them that were given up unmade.",
    Server.ROUTER,
    (OUTCOME,),
)

OF_ROUTER: Final = (
    ROUTED,
    ROUTED_BYTES,
    ARRIVALS_REJECTED,
    WEBHOOK_CALLS,
)
