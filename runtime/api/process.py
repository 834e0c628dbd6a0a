"""``run_api``: the process that serves the API."""

import threading

from earmark.settings import Settings
from runtime.api.app import make_api
from runtime.api.parts import chores_of, make_parts
from runtime.api.serving import serve
from runtime.chores import doing
from runtime.metrics.exposition import serving_metrics
from runtime.metrics.metric import Server
from runtime.signals import handled
from runtime.wiring import connect

CHORES_EVERY_S = 1.0


def run_api(settings: Settings) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status.

    Raises:
        ConfigurationError: the port is taken, or a setting is wrong.
        Unavailable: a store cannot be reached.
    """
    backend, stop = connect(settings), threading.Event()
    parts = make_parts(settings, backend, stopping=stop.is_set)
    with (
        handled(stop.set),
        doing(chores_of(parts), every_s=CHORES_EVERY_S),
        serving_metrics(settings, Server.API, parts.analyses.metrics.registry),
    ):
        serve(make_api(parts), settings.api_host, settings.api_port, stop)
    return 0
