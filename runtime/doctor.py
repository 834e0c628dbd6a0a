"""``earmark doctor``: what is installed, what works, and what to do about the rest."""

import hashlib
import importlib.metadata
import json
import shutil
import sys
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from earmark.errors import EarmarkError
from earmark.settings import Settings
from runtime import exit_status
from runtime.backend import Backend, QueueDepth
from runtime.cascading import make_client
from runtime.looking import nothing_there
from runtime.needs import NEEDS, Needs
from runtime.pulse import heard
from runtime.wiring import configured_pipeline, connect
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
from workers.model_process import ModelProcess
from workers.models.catalogue import check_packages, find_model, find_provider
from workers.models.weights_folder import folder_version, is_folder_name

if TYPE_CHECKING:
    from workers.models.openai_compatible import OpenAICompatible

FREE_BYTES_MIN = 1 << 30
SEE = "See docs/cascade.md and docs/confidence.md."
PARTS_REMEDY = "See the message; `earmark config` says what is set."
NOBODY: Final = "doctor"
"""A name that no object of ours has."""
WORKER: Final = "worker"
OPTIONAL = {
    "torch": "Qwen2-Audio: install torch for your machine first",
    "transformers": "Qwen2-Audio: pip install --editable '.[qwen2-audio]'",
    "openai": "OpenAI, vLLM and others: pip install --editable '.[openai]'",
    "google-cloud-pubsub": "queues on Google Cloud: pip install google-cloud-pubsub",
    "google-cloud-storage": "objects on Google Cloud: pip install google-cloud-storage",
    "google-cloud-bigquery": "a warehouse on Google Cloud: pip install google-cloud-bigquery",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    works: bool
    needed: bool
    detail: str
    remedy: str = ""


def examine(settings: Settings, *, as_json: bool, load_model: bool = False) -> int:
    """Look at everything that this role needs, print it, and return the exit status: 4 when some of it does not work.

    Args:
        settings: with the role.
        as_json: print JSON.
        load_model: load the model also where a worker may have it, which takes the room for a second one.
    """
    findings = _look(settings, load_model=load_model)
    if as_json:
        sys.stdout.write(json.dumps([vars_of(finding) for finding in findings], indent=1) + "\n")
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            mark, style = ("ok", "green") if finding.works else ("missing", "red" if finding.needed else "yellow")
            console.print(f"{mark:8}", style=style, end="")
            remedy = "" if finding.works else f"  → {finding.remedy}"
            console.print(f"{finding.name:24} {finding.detail}{remedy}", markup=False)
    return exit_status.UNAVAILABLE if any(finding.needed and not finding.works for finding in findings) else 0


def _look(settings: Settings, *, load_model: bool) -> list[Finding]:
    needs = NEEDS[settings.role]
    findings = [
        Finding(
            "python",
            sys.version_info >= (3, 11),
            needed=True,
            detail=sys.version.split()[0],
            remedy="Use 3.11 or newer.",
        ),
        _data_folder(settings),
        _attempt("disk", lambda: _space(settings.data), "Free some space; audio is decoded there."),
        *_parts(settings, needs),
    ]
    if needs.names_jobs:
        findings.append(_attempt("pipeline", lambda: _pipeline(settings), SEE))
    if needs.hears:
        findings.append(_attempt("decoder", lambda: _decoder(settings), "Run `make setup`."))
        model = partial(_model, settings, load=load_model)
        findings.append(_attempt(f"model {settings.model}", model, "Run `make setup`."))
        if settings.fallback:
            findings.append(_attempt(f"fallback {settings.fallback}", lambda: _fallback(settings), SEE))
    if not settings.role:
        findings += [_package(name, use) for name, use in OPTIONAL.items()]
    return findings


def _parts(settings: Settings, needs: Needs) -> list[Finding]:
    """Each queue, bucket and the warehouse by itself, so that one that is away hides no other."""
    if nothing_there(settings):
        return []
    try:
        backend = connect(settings, late=True)
    except EarmarkError as error:
        return [Finding("backend", works=False, needed=True, detail=str(error), remedy=PARTS_REMEDY)]
    looks: dict[str, Callable[[], str]] = {
        f"queue {name}": partial(_queue, backend.depths[name]) for name in needs.queues
    }
    looks |= {f"bucket {name}": partial(_bucket, backend, name) for name in needs.buckets}
    looks["warehouse"] = lambda: _warehouse(settings, backend)
    return [_attempt(name, look, PARTS_REMEDY) for name, look in looks.items()]


def vars_of(finding: Finding) -> dict[str, object]:
    """A finding ready for JSON."""
    return {name: getattr(finding, name) for name in Finding.__dataclass_fields__}


def _attempt(name: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name, works=True, needed=True, detail=look())
    except (EarmarkError, OSError, ImportError) as error:
        return Finding(name, works=False, needed=True, detail=str(error), remedy=remedy)


def _data_folder(settings: Settings) -> Finding:
    """Whether it can be written; one that is not there is not made, and is a fault where somebody named it."""
    name, missing = "data folder", nothing_there(settings)
    if not missing:
        return _attempt(name, lambda: _writable(settings.data), f"Make {settings.data} writable, or set EARMARK_DATA.")
    remedy = "Name the folder that is meant; the first job makes a new one."
    return Finding(name, works="data" not in settings.model_fields_set, needed=True, detail=missing, remedy=remedy)


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return str(folder.resolve())


def _space(folder: Path) -> str:
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES_MIN:
        message = f"{free / 2**30:.1f} GiB free"
        raise OSError(message)
    return f"{free / 2**30:.0f} GiB free"


def _queue(depth: Callable[[], QueueDepth]) -> str:
    found = depth()
    return f"{(found.waiting or 0) + (found.delayed or 0) + found.leased} jobs"


def _bucket(backend: Backend, name: str) -> str:
    backend.bucket(name).stat(NOBODY)
    return "answers"


def _warehouse(settings: Settings, backend: Backend) -> str:
    backend.warehouse.query("jobs_by_hour")
    return f"answers, backend {settings.backend}"


def _decoder(settings: Settings) -> str:
    """Decode a tenth of a second of silence in the sandbox."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "silence.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(bytes(3200))
        with DecoderPool(1, DecodeLimits(wall_s=settings.decode_timeout_s), Path(folder)) as pool:
            pool.discard(pool.decode("doctor", path, hashlib.sha256(path.read_bytes()).hexdigest()))
    return f"PyAV {importlib.metadata.version('av')} decodes in its sandbox"


def _model(settings: Settings, *, load: bool) -> str:
    """Load it, unless a worker may have it: a second one beside it would take memory that jobs are heard in."""
    spec = find_model(settings.model, settings)
    check_packages(spec)
    if spec.regions is not None:
        from workers.models.openai_compatible import OpenAICompatible  # noqa: PLC0415  # takes a second to import

        return _asked(OpenAICompatible(find_provider(settings, settings.model_provider)))
    if settings.model_path and is_folder_name(settings.model_path):
        folder_version(settings.model_path)
    workers = len(heard(settings.data))
    if not load and (workers or settings.role == WORKER):
        has = "a worker here has it" if workers else "no worker here has it yet"
        return f"version {spec.version} is installed; {has}, and `--model` would load another"
    model = ModelProcess(spec.factory, spec.options, start_timeout_s=settings.model_start_timeout_s)
    try:
        model.start()
    finally:
        model.close()
    return f"version {spec.version} loads"


def _pipeline(settings: Settings) -> str:
    """What answers are named after; artefacts of calibration are read, and must have been made for what runs."""
    return configured_pipeline(settings)


def _fallback(settings: Settings) -> str:
    """The same of the fallback's."""
    return _asked(make_client(settings))


def _asked(client: "OpenAICompatible") -> str:
    """Look whether a provider is there, takes the key and has the model; that costs nothing."""
    client.check()
    return f"{client.name} answers"


def _package(name: str, use: str) -> Finding:
    try:
        return Finding(name, works=True, needed=False, detail=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            name, works=False, needed=False, detail="not installed, not needed on one machine", remedy=f"For {use}"
        )
