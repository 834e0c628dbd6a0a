"""One line of output: what became of one input."""

from dataclasses import dataclass
from typing import Literal

from earmark.domain import Analysis, Failure, Record
from earmark.errors import InputRejected

Status = Literal["done", "rejected", "failed"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no analysis, for a person."""

    kind: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one input."""

    source: str
    """The input as it can be printed."""
    status: Status
    analysis: Analysis | None = None
    fault: Fault | None = None
    known: bool = False
    """Answered from the store; nothing was computed."""

    def as_json(self) -> dict[str, object]:
        """The documented record, ready for JSON."""
        line: dict[str, object] = {"source": self.source, "status": self.status}
        if self.analysis is not None:
            line["analysis"] = self.analysis.model_dump(mode="json")
        if self.fault is not None:
            line["error"] = {"kind": self.fault.kind, "message": self.fault.message, "remedy": self.fault.remedy}
        return line


def of_record(source: str, record: Record, *, known: bool) -> Result:
    """The result of a settled job."""
    if record.status == "done":
        return Result(source, "done", analysis=record.analysis, known=known)
    return Result(source, record.status, fault=_fault(source, record.failures[-1]) if record.failures else None)


def of_rejection(source: str, rejection: InputRejected) -> Result:
    """The result of an input that never became a job."""
    return Result(source, "rejected", fault=Fault(rejection.fault, rejection.message, rejection.remedy))


def _fault(source: str, failure: Failure) -> Fault:
    """What a person reads; the same content under another name is the same job, so the name is put in here."""
    remedy = failure.remedy or "Every try failed; `earmark report failures_by_kind` shows whether others do too."
    return Fault(failure.kind, f"{source.rpartition('/')[2]}: {failure.message}", remedy)
