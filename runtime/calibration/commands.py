"""``earmark calibrate``, ``threshold`` and ``review``: their arguments; other modules do the work."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark import log
from earmark.errors import ConfigurationError
from earmark.settings import Settings, load

if TYPE_CHECKING:
    from runtime.calibration.calibrate import LabelSource

Labels = Annotated[
    Path | None, typer.Option(help="JSON lines or CSV of judged answers, or of recordings whose truth is known.")
]
FromReviews = Annotated[bool, typer.Option("--from-reviews", help="Take what people judged with `earmark review`.")]
Model = Annotated[str, typer.Option(help="Whose answers these are, instead of EARMARK_MODEL.")]
ModelPath = Annotated[str, typer.Option(help="Folder of its weights, or their name on the hub.")]
OfFallback = Annotated[bool, typer.Option("--fallback", help="The answers are the fallback's, EARMARK_FALLBACK.")]
Version = Annotated[str, typer.Option("--model-version", help="Of that model, where it cannot run here.")]
Engine = Annotated[str, typer.Option(help="What ran it, where it cannot run here.")]
Prompt = Annotated[str, typer.Option("--prompt-version", help="What it was asked with, where it cannot run here.")]
Svg = Annotated[Path | None, typer.Option(help="Draw it into this file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command(
        epilog="Examples:\n\n`earmark calibrate --labels labels.jsonl --svg reliability.svg`\n\n"
        "`earmark calibrate --from-reviews --out calibration.json`\n\n"
        "Exit status: 2 when the labels cannot be used, 3 when some of their rows could not."
    )(calibrate)
    app.command(
        epilog="Examples:\n\n`earmark threshold --artefact calibration.json --error-rate 0.05`\n\n"
        "`earmark threshold --labels labels.jsonl --budget-share 0.2 --svg costs.svg`\n\n"
        "`earmark threshold --artefact calibration.json --budget-usd 25 --usd-per-answer 0.004 --answers 50000`\n\n"
        "Exit status: 3 when no threshold does what is wanted."
    )(threshold)
    app.command(
        epilog="Examples:\n\n`earmark review 4f…c1 --field content_type --wrong --value speech`\n\n"
        "`earmark review 4f…c1 --field genres --entry jazz --right`\n\n`earmark review --from reviews.jsonl`"
    )(review)


def calibrate(
    labels: Labels = None,
    from_reviews: FromReviews = False,
    model: Model = "",
    model_path: ModelPath = "",
    fallback: OfFallback = False,
    model_version: Version = "",
    engine: Engine = "",
    prompt_version: Prompt = "",
    out: Annotated[Path | None, typer.Option(help="Write the artefact here, not into the data folder.")] = None,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Fit confidences that hold to labelled answers: among answers given 0.8, about 80 % are right.

    Prints how well they hold on recordings that were held out, and writes the artefact that EARMARK_CALIBRATION names.
    """
    from runtime.calibration import calibrate as work  # noqa: PLC0415  # keeps `earmark --help` quick

    settings = _settings(model, model_path)
    source = _source(labels, from_reviews, model, model_version, engine, prompt_version, fallback=fallback)
    raise typer.Exit(work.calibrate(settings, source, out=out, svg=svg, as_json=as_json))


def threshold(
    artefact: Annotated[Path | None, typer.Option(help="What `earmark calibrate` wrote.")] = None,
    labels: Labels = None,
    error_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Most wrong answers among those that are kept, as 0.05.")
    ] = None,
    surely: Annotated[
        bool, typer.Option("--surely", help="The whole interval must be below the error rate, not its middle.")
    ] = False,
    budget_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Most answers that go to the fallback, as 0.2.")
    ] = None,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="Most dollars for the fallback.")] = None,
    usd_per_answer: Annotated[float | None, typer.Option(min=0, help="What asking it for one answer costs.")] = None,
    answers: Annotated[
        int | None, typer.Option(min=1, help="How many answers the dollars are for; else as many as were labelled.")
    ] = None,
    field: Annotated[str, typer.Option(help="Look at this field alone.")] = "",
    model: Model = "",
    model_path: ModelPath = "",
    fallback: OfFallback = False,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Find the confidence below which answers should go to the fallback, for a wanted error rate or budget."""
    from runtime.calibration import threshold as work  # noqa: PLC0415

    settings = _settings(model, model_path)
    wish = work.Wish(error_rate, surely, budget_share, budget_usd, usd_per_answer, answers)
    source = None if labels is None else _source(labels, False, model, fallback=fallback)  # noqa: FBT003  # as above
    raise typer.Exit(
        work.pick_threshold(
            settings, artefact=artefact, source=source, wish=wish, field=field, svg=svg, as_json=as_json
        )
    )


def review(
    job_id: Annotated[str, typer.Argument(help="Id of the job.", metavar="[JOB_ID]", show_default=False)] = "",
    field: Annotated[str, typer.Option(help="The field that is judged.")] = "",
    right: Annotated[bool | None, typer.Option("--right/--wrong", help="Whether the answer is right.")] = None,
    value: Annotated[str | None, typer.Option(help="What is right; alone, it says whether the answer is.")] = None,
    entry: Annotated[str | None, typer.Option(help="Which entry of a list field is judged.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose record it is.")] = "default",
    file: Annotated[Path | None, typer.Option("--from", help="JSON lines with these names.")] = None,
) -> None:
    """Say whether a stored answer is right; `earmark calibrate --from-reviews` learns from it.

    Judging the same answer again replaces what was said before.
    """
    from runtime.calibration import review as work  # noqa: PLC0415

    settings = _settings("", "")
    if (file is None) == (not job_id):
        message = "Name a job and --field, or --from FILE."
        raise ConfigurationError(message)
    if file is not None:
        raise typer.Exit(work.review_file(settings, file))
    if not field:
        message = "Say which --field is judged."
        raise ConfigurationError(message)
    judged = work.named_review(job_id, field=field, right=right, value=value, entry=entry, tenant=tenant)
    raise typer.Exit(work.review_one(settings, judged))


def _source(
    labels: Path | None,
    from_reviews: bool,  # noqa: FBT001  # as the command has it
    model: str,
    model_version: str = "",
    engine: str = "",
    prompt_version: str = "",
    *,
    fallback: bool,
) -> "LabelSource":
    from runtime.calibration.calibrate import LabelSource  # noqa: PLC0415
    from workers.calibration import Identity  # noqa: PLC0415

    if (labels is None) != from_reviews:
        message = "Name --labels FILE, or --from-reviews."
        raise ConfigurationError(message)
    for option, text in (
        ("--model", model),
        ("--model-version", model_version),
        ("--engine", engine),
        ("--prompt-version", prompt_version),
    ):
        if not text.isprintable():
            message = f"{option} {text!r} has control characters in it.  Write it as the records have it."
            raise ConfigurationError(message)
    return LabelSource(labels, Identity(model, model_version, engine, prompt_version), fallback=fallback)


def _settings(model: str, model_path: str) -> Settings:
    """The settings; what is given on the command line goes before the environment."""
    effective = load()
    settings = effective.settings
    level = settings.log_level if effective.sources["log_level"] != "default" else "warning"
    log.attach(level, settings.log_format, project=settings.log_project)
    given = {name: text for name, text in (("model", model), ("model_path", model_path)) if text}
    return settings.model_copy(update=given)
