"""Examples of problem details for the OpenAPI page: one for each status, which all endpoints share."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

_TOLD: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("malformed_form", "There is no part named file.", "Send a form with one part named file."),
    401: ("no_key", "The request bears no key.", "Send `Authorization: Bearer …` with a key of yours."),
    403: ("missing_scope", "The key 3f9a is not for this: it lacks the scope write.", "Use a key that has it."),
    404: ("not_found", "There is no such analysis.", ""),
    408: ("request_timeout", "The body did not come within 30 seconds.", ""),
    409: ("not_ready", "It has not been analysed yet.", "Ask again later."),
    410: ("expired", "The address has expired.", "Ask for a new one with POST /v1/uploads."),
    413: (
        "too_large",
        "The body has more than 104857600 bytes.",
        "Split it, or put it in place with POST /v1/uploads.",
    ),
    415: ("no_tags", "Files of the kind webm bear no tags.", "Ask for format=json, jsonld or csv."),
    422: ("not_audio", "The bytes are those of no audio format that is known.", "Send WAV, FLAC, MP3, Ogg or M4A."),
    429: ("too_many_requests", "More than 60 requests a minute.", "Wait 2 s."),
    501: ("not_installed", "Parquet is not installed here.", "Ask for format=csv or jsonl."),
    503: ("unavailable", "A part of the service cannot be reached at the moment.", "Try again in a moment."),
}


def _example(status: int) -> dict[str, Any]:
    kind, detail, remedy = _TOLD[status]
    value = {
        "type": f"urn:earmark:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"remedy": remedy} if remedy else {}),
    }
    return {"summary": HTTPStatus(status).phrase, "value": value}


_NAMES: Final = {status: f"Problem{status}" for status in _TOLD}
PROBLEM_EXAMPLES: Final[Mapping[str, Any]] = {name: _example(status) for status, name in _NAMES.items()}
"""For ``components.examples`` of the page."""


def example_of(status: int) -> str:
    """Where on the page the example of a status is.

    Raises:
        KeyError: there is none.
    """
    return f"#/components/examples/{_NAMES[status]}"
