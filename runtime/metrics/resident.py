"""``resident_bytes``: how much memory a child process has in use."""

import os
from pathlib import Path
from typing import Final

_PROCESSES: Final = Path("/proc")


def resident_bytes(pid: int, processes: Path = _PROCESSES) -> int | None:
    """Resident memory of a child of this process (proc(5), ``VmRSS`` of status).

    Returns:
        ``None`` where it has ended, though its number may be another process's by now, or where the system has no
        ``/proc``.
    """
    try:
        lines = (processes / str(pid) / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    try:
        if int(fields["PPid"]) != os.getpid():
            return None
        return int(fields["VmRSS"].split()[0]) * 1024
    except (KeyError, ValueError, IndexError):
        return None  # a zombie has no memory
