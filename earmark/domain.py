"""The nouns: an ``Upload`` becomes a ``Job``, a worker holds a ``Lease`` on it, it ends as one ``Outcome``.

Everything is frozen; every time is an aware UTC datetime; every number carries its unit in its name.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, NonNegativeFloat, NonNegativeInt, PositiveInt, StringConstraints

from earmark.costed import Costed
from earmark.metadata import AudioMetadata, Frozen, Probability
from earmark.stage import Stage
from earmark.trace import TraceParent
from earmark.vocabulary import Lane, Origin, Tier

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
TenantName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

PRIMARY = "primary"
"""The arm of whatever takes part in no experiment."""
CLIP_RATE_HZ = 16_000
"""The sample rate of every clip a model hears."""


class Upload(Frozen):
    """Audio somebody gave us, before we know anything about it."""

    uri: str
    """Where the bytes are: ``file:///…`` (percent-encoded) or ``gs://bucket/name``."""
    tenant: TenantName
    tier: Tier
    origin: Origin
    content_sha256: Sha256
    size_bytes: NonNegativeInt
    received_at: AwareDatetime
    region: str | None = None
    """Where the tenant's data must stay; ``None`` = anywhere."""
    batch: str | None = None
    """Id of the batch it came in; ``None`` = in none."""
    trace: TraceParent | None = None
    """W3C ``traceparent`` of the span that queued it, stamped by the router; no part of any identity."""


class Exposure(Frozen):
    """Where an experiment put an upload: stamped once by the router, kept through retries, replay and fallback."""

    experiment: str
    version: PositiveInt
    arm: str
    share: Probability
    """Share of the covered units that this arm gets."""
    coverage: Probability
    """Share of all units that was covered at that moment."""
    unit: str
    """What was hashed: the job's id, or the tenant's name."""
    shadow: bool = False
    """Whether the experimental arm is to hear this upload too, which nobody is shown."""
    replayed: bool = False
    """Whether the job comes back from the dead letters: its part in the experiment has ended then."""


class Job(Frozen):
    """One analysis to be done.  The same content from the same tenant is the same job."""

    id: JobId
    upload: Upload
    lane: Lane
    pipeline: str
    """Version of everything that can change the answer; part of the id."""
    arm: str = PRIMARY
    """The experiment arm, stamped once by the router."""
    exposure: Exposure | None = None
    """The experiment it takes part in; ``None`` = none."""
    shadow_of: JobId | None = None
    """The job whose audio this one hears for comparison only; ``None`` = this job answers its tenant."""
    enqueued_at: AwareDatetime

    def traced(self, trace: str | None) -> Self:
        """The same job as a part of another trace; ``None`` = of none."""
        return self.model_copy(update={"upload": self.upload.model_copy(update={"trace": trace})})


def job_id(tenant: str, content_sha256: str, pipeline: str) -> str:
    """Identity of an analysis: the first 128 bits, in hex, of SHA-256 over tenant, content and pipeline.

    Nothing is shared between tenants, and a new pipeline version is a new job.
    """
    return hashlib.sha256(f"{tenant}\0{content_sha256}\0{pipeline}".encode()).hexdigest()[:32]


class Failure(Costed):
    """One try that ended without an answer; ``cost_usd`` is what the fallback was paid in it all the same."""

    try_number: PositiveInt
    stage: Literal["lease", "fetch", "decode", "predict", "settle"]
    kind: str
    """Error class, from the closed set in ``earmark.errors``."""
    message: str
    """For a person; ids, paths and secrets masked."""
    remedy: str = ""
    fingerprint: str
    """The same for failures of the same cause."""
    model: str
    model_version: str = ""
    worker: str
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job until ``expires_at``; counts one try from the moment it is given."""

    job: Job
    token: str
    """Opaque to all but the queue; a redelivery of the same job has another token."""
    try_number: int
    """1 for the first try, counted whatever ended the earlier ones."""
    expires_at: AwareDatetime
    history: tuple[Failure, ...] = ()
    """The earlier tries that did not end in an answer, oldest first."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Decoded audio on its way to a model: mono float32 at 16 kHz, in a file that is never all in memory."""

    job_id: str
    path: Path
    """Raw little-endian float32 samples, finite; map it, do not read it."""
    samples: int
    technical: "Technical"
    trace_id: str | None = None
    """Of the job's trace, for the log."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / CLIP_RATE_HZ


class Technical(Frozen):
    """What the file is, measured over all of it."""

    duration_s: NonNegativeFloat
    """Length of what could be decoded, in seconds."""
    sample_rate_hz: PositiveInt
    channels: PositiveInt
    codec: str
    container: str
    bit_rate_bps: NonNegativeInt | None = None
    size_bytes: NonNegativeInt
    loudness_lufs: float | None = None
    """Integrated loudness, ITU-R BS.1770-4; ``None`` = too quiet or too short to measure (0.4 s)."""
    true_peak_dbtp: float | None = None
    """ITU-R BS.1770-4 annex 2; ``None`` = digital silence."""
    silent: bool = False
    """Every sample is digital zero or below -90 dBFS once its DC offset is taken away."""
    warnings: tuple[str, ...] = ()
    """Closed words for what is odd: ``truncated``, ``damaged``, ``clipped``, ``dc_offset``, ``not_finite``."""


class FieldRoute(Frozen):
    """Why a field was answered by the model that answered it; there is one for each field the fallback came up for."""

    field: str
    reason: str
    """Why the fallback came up: a ``workers.cascade.Reason``."""
    refused: str | None = None
    """Why there is no answer of the fallback: a ``workers.cascade.Refusal``; ``None`` = there is one."""
    chosen: Literal["primary", "fallback", "none"]
    primary_value: str | None = None
    """The answer in short, for a person."""
    primary_worth: Probability | None = None
    """Probability that the primary's answer is right, as far as is known: calibrated, or else its raw score."""
    fallback_value: str | None = None
    fallback_worth: Probability | None = None
    """Probability that the fallback's answer is right: calibrated, or else the prior that is set."""
    cost_usd: NonNegativeFloat = 0.0
    """This field's share of what the fallback cost."""


class Provenance(Frozen):
    """How a record came about."""

    model: str
    model_version: str
    prompt_version: str = ""
    pipeline: str
    arm: str
    experiment: str = ""
    """Name and version of the experiment that the arm is of, as ``name:1``; empty = none."""
    diverted: bool = False
    """Whether another model than that of the arm answered, as after a rollback."""
    engine: str = ""
    """What ran the primary model."""
    hardware: str = ""
    """What it ran on, as ``NVIDIA H100`` or the name of the processor."""
    primary_score: float | None = None
    """Raw score of the primary's whole answer, before calibration and fallback; see ``record_score``."""
    primary_confidence: Probability | None = None
    """Confidence of the primary's whole answer, calibrated, before the fallback was asked."""
    calibration: str = ""
    """Id of the calibration artefact the confidences of the primary come from; empty = what ships with the model."""
    fallback_model: str = ""
    """The fallback that was asked, with the name the provider gives its model; empty = none was."""
    fallback_version: str = ""
    fallback_covered_s: NonNegativeFloat = 0.0
    """Seconds of audio the fallback listened to."""
    fallback_fields: tuple[str, ...] = ()
    """Fields answered by the fallback model."""
    routes: tuple[FieldRoute, ...] = ()
    """Why each field that the fallback came up for went where it went."""
    uncalibrated: tuple[str, ...] = ()
    """Fields whose confidence has no fitted calibrator."""
    covered_s: NonNegativeFloat
    """Seconds of audio the model listened to."""
    machine_usd: NonNegativeFloat = 0.0
    """Part of ``cost_usd`` for the primary's time, at the price of an hour of its machine that is set."""
    vain_usd: NonNegativeFloat = 0.0
    """Part of ``cost_usd`` that the fallback was paid for answers of which nothing came, in every try of the job."""
    review: bool = False
    """A person should look: low confidence and no better answer to be had."""


class Timings(Frozen):
    """Where the time went, in seconds."""

    queued_s: NonNegativeFloat
    decode_s: NonNegativeFloat
    predict_s: NonNegativeFloat
    """This clip's share of its batch."""
    total_s: NonNegativeFloat
    late: bool = False
    """Whether ``total_s`` is more than a job of its lane should take (``sla_high_s``, ``sla_low_s``)."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer about one clip."""

    metadata: AudioMetadata
    covered_s: float
    uncalibrated: tuple[str, ...] = ()
    cost_usd: float = 0.0
    predict_s: float = 0.0
    engine: str = ""
    """What ran the model: ``onnxruntime``, ``transformers``, ``vllm``, ``openai``; confidences hold for one engine."""
    prompt_version: str = ""
    """Of the words a language model was asked with; empty for models that are not asked in words."""


class Analysis(Frozen):
    """What is stored about a recording."""

    job_id: JobId
    tenant: TenantName
    content_sha256: Sha256
    confidence: Probability | None
    model: str
    metadata: AudioMetadata
    technical: Technical
    provenance: Provenance
    timings: Timings
    cost_usd: NonNegativeFloat
    """All of it: the primary's time or bill, and the fallback's bill."""
    created_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Done:
    """The job has its answer."""

    analysis: Analysis


@dataclass(frozen=True, slots=True)
class Retry:
    """The try failed and another may not."""

    failure: Failure
    after_s: float


@dataclass(frozen=True, slots=True)
class Reject:
    """No further try can help."""

    failure: Failure


Outcome = Done | Retry | Reject


class Record(Frozen):
    """How a job ended, stored once per job where its tenant reads it."""

    job_id: JobId
    tenant: TenantName
    status: Literal["done", "rejected", "failed"]
    """``rejected``: the input is at fault; ``failed``: every try failed."""
    analysis: Analysis | None = None
    failures: tuple[Failure, ...] = ()
    """Every try that failed, oldest first; the last one is what is reported."""
    enqueued_at: AwareDatetime
    received_at: AwareDatetime | None = None
    """When its audio came; ``None`` = nobody wrote that down."""
    settled_at: AwareDatetime
    batch: str | None = None
    """Id of the batch whose job it was; ``None`` = of none."""

    @property
    def name(self) -> str:
        """Its name in the results store."""
        return record_name(self.tenant, self.job_id)


def record_name(tenant: str, job_id: str) -> str:
    """Name in the results store of the record of a job."""
    return f"analyses/{tenant}/{job_id}.json"


@dataclass(frozen=True, slots=True)
class Settlement:
    """A lease and the outcome its job came to, on the way to the stores."""

    lease: Lease
    outcome: Outcome
    audio_s: float = 0.0
    warm: bool = field(default=True)
    """False for the first batch after the model was loaded, and where another model was at work meanwhile."""
    diverted: bool = field(default=False)
    """Whether another model than that of the job's arm heard it."""
    queued_s: float = 0.0
    """Seconds the job waited for this lease."""
    hardware: str = ""
    """What the model ran on that heard it; empty = none did."""
    stages: tuple[Stage, ...] = ()
    """Where the time of this try went, in the order in which the stages ended."""


def batched_audio_s(clips: Sequence[Clip]) -> float:
    """Seconds of audio in a batch."""
    return sum(clip.duration_s for clip in clips)
