"""``Notices``: the ledger of what customers were told, below ``retention/notices/TENANT/DAY/`` of the state store.

``objects.jsonl`` is the list, written once and never changed; ``status.json`` says what became of it.
"""

import tempfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Final, Literal

from pydantic import AwareDatetime, NonNegativeInt, ValidationError

from earmark.errors import ConfigurationError, ObjectMissing, PreconditionFailed, Unavailable
from earmark.latest import read_latest
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore
from earmark.rows import CatalogueRow, NoticeRow
from earmark.vocabulary import ObjectClass, Tier
from retention.catalogue import object_id
from retention.notice import SAMPLE, Digest, Notice, NoticedObject, Tally, notice_id, read_notice_id
from retention.standing import NoticeState, delete_after
from retention.suspension import Suspension
from retention.term import Term
from retention.told import Told, lines_of

FOLDER: Final = "retention/notices/"
CHANGES_MAX: Final = 8
"""Attempts to change or read what others change at the same time."""
KNOWN_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of lists held in memory; the one in use is held whatever its size."""
_LIST: Final = "objects.jsonl"
_STATUS: Final = "status.json"


class Status(Frozen):
    """What became of one notice."""

    digest: Digest
    list_generation: int
    state: Literal["made", "sent", "failed", "bounced"] = "made"
    """``sent`` = everybody accepted it; ``failed`` = somebody did not, and is asked again."""
    accepted: tuple[str, ...] = ()
    """Who did: ``topic``, ``webhook``, ``email``."""
    confirmed_at: AwareDatetime | None = None
    marked: bool = False
    """Whether the catalogue knows of it."""
    tries: NonNegativeInt = 0
    bounced_at: AwareDatetime | None = None
    detail: str = ""
    """What went wrong last; no address, no secret."""


class Notices:
    """The ledger; safe to use from several threads and processes.

    All methods raise ``Unavailable`` when the store cannot be reached, and ``ConfigurationError`` where what is stored
    is no notice.
    """

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        """Take the state store and the time."""
        self._store, self._clock = store, clock
        self._told: OrderedDict[str, tuple[int, Told]] = OrderedDict()

    def compose(
        self, tenant: str, objects: Iterable[NoticedObject], *, tier: Tier, term: Term, policy_version: int
    ) -> Status:
        """Today's notice to a customer; where one was composed today already, that one.

        A list whose writer died before it wrote the status is taken over as it is.

        Args:
            tenant: the customer.
            objects: what it is about, at least one, in order of bucket and name.
            tier: of the customer now.
            term: time between a confirmed notice and the deletion.
            policy_version: of the policy in force.
        """
        now = self._clock()
        identity = notice_id(tenant, now)
        found = self.find(identity)
        if found is not None:
            return found
        name = f"{FOLDER}{identity}/{_LIST}"
        with tempfile.TemporaryFile() as spool:
            spool.writelines(each.model_dump_json().encode() + b"\n" for each in objects)
            spool.seek(0)
            try:
                generation = self._store.write(
                    name, spool, content_type="application/jsonl", if_generation=0
                ).generation
            except PreconditionFailed:
                info = self._store.stat(name)
                generation = 0 if info is None else info.generation
        objects_told = map(NoticedObject.model_validate_json, self._list(name, generation))
        digest = _digest(
            objects_told,
            id=identity,
            tenant=tenant,
            tier=tier,
            made_at=now,
            term=term,
            policy_version=policy_version,
        )
        status = Status(digest=digest, list_generation=generation)
        try:
            self._write(status, if_generation=0)
        except PreconditionFailed:
            return self._demanded(identity)[0]
        return status

    def find(self, identity: str) -> Status | None:
        """One notice; ``None`` where there is none of that id."""
        found = self._read(identity)
        return None if found is None else found[0]

    def latest(self, tenant: str, since: date) -> Iterator[Status]:
        """A customer's notices of days after that one, the latest first; each is read when it is asked for."""
        prefix = f"{FOLDER}{tenant}/"
        names = [info.name for info in self._store.scan(prefix, start_after=f"{prefix}{since.isoformat()}/~")]
        for name in reversed(names):
            if name.endswith(f"/{_STATUS}"):
                status = self.find(name.removeprefix(FOLDER).removesuffix(f"/{_STATUS}"))
                if status is not None:
                    yield status

    def all(self, tenant: str = "", since: date | None = None) -> Iterator[Status]:
        """Every notice, by customer and day; only of one customer, and of that day and later, where asked."""
        for info in self._store.scan(f"{FOLDER}{tenant}/" if tenant else FOLDER):
            identity, _, part = info.name.removeprefix(FOLDER).rpartition("/")
            if part == _STATUS and (since is None or read_notice_id(identity).day >= since):
                status = self.find(identity)
                if status is not None:
                    yield status

    def first_delete_after(self, status: Status) -> datetime | None:
        """When the first object can go that a notice tells of; ``None`` = it is not confirmed."""
        return promised(status, status.digest.first_expires_at)

    def objects(self, status: Status) -> Iterator[NoticedObject]:
        """The list of a notice."""
        name = f"{FOLDER}{status.digest.id}/{_LIST}"
        return map(NoticedObject.model_validate_json, self._list(name, status.list_generation))

    def notice(self, status: Status) -> Notice:
        """What is sent."""
        sample = tuple(each for each, _ in zip(self.objects(status), range(SAMPLE), strict=False))
        return Notice(**dict(status.digest), sample=sample)

    def told(self, status: Status) -> Told:
        """Which objects it tells of; some lists are kept in memory, those used last."""
        identity = status.digest.id
        known = self._told.get(identity)
        if known is not None and known[0] == status.list_generation:
            self._told.move_to_end(identity)
            return known[1]
        try:
            told = Told(self._list(f"{FOLDER}{identity}/{_LIST}", status.list_generation))
        except ObjectMissing:  # erased, or lost: it tells of nothing, so nothing of it is deleted
            return Told([])
        self._told[identity] = (status.list_generation, told)
        self._told.move_to_end(identity)
        while len(self._told) > 1 and sum(each.size_bytes for _, each in self._told.values()) > KNOWN_BYTES_MAX:
            self._told.popitem(last=False)
        return told

    def change(self, identity: str, rule: Callable[[Status], Status]) -> Status:
        """Replace the status of a notice by what a rule makes of it; the rule may be asked again.

        Raises:
            ConfigurationError: there is no such notice.
        """
        for _ in range(CHANGES_MAX):
            status, generation = self._demanded(identity)
            after = rule(status)
            if after == status:
                return status
            try:
                self._write(after, if_generation=generation)
            except PreconditionFailed:
                continue
            return after
        message = f"The notice {identity} keeps changing"
        raise Unavailable(message)

    def view(self, suspended: Mapping[str, Suspension]) -> "NoticesNow":
        """What the ledger says now, with the customers whose notices are suspended."""
        return NoticesNow(self, suspended)

    def _demanded(self, identity: str) -> tuple[Status, int]:
        found = self._read(identity)
        if found is None:
            message = f"There is no notice {identity!r}.  `earmark retention notices` shows all there are."
            raise ConfigurationError(message)
        return found

    def _read(self, identity: str) -> tuple[Status, int] | None:
        read_notice_id(identity)
        name = f"{FOLDER}{identity}/{_STATUS}"
        found = read_latest(self._store, name)
        if found is None:
            return None
        try:
            return Status.model_validate_json(found[0]), found[1]
        except ValidationError as error:
            message = (
                f"The object {name} in the state store is no status of a notice, in {error.error_count()} places.  "
                "Nothing is deleted while it is there; put right what it holds."
            )
            raise ConfigurationError(message) from error

    def _write(self, status: Status, *, if_generation: int) -> None:
        name = f"{FOLDER}{status.digest.id}/{_STATUS}"
        content = status.model_dump_json(indent=1).encode()
        self._store.write(name, content, content_type="application/json", if_generation=if_generation)

    def _list(self, name: str, generation: int) -> Iterator[bytes]:
        return lines_of(self._store.read(name, generation=generation))


class NoticesNow:
    """Answers about notices at one moment; each status is read once."""

    def __init__(self, notices: Notices, suspended: Mapping[str, Suspension]) -> None:
        """Take the ledger and the suspensions of that moment, by customer."""
        self._notices, self._suspended = notices, suspended
        self._seen: dict[str, Status | None] = {}

    def suspended(self, tenant: str) -> bool:
        """Whether a customer gets no notices until somebody has looked into one that bounced."""
        return tenant in self._suspended

    def state_of(self, row: CatalogueRow) -> NoticeState | None:
        """What became of the notice that the catalogue names for an object; ``None`` = it tells of no such object."""
        if not row.notice:
            return None
        status = self._status(row.notice)
        if status is None:
            return None
        expires_at = self._notices.told(status).expires_at(object_id(row.bucket, row.name, row.generation))
        if expires_at is None:
            return None
        suspension = self._suspended.get(row.tenant)
        return NoticeState(
            confirmed_at=status.confirmed_at,
            bounced=status.state == "bounced" or (suspension is not None and row.notice in suspension.notices),
            delete_after=promised(status, expires_at),
        )

    def _status(self, identity: str) -> Status | None:
        if identity not in self._seen:
            self._seen[identity] = self._notices.find(identity)
        return self._seen[identity]


def promised(status: Status, expires_at: datetime) -> datetime | None:
    """Until when an object is kept that a notice said to end then; ``None`` = the notice is not confirmed."""
    if status.confirmed_at is None:
        return None
    return delete_after(expires_at, status.confirmed_at, status.digest.term)


def notice_row(status: Status, at: datetime) -> NoticeRow:
    """A notice as a row of the warehouse."""
    digest = status.digest
    return NoticeRow(
        row_id=digest.id,
        tenant=digest.tenant,
        at=at,
        state=status.state,
        objects=digest.objects,
        size_bytes=digest.size_bytes,
        first_delete_after=promised(status, digest.first_expires_at),
        confirmed_at=status.confirmed_at,
        channels=",".join(status.accepted),
        detail=status.detail,
    )


def _digest(objects: Iterable[NoticedObject], **known: object) -> Digest:
    """The figures of a list."""
    counts: Counter[ObjectClass] = Counter()
    sizes: Counter[ObjectClass] = Counter()
    first = last = None
    for each in objects:
        kind = ObjectClass(each.row.object_class)
        counts[kind] += 1
        sizes[kind] += each.row.size_bytes
        first = each.expires_at if first is None else min(first, each.expires_at)
        last = each.expires_at if last is None else max(last, each.expires_at)
    return Digest.model_validate(
        {
            **known,
            "objects": counts.total(),
            "size_bytes": sizes.total(),
            "tallies": tuple(
                Tally(object_class=kind, objects=counts[kind], size_bytes=sizes[kind])
                for kind in ObjectClass
                if counts[kind]
            ),
            "first_expires_at": first,
            "last_expires_at": last,
        }
    )
