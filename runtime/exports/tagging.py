"""``Tagging``: has tags written into a copy of an audio file, by a child process that can be lost."""

import logging
import os
import signal
import subprocess
import sys
import threading
from typing import BinaryIO, Final

from earmark.errors import InputFault, InputRejected, Unavailable
from earmark.log import event
from runtime.exports.tags import Tags
from workers.decode.child import KEPT_ENVIRONMENT

_log = logging.getLogger(__name__)
PROGRAM: Final = ("-P", "-m", "runtime.exports.tag_writer")
"""Arguments of the interpreter; ``-P`` keeps modules of the working folder out."""
AT_ONCE: Final = 4
TURN_S: Final = 20.0
"""Seconds to wait for one's turn."""
WALL_S: Final = 60.0
"""Seconds that one file may take."""
_REMEDY: Final = "Ask for format=json, jsonld or csv, or send the audio as MP3, FLAC, Ogg, M4A, WAV or AIFF."


class Tagging:
    """Writes tags, a few files at a time."""

    def __init__(self, *, at_once: int = AT_ONCE, wall_s: float = WALL_S, turn_s: float = TURN_S) -> None:
        """Take how many files at the same time, and for how many seconds each; no process is started yet."""
        self._places, self._wall_s, self._turn_s = threading.BoundedSemaphore(at_once), wall_s, turn_s

    def write(self, file: BinaryIO, container: str, tags: Tags) -> None:
        """Write tags into a file, in place.

        Args:
            file: it must be open for reading and writing, and have a descriptor.
            container: what it is, one of ``TAGGED``.
            tags: what to write.

        Raises:
            InputRejected: the file bears no tags, or is too damaged for any.
            Unavailable: too many wait, or no process could be started, or it took too long.
        """
        if not self._places.acquire(timeout=self._turn_s):
            message = "Too many files are being tagged at the moment"
            raise Unavailable(message)
        try:
            status = self._run(file, container, tags)
        finally:
            self._places.release()
        if status:
            event(_log, "tagging.failed", level=logging.WARNING, job_id=tags.analysis, status=status)
            message = "Tags cannot be written into this file: it is damaged, or of a kind that bears none"
            raise InputRejected(InputFault.UNSUPPORTED, message, _REMEDY)
        file.seek(0)

    def _run(self, file: BinaryIO, container: str, tags: Tags) -> int:
        """The exit status of the child."""
        ours, theirs = os.pipe()  # its other end closes when we die
        try:
            child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, *PROGRAM, str(ours), str(file.fileno()), container],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # it would be a stranger's words
                env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
                pass_fds=(ours, file.fileno()),
                process_group=0,
            )
            try:
                child.communicate(tags.model_dump_json().encode(), self._wall_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.communicate()
                return -signal.SIGKILL
            else:
                return child.returncode
        except OSError as error:
            message = f"No process could be started to write tags: {error.strerror}"
            raise Unavailable(message) from error
        finally:
            os.close(ours)
            os.close(theirs)
