"""The router: lanes as data, known content, one durable write."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from earmark.domain import Job, Record
from earmark.errors import ConfigurationError
from earmark.vocabulary import Lane, Origin, Tier
from router.lanes import lane_of, load_rules
from router.router import Known, Queued, Router
from router.tenants import Tenants
from tests.clock import ManualClock
from tests.making import EPOCH, make_exposure, make_upload


class Slate:
    """Remembers what was put, as a queue that coalesces."""

    def __init__(self) -> None:
        """Begin empty."""
        self.jobs: dict[str, Job] = {}
        self.puts = 0

    def put(self, jobs: Sequence[Job]) -> int:
        """Add what is new."""
        self.puts += 1
        new = {job.id: job for job in jobs if job.id not in self.jobs}
        self.jobs |= new
        return len(new)


def make_router(
    records: dict[str, Record], pipeline: str = "1", arm: str | None = None, exposed: list[str] | None = None
) -> tuple[Router, dict[Lane, Slate]]:
    """A router over two slates."""
    lanes = {lane: Slate() for lane in Lane}
    router = Router(
        lanes=lanes,  # type: ignore[arg-type]  # a router only puts
        find_record=lambda _, job: records.get(job),
        rules=load_rules(),
        assign=lambda _, job: make_exposure(arm, unit=job) if arm else None,
        exposed=lambda jobs: None if exposed is None else exposed.extend(job.id for job in jobs),
        pipeline=pipeline,
        clock=ManualClock(),
    )
    return router, lanes


def test_the_same_bytes_are_the_same_job_per_tenant_and_pipeline() -> None:
    """Content from one tenant is one job, however often it comes; another tenant or pipeline is another."""
    router, lanes = make_router({})
    router.route([make_upload("a"), make_upload("a"), make_upload("b"), make_upload("a", tenant="other")])
    assert len(lanes[Lane.LOW].jobs) == 3
    assert lanes[Lane.LOW].puts == 1
    again, others = make_router({}, pipeline="2")
    again.route([make_upload("a")])
    assert not set(others[Lane.LOW].jobs) & set(lanes[Lane.LOW].jobs)


@pytest.mark.parametrize(("status", "known"), [("done", True), ("rejected", False), ("failed", False)])
def test_only_a_finished_analysis_counts_as_known(status: str, known: bool) -> None:  # noqa: FBT001
    """A rejection or a failure is tried again when somebody sends the content again."""
    router, lanes = make_router({})
    [routed] = router.route([make_upload("a")])
    assert isinstance(routed, Queued)
    record = Record.model_validate(
        {
            "job_id": routed.job.id,
            "tenant": "acme",
            "status": status,
            "enqueued_at": EPOCH,
            "settled_at": EPOCH,
        }
    )
    router, lanes = make_router({routed.job.id: record})
    [routed] = router.route([make_upload("a")])
    assert isinstance(routed, Known) is known
    assert len(lanes[Lane.LOW].jobs) == (0 if known else 1)


def test_shipped_rules_make_enterprise_requests_urgent() -> None:
    """High is for real-time requests of enterprise customers, low for all else."""
    rules = load_rules()
    assert lane_of(make_upload(tier=Tier.ENTERPRISE, origin=Origin.API), rules) is Lane.HIGH
    for tier in Tier:
        for origin in Origin:
            if (tier, origin) != (Tier.ENTERPRISE, Origin.API):
                assert lane_of(make_upload(tier=tier, origin=origin), rules) is Lane.LOW


def test_rules_must_match_everything(tmp_path: Path) -> None:
    """A table that leaves an upload without a lane is refused at start."""
    table = tmp_path / "rules.toml"
    table.write_text('[[rule]]\nlane = "high"\ntiers = ["pro"]\n')
    with pytest.raises(ConfigurationError, match="last rule"):
        load_rules(table)
    table.write_text('[[rule]]\nlane = "middle"\n')
    with pytest.raises(ConfigurationError, match="middle"):
        load_rules(table)


def test_tenants(tmp_path: Path) -> None:
    """Without a file everybody is free; with one only those in it exist; mistakes are named."""
    assert Tenants().find("anybody").tier is Tier.FREE
    with pytest.raises(ConfigurationError, match="tenant name"):
        Tenants().find("../etc")
    file = tmp_path / "tenants.toml"
    file.write_text('[acme]\ntier = "enterprise"\nregion = "eu"\n')
    acme = Tenants(file).find("acme")
    assert (acme.tier, acme.region) == (Tier.ENTERPRISE, "eu")
    with pytest.raises(ConfigurationError, match=r"\[other\]"):
        Tenants(file).find("other")
    file.write_text('[acme]\ntier = "golden"\n')
    with pytest.raises(ConfigurationError, match="acme"):
        Tenants(file)


def test_a_job_bears_its_arm_and_the_time_it_was_queued() -> None:
    """The arm is assigned once, here, and the wait is counted from here."""
    told: list[str] = []
    router, lanes = make_router({}, arm="trial", exposed=told)
    router.route([make_upload("a", received_at=EPOCH - timedelta(days=1))])
    [job] = lanes[Lane.LOW].jobs.values()
    assert (job.arm, job.enqueued_at) == ("trial", EPOCH)
    assert job.exposure == make_exposure("trial", unit=job.id)
    router.route([make_upload("a")])
    assert told == [job.id]  # the second one coalesced, and is in the arm it was in
    router.route([make_upload("a"), make_upload("b"), make_upload("c")])
    assert len(told) == 3
    plain, others = make_router({}, exposed=told)
    plain.route([make_upload("a")])
    assert [(job.arm, job.exposure) for job in others[Lane.LOW].jobs.values()] == [("primary", None)]
    assert len(told) == 3
