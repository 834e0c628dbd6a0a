"""Metrics of the router."""

from typing import Final

from runtime.metrics.labels import FATE, LANE, ORIGIN
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

OF_ROUTER: Final = (
    ROUTED,
    ROUTED_BYTES,
)
