"""``check``: whether the audit trail is whole: every link as it was written, in its place, and its rows beside it.

What the chain alone cannot show is a chain that was written anew from some link on, or cut off at its end.  The rows
show it, for they know later links and other hashes; and so does an anchor: a link's number and hash that somebody wrote
down elsewhere.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final, NamedTuple

from earmark.audit import (
    BEGINNING,
    FOLDER,
    HINT,
    AuditEntry,
    Link,
    canonical,
    link_rows,
    number_of,
    pseudonymous,
    read_link,
    seal_of,
)
from earmark.errors import ConfigurationError, ObjectMissing
from earmark.ports import ObjectStore, Warehouse
from earmark.rows import AuditRow

READERS: Final = 16
"""Links read at once: a bucket far away takes long for each and minds none."""
WINDOW: Final = 500
"""Links in memory, and of which the rows are asked for at once."""
ROWS_AT_ONCE: Final = 1000
"""Rows outside of the chain that are asked for at once; two at least, for one may have an empty id."""
LAST: Final = 2**63 - 1
_CHAIN: Final = "audit_chain"
_UNLINKED: Final = "audit_unlinked"
_ANCHOR: Final = re.compile(r"([0-9]{1,12}):([0-9a-f]{64})")


class Flaw(StrEnum):
    """What can be wrong with a link."""

    EDITED = "edited"
    """Its bytes are not those that were written."""
    MISSING = "missing"
    REORDERED = "reordered"
    """It stands in another link's place."""
    BROKEN = "broken"
    """It follows another link than the one before it: one of the two was replaced."""
    TRUNCATED = "truncated"
    """The end of the chain is missing: the rows, or the hint, know later links."""
    STRANGE = "strange"
    """An object that is no link, a row under a number that no link has, or one that no part of ours writes."""
    ROW_MISSING = "row_missing"
    """It is whole and a row of it is missing: lost, or not written yet."""
    ROW_EDITED = "row_edited"
    """It is whole and a row says something else."""
    ANCHOR = "anchor"
    """It is not the one that was written down elsewhere."""


class Fault(NamedTuple):
    """One thing that is wrong."""

    flaw: Flaw
    number: int
    """Of the link."""
    detail: str


class Anchor(NamedTuple):
    """A link that somebody wrote down elsewhere."""

    number: int
    hash: str


_BEFORE: Final = Anchor(0, BEGINNING)


@dataclass(slots=True)
class Checked:
    """What a check found."""

    links: int = 0
    entries: int = 0
    head: Anchor = _BEFORE
    """The last link: write it down elsewhere, and hand it in as an anchor next time."""
    faults: list[Fault] = field(default_factory=list)
    restored: int = 0
    """Rows that were missing and were written again."""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def read_anchor(text: str) -> Anchor:
    """An anchor as ``NUMBER:HASH``; raises ``ConfigurationError`` for anything else."""
    match = _ANCHOR.fullmatch(text.strip())
    if not match:
        message = f"{text!r} is no anchor: write NUMBER:HASH, as `earmark audit verify` prints it."
        raise ConfigurationError(message)
    return Anchor(int(match[1]), match[2])


def check(
    store: ObjectStore,
    warehouse: Warehouse | None,
    *,
    anchor: Anchor | None = None,
    repair: bool = False,
    hints: ObjectStore | None = None,
) -> Checked:
    """Go through the chain from its beginning, some hundred links in memory.

    Args:
        store: the bucket of links.
        warehouse: with the table ``audit``; ``None`` = the links alone are looked at.
        anchor: a link that is known to be right.
        repair: whether rows that are missing are written again, from links that are whole.
        hints: where the hint to the last link is; ``None`` = in the store.

    Raises:
        Unavailable: the store or the warehouse cannot be reached.
    """
    checked = Checked()
    hinted = _hint(hints or store)
    for window in _windows(store, checked):
        whole = _follow(window, checked, anchor)
        if warehouse is not None and window:
            _compare(warehouse, whole, window[-1][0], checked, repair=repair)
    last = checked.head.number
    known = hinted
    if warehouse is not None:
        known = max(known, *(int(str(row["link"])) for row in warehouse.query(_CHAIN, {"first": last + 1})), 0)
        checked.faults += _made_up(warehouse)
    if known > last:
        checked.faults.append(Fault(Flaw.TRUNCATED, last + 1, f"links up to {known} were written"))
    if anchor is not None and anchor.number > last:
        checked.faults.append(Fault(Flaw.ANCHOR, anchor.number, "there is no such link any more"))
    return checked


def _windows(store: ObjectStore, checked: Checked) -> Iterator[list[tuple[int, bytes]]]:
    """Numbers and bytes of the links, in order of their numbers."""
    infos = store.scan(FOLDER)
    with ThreadPoolExecutor(READERS, "links") as threads:
        while names := [info.name for info in islice(infos, WINDOW)]:
            numbers = [number_of(name) for name in names]
            contents = threads.map(lambda name: _content(store, name), names)
            window = []
            for name, number, content in zip(names, numbers, contents, strict=True):
                if number and content is not None:
                    window.append((number, content))
                else:
                    checked.faults.append(Fault(Flaw.STRANGE, 0, f"{name} is no link"))
            yield window


def _follow(window: list[tuple[int, bytes]], checked: Checked, anchor: Anchor | None) -> list[Link]:
    """Judge links one after another; gives those that are whole."""
    whole = []
    for number, content in window:
        expected = checked.head.number + 1
        checked.faults += [Fault(Flaw.MISSING, gone, "") for gone in range(expected, min(number, expected + WINDOW))]
        link, fault = _read(number, content)
        if fault is not None:
            checked.faults.append(fault)
        elif link is not None:
            whole.append(link)
            if number == expected and link.previous != checked.head.hash:
                checked.faults.append(Fault(Flaw.BROKEN, number, "the link before it is another one now"))
        found = link.hash if link is not None else hashlib.sha256(content).hexdigest()
        if anchor is not None and anchor.number == number and anchor.hash != found:
            checked.faults.append(Fault(Flaw.ANCHOR, number, "its hash is another one"))
        checked.head = Anchor(number, found)
        checked.links += 1
        checked.entries += len(link.entries) if link is not None else 0
    return whole


def _read(number: int, content: bytes) -> tuple[Link | None, Fault | None]:
    """A link, and what is wrong with it; one that is wrong is given too, if it can be read."""
    link = read_link(content)
    if link is None:
        return None, Fault(Flaw.EDITED, number, "it cannot be read")
    fields = json.loads(content)
    if canonical(fields) != content or seal_of(fields) != link.hash:
        return link, Fault(Flaw.EDITED, number, "its hash is not that of what it holds")
    if link.number != number:
        return link, Fault(Flaw.REORDERED, number, f"it is link {link.number}")
    return link, None


def _compare(warehouse: Warehouse, links: list[Link], last: int, checked: Checked, *, repair: bool) -> None:
    """Hold the rows of some links to what the links say."""
    if not links:
        return
    asked = {"first": links[0].number, "last": last}
    rows = {str(row["row_id"]): row for row in warehouse.query(_CHAIN, asked)}
    lost = []
    for link in links:
        for wanted in link_rows(link):
            assert isinstance(wanted, AuditRow)  # noqa: S101  # what links are made of
            found = rows.pop(wanted.row_id, None)
            if found is None:
                lost.append(wanted)
                if not repair:
                    checked.faults.append(Fault(Flaw.ROW_MISSING, link.number, wanted.row_id))
            elif not _agree(wanted, found):
                checked.faults.append(Fault(Flaw.ROW_EDITED, link.number, wanted.row_id))
    known = {link.number for link in links}
    for row_id, row in rows.items():
        if int(str(row["link"])) in known:
            checked.faults.append(Fault(Flaw.STRANGE, int(str(row["link"])), f"row {row_id} is of no entry"))
    if repair and lost:
        warehouse.append(lost)
        checked.restored += len(lost)


def _made_up(warehouse: Warehouse) -> Iterator[Fault]:
    """Rows outside of the chain, but for those of parts that write rows themselves, which have no link."""
    after, more = "", True
    while more:
        rows = warehouse.query(_UNLINKED, {"after": after, "most": ROWS_AT_ONCE})
        for row in rows:
            if row["link"] is not None:
                number = int(str(row["link"]))
                yield Fault(Flaw.STRANGE, number, f"row {row['row_id']} names a link that cannot be")
            elif not _writes_itself(row):
                yield Fault(
                    Flaw.STRANGE, 0, f"row {row['row_id']} names no link, and no part of ours writes such a row"
                )
        more = len(rows) == ROWS_AT_ONCE
        after = str(rows[-1]["row_id"]) if rows else ""


def _writes_itself(row: Mapping[str, object]) -> bool:
    """Whether a row is named as the desk of dead letters, or the register of experiments, names theirs."""
    row_id, action, subject = str(row["row_id"]), str(row["action"]), str(row["subject"])
    if action.startswith("dlq."):
        return row_id.startswith(f"{subject}:{action}:{row['at_second']}")
    beginning = f"experiment:{subject.rpartition(':')[0]}:"
    number = row_id.removeprefix(beginning)
    return action.startswith("experiment.") and number != row_id and number.isascii() and number.isdigit()


def _agree(wanted: AuditRow, found: Mapping[str, object]) -> bool:
    """Whether a row says what its link says, with the customer's name or the pseudonym in its place."""
    row = AuditEntry(
        at=wanted.at,
        actor=str(found["actor"]),
        action=str(found["action"]),
        target=str(found["subject"]),
        tenant=str(found["tenant"]),
        before=str(found["before"]),
        after=str(found["after"]),
        reason=str(found["reason"]),
        detail=str(found["detail"]),
        policy_version=None if found["policy_version"] is None else int(str(found["policy_version"])),
    )
    entry = AuditEntry(
        at=wanted.at,
        actor=wanted.actor,
        action=wanted.action,
        target=wanted.subject,
        tenant=wanted.tenant,
        before=wanted.before,
        after=wanted.after,
        reason=wanted.reason,
        policy_version=wanted.policy_version,
        detail=wanted.detail,
    )
    same_second = str(found["at_second"]) == wanted.at.strftime("%Y-%m-%dT%H:%M:%S")
    ours = (wanted.link, wanted.link_hash) == (int(str(found["link"])), found["link_hash"])
    return pseudonymous(row) == entry and same_second and ours


def _hint(store: ObjectStore) -> int:
    try:
        return int(json.loads(b"".join(store.read(HINT)))["number"])
    except (ObjectMissing, ValueError, KeyError, TypeError, RecursionError):
        return 0


def _content(store: ObjectStore, name: str) -> bytes | None:
    try:
        return b"".join(store.read(name))
    except ObjectMissing:
        return None
