"""Exports over HTTP: an analysis in forms that other programs read, and tags in a copy of its audio."""

import json
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from typing import IO, Annotated, Any, BinaryIO, Final, cast

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from earmark.domain import Analysis, Record
from earmark.errors import InputRejected
from runtime.endpoints.answer_headers import disposition
from runtime.endpoints.caller import Caller, Reads
from runtime.endpoints.parts import ApiParts, parts_of
from runtime.endpoints.problem import Problem, answers, not_found
from runtime.exports import csv_file, json_ld
from runtime.exports.example import EXAMPLE, EXAMPLE_RECORD
from runtime.exports.kept_audio import KeptAudio
from runtime.exports.media_types import media_type
from runtime.exports.tagging import Tagging
from runtime.exports.tags import TAGGED, tags_of
from workers.settle import read_record

endpoints = APIRouter(prefix="/v1/analyses", tags=["analyses"])
AnalysisId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of the analysis.")]
CHUNK_BYTES: Final = 256 * 1024
_REMEDY: Final = "Ask for format=json, jsonld or csv, or send the audio as MP3, FLAC, Ogg, M4A, WAV or AIFF."
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_OK: Final[dict[str, Any]] = {
    "description": "The analysis, or a copy of its audio, as `Content-Type` says.",
    "headers": disposition("5f2b8c0de4a94a1b8d2c4e6f70819a3b.csv"),
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Analysis"}},
        "application/ld+json": {"schema": {"type": "object"}, "example": json_ld.json_ld(EXAMPLE, 0.8)},
        "text/csv": {"schema": {"type": "string"}, "example": csv_file.csv_file(EXAMPLE_RECORD)},
        **dict.fromkeys(sorted({media_type(each).name for each in TAGGED}), _BINARY),
    },
}


class ExportFormat(StrEnum):
    """A form of an export."""

    JSON = "json"
    JSON_LD = "jsonld"
    ID3 = "id3"
    CSV = "csv"


@endpoints.get(
    "/{analysis_id}/export",
    operation_id="export_analysis",
    summary="Take an analysis elsewhere",
    response_class=Response,
    responses={200: _OK, **answers(401, 403, 404, 409, 410, 415, 422, 429, 503)},
)
def export_analysis(
    request: Request,
    caller: Reads,
    analysis_id: AnalysisId,
    form: Annotated[
        ExportFormat,
        Query(
            alias="format",
            description="`json`: all of it; `jsonld`: a schema.org AudioObject; `csv`: a header and a line; `id3`: a "
            "copy of the audio with tags.",
        ),
    ] = ExportFormat.JSON,
) -> Response:
    """Give an analysis in another form.

    Tags (`id3`) go into a copy of the audio as you sent it, in the way of its kind: ID3v2.4 in MP3, WAV and AIFF,
    comments in FLAC and Ogg, atoms in M4A, and in WAV an `INFO` list too.  Tags that are there stay.  Into tags, and
    into the properties of the recording in JSON-LD, go answers of which the service is sure; JSON and CSV have all.
    """
    parts = parts_of(request)
    record = _record(parts, caller, analysis_id)
    parts.access.record(
        tenant=caller.tenant.name,
        key_id=caller.key_id,
        action="analysis.exported",
        target=analysis_id,
        detail=form.value,
    )
    analysis, threshold = cast("Analysis", record.analysis), parts.settings.confidence_threshold
    match form:
        case ExportFormat.JSON:
            return _answer(request, record, analysis.model_dump_json().encode(), "application/json", "json")
        case ExportFormat.JSON_LD:
            content = json.dumps(json_ld.json_ld(analysis, threshold), ensure_ascii=False).encode()
            return _answer(request, record, content, json_ld.MEDIA_TYPE, "jsonld")
        case ExportFormat.CSV:
            return _answer(request, record, csv_file.csv_file(record).encode(), csv_file.MEDIA_TYPE, "csv")
        case ExportFormat.ID3:
            return _tagged(request, parts, record, analysis)


def _record(parts: ApiParts, caller: Caller, analysis_id: str) -> Record:
    """The record of an analysis that is done."""
    tenant = caller.tenant.name
    record = read_record(parts.backend.results, tenant, analysis_id)
    if record is not None and record.analysis is not None:
        return record
    if record is not None:
        detail = f"There is no analysis to export: it ended as {record.status}."
        raise Problem(HTTPStatus.CONFLICT, "not_analysed", detail, "Look at it to see why.")
    if parts.analyses.awaited.find(tenant, analysis_id) is not None:
        detail = "It has not been analysed yet."
        raise Problem(HTTPStatus.CONFLICT, "not_ready", detail, "Ask again later.", headers={"Retry-After": "1"})
    raise not_found()


def _tagged(request: Request, parts: ApiParts, record: Record, analysis: Analysis) -> Response:
    container = analysis.technical.container
    if container not in TAGGED:
        detail = f"Files of the kind {container} bear no tags."
        raise _untaggable(detail)
    copy = KeptAudio(parts.backend).copy(record.tenant, analysis.content_sha256)
    if copy is None:
        remedy = "Send it again with keep=true, or ask for format=json, jsonld or csv."
        raise Problem(HTTPStatus.GONE, "audio_gone", "The audio of this analysis is not kept any more.", remedy)
    try:
        _tagging().write(cast("BinaryIO", copy), container, tags_of(analysis, parts.settings.confidence_threshold))
        size_bytes = copy.seek(0, 2)
        copy.seek(0)
    except InputRejected as error:
        copy.close()
        detail = f"{error.message}."
        raise _untaggable(detail) from None
    except BaseException:
        copy.close()
        raise
    kind = media_type(container, analysis.technical.codec)
    headers = {**_headers(request, record, kind.suffix), "Content-Length": str(size_bytes)}
    return StreamingResponse(_chunks(copy), HTTPStatus.OK, headers, kind.name)


@cache
def _tagging() -> Tagging:
    """One for the process, which bounds how many files it has in hand."""
    return Tagging()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _answer(request: Request, record: Record, content: bytes, kind: str, suffix: str) -> Response:
    return Response(content, HTTPStatus.OK, _headers(request, record, suffix), kind)


def _headers(request: Request, record: Record, suffix: str) -> dict[str, str]:
    """The name of the file is ours: nothing of the customer's is in it."""
    return {
        **request.state.limit_headers,
        "Content-Disposition": f'attachment; filename="{record.job_id}.{suffix}"',
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
    }


def _untaggable(detail: str) -> Problem:
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "no_tags", detail, _REMEDY)
