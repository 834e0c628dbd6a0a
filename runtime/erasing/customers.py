"""What the API knows of a customer itself: its entry in the register, and the hashes of its keys."""

import json
from collections.abc import Iterator

from earmark.ports import ObjectInfo, ObjectStore
from retention.stores import ErasableStore, ErasureRequest, Find, ObjectsStore, content_of
from router.keys import FOLDER as KEYS
from router.keys import RINGS
from router.tenant_register import FOLDER as TENANTS
from router.tenant_register import object_name


def customer_stores(state: ObjectStore) -> list[ErasableStore]:
    """The stores of the register and of keys, which go first: who is gone does not call any more."""
    return [
        ObjectsStore("keys", "hashes of a customer's keys", state, _keys(state), tenants=lambda: _names(state, RINGS)),
        ObjectsStore(
            "customers",
            "the customer's tier, limits and addresses",
            state,
            _entry(state),
            tenants=lambda: _names(state, TENANTS),
        ),
    ]


def _keys(state: ObjectStore) -> Find:
    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        for info in state.scan(KEYS) if request.whole else ():
            if info.name == f"{RINGS}{request.tenant}.json" or _tenant_of(state, info) == request.tenant:
                yield info

    return find


def _tenant_of(state: ObjectStore, info: ObjectInfo) -> str:
    if info.name.startswith(RINGS):
        return ""
    try:
        return str(json.loads(content_of(state, info))["tenant"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _entry(state: ObjectStore) -> Find:
    def find(request: ErasureRequest) -> Iterator[ObjectInfo]:
        info = state.stat(object_name(request.tenant)) if request.whole else None
        if info is not None:
            yield info

    return find


def _names(state: ObjectStore, folder: str) -> Iterator[str]:
    for info in state.scan(folder):
        yield info.name.removeprefix(folder).removesuffix(".json")
