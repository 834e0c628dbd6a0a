"""What the API says of webhooks, and is told."""

from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from runtime.posting import CHARS
from runtime.webhooks.delivering import moment_of
from runtime.webhooks.endpoint import WebhookEndpoint

Choice = Literal["analysis.completed", "analysis.failed", "batch.completed"]


_EXAMPLE: Final[dict[str, Any]] = {
    "id": "wh_5e8f0c7a9b1d2e3f4a5b",
    "url": "https://acme.example/hooks",
    "events": ["batch.completed"],
    "each_of_batches": False,
    "enabled": True,
    "disabled_at": None,
    "disabled_why": None,
    "created_at": "2026-01-31T12:00:00Z",
}
_EVENT: Final = {
    "event": "evt_0f6a1d3c5b7e4a92b8c1d2e3f4a5b6c7",
    "type": "batch.completed",
    "subject": "5e1d5668115b561dcca6b5cc117d2f00",
}
_DELIVERY: Final[dict[str, Any]] = _EVENT | {
    "attempt": 1,
    "status": None,
    "outcome": "retrying",
    "detail": "The server did not answer in time.",
    "took_s": 20.0,
    "at": "2026-03-01T12:00:00Z",
}


class WebhookRequest(BaseModel):
    """A server that is to be called."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"url": "https://acme.example/hooks", "events": ["batch.completed"]}},
    )
    url: str = Field(
        min_length=1,
        max_length=CHARS,
        description="Where to call, by `https://`.  It must lead out onto the public net, now and at each call.",
    )
    events: Annotated[list[Choice], Field(min_length=1, max_length=20)] = Field(
        default=["analysis.completed", "analysis.failed", "batch.completed"], description="What to call about."
    )
    each_of_batches: bool = Field(
        default=False, description="Whether to call about each analysis of a batch too, beside the batch's end."
    )


class WebhookState(BaseModel):
    """A server that is called."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})
    id: str = Field(description="Its id.")
    url: str = Field(description="Where it is called.")
    events: list[str] = Field(description="About what.")
    each_of_batches: bool = Field(description="Whether about each analysis of a batch too.")
    enabled: bool = Field(description="Whether it is called; `POST …/enable` has it called again.")
    disabled_at: AwareDatetime | None = Field(description="Since when it is not.")
    disabled_why: str | None = Field(description="Why not.")
    created_at: AwareDatetime = Field(description="When it was made.")


class WebhookWithSecret(WebhookState):
    """A server that is called, with what its calls are signed with: shown once, here."""

    model_config = ConfigDict(json_schema_extra={"example": {**_EXAMPLE, "secret": "whsec_…"}})
    secret: str = Field(
        description="What calls are signed with, as the Standard Webhooks specification says: `whsec_…`.",
        json_schema_extra={"example": "whsec_…"},
    )


class WebhookList(BaseModel):
    """All servers that are called."""

    model_config = ConfigDict(json_schema_extra={"example": {"webhooks": [_EXAMPLE]}})
    webhooks: list[WebhookState] = Field(description="The oldest first.")


class Delivery(BaseModel):
    """One call."""

    model_config = ConfigDict(json_schema_extra={"example": _DELIVERY})
    event: str = Field(description="Id of the event, the `webhook-id` of the call.")
    type: str = Field(description="What happened, as `analysis.completed`.")
    subject: str = Field(description="Id of the analysis or batch it was about.")
    attempt: int = Field(description="Number of the call about this event, from 1.")
    status: int | None = Field(description="HTTP status of the answer; null = there was none.")
    outcome: str = Field(
        description="`delivered`, `retrying` (it will be called again), `given_up`, or `disabled` (it is gone).",
        json_schema_extra={"enum": ["delivered", "retrying", "given_up", "disabled"]},
    )
    detail: str = Field(description="What went wrong; empty = nothing.")
    took_s: float = Field(description="Seconds that the call took.")
    at: AwareDatetime = Field(description="When it had ended.")


class DeliveryList(BaseModel):
    """Calls of a server."""

    model_config = ConfigDict(json_schema_extra={"example": {"deliveries": [_DELIVERY], "next_cursor": None}})
    deliveries: list[Delivery] = Field(description="The latest first.")
    next_cursor: str | None = Field(description="What to give as `cursor` for those before; null = there are none.")


class ReplayState(BaseModel):
    """An event that is told once more."""

    model_config = ConfigDict(json_schema_extra={"example": dict(_EVENT)})
    event: str = Field(description="Its id, as before.")
    type: str = Field(description="What happened.")
    subject: str = Field(description="Id of the analysis or batch it is about.")


def state_of(endpoint: WebhookEndpoint) -> WebhookState:
    """A server as the API shows it."""
    return WebhookState.model_validate(_fields(endpoint))


def with_secret(endpoint: WebhookEndpoint) -> WebhookWithSecret:
    """The same with its newest secret."""
    value: SecretStr = endpoint.secrets[0].value
    return WebhookWithSecret.model_validate({**_fields(endpoint), "secret": value.get_secret_value()})


def _fields(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": [each.value for each in endpoint.events],
        "each_of_batches": endpoint.each_of_batches,
        "enabled": endpoint.enabled,
        "disabled_at": endpoint.disabled_at,
        "disabled_why": endpoint.disabled_why or None,
        "created_at": endpoint.made_at,
    }


def delivery_of(row: dict[str, object]) -> Delivery:
    """A row of the query ``webhook_deliveries`` as the API shows it."""
    names = ("event", "subject", "attempt", "status", "outcome", "detail", "took_s")
    return Delivery.model_validate(
        {**{name: row[name] for name in names}, "type": row["event_type"], "at": moment_of(row)}
    )
