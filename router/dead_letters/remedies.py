"""What may help with a group of dead letters, where the error itself does not say so."""

from typing import Final

from earmark.domain import Failure
from earmark.errors import ModelCrashed, ModelUnavailable, NoAnswer, TimedOut, Unavailable, WorkerLost

OURS: Final[dict[str, str]] = {
    Unavailable.kind: "Look which store or service was away (earmark doctor), then replay.",
    ModelUnavailable.kind: "Look at the model's files and the GPU (earmark doctor), then replay.",
    ModelCrashed.kind: "Look at the memory of GPU and machine; replay, or with --model on another model.",
    NoAnswer.kind: "Replay with --model on another model, or after a new version is out.",
    TimedOut.kind: "Look for long recordings and slow machines; replay, or with --model on another model.",
    WorkerLost.kind: "Look why workers were killed: their log before, memory of the machine (dmesg); then replay.",
    "internal": "A fault of Earmark's: report it with what earmark dlq show --json says; then discard or wait.",
}
"""By class of the last failure.  For whoever runs Earmark: customers, who see ``Failure.remedy``, can do none of it."""


def remedy_of(failure: Failure | None) -> str:
    """The error's own word, else ours for its class; empty where nobody knows."""
    if failure is None:
        return ""
    return failure.remedy or OURS.get(failure.kind, "")
