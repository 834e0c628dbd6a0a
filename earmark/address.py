"""``Address``: where an object lies, as ``gs://bucket/name#generation``."""

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from earmark.errors import InputFault, InputRejected

_SCHEME: Final = "gs://"
_DIGITS: Final = re.compile(r"[0-9]{1,20}")
_KEPT: Final = "/ !$&'()*+,;=:@~?[]{}|^`<>\"\\"
"""Characters of a name that stand for themselves; ``#`` and ``%`` do not."""


class Address(NamedTuple):
    """One generation of an object."""

    bucket: str
    name: str
    generation: int | None

    @property
    def uri(self) -> str:
        """As ``gs://bucket/name#generation``, with ``#`` and ``%`` of the name escaped."""
        after = "" if self.generation is None else f"#{self.generation}"
        return f"{_SCHEME}{self.bucket}/{quote(self.name, safe=_KEPT)}{after}"


def read_address(uri: str) -> Address:
    """The parts of a ``gs:`` address.

    Raises:
        InputRejected: it is none.
    """
    bucket, slash, rest = uri.removeprefix(_SCHEME).partition("/")
    name, _, generation = rest.partition("#")
    if not uri.startswith(_SCHEME) or not bucket or not slash or (generation and not _DIGITS.fullmatch(generation)):
        raise InputRejected(InputFault.NOT_FOUND, f"{uri!r} is no address of the form gs://bucket/name")
    return Address(bucket, unquote(name), int(generation) if generation else None)
