"""The MusiCNN network as an ONNX graph, laid out for speed on a CPU.

The network is that of J. Pons and X. Serra, "musicnn: pre-trained convolutional neural networks for music audio
tagging" (2019), https://arxiv.org/abs/1909.06654.  Three exact rewritings make it fast; R is the number of frames
in the batch.

**Batch norm after a ReLU.**  With slope s and shift b, s * relu(v) + b is max(s * v + b, b) where s >= 0 and
min(s * v + b, b) where s < 0.  So s goes into the kernel, and what remains is a clip with one bound a channel.
It also commutes with a maximum: as s is in the kernel already, the maximum over frequency of the convolution may
be taken first, and the rest is done on 1/30 or 1/59 of the values.

**Timbral convolutions in the frequency domain.**  A kernel of 7 frames x 38 (or 67) bands slides over 96 bands
and gives 59 (or 30) outputs a frame, of which only the maximum is wanted.  As 96-point Fourier transforms over the
bands, the convolution is a product for each of 49 frequencies, summed over the 7 frames: 49 small matrix products.
The outputs lie symmetrically around a centre; there, the transform back is an even part C (cosines) plus an odd
part S (sines), the outputs at distance j are C(j) + S(j) and C(j) - S(j), and the larger of the two is
C(j) + |S(j)|.  So half of the transform back is never computed.  About a quarter of the multiplications remain.

**Temporal convolutions** (128, 64 and 32 frames x 1 band) stay convolutions, followed by a maximum over the bands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Variables = dict[str, NDArray[np.float32]]

FRAMES = 187
BANDS = 96
EPSILON = 1e-3
"""TensorFlow's default for batch normalisation, which the network uses everywhere."""

_OPSET, _IR_VERSION = 17, 8
_TAPS = 7
"""Frames under a timbral kernel and under the kernels of the middle."""
_FREQUENCIES = BANDS // 2 + 1


class _Graph:
    """The nodes and initializers collected so far."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}
        self._constants: dict[tuple[str, bytes], str] = {}

    def variable(self, name: str, values: NDArray[Any]) -> str:
        """Store values under a name."""
        self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def constant(self, values: object, dtype: type[np.generic] = np.float32) -> str:
        """Store unnamed values, equal ones once."""
        array = np.asarray(values, dtype=dtype)
        key = (f"{array.dtype}{array.shape}", array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.variable(f"constant_{len(self._constants)}", array)
        return self._constants[key]

    def shape(self, *sizes: int) -> str:
        """Store a list of integers: a shape, axes, bounds."""
        return self.constant(sizes, np.int64)

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node with one output and return the output's name."""
        name = output or f"node_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def reshape(self, values: str, *sizes: int) -> str:
        """Append a reshape; -1 stands for what remains, 0 for the size as it is."""
        return self.node("Reshape", values, self.shape(*sizes))

    def cut(self, values: str, axis: int, start: int, stop: int) -> str:
        """Append a slice [start, stop) of one axis."""
        return self.node("Slice", values, self.shape(start), self.shape(stop), self.shape(axis))


class _Network:
    """One checkpoint's network; tensors are (n, channel, frame) unless said otherwise."""

    def __init__(self, graph: _Graph, name: str, variables: Variables) -> None:
        self.graph, self.name, self.values = graph, name, variables
        for key, value in variables.items():
            graph.variable(f"{name}/{key}", value)

    def _variable(self, key: str) -> str:
        return f"{self.name}/{key}"

    def _slope_and_shift(self, index: int) -> tuple[str, str]:
        """The batch norm with this index as x * slope + shift; each (channels,)."""
        graph = self.graph
        stem = self._variable("batch_normalization" + (f"_{index}" if index else ""))
        variance = graph.node("Add", f"{stem}/moving_variance", graph.constant(EPSILON))
        slope = graph.node("Div", f"{stem}/gamma", graph.node("Sqrt", variance))
        shift = graph.node("Sub", f"{stem}/beta", graph.node("Mul", f"{stem}/moving_mean", slope))
        return slope, shift

    def _layer(self, layer: str, norm: int) -> tuple[str, str, str]:
        """A layer's kernel times the slope of the norm after it, the offset that belongs to it, and the shift."""
        slope, shift = self._slope_and_shift(norm)
        kernel = self.graph.node("Mul", self._variable(f"{layer}/kernel"), slope)
        bias = self.graph.node("Mul", self._variable(f"{layer}/bias"), slope)
        return kernel, self.graph.node("Add", bias, shift), shift

    def _activate(self, values: str, norm: int, shift: str, trailing: int, output: str = "") -> str:
        """ReLU and batch norm of values that carry the slope and the offset; see the module's docstring."""
        graph = self.graph
        gamma = self._variable(f"batch_normalization_{norm}/gamma")
        rising = graph.node("Not", graph.node("Less", gamma, graph.constant(0.0)))
        infinity = graph.constant(np.inf)
        lowest = graph.node("Where", rising, shift, graph.node("Neg", infinity))
        highest = graph.node("Where", rising, infinity, shift)
        if trailing:
            lowest, highest = (graph.reshape(bound, -1, *[1] * trailing) for bound in (lowest, highest))
        if not (self.values[f"batch_normalization_{norm}/gamma"] < 0).any():
            return graph.node("Max", values, lowest, output=output)
        return graph.node("Min", graph.node("Max", values, lowest), highest, output=output)

    def normalised(self, patches: str) -> str:
        """The patches (n, frame, band) after the first batch norm."""
        slope, shift = self._slope_and_shift(0)
        return self.graph.node("Add", self.graph.node("Mul", patches, slope), shift)

    def spectra(self, patches: str) -> str:
        """Fourier transforms over the bands of each frame and its neighbours: (frequency, R, 2 * taps).

        The last axis holds the real parts of the 7 frames around one frame, then the imaginary parts.
        """
        graph, reach = self.graph, _TAPS // 2
        padded = graph.node("Pad", patches, graph.shape(0, reach, 0, 0, reach, 0))
        angles = 2 * np.pi / BANDS * np.outer(np.arange(BANDS), np.arange(_FREQUENCIES))
        transform = graph.constant(np.hstack([np.cos(angles), -np.sin(angles)]))
        spectra = graph.node("Transpose", graph.node("MatMul", padded, transform), perm=[2, 0, 1])
        shifted = [graph.cut(spectra, 2, tap, tap + FRAMES) for tap in range(_TAPS)]
        apart = [graph.reshape(frames, 2, _FREQUENCIES, 1, -1) for frames in shifted]
        stacked = graph.node("Concat", *apart, axis=2)
        parts = [graph.reshape(graph.cut(stacked, 0, part, part + 1), _FREQUENCIES, _TAPS, -1) for part in (0, 1)]
        return graph.node("Transpose", graph.node("Concat", *parts, axis=1), perm=[0, 2, 1])

    def timbral(self, spectra: str, layer: str, norm: int) -> str:
        """A convolution over frames and bands, and its maximum over the bands."""
        graph = self.graph
        kernel, offset, shift = self._layer(layer, norm)
        _, width, _, channels = self.values[f"{layer}/kernel"].shape
        positions = BANDS - width + 1
        centre = (positions - 1) / 2
        distances = np.arange(positions // 2, positions) - centre

        # The kernel's transform, turned so that the middle output is the origin: (frequency, tap, channel).
        angles = 2 * np.pi / BANDS * np.outer(np.arange(_FREQUENCIES), np.arange(width) + centre)
        by_band = graph.reshape(graph.node("Transpose", kernel, perm=[1, 0, 2, 3]), width, -1)
        real, imaginary = (
            graph.reshape(graph.node("MatMul", graph.constant(wave), by_band), _FREQUENCIES, _TAPS, channels)
            for wave in (np.cos(angles), np.sin(angles))
        )
        even = graph.node("Concat", real, graph.node("Neg", imaginary), axis=1)
        odd = graph.node("Concat", imaginary, real, axis=1)

        # Every frequency but the first and the last stands for itself and its mirror image.
        weights = np.where(np.isin(np.arange(_FREQUENCIES), [0, _FREQUENCIES - 1]), 1, 2) / BANDS
        back = 2 * np.pi / BANDS * np.outer(distances, np.arange(_FREQUENCIES))
        halves = []
        for factors, wave in ((even, np.cos(back)), (odd, np.sin(back))):
            product = graph.reshape(graph.node("MatMul", spectra, factors), _FREQUENCIES, -1)
            halves.append(graph.node("MatMul", graph.constant(wave * weights), product))
        larger = graph.node("Add", halves[0], graph.node("Abs", halves[1]))
        loudest = graph.reshape(graph.node("ReduceMax", larger, axes=[0], keepdims=0), -1, FRAMES, channels)
        active = self._activate(graph.node("Add", loudest, offset), norm, shift, trailing=0)
        return graph.node("Transpose", active, perm=[0, 2, 1])

    def temporal(self, patches: str, layer: str, norm: int) -> str:
        """A convolution over frames, each band by itself, and its maximum over the bands."""
        length = self.values[f"{layer}/kernel"].shape[0]
        before = (length - 1) // 2
        kernel, offset, shift = self._layer(layer, norm)
        kernel = self.graph.node("Transpose", kernel, perm=[3, 2, 0, 1])
        pads = [before, 0, length - 1 - before, 0]
        convolved = self.graph.node("Conv", patches, kernel, offset, kernel_shape=[length, 1], pads=pads)
        loudest = self.graph.node("ReduceMax", convolved, axes=[3], keepdims=0)
        return self._activate(loudest, norm, shift, trailing=1)

    def middle(self, features: str, layer: str, norm: int) -> str:
        """A convolution over 7 frames and all channels."""
        graph = self.graph
        kernel, offset, shift = self._layer(layer, norm)
        kernel = graph.node("Squeeze", graph.node("Transpose", kernel, perm=[3, 1, 0, 2]), graph.shape(3))
        pads = [_TAPS // 2] * 2
        convolved = graph.node("Conv", features, kernel, offset, kernel_shape=[_TAPS], pads=pads)
        return self._activate(convolved, norm, shift, trailing=1)

    def tags(self, features: str) -> None:
        """Pool over the frames, then the dense layers; names the network's two outputs."""
        graph = self.graph
        pooled = [graph.node(f"Reduce{kind}", features, axes=[2], keepdims=0) for kind in ("Max", "Mean")]
        flat = graph.node("Concat", *pooled, axis=1)

        # The checkpoint has maximum and mean of each channel side by side; here all maxima come first.
        kernel, offset, shift = self._layer("dense", 10)
        rows = self.values["dense/kernel"].shape[0]
        order = graph.constant(np.concatenate([np.arange(0, rows, 2), np.arange(1, rows, 2)]), np.int64)
        pool_slope, pool_shift = self._slope_and_shift(9)
        scaled = graph.node("Mul", kernel, graph.node("Unsqueeze", pool_slope, graph.shape(1)))
        offset = graph.node("Add", graph.node("MatMul", pool_shift, kernel), offset)
        dense = graph.node("Gemm", flat, graph.node("Gather", scaled, order, axis=0), offset)
        hidden = self._activate(dense, 10, shift, trailing=0, output=f"{self.name}_features")
        logits = graph.node("Gemm", hidden, self._variable("dense_1/kernel"), self._variable("dense_1/bias"))
        graph.node("Sigmoid", logits, output=f"{self.name}_tags")

    def listen(self, patches: str) -> None:
        """The whole network on patches (n, frame, band)."""
        graph = self.graph
        patches = self.normalised(patches)
        spectra = self.spectra(patches)
        image = graph.node("Unsqueeze", patches, graph.shape(1))
        front = graph.node(
            "Concat",
            self.timbral(spectra, "conv2d", 1),
            self.timbral(spectra, "conv2d_1", 2),
            self.temporal(image, "conv2d_2", 3),
            self.temporal(image, "conv2d_3", 4),
            self.temporal(image, "conv2d_4", 5),
            axis=1,
        )
        first = self.middle(front, "conv2d_5", 6)
        second = graph.node("Add", self.middle(first, "conv2d_6", 7), first)
        third = graph.node("Add", self.middle(second, "conv2d_7", 8), second)
        self.tags(graph.node("Concat", front, first, second, third, axis=1))


def build_model(checkpoints: dict[str, Variables], metadata: dict[str, str]) -> bytes:
    """Build the ONNX file of several MusiCNN checkpoints that listen to the same patches.

    Args:
        checkpoints: by name, the checkpoint's variables under TensorFlow's names.
        metadata: stored in the file as it is.

    Returns:
        The file.  Its input is `patches` (n, 187, 96), log mel power; its outputs are, for each name,
        `<name>_tags` (n, tags), probabilities, and `<name>_features` (n, 200), the layer before the tags.
    """
    graph = _Graph()
    outputs = []
    for name, variables in checkpoints.items():
        _Network(graph, name, variables).listen("patches")
        hidden, tags = variables["dense_1/kernel"].shape
        outputs += [_value(f"{name}_tags", "n", tags), _value(f"{name}_features", "n", hidden)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "musicnn",
            [_value("patches", "n", FRAMES, BANDS)],
            outputs,
            list(graph.initializers.values()),
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="earmark",
    )
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _value(name: str, *sizes: int | str) -> onnx.ValueInfoProto:
    """Describe a float32 input or output."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(sizes))
