"""Limits: requests, seconds of audio and jobs at the same time, and what a client is told of them."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from earmark.domain import record_name
from earmark.errors import Unavailable
from earmark.ports import ObjectInfo
from earmark.rows import JobRow, Row
from earmark.vocabulary import Tier
from router.tenant import Tenant
from router.tiers import load_tiers
from runtime.endpoints.audio_today import AudioToday
from runtime.endpoints.jobs_under_way import PLACE, JobsUnderWay
from runtime.endpoints.limiting import Admission, Limiting
from runtime.endpoints.problem import Problem
from runtime.local.object_store import LocalObjectStore
from runtime.local.warehouse import LocalWarehouse
from tests.clock import ManualClock

FREE = Tenant(name="acme")
OTHER = Tenant(name="other")


class Counted(LocalWarehouse):
    """A warehouse that counts queries and can be made to be away."""

    asked = 0
    away = False

    def query(self, name: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, object]]:
        """Count, and ask."""
        self.asked += 1
        if self.away:
            message = "the warehouse is away"
            raise Unavailable(message)
        return super().query(name, parameters)


class Limited:
    """Limits over stores in a folder."""

    def __init__(self, folder: Path) -> None:
        """Open the stores."""
        self.clock = ManualClock()
        self.state = LocalObjectStore(folder / "objects", "state", clock=self.clock)
        self.results = LocalObjectStore(folder / "objects", "results", clock=self.clock)
        self.warehouse = Counted(folder / "warehouse.sqlite")
        self.jobs = JobsUnderWay(self.state, self.results, self.clock)
        self.limiting = self.opened()

    def opened(self) -> Limiting:
        """Another process's limits."""
        audio = AudioToday(self.warehouse, self.clock, remembered_s=10)
        return Limiting(load_tiers(), JobsUnderWay(self.state, self.results, self.clock), audio, self.clock)

    def queue(self, number: int, tenant: Tenant = FREE, limiting: Limiting | None = None) -> str:
        """Let a job in, and give its id."""
        job_id = f"{number:032x}"
        with (limiting or self.limiting).admit_job(tenant) as admission:
            self.write(job_id, tenant)
            admission.queued(job_id)
        return job_id

    def write(self, job_id: str, tenant: Tenant = FREE) -> None:
        """The register's object of a job."""
        name = f"requests/{tenant.name}/{job_id}.json"
        self.state.write(name, b"{}", content_type="application/json")

    def hear(self, audio_s: float, *, tenant: str = "acme", row_id: str = "1") -> None:
        """A job that ended."""
        self.warehouse.append([job_row(row_id, tenant, audio_s, self.clock)])


def job_row(row_id: str, tenant: str, audio_s: float, clock: ManualClock) -> Row:
    """A row of a job that is done."""
    fields = dict.fromkeys(JobRow.model_fields)
    numbers = ("covered_s", "size_bytes", "queued_s", "decode_s", "predict_s", "total_s", "cost_usd", "tries")
    texts = ("status", "lane", "tier", "origin", "arm", "model", "pipeline")
    fields |= dict.fromkeys(numbers, 0) | dict.fromkeys(texts, "x")
    return JobRow.model_validate(
        fields | {"row_id": row_id, "tenant": tenant, "at": clock(), "audio_s": audio_s, "review": False, "warm": True}
    )


def refusal(limiting: Limiting, tenant: Tenant = FREE) -> Problem:
    """The problem that a further job is."""
    with pytest.raises(Problem) as caught:
        limiting.admit_job(tenant)
    assert caught.value.status == 429
    return caught.value


@pytest.fixture
def limited(tmp_path: Path) -> Limited:
    """The limits."""
    return Limited(tmp_path)


def test_requests_are_counted_by_customer(limited: Limited) -> None:
    """The 61st of a minute is refused with the time to wait, and nobody else's."""
    for left in range(59, -1, -1):
        headers = limited.limiting.admit(FREE)
        assert headers["RateLimit"].startswith(f'"requests";r={left};t=')
        assert headers["RateLimit-Policy"] == '"requests";q=60;w=60'
    with pytest.raises(Problem) as caught:
        limited.limiting.admit(FREE)
    assert (caught.value.status, caught.value.kind) == (429, "too_many_requests")
    assert caught.value.headers == {
        "RateLimit-Policy": '"requests";q=60;w=60',
        "RateLimit": '"requests";r=0;t=60',
        "Retry-After": "1",
    }
    limited.limiting.admit(OTHER)
    limited.clock.move(1)
    limited.limiting.admit(FREE)


def test_own_limits_go_before_the_tier_s(limited: Limited) -> None:
    """A customer with one request a minute has one."""
    own = FREE.model_copy(update={"requests_per_minute": 1})
    limited.limiting.admit(own)
    with pytest.raises(Problem):
        limited.limiting.admit(own)


def test_a_fifth_job_waits_until_one_has_ended(limited: Limited) -> None:
    """Four of the free tier at the same time; that one was seen to have ended lets the next in at once."""
    jobs = [limited.queue(number) for number in range(4)]
    problem = refusal(limited.limiting)
    assert problem.kind == "too_many_jobs"
    assert problem.headers == {"RateLimit-Policy": '"jobs";q=4', "RateLimit": '"jobs";r=0', "Retry-After": "2"}
    limited.queue(9, OTHER)
    limited.limiting.ended("acme", jobs[0])
    limited.queue(4)
    refusal(limited.limiting)


def test_the_same_job_counts_once(limited: Limited) -> None:
    """Asked for again while it waits, it takes no further place."""
    for _ in range(3):
        limited.queue(1)
    assert limited.limiting._jobs.count("acme") == 1


def test_a_place_comes_back_when_nothing_was_queued(limited: Limited) -> None:
    """Known content, refused audio and errors leave no trace; closing twice frees one place, not two."""
    for _ in range(10):
        with limited.limiting.admit_job(FREE):
            pass
    with pytest.raises(ZeroDivisionError), limited.limiting.admit_job(FREE):
        raise ZeroDivisionError
    held = [limited.limiting.admit_job(FREE) for _ in range(4)]
    refusal(limited.limiting)
    held[0].close()
    held[0].close()
    limited.limiting.admit_job(FREE)
    refusal(limited.limiting)


def test_a_place_that_nobody_gives_back_is_free_after_a_while(limited: Limited) -> None:
    """A fault elsewhere cannot lock a customer out for good."""
    kept = [limited.limiting.admit_job(FREE) for _ in range(4)]
    refusal(limited.limiting)
    limited.clock.move(PLACE.total_seconds() + 1)
    limited.queue(1)
    kept[0].close()


def test_at_once_no_more_than_there_are_places(limited: Limited) -> None:
    """Forty at the same moment: four get in."""
    let_in: list[Admission] = []
    ready = threading.Barrier(40)

    def ask() -> None:
        ready.wait(30)
        try:
            let_in.append(limited.limiting.admit_job(FREE))
        except Problem:
            return

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let_in) == 4


def test_jobs_of_other_processes_and_of_before_count(limited: Limited) -> None:
    """A process that starts finds what is under way; what another lets in is seen after a while."""
    for number in range(3):
        limited.queue(number)
    second = limited.opened()
    limited.queue(3, limiting=second)
    refusal(second)
    limited.clock.move(10)
    refusal(limited.limiting)
    limited.state.delete(f"requests/acme/{1:032x}.json", if_generation=_generation(limited, 1))
    limited.clock.move(0.5)
    limited.queue(7)


def _generation(limited: Limited, number: int) -> int:
    info = limited.state.stat(f"requests/acme/{number:032x}.json")
    assert info is not None
    return info.generation


def test_jobs_whose_results_nobody_asked_for_do_not_count(limited: Limited) -> None:
    """Who only sends and never looks is not locked out by what has ended; a result of before does not end it."""
    jobs = [f"{number:032x}" for number in range(4)]
    limited.results.write(record_name("acme", jobs[3]), b"{}", content_type="application/json")
    limited.clock.move(5)
    for number in range(4):
        limited.queue(number)
    limited.clock.move(5)
    refusal(limited.limiting)
    limited.results.write(record_name("acme", jobs[2]), b"{}", content_type="application/json")
    limited.queue(5)
    refusal(limited.limiting)
    limited.clock.move(60)
    refusal(limited.limiting)


def test_what_changes_during_a_look_is_not_lost(limited: Limited) -> None:
    """A job queued, and one ended, while the register is gone through count as such afterwards."""
    first = limited.queue(0)
    jobs = limited.limiting._jobs
    scan = jobs._state.scan

    def late(prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        yield from list(scan(prefix, start_after=start_after))
        jobs.queued("acme", f"{1:032x}")
        assert jobs.ended("acme", first)

    jobs._state.scan = late  # type: ignore[method-assign]
    limited.clock.move(10)
    place = jobs.take("acme", 4)
    assert place is not None
    assert list(jobs._of("acme").jobs) == [f"{1:032x}"]


def test_audio_of_the_day_is_limited(limited: Limited) -> None:
    """An hour for the free tier since midnight; at midnight it begins again."""
    limited.clock.move(7200)
    limited.hear(3599)
    limited.queue(0)
    limited.limiting.ended("acme", f"{0:032x}", 2.0)
    problem = refusal(limited.limiting)
    assert problem.kind == "too_much_audio"
    assert problem.headers == {
        "RateLimit-Policy": '"audio-seconds";q=3600;w=86400',
        "RateLimit": f'"audio-seconds";r=0;t={22 * 3600}',
        "Retry-After": str(22 * 3600),
    }
    limited.queue(1, OTHER)
    limited.queue(2, FREE.model_copy(update={"tier": Tier.ENTERPRISE}))
    limited.clock.move(22 * 3600)
    limited.queue(3)


def test_what_is_under_way_counts_as_much_as_usual(limited: Limited) -> None:
    """Nobody knows how long it is yet; the mean of the day stands for it."""
    limited.hear(1000, row_id="1")
    limited.hear(1400, row_id="2")
    limited.queue(0)
    refusal(limited.limiting)
    limited.limiting.ended("acme", f"{0:032x}", 10.0)
    limited.queue(1)


def test_the_warehouse_is_asked_now_and_then(limited: Limited) -> None:
    """Ten seconds an answer is good; one that ended meanwhile counts once, however often it is looked at."""
    job = limited.queue(0)
    limited.queue(1)
    assert limited.warehouse.asked == 1
    for _ in range(3):
        limited.limiting.ended("acme", job, 1300.0)
    assert limited.limiting._audio.used_s("acme", 0) == 1300
    limited.hear(1300)
    limited.clock.move(10)
    assert limited.limiting._audio.used_s("acme", 0) == 1300
    assert limited.warehouse.asked == 2


def test_a_warehouse_that_is_away_turns_nobody_away(limited: Limited) -> None:
    """What was known stands, and nothing known is nothing used."""
    limited.warehouse.away = True
    limited.queue(0)
    limited.warehouse.away = False
    limited.hear(4000)
    limited.clock.move(10)
    refusal(limited.limiting)
    limited.warehouse.away = True
    limited.clock.move(10)
    refusal(limited.limiting)


def test_the_query_is_about_one_customer_and_day(limited: Limited) -> None:
    """Rows of others and of before do not count."""
    limited.hear(5, row_id="1")
    limited.clock.move(86_400)
    limited.hear(7, row_id="2")
    limited.hear(11, tenant="other", row_id="3")
    rows: Sequence[dict[str, object]] = limited.warehouse.query(
        "audio_of_day", {"tenant": "acme", "since": limited.clock()}
    )
    assert json.loads(json.dumps(rows)) == [{"jobs": 1, "audio_s": 7.0}]
