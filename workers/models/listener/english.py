"""How English a text is."""

import re

COMMONEST = frozenset({
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because", "been",
    "before", "but", "by", "can", "could", "did", "do", "does", "for", "from", "get", "give", "go", "good",
    "had", "has", "have", "he", "her", "here", "him", "his", "how", "i", "if", "in", "into", "is", "it", "it's",
    "i'm", "its", "just", "know", "like", "make", "me", "more", "most", "my", "new", "no", "not", "now",
    "number", "of", "on", "one", "only", "or", "other", "our", "out", "over", "people", "please", "press",
    "say", "see", "she", "so", "some", "take", "than", "thank", "that", "that's", "the", "their", "them",
    "then", "there", "these", "they", "this", "time", "to", "two", "up", "us", "want", "was", "we", "were",
    "what", "when", "which", "who", "will", "with", "would", "you", "your",
})  # fmt: skip
"""Words that make up about half of English text, and of telephone prompts."""


def common_words(text: str) -> float:
    """Share of the words of a text that are among the commonest of English, 0 to 1; half of ordinary English is.

    English that Whisper makes of other languages is mostly rare words and inventions.
    """
    words = re.findall(r"[a-z']+", text.lower())
    return sum(word in COMMONEST for word in words) / len(words) if words else 0.0
