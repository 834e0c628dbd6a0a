"""``Validation``: runs checks one after another, and tells what came of each while they run."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from earmark.errors import EarmarkError, ModelUnavailable
from earmark.named_file import write_whole
from runtime.calibration.gathering import say
from runtime.validation.report import Report, as_markdown
from workers.validation.figures import Check, Doubt, Fault, Finding, Measurement
from workers.validation.subject import Subject
from workers.validation.targets import Targets
from workers.validation.verdict import CheckResult, Status, judge_check, shown

Findings = Callable[[], Iterator[Finding]]


class Validation:
    """One run: what is known so far, and how it is told."""

    def __init__(self, out: Path | None, targets: Targets, report: Callable[..., Report]) -> None:
        """Take the file to keep up to date, the targets, and what makes a report of results, complete or not."""
        self._out = out
        self._targets = targets
        self._report = report
        self.results: list[CheckResult] = []
        self.unloadable = False
        self._interrupted = False

    def interrupt(self) -> None:
        """End the run, from the handler of a signal.

        Raised there, ``KeyboardInterrupt`` can be lost: what runs while an object is removed swallows whatever is
        raised.  So it is raised again at the next finding.
        """
        self._interrupted = True
        raise KeyboardInterrupt

    def run(self, checks: Sequence[tuple[Check, Findings | str]], subject: Subject) -> None:
        """Run the checks in order; a text instead of findings says why one is skipped.

        Raises:
            KeyboardInterrupt: somebody wants it to end; what was measured until then is kept.
        """
        for number, (check, findings) in enumerate(checks, 1):
            if isinstance(findings, str) or self.unloadable:
                why = findings if isinstance(findings, str) else "the model does not load"
                self.results.append(CheckResult(check, Status.SKIPPED, why))
                continue
            say(f"[{number}/{len(checks)}] {check}")
            self._run(check, findings, subject)
            say(f"      {self.results[-1].status}{_because(self.results[-1])}")
            self.write(self._report(self.results, complete=False))

    def _run(self, check: Check, findings: Findings, subject: Subject) -> None:
        found: list[Finding] = []
        began, deaths = time.perf_counter(), subject.deaths
        try:
            for finding in findings():
                found.append(finding)
                if isinstance(finding, Measurement):
                    detail = f"  ({finding.detail})" if finding.detail else ""
                    say(f"      {finding.name} {shown(finding.value)}{detail}")
                if self._interrupted:
                    self.interrupt()
        except KeyboardInterrupt:
            found.append(Doubt("interrupted"))
            raise
        except ModelUnavailable as error:
            self.unloadable = check is Check.LOAD
            found.append(Fault(_told(error)))
        except EarmarkError as error:
            found.append(Fault(_told(error)))
        except Exception as error:  # noqa: BLE001  # what a model's process sends may do anything when it is read
            subject.process.kill()
            found.append(Fault(f"{type(error).__name__}: {_told(error)}"))
        finally:
            if subject.deaths > deaths:
                found.append(Fault(f"the model's process ended by itself {subject.deaths - deaths} times"))
            self.results.append(judge_check(check, found, self._targets, time.perf_counter() - began))

    def write(self, report: Report) -> None:
        """Bring the report's file up to date, if there is one."""
        if self._out is not None:
            write_report(self._out, as_markdown(report))


def write_report(path: Path, text: str) -> None:
    """Write a report, whole or not at all.

    Raises:
        ConfigurationError: it cannot be written there.
    """
    write_whole(path, text, "--out")


def _because(result: CheckResult) -> str:
    return f": {result.reason}" if result.reason else ""


def _told(error: BaseException) -> str:
    """An error's words in one line."""
    return " ".join(str(error).split())[:400] or type(error).__name__
