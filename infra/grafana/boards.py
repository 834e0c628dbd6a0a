"""The four dashboards."""

from typing import Final

from infra.grafana.board import Board
from infra.grafana.cost import COST
from infra.grafana.experiments import EXPERIMENTS
from infra.grafana.live import LIVE
from infra.grafana.queues import QUEUES

BOARDS: Final[tuple[Board, ...]] = (LIVE, EXPERIMENTS, QUEUES, COST)
