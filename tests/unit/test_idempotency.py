"""Keys under which a request is answered once."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.api import idempotency
from runtime.api.idempotency import Clash, IdempotencyClash, IdempotencyKeys
from runtime.local.object_store import LocalObjectStore
from runtime.worker_name import own_name
from tests.clock import ManualClock

JOB, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def clock() -> ManualClock:
    """A clock."""
    return ManualClock()


@pytest.fixture
def keys(tmp_path: Path, clock: ManualClock) -> IdempotencyKeys:
    """No key was used yet."""
    return IdempotencyKeys(LocalObjectStore(tmp_path, "state", clock=clock), clock)


def use(keys: IdempotencyKeys, fingerprint: str = "x", job_id: str = JOB, tenant: str = "acme") -> str | None:
    """Send a request; gives the job of an earlier one."""
    with keys.claim(tenant, "key", fingerprint) as claim:
        if claim.earlier is None:
            claim.answer = job_id
        return claim.earlier


def test_the_first_request_decides(keys: IdempotencyKeys, clock: ManualClock) -> None:
    """For a day, and for its customer alone."""
    assert use(keys) is None
    assert use(keys, job_id=OTHER) == JOB
    assert use(keys, tenant="other") is None
    with pytest.raises(IdempotencyClash) as refused:
        use(keys, "y")
    assert refused.value.clash is Clash.MISMATCH
    clock.move(24 * 3600 - 1)
    assert use(keys) == JOB
    clock.move(1)
    assert use(keys, "y", OTHER) is None
    assert use(keys, "y") == OTHER


def test_no_key_holds_nothing(keys: IdempotencyKeys) -> None:
    """Requests without one are all first."""
    for _ in range(2):
        with keys.claim("acme", "", "x") as claim:
            assert claim.earlier is None
            claim.answer = JOB
    assert keys.sweep() == 0


def test_a_request_that_failed_gives_the_key_back(keys: IdempotencyKeys) -> None:
    """Also when it was refused before anything was made."""
    with pytest.raises(ZeroDivisionError), keys.claim("acme", "key", "x"):
        raise ZeroDivisionError
    assert use(keys, "y") is None


def test_one_under_way_is_waited_for_a_minute(keys: IdempotencyKeys, clock: ManualClock) -> None:
    """Then it is taken for dead; when it comes to an end after all, the later one stands."""
    first = keys.claim("acme", "key", "x")
    claim = first.__enter__()
    with pytest.raises(IdempotencyClash) as refused:
        use(keys)
    assert refused.value.clash is Clash.UNDER_WAY
    clock.move(60)
    assert use(keys, job_id=OTHER) is None
    claim.answer = JOB
    first.__exit__(None, None, None)
    assert use(keys) == OTHER


def test_one_whose_process_is_dead_is_taken_over_at_once(
    keys: IdempotencyKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The live one has the key from then on."""
    died = subprocess.Popen([sys.executable, "-c", ""])
    name = own_name().split(":")
    monkeypatch.setattr(idempotency, "own_name", lambda: ":".join((*name[:2], str(died.pid), "1")))
    keys.claim("acme", "key", "x").__enter__()
    died.wait()
    monkeypatch.undo()
    with keys.claim("acme", "key", "x") as claim:
        with pytest.raises(IdempotencyClash) as refused:
            use(keys)
        assert refused.value.clash is Clash.UNDER_WAY
        claim.answer = JOB
    assert use(keys, job_id=OTHER) == JOB


def test_a_sweep_forgets_what_is_a_day_old(keys: IdempotencyKeys, clock: ManualClock) -> None:
    """And nothing else."""
    use(keys)
    clock.move(20 * 3600)
    use(keys, tenant="other")
    clock.move(5 * 3600)
    assert keys.sweep() == 1
    assert use(keys, tenant="other") == JOB
