"""``Settings``: one frozen object with everything that can be set, checked at start.

Each field gives meaning, unit, default and special values.  A value comes from, strongest first: the
environment (``EARMARK_NAME``), a TOML file (``EARMARK_CONFIG``, default ``earmark.toml`` where it exists),
the default here.  ``docs/settings.md`` is written from this file.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from earmark.errors import ConfigurationError
from earmark.settings_cloud import Cloud
from earmark.settings_costing import Costing
from earmark.settings_watching import Watching

PREFIX = "EARMARK_"
PROVIDER = r"^([a-z][a-z0-9_-]{0,39})?$"
"""Name of a provider; a key that was put there by mistake does not fit, and is not repeated."""


YIELDING_NICE: Final = 19


class Settings(Watching, Costing, Cloud):
    """What an operator can set."""

    backend: Literal["local", "gcp"] = Field(
        "local", description="Which adapters are used: `local` is one machine, `gcp` is Google Cloud."
    )
    data: Path = Field(Path("earmark-data"), description="Folder of everything the local backend keeps.")
    data_must_exist: bool = Field(default=False, description="Nothing starts where `data` holds nothing of Earmark.")
    model: str = Field("listener", description="The primary model, a name from `workers/models`.")
    model_path: str = Field(
        "", description="Where the model's weights are: a folder, or a name on the hub; for models that ship without."
    )
    model_revision: str = Field("", description="Revision of a model from the hub; empty = the newest.")
    model_dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="Numbers the weights are held in; `auto` = bfloat16 on a GPU, float32 on a CPU."
    )
    model_attention: Literal["sdpa", "eager", "flash_attention_2"] = Field(
        "sdpa", description="Implementation of attention."
    )
    model_windows: int = Field(
        6, ge=1, le=1000, description="Most windows of 30 s of a recording that a language model hears for its tags."
    )
    model_speech_windows: int = Field(
        120,
        ge=1,
        le=10_000,
        description="Most windows of 30 s of a recording with speech that it transcribes, from the beginning.",
    )
    model_version: str = Field(
        "",
        pattern=r"^[\w.-]{0,64}$",
        description="Name of the weights in place of their fingerprint, for routers that do not hold them.",
    )
    model_provider: str = Field(
        "",
        pattern=PROVIDER,
        description="Provider that serves the model `openai_compatible`, a table of the file of providers.",
    )
    calibration: Path | None = Field(
        None, description="Artefact of `earmark calibrate` for the primary model; unset = what ships with the model."
    )
    providers: Path | None = Field(
        None, description="TOML file of providers; unset = `openai`, `vllm` and `ollama` as they ship."
    )
    fallback: str = Field(
        "",
        pattern=PROVIDER,
        description="Provider that is asked where the primary is unsure, fails or is down; empty = nobody.",
    )
    fallback_fields: str = Field(
        "content_type,instruments,vocals,language,transcript,description",
        description="Fields that may go to the fallback, divided by commas; `all` = every one.",
    )
    fallback_prior: float = Field(
        0.70, ge=0, le=1, description="Confidence that an answer of a fallback without calibration counts as."
    )
    fallback_calibration: Path | None = Field(
        None, description="Artefact of `earmark calibrate` for the fallback; unset = its answers are uncalibrated."
    )
    fallback_daily_usd: float = Field(
        10.0, ge=0, description="Dollars the fallback may cost a day (UTC), all workers and tenants together."
    )
    fallback_tenant_daily_usd: float = Field(
        5.0, ge=0, description="Dollars of these for one tenant a day; a tenant's own `fallback_daily_usd` goes first."
    )
    degraded_high_s: float = Field(
        10.0, ge=0, description="Age in seconds from which a high job that waits goes to the fallback; 0 = never."
    )
    degraded_low_s: float = Field(0.0, ge=0, description="The same for low jobs.")
    degraded_high_backlog: int = Field(
        100,
        ge=0,
        description="Number of waiting high jobs from which the fallback helps out; 0 = never.",
    )
    degraded_low_backlog: int = Field(0, ge=0, description="The same for low jobs.")
    tenants: Path | None = Field(
        None,
        description="TOML file of tenants with tier, limits and region, beside those of `earmark tenant add`; unset = "
        "everybody else is `free` without limits.",
    )
    tier_limits: Path | None = Field(
        None, description="TOML file of what each tier may ask of the API; unset = the one that ships with the router."
    )
    lane_rules: Path | None = Field(
        None, description="TOML file of lane rules; unset = the ones that ship with the router."
    )

    lease_s: float = Field(30.0, ge=1, le=600, description="Seconds a worker holds a job before it must ask again.")
    max_tries: int = Field(3, ge=1, le=100, description="Tries a job gets before it is buried, whatever ended each.")
    retry_delay_s: float = Field(2.0, ge=0, le=600, description="Seconds before the second try; doubles, with jitter.")
    outage_max_s: float = Field(
        86_400.0, ge=0, description="Age in seconds up to which a store or disk that is down costs a job no try."
    )
    dead_letter_days: float = Field(
        7.0, gt=0, le=366, description="Days a dead letter is kept after its last burial or replay."
    )
    dead_letter_replays: int = Field(
        3, ge=1, le=100, description="Replays of a dead letter that may fail before it is quarantined."
    )
    retention_rate_per_s: float = Field(
        800.0, gt=0, le=5000, description="Most deletions a second; a bucket of Cloud Storage takes about 1,000 writes."
    )
    retention_threads: int = Field(32, ge=1, le=128, description="Deletions at the same time.")
    retention_batch: int = Field(
        500, ge=1, le=1000, description="Deletions between two looks at holds and the switch that stops them."
    )
    retention_page: str = Field(
        "",
        max_length=1000,
        pattern=r"^(https?://\S+)?$",
        description="Page that notices link to; `{tenant}` and `{day}` in it are replaced.  Empty = no link.",
    )
    retention_upgrade_page: str = Field(
        "",
        max_length=1000,
        pattern=r"^(https?://\S+)?$",
        description="Page where a customer moves to a higher tier, for notices; filled in likewise.",
    )
    retention_service: str = Field("Earmark", max_length=100, description="What customers know the service as.")
    retention_contact: str = Field(
        "", max_length=200, description="Whom customers can ask about a notice, as an address or a telephone number."
    )
    smtp_host: str = Field("", max_length=255, description="Mail server for notices; empty = no mail is sent.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How mail is encrypted on its way to the server; `none` is for this machine only."
    )
    smtp_user: str = Field("", max_length=255, description="Name to log in with; empty = no login.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password to log in with.")
    smtp_from: str = Field("", max_length=320, description="Address that notices come from.")
    api_host: str = Field("127.0.0.1", max_length=255, description="Address the API listens on.")
    api_port: int = Field(8080, ge=0, le=65535, description="Its port; 0 = any that is free.")
    api_url: str = Field(
        "",
        max_length=1000,
        pattern=r"^(https?://\S+)?$",
        description="Where customers reach the API, for the links it gives; empty = as the request says.",
    )
    api_proxies: str = Field(
        "",
        max_length=4000,
        description="Addresses or networks of proxies before the API, divided by commas, whose `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed; empty = none.",
    )
    api_wait_max_s: float = Field(
        60.0, ge=0, le=600, description="Most seconds that a request may wait for its answer (`Prefer: wait`)."
    )
    api_body_max_bytes: int = Field(
        256 * 1024**2, gt=0, description="Largest body of a request; larger files go through `/v1/uploads`."
    )
    api_body_s: float = Field(120.0, gt=0, description="Seconds in which a body must have come.")
    api_head_s: float = Field(10.0, gt=0, description="Seconds in which the head of a request must have come.")
    api_connections: int = Field(
        2000, ge=10, description="Most connections; beyond it those go first that have sent no request for longest."
    )
    api_streams: int = Field(200, ge=1, description="Most answers that are streamed at the same time.")
    upload_url_s: float = Field(
        900.0, gt=0, le=604_800, description="Seconds for which the address of a direct upload holds; a week at most."
    )
    batch_max_entries: int = Field(1_000_000, gt=0, description="Most entries of a batch.")
    webhook_private: bool = Field(
        default=False,
        description="Whether webhooks may lead to this machine or a private network, and without TLS: for development.",
    )
    actor: str = Field(
        "", max_length=200, description="Who acts, for the audit log; empty = the name of the operating system's user."
    )
    poll_s: float = Field(0.2, gt=0, le=60, description="Seconds between looks at empty queues, jittered by half.")
    drain_s: float = Field(30.0, ge=0, le=3600, description="Seconds a worker may finish its batch in after SIGTERM.")

    batch_jobs: int = Field(8, ge=1, le=256, description="Most jobs in a batch.")
    batch_audio_s: float = Field(240.0, gt=0, description="Most seconds of audio in a batch; a longer job runs alone.")
    low_share: float = Field(
        0.2, ge=0, le=1, description="Least share of job starts the low lane gets while the high lane never stops."
    )
    low_max_wait_s: float = Field(
        600.0, gt=0, description="Age in seconds from which a low job is served like a high one."
    )

    sla_high_s: float = Field(
        1.0,
        gt=0,
        description="Seconds in which a high job should be answered; later ones count as late in experiments.",
    )
    sla_low_s: float = Field(600.0, gt=0, description="The same for low jobs.")

    yielding: bool = Field(
        default=False,
        description="Whether a worker's models and decoders compute only while nothing else on the machine wants to.",
    )
    decoders: int = Field(2, ge=1, le=64, description="Decoder processes per worker.")
    decode_timeout_s: float = Field(300.0, gt=0, description="Wall seconds one file may take to decode.")
    max_input_bytes: int = Field(2 * 1024**3, gt=0, description="Largest file taken, in bytes.")
    max_duration_s: float = Field(4 * 3600.0, gt=0, description="Longest recording taken, in seconds.")

    model_threads: int = Field(0, ge=0, le=64, description="Threads of the embedded model; 0 = one per core.")
    predict_timeout_s: float = Field(
        120.0, gt=0, description="Seconds the model may take over a batch, plus its audio length."
    )
    model_start_timeout_s: float = Field(120.0, gt=0, description="Seconds the model may take to load.")
    confidence_threshold: float = Field(
        0.80, ge=0, le=1, description="Confidence below which a record is marked for review."
    )

    synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL",
        description="SQLite's `synchronous`: FULL keeps what was acknowledged through a power cut, NORMAL a crash.",
    )

    @property
    def log_project(self) -> str:
        """The Google Cloud project whose Cloud Logging reads the log; empty = none."""
        return self.gcp_project if self.backend == "gcp" else ""

    @property
    def niceness(self) -> int:
        """By how much processes that compute give way to others.

        19 leaves them a seventieth of a processor that others want wholly (weights 15 and 1024, sched(7)), so that what
        they are at takes longer but comes to its end.
        """
        return YIELDING_NICE if self.yielding else 0

    @field_validator("data", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if value == "":
            message = "name a folder; `.` is this one"
            raise ValueError(message)
        return value

    @field_validator("api_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for each in value.split(",") if value.strip() else ():
            ip_network(each.strip())  # says what is wrong
        return value.strip()

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if self.poll_s >= self.lease_s:
            message = "poll_s must be less than lease_s, or a worker loses leases between looks"
            raise ValueError(message)
        if self.fallback_calibration is not None and not self.fallback:
            message = "fallback_calibration is set and fallback is not: name the provider it was made for"
            raise ValueError(message)
        if self.low_max_wait_s <= self.lease_s:
            message = "low_max_wait_s must exceed lease_s"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True)
class Effective:
    """Settings and where each value came from."""

    settings: Settings
    sources: Mapping[str, str]
    """Field name to ``default``, ``file PATH`` or ``environment EARMARK_NAME``."""


def load(environment: Mapping[str, str] | None = None) -> Effective:
    """Read the settings.

    Raises:
        ConfigurationError: names the setting, where it came from and what is wrong with it.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")

    path = Path(environment.get("EARMARK_CONFIG", "earmark.toml"))
    if path.exists() or "EARMARK_CONFIG" in environment:
        for name, value in _read_toml(path).items():
            values[name] = value
            sources[name] = f"file {path}"
    for name in Settings.model_fields:
        variable = PREFIX + name.upper()
        if variable in environment:
            values[name] = environment[variable]
            sources[name] = f"environment {variable}"

    known = {"EARMARK_CONFIG", *(PREFIX + name.upper() for name in Settings.model_fields)}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if unknown:
        message = f"Unknown setting in the environment: {', '.join(unknown)}.  `earmark config` lists all there are."
        raise ConfigurationError(message)
    try:
        return Effective(Settings.model_validate(values), sources)
    except ValidationError as error:
        faults = "; ".join(
            f"{name}: {_told(fault)} ({sources.get(name, 'unknown setting')})" if name else _told(fault)
            for fault in error.errors()
            for name in [".".join(map(str, fault["loc"]))]
        )
        message = f"Wrong settings: {faults}.  `docs/settings.md` describes each."
        raise ConfigurationError(message) from None


def _told(fault: ErrorDetails) -> str:
    """What pydantic says, without the class of our own errors before it."""
    return fault["msg"].removeprefix("Value error, ")


def _read_toml(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        message = f"Cannot read the settings file {path}: {error}.  Mend it, or point EARMARK_CONFIG elsewhere."
        raise ConfigurationError(message) from error


def shown(value: object) -> str:
    """A setting for a person, secrets masked."""
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    return "" if value is None else str(value)
