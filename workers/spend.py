"""``Spend``: what the fallback cost today, in all and per tenant, shared by every worker, and the caps on it.

A day is a UTC day.  Each sum is one small object that is only changed under its generation, so no two workers can both
take the last dollar.  A worker takes money in blocks, larger than one question where the cap is large, and spends a
block in memory: a store far away is asked once for many questions.  Money taken counts as spent; what is left of a
block goes back when the worker ends, and is lost for the day when it is killed: at most a block for each sum.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from earmark.errors import PreconditionFailed, Unavailable
from earmark.latest import read_latest
from earmark.log import event
from earmark.ports import Clock, ObjectStore

_log = logging.getLogger(__name__)

UNREADABLE = 2**62
"""What a sum counts as that cannot be read: above every cap, for rather no money is spent than money twice."""
CHANGES_MAX = 16
"""Attempts to change a sum that other workers change at the same time."""
BLOCKS = 100
"""Blocks a cap is divided into."""
MICRO = 1_000_000
"""Sums are whole millionths of a dollar, so that they add up."""


class Cap(StrEnum):
    """Which cap is reached."""

    DAY = "daily_cap"
    TENANT = "tenant_cap"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside for one question."""

    day: str
    tenant: str
    micro_usd: int


@dataclass(slots=True)
class _Sum:
    """A block of one sum that this worker holds."""

    name: str
    cap: int
    left: int = 0


class Spend:
    """The money the fallback may cost; safe to use from several threads.

    All methods raise ``Unavailable`` when the store cannot be reached.
    """

    def __init__(self, store: ObjectStore, *, day_usd: float, tenant_usd: Callable[[str], float], clock: Clock) -> None:
        """Take the bucket of sums, the cap per day and the cap per day of each tenant, both in dollars."""
        self._store = store
        self._day_cap = round(day_usd * MICRO)
        self._tenant_usd = tenant_usd
        self._clock = clock
        self._lock = threading.Lock()
        self._blocks: dict[str, _Sum] = {}

    def reserve(self, tenant: str, usd: float) -> Reservation | Cap:
        """Set money aside, or say which cap forbids it."""
        micro = max(1, round(usd * MICRO))
        with self._lock:
            day = self._clock().date().isoformat()
            for block in [each for each in self._blocks.values() if day not in each.name]:
                self._return(block)
            whole = self._block(_name(day), self._day_cap)
            own = self._block(_name(day, tenant), round(self._tenant_usd(tenant) * MICRO))
            if not self._take(own, micro):
                return Cap.TENANT
            if not self._take(whole, micro):
                own.left += micro
                return Cap.DAY
        return Reservation(day, tenant, micro)

    def settle(self, reservation: Reservation, usd: float) -> None:
        """Say what the question cost in truth: the rest is free for others; what was not foreseen is owed."""
        difference = reservation.micro_usd - round(usd * MICRO)
        with self._lock:
            for name in (_name(reservation.day), _name(reservation.day, reservation.tenant)):
                block = self._blocks.get(name)
                if block is not None:
                    block.left += difference
                else:
                    self._add(name, -difference, None)

    def today(self, tenant: str | None = None) -> float:
        """Dollars taken today, in all or by one tenant; raises ``Unavailable`` too where the sum cannot be read."""
        name = _name(self._clock().date().isoformat(), tenant)
        taken = self._read(name)[0]
        if taken == UNREADABLE:
            message = (
                f"{name} in the state store is no sum that can be read, so it counts as spent until midnight UTC.  "
                'Write {"micro_usd": MILLIONTHS OF A DOLLAR} there, or delete it to begin at 0.'
            )
            raise Unavailable(message)
        return taken / MICRO

    def tenants(self) -> list[str]:
        """Tenants that took any money today."""
        prefix = f"spend/{self._clock().date().isoformat()}/tenants/"
        return [info.name.removeprefix(prefix).removesuffix(".json") for info in self._store.scan(prefix)]

    def close(self) -> None:
        """Give back what is left of the blocks; what cannot be given back stays counted as spent."""
        with self._lock:
            for block in list(self._blocks.values()):
                try:
                    self._return(block)
                except Unavailable as error:
                    event(_log, "spend.not_returned", level=logging.WARNING, name=block.name, error=str(error))

    def _block(self, name: str, cap: int) -> _Sum:
        return self._blocks.setdefault(name, _Sum(name, cap))

    def _take(self, block: _Sum, micro: int) -> bool:
        if block.left < micro:
            missing = micro - block.left
            taken = self._add(block.name, max(missing, block.cap // BLOCKS), block.cap) or (
                self._add(block.name, missing, block.cap)
            )
            if not taken:
                return False
            block.left += taken
        block.left -= micro
        return True

    def _return(self, block: _Sum) -> None:
        if block.left:
            self._add(block.name, -block.left, None)
        self._blocks.pop(block.name, None)

    def _add(self, name: str, micro: int, cap: int | None) -> int:
        """Add to a sum unless it would pass the cap; gives what was added."""
        for _ in range(CHANGES_MAX):
            taken, generation = self._read(name)
            if cap is not None and taken + micro > cap:
                return 0
            if taken == UNREADABLE:
                return micro  # left as it is, for a sum made up from nothing would pass for one
            content = json.dumps({"micro_usd": max(0, taken + micro)}).encode()
            try:
                self._store.write(name, content, content_type="application/json", if_generation=generation)
            except PreconditionFailed:
                continue
            return micro
        message = f"{name} keeps changing"
        raise Unavailable(message)

    def _read(self, name: str) -> tuple[int, int]:
        """A sum and its generation; 0 and 0 where there is none yet, ``UNREADABLE`` where nobody knows."""
        found = read_latest(self._store, name)
        if found is None:
            return 0, 0
        try:
            taken = int(json.loads(found[0])["micro_usd"])
        except (ValueError, KeyError, TypeError, OverflowError):
            taken = -1
        if not 0 <= taken < UNREADABLE // 2:  # larger ones come of adding to one that could not be read
            event(_log, "spend.malformed", level=logging.ERROR, name=name)
            return UNREADABLE, found[1]
        return taken, found[1]


def _name(day: str, tenant: str | None = None) -> str:
    return f"spend/{day}/all.json" if tenant is None else f"spend/{day}/tenants/{tenant}.json"
