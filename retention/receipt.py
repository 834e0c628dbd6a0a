"""``Receipt``: what an erasure found, removed and left, store by store, for whoever asked for it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime, NonNegativeInt

from earmark.metadata import Frozen

ELSEWHERE: Final = (
    "Backups that your operator keeps: after a restore, `earmark retention erase --reapply --execute` erases again.",
    "Logs of processes hold ids, the customer's name and addresses of uploads; they go as your log keeper is set.",
    "A fallback provider that was asked about a recording keeps what its terms say; Earmark stores nothing there.",
    "Files outside of Earmark's folders and buckets, as those named to `earmark analyze`, are the owner's and stay.",
)
"""What no store of ours can answer for."""


class StoreReceipt(Frozen):
    """One store."""

    name: str
    holds: str
    """What it can hold, for a person."""
    found: NonNegativeInt
    """Items at the first look."""
    removed: NonNegativeInt
    size_bytes: NonNegativeInt
    """Of what was removed, where that is known."""
    left: NonNegativeInt
    """Items at the last look."""
    note: str = ""
    remains: str = ""
    """What nobody can remove at once; empty = nothing."""
    remains_until: AwareDatetime | None = None


class Receipt(Frozen):
    """An erasure, or a look at what one would find."""

    erasure: str
    state: Literal["looked", "begun", "complete", "incomplete"]
    """``looked``: nothing was removed; ``begun``: it runs, or was killed; ``incomplete``: something is in use still, so
    it has to be run again."""
    kind: Literal["tenant", "content"]
    tenant: str
    contents: NonNegativeInt
    """How many single contents; 0 for a whole customer."""
    reason: str
    actor: str
    requested_at: AwareDatetime
    finished_at: AwareDatetime
    passes: NonNegativeInt
    """Times that the stores were gone through."""
    tombstone: bool
    """Whether a tombstone stands."""
    stores: tuple[StoreReceipt, ...]
    elsewhere: tuple[str, ...] = ELSEWHERE

    @property
    def found(self) -> int:
        """Items found in all stores."""
        return sum(store.found for store in self.stores)

    @property
    def left(self) -> int:
        """Items left in all stores."""
        return sum(store.left for store in self.stores)


def receipt_text(receipt: Receipt) -> str:
    """A receipt for a person, each line at its end with a line break."""
    return "".join(f"{line}\n" for line in _lines(receipt))


def _lines(receipt: Receipt) -> Iterator[str]:
    what = f"customer {receipt.tenant}"
    if receipt.kind == "content":
        what = f"{receipt.contents} {'content' if receipt.contents == 1 else 'contents'} of {what}"
    heads = {
        "looked": f"What an erasure of {what} would find; nothing was removed",
        "begun": f"NOT YET erased: {what}; it runs still, or was killed: run the same command again",
        "complete": f"Erased: {what}",
        "incomplete": f"NOT YET erased: {what}; run the same command again",
    }
    yield heads[receipt.state]
    yield ""
    yield f"  erasure    {receipt.erasure}"
    yield f"  reason     {receipt.reason}"
    yield f"  by         {receipt.actor}"
    yield f"  requested  {_time(receipt.requested_at)}"
    if receipt.passes and receipt.state != "looked":
        yield f"  verified   {_time(receipt.finished_at)}, after {receipt.passes} looks"
    if receipt.state != "looked":
        yield f"  tombstone  {'stands: what comes back is refused' if receipt.tombstone else 'none'}"
    yield ""
    width = max((len(store.name) for store in receipt.stores), default=0)
    yield f"  {'store':{width}}  {'found':>9}  {'removed':>9}  {'left':>9}"
    for store in receipt.stores:
        yield f"  {store.name:{width}}  {store.found:>9}  {store.removed:>9}  {store.left:>9}  {store.note}".rstrip()
    remaining = [store for store in receipt.stores if store.remains]
    if remaining:
        yield ""
        yield "What only time removes, or nothing:"
    for store in remaining:
        until = f"  Gone by {_time(store.remains_until)}." if store.remains_until else ""
        yield f"- {store.name}: {store.remains}{until}"
    yield ""
    yield "Beyond Earmark's reach:"
    for line in receipt.elsewhere:
        yield f"- {line}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")
