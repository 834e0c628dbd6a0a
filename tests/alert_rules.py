"""The rules of alerts and their tests, as they are written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "infra" / "prometheus"
RULES: Final = tuple(sorted(FOLDER.glob("*.rules.yml")))
TESTS: Final = tuple(sorted((FOLDER / "tests").glob("*.test.yml")))
RUNBOOKS: Final = ROOT / "docs" / "runbooks.md"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    """Of the alert, or of the metric that is recorded."""
    alerts: bool
    expr: str
    lasts: str
    """How long it must hold, as ``5m``; empty = it fires at once."""
    severity: str
    annotations: dict[str, str]


def read(path: Path) -> Any:
    """A file of YAML."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules() -> Iterator[Rule]:
    """All of them, in the order in which they are written."""
    for path in RULES:
        for group in read(path)["groups"]:
            for rule in group["rules"]:
                yield Rule(
                    name=rule.get("alert") or rule["record"],
                    alerts="alert" in rule,
                    expr=rule["expr"],
                    lasts=rule.get("for", ""),
                    severity=rule.get("labels", {}).get("severity", ""),
                    annotations=rule.get("annotations", {}),
                )


def alerts() -> list[Rule]:
    """Those that alert."""
    return [rule for rule in rules() if rule.alerts]


def sections() -> dict[str, str]:
    """Names of the sections of the runbooks about alerts, with their texts."""
    text = RUNBOOKS.read_text(encoding="utf-8")
    parts = re.split(r"^### (Earmark\w+)$", text, flags=re.MULTILINE)[1:]
    ends = [re.split(r"^## ", part, maxsplit=1, flags=re.MULTILINE)[0] for part in parts[1::2]]
    return dict(zip(parts[::2], ends, strict=True))
