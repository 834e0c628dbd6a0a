"""Makes uploads, jobs and leases for tests."""

import hashlib
from datetime import UTC, datetime

from earmark.domain import Exposure, Failure, Job, Lease, Upload, job_id
from earmark.vocabulary import Lane, Origin, Tier

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def make_upload(content: str = "sound", tenant: str = "acme", tier: Tier = Tier.FREE, **fields: object) -> Upload:
    """An upload of these bytes."""
    return Upload.model_validate(
        {
            "uri": f"file:///{content}",
            "tenant": tenant,
            "tier": tier,
            "origin": Origin.COMMAND,
            "content_sha256": hashlib.sha256(content.encode()).hexdigest(),
            "size_bytes": len(content),
            "received_at": EPOCH,
            **fields,
        }
    )


def make_job(content: str = "sound", lane: Lane = Lane.LOW, **fields: object) -> Job:
    """A job for these bytes."""
    upload = make_upload(content)
    return Job.model_validate(
        {
            "id": job_id(upload.tenant, upload.content_sha256, "test"),
            "upload": upload,
            "lane": lane,
            "pipeline": "test",
            "enqueued_at": EPOCH,
            **fields,
        }
    )


def make_exposure(arm: str = "experimental", **fields: object) -> Exposure:
    """A place in an experiment."""
    given = {"experiment": "trial", "version": 1, "arm": arm, "share": 0.1, "coverage": 1.0, "unit": "u", **fields}
    return Exposure.model_validate(given)


def make_lease(content: str = "sound", lane: Lane = Lane.LOW, try_number: int = 1, *kinds: str) -> Lease:
    """A lease on such a job, after failures of these kinds."""
    job = make_job(content, lane)
    return Lease(job, f"token-{content}", try_number, EPOCH, tuple(make_failure(kind) for kind in kinds))


def make_failure(kind: str = "model_crashed", try_number: int = 1) -> Failure:
    """A failed try."""
    return Failure(
        try_number=try_number,
        stage="predict",
        kind=kind,
        message="It went wrong",
        fingerprint="0" * 16,
        model="scripted",
        worker="here:1",
        at=EPOCH,
    )
