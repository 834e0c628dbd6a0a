"""Recordings whose content is known from where they are kept: Debian packages, and what lies where in them.

``sources.tsv`` lists package, file pattern, content type, language and how many files to take at most.
"""

from __future__ import annotations

import csv
import hashlib
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ

Samples = NDArray[np.float32]

LISTED = Path(__file__).with_name("sources.tsv")
TOOLS = (
    "asterisk-core-sounds-en", "flite", "libflite1", "fortunes", "fluid-soundfont-gm", "timgm6mb-soundfont",
    "csound-soundfont", "musescore-general-soundfont-small",
)  # fmt: skip
"""Packages that are used otherwise: wording, voices, sentences, instruments."""


@dataclass(frozen=True, slots=True)
class Source:
    """Some files of a package, alike in content."""

    package: str
    files: str
    content_type: str
    language: str
    most: int


def listed() -> list[Source]:
    """The rows of ``sources.tsv``."""
    with LISTED.open(newline="", encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return [
            Source(row["package"], row["files"], row["content_type"], row["language"], int(row["most"])) for row in rows
        ]


def fetch(package: str, into: Path) -> Path:
    """Download a Debian package and unpack it, unless that was done before.

    Returns:
        The folder that stands for the package's root.

    Raises:
        subprocess.CalledProcessError: apt-get does not know the package, or cannot reach its server.
    """
    root = into / package
    if not root.exists():
        archives = into / "archives"
        archives.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", package], cwd=archives, check=True, capture_output=True)
        [archive] = archives.glob(f"{package}_*.deb")
        partial = into / f"{package}.partial"
        subprocess.run(["dpkg", "-x", archive, partial], check=True)
        partial.rename(root)
    return root


def files_of(source: Source, root: Path) -> list[Path]:
    """The files of a source, at most ``most`` of them, chosen evenly by a hash of their names."""
    wanted = [
        path
        for path in root.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and fnmatch(str(path), source.files)
        and (source.content_type == "speech" or "_desc" not in path.name)
    ]
    return sorted(wanted, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())[: source.most]


def read(path: Path, longest_s: float = 40.0) -> Samples:
    """The first part of a recording as mono float32 at 16 kHz.

    Raises:
        av.FFmpegError: the file cannot be decoded.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=CLIP_RATE_HZ)
    parts: list[Samples] = []
    count = 0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts += [each.to_ndarray().reshape(-1).astype(np.float32) for each in resampler.resample(frame)]
            count += frame.samples
            if count >= longest_s * frame.sample_rate:
                break
    return np.concatenate([*parts, np.zeros(0, np.float32)])[: int(longest_s * CLIP_RATE_HZ)]
