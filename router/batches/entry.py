"""``Entry``: one line of a manifest: which audio it names, or what is wrong with it."""

import json
from dataclasses import dataclass
from typing import Final

from earmark.errors import InputFault, InputRejected

KEYS: Final = ("uri", "upload", "path")
"""What a line may name its audio by, in columns of CSV and keys of JSON; the first that is there counts."""
REFERENCE: Final = "id"
"""Column or key with the customer's own name of an entry, which comes back with its result."""
MAX_REFERENCE_CHARS: Final = 200
MAX_LINE_BYTES: Final = 8 * 1024
_REMEDY: Final = 'Write {"uri": "…"} or {"upload": "ID"} on a line, CSV as its header says, or an address.'


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that is not empty."""

    number: int
    """Of the line, from 1."""
    source: str
    """What the line names, as it was written; of a line that says nothing the line itself."""
    address: str | None = None
    """As ``router.addresses.resolve`` takes it."""
    path: str | None = None
    """Of a file on the machine where the batch was made, in its place."""
    reference: str | None = None
    """The customer's own name of the entry."""
    fault: InputRejected | None = None
    """What is wrong with it; ``None`` = it has an address or a path."""


def bad_entry(number: int, source: str, message: str, remedy: str = _REMEDY) -> Entry:
    """A line that names no audio."""
    return Entry(number, source, fault=InputRejected(InputFault.MALFORMED_LINE, f"Line {number}: {message}", remedy))


def of_json(number: int, line: str) -> Entry:
    """An entry of a line of JSON: an object with one of ``KEYS``, or a text that is an address."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return bad_entry(number, line, "it is no JSON")
    if isinstance(value, str):
        return of_fields(number, line, {"uri": value})
    if not isinstance(value, dict):
        return bad_entry(number, line, "it is neither an object nor a text")
    reference = value.get(REFERENCE)
    if isinstance(reference, int) and not isinstance(reference, bool):
        reference = str(reference)
    given: dict[str, object] = {**{key: value.get(key) for key in KEYS}, REFERENCE: reference}
    for key, each in given.items():
        if not isinstance(each, str | None):
            return bad_entry(number, line, f'"{key}" must be a text')
    return of_fields(number, line, {key: each for key, each in given.items() if isinstance(each, str)})


def of_fields(number: int, line: str, fields: dict[str, str]) -> Entry:
    """An entry of what a line says by key.

    Args:
        number: of the line.
        line: all of it, for when it says nothing.
        fields: texts by key or column; those not of ``KEYS`` or ``REFERENCE`` are passed over.
    """
    reference = fields.get(REFERENCE, "").strip() or None
    if reference is not None and len(reference) > MAX_REFERENCE_CHARS:
        return bad_entry(
            number, line, f'its "{REFERENCE}" has more than {MAX_REFERENCE_CHARS} characters', "Shorten it."
        )
    key = next((key for key in KEYS if fields.get(key, "").strip()), None)
    if key is None:
        return bad_entry(number, line, f"it has none of {', '.join(KEYS)}")
    value = fields[key]
    if key == "path":
        return Entry(number, value, path=value, reference=reference)
    address = value.strip()
    if key == "upload" and not address.startswith("upload:"):
        address = f"upload:{address}"
    return Entry(number, address, address=address, reference=reference)
