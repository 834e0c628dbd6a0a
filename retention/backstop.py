"""The backstop: a store that cleans up by itself is told when nobody can need an object any more.

Should nobody run retention for months, what is over goes all the same, late.  The moment a store is told only ever
moves later, so it lies well behind the end of an object, and follows whatever moves that end to later.
"""

from datetime import datetime, timedelta
from typing import Final

from earmark.rows import CatalogueRow
from retention.standing import Standing

GRACE: Final = timedelta(days=90)
"""Behind the end of an object: time to mend what keeps runs from ending."""
HELD_EVERY_DAYS: Final = 30
"""What is held is told of anew so often, each object on a day of its own: three times within ``GRACE``."""
_EPOCH: Final = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001  # a day, no moment


def not_needed_after(standing: Standing) -> datetime:
    """What a store is to be told of an object: never earlier than the end it has now."""
    ends = standing.expires_at if standing.hold is None else max(standing.expires_at, standing.now)
    return ends + GRACE


def is_due(row: CatalogueRow, standing: Standing) -> bool:
    """Whether a store has to be told again: the end moved later since the row was written, or it is held for long."""
    if row.expires_at is None or standing.expires_at > row.expires_at:
        return True
    day = standing.now.toordinal() - _EPOCH + int(row.row_id[:4], 16)
    return standing.hold is not None and day % HELD_EVERY_DAYS == 0


def refreshed(row: CatalogueRow, standing: Standing) -> CatalogueRow | None:
    """The row with the end it has now; ``None`` where it says so already, or a notice has told of its end."""
    if row.notice is not None or (row.expires_at, row.policy_version) == (standing.expires_at, standing.policy_version):
        return None
    at = max(standing.now, row.at + timedelta.resolution)
    return row.model_copy(
        update={"at": at, "expires_at": standing.expires_at, "policy_version": standing.policy_version}
    )
