"""Word error rate of a transcript against known wording."""

import re

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SPELLINGS = {"ok": "okay", "mr": "mister", "mrs": "missus", "dr": "doctor", "pm": "p m", "am": "a m"}


def spoken_number(number: int) -> str:
    """The English words for a number below 1000; larger numbers are spelled digit by digit."""
    if number < 10:
        return _DIGITS[number]
    if number < 20:
        return _TEENS[number - 10]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens - 2] + (f" {_DIGITS[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_DIGITS[hundreds]} hundred" + (f" {spoken_number(rest)}" if rest else "")
    return " ".join(_DIGITS[int(digit)] for digit in str(number))


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation, with numbers spelled out."""
    lowered = text.lower().replace("\u2019", "'").replace("'", "").replace("-", " ")
    spelled = re.sub(r"\d+", lambda match: f" {spoken_number(int(match[0]))} ", lowered)
    found = re.findall(r"[^\W\d_]+", spelled)
    return " ".join(_SPELLINGS.get(word, word) for word in found).split()


def word_errors(wording: str, transcript: str) -> tuple[int, int]:
    """Levenshtein distance in words, and the number of words in the wording."""
    wanted, heard = words(wording), words(transcript)
    previous = list(range(len(heard) + 1))
    for row, word in enumerate(wanted, start=1):
        current = [row]
        for column, other in enumerate(heard, start=1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (word != other)))
        previous = current
    return previous[-1], len(wanted)
