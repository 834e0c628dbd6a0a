"""A made-up vocabulary of the size of the published model's, to time the grammar's masks without its tokenizer.

What a mask costs depends on how many tokens there are and on what they are made of, so this one has what a byte-level
vocabulary has: every byte, words with and without a space and a capital in front, pieces of JSON, numbers, other
scripts, marks and white space.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

import numpy as np
from llguidance import LLTokenizer, TokenizerWrapper

HEAD_ROWS = 156_032
"""Rows of the published model's head; there are fewer tokens than rows."""
TOKENS = 151_643
"""Text tokens of its tokenizer."""
FIRST = 1_000
"""Ids below stand for no text, so that those of another tokenizer's control tokens never come up."""

_ONSETS = ("", "b", "br", "c", "ch", "d", "f", "g", "gr", "h", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr", "w")
_VOWELS = ("a", "e", "i", "o", "u", "ea", "ou")
_CODAS = ("", "l", "m", "n", "ng", "r", "rd", "s", "st", "t", "ck")
_MARKS = " !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"
_JSON = ('{"', '"}', '":"', '","', '":', '":[', '":["', '":[]', '":[],"', '"],"', '"]', '],"', '":null', '":null,"')
_OTHER_SCRIPTS = ((0x4E00, 0x9FA5), (0x0430, 0x044F), (0x3041, 0x3096), (0xAC00, 0xD7A3), (0x0627, 0x064A))


def words(seed: int) -> Iterator[str]:
    """Endless made-up words of one to four syllables, some of them twice."""
    rng = np.random.default_rng(seed)
    syllables = ["".join(parts) for parts in product(_ONSETS, _VOWELS, _CODAS)]
    while True:
        for count in rng.integers(1, 5, 1024):
            yield "".join(syllables[int(index)] for index in rng.integers(0, len(syllables), count))


def made_up_tokens(first: int = FIRST, count: int = TOKENS, rows: int = HEAD_ROWS) -> list[bytes]:
    """The bytes of each token: ``first`` that stand for no text, ``count`` that do, and again none up to ``rows``."""
    known = dict.fromkeys(bytes([byte]) for byte in range(256))
    known |= dict.fromkeys(piece.encode() for piece in _JSON)
    known |= dict.fromkeys(str(number).encode() for number in range(1000))
    known |= dict.fromkeys(("".join(pair)).encode() for pair in product(_MARKS, _MARKS))
    known |= dict.fromkeys(b" " * length for length in range(1, 80))
    known |= dict.fromkeys(b"\n" * length for length in range(1, 20))
    rng = np.random.default_rng(0)
    for least, most in _OTHER_SCRIPTS:
        pairs = rng.integers(least, most + 1, (4000, 2)).tolist()
        known |= dict.fromkeys("".join(map(chr, pair[: 1 + index % 2])).encode() for index, pair in enumerate(pairs))
    more = words(0)
    while len(known) < count:
        for word in islice(more, 4096):
            known |= dict.fromkeys(each.encode() for each in (word, f" {word}", word.capitalize(), f" {word}".upper()))
    blank = [b"\xff<|%d|>" % number for number in range(rows - count)]  # llguidance: 0xff begins what is no text
    return [*blank[:first], *list(known)[:count], *blank[first:]]


class _Tokens:
    """What llguidance wants to know of a tokenizer."""

    eos_token_id = 0
    bos_token_id = None

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.tokens = tokens
        self._bytes = {token[0]: number for number, token in enumerate(tokens) if len(token) == 1}

    def __call__(self, text: bytes) -> list[int]:
        """One token a byte, which is enough to begin an answer."""
        return [self._bytes[byte] for byte in text]


def made_up_tokenizer(rows: int = HEAD_ROWS) -> LLTokenizer:
    """The vocabulary as llguidance has it, for a head of so many rows; its end token is the first id."""
    first = min(FIRST, rows // 4)
    return LLTokenizer(TokenizerWrapper(_Tokens(made_up_tokens(first, min(TOKENS, rows - first), rows))))
