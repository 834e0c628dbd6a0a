"""``AuditTrail``: who did what, to what and why, as links of a chain in which nothing can be changed unseen.

A link is an object ``links/000000000042.json`` of the audit bucket, written only where there is none of that number,
and holds entries, the hash of the link before it and its own.  The same entries are rows of the table ``audit``.

Links are for ever, so they hold no customer's name: a pseudonym stands in its place (``pseudonym``).  The rows hold
the name for as long as there is such a customer.  Whoever erases one lets the rows be written anew from the links.
"""

import hashlib
import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from pydantic import AwareDatetime, ValidationError

from earmark.errors import ObjectMissing, PreconditionFailed, Unavailable
from earmark.log import event
from earmark.metadata import Frozen
from earmark.ports import Clock, ObjectStore, Warehouse
from earmark.rows import AuditRow, Row

_log = logging.getLogger(__name__)

FOLDER: Final = "links/"
HINT: Final = "audit/head.json"
"""Number and hash of a late link, so that the last one is found without going through all of them."""
HINT_EVERY: Final = 8
"""Links between two hints of a process that writes many: a store lets one object be written about once a second."""
BEGINNING: Final = "0" * 64
"""What stands for the hash of the link before the first one."""
ATTEMPTS: Final = 40
"""Times that another process may be first before it is given up."""
PAUSE_S: Final = 0.05
"""Longest wait after the first loss; it grows with each up to twenty times that."""
PENDING_ROWS: Final = 10_000
"""Rows kept for another attempt when the warehouse is down; ``verify`` finds those beyond and can restore them."""
_JSON: Final = "application/json"
_PSEUDONYM: Final = re.compile(r"sha256:[0-9a-f]{32}")
_TEXTS: Final = ("target", "before", "after", "reason", "detail")


class AuditEntry(Frozen):
    """One thing that somebody did.  It holds ids and reasons, no content, no secret and no file's name."""

    at: AwareDatetime
    actor: str
    """A person or a part of the system, as ``retention``."""
    action: str
    """``noun.verb``, as ``retention.hold``."""
    target: str
    """Id of what it was done to."""
    tenant: str = ""
    """Whose it was; empty = nobody's in particular."""
    before: str = ""
    after: str = ""
    reason: str = ""
    policy_version: int | None = None
    """Of the retention policy in force; ``None`` = it has nothing to do with it."""
    detail: str = ""


class Auditing(Protocol):
    """Takes entries; what a part that changes something is given."""

    def __call__(self, entries: Sequence[AuditEntry]) -> None:
        """Write them down durably, all in one link, before anything else happens.

        Raises:
            Unavailable: they could not be written; what was to be done must not be done.
        """
        ...


def nothing_audited(entries: Sequence[AuditEntry]) -> None:
    """Stand where nobody is to know, as in a test of something else."""
    del entries


class Link(Frozen):
    """Entries that were written at once, and what ties them to those before."""

    number: int
    """Counted from 1, without gaps."""
    previous: str
    """Hash of the link before it."""
    at: AwareDatetime
    entries: tuple[AuditEntry, ...]
    mirrored: bool = True
    """Whether its entries are rows of the table ``audit``; else somebody tells that table what came of them."""
    hash: str
    """SHA-256 over all the rest, in canonical JSON."""


class AuditTrail:
    """Writes the chain; safe to use from several threads and processes."""

    def __init__(
        self,
        store: ObjectStore,
        warehouse: Warehouse,
        clock: Clock,
        *,
        hints: ObjectStore | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take the bucket of links, the warehouse that has the table ``audit``, and the present.

        ``hints`` is where the hint to the last link is kept, which is written anew again and again, as the links' own
        bucket may not allow; ``None`` = it does.
        """
        self._store = store
        self._hints = hints or store
        self._warehouse = warehouse
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._head: tuple[int, str] | None = None
        self._hinted = 0
        self._pending: list[Row] = []

    def __call__(self, entries: Sequence[AuditEntry]) -> None:
        """Write entries as one link; their rows follow, now or with a later link.

        Raises:
            Unavailable: the store cannot be reached, or others were first all the time.
        """
        self._add(entries, mirrored=True)

    def intent(self, entries: Sequence[AuditEntry]) -> None:
        """Write entries as one link and no rows: for who tells the table ``audit`` himself what came of them.

        Raises:
            Unavailable: the store cannot be reached, or others were first all the time.
        """
        self._add(entries, mirrored=False)

    def _add(self, entries: Sequence[AuditEntry], *, mirrored: bool) -> None:
        if not entries:
            return
        kept = [pseudonymous(entry) for entry in entries]
        with self._lock:
            link = self._write(kept, mirrored=mirrored)
            self._hint(link)
            self._pending += link_rows(link, entries)
            rows, self._pending = self._pending, []
        try:
            self._warehouse.append(rows)
        except Unavailable as error:
            event(_log, "audit.rows_late", level=logging.WARNING, link=link.number, rows=len(rows), error=str(error))
            with self._lock:
                self._pending = [*rows, *self._pending][-PENDING_ROWS:]

    def _write(self, entries: Sequence[AuditEntry], *, mirrored: bool) -> Link:
        for attempt in range(ATTEMPTS):
            number, previous = self._head if self._head is not None else self._find_head()
            link = sealed(number + 1, previous, self._clock(), entries, mirrored=mirrored)
            content = link_bytes(link)
            try:
                self._store.write(name_of(link.number), content, content_type=_JSON, if_generation=0)
            except PreconditionFailed:
                # The store may have kept an attempt of ours whose answer was lost on the way.
                if self._read(link.number) != content:
                    self._head = self._last_from(number, previous)
                    if attempt:
                        self._sleep(random.uniform(0.0, PAUSE_S * min(attempt, 20)))  # noqa: S311  # jitter, no secret
                    continue
            self._head = link.number, link.hash
            return link
        message = "The audit log is written to by others all the time; nothing was done"
        raise Unavailable(message)

    def _find_head(self) -> tuple[int, str]:
        """Number and hash of the last link; a hint that names a link that is gone is believed, and the gap stays."""
        try:
            hint = json.loads(b"".join(self._hints.read(HINT)))
            number, known = int(hint["number"]), str(hint["hash"])
        except (ObjectMissing, ValueError, KeyError, TypeError, RecursionError):
            last = 0
            for info in self._store.scan(FOLDER):
                last = max(last, number_of(info.name))
            if not last:
                return 0, BEGINNING
            number, known = last, _hash_of(self._read(last) or b"")
        self._hinted = number
        return self._last_from(number, known)

    def _last_from(self, number: int, known: str) -> tuple[int, str]:
        """Go on from a link for as long as there is a next one."""
        while (content := self._read(number + 1)) is not None:
            number, known = number + 1, _hash_of(content)
        return number, known

    def _read(self, number: int) -> bytes | None:
        try:
            return b"".join(self._store.read(name_of(number)))
        except ObjectMissing:
            return None

    def _hint(self, link: Link) -> None:
        if link.number > 1 and link.number - self._hinted < HINT_EVERY and self._hinted:
            return
        content = canonical({"number": link.number, "hash": link.hash})
        try:
            self._hints.write(HINT, content, content_type=_JSON)
            self._hinted = link.number
        except (Unavailable, PreconditionFailed) as error:
            event(_log, "audit.hint_late", level=logging.WARNING, link=link.number, error=str(error))


def pseudonym(tenant: str) -> str:
    """What stands for a customer in links: ``sha256:`` and half of the hash of the name; empty for nobody.

    Nobody finds the name by searching for it, and whoever knows it finds the entries.  It can be guessed by trying
    names, so it is no secret.
    """
    if not tenant or _PSEUDONYM.fullmatch(tenant):
        return tenant
    return f"sha256:{hashlib.sha256(tenant.encode()).hexdigest()[:32]}"


def pseudonymous(entry: AuditEntry) -> AuditEntry:
    """The entry with the pseudonym wherever its customer is named, also as a word in texts."""
    replaced = pseudonym(entry.tenant)
    if replaced == entry.tenant:
        return entry
    word = re.compile(rf"(?<![A-Za-z0-9_-]){re.escape(entry.tenant)}(?![A-Za-z0-9_-])")
    changes = {name: word.sub(replaced, getattr(entry, name)) for name in _TEXTS}
    return entry.model_copy(update={**changes, "tenant": replaced})


def sealed(
    number: int, previous: str, at: AwareDatetime, entries: Sequence[AuditEntry], *, mirrored: bool = True
) -> Link:
    """A link with its hash."""
    link = Link(number=number, previous=previous, at=at, entries=tuple(entries), mirrored=mirrored, hash="")
    return link.model_copy(update={"hash": seal_of(json.loads(link_bytes(link)))})


def seal_of(fields: dict[str, Any]) -> str:
    """SHA-256, in hexadecimal, over the canonical JSON of a link's fields but ``hash``."""
    return hashlib.sha256(canonical({name: each for name, each in fields.items() if name != "hash"})).hexdigest()


def link_bytes(link: Link) -> bytes:
    """A link as it is stored."""
    return canonical(link.model_dump(mode="json"))


def canonical(fields: dict[str, Any]) -> bytes:
    """JSON in the one way of writing it: ASCII, names in order, no spaces."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def read_link(content: bytes) -> Link | None:
    """A link from its bytes; None where they are none."""
    try:
        return Link.model_validate_json(content)
    except ValidationError:
        return None


def link_rows(link: Link, entries: Sequence[AuditEntry] | None = None) -> list[Row]:
    """The rows of a link, with the entries as they were before customers' names were replaced, where they are known."""
    if not link.mirrored:
        return []
    return [
        AuditRow(
            row_id=f"{link.number:012d}-{place:05d}",
            tenant=entry.tenant,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.target,
            reason=entry.reason,
            detail=entry.detail,
            before=entry.before,
            after=entry.after,
            policy_version=entry.policy_version,
            link=link.number,
            link_hash=link.hash,
        )
        for place, entry in enumerate(entries if entries is not None else link.entries)
    ]


def name_of(number: int) -> str:
    """Name of the object of a link."""
    return f"{FOLDER}{number:012d}.json"


def number_of(name: str) -> int:
    """The link that an object's name tells of; 0 = none."""
    digits = name.removeprefix(FOLDER).removesuffix(".json")
    return int(digits) if digits.isascii() and digits.isdigit() and name_of(int(digits)) == name else 0


def _hash_of(content: bytes) -> str:
    """The hash that the next link has to name; of a link that was spoilt, that of its bytes."""
    link = read_link(content)
    return link.hash if link else hashlib.sha256(content).hexdigest()
