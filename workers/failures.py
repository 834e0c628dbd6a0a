"""Turns an error of a stage into a ``Failure`` that people can group and act on."""

from datetime import datetime
from typing import Literal

from earmark.domain import Failure, Lease
from earmark.errors import EarmarkError, InputRejected, PermanentError
from earmark.fingerprint import fingerprint
from earmark.log import masked

Stage = Literal["lease", "fetch", "decode", "predict", "settle"]
MAX_MESSAGE_CHARS = 500


def kind_of(error: BaseException) -> str:
    """The class of an error; one that is not Earmark's own is ``internal``."""
    if isinstance(error, InputRejected):
        return error.fault
    return error.kind if isinstance(error, EarmarkError) else "internal"


def failure_of(
    error: Exception,
    *,
    lease: Lease,
    stage: Stage,
    model: str,
    model_version: str,
    worker: str,
    at: datetime,
    cost_usd: float = 0.0,
) -> Failure:
    """Describe an error; one that is not Earmark's own is of kind ``internal``."""
    kind = kind_of(error)
    text = str(error) if isinstance(error, EarmarkError) else f"{type(error).__name__}: {error}"
    message = masked(text)[:MAX_MESSAGE_CHARS]
    return Failure(
        try_number=lease.try_number,
        stage=stage,
        kind=kind,
        message=message,
        remedy=error.remedy if isinstance(error, PermanentError) else "",
        fingerprint=fingerprint(stage, kind, message, model),
        model=model,
        model_version=model_version,
        worker=worker,
        at=at,
        cost_usd=cost_usd,
    )
