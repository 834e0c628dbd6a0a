"""``Tenant``: one customer: what tier it pays for, what limits hold and where its data must stay."""

from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from earmark.domain import TenantName
from earmark.metadata import Frozen
from earmark.vocabulary import Tier

Source = Annotated[str, Field(max_length=1000, pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/([^\x00-\x1f]*/)?$")]
"""A folder of a bucket, or a whole one: it ends with a slash, so that it covers no other folder that begins alike."""


class Tenant(Frozen):
    """One customer."""

    name: TenantName
    tier: Tier = Tier.FREE
    region: Annotated[str, Field(max_length=100, pattern=r"^\S+$")] | None = None
    """Where the data must stay; ``None`` = anywhere."""
    max_input_bytes: Annotated[int, Field(gt=0)] | None = None
    """Largest file taken; ``None`` = the system's limit."""
    max_duration_s: Annotated[float, Field(gt=0)] | None = None
    """Longest recording taken; ``None`` = the system's limit."""
    fallback_daily_usd: Annotated[float, Field(ge=0)] | None = None
    """Dollars the fallback may cost a day for this tenant; ``None`` = what is set for all."""
    requests_per_minute: Annotated[int, Field(gt=0)] | None = None
    """Requests a minute that it may send the API; ``None`` = the tier's limit, as of the next two."""
    audio_s_per_day: Annotated[float, Field(gt=0)] | None = None
    """Seconds of audio a day (UTC) that it may have analysed by the API."""
    concurrent_jobs: Annotated[int, Field(gt=0)] | None = None
    """Analyses asked of the API one by one that may wait or run at the same time."""
    sources: tuple[Source, ...] = ()
    """Folders of buckets, as ``gs://bucket/folder/``, whose audio it may name beside its own uploads."""
    notice_email: Annotated[str, Field(max_length=320, pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$")] | None = None
    """Where to write before something is deleted; ``None`` = no mail."""
    notice_webhook: Annotated[str, Field(max_length=2000, pattern=r"^https?://\S+$")] | None = None
    """Address that is called before something is deleted; ``None`` = none is."""
    notice_secret: SecretStr | None = None
    """What calls of the webhook are signed with, as ``whsec_…`` of the Standard Webhooks; it must be there with it."""

    @model_validator(mode="after")
    def _signed(self) -> "Tenant":
        if (self.notice_webhook is None) != (self.notice_secret is None):
            message = "notice_webhook and notice_secret belong together: set both or none"
            raise ValueError(message)
        return self
