"""``Watching``: the settings of how the system is watched: metrics, traces and the log."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["api", "router", "worker", "controller", "retention", "operator"]
"""What a machine or a pod of several can be there for."""


class Watching(BaseModel):
    """What an operator can set about it; ``Settings`` has these too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["", Role] = Field(
        "",
        description="What the machine or pod is there for, so that `earmark doctor` asks for no more than that needs; "
        "empty = everything.",
    )
    metrics_port: int = Field(
        -1,
        ge=-1,
        le=65535,
        description="Port where API, router, worker and controller serve `/metrics`; -1 = any that is free, of which "
        "`/metrics/targets` of the API tells, 0 = none.  `earmark up` gives each of its processes one.",
    )
    metrics_host: str = Field("127.0.0.1", max_length=255, description="Address on which they do.")
    controller_every_s: float = Field(
        15.0, gt=0, le=3600, description="Seconds between the controller's looks at queues, money and scaling."
    )
    scaling_policy: Path | None = Field(
        None, description="TOML file of how lanes are scaled; unset = the one that ships with the package `scaling`."
    )
    trace_endpoint: str = Field(
        "",
        max_length=1000,
        pattern=r"^(https?://\S+)?$",
        description="Where traces are sent by OTLP/HTTP, as `http://127.0.0.1:4318`; empty = nowhere.  Needs the extra "
        "`tracing`; headers and certificates come from `OTEL_EXPORTER_OTLP_*`.",
    )
    trace_share: float = Field(
        1.0, ge=0, le=1, description="Share of all traces that is sent there; the same in every process."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto` = text on a terminal, JSON elsewhere."
    )
