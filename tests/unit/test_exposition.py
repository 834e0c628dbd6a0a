"""A process's figures at an address of their own, how Prometheus is told of it, and what keeps neither waiting."""

import json
import logging
import os
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from earmark.errors import ConfigurationError
from earmark.settings import Settings
from runtime.metrics import exposition
from runtime.metrics.exposition import FOLDER, Note, address_of, serving_metrics
from runtime.metrics.metric import Server
from runtime.metrics.targets import NOTED_S, Target, targets
from runtime.worker_name import own_name

WAIT_S = 20.0


def get(address: str, path: str = "/metrics") -> str:
    """A page."""
    with urllib.request.urlopen(f"http://{address}{path}", timeout=WAIT_S) as answer:
        return str(answer.read().decode())


@pytest.fixture
def registry() -> CollectorRegistry:
    """With one figure."""
    made = CollectorRegistry()
    Counter("earmark_test_things", "Things.", registry=made).inc(3)
    return made


def set_up(data: Path, port: int = -1) -> Settings:
    """Settings of a folder."""
    return Settings(data=data, metrics_port=port)


def test_figures_are_served_and_noted_for_as_long_as_the_process_lasts(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    """At one path, on any port that is free; afterwards nothing is left of it."""
    with serving_metrics(set_up(tmp_path), Server.WORKER, registry):
        [target] = targets(tmp_path)
        assert target.role is Server.WORKER
        assert "earmark_test_things_total 3.0" in get(target.address).splitlines()
        assert "_created" not in get(target.address)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(target.address, "/")
    assert targets(tmp_path) == []
    with pytest.raises(OSError, match="refused"):
        get(target.address)


def test_where_no_port_is_set_any_is_taken_and_the_log_says_which(
    tmp_path: Path, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """So that whoever starts a process by hand need not know of ports."""
    caplog.set_level(logging.INFO)
    with serving_metrics(Settings(data=tmp_path), Server.CONTROLLER, registry):
        [target] = targets(tmp_path)
        assert "earmark_test_things_total 3.0" in get(target.address).splitlines()
    [told] = [record for record in caplog.records if record.message == "metrics.served"]
    assert vars(told)["fields"] == {"role": "controller", "address": target.address}


def test_where_it_is_forbidden_nothing_is_served(tmp_path: Path, registry: CollectorRegistry) -> None:
    """By the port 0, as where nobody collects figures and several processes share an address."""
    with serving_metrics(set_up(tmp_path, 0), Server.WORKER, registry):
        assert targets(tmp_path) == []
        assert not (tmp_path / FOLDER).exists()


def test_a_port_that_is_taken_is_a_wrong_setting(tmp_path: Path, registry: CollectorRegistry) -> None:
    """The message names it, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        serving = serving_metrics(set_up(tmp_path, port), Server.WORKER, registry)
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*Choose another metrics_port"), serving:
            pass


def test_no_scrape_waits_for_what_is_sampled(tmp_path: Path, registry: CollectorRegistry) -> None:
    """A store that hangs is looked at in the background."""
    begun, go = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        assert go.wait(WAIT_S)

    with serving_metrics(set_up(tmp_path), Server.ROUTER, registry, [hang]):
        assert begun.wait(WAIT_S)
        assert "earmark_test_things_total 3.0" in get(targets(tmp_path)[0].address)
        go.set()


def test_a_client_that_says_nothing_keeps_no_other_waiting(tmp_path: Path, registry: CollectorRegistry) -> None:
    """Each request has a thread, and a time."""
    with serving_metrics(set_up(tmp_path), Server.ROUTER, registry):
        host, _, port = targets(tmp_path)[0].address.partition(":")
        with socket.create_connection((host, int(port))):
            assert "earmark_test_things" in get(f"{host}:{port}")


def test_a_client_that_says_nothing_for_long_is_left(
    tmp_path: Path, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its thread ends, and nobody prints a traceback of it."""
    monkeypatch.setattr(exposition._Quiet, "timeout", 0.05)  # ten seconds are long in a test
    with serving_metrics(set_up(tmp_path), Server.ROUTER, registry):
        host, _, port = targets(tmp_path)[0].address.partition(":")
        with socket.create_connection((host, int(port)), WAIT_S) as connection:
            assert connection.recv(1) == b""
    assert capsys.readouterr().err == ""


def test_figures_are_served_at_an_address_of_ipv6(tmp_path: Path, registry: CollectorRegistry) -> None:
    """As in a cluster that has no others."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has none")
    settings = set_up(tmp_path).model_copy(update={"metrics_host": "::1"})
    with serving_metrics(settings, Server.ROUTER, registry):
        address = targets(tmp_path)[0].address
        assert address.startswith("[::1]:")
        assert "earmark_test_things_total 3.0" in get(address)


def test_notes_of_the_dead_are_removed_and_what_is_no_note_is_passed_over(tmp_path: Path) -> None:
    """A process of this machine that was killed, one of another that was not heard of for long, and rubbish."""
    folder = tmp_path / FOLDER
    Note(tmp_path, Server.API, "127.0.0.1:1").write()
    own = next(folder.iterdir())
    host, namespace, _, _ = own_name().split(":")
    content = json.dumps({"role": "worker", "address": "127.0.0.1:2"})
    for name, text in (
        (f"{host}%3A{namespace}%3A{os.getpid()}%3A1", content),
        ("elsewhere%3A1%3A1%3A1", content),
        ("elsewhere%3A1%3A2%3A1", content),
        ("elsewhere%3A1%3A3%3A1", "{"),
        ("elsewhere%3A1%3A4%3A1", '{"role": "king", "address": "127.0.0.1:3"}'),
        (".half", content),
    ):
        (folder / name).write_text(text)
    long_ago = time.time() - NOTED_S - 1
    os.utime(folder / "elsewhere%3A1%3A2%3A1", (long_ago, long_ago))
    assert targets(tmp_path) == [Target(Server.API, "127.0.0.1:1"), Target(Server.WORKER, "127.0.0.1:2")]
    assert own.exists()
    assert len(list(folder.iterdir())) == 6


def test_a_process_that_hangs_stays_among_the_targets(tmp_path: Path) -> None:
    """It touches its note no more, and runs: Prometheus must go on asking it, or nobody hears of it."""
    Note(tmp_path, Server.WORKER, "127.0.0.1:1").write()
    long_ago = time.time() - NOTED_S - 1
    os.utime(next((tmp_path / FOLDER).iterdir()), (long_ago, long_ago))
    assert targets(tmp_path) == [Target(Server.WORKER, "127.0.0.1:1")]


def test_a_note_that_somebody_removed_is_written_again(tmp_path: Path) -> None:
    """As by who clears the folder while it runs."""
    note = Note(tmp_path, Server.API, "127.0.0.1:1")
    note.write()
    for path in (tmp_path / FOLDER).iterdir():
        path.unlink()
    note.touch()
    assert targets(tmp_path) == [Target(Server.API, "127.0.0.1:1")]
    note.remove()
    note.remove()
    assert targets(tmp_path) == []


def test_a_folder_that_cannot_be_written_costs_only_being_found(tmp_path: Path, registry: CollectorRegistry) -> None:
    """Figures are served all the same."""
    (tmp_path / FOLDER).write_text("in the way")
    with serving_metrics(set_up(tmp_path), Server.ROUTER, registry):
        assert targets(tmp_path) == []


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1:9"), ("::", "[::1]:9"), ("10.0.0.1", "10.0.0.1:9"), ("2001:db8::1", "[2001:db8::1]:9")],  # noqa: S104
)
def test_an_address_is_one_that_can_be_called(host: str, address: str) -> None:
    """What listens everywhere is called here."""
    assert address_of(host, 9) == address


def test_a_note_makes_no_data_folder_but_at_the_start(tmp_path: Path) -> None:
    """Later its disk is away, and a new folder in its place would hide that."""
    data = tmp_path / "data"
    note = Note(data, Server.API, "127.0.0.1:1")
    note.touch()
    assert not data.exists()
    note.begin()
    assert list((data / "metrics").iterdir())
