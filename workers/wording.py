"""Word error rate of a transcript against known wording."""

import re
import unicodedata

import numpy as np

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER = re.compile(r"\d{1,15}")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\W\d_])+")
_SPELLINGS = {"ok": "okay", "mr": "mister", "mrs": "missus", "dr": "doctor", "pm": "p m", "am": "a m"}


def spoken_number(number: int) -> str:
    """The English words for a number below 1000; larger numbers are spelled digit by digit."""
    if number < 10:  # noqa: PLR2004  # the decimal system
        return _DIGITS[number]
    if number < 20:  # noqa: PLR2004  # same
        return _TEENS[number - 10]
    if number < 100:  # noqa: PLR2004  # same
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_DIGITS[ones]}" if ones else "")
    if number < 1000:  # noqa: PLR2004  # same
        hundreds, rest = divmod(number, 100)
        return f"{_DIGITS[hundreds]} hundred" + (f" {spoken_number(rest)}" if rest else "")
    return " ".join(_DIGITS[int(digit)] for digit in str(number))


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation, with numbers spelled out.

    Each sign of a script that writes without spaces (Chinese, Japanese, Thai …) counts as a word.
    """
    lowered = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("'", "").replace("-", " ")
    spelled = _NUMBER.sub(lambda match: f" {spoken_number(int(match[0]))} ", lowered)
    found = _WORD.findall(spelled)
    return " ".join(_SPELLINGS.get(word, word) for word in found).split()


def word_errors(wording: str, transcript: str) -> tuple[int, int]:
    """Levenshtein distance in words, and the number of words in the wording."""
    numbers: dict[str, int] = {}
    wanted, heard = (
        np.array([numbers.setdefault(word, len(numbers)) for word in words(text)], np.int64)
        for text in (wording, transcript)
    )
    columns = np.arange(len(heard) + 1)
    errors = columns
    for row, word in enumerate(wanted, start=1):
        # Words missing and words wrong, all columns at once; then words added, which only come from the left.
        kept = np.concatenate([[row], np.minimum(errors[1:] + 1, errors[:-1] + (heard != word))])
        errors = np.minimum.accumulate(kept - columns) + columns
    return int(errors[-1]), len(wanted)
