"""``wait_preferred``: how long a client would like to wait, as RFC 7240 has it."""

import re
from collections.abc import Iterable
from typing import Final

_WAIT: Final = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?', re.IGNORECASE)


def wait_preferred(headers: Iterable[str], most_s: float) -> tuple[float, int | None]:
    """Seconds to wait, and what ``Preference-Applied`` says of it; ``None`` = nothing was asked for.

    The first ``wait`` counts; what is malformed or unknown is passed over, as section 2 demands.

    Args:
        headers: the values of all ``Prefer`` headers.
        most_s: seconds that anybody may wait.
    """
    for header in headers:
        for preference in header.split(","):
            found = _WAIT.fullmatch(preference.partition(";")[0].strip())
            if found is not None:
                wait_s = min(float(found[1]), most_s)
                return wait_s, int(wait_s)
    return 0.0, None
