"""``Policy``: how long what is kept for whom, as data in a TOML file; ``policy.toml`` beside this file ships."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, PositiveInt, ValidationError, model_validator

from earmark.domain import TenantName
from earmark.errors import ConfigurationError
from earmark.metadata import Frozen
from earmark.named_file import printable, read_bounded
from earmark.vocabulary import ObjectClass, Tier
from retention.term import Term

SHIPPED: Final = Path(__file__).parent / "policy.toml"
FILE_BYTES_MAX: Final = 4 * 1024 * 1024
NOTICE_LEAST: Final = timedelta(days=7)
"""Nothing is deleted earlier than this after its notice was confirmed, whatever a policy says."""
ROWS_LEAST: Final = timedelta(days=90)
"""Rows, and with them the record of notices that still stand, are not removed sooner."""
NOTICED: Final = frozenset({ObjectClass.UPLOAD, ObjectClass.RESULT})
"""Classes of objects whose customer is told before they go."""
_DAY_H: Final = 24.0
_MONTH_H: Final = 365.2425 / 12 * 24
"""Of the Gregorian calendar, on average."""
_TABLE: Final = re.compile(r"\s*\[([^\[\]]+)\]")
_KEY: Final = re.compile(r"\s*([\w.\"'-]+)\s*=")
_QUOTES: Final = re.compile("[\"' ]")
_FAULTS_MAX: Final = 5


class Keep(Frozen):
    """Terms of one tier."""

    upload: Term
    result: Term


class OwnTerms(Frozen):
    """Terms of one customer; ``None`` = that of the tier."""

    upload: Term | None = None
    result: Term | None = None


class Own(Frozen):
    """What enterprise customers have agreed on, and within which bounds."""

    least: Term
    most: Term
    tenants: dict[TenantName, OwnTerms] = Field(default_factory=dict)


class Limits(Frozen):
    """What a plan may delete before a person must approve of it; temporary objects are not counted."""

    model_config = ConfigDict(strict=True)

    objects: PositiveInt
    tenant_share: Annotated[float, Field(gt=0, le=1)]
    """Of a customer's live objects."""
    tenant_share_from: PositiveInt
    """Objects of one customer in a plan, below which their share does not matter."""
    usual_days: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    """Times the usual day."""
    usual_days_from: PositiveInt
    """Objects in a plan, below which the usual day does not matter."""


class Policy(Frozen):
    """One version of the rules."""

    notice: Term
    """From a confirmed notice to the deletion, at least."""
    temporary: Term
    rows: Term
    """Of the warehouse."""
    extension_most: Term
    """How far from the day of granting an extension may reach."""
    keep: dict[Tier, Keep]
    own: Own
    archive: dict[Tier, Term] = Field(default_factory=dict)
    """Ages at which uploads move to cold storage; a tier that is left out never does."""
    limits: Limits

    @model_validator(mode="after")
    def _sound(self) -> Self:
        faults = list(self._faults())
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def term(self, tenant: str, tier: str, object_class: str) -> Term:
        """How long an object of a customer is kept.

        Raises:
            ValueError: there is no such tier or class.
        """
        kind, paid = ObjectClass(object_class), Tier(tier)
        if kind is ObjectClass.TEMPORARY:
            return self.temporary
        own = self.own.tenants.get(tenant) if paid is Tier.ENTERPRISE else None
        agreed: Term | None = getattr(own, kind.value, None)
        term: Term = agreed or getattr(self.keep[paid], kind.value)
        return term

    def _faults(self) -> Iterator[str]:  # a list of what may be wrong
        """Where it contradicts itself: each the place, a colon and what is wrong there."""
        if length_h(self.notice) < NOTICE_LEAST.total_seconds() / 3600:
            yield "notice: 7 days are the least"
        if length_h(self.rows) < ROWS_LEAST.total_seconds() / 3600:
            yield "rows: 90 days are the least"
        if length_h(self.temporary) > _DAY_H:
            yield "temporary: 24 hours are the most"
        for tier in Tier:
            if tier not in self.keep:
                yield f"keep.{tier}: the terms of this tier are missing"
        if not length_h(self.notice) <= length_h(self.own.least) <= length_h(self.own.most):
            yield "own.least: it is less than the notice, or more than own.most"
        tables: list[tuple[str, Keep | OwnTerms]] = [(f"keep.{tier}", keep) for tier, keep in self.keep.items()]
        tables += [(f"own.tenants.{tenant}", own) for tenant, own in self.own.tenants.items()]
        for place, table in tables:
            for kind in ("upload", "result"):
                term: Term | None = getattr(table, kind)
                if term is not None:
                    yield from self._faults_of(f"{place}.{kind}", term, own=isinstance(table, OwnTerms))

    def _faults_of(self, place: str, term: Term, *, own: bool) -> Iterator[str]:
        if length_h(term) < length_h(self.notice):
            yield f"{place}: {term} are less than the notice, {self.notice}"
        if own and not length_h(self.own.least) <= length_h(term) <= length_h(self.own.most):
            yield f"{place}: {term} lie outside of own.least and own.most, {self.own.least} to {self.own.most}"


def length_h(term: Term) -> float:
    """Hours of a term, to compare it with another: a month counts as the average one."""
    return term.months * _MONTH_H if term.months else float(term.hours)


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy from a TOML file (default: the one that ships).

    Raises:
        ConfigurationError: it cannot be read or used; says in which lines, and what to do.
    """
    path = path or SHIPPED
    content = read_bounded(path, "policy", most_bytes=FILE_BYTES_MAX)
    name = printable(str(path))
    try:
        text = content.decode("utf-8-sig")
        # As JSON, so that a term that is none is told of once, in its own words.
        return Policy.model_validate_json(json.dumps(tomllib.loads(text), default=str))
    except ValidationError as error:
        faults = [
            fault if line is None else f"line {line}, {fault}"
            for place, fault in _told(error)
            for line in [_line_of(text.splitlines(), place)]
        ]
        more = f"; and {len(faults) - _FAULTS_MAX} more" if len(faults) > _FAULTS_MAX else ""
        message = f"The policy {name} cannot be used: {'; '.join(faults[:_FAULTS_MAX])}{more}.  Put it right there."
        raise ConfigurationError(message) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or a number of thousands of digits
        message = f"The policy {name} is no TOML: {printable(str(error))}.  Put it right and check it again."
        raise ConfigurationError(message) from error


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    """For each fault the place, as ``keep.free.upload``, and the place and what is wrong in words."""
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        place, message = (
            ".".join(str(each) for each in fault["loc"] if each != "[key]"),
            fault["msg"].removeprefix("Value error, "),
        )
        for line in message.split("\n"):
            found = place or line.partition(":")[0]
            yield found, printable(line if not place else f"{place}: {line}")


def _line_of(lines: Sequence[str], place: str) -> int | None:
    """Number of the line where a place is written, or else the table that it is in; ``None`` = nowhere."""
    table, best, number = "", 0, None
    for count, line in enumerate(lines, 1):
        header, key = _TABLE.match(line), _KEY.match(line)
        if header:
            table = header[1].strip()
        elif not key:
            continue
        written = _QUOTES.sub("", ".".join(filter(None, (table, key[1] if key else ""))))
        if f"{place}.".startswith(f"{written}.") and len(written) > best:
            best, number = len(written), count
    return number
