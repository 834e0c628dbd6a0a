"""SIGTERM and Ctrl-C, asked for by whoever has something to finish first."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handled(handler: Callable[[], None]) -> Iterator[None]:
    """Call a handler for each of the two signals for as long as the context lasts."""

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        handler()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that the signals set; a second one ends the command at once, which must be safe too."""
    stop = threading.Event()

    def ask() -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    with handled(ask):
        yield stop
