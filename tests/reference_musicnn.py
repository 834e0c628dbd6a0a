"""The published MusiCNN graph, step by step in numpy and float64, as slow and as plain as it reads.

It follows the description of the network in "musicnn: pre-trained convolutional neural networks for music audio
tagging" (https://arxiv.org/abs/1909.06654) and takes the checkpoint's variables under TensorFlow's names.  It
shares no code and no rewriting with the converted network: every batch norm, activation, padding and maximum is
done where the publication has it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Variables = dict[str, NDArray[np.float32]]


class Heard(NamedTuple):
    """What the network answers for one patch: tags (50,) and the layer before them (200,)."""

    tags: Array
    features: Array


def hear(patch: Array, variables: Variables) -> Heard:
    """Run the network on one patch (187, 96)."""
    normalised = _batch_norm(patch[:, :, np.newaxis], variables, "batch_normalization")

    padded = np.pad(normalised, ((3, 3), (0, 0), (0, 0)))
    timbral = [
        _front_block(padded, variables, "conv2d", "batch_normalization_1"),
        _front_block(padded, variables, "conv2d_1", "batch_normalization_2"),
    ]
    temporal = []
    for index, length in ((2, 128), (3, 64), (4, 32)):
        same = np.pad(normalised, (((length - 1) // 2, length // 2), (0, 0), (0, 0)))
        temporal.append(_front_block(same, variables, f"conv2d_{index}", f"batch_normalization_{index + 1}"))
    front = np.concatenate(timbral + temporal, axis=1)

    first = _middle_block(front, variables, "conv2d_5", "batch_normalization_6")
    second = _middle_block(first, variables, "conv2d_6", "batch_normalization_7") + first
    third = _middle_block(second, variables, "conv2d_7", "batch_normalization_8") + second
    everything = np.concatenate([front, first, second, third], axis=1)

    pooled = np.stack([everything.max(axis=0), everything.mean(axis=0)], axis=1).reshape(-1)
    pooled = _batch_norm(pooled, variables, "batch_normalization_9")
    hidden = np.maximum(pooled @ variables["dense/kernel"] + variables["dense/bias"], 0.0)
    features = _batch_norm(hidden, variables, "batch_normalization_10")
    logits = features @ variables["dense_1/kernel"] + variables["dense_1/bias"]
    return Heard(1.0 / (1.0 + np.exp(-logits)), features)


def _front_block(image: Array, variables: Variables, layer: str, norm: str) -> Array:
    """Convolution without padding, ReLU, batch norm, maximum over the bands: (frame, channel)."""
    active = np.maximum(_convolve(image, variables, layer), 0.0)
    return np.asarray(_batch_norm(active, variables, norm).max(axis=1))


def _middle_block(features: Array, variables: Variables, layer: str, norm: str) -> Array:
    """Convolution over 7 frames and the whole width, ReLU, batch norm: (frame, channel)."""
    image = np.pad(features, ((3, 3), (0, 0)))[:, :, np.newaxis]
    active = np.maximum(_convolve(image, variables, layer), 0.0)
    return _batch_norm(active, variables, norm)[:, 0, :]


def _convolve(image: Array, variables: Variables, layer: str) -> Array:
    """Cross-correlate (height, width, in) with the layer's kernel, without padding: (height', width', out)."""
    kernel = variables[f"{layer}/kernel"].astype(np.float64)
    windows = sliding_window_view(image, kernel.shape[:2], axis=(0, 1))
    return np.tensordot(windows, kernel, axes=([3, 4, 2], [0, 1, 2])) + variables[f"{layer}/bias"]


def _batch_norm(values: Array, variables: Variables, norm: str) -> Array:
    """Normalise the last axis with the stored mean and variance."""
    deviation = np.sqrt(variables[f"{norm}/moving_variance"].astype(np.float64) + 1e-3)
    centred = (values - variables[f"{norm}/moving_mean"]) / deviation
    return np.asarray(centred * variables[f"{norm}/gamma"] + variables[f"{norm}/beta"])
