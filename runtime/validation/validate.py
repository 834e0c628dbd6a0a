"""What ``earmark validate`` does: run the checks over a model in its process, judge them, and write the report."""

import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from earmark.clock import utc_now
from earmark.domain import Clip
from earmark.errors import ConfigurationError, EarmarkError
from earmark.settings import Effective, Settings
from earmark.vocabulary import Origin
from router.intake import display, upload_file
from runtime import exit_status
from runtime.calibration.gathering import say
from runtime.calibration.listening import NOBODY
from runtime.signals import handled
from runtime.validation.environment import environment_of
from runtime.validation.labels import LabelledAnswers, decode_limits
from runtime.validation.report import Report, as_json, as_markdown
from runtime.validation.run import Findings, Validation
from workers import calibration
from workers.calibration import Calibration
from workers.decode.sandbox import DecoderPool
from workers.models.catalogue import ModelSpec, check_packages, find_model
from workers.validation.checks import CHECKS, Effort
from workers.validation.figures import Check, Finding
from workers.validation.sounds import Sounds
from workers.validation.subject import Subject, WatchedProcess
from workers.validation.targets import load_targets
from workers.validation.verdict import CheckResult, Status, verdict

SHIPPED: Final = Path(__file__).with_name("validation_targets.toml")
"""The targets that ship."""

UNTOLD: Final = frozenset({"actor", "data", "log_format", "log_level"})
"""Settings that change no figure."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for."""

    labels: Path | None = None
    targets: Path | None = None
    out: Path | None = None
    as_json: bool = False
    audio: Path | None = None
    """A recording to time the model with."""
    quick: bool = False
    only: frozenset[Check] = frozenset()
    """Empty = all."""


def validate(effective: Effective, wish: Wish) -> int:
    """Validate the model that is set; returns the exit status.

    Raises:
        ConfigurationError: the model, the targets, the labels, the calibration or --out cannot be used.
    """
    settings = effective.settings
    targets = load_targets(SHIPPED, wish.targets)
    spec = find_model(settings.model, settings)
    check_packages(spec)
    fitted = _calibration(settings, spec)
    labels = LabelledAnswers(settings, spec, wish.labels) if wish.labels is not None else None
    _writable(wish.out)
    if spec.regions is not None:
        say(f"{spec.name} {spec.version} is at a provider: it is sent hundreds of clips, which may cost money.")
    began = utc_now()
    process = WatchedProcess(spec.factory, spec.options, start_timeout_s=settings.model_start_timeout_s)
    subject = Subject(process, timeout_s=settings.predict_timeout_s)
    command, environment = _command(effective), environment_of(spec)

    def report(results: Sequence[CheckResult], *, complete: bool) -> Report:
        return Report(
            model=f"{spec.name} {spec.version}",
            verdict=verdict(results, interrupted=not complete),
            results=tuple(results),
            targets=targets,
            environment=environment.now(subject),
            command=command,
            quick=wish.quick,
            began=began,
            ended=utc_now(),
        )

    validation = Validation(wish.out, targets, report)
    complete = True
    with ExitStack() as stack:
        stack.callback(process.close)
        folder = stack.enter_context(_scratch(Path(settings.data) / "scratch"))
        recording = None if wish.audio is None else _decoded(settings, wish.audio, folder)
        checks = _checks(wish, subject, Sounds(folder, recording), labels, fitted, process)
        stack.enter_context(handled(validation.interrupt))
        try:
            validation.run(checks, subject)
        except KeyboardInterrupt:
            complete = False
            process.end()
            done = {result.check for result in validation.results}
            left = [check for check, _ in checks if check not in done]
            validation.results += [CheckResult(check, Status.SKIPPED, "interrupted before it") for check in left]
        final = report(validation.results, complete=complete)
        validation.write(final)
    return _ended(final, wish, unloadable=validation.unloadable)


def _ended(report: Report, wish: Wish, *, unloadable: bool) -> int:
    """Print what is asked for, and give the exit status."""
    if wish.as_json:
        sys.stdout.write(as_json(report) + "\n")
    elif wish.out is None:
        sys.stdout.write(as_markdown(report))
    say(f"{report.verdict}: {report.verdict.why}")
    if not report.verdict.complete:
        return exit_status.INTERRUPTED
    if unloadable:
        return exit_status.UNAVAILABLE
    return 0 if report.verdict.go else exit_status.SOME_NOT_DONE


def _checks(
    wish: Wish,
    subject: Subject,
    sounds: Sounds,
    labels: LabelledAnswers | None,
    fitted: Calibration | None,
    process: WatchedProcess,
) -> list[tuple[Check, Findings | str]]:
    """All checks in order, or why one is skipped; loading is always one of them."""
    effort = Effort.quick() if wish.quick else Effort()
    checks: list[tuple[Check, Findings | str]] = []
    for check in Check:
        findings: Findings | str
        if wish.only and check not in {*wish.only, Check.LOAD}:
            findings = "not asked for (--only)"
        elif check in CHECKS:
            findings = _bound(CHECKS[check], subject, sounds, effort)
        elif labels is None:
            findings = "no labels are given (--labels)"
        else:
            findings = _bound(labels.findings, process, fitted)
        checks.append((check, findings))
    return checks


def _bound(run: Callable[..., Iterator[Finding]], *arguments: object) -> Findings:
    return lambda: run(*arguments)


def _calibration(settings: Settings, spec: ModelSpec) -> Calibration | None:
    """The calibration that is set; raises ``ConfigurationError`` if it is for another model."""
    if settings.calibration is None:
        return None
    return calibration.load(
        settings.calibration,
        model=spec.name,
        model_version=spec.version,
        engine=spec.engine,
        prompt_version=spec.prompt_version,
    )


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder of our own for sounds, gone afterwards."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix="validate-", dir=folder, ignore_cleanup_errors=True)
    except OSError as error:
        message = f"Cannot write into {display(folder)}: {error.strerror}.  Set EARMARK_DATA."
        raise ConfigurationError(message) from error
    with made as name:
        yield Path(name)


def _decoded(settings: Settings, path: Path, folder: Path) -> Clip:
    """A recording as the model hears it; raises ``ConfigurationError`` if it is none."""
    try:
        upload = upload_file(
            path, NOBODY, Origin.COMMAND, max_input_bytes=settings.max_input_bytes, received_at=utc_now()
        )
        with DecoderPool(1, decode_limits(settings), folder) as pool:
            clip = pool.decode("recording", path, upload.content_sha256)
            return replace(clip, path=clip.path.replace(folder / "recording"))  # the pool deletes what it made
    except EarmarkError as error:
        message = f"Cannot time the model with {display(path)}: {error}"
        raise ConfigurationError(message) from error


def _writable(out: Path | None) -> None:
    """See before the long run that the report can be written after it."""
    if out is None:
        return
    if out.is_dir() or not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        message = f"Cannot write {display(out)}: no folder to write a file into.  Choose another --out."
        raise ConfigurationError(message)


def _command(effective: Effective) -> str:
    """What to type to run it again: the settings that are not at their defaults, and the arguments."""
    given = [
        f"EARMARK_{name.upper()}={shlex.quote(str(value))}"
        for name, value in effective.settings
        if effective.sources[name] != "default"
        and name not in UNTOLD
        and not any(argument.partition("=")[0] == f"--{name.replace('_', '-')}" for argument in sys.argv)
    ]
    return " ".join([*given, "earmark", shlex.join(sys.argv[1:])])
