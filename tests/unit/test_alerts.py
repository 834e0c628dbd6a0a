"""Alerts fire where they should and nowhere else: promtool tries them on both sides of each limit."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.alert_rules import FOLDER, RULES, TESTS, alerts, read
from tests.promtool import needed


def promtool(*arguments: str | Path) -> None:
    """Run it; what it says is shown where it finds a fault."""
    environment = os.environ | {"GOGC": "800", "GOMAXPROCS": "1"}  # a fifth of its time it collects garbage
    done = subprocess.run(
        [needed("promtool"), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_and_the_configuration_are_well_formed() -> None:
    """So that Prometheus takes them; none stands there twice."""
    promtool("check", "rules", *RULES)
    promtool("check", "config", FOLDER / "prometheus.yml")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.yml"))
def test_alerts_fire_and_are_silent(path: Path) -> None:
    """As the file says."""
    promtool("test", "rules", path)


def test_both_sides_of_every_alert_are_tried() -> None:
    """Each severity of each alert fires in some test, and is looked at and silent in another moment."""
    fires: set[tuple[str, str]] = set()
    silent: set[tuple[str, str]] = set()
    names = {(each.name, each.severity) for each in alerts()}
    for path in TESTS:
        for test in read(path)["tests"]:
            for look in test.get("promql_expr_test", []):
                expected = [sample["labels"] for sample in look["exp_samples"]]
                for name, severity in names:
                    told = [
                        labels for labels in expected if f'"{name}"' in labels and f'severity="{severity}"' in labels
                    ]
                    fires.update({(name, severity)} if any('"firing"' in labels for labels in told) else ())
                    looked = f'"{name}"' in look["expr"] or look["expr"] == "ALERTS"
                    silent.update({(name, severity)} if looked and not told else ())
    assert names - fires == set()
    assert names - silent == set()
