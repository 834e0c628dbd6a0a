"""Which parts of a long recording are listened to for what does not need every second."""

import numpy as np
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ

Samples = NDArray[np.float32]

WHOLE_S = 600.0
"""A recording up to this long is heard whole."""
SECTIONS = 20
"""Of a longer one, this many sections, evenly spread from its first second to its last."""
SECTION_S = WHOLE_S / SECTIONS


def excerpt(samples: Samples) -> Samples:
    """The recording itself, or its sections one after the other; at most ``WHOLE_S`` seconds.

    Args:
        samples: Mono float32 at 16 kHz, shape (n,); may be a memory map of any length.
    """
    whole = int(WHOLE_S * CLIP_RATE_HZ)
    if len(samples) <= whole:
        return samples
    section = int(SECTION_S * CLIP_RATE_HZ)
    starts = np.linspace(0, len(samples) - section, SECTIONS).astype(int)
    return np.concatenate([samples[start : start + section] for start in starts])
