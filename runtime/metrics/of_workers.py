"""Metrics of workers.  What is about jobs is counted from the row that a job leaves when it settles."""

from typing import Final

from runtime.metrics.labels import ARM, GPU, KIND, LANE, MODEL, PROVIDER, REASON, REFUSAL, STAGE, STATE, STATUS, TIER
from runtime.metrics.metric import Kind, Label, Metric, Server

_RESPONSE_S: Final = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0)
"""With 1 s and 600 s, the promises of the lanes, among them."""
_STAGE_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
_CONFIDENCE: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
_FILL: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
_JOBS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
LOW_CONFIDENCE: Final = 0.70
"""Confidence below which a record counts as one of low confidence for alerts; the fallback begins at 0.80."""


def _worker(name: str, kind: Kind, unit: str, meaning: str, *labels: Label, buckets: tuple[float, ...] = ()) -> Metric:
    return Metric(name, kind, unit, meaning, Server.WORKER, labels, buckets)


JOBS: Final = _worker("earmark_jobs_settled_total", Kind.COUNTER, "jobs", "Jobs that ended.", LANE, TIER, STATUS)
JOB_ERRORS: Final = _worker(
    "earmark_job_errors_total", Kind.COUNTER, "jobs", "Jobs without an analysis, by their last error.", LANE, KIND
)
JOBS_RETRIED: Final = _worker(
    "earmark_jobs_retried_total", Kind.COUNTER, "tries", "Tries that failed and are followed by another.", LANE, KIND
)
RESPONSE: Final = _worker(
    "earmark_job_response_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "From the moment a job was queued to its analysis.",
    LANE,
    buckets=_RESPONSE_S,
)
JOBS_LATE: Final = _worker(
    "earmark_jobs_late_total",
    Kind.COUNTER,
    "jobs",
    "Analyses that took longer than the promise of their lane (`sla_high_s`, `sla_low_s`).",
    LANE,
)
STAGES: Final = _worker(
    "earmark_job_stage_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "Where the time of a job with an analysis went; `rest` has the fallback, waits and writes.",
    LANE,
    STAGE,
    buckets=_STAGE_S,
)
CONFIDENCE: Final = _worker(
    "earmark_job_confidence_ratio",
    Kind.HISTOGRAM,
    "ratio",
    "Confidence of analyses that have one.",
    LANE,
    MODEL,
    ARM,
    buckets=_CONFIDENCE,
)
ANSWERED: Final = _worker(
    "earmark_jobs_answered_total", Kind.COUNTER, "jobs", "Jobs that ended with an analysis.", LANE, MODEL, ARM
)
LOW_CONFIDENCE_JOBS: Final = _worker(
    "earmark_jobs_low_confidence_total",
    Kind.COUNTER,
    "jobs",
    f"Analyses whose confidence is below {LOW_CONFIDENCE:.2f}; those without any confidence are not among them.",
    LANE,
    MODEL,
    ARM,
)
REVIEWS: Final = _worker(
    "earmark_jobs_review_total", Kind.COUNTER, "jobs", "Analyses that are marked for a person to look at.", LANE
)
AUDIO: Final = _worker(
    "earmark_job_audio_seconds_total", Kind.COUNTER, "seconds", "Length of the audio of jobs that ended.", LANE
)
COST: Final = _worker(
    "earmark_job_cost_dollars_total",
    Kind.COUNTER,
    "dollars",
    "What jobs that ended cost, by the model that was paid: the primary or the fallback.",
    MODEL,
    LANE,
    ARM,
)
FALLBACKS: Final = _worker(
    "earmark_fallback_jobs_total",
    Kind.COUNTER,
    "jobs",
    "Analyses for which the fallback came up, once for each reason.",
    LANE,
    REASON,
)
REFUSALS: Final = _worker(
    "earmark_fallback_refused_total",
    Kind.COUNTER,
    "jobs",
    "Analyses for which the fallback came up and gave no answer, once for each reason.",
    LANE,
    REFUSAL,
)
BATCH_JOBS: Final = _worker(
    "earmark_batch_jobs", Kind.HISTOGRAM, "jobs", "Jobs in a batch that a model began with.", LANE, buckets=_JOBS
)
BATCH_FILL: Final = _worker(
    "earmark_batch_fill_ratio",
    Kind.HISTOGRAM,
    "ratio",
    "How full it was: the larger of jobs by `batch_jobs` and audio by `batch_audio_s`, 1 at most.",
    LANE,
    buckets=_FILL,
)
MODEL_LOADS: Final = _worker(
    "earmark_model_loads_total", Kind.COUNTER, "loads", "Model processes that became ready.", MODEL
)
MODEL_LOAD_S: Final = _worker(
    "earmark_model_load_seconds", Kind.GAUGE, "seconds", "How long the latest of them took to.", MODEL
)
MODEL_MEMORY: Final = _worker(
    "earmark_model_memory_bytes", Kind.GAUGE, "bytes", "Resident memory of the model's process.", MODEL
)
GPU_MEMORY: Final = _worker(
    "earmark_gpu_memory_used_bytes", Kind.GAUGE, "bytes", "Memory in use on a GPU, where there is one.", GPU
)
GPU_MEMORY_TOTAL: Final = _worker("earmark_gpu_memory_bytes", Kind.GAUGE, "bytes", "Memory that the GPU has.", GPU)
GPU_USE: Final = _worker(
    "earmark_gpu_use_ratio", Kind.GAUGE, "ratio", "Share of the last moments in which the GPU computed.", GPU
)
BREAKERS: Final = _worker(
    "earmark_breaker_state", Kind.GAUGE, "flag", "1 for the state that a breaker is in, else 0.", PROVIDER, STATE
)
WORKER_HELD: Final = _worker("earmark_worker_jobs_held", Kind.GAUGE, "jobs", "Jobs that the worker holds.")
WORKER_PROGRESS: Final = _worker(
    "earmark_worker_progress_timestamp_seconds",
    Kind.GAUGE,
    "seconds",
    "When the worker last ended a job or held none, since 1970; one that holds jobs for long without is stuck.",
)
WORKER_QUEUE: Final = _worker(
    "earmark_worker_queue_answered_timestamp_seconds",
    Kind.GAUGE,
    "seconds",
    "When the worker's queue last answered, as seconds since 1970.",
)

OF_WORKERS: Final = (
    JOBS,
    JOB_ERRORS,
    JOBS_RETRIED,
    RESPONSE,
    JOBS_LATE,
    STAGES,
    CONFIDENCE,
    ANSWERED,
    LOW_CONFIDENCE_JOBS,
    REVIEWS,
    AUDIO,
    COST,
    FALLBACKS,
    REFUSALS,
    BATCH_JOBS,
    BATCH_FILL,
    MODEL_LOADS,
    MODEL_LOAD_S,
    MODEL_MEMORY,
    GPU_MEMORY,
    GPU_MEMORY_TOTAL,
    GPU_USE,
    BREAKERS,
    WORKER_HELD,
    WORKER_PROGRESS,
    WORKER_QUEUE,
)
