"""``earmark up``, ``api`` and ``controller``: their arguments; other modules do the work."""

from typing import Annotated, Any

import typer

from earmark import log
from earmark.errors import ConfigurationError
from earmark.settings import Settings, load

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 = any that is free.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 = every one of this machine.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command(
        epilog="Examples:\n\n`earmark up`\n\n`earmark up --port 9000 --host 0.0.0.0`\n\n"
        "Then, in another terminal: `earmark tenant add acme --tier enterprise`, `earmark tenant key acme`, and\n\n"
        "`curl -H 'Authorization: Bearer KEY' -H 'Prefer: wait=30' -F file=@song.mp3 http://127.0.0.1:8080/v1/analyses`"
    )(up)
    app.command(epilog="Examples:\n\n`earmark api`\n\n`EARMARK_BACKEND=gcp earmark api --host 0.0.0.0`")(api)
    app.command(
        epilog="Examples:\n\n`earmark controller --once`\n\n`EARMARK_METRICS_PORT=9100 earmark controller`\n\n"
        "`earmark controller --once --json | jq 'select(.metric == \"earmark_queue_waiting\")'`"
    )(controller)


def up(
    port: Port = None,
    host: Host = None,
    retention: Annotated[
        bool, typer.Option("--retention/--no-retention", help="Whether files are deleted when their time is over.")
    ] = True,
) -> None:
    """Run everything on this machine: API, router, workers, retention and controller, until SIGTERM or Ctrl-C.

    `/metrics/targets` of the API tells Prometheus where the figures of all of them are.  What ends by itself is started
    again.  A second Ctrl-C has workers hand back at once what they are at.
    """
    from runtime.up.up import run_up  # noqa: PLC0415  # keeps `earmark --help` quick

    settings = _settings(host, port, default_level="info")
    raise typer.Exit(run_up(settings, host=settings.api_host, port=settings.api_port, retention=retention))


def api(port: Port = None, host: Host = None) -> None:
    """Run the API alone, until SIGTERM or Ctrl-C; routers and workers run elsewhere."""
    from runtime.api.process import run_api  # noqa: PLC0415

    raise typer.Exit(run_api(_settings(host, port, default_level="info")))


def controller(
    once: Annotated[bool, typer.Option("--once", help="Look once, print the figures and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: a JSON line a figure.")] = False,
) -> None:
    """Look at queues, dead letters, money, retention and scaling, and show them to Prometheus, until SIGTERM or Ctrl-C.

    Several may run at a time: each sees the same.  What cannot be seen has no figure.
    """
    from runtime.controller.process import look_once, run_controller  # noqa: PLC0415

    if as_json and not once:
        message = "--json is for --once; without it the figures are at /metrics."
        raise ConfigurationError(message)
    settings = _settings(None, None, default_level="warning" if once else "info")
    raise typer.Exit(look_once(settings, as_json=as_json) if once else run_controller(settings))


def _settings(host: str | None, port: int | None, *, default_level: str) -> Settings:
    effective = load()
    settings = effective.settings
    level = settings.log_level if effective.sources["log_level"] != "default" else default_level
    log.attach(level, settings.log_format, project=settings.log_project)
    given: dict[str, Any] = {"api_host": host, "api_port": port}
    return settings.model_copy(update={name: value for name, value in given.items() if value is not None})
