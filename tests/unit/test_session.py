"""Signals, as the commands that work take them."""

import os
import signal
import threading
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from runtime.analyzing.session import _destination, _signals


class Listener:
    """A worker that is told to hurry."""

    hurried = False

    def hurry(self) -> None:
        """Remember it."""
        self.hurried = True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains_and_the_second_hurries(number: int) -> None:
    """A worker that is told twice hands its batch back; afterwards the signals are what they were."""
    stop, worker, before = threading.Event(), Listener(), signal.getsignal(number)
    with _signals(stop, worker, interrupt=False):  # type: ignore[arg-type]  # signals only hurry it
        os.kill(os.getpid(), number)
        assert stop.is_set()
        assert not worker.hurried
        os.kill(os.getpid(), number)
        assert worker.hurried
    assert signal.getsignal(number) is before


def test_a_command_that_waits_is_interrupted_once() -> None:
    """``analyze`` leaves its loop on the first signal and is not interrupted again while it tidies up."""
    stop, worker = threading.Event(), Listener()
    with _signals(stop, worker, interrupt=True):  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert worker.hurried


def test_results_replace_no_device(tmp_path: Path) -> None:
    """A pipe or a device that is named for output stays one; a link stays, and what it leads to is written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match="no regular file"), _destination(pipe):
        pass
    assert pipe.is_fifo()
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    with _destination(link) as stream:
        stream.write("result")
    assert link.is_symlink()
    assert target.read_text() == "result"
