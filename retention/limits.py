"""Blast radius: how much a plan may delete before a person must approve of it."""

import heapq
from typing import Final, Literal

from earmark.metadata import Frozen
from retention.policy import Limits

TENANTS_MAX: Final = 20
"""Customers that are told of; the worst ones."""


class Excess(Frozen):
    """One limit that a plan is over."""

    limit: Literal["objects", "tenant_share", "usual_days"]
    """A key of the policy's table ``limits``."""
    allowed: float
    found: float
    tenant: str = ""
    """Whose objects; empty = everybody's."""

    def __str__(self) -> str:
        """For a person."""
        match self.limit:
            case "objects":
                return f"{self.found:,.0f} objects, where {self.allowed:,.0f} are the most"
            case "tenant_share":
                return f"{self.found:.0%} of what {self.tenant} has, where {self.allowed:.0%} are the most"
        return f"{self.found:,.0f} objects, where {self.allowed:,.0f} follow from the usual day"


class Radius:
    """Counts what a plan deletes, customer by customer, and says which limits it is over."""

    def __init__(self, limits: Limits) -> None:
        """Take the limits of the policy in force."""
        self._limits = limits
        self._objects = 0
        self._worst: list[tuple[float, str]] = []
        self._tenants = 0

    def add(self, tenant: str, deletions: int, live: int) -> None:
        """Count one customer, once.

        Args:
            tenant: the customer.
            deletions: objects of its in the plan, temporary ones not counted.
            live: objects that it has, same.
        """
        self._objects += deletions
        share = deletions / max(live, deletions, 1)
        if deletions >= self._limits.tenant_share_from and share > self._limits.tenant_share:
            self._tenants += 1
            heapq.heappush(self._worst, (share, tenant))
            if len(self._worst) > TENANTS_MAX:
                heapq.heappop(self._worst)

    @property
    def tenants(self) -> int:
        """How many customers lose more than their share; ``exceeded`` has the worst of them."""
        return self._tenants

    def exceeded(self, usual: int) -> tuple[Excess, ...]:
        """The limits that the plan is over.

        Args:
            usual: objects deleted on the usual day, the median of the last seven.
        """
        limits, found = self._limits, []
        if self._objects > limits.objects:
            found.append(Excess(limit="objects", allowed=limits.objects, found=self._objects))
        most = limits.usual_days * usual
        if self._objects >= limits.usual_days_from and self._objects > most:
            found.append(Excess(limit="usual_days", allowed=most, found=self._objects))
        found += [
            Excess(limit="tenant_share", allowed=limits.tenant_share, found=share, tenant=tenant)
            for share, tenant in sorted(self._worst, key=lambda each: (-each[0], each[1]))
        ]
        return tuple(found)
