"""How long an assignment takes, beside the hashes that others assign by.

Run: python -m benchmarks.ab_assign

Every figure is the best of several rounds over the same random job ids, in one thread.  The others are written down
here as their documentation tells: one hash for one decision, where Earmark takes two for a covered unit, so that more
coverage moves nobody between arms.  ``mmh3`` is measured only where it is installed.
"""

import hashlib
import importlib
import json
import platform
import random
import time
from collections.abc import Callable
from typing import Final

from ab_testing.assignment import Assigner, Placement
from ab_testing.experiment import Experiment
from ab_testing.state import State, Trial
from earmark.clock import utc_now
from earmark.domain import Upload
from earmark.vocabulary import Origin, Tier

UNITS: Final = 100_000
ROUNDS: Final = 7
_FNV_PRIME, _FNV_BASIS, _MASK = 0x01000193, 0x811C9DC5, 0xFFFFFFFF


def growthbook_v2(unit: str) -> str:
    """GrowthBook's second version: FNV-1a, 32 bit, over its own result."""
    first = str(_fnv1a(f"trial{unit}"))
    return "b" if _fnv1a(first) % 10_000 / 10_000 >= 0.9 else "a"


def _fnv1a(text: str) -> int:
    value = _FNV_BASIS
    for byte in text.encode():
        value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return value


def blake2b_once(unit: str) -> str:
    """One keyed BLAKE2b of 64 bits."""
    digest = hashlib.blake2b(unit.encode(), key=b"trial:1", digest_size=8).digest()
    return "b" if int.from_bytes(digest, "big") % 10_000 >= 9000 else "a"


def sha256_once(unit: str) -> str:
    """One SHA-256 of salt and unit, as one would write it first."""
    return "b" if int(hashlib.sha256(f"trial:1:arm:{unit}".encode()).hexdigest()[:15], 16) % 10_000 >= 9000 else "a"


def murmur3_once() -> Callable[[str], str] | None:
    """MurmurHash3 of 32 bits in C, as Unleash and Optimizely use it; ``None`` where it is not installed."""
    try:
        hashed = importlib.import_module("mmh3").hash
    except ImportError:
        return None
    return lambda unit: "b" if hashed(f"trial:{unit}", 0, signed=False) % 10_000 >= 9000 else "a"


def measure() -> dict[str, float]:
    """Nanoseconds for each way, by name."""
    units = [f"{random.Random(number).getrandbits(128):032x}" for number in range(UNITS)]
    assigner = Assigner(Experiment(name="trial"))
    now = utc_now()
    live = [Trial(definition=Experiment(name="trial"), state=State.RUNNING, started_at=now)]
    placement = Placement(live)
    upload = Upload(
        uri="file:///x",
        tenant="acme",
        tier=Tier.FREE,
        origin=Origin.API,
        content_sha256="0" * 64,
        size_bytes=1,
        received_at=now,
    )
    ways: dict[str, Callable[[str], object] | None] = {
        "earmark, covered": lambda unit: assigner.arm(unit, 1.0),
        "earmark, not covered": lambda unit: assigner.arm(unit, 0.0),
        "earmark, with its Exposure": lambda unit: placement.assign(upload, unit, now),
        "SHA-256, one hash": sha256_once,
        "BLAKE2b, one hash": blake2b_once,
        "murmur3 in C (mmh3), one hash": murmur3_once(),
        "GrowthBook v2 (FNV-1a twice)": growthbook_v2,
    }
    return {name: _best_ns(way, units) for name, way in ways.items() if way is not None}


def _best_ns(way: Callable[[str], object], units: list[str]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        for unit in units:
            way(unit)
        best = min(best, time.perf_counter_ns() - began)
    return best / len(units)


def main() -> None:
    """Print the figures as JSON."""
    found = measure()
    own = found["earmark, covered"]
    figures = {name: {"ns": round(ns), "ratio_to_earmark": round(ns / own, 2)} for name, ns in found.items()}
    print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), "ways": figures}, indent=1))


if __name__ == "__main__":
    main()
