"""What containers are called elsewhere: media types and the ends of file names."""

from typing import Final, NamedTuple


class MediaType(NamedTuple):
    """A container's names."""

    name: str
    """Media type: of IANA's registry (iana.org/assignments/media-types), or what everybody writes where it has none."""
    suffix: str
    """End of a file's name."""


OTHER: Final = MediaType("application/octet-stream", "bin")
_OPUS: Final = MediaType("audio/ogg", "opus")
MEDIA_TYPES: Final[dict[str, MediaType]] = {
    "aac": MediaType("audio/aac", "aac"),
    "aiff": MediaType("audio/aiff", "aiff"),
    "amr": MediaType("audio/AMR", "amr"),
    "asf": MediaType("audio/x-ms-wma", "wma"),
    "au": MediaType("audio/basic", "au"),
    "caf": MediaType("audio/x-caf", "caf"),
    "flac": MediaType("audio/flac", "flac"),
    "matroska": MediaType("audio/matroska", "mka"),
    "mp3": MediaType("audio/mpeg", "mp3"),
    "mp4": MediaType("audio/mp4", "m4a"),
    "ogg": MediaType("audio/ogg", "ogg"),
    "w64": MediaType("audio/x-w64", "w64"),
    "wav": MediaType("audio/wav", "wav"),
    "webm": MediaType("audio/webm", "webm"),
}
"""By what ``earmark.sniff`` calls a container."""


def media_type(container: str, codec: str = "") -> MediaType:
    """The names of a container with a codec in it."""
    if container == "ogg" and codec == "opus":
        return _OPUS
    return MEDIA_TYPES.get(container, OTHER)
