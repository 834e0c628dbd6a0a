"""``read_latest``: an object as it stands, with the generation that a writer has to name to replace just that."""

from typing import Final

from earmark.errors import ObjectMissing, Unavailable
from earmark.ports import ObjectStore

READS_MAX: Final = 16
"""Looks at an object that others replace between the look and the read, before it is said to keep changing."""


def read_latest(store: ObjectStore, name: str) -> tuple[bytes, int] | None:
    """Content and generation of an object; ``None`` = there is none.

    Raises:
        Unavailable: the store cannot be reached, or the object keeps changing.
    """
    for _ in range(READS_MAX):
        info = store.stat(name)
        if info is None:
            return None
        try:
            return b"".join(store.read(name, generation=info.generation)), info.generation
        except ObjectMissing:
            continue
    message = f"{name} keeps changing"
    raise Unavailable(message)
