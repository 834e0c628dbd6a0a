"""The folder of a Qwen2-Audio: its fingerprint, and what is wrong with others."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from earmark.errors import ConfigurationError
from tests.tiny_qwen import TINY_QWEN, edited_json
from workers.models import weights_folder
from workers.models.weights_folder import folder_version, is_folder_name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(TINY_QWEN, tmp_path / "model"))


def test_the_version_is_that_of_the_content(folder: Path) -> None:
    """Not of the place, nor of the page beside it."""
    (folder / "README.md").write_text("another page")
    assert folder_version(folder) == folder_version(str(TINY_QWEN))
    assert len(folder_version(folder)) == 12
    assert int(folder_version(folder), 16) >= 0


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json", "chat_template.jinja"])
def test_every_small_file_counts(folder: Path, name: str) -> None:
    """A space more is another version."""
    before = folder_version(folder)
    with (folder / name).open("a") as file:
        file.write(" ")
    assert folder_version(folder) != before


@pytest.mark.parametrize("where", ["first", "last"])
def test_weights_count_at_both_ends(folder: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed number in the first or the last piece is another version; 16 GB are never read."""
    monkeypatch.setattr(weights_folder, "END_BYTES", 65536)
    before = folder_version(folder)
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[40_000 if where == "first" else -7] ^= 1
    weights.write_bytes(content)
    assert folder_version(folder) != before


def test_shards_that_the_index_names_must_be_there(folder: Path) -> None:
    """A download that lost a part says which."""
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigurationError, match=r"lacks model-00002-of-00002\.safetensors"):
        folder_version(folder)


def test_no_folder(tmp_path: Path) -> None:
    """A path that is not there, or is a file, is named with the remedy."""
    with pytest.raises(ConfigurationError, match=r"nowhere is not there\.  Name a folder .*Qwen2-Audio-7B-Instruct"):
        folder_version(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="file is not a folder"):
        folder_version(tmp_path / "file")


def test_another_model(folder: Path) -> None:
    """The type is said."""
    edited_json(folder / "config.json", model_type="whisper")
    with pytest.raises(ConfigurationError, match="of type 'whisper', not 'qwen2_audio'"):
        folder_version(folder)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("config.json", "holds no config.json"),
        ("tokenizer.json", "holds no tokenizer"),
        ("model.safetensors", r"holds no \*.safetensors"),
    ],
)
def test_a_file_that_is_missing(folder: Path, name: str, why: str) -> None:
    """Each file that is needed is asked for."""
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match=why):
        folder_version(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_configuration_that_cannot_be_read(folder: Path, content: bytes) -> None:
    """Half a file, or something else under its name."""
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"config\.json that is (not JSON|no JSON object)"):
        folder_version(folder)


def test_weights_cut_short(folder: Path) -> None:
    """A download that stopped says how much is there, and a pointer of Git LFS what it may be."""
    weights = folder / "model.safetensors"
    whole = weights.stat().st_size
    with weights.open("r+b") as file:
        file.truncate(whole - 100)
    with pytest.raises(ConfigurationError, match=f"with {whole - 100} of its {whole} bytes"):
        folder_version(folder)
    weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n")
    with pytest.raises(ConfigurationError, match="Git LFS"):
        folder_version(folder)


@pytest.mark.parametrize("path", ["./model", "../model", "~/model", "/models/qwen", "models/qwen/7b", "model", ""])
def test_what_is_a_folder(path: str, tmp_path: Path) -> None:
    """Nobody asks the hub about what can only be a path, or about a folder that is there."""
    assert is_folder_name(path)
    assert is_folder_name(str(tmp_path))
    assert not is_folder_name("Qwen/Qwen2-Audio-7B-Instruct")


def test_no_inference_library_is_imported() -> None:
    """The worker's main process and the command line stay light."""
    code = (
        f"import sys; from workers.models.weights_folder import folder_version; folder_version({str(TINY_QWEN)!r}); "
        "sys.exit(bool({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
