"""The cascade in a worker: what is weak, missing or too late goes to the fallback, within region, breaker and caps."""

import dataclasses
import threading
from collections.abc import Collection
from pathlib import Path

import pytest

from earmark.domain import Clip, Job, Record
from earmark.errors import ModelUnavailable, NoAnswer, QuotaExhausted, Unavailable
from earmark.vocabulary import ContentType, Lane
from router.tenants import Tenants
from runtime.cascading import bound_to
from tests.flows.world import LIMITS, World
from tests.making import make_job, make_upload
from tests.provider import USD, WORDS, ScriptedProvider, fallback
from workers.degradation import Degradation, LaneLimits
from workers.model_process import ModelProcess
from workers.reply import Reply
from workers.worker import Worker

NOW = dataclasses.replace(LIMITS, retry_delay_s=0)


@pytest.fixture
def provider() -> ScriptedProvider:
    """A fallback that answers."""
    return ScriptedProvider()


@pytest.fixture
def world(tmp_path: Path, provider: ScriptedProvider) -> World:
    """A world with that fallback."""
    made = World(tmp_path, limits=NOW)
    made.fallback = fallback(tmp_path, provider, made.clock)
    return made


def ended(world: World, job: Job) -> Record:
    """The record of a job."""
    record = world.record(job)
    assert record is not None
    return record


def within(region: str, word: str) -> Job:
    """A job whose data must stay in a region."""
    return make_job(word, upload=make_upload(word, region=region))


def run_until(world: World, *jobs: Job) -> None:
    """Run a worker until these jobs have ended."""
    stop = threading.Event()
    with world.worker() as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        while any(world.record(job) is None for job in jobs) and thread.is_alive():
            thread.join(0.02)
            world.clock.move(0.1)
        stop.set()
        thread.join()


def run_for_ever(world: World, worker: Worker) -> None:
    """One step after another, as time goes by, and a drain at the end."""
    try:
        while True:
            worker.run_once()
            world.clock.move(10)
    finally:
        worker._drain()


def worked(world: World, rounds: int = 3) -> None:
    """Let a worker do what there is to do."""
    with world.worker() as worker:
        for _ in range(rounds):
            worker.run_once()
            world.clock.move(1)


def test_a_weak_field_is_asked_and_a_strong_record_is_not(world: World, provider: ScriptedProvider) -> None:
    """One question about one field, what it cost in the record, and where each answer came from."""
    weak, fine = world.put("weak", "fine")
    worked(world)
    assert provider.asked == [(weak.id, frozenset({"transcript"}))]
    analysis = ended(world, weak).analysis
    assert analysis is not None
    assert (analysis.metadata.transcript.value, analysis.metadata.language.value) == (WORDS, "en")
    assert analysis.cost_usd == pytest.approx(USD)
    assert analysis.provenance.fallback_fields == ("transcript",)
    assert analysis.provenance.fallback_model == "scripted/second"
    assert analysis.model == "scripted"
    [route] = analysis.provenance.routes
    assert (route.reason, route.chosen, route.primary_value, route.primary_worth) == (
        "weak",
        "fallback",
        "hello word",
        0.55,
    )
    other = ended(world, fine).analysis
    assert other is not None
    assert (other.cost_usd, other.provenance.routes, other.provenance.fallback_model) == (0, (), "")


@pytest.mark.parametrize("word", ["none", "raise", "crash"])
def test_a_clip_the_primary_cannot_answer_is_asked_whole(world: World, provider: ScriptedProvider, word: str) -> None:
    """No try is spent, and the record names the model that answered."""
    [job] = world.put(word)
    worked(world)
    record = ended(world, job)
    assert (record.status, record.failures) == ("done", ())
    assert record.analysis is not None
    assert record.analysis.model == "scripted/second"
    assert record.analysis.provenance.model_version == record.analysis.provenance.fallback_version == "1.scripted"
    assert record.analysis.metadata.content_type.value is ContentType.SPEECH
    assert {route.reason for route in record.analysis.provenance.routes} == {
        "no_answer" if word == "none" else "primary_failed"
    }
    assert len(provider.asked) == 1


def test_a_region_bound_tenant_is_never_sent_out(tmp_path: Path, provider: ScriptedProvider) -> None:
    """Not one call, however weak or missing the answer; the record says why.  Within its region it is asked."""
    world = World(tmp_path, limits=NOW)
    world.fallback = fallback(tmp_path, provider, world.clock, regions={"us-east1"})
    bound = [within("europe-west1", word) for word in ("weak-1", "none-1", "crash-1")]
    inside = within("us-east1", "weak-2")
    world.lanes[Lane.LOW].put([*bound, inside])
    worked(world, 8)
    assert [job for job, _ in provider.asked] == [inside.id]
    weak = ended(world, bound[0]).analysis
    assert weak is not None
    assert weak.metadata.transcript.value == "hello word"
    assert weak.provenance.review
    assert [route.refused for route in weak.provenance.routes] == ["region"]
    assert [ended(world, job).status for job in bound[1:]] == ["failed", "failed"]


def test_what_a_tenant_is_bound_to_now_counts_for_what_was_queued_before(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    """Neither the file's region nor the one the router noted is left; a tenant nobody knows goes nowhere."""
    file = tmp_path / "tenants.toml"
    file.write_text('[acme]\nregion = "europe-west1"\n[free]\n')
    bound = bound_to(Tenants(file))
    assert bound(make_upload("x", tenant="acme")) == {"europe-west1"}
    assert bound(make_upload("x", tenant="acme", region="us-east1")) == {"europe-west1", "us-east1"}
    assert bound(make_upload("x", tenant="free")) == frozenset()
    assert bound(make_upload("x", tenant="stranger")) == {"unknown"}
    world = World(tmp_path, limits=NOW)
    world.fallback = fallback(tmp_path, provider, world.clock, regions={"us-east1"})
    world.bound_to = bound
    [job] = world.put("weak")
    worked(world)
    assert provider.asked == []
    analysis = ended(world, job).analysis
    assert analysis is not None
    assert [route.refused for route in analysis.provenance.routes] == ["region"]


def test_a_region_bound_tenant_waits_for_a_primary_that_is_down(tmp_path: Path, provider: ScriptedProvider) -> None:
    """Others are answered by the fallback meanwhile, and no try is spent."""
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0.01))
    world.fallback = fallback(tmp_path, provider, world.clock)
    world.model = ModelProcess("tests.models:missing", {}, start_timeout_s=60)
    bound, free = within("europe-west1", "fine-1"), make_job("fine-2")
    world.lanes[Lane.LOW].put([bound, free])
    run_until(world, free)
    record = ended(world, free)
    assert record.analysis is not None
    assert {route.reason for route in record.analysis.provenance.routes} == {"primary_down"}
    assert world.record(bound) is None
    assert bound.id not in {job for job, _ in provider.asked}
    world.clock.move(100)
    [lease] = world.lanes[Lane.LOW].lease(9, 60)
    assert (lease.job.id, lease.try_number) == (bound.id, 1)


def test_the_cap_leaves_records_for_review(tmp_path: Path, provider: ScriptedProvider) -> None:
    """Two cents buy two answers; the other records stand as the primary left them, none fails."""
    world = World(tmp_path, limits=NOW)
    world.fallback = fallback(tmp_path, provider, world.clock, day_usd=2 * USD)
    jobs = world.put(*(f"weak-{number}" for number in range(5)))
    worked(world)
    records = [ended(world, job) for job in jobs]
    assert {record.status for record in records} == {"done"}
    refused = [record.analysis.provenance.routes[0].refused for record in records if record.analysis]
    assert sorted(map(str, refused)) == ["None", "None", "tenant_cap", "tenant_cap", "tenant_cap"]
    assert all(record.analysis.provenance.review for record in records if record.analysis)
    assert len(provider.asked) == 2


def test_a_clip_without_an_answer_is_left_to_a_person_when_the_cap_is_reached(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    """At its last try: not failed, but an empty record for review."""
    world = World(tmp_path, limits=NOW)
    world.fallback = fallback(tmp_path, provider, world.clock, day_usd=0.0)
    [job] = world.put("none")
    worked(world, 6)
    record = ended(world, job)
    assert record.status == "done"
    assert [failure.kind for failure in record.failures] == ["unavailable", "unavailable"]
    assert record.analysis is not None
    assert record.analysis.provenance.review
    assert record.analysis.metadata.content_type.value is None
    assert provider.asked == []


def test_a_fallback_that_fails_changes_nothing(world: World, provider: ScriptedProvider) -> None:
    """The primary's weak answer stands, for review; when the provider fails again and again nobody asks it."""
    provider.error = lambda: Unavailable("500")
    jobs = world.put(*(f"weak-{number}" for number in range(8)))
    worked(world, 4)
    refused = []
    for job in jobs:
        analysis = ended(world, job).analysis
        assert analysis is not None
        assert analysis.metadata.transcript.value == "hello word"
        assert analysis.cost_usd == 0
        refused.append(analysis.provenance.routes[0].refused)
    assert set(refused) == {"fallback_failed", "breaker_open"}
    assert 3 <= len(provider.asked) < 8


def test_the_breaker_closes_when_the_provider_is_back(
    world: World, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One probe is enough."""
    monkeypatch.setattr("workers.breaker.QUOTA_PAUSE_S", 0.0)
    provider.error = lambda: QuotaExhausted("no money")
    first, second = world.put("weak-1", "weak-2")
    with world.worker() as worker:
        worker.run_once()
        provider.error = None
        [third] = world.put("weak-3")
        worker.run_once()
    assert ended(world, first).analysis is not None
    assert ended(world, second).analysis is not None
    analysis = ended(world, third).analysis
    assert analysis is not None
    assert analysis.metadata.transcript.value == WORDS


def test_a_worker_whose_primary_and_fallback_are_down_ends(tmp_path: Path, provider: ScriptedProvider) -> None:
    """As one without a fallback does: somebody has to look.  No try is spent."""
    provider.error = lambda: Unavailable("500")
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0.01))
    world.fallback = fallback(tmp_path, provider, world.clock)
    world.model = ModelProcess("tests.models:missing", {}, start_timeout_s=60)
    [job] = world.put("fine")
    with world.worker() as worker, pytest.raises(ModelUnavailable):
        run_for_ever(world, worker)
    world.clock.move(100)
    [lease] = world.lanes[Lane.LOW].lease(9, 60)
    assert (lease.job.id, lease.try_number) == (job.id, 1)


def test_a_bad_answer_about_a_clip_the_primary_never_heard_spends_a_try(
    tmp_path: Path, provider: ScriptedProvider
) -> None:
    """Or a clip that no fallback understands would be paid for again and again while the primary is down."""
    provider.error = lambda: NoAnswer("no JSON")
    world = World(tmp_path, limits=dataclasses.replace(LIMITS, retry_delay_s=0.01))
    world.fallback = fallback(tmp_path, provider, world.clock)
    world.model = ModelProcess("tests.models:missing", {}, start_timeout_s=60)
    [job] = world.put("fine")
    run_until(world, job)
    assert [failure.kind for failure in ended(world, job).failures] == ["no_answer"] * 3
    assert len(provider.asked) == 3


def test_a_degraded_lane_is_helped_while_the_primary_is_busy(world: World, provider: ScriptedProvider) -> None:
    """Jobs that waited too long go to the fallback when, and only when, the primary is at work on others."""
    world.degradation = Degradation({Lane.LOW: LaneLimits(wait_s=5, backlog=0)}, lambda _: None)
    world.limits = dataclasses.replace(NOW, batch_jobs=1, predict_timeout_s=3)
    old = world.put("hang-1", "fine-1", "fine-2")
    world.clock.move(10)
    run_until(world, *old)
    reasons = {}
    for job in old:
        analysis = ended(world, job).analysis
        assert analysis is not None
        reasons[job.id] = {route.reason for route in analysis.provenance.routes}
    assert {"degraded"} in reasons.values()
    assert reasons[old[0].id] in ({"primary_failed"}, {"degraded"})


def test_a_bad_answer_in_a_degraded_lane_leaves_the_job_to_the_primary(
    world: World, provider: ScriptedProvider
) -> None:
    """No try is spent, nobody is asked twice, and the bill is in the record."""
    provider.error, provider.error_usd = lambda: NoAnswer("no JSON"), USD
    world.degradation = Degradation({Lane.LOW: LaneLimits(wait_s=5, backlog=0)}, lambda _: None)
    world.limits = dataclasses.replace(NOW, batch_jobs=1, predict_timeout_s=1)
    _, job = world.put("hang-1", "weak-1")
    world.clock.move(10)
    run_until(world, job)
    record = ended(world, job)
    assert (record.status, record.failures) == ("done", ())
    assert record.analysis is not None
    assert record.analysis.model != provider.name
    assert [asked for asked, _ in provider.asked].count(job.id) == 1
    assert (record.analysis.provenance.vain_usd, record.analysis.cost_usd) == (USD, USD)


def test_bills_of_tries_that_failed_are_in_the_record(world: World, provider: ScriptedProvider) -> None:
    """Two answers that do not fit, and one that does; where none does, each failure has its own."""
    provider.error_usd = USD
    faults = [NoAnswer("no JSON"), NoAnswer("no JSON")]
    ask = provider.ask

    def third_time(clip: Clip, fields: Collection[str]) -> Reply:
        provider.error = faults.pop if faults else None
        return ask(clip, fields)

    provider.ask = third_time  # type: ignore[method-assign]
    [job] = world.put("none-1")
    worked(world, 4)
    record = ended(world, job)
    assert [failure.cost_usd for failure in record.failures] == [USD, USD]
    assert record.analysis is not None
    assert record.analysis.provenance.vain_usd == 2 * USD
    assert record.analysis.cost_usd == pytest.approx(3 * USD)
    faults += [NoAnswer("no JSON")] * 3
    [lost] = world.put("none-2")
    worked(world, 4)
    assert [failure.cost_usd for failure in ended(world, lost).failures] == [USD] * 3


def test_a_drain_waits_for_the_fallback(world: World, provider: ScriptedProvider) -> None:
    """What was paid for is settled."""
    provider.gate.clear()
    [job] = world.put("weak")
    stop = threading.Event()
    with world.worker() as worker:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        while not provider.asked:
            thread.join(0.02)
        stop.set()
        thread.join(0.2)
        provider.gate.set()
        thread.join()
    analysis = ended(world, job).analysis
    assert analysis is not None
    assert analysis.metadata.transcript.value == WORDS
