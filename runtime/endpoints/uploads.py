"""Places that customers put large files into themselves, and what became of them."""

import hmac
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from earmark.domain import JobId, Sha256
from earmark.errors import REMEDIES, ConfigurationError, InputFault, PreconditionFailed
from earmark.metadata import Frozen
from runtime.api.direct_uploads import DirectUpload, Fate, UploadStatus
from runtime.endpoints.analysis_state import AnalysisError, base_url, error_of
from runtime.endpoints.answer_headers import location
from runtime.endpoints.asked import asked_with, described
from runtime.endpoints.caller import Reads, Writes
from runtime.endpoints.parts import ApiParts, parts_of
from runtime.endpoints.problem import Problem, answers, not_found

endpoints = APIRouter(prefix="/v1/uploads", tags=["uploads"])
UploadId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of the upload.")]
_KINDS: Final = ("application/octet-stream", "audio/*")
_EXAMPLE_ID: Final = "0f6a1d3c5b7e4a92b8c1d2e3f4a5b6c7"


class UploadRequest(Frozen):
    """A file that is about to come."""

    model_config = Frozen.model_config | ConfigDict(
        json_schema_extra={"example": {"size_bytes": 52428800, "content_type": "audio/flac"}}
    )
    size_bytes: int = Field(strict=True, gt=0, le=1 << 50, description="The file must have exactly so many bytes.")
    content_type: str = Field(
        default="application/octet-stream",
        max_length=100,
        pattern=r"^(audio|video)/[A-Za-z0-9.+_-]{1,80}$|^application/(octet-stream|ogg|x-flac)$",
        description="Must be sent with the file; what it is, its bytes tell.",
    )
    sha256: Sha256 | None = Field(default=None, description="Hash of the file in hex; another file is refused.")


class UploadPlace(Frozen):
    """Where to put it."""

    model_config = Frozen.model_config | ConfigDict(
        json_schema_extra={
            "example": {
                "id": _EXAMPLE_ID,
                "url": f"https://api.example/v1/uploads/{_EXAMPLE_ID}/content?customer=acme&signature=9f86d0",
                "method": "PUT",
                "headers": {"Content-Type": "audio/flac"},
                "expires_at": "2026-03-01T12:15:00Z",
            }
        }
    )
    id: JobId
    url: str = Field(description="Whoever has it can put one file there; no key is needed.")
    method: str = Field(description="Always `PUT`.")
    headers: dict[str, str] = Field(description="The request must have exactly these.")
    expires_at: AwareDatetime


class UploadState(Frozen):
    """What became of it."""

    model_config = Frozen.model_config | ConfigDict(
        json_schema_extra={
            "example": {
                "id": _EXAMPLE_ID,
                "status": "queued",
                "analysis_id": "5f2b8c0de4a94a1b8d2c4e6f70819a3b",
                "analysis": "https://api.example/v1/analyses/5f2b8c0de4a94a1b8d2c4e6f70819a3b",
                "error": None,
                "expires_at": "2026-03-01T12:15:00Z",
            }
        }
    )
    id: JobId
    status: UploadStatus = Field(
        description="`waiting`, `queued` (there is an analysis, which may have ended), `rejected` or `expired`."
    )
    analysis_id: JobId | None
    analysis: str | None = Field(description="Where the analysis is.")
    error: AnalysisError | None = Field(description="Why it was rejected.")
    expires_at: AwareDatetime


_Asked = Annotated[UploadRequest, Depends(asked_with(UploadRequest, Writes))]


@endpoints.post(
    "",
    operation_id="create_upload",
    summary="Ask where to put a large file",
    status_code=201,
    openapi_extra=described(UploadRequest),
    responses={
        201: {"description": "Where to put it.", "headers": location("Where to see what became of it.")},
        **answers(400, 401, 403, 408, 413, 422, 429, 503),
    },
)
def create_upload(request: Request, response: Response, caller: Writes, asked: _Asked) -> UploadPlace:
    """Gives an address for one `PUT` of one file.  Once the file is there, it is analysed without further ado."""
    parts, tenant = parts_of(request), caller.tenant
    limit = parts.analyses.submission.limit_bytes(tenant)
    if asked.size_bytes > limit:
        detail = f"The file has {asked.size_bytes} bytes; the limit is {limit}."
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, InputFault.TOO_LARGE, detail, "Split it.")
    parts.limiting.admit_audio(tenant)
    upload = parts.analyses.uploads.make(
        tenant, size_bytes=asked.size_bytes, content_type=asked.content_type, content_sha256=asked.sha256
    )
    valid_s = (upload.expires_at - upload.created_at).total_seconds()
    signed = parts.backend.sign_upload(upload.name, upload.content_type, upload.size_bytes, valid_s)
    response.headers["Location"] = f"{base_url(request)}/v1/uploads/{upload.id}"
    if signed is not None:
        url, headers = signed.url, dict(signed.headers)
    else:
        query = urlencode({"customer": tenant.name, "signature": parts.analyses.uploads.signature(upload)})
        url = f"{base_url(request)}/v1/uploads/{upload.id}/content?{query}"
        headers = {"Content-Type": upload.content_type}
    return UploadPlace(id=upload.id, url=url, method="PUT", headers=headers, expires_at=upload.expires_at)


@endpoints.get(
    "/{upload_id}",
    operation_id="get_upload",
    summary="See what became of a file",
    responses=answers(401, 403, 404, 422, 429, 503),
)
def get_upload(request: Request, caller: Reads, upload_id: UploadId) -> UploadState:
    """Whether it came, and which analysis it became."""
    parts = parts_of(request)
    upload = parts.analyses.uploads.find(caller.tenant.name, upload_id)
    if upload is None:
        raise _missing()
    parts.access.record(tenant=caller.tenant.name, key_id=caller.key_id, action="upload.read", target=upload_id)
    return _state(request, upload, parts.analyses.uploads.fate(upload))


@endpoints.put(
    "/{upload_id}/content",
    operation_id="put_upload",
    summary="Put a file into its place",
    openapi_extra={
        "security": [],
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}, "example": "(the bytes of song.flac)"}
                for kind in _KINDS
            },
        },
    },
    responses=answers(400, 403, 404, 408, 409, 410, 413, 415, 422, 429, 503),
)
async def put_upload(
    request: Request,
    upload_id: UploadId,
    customer: Annotated[str, Query(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")],
    signature: Annotated[str, Query(max_length=128)],
) -> UploadState:
    """The address that `POST /v1/uploads` gives where no other store takes files; use it as it was given."""
    parts = parts_of(request)
    upload, tenant = await run_in_threadpool(_meant, parts, customer, upload_id, signature)
    sent = request.headers.get("content-type", "").strip().lower()
    if sent != upload.content_type.lower():
        detail = f"The file must come as {upload.content_type}, as was announced."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    async with parts.analyses.bodies.audio(request, tenant.name, announced_bytes=upload.size_bytes) as body:
        try:
            fate = await run_in_threadpool(
                parts.analyses.uploads.take, upload, body.path, body.content_sha256, body.size_bytes
            )
        except PreconditionFailed:
            raise _used() from None
    return _state(request, upload, fate)


def _meant(parts: ApiParts, customer: str, upload_id: str, signature: str) -> tuple[DirectUpload, Any]:
    """The place that an address leads to, whoever knows the address."""
    uploads = parts.analyses.uploads
    upload = uploads.find(customer, upload_id)
    if upload is None or not hmac.compare_digest(uploads.signature(upload).encode(), signature.encode()):
        raise _missing()
    if parts.clock() >= upload.expires_at:
        detail, remedy = "The address has expired.", "Ask for a new one with POST /v1/uploads."
        raise Problem(HTTPStatus.GONE, "expired", detail, remedy)
    if uploads.fate(upload).status is not UploadStatus.WAITING:
        raise _used()
    try:
        tenant = parts.tenants.find(customer)
    except ConfigurationError:  # it has left since
        raise _missing() from None
    parts.limiting.admit(tenant)
    return upload, tenant


def _missing() -> Problem:
    return not_found("upload")


def _used() -> Problem:
    detail, remedy = "A file was put there before.", "Ask for a new address with POST /v1/uploads."
    return Problem(HTTPStatus.CONFLICT, "already_uploaded", detail, remedy)


def _state(request: Request, upload: DirectUpload, fate: Fate) -> UploadState:
    error = None
    if fate.status is UploadStatus.REJECTED:
        fault = fate.fault if fate.fault in set(InputFault) else InputFault.UNREADABLE
        error = error_of(fault, _WHY.get(InputFault(fault), "It cannot be analysed."), REMEDIES[InputFault(fault)])
    link = f"{base_url(request)}/v1/analyses/{fate.job_id}" if fate.job_id else None
    return UploadState(
        id=upload.id,
        status=fate.status,
        analysis_id=fate.job_id,
        analysis=link,
        error=error,
        expires_at=upload.expires_at,
    )


_WHY: Final = {
    InputFault.TOO_LARGE: "It is larger than you may send.",
    InputFault.ERASED: "It was erased on request.",
    InputFault.EMPTY: "Nothing was in it.",
    InputFault.NOT_FOUND: "It belongs to nobody.",
}
