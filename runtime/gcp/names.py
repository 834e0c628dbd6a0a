"""What things are called on Google Cloud; Terraform uses the same names."""

from dataclasses import dataclass

from earmark.errors import ConfigurationError
from earmark.settings import Settings

UPLOADS = "uploads"
"""Storage notifications about new uploads."""
RESULTS = "results"
"""Events about ended jobs."""
NOTICES = "notices"
"""Events about what will be deleted."""
QUEUES = ("high", "low", "dead")
TOPICS = (UPLOADS, *QUEUES, RESULTS, NOTICES)
BUCKETS = ("uploads", "results", "state", "temporary", "archive", "audit")
"""Audio as it came, records, what has to be remembered, audio for one job only, audio for long, the audit trail."""


@dataclass(frozen=True, slots=True)
class Names:
    """Full names, from a project and a prefix."""

    project: str
    prefix: str

    def topic(self, name: str) -> str:
        """Of one of ``TOPICS``: ``projects/P/topics/earmark-high``."""
        return f"projects/{self.project}/topics/{self.prefix}-{name}"

    def subscription(self, name: str) -> str:
        """The one subscription of each topic bears its name: ``projects/P/subscriptions/earmark-high``."""
        return f"projects/{self.project}/subscriptions/{self.prefix}-{name}"

    def bucket(self, name: str) -> str:
        """Of one of ``BUCKETS``, unique in the world thanks to the project: ``P-earmark-uploads``."""
        return f"{self.project}-{self.prefix}-{name}"

    def short(self, bucket: str) -> str | None:
        """Which of ``BUCKETS`` a full name is; ``None`` = it is not ours."""
        return next((name for name in BUCKETS if self.bucket(name) == bucket), None)

    @property
    def dataset(self) -> str:
        """The dataset: ``earmark``."""
        return self.prefix.replace("-", "_")


def names_of(settings: Settings) -> Names:
    """The names that the settings say.

    Raises:
        ConfigurationError: no project is set.
    """
    if not settings.gcp_project:
        message = "The backend gcp needs a project.  Set EARMARK_GCP_PROJECT."
        raise ConfigurationError(message)
    return Names(settings.gcp_project, settings.gcp_prefix)
