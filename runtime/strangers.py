"""Files in a bucket of this machine that are no objects, for whoever looks after buckets and knows no adapter."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from earmark.ports import ObjectStore


@runtime_checkable
class Folders(Protocol):
    """A store of which each object is a file, so that other files can lie among them."""

    def strangers(self, prefix: str = "") -> Iterator[Path]:
        """What lies below a prefix and is no object."""
        ...


def strangers_in(store: ObjectStore, prefix: str = "") -> Iterator[Path]:
    """What lies in a bucket below a prefix and is no object; nothing where a store has nothing but objects.

    Raises:
        Unavailable: the bucket cannot be reached.
    """
    return store.strangers(prefix) if isinstance(store, Folders) else iter(())
