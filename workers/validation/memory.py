"""Memory of another process, on the machine and on its GPU, read from outside."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
SMI: Final = "nvidia-smi"
SMI_TIMEOUT_S: Final = 20.0
_GPU = re.compile(r"/dev/nvidia\d+")


class Resident(NamedTuple):
    """Resident memory of a process in MiB."""

    now: float
    peak: float | None
    """The most it ever was; None = this system does not say."""


def resident(pid: int) -> Resident | None:
    """What a process holds in memory; None = it is gone, or this system does not say."""
    if not (PROC / "self" / "status").exists():
        return _told_by_ps(pid)
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    kib = {
        name: int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in lines)
        if name in {"VmRSS", "VmHWM"}
    }
    if "VmRSS" not in kib:
        return None
    peak = kib.get("VmHWM")
    return Resident(kib["VmRSS"] / 1024, None if peak is None else peak / 1024)


def _told_by_ps(pid: int) -> Resident | None:
    """On systems without /proc."""
    ps = shutil.which("ps")
    said = _output([ps, "-o", "rss=", "-p", str(pid)]) if ps else ""
    return Resident(int(said) / 1024, None) if said.strip().isdigit() else None


def uses_gpu(pid: int) -> bool:
    """Whether a process has an NVIDIA GPU open."""
    try:
        return any(_GPU.fullmatch(str(each.readlink())) for each in (PROC / str(pid) / "fd").iterdir())
    except OSError:
        return False


def gpu_memory_mib(pid: int) -> float | None:
    """What a process holds on NVIDIA GPUs in MiB, or all processes where the driver does not tell them apart.

    Inside a container the driver often knows processes by other numbers, or none.  None = it uses no GPU.
    """
    if not uses_gpu(pid):
        return None
    rows = [line.split(",") for line in _smi("--query-compute-apps=pid,used_memory").splitlines()]
    mine = [float(row[1]) for row in rows if len(row) == 2 and row[0].strip() == str(pid) and _is_number(row[1])]  # noqa: PLR2004
    if mine:
        return sum(mine)
    used = [float(line) for line in _smi("--query-gpu=memory.used").splitlines() if _is_number(line)]
    return sum(used) if used else None


def gpu_names() -> list[str]:
    """The NVIDIA GPUs of this machine."""
    return [line.strip() for line in _smi("--query-gpu=name").splitlines() if line.strip()]


def _smi(query: str) -> str:
    path = shutil.which(SMI)
    return _output([path, query, "--format=csv,noheader,nounits"]) if path else ""


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(  # noqa: S603  # a program of the system with our own arguments
            command, capture_output=True, text=True, errors="replace", timeout=SMI_TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _is_number(text: str) -> bool:
    return text.strip().replace(".", "", 1).isdigit()
