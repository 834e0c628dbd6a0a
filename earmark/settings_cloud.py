"""``Cloud``: the settings of where everything is on Google Cloud."""

from pydantic import BaseModel, ConfigDict, Field


class Cloud(BaseModel):
    """What an operator can set about it; ``Settings`` has these too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gcp_project: str = Field("", pattern=r"^[a-z0-9-]*$", description="Google Cloud project, for the backend `gcp`.")
    gcp_prefix: str = Field(
        "earmark", pattern=r"^[a-z][a-z0-9-]{1,30}$", description="First word of every name on Google Cloud."
    )
    gcp_location: str = Field("US", min_length=1, description="Where buckets and the dataset are made, as `EU`.")
    gcp_pubsub_endpoint: str = Field(
        "",
        max_length=255,
        pattern=r"^([a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?)?$",
        description="Where Pub/Sub is asked, as `europe-west4-pubsub.googleapis.com:443`; empty = at the global one, "
        "where topics that keep to one region refuse callers from elsewhere.  `PUBSUB_EMULATOR_HOST` goes first.",
    )
    maximum_bytes_billed: int = Field(
        10 * 1024**3, gt=0, description="Bytes that one BigQuery query may read; a larger one fails and costs nothing."
    )
