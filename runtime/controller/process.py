"""``run_controller``: the process that looks at what all others share, and shows it to Prometheus."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from prometheus_client import CollectorRegistry

from earmark.clock import utc_now
from earmark.settings import Settings
from runtime import exit_status
from runtime.backend import Backend
from runtime.controller.controller import Controller, Figure
from runtime.controller.parts import RETENTION_WITHIN_S, open_parts
from runtime.dlq.desk import say
from runtime.metrics.exposition import serving_metrics
from runtime.metrics.metric import Server
from runtime.retention.output import print_table
from runtime.signals import stoppable
from runtime.wiring import connect, connect_existing


def run_controller(settings: Settings) -> int:
    """Look every few seconds until SIGTERM or Ctrl-C; returns the exit status.

    Raises:
        ConfigurationError: the port is taken, or a setting is wrong.
    """
    backend, registry = connect(settings, late=True), CollectorRegistry()
    with stoppable() as stop, open_parts(settings, backend, utc_now) as parts:
        controller = Controller(parts)
        registry.register(controller)
        with serving_metrics(settings, Server.CONTROLLER, registry):
            while not stop.is_set():
                controller.run_once()
                stop.wait(settings.controller_every_s)
    return 0


def look_once(settings: Settings, *, as_json: bool) -> int:
    """Print what there is to see, a figure a line; exit status 3 where a part cannot be seen.

    It changes nothing: what the figures of scaling stand on is said on standard error.
    """
    backend: Backend = connect_existing(settings, late=True)
    told = list[str]()
    with open_parts(settings, backend, utc_now, look=told.append) as parts:
        patient = [replace(part, within_s=RETENTION_WITHIN_S) for part in parts]
        controller = Controller(patient)
        seen, figures = controller.run_once(wait_s=RETENTION_WITHIN_S), controller.figures
    if as_json:
        sys.stdout.write("".join(f"{json.dumps(each)}\n" for each in _lines(figures)))
    else:
        rows: list[list[object]] = [
            [figure.metric.name, _shown(figure.label_values), f"{figure.value:.12g}"] for figure in figures
        ]
        print_table(["metric", "labels", "value"], rows)
    unseen = [each for each in seen if each.looked_at is None]
    for line in told:
        say(line)
    for each in unseen:
        say(f"{each.part} cannot be seen: {each.why}")
    return exit_status.SOME_NOT_DONE if unseen else 0


def _shown(labels: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in labels.items())


def _lines(figures: Sequence[Figure]) -> list[dict[str, object]]:
    return [
        {"metric": figure.metric.name, "labels": figure.label_values, "value": float(figure.value)}
        for figure in figures
    ]
