"""Every metric there is.  ``docs/metrics.md`` is written from this; alerts and dashboards may use nothing else."""

from typing import Final

from runtime.metrics.metric import Metric
from runtime.metrics.of_api import OF_API
from runtime.metrics.of_controller import OF_CONTROLLER
from runtime.metrics.of_router import OF_ROUTER
from runtime.metrics.of_workers import OF_WORKERS

METRICS: Final[tuple[Metric, ...]] = (*OF_WORKERS, *OF_ROUTER, *OF_CONTROLLER, *OF_API)
BY_NAME: Final = {metric.name: metric for metric in METRICS}
