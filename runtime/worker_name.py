"""The name of a worker on this machine, from which others can tell whether it is still alive."""

import os
import socket
from pathlib import Path


def own_name() -> str:
    """Host, process namespace, process id and when the process started, which no two processes share."""
    return ":".join((socket.gethostname(), _namespace(), str(os.getpid()), _started(os.getpid()) or "0"))


def is_dead(name: str) -> bool:
    """Whether the worker of that name is certainly gone; False where that cannot be known from here."""
    return is_alive(name) is False


def is_alive(name: str) -> bool | None:
    """Whether the worker of that name runs, be it that it hangs; ``None`` where that cannot be known from here."""
    host, _, rest = name.partition(":")
    namespace, _, process = rest.partition(":")
    number, _, started = process.partition(":")
    if host != socket.gethostname() or namespace != _namespace() or not number.isdigit() or namespace == "0":
        return None
    return _started(int(number)) == started


def _namespace() -> str:
    """Which process ids this process can see; ``0`` where the system does not say, as outside Linux."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


def _started(number: int) -> str:
    """When a process started, in clock ticks since boot (proc(5), field 22 of stat); empty when there is none."""
    try:
        status = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
