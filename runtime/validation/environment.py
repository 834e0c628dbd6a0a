"""``Environment``: what a figure was measured on and with."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workers.models.catalogue import ModelSpec
from workers.validation.memory import gpu_names
from workers.validation.subject import Subject


@dataclass(frozen=True, slots=True)
class Environment:
    """What does not change while the model runs."""

    spec: ModelSpec
    facts: Mapping[str, str]

    def now(self, subject: Subject) -> dict[str, str]:
        """All facts by name, with what only the running model tells."""
        facts = {
            "model": self.spec.name,
            "version": self.spec.version,
            "engine": subject.engine or self.spec.engine or "of its own",
            "prompt version": subject.prompt_version or self.spec.prompt_version or "none",
            "device": self._device(subject),
            **self.facts,
        }
        if self.spec.regions is not None:
            facts["cost of this validation"] = f"{subject.cost_usd:.4f} USD"
        return facts

    def _device(self, subject: Subject) -> str:
        if self.spec.regions is not None:
            return "at a provider"
        if subject.on_gpu is None:
            return "it does not run"
        return "NVIDIA GPU" if subject.on_gpu else "this machine's processor"


def _told(name: str, value: object) -> bool:
    """Whether an option is worth a line; threads have one of their own."""
    return name != "threads" and value not in ("", None)


def environment_of(spec: ModelSpec) -> Environment:
    """What is known before the model runs."""
    versions = {name: _version(name) for name in ("earmark", *spec.packages)}
    provider = spec.options.get("provider")
    asked = {
        "provider": f"{provider.get('url')}, model {provider.get('model')}",
        "requests at once": f"{provider.get('concurrency')} at most, whatever the size of a batch",
    } if isinstance(provider, Mapping) else {}  # fmt: skip
    settings = {name: str(value) for name, value in spec.options.items() if _told(name, value) and not asked}
    return Environment(
        spec,
        {
            **asked,
            **{f"option {name}": value for name, value in settings.items()},
            "threads": str(spec.options["threads"]),
            "processor": f"{_processor()}, {os.cpu_count()} cores",
            "memory": _memory(),
            "GPU": ", ".join(gpu_names()) or "none found",
            "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
            **versions,
        },
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return "unknown"
    return f"{size / 2**30:.1f} GiB"
