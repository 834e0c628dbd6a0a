"""What a file says about its own length."""

_MP3_LENGTH_TAGS = (b"Xing", b"Info", b"VBRI")
"""Marks in the first MP3 frame, within its first 200 bytes, that tell how many frames follow."""
_MP3_TAG_WITHIN_BYTES = 256


def states_length(container: str, start: bytes) -> bool:
    """Whether a file has a length of its own, judging by the bytes after its tags; else FFmpeg makes a guess."""
    if container == "mp3":
        return any(tag in start[:_MP3_TAG_WITHIN_BYTES] for tag in _MP3_LENGTH_TAGS)
    return container not in {"aac", "amr"}
