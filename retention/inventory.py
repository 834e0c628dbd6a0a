"""``Inventory``: compares the catalogue with what is in a bucket, and puts the catalogue right.

Both are read in order of names, side by side, so that nothing is held in memory.  Found are *orphans* (objects without
a row, which get one), *ghosts* (rows without their object, which say so from then on) and what is *overdue* (should
have been deleted for more than a day, and is there).  Orphans whose name tells of no customer we know are *nobody's*:
they cannot have a row, so nothing ever deletes them, and a person has to look.  Objects and rows younger than an hour
are left alone: their other half may be on its way.

What is written down bears the time at which the look began, so that whatever became of an object meanwhile stands.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple

from earmark.catalogued import catalogue_row
from earmark.errors import ObjectHeld, PreconditionFailed
from earmark.log import event
from earmark.ports import ObjectInfo, ObjectStore
from earmark.rows import CatalogueRow, InventoryRow
from earmark.vocabulary import ObjectClass, ObjectState
from retention.backstop import is_due, not_needed_after, refreshed
from retention.catalogue import Catalogue
from retention.outlook import Outlook
from retention.policy import NOTICE_LEAST
from retention.standing import Hindrance, NoticeFault, Standing

_log = logging.getLogger(__name__)

SETTLED: Final = timedelta(hours=1)
"""After which an object and its row must both be seen."""
OVERDUE: Final = timedelta(hours=25)
"""How long an object may be there after it was to go: a day's run, and an hour for it to end."""
NAMED: Final = 20
"""Overdue objects, and those of nobody, that are logged one by one."""
TELLING: Final = timedelta(days=1)
"""How long after its end the notice of an object may be on its way, as digests go once a day."""
BLOCK_ROWS: Final = 1000
"""Rows recorded in one call."""
CLASSES: Final = {
    "uploads": ObjectClass.UPLOAD,
    "archive": ObjectClass.UPLOAD,
    "results": ObjectClass.RESULT,
    "temporary": ObjectClass.TEMPORARY,
}
"""What the objects of each bucket are."""
_RECORDS: Final = "analyses/"
_JSON: Final = ".json"


class Owner(NamedTuple):
    """Whose an object is."""

    tenant: str
    tier: str
    region: str | None


@dataclass
class Tally:
    """What was found so far."""

    objects: int = 0
    size_bytes: int = 0
    orphans: int = 0
    ghosts: int = 0
    overdue: int = 0
    overdue_s: float = 0.0
    nobodys: int = 0


class Inventory:
    """Compares buckets at one moment, that of the outlook."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        outlook: Outlook,
        owner_of: Callable[[str], Owner | None],
    ) -> None:
        """Take the rows, all that decides, and what knows customers by name: ``None`` = there is none of that name."""
        self._catalogue = catalogue
        self._outlook = outlook
        self._owner_of = owner_of

    def compare(
        self,
        bucket: str,
        store: ObjectStore,
        objects: Iterator[ObjectInfo] | None = None,
        *,
        strangers: Iterable[str] = (),
        taken_at: datetime | None = None,
        execute: bool = False,
    ) -> InventoryRow:
        """Compare a bucket, and with ``execute`` put the catalogue right.

        Args:
            bucket: short name.
            store: the bucket.
            objects: what is in it, in order of the UTF-8 bytes of names, as an inventory report has it; ``None`` = it
                is listed now.
            strangers: files among them that are no objects, escaped; each counts as an orphan of nobody's.
            taken_at: when that was taken; ``None`` = now.
            execute: without it nothing is written.

        Raises:
            Unavailable: the bucket or the rows cannot be reached; what was put right is right.
        """
        began_s = time.monotonic()
        look = _Look(
            bucket,
            store,
            self._catalogue,
            self._outlook,
            self._owner_of,
            taken_at=taken_at or self._outlook.now,
            listed=objects is None,
            execute=execute,
        )
        found = store.scan() if objects is None else objects
        for name, present, rows in _side_by_side(found, self._catalogue.scan(bucket)):
            look.at(name, present, rows)
        for each in strangers:
            look.stranger(each)
        look.flush()
        tally = look.tally
        level = logging.WARNING if tally.orphans or tally.ghosts or tally.overdue else logging.INFO
        event(_log, "inventory.compared", level=level, bucket=bucket, **vars(tally))
        return InventoryRow(
            row_id=f"{bucket}:{self._outlook.now.isoformat()}",
            tenant="",
            at=self._outlook.now,
            bucket=bucket,
            seconds=round(time.monotonic() - began_s, 3),
            **vars(tally),
        )


class _Look:
    """One comparison."""

    def __init__(
        self,
        bucket: str,
        store: ObjectStore,
        catalogue: Catalogue,
        outlook: Outlook,
        owner_of: Callable[[str], Owner | None],
        *,
        taken_at: datetime,
        listed: bool,
        execute: bool,
    ) -> None:
        self.tally = Tally()
        self._bucket = bucket
        self._store = store
        self._catalogue = catalogue
        self._outlook = outlook
        self._owner_of = owner_of
        self._taken_at = taken_at
        self._listed = listed
        self._execute = execute
        self._block: list[CatalogueRow] = []

    def at(self, name: str, present: ObjectInfo | None, rows: list[CatalogueRow]) -> None:
        """Look at one name: the object that is there, and the rows that say so."""
        known = None
        for row in rows:
            if present is not None and row.generation == present.generation:
                known = row
            elif max(row.at, row.created_at) <= self._taken_at - SETTLED:
                self._ghost(row)
        if present is None:
            return
        self.tally.objects += 1
        self.tally.size_bytes += present.size_bytes
        if known is not None:
            self._known(known)
        elif present.created_at <= self._taken_at - SETTLED and self._is_there(present):
            self.tally.orphans += 1
            self._adopt(name, present)

    def stranger(self, name: str) -> None:
        """Tell of a file that is no object, so that no row can say whose it is."""
        self.tally.orphans += 1
        self.tally.nobodys += 1
        event(_log, "inventory.stranger", level=logging.WARNING, bucket=self._bucket, file=name)

    def flush(self) -> None:
        """Write down what was found."""
        if self._block:
            self._catalogue.record(self._block)
            self._block = []

    def _is_there(self, listed: ObjectInfo) -> bool:
        """Whether an object is still there: a report may be a day old."""
        if self._listed:
            return True
        info = self._store.stat(listed.name)
        return info is not None and info.generation == listed.generation

    def _ghost(self, row: CatalogueRow) -> None:
        """A row whose object is not there, unless the listing is what is wrong."""
        info = self._store.stat(row.name)
        if info is not None and info.generation == row.generation:
            return
        self.tally.ghosts += 1
        state = ObjectState.MISSING if info is None or info.generation < row.generation else ObjectState.REPLACED
        event(_log, "inventory.ghost", level=logging.DEBUG, object_id=row.row_id, tenant=row.tenant, state=state)
        self._put(row.model_copy(update={"state": state, "at": self._taken_at}))

    def _adopt(self, name: str, present: ObjectInfo) -> None:
        """An object without a row gets one, if it is anybody's; its time begins when the store says it came."""
        object_class = CLASSES[self._bucket]
        owner_name, job_id = owner_told(name, object_class)
        owner = self._owner_of(owner_name) if owner_name else None
        if owner is None:
            self.tally.nobodys += 1
            level = logging.WARNING if self.tally.nobodys <= NAMED else logging.DEBUG
            event(_log, "inventory.nobodys", level=level, bucket=self._bucket, object=name,
                  size_bytes=present.size_bytes)  # fmt: skip
            return
        row = catalogue_row(
            self._bucket,
            present,
            tenant=owner.tenant,
            tier=owner.tier,
            object_class=object_class,
            region=owner.region,
            job_id=job_id,
            at=self._taken_at,
        )
        event(_log, "inventory.orphan", level=logging.DEBUG, object_id=row.row_id, tenant=row.tenant)
        self._put(self._backstop(row, self._outlook.of(row)) or row)

    def _known(self, row: CatalogueRow) -> None:
        standing = self._outlook.of(row)
        late_s = overdue_s(row, standing, self._outlook)
        if late_s > 0:
            self.tally.overdue += 1
            self.tally.overdue_s = max(self.tally.overdue_s, late_s)
            level = logging.ERROR if self.tally.overdue <= NAMED else logging.DEBUG
            event(_log, "inventory.overdue", level=level, object_id=row.row_id, tenant=row.tenant,
                  seconds=late_s)  # fmt: skip
        changed = self._backstop(row, standing)
        if changed is not None:
            self._put(changed)

    def _backstop(self, row: CatalogueRow, standing: Standing) -> CatalogueRow | None:
        """Tell the store when nobody can need an object any more, where that has moved; the row that says so."""
        if not self._execute or not is_due(row, standing):
            return None
        try:
            self._store.protect(row.name, if_generation=row.generation, not_needed_after=not_needed_after(standing))
        except (PreconditionFailed, ObjectHeld):
            return None  # it was replaced this very moment
        return refreshed(row, standing)

    def _put(self, row: CatalogueRow) -> None:
        if self._execute:
            self._block.append(row)
            if len(self._block) >= BLOCK_ROWS:
                self.flush()


def overdue_s(row: CatalogueRow, standing: Standing, outlook: Outlook) -> float:
    """Seconds for which an object should have been deleted, beyond the day that a run may take; 0 = it is not late.

    That its customer was never told is no excuse, unless notices bounce, which is an alarm of its own.  What a hold or
    an extension kept until less than a day ago, and the time that a fresh notice takes, is not late.
    """
    if standing.deletable:
        since, limit = max(standing.expires_at, standing.delete_after or standing.expires_at), outlook.now - OVERDUE
    elif _untold(standing) and not outlook.suspended(row.tenant):
        since, limit = standing.expires_at, outlook.now - OVERDUE - TELLING - NOTICE_LEAST
    else:
        return 0.0
    if since > limit or outlook.holds.released_after(row, limit) or outlook.extensions.withdrawn_after(row, limit):
        return 0.0
    return (outlook.now - since).total_seconds()


def _untold(standing: Standing) -> bool:
    """Whether nothing but a notice is missing, and nobody said that one cannot be delivered."""
    return standing.hindrance is Hindrance.NOTICE and standing.notice_fault not in {None, NoticeFault.BOUNCED}


def owner_told(name: str, object_class: ObjectClass) -> tuple[str, str | None]:
    """The customer and, of a record, the job that a name tells; empty where it tells none."""
    if object_class != ObjectClass.RESULT:
        owner, slash, _ = name.partition("/")
        return owner if slash else "", None
    owner, slash, rest = name.removeprefix(_RECORDS).partition("/")
    if not name.startswith(_RECORDS) or not slash:
        return "", None
    return owner, rest.removesuffix(_JSON) if rest.endswith(_JSON) else None


def _side_by_side(
    objects: Iterator[ObjectInfo], rows: Iterator[CatalogueRow]
) -> Iterator[tuple[str, ObjectInfo | None, list[CatalogueRow]]]:
    """Each name that is in either, with the object and the rows of it."""
    by_name = ((name, list(some)) for name, some in groupby(rows, key=lambda row: row.name))
    info, known = next(objects, None), next(by_name, None)
    while info is not None or known is not None:
        if known is None or (info is not None and info.name.encode() < known[0].encode()):
            assert info is not None  # noqa: S101  # one of the two is there
            yield info.name, info, []
            info = next(objects, None)
        elif info is None or known[0].encode() < info.name.encode():
            yield known[0], None, known[1]
            known = next(by_name, None)
        else:
            yield info.name, info, known[1]
            info, known = next(objects, None), next(by_name, None)
