"""Joins what was said in two windows that overlap: the words they share are said once."""

from __future__ import annotations

import math
import re
from typing import Final

WORDS_PER_S: Final = 8.0
"""The most words, or characters of a script without spaces, that are said in a second: fast Japanese."""
WORDS_MAX: Final = 256
"""The most that are compared: 30 s of them."""

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Kana and Han characters: they stand without spaces, so each counts as a word."""
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_ENDS_UNSPACED: Final = re.compile(rf"[{_UNSPACED}]\W*$")
_STARTS_UNSPACED: Final = re.compile(rf"\W*[{_UNSPACED}]")
_NOT_SAID: Final = re.compile(r"[\W_]+")


def joined(before: str, after: str, *, overlap_s: float) -> str:
    """Two texts as one, without repeating what stands at the end of one and at the beginning of the other.

    Words are compared without case and punctuation; the longest run counts, at most what can be said in the overlap.

    Args:
        before: What was said in the earlier window.
        after: What was said in the later window.
        overlap_s: Seconds that both windows heard; 0 = none: then a repeated word was said twice.
    """
    most = min(WORDS_MAX, math.ceil(overlap_s * WORDS_PER_S))
    earlier = _words(before)[-most:] if most else []
    later = _words(after)[:most] if most else []
    for count in range(min(len(earlier), len(later)), 0, -1):
        if [word for word, _ in earlier[-count:]] == [word for word, _ in later[:count]]:
            after = after[later[count - 1][1] :].lstrip()
            break
    unspaced = _ENDS_UNSPACED.search(before[-8:]) and _STARTS_UNSPACED.match(after[:8])
    return ("" if unspaced else " ").join(part for part in (before, after) if part)


def _words(text: str) -> list[tuple[str, int]]:
    """What is said, and where in the text each word ends."""
    found = ((_NOT_SAID.sub("", match.group()).casefold(), match.end()) for match in _WORD.finditer(text))
    return [(word, stop) for word, stop in found if word]
