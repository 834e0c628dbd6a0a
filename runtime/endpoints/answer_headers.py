"""Headers of answers as the OpenAPI page describes them, for ``headers`` in ``responses=`` of an endpoint."""

from collections.abc import Mapping
from typing import Any, Final

ETAG: Final[Mapping[str, Any]] = {
    "ETag": {
        "description": "Changes with the analysis; send it as `If-None-Match` to be told whether it has.",
        "schema": {"type": "string"},
        "example": '"5f2b8c0de4a94a1b8d2c4e6f70819a3b"',
    },
    "Cache-Control": {
        "description": "It is for you alone, and is to be asked for anew each time.",
        "schema": {"type": "string"},
        "example": "private, no-cache",
    },
}
PREFERENCE_APPLIED: Final[Mapping[str, Any]] = {
    "Preference-Applied": {
        "description": "For how long it was waited at most, where `Prefer` asked for it.",
        "schema": {"type": "string"},
        "example": "wait=30",
    }
}
RETRY_AFTER: Final[Mapping[str, Any]] = {
    "Retry-After": {
        "description": "Seconds after which to ask again, while it waits.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 1,
    }
}


def location(description: str) -> dict[str, Any]:
    """``Location``, which leads to what was made."""
    return {"Location": {"description": description, "schema": {"type": "string", "format": "uri-reference"}}}


def disposition(example: str) -> dict[str, Any]:
    """``Content-Disposition``, which names a file, as in the example."""
    told = 'A name for the file, as `attachment; filename="…"`.'
    return {
        "Content-Disposition": {
            "description": told,
            "schema": {"type": "string"},
            "example": f'attachment; filename="{example}"',
        }
    }
