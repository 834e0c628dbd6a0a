"""``fingerprint``: tells failures of the same cause from others."""

import hashlib
import re

_VARIABLE = re.compile(r"(?:[a-z]+://)?(?:/[^\s:]+)+|\b[0-9a-f]{8,}\b|'[^']*'|\"[^\"]*\"|\S*\.\w{2,5}\b|\d+(?:\.\d+)?")


def fingerprint(stage: str, kind: str, message: str, model: str) -> str:
    """The same for failures of the same cause: a hash of stage, class, model and the message without its variables."""
    pattern = _VARIABLE.sub("#", message)
    return hashlib.sha256(f"{stage}\0{kind}\0{pattern}\0{model}".encode("utf-8", "replace")).hexdigest()[:16]
