"""``earmark validate``: its arguments; ``runtime.validation.validate`` does the work."""

import os
from pathlib import Path
from typing import Annotated

import typer

from earmark import log
from earmark.errors import ConfigurationError
from earmark.settings import PREFIX, Effective, load
from workers.validation.figures import Check

Model = Annotated[str | None, typer.Option(help="The model, instead of EARMARK_MODEL.")]
ModelPath = Annotated[str | None, typer.Option(help="Folder of its weights, or their name on the hub.")]
Labels = Annotated[
    Path | None,
    typer.Option(help="JSON lines or CSV of judged answers, or of recordings whose truth is known; for calibration."),
]
OwnTargets = Annotated[
    Path | None, typer.Option("--targets", help="TOML file of limits that go before those that ship.")
]
Out = Annotated[Path | None, typer.Option(help="Write the report here, not to standard output.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; the report goes to --out alone.")]
Audio = Annotated[
    Path | None, typer.Option(help="Recording to time it with, over and over: of speech, which costs most.")
]
Quick = Annotated[bool, typer.Option("--quick", help="20 calls instead of 200, and each time measured once.")]
Only = Annotated[list[Check] | None, typer.Option(help="Do this check alone; may be given several times.")]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command(
        epilog="Examples:\n\n`earmark validate --model listener --quick`\n\n"
        "`earmark validate --model qwen2_audio --model-path Qwen/Qwen2-Audio-7B-Instruct --labels gold.jsonl "
        "--out report.md`\n\n`earmark validate --only batch --only memory --json`\n\n"
        "Exit status: 0 GO; 2 wrong usage or targets; 3 NO-GO; 4 the model does not load; 130 interrupted, and what "
        "was measured is in the report."
    )(validate)


def validate(
    *,
    model: Model = None,
    model_path: ModelPath = None,
    labels: Labels = None,
    targets: OwnTargets = None,
    audio: Audio = None,
    out: Out = None,
    as_json: Json = False,
    quick: Quick = False,
    only: Only = None,
) -> None:
    """Whether a model may go live: GO or NO-GO, with everything that was measured.

    Loads it as a worker does and looks at its answers, batches, speed, memory and, with labels, its confidences.  At a
    provider that costs money.
    """
    from runtime.validation import validate as work  # noqa: PLC0415  # keeps `earmark --help` quick

    wish = work.Wish(
        labels=labels, targets=targets, audio=audio, out=out, as_json=as_json, quick=quick, only=frozenset(only or ())
    )
    raise typer.Exit(work.validate(_settings(model, model_path), wish))


def _settings(model: str | None, model_path: str | None) -> Effective:
    """The settings; what is given on the command line goes before the environment."""
    if model == "":
        message = "The name after --model is empty; leave it out for EARMARK_MODEL."
        raise ConfigurationError(message)
    given = {f"{PREFIX}MODEL": model, f"{PREFIX}MODEL_PATH": model_path}
    effective = load({**os.environ, **{name: value for name, value in given.items() if value is not None}})
    level = effective.settings.log_level if effective.sources["log_level"] != "default" else "warning"
    log.attach(level, effective.settings.log_format, project=effective.settings.log_project)
    return effective
