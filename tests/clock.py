"""A clock that moves when told to."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until moved."""

    def __init__(self) -> None:
        """Start at a fixed time."""
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The present."""
        return self.time

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)
