"""The reader of TensorFlow checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

from training.tensorflow_bundle import BundleError, read_bundle


def bundle_index(*entries: tuple[bytes, bytes], compression: int = 0) -> bytes:
    """A table with one block, whose keys share their first bytes as the format allows."""

    def block(items: list[tuple[bytes, bytes]]) -> bytes:
        previous, body = b"", b""
        for key, value in items:
            differing = (at for at, (old, new) in enumerate(zip(previous, key, strict=False)) if old != new)
            shared = next(differing, min(len(previous), len(key)))
            body += bytes([shared, len(key) - shared, len(value)]) + key[shared:] + value
            previous = key
        return body + bytes(4) + (1).to_bytes(4, "little")

    content = block(list(entries))
    pointers = block([(entries[-1][0], bytes([0, len(content)]))])
    trailer = bytes([compression, 0, 0, 0, 0])
    footer = bytes([0, 0, len(content) + 5, len(pointers)]).ljust(40, b"\0")
    return content + trailer + pointers + trailer + footer + bytes.fromhex("57fb808b247547db")


VECTOR = bytes([8, 1, 18, 4, 18, 2, 8, 2, 40, 8])
"""An entry: float32, shape (2,), 8 bytes at offset 0."""

NEXT_VECTOR = bytes([8, 1, 18, 4, 18, 2, 8, 2, 32, 8, 40, 8])
"""An entry: float32, shape (2,), 8 bytes at offset 8."""


def test_bundle_is_read() -> None:
    """Variables come out by name, with shape and values, also where keys share a prefix."""
    content = np.array([1.0, 2.0, 3.0, 4.0], "<f4").tobytes()
    variables = read_bundle(bundle_index((b"", b""), (b"dense/bias", VECTOR), (b"dense/kernel", NEXT_VECTOR)), content)
    assert {name: value.tolist() for name, value in variables.items()} == {
        "dense/bias": [1.0, 2.0],
        "dense/kernel": [3.0, 4.0],
    }


@pytest.mark.parametrize(
    ("index", "content", "message"),
    [
        (b"", b"", "not a LevelDB table"),
        (b"x" * 60, b"", "not a LevelDB table"),
        (bundle_index((b"a", VECTOR)), bytes(4), "do not fit"),
        (bundle_index((b"a", VECTOR[:-1] + b"\x04")), bytes(8), "do not fit"),
        (bundle_index((b"a", VECTOR), compression=1), bytes(8), "compressed or lies outside"),
        (bundle_index((b"a", VECTOR))[40:], bytes(8), "ends inside a number"),
    ],
    ids=["empty", "text", "data too short", "size is not the shape's", "compressed", "cut"],
)
def test_broken_bundle_is_refused(index: bytes, content: bytes, message: str) -> None:
    """What is not a bundle, or points outside its data, is an error that says so."""
    with pytest.raises(BundleError, match=message):
        read_bundle(index, content)
