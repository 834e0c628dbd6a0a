"""Every error Earmark raises.

::

    EarmarkError
    ├── TransientError            try again: becomes a Retry
    │   ├── Unavailable           a queue, store, warehouse or source cannot be reached now
    │   │   ├── ModelUnavailable  the whole batch has no model
    │   │   ├── Throttled         a provider asks for a pause
    │   │   ├── RateLimited       our own limit on use per minute; nobody else is at fault
    │   │   └── QuotaExhausted    a provider's account has no money or quota left
    │   ├── ModelCrashed          the model's process died
    │   ├── NoAnswer              the model ran and said nothing about a clip
    │   ├── WorkerLost            the worker that held the job disappeared
    │   └── TimedOut              a step took longer than its limit
    ├── PermanentError            never try again: becomes a Reject; carries a kind and a remedy
    │   └── InputRejected         the audio itself: not_audio, empty, too_long, …
    ├── StorageError
    │   ├── ObjectMissing         no such object, or not in that generation
    │   ├── PreconditionFailed    a write or delete lost a race
    │   ├── ObjectHeld            a legal hold keeps it
    │   └── InvalidName           a name no store can hold
    └── ConfigurationError        a setting, file or missing package; fails at start

Adapters translate vendor errors into these at the edge and let nothing else out.
"""

from enum import StrEnum
from typing import ClassVar


class EarmarkError(Exception):
    """Something Earmark knows the meaning of."""

    kind: ClassVar[str] = "error"


class TransientError(EarmarkError):
    """May go away by itself."""

    kind = "transient"


class Unavailable(TransientError):
    """A queue, store, warehouse or source cannot be reached now."""

    kind = "unavailable"


class ModelUnavailable(Unavailable):
    """No model can answer this batch."""

    kind = "model_unavailable"


class Throttled(Unavailable):
    """A provider asks for a pause."""

    kind = "throttled"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Take a message and the seconds the provider asks to wait, None = it did not say."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(Unavailable):
    """Our own limit on use per minute would let a question through too late; whom it was for is not at fault."""

    kind = "rate_limited"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """Take a message and the seconds until the limit has room."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaExhausted(Unavailable):
    """A provider's account has no money or quota left; asking again soon does not help."""

    kind = "quota_exhausted"


class ModelCrashed(TransientError):
    """The model's process died while it held the clips."""

    kind = "model_crashed"


class NoAnswer(TransientError):
    """The model ran and said nothing about a clip."""

    kind = "no_answer"


class WorkerLost(TransientError):
    """The worker that held the job disappeared with it."""

    kind = "worker_lost"


class TimedOut(TransientError):
    """A step took longer than its limit."""

    kind = "timed_out"


class InputFault(StrEnum):
    """What can be wrong with an input."""

    NOT_FOUND = "not_found"
    NOT_A_FILE = "not_a_file"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NOT_AUDIO = "not_audio"
    NO_SAMPLES = "no_samples"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_COSTLY = "too_costly"
    CHANGED = "changed"
    REGION = "region"
    MALFORMED_JOB = "malformed_job"
    MALFORMED_LINE = "malformed_line"
    ERASED = "erased"


REMEDIES: dict[InputFault, str] = {
    InputFault.NOT_FOUND: "Check the path; a link may point to a file that is gone.",
    InputFault.NOT_A_FILE: "Name a regular file or a folder.",
    InputFault.UNREADABLE: "Give the user that runs Earmark permission to read it.",
    InputFault.EMPTY: "Upload the file again; nothing of it arrived.",
    InputFault.NOT_AUDIO: "Send audio: WAV, FLAC, MP3, Ogg, Opus, M4A, AAC, AIFF, WebM, CAF, AU, AMR or WMA.",
    InputFault.NO_SAMPLES: "The file holds a header and no sound; export it again.",
    InputFault.DAMAGED: "The audio cannot be decoded; export or upload it again.",
    InputFault.UNSUPPORTED: "Convert it to WAV or FLAC first.",
    InputFault.TOO_LARGE: "Split it, or raise EARMARK_MAX_INPUT_BYTES.",
    InputFault.TOO_LONG: "Split it, or raise EARMARK_MAX_DURATION_S.",
    InputFault.TOO_COSTLY: "It expands beyond the decoder's limits; convert it to plain WAV or FLAC.",
    InputFault.CHANGED: "It changed after it was queued; submit it again.",
    InputFault.REGION: "Serve this tenant with a model that runs here, or name the region at its provider.",
    InputFault.ERASED: "It was erased at its owner's request; `earmark retention readmit` lets it come again.",
    InputFault.MALFORMED_LINE: "Write one address a line, or JSON or CSV with one.",
    InputFault.MALFORMED_JOB: "The queue held a message that is no job; it was set aside, its bytes untouched.",
}
"""What a person can do about each fault."""


class PermanentError(EarmarkError):
    """Will fail the same way every time."""

    kind = "permanent"

    def __init__(self, message: str, remedy: str = "") -> None:
        """Take a message that names the input and a remedy, both for a person."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class InputRejected(PermanentError):
    """The input itself cannot be analysed."""

    def __init__(self, fault: InputFault, message: str, remedy: str | None = None, *, own: str = "") -> None:
        """Take what is wrong.

        Args:
            fault: its kind.
            message: names the input.
            remedy: default: the one in ``REMEDIES``.
            own: how the customer named it, which may be told to the customer again whatever it looks like.
        """
        super().__init__(message, REMEDIES[fault] if remedy is None else remedy)
        self.fault, self.own = fault, own


class StorageError(EarmarkError):
    """An object store refused."""

    kind = "storage"


class ObjectMissing(StorageError):
    """There is no such object, or not in that generation."""

    kind = "object_missing"


class PreconditionFailed(StorageError):
    """The object changed since it was looked at."""

    kind = "precondition_failed"


class ObjectHeld(StorageError):
    """A legal hold keeps the object from being deleted or overwritten."""

    kind = "object_held"


class InvalidName(StorageError):
    """No store can hold an object of that name."""

    kind = "invalid_name"


class ConfigurationError(EarmarkError):
    """A setting, a file or a missing package; the message says what to do."""

    kind = "configuration"
