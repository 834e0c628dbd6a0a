"""What ``earmark review`` does: keep a person's judgement of a stored answer as a row of the warehouse."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from earmark.actor import actor_name
from earmark.audit import AuditEntry, Auditing, AuditTrail, nothing_audited
from earmark.clock import utc_now
from earmark.domain import Analysis, JobId, TenantName
from earmark.errors import ConfigurationError
from earmark.metadata import AudioMetadata, Rated
from earmark.named_file import printable
from earmark.ports import Clock, ObjectStore, Warehouse
from earmark.rows import ReviewRow
from earmark.settings import Settings
from earmark.vocabulary import Basis
from router.intake import display
from runtime import exit_status
from runtime.calibration.gathering import say
from runtime.calibration.labelled import Flag, json_rows, read_whole
from runtime.wiring import connect_existing
from workers.judging import JUDGED, Truth, is_right
from workers.settle import read_record

VALUE_CHARS: Final = 200
"""Of a long answer that are kept: enough to recognise it by."""
ROWS_AT_ONCE: Final = 500
_JOB_ID = re.compile(r"[0-9a-f]{32}")
_FALLBACK = re.compile(r"\+fallback-(?P<version>.*?)(?=\+calibration-|$)")
FALLBACK_MODEL: Final = "openai_compatible"
"""The name that fallbacks have in the catalogue."""


class Review(BaseModel):
    """A person's judgement of one answer of one record."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    job_id: JobId
    field: str
    right: Flag | None = None
    """None = to be seen from ``value``."""
    value: Any = None
    """What is right."""
    entry: str | None = None
    """Which entry of a list field is judged."""
    tenant: TenantName = "default"
    reviewer: str = ""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Looks answers up and keeps what a person says about them."""

    results: ObjectStore
    warehouse: Warehouse
    name: str
    audit: Auditing = nothing_audited
    clock: Clock = utc_now

    def keep(self, rows: Sequence[ReviewRow]) -> None:
        """Write down who judged which answers, then keep the rows.

        Raises:
            Unavailable: nothing was kept, or it is safe to keep it again.
        """
        self.audit(
            [
                AuditEntry(
                    at=row.at,
                    actor=self.name,
                    action="review.add",
                    target=row.job_id,
                    tenant=row.tenant,
                    after="right" if row.right else "wrong",
                    detail=row.field if row.reviewer == self.name else f"{row.field}, for {row.reviewer}",
                )
                for row in rows
            ]
        )
        self.warehouse.append(rows)

    def row(self, review: Review) -> ReviewRow:
        """The row of a review; the same answer judged again is a new version of the same row.

        Raises:
            ConfigurationError: there is no such record or answer, or it stays unsaid whether the answer is right.
        """
        analysis = self._analysis(review)
        rated = _answer(analysis.metadata, review)
        right, truth = _judged(review, rated)
        model = _model_of(analysis, review.field)
        listed = isinstance(getattr(analysis.metadata, review.field), tuple)
        return ReviewRow(
            row_id=f"{review.job_id}:{review.field}" + (f":{rated.value}" if listed else ""),
            tenant=review.tenant,
            at=self.clock(),
            job_id=review.job_id,
            field=review.field,
            value=str(rated.value)[:VALUE_CHARS],
            right=right,
            truth=truth,
            reviewer=review.reviewer or self.name,
            score=rated.score,
            confidence=rated.confidence,
            **model,
        )

    def _analysis(self, review: Review) -> Analysis:
        record = read_record(self.results, review.tenant, review.job_id)
        if record is None or record.analysis is None:
            what = "no record" if record is None else f"a record without answers ({record.status})"
            message = f"The tenant {review.tenant} has {what} of the job {review.job_id}.  Check the id and --tenant."
            raise ConfigurationError(message)
        return record.analysis


def review_one(settings: Settings, review: Review) -> int:
    """Keep one review; returns the exit status.

    Raises:
        ConfigurationError: there is no such answer.
        Unavailable: a store cannot be reached.
    """
    reviewer = _reviewer(settings)
    row = reviewer.row(review)
    reviewer.keep([row])
    verdict = "right" if row.right else "wrong"
    say(f"{row.field} {display(row.value)!r} of {row.job_id} is {verdict}, says {row.reviewer}.")
    return 0


def review_file(settings: Settings, path: Path) -> int:
    """Keep the reviews of a file of JSON lines; returns the exit status: 3 when some rows could not be kept.

    Raises:
        ConfigurationError: the file cannot be read, or holds no review that could be kept.
        Unavailable: a store cannot be reached; the rows before were kept, and may be told again.
    """
    reviewer = _reviewer(settings)
    rows: list[ReviewRow] = []
    kept = bad = 0
    for number, row in json_rows(read_whole(path, "reviews")):
        place = f"{display(path)}:{number}"
        try:
            rows.append(reviewer.row(_read(row)))
        except (ConfigurationError, ValueError) as error:
            say(f"{place}: {error}")
            bad += 1
        if len(rows) >= ROWS_AT_ONCE:
            reviewer.keep(rows)
            kept, rows = kept + len(rows), []
    reviewer.keep(rows)
    kept += len(rows)
    if not kept:
        message = (
            f"{display(path)} holds no review that can be kept.  See docs/confidence.md for what a row looks like."
        )
        raise ConfigurationError(message)
    say(f"{kept} reviews kept" + (f", {bad} rows not." if bad else "."))
    return exit_status.SOME_NOT_DONE if bad else 0


def _reviewer(settings: Settings) -> Reviewer:
    backend = connect_existing(settings)
    trail = AuditTrail(backend.audit, backend.warehouse, utc_now, hints=backend.state)
    return Reviewer(backend.results, backend.warehouse, actor_name(settings.actor), trail)


def named_review(job_id: str, **fields: Any) -> Review:
    """A review from the command line; raises ``ConfigurationError`` when it cannot be one."""
    if not _JOB_ID.fullmatch(job_id):
        message = f"{display(job_id)!r} is no job id: 32 characters of 0-9 and a-f, as `earmark analyze` prints them."
        raise ConfigurationError(message)
    try:
        return Review(job_id=job_id, **fields)
    except ValidationError as error:
        raise ConfigurationError(_told(error)) from None


def _read(row: dict[str, Any] | str) -> Review:
    if isinstance(row, str):
        raise ConfigurationError(row)
    try:
        return Review.model_validate(row)
    except ValidationError as error:
        raise ConfigurationError(_told(error)) from None


def _answer(metadata: AudioMetadata, review: Review) -> Rated[Any]:
    """The answer that is judged."""
    if review.field not in type(metadata).model_fields:
        message = f"There is no field {display(review.field)!r}; there are {', '.join(type(metadata).model_fields)}."
        raise ConfigurationError(message)
    found = getattr(metadata, review.field)
    if review.entry is not None and not isinstance(found, tuple):
        message = f"{review.field} has one answer, no entries; leave --entry out."
        raise ConfigurationError(message)
    entries: dict[str, Rated[Any]] = {
        str(each.value): each for each in (found if isinstance(found, tuple) else [found])
    }
    if isinstance(found, tuple) and review.entry is not None:
        if review.entry not in entries:
            there = printable(", ".join(entries)) or "there are none"
            message = f"{review.entry!r} is not among the {review.field}: {there}."
            raise ConfigurationError(message)
    elif len(entries) > 1:
        message = f"{review.field} has several entries; say which with --entry: {printable(', '.join(entries))}."
        raise ConfigurationError(message)
    rated = next(iter(entries.values()), None) if review.entry is None else entries[review.entry]
    if rated is None or rated.value is None:
        message = f"The record {review.job_id} has no answer for {review.field}; there is nothing to judge."
        raise ConfigurationError(message)
    if rated.basis in {Basis.MEASURED, Basis.DERIVED}:
        how = "was measured" if rated.basis is Basis.MEASURED else "follows from other fields: judge those"
        message = f"The answer for {review.field} {how}; nothing is learnt from judging it."
        raise ConfigurationError(message)
    return rated


def _judged(review: Review, rated: Rated[Any]) -> tuple[bool, str | None]:
    """Whether the answer is right, as the person says or as the truth tells; and the truth."""
    truth = None if review.value is None else str(review.value)[:VALUE_CHARS]
    told: bool | None = None
    if review.value is not None and review.field in JUDGED:
        try:
            told = _as_truth_tells(review, rated)
        except ValidationError as error:
            if review.right is None:  # a truth that no answer could give is still worth keeping beside a verdict
                raise ConfigurationError(_told(error)) from None
    if review.right is not None:
        if told is not None and told is not review.right:
            verdict, other = ("right", "wrong") if review.right else ("wrong", "right")
            message = f"{str(rated.value)!r} cannot be {verdict} where {truth!r} is true: that makes it {other}."
            raise ConfigurationError(message)
        return review.right, truth
    if told is not None:
        return told, truth
    message = f"Say whether {review.field} is right: --right or --wrong" + (
        ", or --value with what is right." if review.field in JUDGED else "."
    )
    if review.value is not None and review.field in JUDGED:
        message = f"{truth!r} does not tell whether {str(rated.value)!r} is right; say --right or --wrong."
    raise ConfigurationError(message)


def _as_truth_tells(review: Review, rated: Rated[Any]) -> bool | None:
    wanted = review.value
    if isinstance(getattr(AudioMetadata(), review.field), tuple) and isinstance(wanted, str):
        wanted = [word for word in wanted.split(";") if word.strip()]
    known = Truth.model_validate({review.field: wanted})
    return is_right(review.field, rated.value, getattr(known, review.field))


def _model_of(analysis: Analysis, field: str) -> Mapping[str, str]:
    """Which model gave the answer; a fallback's version is the one in the pipeline's name."""
    made = analysis.provenance
    if field in made.fallback_fields:
        version = _FALLBACK.search(made.pipeline)
        found = version["version"] if version else made.fallback_model
        return {"model": FALLBACK_MODEL, "model_version": found, "engine": "", "prompt_version": ""}
    return {
        "model": made.model,
        "model_version": made.model_version,
        "engine": made.engine,
        "prompt_version": made.prompt_version,
    }


def _told(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    place = ".".join(map(str, fault["loc"]))
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}".removeprefix(": ")
