"""What the catalogue is told of an object: made by whoever puts one into a store."""

import hashlib
from datetime import datetime
from typing import Final

from earmark.domain import Job, Upload
from earmark.ports import ObjectInfo
from earmark.rows import CatalogueRow
from earmark.vocabulary import ObjectClass, ObjectState

RESULTS: Final = "results"
"""The catalogue's name of the bucket of records."""


def object_id(bucket: str, name: str, generation: int) -> str:
    """Identity of one generation of an object: the first 128 bits, in hex, of SHA-256 over bucket, name, generation.

    It stands for the object where its name must not appear, as in the audit log.
    """
    return hashlib.sha256(f"{bucket}\0{name}\0{generation}".encode()).hexdigest()[:32]


def catalogue_row(
    bucket: str,
    info: ObjectInfo,
    *,
    tenant: str,
    tier: str,
    object_class: ObjectClass,
    region: str | None = None,
    content_sha256: str | None = None,
    job_id: str | None = None,
    created_at: datetime | None = None,
    at: datetime | None = None,
    state: ObjectState = ObjectState.ACTIVE,
) -> CatalogueRow:
    """A row about an object as a store describes it.

    Args:
        bucket: the catalogue's short name of it.
        info: what the store says.
        tenant: whose it is.
        tier: of that customer now.
        object_class: what it is.
        region: where it must stay.
        content_sha256: of an upload.
        job_id: the analysis it belongs to.
        created_at: when it came to us; ``None`` = when the store says.
        at: when this was found out.  ``None`` = when it came, so that the row, recorded once more, changes nothing of
            what was found out since.
        state: where it stands.
    """
    came_at = created_at or info.created_at
    return CatalogueRow(
        row_id=object_id(bucket, info.name, info.generation),
        tenant=tenant,
        at=at or came_at,
        bucket=bucket,
        name=info.name,
        generation=info.generation,
        object_class=object_class,
        tier=tier,
        region=region,
        size_bytes=info.size_bytes,
        content_type=info.content_type,
        content_sha256=content_sha256,
        job_id=job_id,
        created_at=came_at,
        state=state,
        expires_at=None,
        policy_version=None,
        notice=None,
        delete_after=None,
    )


def upload_row(
    bucket: str,
    info: ObjectInfo,
    upload: Upload,
    *,
    object_class: ObjectClass = ObjectClass.UPLOAD,
    job_id: str | None = None,
    created_at: datetime | None = None,
    at: datetime | None = None,
    state: ObjectState = ObjectState.ACTIVE,
) -> CatalogueRow:
    """A row about the object that an upload is; see ``catalogue_row``."""
    return catalogue_row(
        bucket,
        info,
        tenant=upload.tenant,
        tier=upload.tier,
        object_class=object_class,
        region=upload.region,
        content_sha256=upload.content_sha256,
        job_id=job_id,
        created_at=created_at,
        at=at,
        state=state,
    )


def record_row(
    info: ObjectInfo, job: Job, *, at: datetime | None = None, state: ObjectState = ObjectState.ACTIVE
) -> CatalogueRow:
    """A row about the record of a job; see ``catalogue_row``."""
    upload = job.upload
    return catalogue_row(
        RESULTS,
        info,
        tenant=upload.tenant,
        tier=upload.tier,
        object_class=ObjectClass.RESULT,
        region=upload.region,
        job_id=job.id,
        at=at,
        state=state,
    )
