"""``Costing``: the settings of what things cost."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Costing(BaseModel):
    """What an operator can set about it; ``Settings`` has these too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_usd_per_hour: float = Field(
        0.0,
        ge=0,
        le=10_000,
        allow_inf_nan=False,
        description="Dollars an hour of the machine that the primary runs on, for the share of it that each answer "
        "takes; 0 = it costs nothing extra.  No cap on spending counts it.",
    )
    prices: Path | None = Field(
        None,
        description="TOML file of prices of machines and of Google Cloud, beside and above those that ship in "
        "`runtime/cost/prices.toml`.",
    )
