"""Who serves the lanes of a replay: the workers there are, or one of our own on a model that none of them runs.

Replays on another model go to private lanes in a folder that ends with the command.  Everything else is the backend's:
uploads, results, warehouse and letters; and the job keeps its pipeline version, so that its record takes its place.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from earmark.ports import Queue
from earmark.settings import Settings
from earmark.vocabulary import Lane
from runtime.backend import Backend
from runtime.wiring import connect, open_worker
from workers.models.catalogue import find_model


@dataclass(frozen=True, slots=True)
class Served:
    """Lanes that somebody serves."""

    lanes: Mapping[Lane, Queue]
    dead: Queue
    own: bool = False
    """Whether a worker of ours serves them, which ends with the command."""
    check: Callable[[], None] = lambda: None
    """Raises what our worker died of."""
    end: Callable[[], None] = lambda: None
    """Lets our worker finish its batch, and no more."""


@contextmanager
def serving(settings: Settings, backend: Backend, model: str, stop: threading.Event) -> Iterator[Served]:
    """The lanes to put jobs in: the backend's, or with a model's name those of a worker that starts here.

    Raises:
        ConfigurationError: there is no such model, or its packages are not installed.
    """
    if not model:
        yield Served(backend.lanes, backend.dead)
        return
    spec = find_model(model, settings)
    crash: list[BaseException] = []
    ended = threading.Event()

    def check() -> None:
        if crash:
            raise crash[0]

    with tempfile.TemporaryDirectory(prefix="earmark-replay-") as folder:
        private = connect(settings.model_copy(update={"backend": "local", "data": Path(folder)}))
        with open_worker(settings, replace(backend, lanes=private.lanes), spec=spec) as worker:

            def work() -> None:
                try:
                    worker.run(ended)
                except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
                    crash.append(error)

            thread = threading.Thread(target=work, name="worker")

            def end() -> None:
                if stop.is_set():
                    worker.hurry()
                ended.set()
                thread.join()

            thread.start()
            try:
                yield Served(private.lanes, private.dead, own=True, check=check, end=end)
            finally:
                end()
