"""The folder a Qwen2-Audio model lies in: whether it is one, and a fingerprint of what it holds.

Looks at files and imports no inference library, so that the worker's main process and the command line can ask.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from earmark.errors import ConfigurationError

MODEL_TYPE: Final = "qwen2_audio"
"""What ``config.json`` calls the architecture."""
END_BYTES: Final = 1 << 20
"""How much of either end of a file of weights goes into the fingerprint."""
VERSION_DIGITS: Final = 12
"""Hex digits of a fingerprint: 48 bits."""

_SMALL_FILES = ("*.json", "*.txt", "*.jinja")
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_INDEX = "model.safetensors.index.json"
_HEADER_MOST_BYTES = 100_000_000  # the format's own limit
_REMEDY = (
    "Name a folder that holds Qwen2-Audio as transformers saves it (config.json, tokenizer.json, *.safetensors), "
    "such as a complete download of Qwen/Qwen2-Audio-7B-Instruct."
)


def is_folder_name(path: str) -> bool:
    """Whether a model's path means a folder here, and not a name on the hub: it is there, or is not ``owner/name``."""
    return Path(path).expanduser().exists() or re.fullmatch(r"\w[\w.-]*/[\w.-]+", path) is None


def folder_version(path: str | Path) -> str:
    """A short fingerprint of a model's folder; another model, tokenizer or configuration gives another.

    Small files (configuration, tokenizer, chat template) count whole, each file of weights by its size and by its
    first and last MiB: 16 GB take milliseconds.  So weights that were changed by hand somewhere in the middle, at the
    same size, go unnoticed; a training run changes the ends too.  Where the folder lies does not count, nor does
    anything else in it.

    Raises:
        ConfigurationError: there is no such folder, or no complete Qwen2-Audio in it.
    """
    folder = Path(path).expanduser()
    try:
        weights = check_folder(folder)
        digest = hashlib.sha256()
        for file in sorted({found for pattern in _SMALL_FILES for found in folder.glob(pattern)}):
            content = file.read_bytes()
            digest.update(f"{file.name}\0{len(content)}\0".encode())
            digest.update(content)
        for file in weights:
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            for end in _ends(file):
                digest.update(end)
    except OSError as error:
        raise _refused(folder, f"cannot be read: {error.strerror or error}") from error
    return digest.hexdigest()[:VERSION_DIGITS]


def check_folder(folder: Path) -> list[Path]:
    """The files of weights in a folder, sorted by name, after a look at whether all that is needed is there.

    Raises:
        ConfigurationError: what is wrong, with the path and the remedy.
        OSError: something in it cannot be read.
    """
    if not folder.is_dir():
        raise _refused(folder, "is not a folder" if folder.exists() else "is not there")
    model_type = _json_object(folder, "config.json").get("model_type")
    if model_type != MODEL_TYPE:
        raise _refused(folder, f"holds a model of type {model_type!r}, not {MODEL_TYPE!r}")
    if not any(all((folder / name).is_file() for name in names) for names in _TOKENIZERS):
        raise _refused(folder, "holds no tokenizer")
    weights = sorted(folder.glob("*.safetensors"))
    if (folder / _INDEX).is_file():
        named = _json_object(folder, _INDEX).get("weight_map")
        wanted = {str(name) for name in named.values()} if isinstance(named, dict) else set()
        if missing := sorted(wanted - {file.name for file in weights}):
            raise _refused(folder, f"lacks {', '.join(missing)}")
    if not weights:
        raise _refused(folder, "holds no *.safetensors")
    for file in weights:
        _check_whole(folder, file)
    return weights


def _check_whole(folder: Path, file: Path) -> None:
    """Refuse a file whose header does not account for its size: a download that was cut short, or a pointer to one."""
    try:
        header = _header(file)
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        wanted = _header_bytes(file) + max(ends, default=0)
    except (ValueError, KeyError, TypeError, IndexError):
        raise _refused(
            folder, f"holds {file.name}, which is no safetensors file (of Git LFS, maybe only the pointer)"
        ) from None
    if (size := file.stat().st_size) != wanted:
        raise _refused(folder, f"holds {file.name} with {size} of its {wanted} bytes")


def _header_bytes(file: Path) -> int:
    with file.open("rb") as stream:
        return 8 + int.from_bytes(stream.read(8), "little")


def _header(file: Path) -> dict[str, Any]:
    length = _header_bytes(file) - 8
    if length > _HEADER_MOST_BYTES:
        message = "no header"
        raise ValueError(message)
    with file.open("rb") as stream:
        stream.seek(8)
        header = json.loads(stream.read(length))
    if not isinstance(header, dict):
        message = "no header"
        raise TypeError(message)
    return header


def _ends(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        yield stream.read(END_BYTES)
        stream.seek(max(END_BYTES, file.stat().st_size - END_BYTES))
        yield stream.read(END_BYTES)


def _json_object(folder: Path, name: str) -> dict[str, Any]:
    try:
        read = json.loads((folder / name).read_bytes())
    except FileNotFoundError:
        raise _refused(folder, f"holds no {name}") from None
    except ValueError:
        raise _refused(folder, f"holds a {name} that is not JSON") from None
    if not isinstance(read, dict):
        raise _refused(folder, f"holds a {name} that is no JSON object")
    return read


def _refused(folder: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{folder} {why}.  {_REMEDY}")
