"""The list of a customer's analyses, newest first, a page at a time."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, TypeAdapter, ValidationError

from earmark.domain import JobId
from earmark.metadata import Frozen, Probability
from earmark.vocabulary import ContentType
from runtime.endpoints.analysis_state import AnalysisStatus, base_url
from runtime.endpoints.caller import Reads
from runtime.endpoints.parts import parts_of
from runtime.endpoints.problem import Problem, answers

endpoints = APIRouter(prefix="/v1/analyses", tags=["analyses"])
PAGE: Final = 50
PAGE_MOST: Final = 200
_CURSOR_CHARS: Final = 200
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _written(value: object) -> object:
    """A time as RFC 3339 has it; left alone, numbers would be taken for seconds since 1970."""
    if isinstance(value, str) and _DATE.match(value) is None:
        message = "write a time as 2026-03-01T12:00:00Z"
        raise ValueError(message)
    return value


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the year 0 or 10000
        message = "write a time of the years 1 to 9999"
        raise ValueError(message) from None


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
"""A time as a customer writes it, in UTC."""
_CURSOR: TypeAdapter[tuple[AwareDatetime, JobId]] = TypeAdapter(tuple[AwareDatetime, JobId])


class EndedStatus(StrEnum):
    """How an analysis ended."""

    DONE = AnalysisStatus.DONE
    REJECTED = AnalysisStatus.REJECTED
    FAILED = AnalysisStatus.FAILED


class AnalysisSummary(Frozen):
    """An analysis in short."""

    id: JobId
    status: EndedStatus
    settled_at: AwareDatetime
    content_type: str | None = Field(description="What kind of sound it is; `null` = unknown.")
    confidence: Probability | None = Field(description="Of the whole analysis.")
    review: bool = Field(description="Whether a person should look at it.")
    model: str
    language: str | None
    tempo_bpm: float | None
    audio_s: float = Field(description="Length in seconds; 0 = it was not decoded.")
    size_bytes: int
    error_kind: str | None = Field(description="Why there is no analysis, as a closed word.")
    link: str = Field(description="Where the whole analysis is.")


_EXAMPLE: Final[dict[str, Any]] = {
    "items": [
        {
            "id": "5f2b8c0de4a94a1b8d2c4e6f70819a3b",
            "status": "done",
            "settled_at": "2026-03-01T12:00:01.200000Z",
            "content_type": "music",
            "confidence": 0.91,
            "review": False,
            "model": "listener",
            "language": None,
            "tempo_bpm": 124.0,
            "audio_s": 182.4,
            "size_bytes": 7301244,
            "error_kind": None,
            "link": "https://api.example/v1/analyses/5f2b8c0de4a94a1b8d2c4e6f70819a3b",
        }
    ],
    "next_cursor": None,
}


class AnalysisPage(Frozen):
    """Some analyses."""

    model_config = Frozen.model_config | {"json_schema_extra": {"example": _EXAMPLE}}
    items: tuple[AnalysisSummary, ...]
    next_cursor: str | None = Field(description="Ask with it as `cursor` for the next page; `null` = this is the last.")


@endpoints.get(
    "",
    operation_id="list_analyses",
    summary="List analyses",
    responses=answers(400, 401, 403, 422, 429, 503),
)
def list_analyses(
    request: Request,
    caller: Reads,
    cursor: Annotated[str | None, Query(max_length=_CURSOR_CHARS, description="`next_cursor` of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_MOST, description="Most items of the page.")] = PAGE,
    status: Annotated[EndedStatus | None, Query(description="Only those that ended so.")] = None,
    content_type: Annotated[ContentType | None, Query(description="Only this kind of sound.")] = None,
    since: Annotated[Moment | None, Query(description="Settled then or later.")] = None,
    until: Annotated[Moment | None, Query(description="Settled before.")] = None,
    min_confidence: Annotated[float | None, Query(ge=0, le=1, description="At least so confident.")] = None,
    review: Annotated[bool | None, Query(description="Only those for a person to look at, or only others.")] = None,
) -> AnalysisPage:
    """Analyses that have ended, the latest first.  Pages stay put while new ones are made."""
    parts, tenant = parts_of(request), caller.tenant.name
    asked: dict[str, object] = {"tenant": tenant, "most": limit + 1}
    asked |= {"status": status.value} if status else {}
    asked |= {"content_type": content_type.value} if content_type else {}
    asked |= {name: at for name, at in (("since", since), ("until", until)) if at is not None}
    asked |= {} if min_confidence is None else {"min_confidence": min_confidence}
    asked |= {} if review is None else {"review": int(review)}
    if cursor is not None:
        before_at, before_id = _read(cursor)
        asked |= {"before_at": before_at, "before_id": before_id}
    rows = parts.backend.warehouse.query("analyses_of_customer", asked)
    detail = f"{min(len(rows), limit)} analyses"
    parts.access.record(tenant=tenant, key_id=caller.key_id, action="analysis.listed", target="analyses", detail=detail)
    base = f"{base_url(request)}/v1/analyses"
    items = tuple(_summary(row, base) for row in rows[:limit])
    return AnalysisPage(items=items, next_cursor=_cursor(items[-1]) if len(rows) > limit else None)


def _summary(row: Mapping[str, object], base: str) -> AnalysisSummary:
    return AnalysisSummary.model_validate({**row, "review": bool(row["review"]), "link": f"{base}/{row['id']}"})


def _cursor(last: AnalysisSummary) -> str:
    told = json.dumps([last.settled_at.astimezone(UTC).isoformat(), last.id])
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, identity = _CURSOR.validate_json(text)
        return at.astimezone(UTC), identity
    except (binascii.Error, ValidationError, ValueError, OverflowError):
        detail = "The cursor is none that was given."
        remedy = "Leave it away to begin with the first page."
        raise Problem(HTTPStatus.BAD_REQUEST, "bad_cursor", detail, remedy) from None
