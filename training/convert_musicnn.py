"""Convert the two MusiCNN checkpoints of the `musicnn` package to the one ONNX file the listener runs.

    python -m training.convert_musicnn --download
    python -m training.convert_musicnn --wheel musicnn-0.1.0-py3-none-any.whl

The file holds the checkpoints' own variables, bit for bit, under their own names with the checkpoint's name in
front (`msd/conv2d/kernel`); everything derived from them is computed by nodes that have only constants as
inputs, which onnxruntime evaluates once while it loads the file.  The file therefore stays small, and anybody can
check the weights against the package.  `training.musicnn_graph` says what the graph computes, and why that way.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from training.musicnn_graph import build_model
from training.tensorflow_bundle import read_bundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "musicnn"
VERSION = "0.1.0"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
CHECKPOINTS = {"msd": "MSD_musicnn", "mtt": "MTT_musicnn"}
"""Our name of each checkpoint, and its folder in the wheel."""

WEIGHTS = Path(__file__).resolve().parent.parent / "workers" / "models" / "listener" / "weights"


def read_checkpoints(wheel: Path) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Read the variables of both networks from the wheel, without the optimiser's.

    Raises:
        ValueError: the wheel is not the release this script was written for.
    """
    if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != WHEEL_SHA256:
        message = f"{wheel} is not {PACKAGE} {VERSION}: its sha256 is {found}, not {WHEEL_SHA256}"
        raise ValueError(message)
    checkpoints = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, folder in CHECKPOINTS.items():
            stem = f"{PACKAGE}/{folder}/"
            variables = read_bundle(archive.read(stem + ".index"), archive.read(stem + ".data-00000-of-00001"))
            checkpoints[name] = {
                key: value for key, value in variables.items() if "/Adam" not in key and not key.startswith("beta")
            }
    return checkpoints


def read_labels(wheel: Path) -> dict[str, list[str]]:
    """Read the two label lists, each in the order of its network's outputs, from the package's source."""
    with zipfile.ZipFile(wheel) as archive:
        source = archive.read(f"{PACKAGE}/configuration.py").decode()
    return {name: _string_list(source, f"{name.upper()}_LABELS") for name in CHECKPOINTS}


def _string_list(source: str, variable: str) -> list[str]:
    """Find the module-level list of strings assigned to a variable, without running the source."""
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == variable for target in statement.targets
        ):
            return [str(item) for item in ast.literal_eval(statement.value)]
    message = f"{variable} is not in the package's configuration"
    raise ValueError(message)


def convert(wheel: Path) -> bytes:
    """Build the ONNX file; the same wheel gives the same bytes."""
    metadata = {f"{name}_labels": json.dumps(labels) for name, labels in read_labels(wheel).items()}
    metadata |= {"source": f"{PACKAGE} {VERSION}", "source_sha256": WHEEL_SHA256, "licence": "ISC"}
    return build_model(read_checkpoints(wheel), metadata)


def download(folder: Path) -> Path:
    """Fetch the wheel from the configured package index, without its dependencies."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*command, f"{PACKAGE}=={VERSION}"], check=True)  # fixed arguments
    return next(folder.glob("*.whl"))


def main() -> None:
    """Convert, write the file and the package's licence beside it, and say the file's sha256."""
    parser = argparse.ArgumentParser(description="Convert MusiCNN to the ONNX file the listener runs.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE} {VERSION}")
    source.add_argument("--download", action="store_true", help="fetch the wheel with pip")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the folder to write to (default: %(default)s)")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        wheel = download(Path(scratch)) if arguments.download else arguments.wheel
        model = convert(wheel)
        with zipfile.ZipFile(wheel) as archive:
            licence = archive.read(f"{PACKAGE}-{VERSION}.dist-info/LICENSE.md")
    (arguments.out / "musicnn.onnx").write_bytes(model)
    (arguments.out / "musicnn.LICENCE").write_bytes(licence)
    sys.stdout.write(f"{hashlib.sha256(model).hexdigest()}  musicnn.onnx ({len(model)} bytes)\n")


if __name__ == "__main__":
    main()
