"""The labels of metrics.  None names a customer, a job or a file: these are in the log and in the warehouse."""

from typing import Final

from earmark.errors import (
    EarmarkError,
    InputFault,
    ModelCrashed,
    ModelUnavailable,
    NoAnswer,
    QuotaExhausted,
    RateLimited,
    Throttled,
    TimedOut,
    Unavailable,
    WorkerLost,
)
from earmark.vocabulary import Lane, Origin, Tier
from router.fate import Fate
from runtime.metrics.metric import Label
from workers.cascade import Reason, Refusal

FAILURES: Final[tuple[type[EarmarkError], ...]] = (
    Unavailable,
    ModelUnavailable,
    Throttled,
    RateLimited,
    QuotaExhausted,
    ModelCrashed,
    NoAnswer,
    WorkerLost,
    TimedOut,
)
OTHER: Final = "other"
"""What an error of a kind that is not listed is counted as."""
KINDS: Final = (*(each.kind for each in FAILURES), *(each.value for each in InputFault), OTHER)

LANE: Final = Label("lane", "priority lane", tuple(Lane))
TIER: Final = Label("tier", "the customer's tier", tuple(Tier))
ORIGIN: Final = Label("origin", "the way an upload came in", tuple(Origin))
STATUS: Final = Label("status", "how a job ended", ("done", "rejected", "failed"))
KIND: Final = Label("kind", "class of the error, as `earmark/errors.py` names them", KINDS)
STAGE: Final = Label("stage", "part of a job's time", ("queued", "decode", "predict", "rest"))
MODEL: Final = Label("model", "name of a model")
ARM: Final = Label("arm", "arm of an experiment; `primary` = none")
REASON: Final = Label("reason", "why the fallback came up", tuple(Reason))
REFUSAL: Final = Label("reason", "why the fallback gave no answer", tuple(Refusal))
PROVIDER: Final = Label("provider", "who serves the fallback, or the primary model itself")
STATE: Final = Label("state", "of a breaker", ("closed", "open", "half_open"))
GPU: Final = Label("gpu", "number of the GPU on its machine")
QUEUE: Final = Label("queue", "a queue", (*Lane, "dead"))
PART: Final = Label(
    "part", "what was looked at", ("queues", "dead_letters", "spend", "retention", "scaling", "webhooks", "disk")
)
OUTCOME: Final = Label("outcome", "what became of a call", ("delivered", "retrying", "given_up", "disabled"))
FATE: Final = Label("fate", "what became of an upload", tuple(Fate))
ROUTE: Final = Label("route", "template of a path of the API")
METHOD: Final = Label("method", "HTTP method")
STATUS_CLASS: Final = Label("status_class", "first digit of the answer, as `2xx`")


def known_kind(kind: str) -> str:
    """The value of ``KIND`` for the class of an error."""
    return kind if kind in _KNOWN else OTHER


_KNOWN: Final = frozenset(KINDS)
