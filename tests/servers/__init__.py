"""Real servers for the tests: emulators that are started on free ports of this machine and ended again."""

import contextlib
import os
import random
import socket
import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test that needs a server which is not installed; where CI=true that is an error."""
    message = f"{what} is not installed.  {remedy}"
    if os.environ.get("CI") == "true":
        raise RuntimeError(message)
    pytest.skip(message)


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """For a command outside of tests: say what is missing, and end with status 4."""
    try:
        yield
    except (pytest.skip.Exception, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(4)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, below those that systems give to clients."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
