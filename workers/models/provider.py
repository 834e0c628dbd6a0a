"""``Provider``: a server that speaks the chat completions protocol with audio, and what is known about it.

Importing this imports no client.  The key is never here: a provider names the environment variable that holds it.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from earmark.errors import ConfigurationError
from earmark.metadata import Frozen

SHIPPED: Final = Path(__file__).with_name("providers.toml")
"""The providers Earmark knows; a file of one's own adds to them and changes them."""

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_VARIABLE = re.compile(r"^(?:[A-Za-z_][A-Za-z0-9_]{0,63})?$")
FRESH_DAYS: Final = 366
"""Prices that were looked up longer ago are used with a warning: costs and caps are reckoned by them."""
LEAST_KEY_CHARS: Final = 20
LEAST_KEY_DIGITS: Final = 8
"""A word of at least so many characters and digits is a key and no variable's name; so is one in mixed case."""
_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")


class Prices(Frozen):
    """What a model costs, in US dollars per million tokens; 0 = nothing, as on a machine of one's own.

    A table is one thing with its date: in a file it is whole, or there is none (``load_providers``).
    """

    text_in: Price = 0.0
    cached_in: Price = 0.0
    """Text that the provider had in its cache."""
    audio_in: Price = 0.0
    text_out: Price = 0.0
    audio_out: Price = 0.0
    """Should a model speak although it is asked to write."""
    as_of: date | None = None
    """Day on which somebody looked them up; ``None`` = nobody wrote that down."""


PRICED: Final = ("as_of", *(name for name in Prices.model_fields if name != "as_of"))
"""What a table of prices says, all of it."""
REPAIR_PRICED: Final = ("as_of", "text_in", "cached_in", "text_out")
"""The same of a model that neither hears nor speaks."""


class Provider(Frozen):
    """One table of ``providers.toml``."""

    name: str
    """Of the table."""
    url: str = Field(description="Address of the API with its version, as `https://api.openai.com/v1`.")
    model: str = Field(min_length=1, max_length=200, description="Name the provider gives the model that listens.")
    key_variable: str = Field(
        "", description="Name of the environment variable that holds the key, never the key itself; empty = no key."
    )
    engine: str = Field(
        "openai",
        pattern=r"^[a-z][a-z0-9_.-]{0,62}$",
        description="What runs the model, as `openai` or `vllm`; confidences are calibrated per engine.",
    )
    output: Literal["function", "structured_outputs", "json_schema", "prompt"] = Field(
        "function",
        description="How JSON is asked for: a forced function call (OpenAI's audio models), vLLM's structured outputs, "
        "`response_format`, or in words alone.",
    )
    limit_key: Literal["max_completion_tokens", "max_tokens"] = Field(
        "max_completion_tokens", description="What the provider calls the limit on an answer's tokens."
    )
    audio_format: Literal["wav", "mp3"] = Field("wav", description="How audio is sent; mp3 is a quarter the size.")
    logprobs: Literal["auto", "yes", "no"] = Field(
        "auto", description="Whether to ask for probabilities of tokens; `auto` = until the provider refuses once."
    )
    repair_model: str = Field(
        "", max_length=200, description="Text model with strict JSON schemas that mends a bad answer; empty = none."
    )
    prices: Prices = Field(Prices(), description="Prices of the model, in US dollars per million tokens.")
    repair_prices: Prices = Field(Prices(), description="Prices of the repair model.")
    requests_per_minute: int = Field(
        0,
        ge=0,
        description="Most requests one process sends a minute, for which a question waits up to 60 s; 0 = no limit.",
    )
    tokens_per_minute: int = Field(0, ge=0, description="Most tokens one process spends a minute; 0 = no limit.")
    tokens_per_audio_s: float = Field(
        10.0, gt=0, le=1000, description="Tokens a second of audio counts, for reservations; bills count what was used."
    )
    timeout_s: float = Field(60.0, gt=0, le=600, description="Seconds one request may take.")
    concurrency: int = Field(4, ge=1, le=256, description="Most requests under way at once in one process.")
    retries: int = Field(2, ge=0, le=10, description="Times a request is sent again after a fault that may pass.")
    regions: tuple[str, ...] = Field(
        (),
        description="Regions within which the provider keeps what it is sent; a tenant bound to another is not sent.",
    )
    audio_windows: int = Field(
        4, ge=1, le=480, description="Most pieces of a recording, 30 s each at most, that it is sent."
    )
    answer_tokens: int = Field(1500, ge=16, le=16_384, description="Most tokens of one answer.")
    retires: date | None = Field(None, description="Day on which the provider turns the model off.")

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _NAME.match(name):
            message = "a provider's name is 1 to 63 of a-z, 0-9, - and _, and begins with a letter"
            raise ValueError(message)
        return name

    @field_validator("key_variable")
    @classmethod
    def _a_name(cls, variable: str) -> str:
        if not _VARIABLE.match(variable) or _looks_like_a_key(variable):
            message = "give the NAME of the environment variable that holds the key, as OPENAI_API_KEY, not the key"
            raise ValueError(message)
        return variable

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = "give an address that begins with https:// or http://, as https://api.openai.com/v1"
            raise ValueError(message)
        if parts.username or parts.password or parts.query or parts.fragment:
            message = "no user, password, query or fragment belongs in an address; the key is named by key_variable"
            raise ValueError(message)
        return url.rstrip("/")

    @property
    def models(self) -> tuple[str, ...]:
        """The models it must have."""
        return tuple(name for name in (self.model, self.repair_model) if name)

    def days_left(self, today: date) -> int | None:
        """Days until the model is turned off, negative when it was; None = not known to be."""
        return None if self.retires is None else (self.retires - today).days

    def prices_age_days(self, today: date) -> int | None:
        """Days since its prices were looked up; None = it has none, or nobody wrote that down."""
        return None if self.prices.as_of is None else (today - self.prices.as_of).days


def _looks_like_a_key(variable: str) -> bool:
    """Whether what should be a variable's name is more likely the key that belongs into the variable."""
    digits = sum(map(str.isdigit, variable))
    mixed = variable != variable.upper() and variable != variable.lower()
    random = len(variable) >= LEAST_KEY_CHARS and (digits >= LEAST_KEY_DIGITS or (mixed and digits > 0))
    return variable.lower().startswith(("sk-", "sk_")) or random


def load_providers(path: Path | None = None) -> Mapping[str, Provider]:
    """The shipped providers, with those of a file beside and above them.

    A table of the same name as a shipped one changes only the keys it gives, and a table of prices is replaced whole,
    with its date; where it names another model, prices and the day it retires are not taken over.  A provider that has
    no prices, or an empty table of them, bills nothing; a price that is merely left out is refused, for bills and caps
    would count it as nothing.

    Raises:
        ConfigurationError: names file, table, key and remedy.
    """
    shipped = _tables(SHIPPED)
    providers = {name: _provider(name, table, SHIPPED) for name, table in shipped.items()}
    if path is not None:
        for name, table in _tables(path).items():
            merged = {**_inherited(name, table, shipped, path), **table}
            providers[name] = _provider(name, merged, path)
            _check_whole(name, merged, shipped.get(name, {}), path)
    return providers


def _check_whole(name: str, table: Mapping[str, Any], shipped: Mapping[str, Any], path: Path) -> None:
    """Raise ``ConfigurationError`` where a price is left out that bills and caps would count as nothing."""
    for prices, needed in (("prices", PRICED), ("repair_prices", REPAIR_PRICED)):
        given = table.get(prices)
        if given is None or not (given or shipped.get(prices)):
            continue
        if missing := [key for key in needed if key not in given]:
            message = (
                f"Provider {name} in {path}: [{name}.{prices}] has no {', '.join(missing)}.  A table of prices is "
                f"replaced whole: give {', '.join(needed)}, in US dollars per million tokens, 0 for what costs nothing."
            )
            raise ConfigurationError(message)
    if table.get("prices") and table.get("repair_model") and "repair_prices" not in table:
        message = (
            f"Provider {name} in {path}: the repair_model has no prices.  Add a table [{name}.repair_prices] with "
            f"{', '.join(REPAIR_PRICED)}, in US dollars per million tokens; an empty one if it bills nothing."
        )
        raise ConfigurationError(message)


def _inherited(
    name: str, table: Mapping[str, Any], shipped: Mapping[str, Mapping[str, Any]], path: Path
) -> dict[str, Any]:
    base = dict(shipped.get(name, {}))
    for model, prices, also in (("model", "prices", "retires"), ("repair_model", "repair_prices", "")):
        if base and table.get(model, base.get(model)) != base.get(model):
            if table[model] and prices not in table and base.get(prices):
                message = (
                    f"Provider {name} in {path}: another {model} has other prices.  Add a table [{name}.{prices}] with "
                    f"{', '.join(PRICED if prices == 'prices' else REPAIR_PRICED)}, in US dollars per million tokens."
                )
                raise ConfigurationError(message)
            base.pop(prices, None)
            base.pop(also, None)
    return base


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"Cannot read the providers in {path}: {error}.  Mend the file, or name another."
        raise ConfigurationError(message) from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            message = f"{name!r} in {path} stands outside a table.  Put it below a line such as [openai]."
            raise ConfigurationError(message)
    return tables


def _provider(name: str, table: Mapping[str, Any], path: Path) -> Provider:
    if "name" in table:
        message = f"Provider {name} in {path}: there is no key name; the table's heading is the name.  Remove it."
        raise ConfigurationError(message)
    try:
        return Provider.model_validate({"name": name, **table})
    except ValidationError as error:
        faults = "; ".join(_told(fault) for fault in error.errors(include_url=False, include_input=False))
        message = f"Provider {name} in {path} is wrong: {faults}."
        raise ConfigurationError(message) from None


def _told(fault: ErrorDetails) -> str:
    """One fault for a person; never the value, for somebody may have put the key there."""
    place = [str(part) for part in fault["loc"]]
    key = ".".join(place)
    if fault["type"] == "extra_forbidden":
        known = [name for name in (Prices if len(place) > 1 else Provider).model_fields if name != "name"]
        near = difflib.get_close_matches(place[-1], known, n=1)
        return f"{key}: there is no such key; " + (f"did you mean {near[0]}?" if near else f"use {', '.join(known)}")
    if fault["type"] == "missing":
        return f"{key}: is missing; give one"
    if fault["type"] == "tuple_type":
        return f'{key}: give a list of texts, as ["europe-west1"]'
    return f"{key}: {fault['msg'].removeprefix('Value error, ')}"
