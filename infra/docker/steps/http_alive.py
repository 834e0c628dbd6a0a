"""Whether an address answers with 200 in five seconds; exit status 1 when not.  For images, which have no curl."""  # noqa: INP001  # a file of the image, no package

import http.client
import sys
from typing import Final
from urllib.parse import urlsplit

WITHIN_S: Final = 5.0


def answers(address: str) -> bool:
    """Ask once; any other status, and no answer, is a no."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=WITHIN_S)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
