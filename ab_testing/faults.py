"""What a validation found, in one line for a person."""

from typing import Final

from pydantic import ValidationError

FAULTS_MAX: Final = 5
"""Told of; one mistake can make many."""
_LONGEST: Final = 300


def told(error: ValidationError) -> str:
    """Where each fault is and what it is, without the values, the types and the links that pydantic adds."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [
        ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, "))))
        for fault in faults[:FAULTS_MAX]
    ]
    more = [f"and {len(faults) - FAULTS_MAX} more"] if len(faults) > FAULTS_MAX else []
    return "; ".join(part if len(part) <= _LONGEST else f"{part[:_LONGEST]}…" for part in [*shown, *more])
