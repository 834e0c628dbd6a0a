"""``sniff``: which audio container some bytes are, by content and never by name.

Pure: it looks at the first ``SNIFF_BYTES`` bytes and nothing else.  A container it does not name is not taken;
what it names may still turn out to be damaged or to hold no sound, which only decoding can tell.
"""

# ruff: noqa: PLR2004  # the numbers are offsets and codes of published formats, named where they stand

from collections.abc import Callable, Iterator

SNIFF_BYTES = 64 * 1024
"""How much of the start of a file ``sniff`` wants: room for a small cover picture before the first MP3 frame."""

CONTAINERS = frozenset(
    {"wav", "w64", "flac", "mp3", "aac", "ogg", "mp4", "webm", "matroska", "aiff", "caf", "au", "amr", "asf"}
)
"""All the answers ``sniff`` gives."""

_FIXED = (
    (b"fLaC", "flac"),
    (b"caff\x00\x01", "caf"),
    (b"#!AMR\n", "amr"),
    (b"#!AMR-WB\n", "amr"),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "asf"),
)
"""Containers told by their first bytes alone; the last is the GUID of the ASF header object."""

_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_W64_WAVE = b"wave" + bytes.fromhex("f3acd3118cd100c04f8edb8a")

_FOREIGN = (
    b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM",  # containers told above, here with other contents (AVI, WebP, 8SVX)
    b"%PDF", b"PK\x03\x04", b"PK\x05\x06", b"\x7fELF", b"MZ", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"BM", b"II*\x00",
    b"MM\x00*", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd", b"SQLite format 3",
    b"MThd", b"OggS", b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV\x01", b"<", b"#!", b"{",
    b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf",  # Unicode byte order marks: text
)  # fmt: skip
"""First bytes of what must not be searched for MPEG frames, since such a file may well contain some."""

_OGG_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_MP4_IMAGE_BRANDS = frozenset(
    {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"jxl ", b"crx "}
)
_QUICKTIME_FIRST = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})

_MPEG_KBPS: dict[tuple[bool, int], tuple[int, ...]] = {
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by (is MPEG-1, layer) and index: ISO/IEC 11172-3 table in 2.4.2.3, ISO/IEC 13818-3 for the lower rates."""
_MPEG_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""Sample rates by version bits: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5."""
_ADTS_RATES = 13
"""Sampling frequency indices 0 to 12 exist: ISO/IEC 14496-3 table 1.18."""

_CHAIN_AT_START = 3
"""Frames in a row that make a stream where one is expected: at the start or after a tag."""
_CHAIN_ANYWHERE = 5
"""Frames in a row that make a stream after junk.  A random header passes about once in 2^12 positions, and each
further frame must repeat most of its bits, so five by chance within ``SNIFF_BYTES`` are out of the question."""


def sniff(head: bytes) -> str | None:
    """Name the container, one of ``CONTAINERS``, or None for anything else.

    Args:
        head: the first ``SNIFF_BYTES`` bytes of a file, or all of it if it is shorter.
    """
    for magic, container in _FIXED:
        if head.startswith(magic):
            return container
    structured = _riff(head) or _iff(head) or _au(head) or _ogg(head) or _ebml(head) or _iso(head)
    if structured:
        return structured
    tag_bytes = id3_bytes(head)
    if tag_bytes:
        return _tagged(head, tag_bytes)
    if head.startswith(_FOREIGN):
        return None
    return _bitstream(head)


def id3_bytes(head: bytes) -> int:
    """Length in bytes of the ID3v2 tags a file starts with, 0 without one.

    A tag with a large picture may be longer than ``head``: who can read on from there knows more.
    """
    end = 0
    while head[end : end + 3] == b"ID3" and len(head) >= end + 10:
        major, flags, size = head[end + 3], head[end + 5], head[end + 6 : end + 10]
        if major not in {2, 3, 4} or any(byte & 0x80 for byte in size):
            break
        footer_bytes = 10 if flags & 0x10 else 0
        end += 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]) + footer_bytes
    return end


def _tagged(head: bytes, tag_bytes: int) -> str | None:
    rest = head[tag_bytes:]
    if rest.startswith(b"fLaC"):
        return "flac"
    # Nearly every file with an ID3 tag is an MP3; one whose frames lie out of sight is given the benefit of the doubt.
    return _bitstream(rest) if rest.strip(b"\0") else "mp3"


def _riff(head: bytes) -> str | None:
    if head[:4] in {b"RIFF", b"RIFX", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
        return "wav"
    return "w64" if head.startswith(_W64_RIFF) and head[24:40] == _W64_WAVE else None


def _iff(head: bytes) -> str | None:
    return "aiff" if head.startswith(b"FORM") and head[8:12] in {b"AIFF", b"AIFC"} else None


def _au(head: bytes) -> str | None:
    if not head.startswith(b".snd") or len(head) < 24:  # six words of four bytes
        return None
    offset, encoding, channels = (int.from_bytes(head[at : at + 4], "big") for at in (4, 12, 20))
    plausible = 24 <= offset <= SNIFF_BYTES and 1 <= encoding <= 27 and 1 <= channels <= 255
    return "au" if plausible else None


def _ogg(head: bytes) -> str | None:
    # The first pages hold one header per stream, so an audio stream beside a picture is near the start too.
    if not head.startswith(b"OggS\x00"):
        return None
    return "ogg" if any(codec in head[:4096] for codec in _OGG_CODECS) else None


def _ebml(head: bytes) -> str | None:
    if not head.startswith(b"\x1aE\xdf\xa3"):
        return None
    at = head.find(b"\x42\x82", 4, 256)  # the DocType element
    if at < 0:
        return None
    for kind in ("webm", "matroska"):
        if head[at + 3 :].startswith(kind.encode()):
            return kind
    return None


def _iso(head: bytes) -> str | None:
    size, kind, brand = int.from_bytes(head[:4], "big"), head[4:8], head[8:12]
    if kind == b"ftyp" and size >= 8:  # a box is at least its own header
        return None if brand in _MP4_IMAGE_BRANDS else "mp4"
    return "mp4" if kind in _QUICKTIME_FIRST and (size == 1 or size >= 8) else None


def _bitstream(head: bytes) -> str | None:
    """MP3 or AAC frames without a container, perhaps after zeros or other junk."""
    zeros = len(head) - len(head.lstrip(b"\0"))
    for position in _sync_positions(head):
        at_start = position <= zeros
        wanted = _CHAIN_AT_START if at_start else _CHAIN_ANYWHERE
        if _is_chain(head, position, wanted, _mpeg_frame_bytes, 0xFFFE0C00, may_end=at_start):
            return "mp3"
        if _is_chain(head, position, wanted, _adts_frame_bytes, 0xFFFEFC00, may_end=at_start):
            return "aac"
    return None


def _sync_positions(head: bytes) -> Iterator[int]:
    """Where the two first bytes could be a frame's: MPEG layer II or III (bits 10 or 01), or ADTS (bits 00)."""
    position = head.find(b"\xff")
    while 0 <= position < len(head) - 1:
        second = head[position + 1]
        if second & 0xE0 == 0xE0 and (second & 0x06 in {0x02, 0x04} or second & 0xF6 == 0xF0):
            yield position
        position = head.find(b"\xff", position + 1)


def _is_chain(
    head: bytes, position: int, wanted: int, frame_bytes: Callable[[bytes], int], kept: int, *, may_end: bool
) -> bool:
    """Whether frames follow each other from here, alike in the bits ``kept`` masks; a short file may end early."""
    first = int.from_bytes(head[position : position + 4], "big") & kept
    for found in range(wanted):
        header = head[position : position + 7]
        if len(header) < 7:  # the longer of the two headers
            return found > 0 and may_end and len(head) < SNIFF_BYTES
        size = frame_bytes(header)
        if not size or int.from_bytes(header[:4], "big") & kept != first:
            return False
        position += size
    return True


def _mpeg_frame_bytes(header: bytes) -> int:
    """Length of an MPEG audio layer II or III frame from its header, 0 when it is none."""
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    rate_index, sample_index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if header[1] < 0xE0 or version == 1 or layer not in {2, 3} or rate_index in {0, 15} or sample_index == 3:
        return 0
    mpeg1 = version == 3
    samples = 576 if layer == 3 and not mpeg1 else 1152
    return samples // 8 * _MPEG_KBPS[mpeg1, layer][rate_index] * 1000 // _MPEG_RATES_HZ[version][sample_index] + padding


def _adts_frame_bytes(header: bytes) -> int:
    """Length of an ADTS frame from its header, 0 when it is none."""
    if header[1] & 0xF6 != 0xF0 or header[2] >> 2 & 15 >= _ADTS_RATES:  # sync and layer 0
        return 0
    size = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return size if size >= 7 else 0  # the header itself
