"""What is known of a worker before its first job, from the settings and the experiments that run."""

from pathlib import Path

import pytest

from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.cascading import make_client
from runtime.experiments import make_registry
from runtime.metrics.metric import Server
from runtime.metrics.targets import targets
from runtime.watching import scope_of, watching
from runtime.wiring import connect
from tests.clock import ManualClock
from tests.unit.test_ab_registry import made


def test_arms_of_experiments_that_run_are_foreseen_with_their_models(tmp_path: Path) -> None:
    """One that began after the worker too; an arm without a model of its own has the worker's."""
    settings, clock = Settings(data=tmp_path), ManualClock()
    backend = connect(settings, clock)
    scope = scope_of(settings, backend, frozenset(Lane), clock)
    assert (scope.model, scope.fallback) == (settings.model, "")
    assert list(scope.arms()) == []
    treatment = {"name": "experimental", "share": 0.1, "model": "musicnn"}
    definition = made(arms=[{"name": "control", "share": 0.9}, treatment])
    make_registry(backend, clock).start(definition, actor="me")
    assert list(scope_of(settings, backend, frozenset(Lane), clock).arms()) == [
        ("control", settings.model),
        ("experimental", "musicnn"),
    ]


def test_the_fallback_is_called_what_records_call_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or its zeros would stand beside its figures for ever."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nothing")
    settings = Settings(data=tmp_path, fallback="openai")
    scope = scope_of(settings, connect(settings), frozenset(Lane), ManualClock())
    client = make_client(settings)
    try:
        assert scope.fallback == client.name
    finally:
        client.close()


def test_a_worker_with_the_settings_as_they_ship_is_found(tmp_path: Path) -> None:
    """One that is started by hand beside others is watched as they are; nobody watches where that was forbidden."""
    for settings, watched in ((Settings(data=tmp_path), True), (Settings(data=tmp_path, metrics_port=0), False)):
        with watching(settings, connect(settings), frozenset(Lane)) as watchers:
            assert (watchers.metrics is not None) == watched
            assert [target.role for target in targets(tmp_path)] == ([Server.WORKER] if watched else [])
