"""Metrics of the controller, which looks at what all processes share: queues, letters, money, retention, scaling."""

from typing import Final

from runtime.metrics.labels import KIND, LANE, PART, QUEUE
from runtime.metrics.metric import Kind, Label, Metric, Server


def _controller(name: str, unit: str, meaning: str, *labels: Label) -> Metric:
    return Metric(name, Kind.GAUGE, unit, meaning, Server.CONTROLLER, labels)


QUEUE_WAITING: Final = _controller(
    "earmark_queue_waiting", "jobs", "Jobs that could be leased now; of `dead`, letters that wait for a person.", QUEUE
)
QUEUE_LEASED: Final = _controller("earmark_queue_leased", "jobs", "Jobs in hand.", QUEUE)
QUEUE_OLDEST: Final = _controller(
    "earmark_queue_oldest_seconds", "seconds", "For how long the longest waiting job has waited.", QUEUE
)
QUEUE_AUDIO: Final = _controller(
    "earmark_queue_audio_seconds", "seconds", "Audio that waits, as far as its length can be told from sizes.", LANE
)
DEAD_LETTERS: Final = _controller(
    "earmark_dead_letters", "letters", "Dead letters that nobody has dealt with, by class of the last error.", KIND
)
DEAD_LETTER_OLDEST: Final = _controller(
    "earmark_dead_letter_oldest_seconds",
    "seconds",
    "Age of the oldest of them; after `dead_letter_days` it is deleted.",
)
SPENT: Final = _controller(
    "earmark_fallback_spent_dollars", "dollars", "What the fallback was given today (UTC), set aside or spent."
)
SPEND_CAP: Final = _controller("earmark_fallback_cap_dollars", "dollars", "What it may be given a day.")
DESIRED_WORKERS: Final = _controller(
    "earmark_desired_workers", "workers", "Workers that a lane should have now; what scales them follows this.", LANE
)
ARRIVALS: Final = _controller(
    "earmark_scaling_arrivals_per_second", "jobs per second", "Arrivals that the controller reckons with.", LANE
)
SERVICE_S: Final = _controller(
    "earmark_scaling_service_seconds",
    "seconds",
    "Seconds of a worker that a job takes, as the controller reckons.",
    LANE,
)
FAILOVER: Final = _controller(
    "earmark_failover",
    "flag",
    "1 while the fallback is to help out because no number of workers meets the promise.",
    LANE,
)
WEBHOOK_OLDEST: Final = _controller(
    "earmark_webhook_oldest_seconds",
    "seconds",
    "For how long the longest due call of a customer's server has not been made; 0 when none is due.",
)
DISK_FREE: Final = _controller(
    "earmark_disk_free_bytes",
    "bytes",
    "What is free on the disk of the data folder; not told with the backend `gcp`, where no disk lasts.",
)
DISK: Final = _controller("earmark_disk_bytes", "bytes", "How large that disk is.")
LOOKED: Final = _controller(
    "earmark_controller_looked_timestamp_seconds",
    "seconds",
    "When the controller last saw how something stands, as seconds since 1970.",
    PART,
)
RETENTION: Final = tuple(
    _controller(f"earmark_retention_{name}", unit, meaning)
    for name, unit, meaning in (
        ("overdue_objects", "objects", "Objects that should have been deleted and are there."),
        ("overdue_seconds", "seconds", "How long the one longest overdue is so."),
        ("orphan_objects", "objects", "Objects that had no row in the catalogue at the last comparison."),
        ("nobodys_objects", "objects", "Orphans of no customer we know, which nothing ever deletes."),
        ("ghost_objects", "objects", "Rows whose object was not there at the last comparison."),
        ("bounced_customers", "customers", "Customers whom notices do not reach."),
        ("failed_notices", "customers", "Customers whose latest notices failed, for more than a day."),
        ("stopped", "flag", "1 while all deletions are stopped."),
        ("run_age_seconds", "seconds", "Time since a run ended; -1 where none ever did."),
        ("unfinished_erasures", "erasures", "Erasures that something was left of."),
    )
)

OF_CONTROLLER: Final = (
    QUEUE_WAITING,
    QUEUE_LEASED,
    QUEUE_OLDEST,
    QUEUE_AUDIO,
    DEAD_LETTERS,
    DEAD_LETTER_OLDEST,
    SPENT,
    SPEND_CAP,
    DESIRED_WORKERS,
    ARRIVALS,
    SERVICE_S,
    FAILOVER,
    WEBHOOK_OLDEST,
    DISK_FREE,
    DISK,
    LOOKED,
    *RETENTION,
)
