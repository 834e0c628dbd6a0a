import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.sniff import CONTAINERS, SNIFF_BYTES, id3_bytes, sniff
from tests.audio_files import FORMATS, RARER_FORMATS, example, silent_flac, video_only, with_cover


@pytest.mark.parametrize("name", [*FORMATS, *RARER_FORMATS])
def test_real_files_are_told_by_content(name: str) -> None:
    """Each format that can be written here is recognised, from its start alone."""
    assert sniff(example(name, 0.5)[:SNIFF_BYTES]) == (FORMATS | RARER_FORMATS)[name].container


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"RIFX\0\0\0\x10WAVEfmt ", "wav"),
        (b"FORM\0\0\0\x10AIFCFVER", "aiff"),
        (b"#!AMR\n\x3c", "amr"),
        (b"#!AMR-WB\n\x44", "amr"),
        (b"caff\0\1\0\0desc", "caf"),
        (b".snd\0\0\0\x18\0\0\0\0\0\0\0\1\0\0\x1f\x40\0\0\0\1", "au"),
        (b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1\2", "ogg"),
        (b"OggS\0\2" + bytes(20) + b"\1\x13Speex   1.2", "ogg"),
        (b"OggS\0\2" + bytes(20) + b"\1\x13\x7fFLAC\1\0", "ogg"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "mp4"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "mp4"),
        (b"ID3\4\0\0\0\0\0\0fLaC\0\0\0\x22", "flac"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84webm", "webm"),
    ],
)
def test_magic_bytes_of_each_container(head: bytes, container: str) -> None:
    """What is seldom written is recognised too."""
    assert sniff(head) == container


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\0" * SNIFF_BYTES,
        b"\xff" * SNIFF_BYTES,
        b"Just a letter, renamed to song.mp3.\n" * 99,
        "Ein Brief in UTF-16".encode("utf-16"),
        b"#EXTM3U\n#EXTINF:123,Artist - Title\nfile:///etc/passwd\n",
        b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10,\nhttp://169.254.169.254/\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<html><body>404</body></html>",
        b'<?xml version="1.0"?><MPD/>',
        b"%PDF-1.7\n",
        b"PK\x03\x04\x14\0",
        b"\x7fELF\2\1\1\0",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x20ftypavif\0\0\0\0",
        b"\0\0\0\x20ftypheic\0\0\0\0",
        b"OggS\0\2" + bytes(20) + b"\1\x13\x80theora",
        b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x84evil",
        b"ID3\4\0\0\0\0\0\0Dear reader, this is text.",
        b"ID3",
        b"MThd\0\0\0\6",
        b".snd is how the letter began",
        b"\xff\xfb",
        b"\xff\xfb\x90",
    ],
)
def test_what_is_no_audio_is_refused(head: bytes) -> None:
    """Text, playlists, pictures, archives, programs and nothing at all have no container."""
    assert sniff(head) is None


def test_an_mp3_behind_a_cover_picture() -> None:
    """A tag that reaches beyond what was read is taken for an MP3's, and its length is told."""
    tagged = with_cover(example("mp3", 0.5), 200_000)
    assert sniff(tagged[:SNIFF_BYTES]) == "mp3"
    assert sniff(tagged[id3_bytes(tagged) :]) == "mp3"


def test_an_mp3_behind_zeros_or_junk() -> None:
    """Padding before the first frame is passed over; so is junk, where enough frames follow."""
    mp3 = example("mp3", 1.0)
    assert sniff(bytes(5_000) + mp3) == "mp3"
    assert sniff(np.random.default_rng(7).bytes(3_000) + mp3) == "mp3"


def test_an_mp3_inside_something_else_is_not_an_mp3() -> None:
    """A file of another kind that contains MP3 frames stays what it is."""
    assert sniff(b"%PDF-1.7\n" + example("mp3", 1.0)) is None
    assert sniff(b"RIFF\0\0\0\0AVI LIST" + example("mp3", 1.0)) is None


def test_one_frame_header_alone_is_not_believed() -> None:
    """A lucky header followed by noise, in a file long enough to know better, is no MP3."""
    noise = np.random.default_rng(3).bytes(SNIFF_BYTES)
    assert sniff(b"\xff\xfb\x90\x64" + noise) is None


def test_video_without_sound_is_still_mp4() -> None:
    """That no sound is in it only the decoder can tell."""
    assert sniff(video_only()[:SNIFF_BYTES]) == "mp4"


def test_a_flac_of_silence_is_flac() -> None:
    """The maker of hostile files makes a FLAC."""
    assert sniff(silent_flac(10)[:SNIFF_BYTES]) == "flac"


@given(st.binary(max_size=2_000))
def test_any_bytes_give_a_known_answer(head: bytes) -> None:
    """Nothing raises, and nothing outside the vocabulary comes back."""
    assert sniff(head) in CONTAINERS | {None}


@given(st.text(max_size=500), st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-32", "latin-1"]))
def test_text_is_never_audio(text: str, encoding: str) -> None:
    """No text in any usual encoding is taken for audio, unless it spells out a container's own magic."""
    head = text.encode(encoding, errors="ignore")
    if not head.startswith((b"ID3", b"fLaC", b"OggS", b"#!AMR", b"\xff")):
        assert sniff(head) is None


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_never_audio(seed: int) -> None:
    """Random bytes hold many frame headers and no chain of them."""
    assert sniff(np.random.default_rng(seed).bytes(SNIFF_BYTES)) is None
