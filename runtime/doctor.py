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
from pathlib import Path

from rich.console import Console

from earmark.errors import EarmarkError
from earmark.settings import Settings
from runtime import exit_status
from runtime.cascading import make_client
from runtime.wiring import configured_pipeline, connect
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool
from workers.model_process import ModelProcess
from workers.models.catalogue import find_model

FREE_BYTES_MIN = 1 << 30
SEE = "See docs/cascade.md and docs/confidence.md."
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


def examine(settings: Settings, *, as_json: bool) -> int:
    """Look at everything, print it, and return the exit status: 4 when something needed does not work."""
    findings = [
        Finding(
            "python",
            sys.version_info >= (3, 11),
            needed=True,
            detail=sys.version.split()[0],
            remedy="Use 3.11 or newer.",
        ),
        _attempt(
            "data folder", lambda: _writable(settings.data), f"Make {settings.data} writable, or set EARMARK_DATA."
        ),
        _attempt("disk", lambda: _space(settings.data), "Free some space; audio is decoded there."),
        _attempt("queues and stores", lambda: _stores(settings), "See the message; `earmark config` says what is set."),
        _attempt("decoder", lambda: _decoder(settings), "Run `make setup`."),
        _attempt(f"model {settings.model}", lambda: _model(settings), "Run `make setup`."),
        *([_attempt("calibration", lambda: _calibration(settings), SEE)] if _calibrations(settings) else []),
        *([_attempt(f"fallback {settings.fallback}", lambda: _fallback(settings), SEE)] if settings.fallback else []),
        *(_package(name, use) for name, use in OPTIONAL.items()),
    ]
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


def vars_of(finding: Finding) -> dict[str, object]:
    """A finding ready for JSON."""
    return {name: getattr(finding, name) for name in Finding.__dataclass_fields__}


def _attempt(name: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(name, works=True, needed=True, detail=look())
    except (EarmarkError, OSError, ImportError) as error:
        return Finding(name, works=False, needed=True, detail=str(error), remedy=remedy)


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return str(folder.resolve())


def _space(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        message = f"{free / 2**30:.1f} GiB free"
        raise OSError(message)
    return f"{free / 2**30:.0f} GiB free"


def _stores(settings: Settings) -> str:
    backend = connect(settings)
    depths = {name: depth() for name, depth in backend.depths.items()}
    backend.results.stat("doctor")
    backend.warehouse.query("jobs_by_hour")
    counts = {name: (depth.waiting or 0) + (depth.delayed or 0) + depth.leased for name, depth in depths.items()}
    return ", ".join(f"{name} {count}" for name, count in counts.items()) + f" jobs, backend {settings.backend}"


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


def _model(settings: Settings) -> str:
    spec = find_model(settings.model, settings)
    model = ModelProcess(spec.factory, spec.options, start_timeout_s=settings.model_start_timeout_s)
    try:
        model.start()
    finally:
        model.close()
    return f"version {spec.version} loads"


def _calibrations(settings: Settings) -> list[Path]:
    """The artefacts that are set."""
    return [path for path in (settings.calibration, settings.fallback_calibration) if path is not None]


def _calibration(settings: Settings) -> str:
    """Look whether the artefacts can be read and were made for what runs."""
    return f"{', '.join(map(str, _calibrations(settings)))}; pipeline {configured_pipeline(settings)}"


def _fallback(settings: Settings) -> str:
    """Look whether the provider is there, takes the key and has the model; that costs nothing."""
    client = make_client(settings)
    client.check()
    return f"{client.name} answers"


def _package(name: str, use: str) -> Finding:
    try:
        return Finding(name, works=True, needed=False, detail=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            name, works=False, needed=False, detail="not installed, not needed on one machine", remedy=f"For {use}"
        )
