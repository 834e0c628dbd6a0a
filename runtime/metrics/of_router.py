"""Metrics of the router; the first two are those of the API too, which routes what it takes."""

from typing import Final

from runtime.metrics.labels import FATE, KIND, LANE, ORIGIN
from runtime.metrics.metric import Kind, Metric, Server

ROUTED: Final = Metric(
    "earmark_uploads_routed_total",
    Kind.COUNTER,
    "uploads",
    "Uploads that were routed.",
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

OF_ROUTER: Final = (
    ROUTED,
    ROUTED_BYTES,
    ARRIVALS_REJECTED,
)
