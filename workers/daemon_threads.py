"""``DaemonThreads``: a pool for calls that wait for others, which a process that ends does not wait for.

``concurrent.futures`` joins its threads when the interpreter ends: a provider that takes a minute to answer would keep
a worker that was told to hurry for that minute.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class DaemonThreads:
    """Runs calls in at most so many threads, which are started as they are needed."""

    def __init__(self, most: int, name: str) -> None:
        """Start no thread yet."""
        self._most = most
        self._name = name
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._closed = False

    def submit(
        self, call: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> Future[Result]:
        """Call in one of the threads; raises ``RuntimeError`` once the pool is closed."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                message = f"{self._name} is closed"
                raise RuntimeError(message)
            self._calls.put((future, lambda: call(*arguments, **named)))
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
                name = f"{self._name}-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._run, name=name, daemon=True))
                self._threads[-1].start()
        return future

    def close(self, *, wait_s: float) -> None:
        """Take no more calls, cancel those that wait, and give those under way so many seconds to end."""
        with self._lock:
            self._closed = True
            while not self._calls.empty():
                waiting = self._calls.get()
                if waiting is not None:
                    waiting[0].cancel()
            for _ in self._threads:
                self._calls.put(None)
        ends = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _run(self) -> None:
        while (next_call := self._calls.get()) is not None:
            future, call = next_call
            if not future.set_running_or_notify_cancel():
                self._idle.release()
                continue
            try:
                result, error = call(), None
            except BaseException as raised:  # noqa: BLE001  # whoever waits for it is told
                result, error = None, raised
            self._idle.release()  # before anybody hears of the end: who then submits needs no other thread
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
            del next_call, future, call, result, error
