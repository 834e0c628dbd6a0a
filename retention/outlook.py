"""``Outlook``: all that decides about objects at one moment, brought together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from earmark.rows import CatalogueRow
from retention.extensions import ExtensionsNow
from retention.holds import HoldsNow
from retention.standing import NoticeState, Standing, standing_of
from retention.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known at the moment of the timeline."""

    timeline: Timeline
    holds: HoldsNow
    extensions: ExtensionsNow
    notice_of: Callable[[CatalogueRow], NoticeState | None]
    """Gives what became of the last notice of that very generation."""
    suspended: Callable[[str], bool]
    """Whether a customer gets no notices until somebody has looked into a bounced one."""

    @property
    def now(self) -> datetime:
        """The moment."""
        return self.timeline.now

    def of(self, row: CatalogueRow) -> Standing:
        """What holds for an object."""
        return standing_of(
            row,
            now=self.timeline.now,
            timeline=self.timeline,
            holds=self.holds,
            extensions=self.extensions,
            notice=self.notice_of(row),
            suspended=self.suspended(row.tenant),
        )
