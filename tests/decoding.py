"""What tests of the decoder pool share."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from earmark.errors import InputRejected
from workers.decode.sandbox import DecoderPool


def rejected(pool: DecoderPool, path: Path, digest: str = "0" * 64) -> InputRejected:
    """Why the pool rejects a file."""
    with pytest.raises(InputRejected) as caught:
        pool.decode("job", path, digest)
    assert caught.value.message
    assert caught.value.remedy
    return caught.value


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Wait for something that another process does."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not holds():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.01)
    return True
