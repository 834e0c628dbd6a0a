"""Live counters: what several processes count adds up to what a look at all rows finds, through outages too."""

import json
import logging
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ab_testing import counter_file
from ab_testing.counters import CounterReader, Counters, read_counters
from ab_testing.evidence import COUNTS, ArmEvidence, Evidence, Moments
from earmark.domain import Exposure
from earmark.errors import Unavailable
from earmark.rows import TrialRow
from runtime.local.object_store import LocalObjectStore
from tests.flaky import FlakyStore
from tests.making import EPOCH


def trial_row(number: int, arm: str = "primary", experiment: str = "trial", **fields: object) -> TrialRow:
    """How a job ended."""
    return TrialRow.model_validate(
        {
            "row_id": f"{experiment}:1:{number}",
            "tenant": "acme",
            "at": EPOCH,
            "experiment": experiment,
            "version": 1,
            "arm": arm,
            "unit": str(number),
            "share": 0.9,
            "job_id": f"{number:032x}",
            "shadow": False,
            "diverted": False,
            "status": "done",
            "error_kind": None,
            "tries": 1,
            "lane": "low",
            "tier": "free",
            "origin": "command",
            "content_type": "music",
            "language": None,
            "model": "listener",
            "model_version": "1",
            "engine": "onnxruntime",
            "hardware": "cpu",
            "warm": True,
            "audio_s": 30.0,
            "queued_s": 0.5,
            "predict_s": 1.5,
            "total_s": 2.5,
            "over_sla": False,
            "raw_confidence": 0.8,
            "confidence": 0.9,
            "low_confidence": False,
            "fallback": False,
            "fallback_fields": 0,
            "review": False,
            "cost_usd": 0.0,
            **fields,
        }
    )


def some_rows(count: int, seed: int = 1) -> list[TrialRow]:
    """Rows of all kinds."""
    chance = random.Random(seed)
    return [
        trial_row(
            number,
            chance.choice(["primary", "experimental"]),
            status=chance.choice(["done", "done", "done", "failed", "rejected"]),
            warm=chance.random() < 0.9,
            diverted=chance.random() < 0.05,
            shadow=chance.random() < 0.05,
            predict_s=chance.choice([None, 0.0, chance.lognormvariate(0, 1)]),
            confidence=chance.choice([None, chance.random()]),
            cost_usd=chance.random() / 100,
            fallback=chance.random() < 0.2,
            low_confidence=chance.random() < 0.2,
            audio_s=chance.lognormvariate(3, 1),
        )
        for number in range(count)
    ]


def exposure(arm: str = "primary", experiment: str = "trial") -> Exposure:
    """Where the router put a job."""
    return Exposure(experiment=experiment, version=1, arm=arm, share=0.9, coverage=1.0, unit="x")


def nearly(one: Evidence, other: Evidence) -> bool:
    """Whether two sums are the same, but for the order that floats were added in."""
    assert one.arms.keys() == other.arms.keys()
    for name, arm in one.arms.items():
        twin = other.arms[name]
        assert (arm.assigned, +arm.counts) == (twin.assigned, +twin.counts)
        assert {metric: bins.keys() for metric, bins in arm.bins.items()} == {
            metric: bins.keys() for metric, bins in twin.bins.items()
        }
        for metric, bins in arm.bins.items():
            for number, moments in bins.items():
                assert moments == pytest.approx(twin.bins[metric][number])
    return True


@pytest.fixture
def store(tmp_path: Path) -> FlakyStore:
    """The state store."""
    return FlakyStore(LocalObjectStore(tmp_path, "state"))


def test_all_processes_add_up_to_all_rows(store: FlakyStore) -> None:
    """However the rows are spread and however often they are written down."""
    workers = [Counters(store, f"here:0:{number}:0") for number in range(3)]
    rows = some_rows(600)
    for place, row in enumerate(rows):
        workers[place % 3].add(row)
        if place % 100 == 0:
            workers[place % 2].flush()
    for worker in workers:
        worker.flush()
    whole = Evidence()
    whole.add(rows)
    assert nearly(read_counters(store, "trial", 1), whole)


def test_processes_that_share_an_object_lose_nothing(store: FlakyStore) -> None:
    """They add to what is there, at the same moment too, and leave one object; who always comes second writes later."""
    rows = some_rows(60)

    def count(number: int) -> Counters:
        counters = Counters(store, "here-1")
        for row in rows[number::6]:
            counters.add(row)
            with suppress(Unavailable):
                counters.flush()
        return counters

    with ThreadPoolExecutor(6) as pool:
        everyone = list(pool.map(count, range(6)))
    for counters in everyone:
        counters.flush()
    everything = Evidence()
    everything.add(rows)
    assert nearly(read_counters(store, "trial", 1), everything)
    assert len(list(store.scan(counter_file.folder_of("trial", 1)))) == 1


def test_assigned_is_counted_beside_what_ended(store: FlakyStore) -> None:
    """By the router, each job once; the sum has both."""
    router, worker = Counters(store, "router"), Counters(store, "worker")
    for number in range(10):
        for _ in range(2):
            router.assigned(exposure("primary" if number else "experimental"), f"{number:032x}")
    worker.add(trial_row(1))
    router.flush()
    worker.flush()
    found = read_counters(store, "trial", 1)
    assert {name: (arm.assigned, arm.ended) for name, arm in found.arms.items()} == {
        "primary": (9, 1),
        "experimental": (1, 0),
    }


def test_the_same_row_again_counts_once(store: FlakyStore) -> None:
    """As after an answer that was lost."""
    counters = Counters(store, "here")
    for _ in range(3):
        counters.add(trial_row(1))
    counters.flush()
    assert read_counters(store, "trial", 1).arms["primary"].jobs == 1


def test_only_what_changed_is_written(store: FlakyStore) -> None:
    """One object for each experiment, none when nothing happened."""
    counters = Counters(store, "here")
    assert counters.flush() == 0
    counters.add(trial_row(1))
    counters.add(trial_row(1, experiment="other"))
    assert (counters.flush(), counters.flush()) == (2, 0)
    counters.add(trial_row(2))
    assert (counters.flush(), store.faults.calls.count("write")) == (1, 3)


def test_an_outage_loses_nothing(store: FlakyStore) -> None:
    """What could not be written is written next time, once, whether the failed write took effect or not."""
    counters = Counters(store, "here")
    for number, when in enumerate(("before", "after")):
        counters.add(trial_row(number))
        counters.add(trial_row(number, experiment="other"))
        store.faults.fail("write", when=when)  # type: ignore[arg-type]  # one of the two words
        with pytest.raises(Unavailable):
            counters.flush()
    assert counters.flush() == 2
    for name in ("trial", "other"):
        assert read_counters(store, name, 1).arms["primary"].jobs == 2


def test_threads(store: FlakyStore) -> None:
    """Rows from several threads, written down meanwhile."""
    counters = Counters(store, "here")
    rows = some_rows(400)

    def work(part: int) -> None:
        for row in rows[part::4]:
            counters.add(row)
            counters.flush()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    counters.flush()
    whole = Evidence()
    whole.add(rows)
    assert nearly(read_counters(store, "trial", 1), whole)


def test_only_what_changed_is_read_again(store: FlakyStore) -> None:
    """And every version of every experiment is its own."""
    workers = [Counters(store, f"worker-{number}") for number in range(5)]
    for number, worker in enumerate(workers):
        worker.add(trial_row(number))
        worker.flush()
    reader = CounterReader(store)
    assert reader.read("trial", 1).arms["primary"].jobs == 5
    workers[0].add(trial_row(9))
    workers[0].flush()
    store.faults.calls.clear()
    assert reader.read("trial", 1).arms["primary"].jobs == 6
    assert store.faults.calls == ["scan", "read"]
    assert not reader.read("trial", 2).arms
    assert not reader.read("tri", 1).arms
    reader.forget(set())
    store.faults.calls.clear()
    assert reader.read("trial", 1).arms["primary"].jobs == 6
    assert store.faults.calls.count("read") == 5


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"null",
        b"{}",
        b"[" * 100_000,
        b'{"format":2,"arms":{}}',
        b'{"format":1,"writers":{},"arms":{"a":{}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":-1,"counts":{},"bins":{}}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":1.5,"counts":{},"bins":{}}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":1,"counts":{"done":true},"bins":{}}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":1,"counts":{},"bins":{"predict_s":{"x":[1,1,1,1,1,1]}}}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":1,"counts":{},"bins":{"predict_s":{"1":[1,1]}}}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":1,"counts":{},"bins":{"predict_s":{"1":[]}}}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":1,"counts":{},"bins":{"predict_s":{"1":[1,NaN,1,1,1,1]}}}}}',
        b'{"format":1,"writers":{},"arms":{"a":{"assigned":1,"counts":{},"bins":{"predict_s":{"1":[1,1%s,1,1,1,1]}}}}}'
        % (b"0" * 400),
    ],
)
def test_what_is_no_counter(store: FlakyStore, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    """Told once, left out, and the rest counts."""
    counters = Counters(store, "here")
    counters.add(trial_row(1))
    counters.flush()
    name = counter_file.counters_name("trial", 1, "broken")
    store.write(name, content, content_type="application/json")
    reader = CounterReader(store)
    with caplog.at_level(logging.ERROR, logger="ab_testing"):
        for _ in range(3):
            assert reader.read("trial", 1).arms["primary"].jobs == 1
    assert [record.getMessage() for record in caplog.records] == ["counters.malformed"]


_sums = st.builds(
    Moments, st.integers(0, 10**9), *[st.floats(0, 1e12, allow_nan=False, allow_infinity=False) for _ in range(5)]
)
_arms = st.builds(
    ArmEvidence,
    st.integers(0, 10**9),
    st.dictionaries(st.sampled_from(COUNTS), st.integers(1, 10**9)).map(Counter),
    st.dictionaries(
        st.sampled_from(["predict_s", "cost_usd"]), st.dictionaries(st.integers(-1000, 1000), _sums, min_size=1)
    ),
)


@given(arms=st.dictionaries(st.text(max_size=10), _arms, max_size=4))
def test_what_is_written_reads_back(arms: dict[str, ArmEvidence]) -> None:
    """To the last bit."""
    counted = counter_file.Counted(Evidence(arms), {"a": 3})  # type: ignore[arg-type]  # a dict does for reading
    read = counter_file.read(counter_file.written(counted))
    assert (read.evidence.arms, read.writers) == (arms, {"a": 3})
    assert json.loads(counter_file.written(counted))["format"] == 1


def test_a_name_stays_in_its_folder() -> None:
    """A worker's name that holds slashes opens no folder."""
    name = counter_file.counters_name("trial", 2, "../host:1/2")
    assert name == "experiments/trial/v2/counters/.._host:1_2.json"
