"""A model in a child process, so that a crash, a hang or running out of memory is an outcome like any other."""

import importlib
import logging
import multiprocessing
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path

from earmark import log
from earmark.domain import Clip, Prediction
from earmark.errors import ModelCrashed, ModelUnavailable, TimedOut, TransientError, Unavailable
from earmark.log import event
from earmark.ports import Model

_log = logging.getLogger(__name__)
_SPAWN = multiprocessing.get_context("spawn")

LEAVE_S = 2.0
"""Seconds a child may take to end by itself."""

Answer = list[Prediction | None]


class ModelProcess:
    """The parent's end: starts the child when it is needed and starts it again after it died.

    Not safe for several threads at once, except ``kill`` and ``end``.
    """

    def __init__(
        self,
        factory: str,
        options: Mapping[str, object],
        *,
        start_timeout_s: float,
        nice: int = 0,
        loaded: Callable[[float, int], None] = lambda _seconds, _pid: None,
    ) -> None:
        """Take ``"package.module:function"``, which called with the options gives a ``Model`` in the child.

        ``nice`` is by how much the child gives way to other processes.  ``loaded`` hears each time the model is ready,
        after how many seconds and as which process.
        """
        self._factory = factory
        self._options = dict(options)
        self._start_timeout_s = start_timeout_s
        self._nice = nice
        self._loaded = loaded
        self._child: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._ended = False
        self.loads = 0
        """How often the model was loaded."""
        self.hardware = ""
        """What it runs on, as ``NVIDIA H100`` or the name of the processor; known once it is loaded."""

    def start(self) -> None:
        """Load the model, if it is not loaded.

        Raises:
            ModelUnavailable: it did not load, with the reason the child gave.
        """
        if self._ended:
            message = "The model was ended; the worker is stopping"
            raise ModelUnavailable(message)
        if self._child is not None and self._child.is_alive():
            return
        self.close()
        began = time.monotonic()
        ours, theirs = _SPAWN.Pipe()
        arguments = (self._factory, self._options, theirs, log.attached(), self._nice)
        child = _SPAWN.Process(target=_serve, args=arguments, name="model", daemon=True)
        # A terminal's Ctrl-C is for the worker alone; the child inherits the mask and is safe from its first moment.
        resource_tracker.ensure_running()  # or starting it, as the first spawn does, would unblock the signal again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            child.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._child, self._connection = child, ours
        if self._ended:  # while the child was started
            self.kill()
        self.loads += 1
        try:
            answered = _answered(child, ours, self._start_timeout_s)
            ready = ours.recv() if answered else TimeoutError(f"no answer within {self._start_timeout_s:g} s")
        except (EOFError, OSError):
            ready = RuntimeError(f"the process ended with {_ending(child)}")
        if not isinstance(ready, str):
            self.kill()
            message = f"The model {self._factory} did not load: {ready}"
            raise ModelUnavailable(message)
        self.hardware = ready
        seconds = round(time.monotonic() - began, 2)
        event(_log, "model.loaded", factory=self._factory, pid=child.pid, hardware=ready, seconds=seconds)
        self._loaded(seconds, child.pid or 0)

    def predict(self, clips: Sequence[Clip], *, timeout_s: float) -> Answer:
        """One answer per clip, in order.

        Raises:
            ModelUnavailable: the model did not load, or says it has no answer for the whole batch.
            Unavailable: a clip cannot be read; neither the model nor the recording is at fault.
            ModelCrashed: the process died over these clips, or the model raised.
            TimedOut: no answer within ``timeout_s``; the process was killed.
        """
        self.start()
        child, connection = self._child, self._connection
        assert child is not None  # noqa: S101  # start() just set both
        assert connection is not None  # noqa: S101
        try:
            connection.send(list(clips))
            if not _answered(child, connection, timeout_s):
                self.kill()
                message = f"No answer in {timeout_s:.0f} s"
                raise TimedOut(message)
            answer = connection.recv()
        except (EOFError, OSError) as error:
            child.join(5)
            message = f"The model's process ended with {_ending(child)}"
            self.kill()
            raise ModelCrashed(message) from error
        if isinstance(answer, BaseException):
            raise answer
        predictions: Answer = answer
        return predictions

    def kill(self) -> None:
        """End the child at once; a prediction under way raises ``ModelCrashed``."""
        if self._child is not None:
            self._child.kill()
            self._child.join()

    def end(self) -> None:
        """End the child at once and for good: whoever asks it now or later gets ``ModelUnavailable``."""
        self._ended = True
        self.kill()

    def close(self) -> None:
        """Hang up, give the child a moment to leave by itself, and forget it."""
        if self._connection is not None:
            self._connection.close()
        if self._child is not None:
            self._child.join(LEAVE_S)
        self.kill()
        self._child = self._connection = None


def _answered(child: multiprocessing.process.BaseProcess, connection: Connection, timeout_s: float) -> bool:
    """Whether there is something to receive, be it the end of the stream; False when the time is up."""
    if child.sentinel in wait([connection, child.sentinel], timeout_s):
        # A dying process closes its files one after another; once it is reaped the stream has ended for certain.
        child.join()
    return connection.poll()


def _ending(child: multiprocessing.process.BaseProcess) -> str:
    code = child.exitcode
    return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"


def load(factory: str, options: dict[str, object]) -> Model:
    """Import ``"package.module:function"`` and call it."""
    module, _, function = factory.partition(":")
    make: Callable[..., Model] = getattr(importlib.import_module(module), function)
    return make(**options)


def _serve(
    factory: str,
    options: dict[str, object],
    connection: Connection,
    attached: log.Attached | None,
    nice: int,
) -> None:
    os.nice(nice)  # before there are threads, which each have a niceness of their own
    if attached is not None:
        attached.again()
    threading.Thread(target=_die_with_parent, daemon=True).start()
    # A model divides its threads itself; BLAS waking its own for every small product costs more than it saves.
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(library, "1")
    try:
        model = load(factory, options)
    except Exception as error:  # noqa: BLE001  # whatever kept it from loading is told to the parent
        connection.send(RuntimeError(f"{type(error).__name__}: {error}"))
        return
    connection.send(str(getattr(model, "hardware", "")) or processor_name())
    while True:
        try:
            clips: list[Clip] = connection.recv()
        except EOFError:
            return
        try:
            connection.send(model.predict(clips))
        except (ModelUnavailable, TimedOut) as error:
            connection.send(error)
        except Exception as error:  # noqa: BLE001  # a model may raise anything; it is a failed try
            connection.send(_told(error, clips))


def _told(error: Exception, clips: Sequence[Clip]) -> TransientError:
    """What the parent is told of an error: a clip that cannot be read is the disk's fault, all else the model's."""
    if isinstance(error, OSError) and str(error.filename) in {str(clip.path) for clip in clips}:
        return Unavailable(f"A decoded clip cannot be read: {error.strerror}.  Is the disk of the data folder there?")
    return ModelCrashed(f"{type(error).__name__}: {error}")


def processor_name(information: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's own name where the system tells it, else its architecture."""
    try:
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.machine() or "unknown"


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
