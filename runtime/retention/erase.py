"""What ``earmark retention erase`` and ``readmit`` do."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

from earmark.errors import ConfigurationError
from earmark.named_file import printable, writable, write_whole
from earmark.settings import Settings
from retention.erasing import Eraser
from retention.receipt import Receipt, receipt_text
from retention.scope import checked_tenant
from retention.stores import ErasureRequest, Place
from retention.tombstones import Tombstones
from runtime import exit_status
from runtime.dlq.desk import say
from runtime.erasing.erasure import ContentRequests, tenant_request
from runtime.retention.desk import Desk, open_desk
from runtime.retention.keeping import wait_for_runs
from runtime.retention.output import print_json, scope_of
from runtime.wiring import all_stores, configured_pipeline, connect_existing


def make_eraser(desk: Desk, pause: Callable[[float], object] = time.sleep) -> tuple[Eraser, ContentRequests]:
    """What erases, and what finds out what belongs to an upload."""
    tombstones = Tombstones(desk.backend.state, desk.clock)
    stores = all_stores(desk.settings, desk.backend, desk.clock)
    eraser = Eraser(
        stores=stores,
        tombstones=tombstones,
        holds=desk.holds.all,
        audit=desk.audit,
        state=desk.backend.state,
        clock=desk.clock,
        pause=pause,
    )
    pipeline = configured_pipeline(desk.settings)
    return eraser, ContentRequests(desk.backend, tombstones, pipeline=pipeline, clock=desk.clock)


def erase_all(
    settings: Settings,
    target: str,
    tenant: str,
    reason: str,
    out: Path | None,
    *,
    reapply: bool,
    execute: bool,
    as_json: bool,
) -> int:
    """Erase what is named, or what was erased before and came back; returns the exit status."""
    if sum(map(bool, (target, tenant, reapply))) != 1:
        message = "Say what to erase: --tenant NAME, --object BUCKET/NAME, or --reapply."
        raise ConfigurationError(message)
    if not reason.strip() and not reapply:
        message = "Say why with --reason; it is kept in the audit log and the receipt."
        raise ConfigurationError(message)
    _demand_room(out)
    desk = open_desk(settings, connect_existing(settings))
    eraser, contents = make_eraser(desk)
    if reapply:
        requests, reason = came_back(desk, eraser, contents), reason or "erased before"
    elif tenant:
        requests = [tenant_request(tenant, desk.clock)]
    else:
        requests = [contents.of_object(scope_of(desk.backend, target, "", ""))]
    if execute:
        wait_for_runs(desk)
    act = eraser.erase if execute else eraser.look
    receipts: list[Receipt] = []
    refused: list[ConfigurationError] = []
    for request in requests:
        try:
            receipts.append(act(request, reason=reason, actor=desk.actor))
        except ConfigurationError as error:  # a hold; what else came back is erased all the same
            refused.append(error)
    if refused and not reapply:
        raise refused[0]
    _tell(receipts, out, execute=execute, as_json=as_json)
    for each in refused:
        say(str(each))
    unfinished = refused or any(receipt.state == "incomplete" for receipt in receipts)
    return exit_status.SOME_NOT_DONE if unfinished else 0


def came_back(desk: Desk, eraser: Eraser, contents: ContentRequests) -> list[ErasureRequest]:
    """What was erased and is there again, as after a restore."""
    stores = all_stores(desk.settings, desk.backend, desk.clock)
    tenants = {tenant for store in stores for tenant in store.tenants()}
    whole = [tenant_request(tenant, desk.clock) for tenant in eraser.tenants()]
    return [*whole, *contents.came_back(stores, sorted(tenants))]


def _demand_room(out: Path | None) -> None:
    """See that the receipt can be written, before anything is erased; what is there stays until it is replaced."""
    if out is None:
        return
    target = writable(out, "--out")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", suffix=".part"):
            pass
    except OSError as error:
        message = f"Cannot write {printable(str(out))}: {error.strerror}.  Choose another --out; nothing was erased."
        raise ConfigurationError(message) from error


def _tell(receipts: list[Receipt], out: Path | None, *, execute: bool, as_json: bool) -> None:
    text = "\n".join(map(receipt_text, receipts))
    if as_json:
        print_json(receipts)
    else:
        sys.stdout.write(text)
    if out is not None:
        write_whole(out, text, "--out")
    if as_json:
        return
    if not receipts:
        say("Nothing of what was erased is there again.")
    elif not execute:
        say("Nothing was changed.  Add --execute to erase it; that cannot be undone.")
    for receipt in receipts:
        if receipt.state == "incomplete":
            say(f"Something is in use still: {receipt.left:,} items.  Run the same command again in a minute.")


def readmit_one(settings: Settings, target: str, tenant: str, reason: str, *, as_json: bool) -> int:
    """Lift the tombstones of a customer, or of what lay at an address."""
    if bool(target) == bool(tenant):
        message = "Say whom or what to take again: --tenant NAME or --object BUCKET/NAME."
        raise ConfigurationError(message)
    if not reason.strip():
        message = "Say why with --reason; it is kept in the audit log."
        raise ConfigurationError(message)
    desk = open_desk(settings, connect_existing(settings))
    eraser, _ = make_eraser(desk)
    what: str | Place = checked_tenant(tenant) if tenant else ""
    if target:
        scope = scope_of(desk.backend, target, "", "")
        what = Place(scope.bucket, scope.name)
    lifted = eraser.readmit(what, reason=reason, actor=desk.actor)
    if as_json:
        print_json({"lifted": lifted})
    else:
        say(f"{lifted} tombstones lifted." if lifted else "Nothing of that was erased.")
    return 0 if lifted else exit_status.SOME_NOT_DONE
