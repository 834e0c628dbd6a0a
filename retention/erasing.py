"""``Eraser``: everything of a customer, or single contents of one, out of every store, with a receipt.

Hold check, audit entry, tombstone, a receipt that says it has begun; then all stores, a moment for those who have not
seen the tombstone, and all stores again until a look finds nothing.  Killed anywhere, the same request does the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from earmark.audit import AuditEntry, Auditing, pseudonym, pseudonymous
from earmark.errors import ConfigurationError
from earmark.ports import Clock, ObjectStore
from retention.holds import Hold
from retention.receipt import Receipt, StoreReceipt
from retention.scope import Scope, origin_of
from retention.stores import ErasableStore, Erased, ErasureRequest, Place
from retention.tombstones import FRESH_S, Tombstones, place_hash

FOLDER: Final = "retention/erasures/"
SETTLE_S: Final = FRESH_S + 1.0
"""Until every process has seen a tombstone."""
PASSES: Final = 60
"""Looks through the stores, a pause apart; then what is left is in somebody's hands, and the receipt says so."""
RESULTS: Final = "results"


@dataclass(slots=True)
class _Tally:
    store: ErasableStore
    found: int
    removed: int = 0
    size_bytes: int = 0
    left: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, erased: Erased) -> None:
        self.removed += erased.items
        self.size_bytes += erased.size_bytes
        self.counts.update(erased.counts)
        if erased.note:
            self.notes[erased.note] = None


class Eraser:
    """Erases; safe to run at the same time in several places."""

    def __init__(
        self,
        *,
        stores: Sequence[ErasableStore],
        tombstones: Tombstones,
        holds: Callable[[], Iterable[Hold]],
        audit: Auditing,
        state: ObjectStore,
        clock: Clock,
        pause: Callable[[float], object],
        passes: int = PASSES,
    ) -> None:
        """Take every store there is, in the order in which they are gone through.

        Args:
            stores: all of them; the rows of the audit log come last.
            tombstones: are left first.
            holds: all there are, looked at each time.
            audit: hears before anything happens.
            state: where receipts are kept, without the customer's name.
            clock: the present.
            pause: waits so many seconds.
            passes: looks through the stores before it is given up for now.
        """
        self._stores = stores
        self._tombstones = tombstones
        self._holds = holds
        self._audit = audit
        self._state = state
        self._clock = clock
        self._pause = pause
        self._passes = passes

    def look(self, request: ErasureRequest, *, reason: str, actor: str) -> Receipt:
        """What there is, store by store; nothing is changed.

        Raises:
            Unavailable: a store cannot be reached.
            ConfigurationError: a hold forbids the erasure.
        """
        self._demand_free(request, self._stores)
        tallies = [_Tally(store, store.left(request)) for store in self._stores]
        for tally in tallies:
            tally.left = tally.found
        return self._receipt(request, tallies, "looked", reason, actor, passes=1)

    def erase(self, request: ErasureRequest, *, reason: str, actor: str) -> Receipt:
        """Erase, and look again until nothing is left or it takes too long.

        Raises:
            Unavailable: a store cannot be reached; what was erased is, and the same request does the rest.
            ConfigurationError: a hold forbids it, which the audit log knows now; nothing or no more was erased.
        """
        self._refuse_held(request, reason, actor, self._stores)
        told = f"{request.kind}, {len(request.contents)} contents" if request.contents else request.kind
        self._tell(request, "retention.erase", actor, reason, detail=told)
        self._leave_tombstones(request)
        self._keep(self._receipt(request, (), "begun", reason, actor, passes=0))
        tallies = [_Tally(store, store.left(request)) for store in self._stores]
        passes = 0
        while passes < self._passes:
            passes += 1
            for tally in tallies:
                self._refuse_held(request, reason, actor)
                tally.add(tally.store.erase(request))
            self._pause(SETTLE_S)
            for tally in tallies:
                tally.left = tally.store.left(request)
            if not any(tally.left for tally in tallies):
                break
        state = "incomplete" if any(tally.left for tally in tallies) else "complete"
        self._tell(
            request,
            "retention.erased",
            actor,
            reason,
            after=state,
            detail=f"{sum(tally.removed for tally in tallies)} items removed, "
            f"{sum(tally.left for tally in tallies)} left",
        )
        receipt = self._receipt(request, tallies, state, reason, actor, passes=passes)
        self._keep(receipt)
        return receipt

    def readmit(self, what: str | Place, *, reason: str, actor: str) -> int:
        """Let new uploads of a customer, or of what lay at a place, in again; returns how many tombstones were lifted.

        Raises:
            Unavailable: the store cannot be reached; what was lifted is, and the same call does the rest.
        """
        found = self._tombstones.of_tenant(what) if isinstance(what, str) else self._tombstones.at_place(*what)
        for name, tombstone in found.items():
            entry = AuditEntry(
                at=self._clock(),
                actor=actor,
                action="retention.readmit",
                target=tombstone.erasure,
                tenant=tombstone.tenant,
                before="erased",
                after="readmitted",
                reason=reason,
                detail=tombstone.kind,
            )
            self._audit([entry])
            self._tombstones.lift(name)
        return len(found)

    def tenants(self) -> list[str]:
        """Customers of whom there is something although a tombstone of theirs stands, as after a restore."""
        seen = {tenant for store in self._stores for tenant in store.tenants()}
        erased = ((tenant, self._tombstones.tenant(tenant)) for tenant in sorted(seen))
        return [tenant for tenant, found in erased if found is not None and found.lifted_at is None]

    def _leave_tombstones(self, request: ErasureRequest) -> None:
        places = [place_hash(place.bucket, place.name) for place in request.places]
        contents = None if request.whole else request.contents
        self._tombstones.lay(
            request.id, request.tenant, contents, jobs=request.jobs, places=places, objects=request.objects
        )

    def _refuse_held(
        self, request: ErasureRequest, reason: str, actor: str, stores: Sequence[ErasableStore] = ()
    ) -> None:
        try:
            self._demand_free(request, stores)
        except ConfigurationError as error:
            self._tell(request, "retention.erase_refused", actor, reason, detail=str(error))
            raise

    def _demand_free(self, request: ErasureRequest, stores: Sequence[ErasableStore]) -> None:
        for hold in self._holds():
            if hold.released_at is None and covers(hold.scope, request):
                message = (
                    f"It must be kept: hold {hold.id} of {hold.placed_at:%Y-%m-%d} by {hold.actor}: {hold.reason}.  "
                    "`earmark retention release` ends a hold."
                )
                raise ConfigurationError(message)
        for store in stores:
            if count := store.held(request):
                message = (
                    f"It must be kept: {count} objects in {store.name} are held in the store itself.  "
                    "End those holds first."
                )
                raise ConfigurationError(message)

    def _tell(
        self, request: ErasureRequest, action: str, actor: str, reason: str, *, after: str = "", detail: str = ""
    ) -> None:
        entry = AuditEntry(
            at=self._clock(),
            actor=actor,
            action=action,
            target=request.id,
            tenant=request.tenant,
            after=after,
            reason=reason,
            detail=detail,
        )
        self._audit([pseudonymous(entry)])

    def _receipt(
        self, request: ErasureRequest, tallies: Sequence[_Tally], state: str, reason: str, actor: str, *, passes: int
    ) -> Receipt:
        now = self._clock()
        return Receipt.model_validate(
            {
                "erasure": request.id,
                "state": state,
                "kind": request.kind,
                "tenant": request.tenant,
                "contents": len(request.contents),
                "reason": reason,
                "actor": actor,
                "requested_at": request.at,
                "finished_at": now,
                "passes": passes,
                "tombstone": state != "looked",
                "stores": [_store_receipt(tally, now) for tally in tallies],
            }
        )

    def _keep(self, receipt: Receipt) -> None:
        entry = AuditEntry(
            at=receipt.finished_at,
            actor=receipt.actor,
            action="",
            target="",
            tenant=receipt.tenant,
            reason=receipt.reason,
        )
        masked = {"tenant": pseudonym(receipt.tenant), "reason": pseudonymous(entry).reason}
        content = receipt.model_copy(update=masked).model_dump_json(indent=1).encode()
        self._state.write(f"{FOLDER}{receipt.erasure}.json", content, content_type="application/json")


def covers(scope: Scope, request: ErasureRequest) -> bool:
    """Whether a hold of that scope concerns anything that the request would erase."""
    if scope.kind == "tenant":
        return scope.tenant == request.tenant
    if not request.whole:
        places = [Place(origin_of(place.bucket), place.name) for place in request.places]
        places += [Place(RESULTS, f"analyses/{request.tenant}/{job}.json") for job in request.jobs]
        if scope.kind == "object":
            return Place(scope.bucket, scope.name) in places
        return any(place.bucket == scope.bucket and place.name.startswith(scope.name) for place in places)
    folder = f"analyses/{request.tenant}/" if scope.bucket == RESULTS else f"{request.tenant}/"
    if scope.kind == "object":
        return scope.name.startswith(folder)
    return scope.name.startswith(folder) or folder.startswith(scope.name)


def _store_receipt(tally: _Tally, now: datetime) -> StoreReceipt:
    store = tally.store
    counted = ", ".join(f"{what} {count}" for what, count in tally.counts.items() if count)
    return StoreReceipt(
        name=store.name,
        holds=store.holds,
        found=max(tally.found, tally.removed),
        removed=tally.removed,
        size_bytes=tally.size_bytes,
        left=tally.left,
        note="; ".join(filter(None, [counted, *tally.notes])),
        remains=store.remains,
        remains_until=None if store.remains_for is None else now + store.remains_for,
    )
