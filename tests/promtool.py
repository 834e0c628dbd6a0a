"""Where promtool and prometheus are: on the path, else where ``make .tools/promtool`` puts them."""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
TOOLS: Final = ROOT / ".tools"


def found(tool: str) -> Path | None:
    """The program, if there is one."""
    path = shutil.which(tool, path=os.pathsep.join((os.environ.get("PATH", ""), str(TOOLS))))
    return Path(path) if path else None


def needed(tool: str) -> Path:
    """The program; without it the test is skipped, and fails where ``CI`` is true."""
    path = found(tool)
    if path is None:
        message = f"There is no {tool}: run `make .tools/promtool`, or install Debian's package prometheus."
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(message)
        pytest.skip(message)
    return path
