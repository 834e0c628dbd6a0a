"""When nobody can need an object any more, by the policy of now, for stores that clean up by themselves."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from earmark.ports import Clock
from earmark.rows import CatalogueRow
from retention.backstop import GRACE
from retention.policies import Policies
from retention.timeline import Timeline
from runtime.backend import Backend

FRESH_S: Final = 600.0
"""Seconds for which a policy is taken for true; the daily comparison sets right what was told by an older one."""


class NeededUntil:
    """Answers for a router; one for each process."""

    def __init__(self, backend: Backend, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take where the policies are, and the present."""
        self._policies = Policies(backend.state, clock)
        self._clock = clock
        self._monotonic = monotonic
        self._looked_s = float("-inf")
        self._timeline: Timeline | None = None

    def __call__(self, row: CatalogueRow) -> datetime:
        """The end of an object for the tier that it came with, and some time to mend things in.

        Raises:
            Unavailable: the policies cannot be reached.
            ConfigurationError: what is stored there is no policy.
        """
        if self._timeline is None or self._monotonic() - self._looked_s > FRESH_S:
            self._timeline = Timeline(self._policies.versions(), self._clock(), lambda _, tier: tier)
            self._looked_s = self._monotonic()
        return self._timeline.expires_at(row) + GRACE
