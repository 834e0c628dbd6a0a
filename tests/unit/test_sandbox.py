"""The pool of decoder processes: what each kind of bad file ends as, and that nothing else suffers from it."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark.domain import CLIP_RATE_HZ
from earmark.errors import InputFault, TimedOut, Unavailable
from tests.audio_files import example, saved, tone, wav, with_cover
from tests.decoding import rejected
from workers.decode.limits import DecodeLimits
from workers.decode.sandbox import DecoderPool

LIMITS = DecodeLimits(wall_s=60.0)

OBEDIENT = """
import json, os, socket, sys
channel = socket.socket(fileno=int(sys.argv[2]))
channel.sendall(b'{"ready": []}\\n')
while True:
    line, descriptors, _, _ = socket.recv_fds(channel, 4096, 2)
    if not line:
        sys.exit()
    word = os.pread(descriptors[0], 1000, 0).decode()
    if word.startswith("die "):
        os.kill(os.getpid(), int(word[4:]))
    elif word.startswith("exit "):
        os._exit(int(word[5:]))
    elif word == "hang":
        os.read(0, 1)
    elif word.startswith("write "):
        os.write(descriptors[1], bytes(int(word[6:])))
        channel.sendall(b'{"facts": {"samples": 1}}\\n')
    elif word.startswith("claim "):
        written, claim = word[6:].split(" ", 1)
        os.write(descriptors[1], bytes(int(written)))
        channel.sendall(claim.encode() + b"\\n")
    elif word.startswith("stumble "):
        marker, word = word[8:].split(" ", 1)
        if not os.path.exists(marker):
            os.close(os.open(marker, os.O_CREAT))
            os.write(descriptors[1], bytes(400))
            os.kill(os.getpid(), 11)
        os.write(descriptors[1], bytes(16))
        channel.sendall(word.encode() + b"\\n")
    else:
        channel.sendall(word.encode())
    for descriptor in descriptors:
        os.close(descriptor)
"""
"""A decoder that does what the file says: stands for one that a file has crashed or taken over."""


@pytest.fixture(name="pool", scope="module")
def _pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DecoderPool]:
    with DecoderPool(2, LIMITS, tmp_path_factory.mktemp("scratch")) as pool:
        yield pool


@pytest.fixture(name="puppets")
def _puppets(tmp_path: Path) -> Iterator[Callable[..., DecoderPool]]:
    pools = []

    def make(wall_s: float = 30.0, files_per_child: int = 100) -> DecoderPool:
        limits = DecodeLimits(wall_s=wall_s, files_per_child=files_per_child)
        pools.append(DecoderPool(1, limits, tmp_path / "scratch", program=("-c", OBEDIENT)))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def test_a_clip(pool: DecoderPool, tmp_path: Path) -> None:
    """The clip can be mapped, says what it is, and is gone once discarded."""
    path, digest = saved(tmp_path / "tone.wav", wav(tone(1.0, 16_000, 1)))
    clip = pool.decode("job", path, digest)
    samples = np.memmap(clip.path, "<f4", "r")
    assert len(samples) == clip.samples == CLIP_RATE_HZ
    assert samples.tolist() == tone(1.0, 16_000, 1)[0].tolist()
    assert (clip.job_id, clip.technical.codec, clip.technical.container) == ("job", "pcm_f32le", "wav")
    pool.discard(clip)
    assert not clip.path.exists()


def test_many_at_once(pool: DecoderPool, tmp_path: Path) -> None:
    """Threads, more than there are decoders, each get their own clip, from a few processes."""
    files = [saved(tmp_path / f"{n}.wav", wav(tone(0.5 + n / 10, 16_000, 1))) for n in range(8)]
    with ThreadPoolExecutor(4) as threads:
        clips = list(threads.map(lambda n: pool.decode(str(n), *files[n]), range(8)))
    assert [clip.samples for clip in clips] == [round((0.5 + n / 10) * 16_000) for n in range(8)]
    assert len({clip.path for clip in clips}) == 8
    assert len(pool.pids) <= 2
    for clip in clips:
        pool.discard(clip)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda path: path.write_bytes(b""), InputFault.EMPTY),
        (lambda path: path.write_bytes(b"text"), InputFault.CHANGED),
        (lambda path: path.mkdir(), InputFault.NOT_A_FILE),
        (os.mkfifo, InputFault.NOT_A_FILE),
        (lambda path: path.symlink_to("/dev/null"), InputFault.NOT_A_FILE),
        (lambda path: path.symlink_to("nowhere"), InputFault.NOT_FOUND),
        (lambda path: path.symlink_to(path), InputFault.NOT_FOUND),
        (lambda _: None, InputFault.NOT_FOUND),
    ],
    ids=["empty", "changed", "folder", "fifo", "device", "broken link", "circular link", "absent"],
)
def test_what_is_no_file(pool: DecoderPool, tmp_path: Path, make: Callable[[Path], Any], fault: InputFault) -> None:
    """Everything a path can be other than a file of audio has its own fault."""
    make(tmp_path / "song.mp3")
    assert rejected(pool, tmp_path / "song.mp3").fault is fault


def test_impossible_names(pool: DecoderPool, tmp_path: Path) -> None:
    """Names no file can have are not found."""
    assert rejected(pool, tmp_path / ("x" * 300)).fault is InputFault.NOT_FOUND
    assert rejected(pool, Path("a\0b")).fault is InputFault.NOT_FOUND
    path, _ = saved(tmp_path / "file", b"x")
    assert rejected(pool, path / "below").fault is InputFault.NOT_FOUND


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(pool: DecoderPool, tmp_path: Path) -> None:
    """A file we may not read is unreadable."""
    path, digest = saved(tmp_path / "secret.wav", example("wav"))
    path.chmod(0)
    assert rejected(pool, path, digest).fault is InputFault.UNREADABLE


@pytest.mark.parametrize("name", [b"line\nbreak\r\n.wav", b"\xff\xfe not utf-8 \xe9.wav", b"-rf *; $(x).wav", b"|.wav"])
def test_odd_names_decode(pool: DecoderPool, tmp_path: Path, name: bytes) -> None:
    """A name is a name; the file decodes."""
    path, digest = saved(tmp_path / os.fsdecode(name), example("wav", 0.2))
    pool.discard(pool.decode("job", path, digest))


def test_text_named_mp3(pool: DecoderPool, tmp_path: Path) -> None:
    """What it is, not what it is called; and the message helps."""
    error = rejected(pool, *saved(tmp_path / "song.mp3", b"#EXTM3U\nhttp://169.254.169.254/\n"))
    assert error.fault is InputFault.NOT_AUDIO
    assert "Send audio" in error.remedy


def test_a_rejection_leaves_nothing_behind(pool: DecoderPool, tmp_path: Path) -> None:
    """No clip is left of a file that was rejected half way."""
    before = set(pool._scratch.folder.iterdir())
    assert rejected(pool, *saved(tmp_path / "x.flac", example("flac")[:400])).fault is InputFault.DAMAGED
    assert set(pool._scratch.folder.iterdir()) == before


def test_too_large(tmp_path: Path) -> None:
    """Over the limit, a file is not handed to a decoder at all."""
    with DecoderPool(1, DecodeLimits(max_input_bytes=100), tmp_path / "scratch") as pool:
        assert rejected(pool, *saved(tmp_path / "x.wav", example("wav"))).fault is InputFault.TOO_LARGE
        assert pool.pids == []


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (signal.SIGSEGV, InputFault.DAMAGED),
        (signal.SIGABRT, InputFault.DAMAGED),
        (signal.SIGKILL, InputFault.TOO_COSTLY),
        (signal.SIGXCPU, InputFault.TOO_COSTLY),
    ],
)
def test_a_file_that_kills(puppets: Callable[..., DecoderPool], tmp_path: Path, number: int, fault: InputFault) -> None:
    """A crash is the file's own fault, and the next file decodes as if nothing had been."""
    pool = puppets()
    assert rejected(pool, *saved(tmp_path / "bad", b"die %d" % number)).fault is fault
    assert rejected(pool, *saved(tmp_path / "good", b'{"fault": "no_samples", "reason": "x"}\n')).fault == "no_samples"


def test_out_of_memory(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """A decoder that met its memory limit twice says the file costs too much."""
    assert rejected(puppets(), *saved(tmp_path / "bad", b"exit 77")).fault is InputFault.TOO_COSTLY


def test_a_file_that_hangs(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """After the wall limit the decoder is killed and the try timed out, which may be no fault of the file."""
    pool = puppets(wall_s=0.5)
    path, digest = saved(tmp_path / "bad", b"hang")
    with pytest.raises(TimedOut, match="not decoded within"):
        pool.decode("job", path, digest)
    assert pool.pids == []


@pytest.mark.parametrize(
    "words",
    [
        b"no JSON\n",
        b"[]\n",
        b"{}\n{}\n",
        b'{"facts": {}}\n',
        b'{"facts": {"samples": 5}}\n',
        b'{"fault": "no such fault"}\n',
        b"write 40",
    ],
)
def test_a_decoder_taken_over(puppets: Callable[..., DecoderPool], tmp_path: Path, words: bytes) -> None:
    """Whatever it answers is checked; a lie is the file's fault."""
    assert rejected(puppets(), *saved(tmp_path / "bad", words)).fault is InputFault.DAMAGED


def test_a_reason_is_cut_and_escaped(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """What a decoder says cannot forge a line of a log."""
    reply = json.dumps({"fault": "damaged", "reason": "a\nb\x1b[31m" + "c" * 50}).encode() + b"\n"
    message = rejected(puppets(), *saved(tmp_path / "bad", reply)).message
    assert message == "A\\nb\\x1b[31m" + "c" * 50


def test_a_full_disk_is_not_the_files_fault(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """What the machine is to blame for is tried again."""
    path, digest = saved(tmp_path / "bad", b'{"errno": 28}\n')
    with pytest.raises(Unavailable, match="No space left"):
        puppets().decode("job", path, digest)


def test_children_are_replaced(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """After so many files a child makes room for a fresh one."""
    pool, file = puppets(files_per_child=2), saved(tmp_path / "good", b'{"fault": "damaged", "reason": "so"}\n')
    pids = []
    for _ in range(3):
        rejected(pool, *file)
        pids.append(pool.pids)
    assert len(pids[0]) == 1
    assert pids[1] == []
    assert pids[2] not in (pids[0], [])


def test_a_program_that_does_not_start(tmp_path: Path) -> None:
    """A broken installation is no file's fault, and its complaint is passed on."""
    path, digest = saved(tmp_path / "x.wav", example("wav", 0.1))
    with (
        DecoderPool(1, LIMITS, tmp_path / "scratch", program=("-c", "raise SystemExit('no av')")) as pool,
        pytest.raises(Unavailable, match="no av"),
    ):
        pool.decode("job", path, digest)


def test_a_huge_cover_picture(pool: DecoderPool, tmp_path: Path) -> None:
    """80 MB of picture before the sound are within the memory there is."""
    path, digest = saved(tmp_path / "cover.mp3", with_cover(example("mp3", 0.5), 80_000_000))
    pool.discard(pool.decode("job", path, digest))


def claim(samples: object, codec: str = "pcm") -> bytes:
    """What a decoder says of a file it made that many samples of."""
    facts = {"duration_s": 1, "sample_rate_hz": 8000, "channels": 1, "container": "wav", "size_bytes": 1}
    return json.dumps({"facts": {**facts, "codec": codec, "samples": samples}}).encode()


def test_a_clip_is_what_its_decoder_says(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """Four samples are sixteen bytes."""
    path, digest = saved(tmp_path / "good", b"claim 16 " + claim(4))
    assert puppets().decode("job", path, digest).samples == 4


@pytest.mark.parametrize(
    "words",
    [
        b"claim 16 " + claim(5),
        b"claim 20 " + claim(4),
        b"claim 0 " + claim(0),
        b"claim 16 " + claim("4"),
        b"claim 16 " + claim(4, codec="c" * 65),
    ],
)
def test_a_plausible_lie_is_found(puppets: Callable[..., DecoderPool], tmp_path: Path, words: bytes) -> None:
    """Facts that fit the schema still have to fit the clip, which a model will map."""
    refused = rejected(puppets(), *saved(tmp_path / "bad", words))
    assert refused.fault is InputFault.DAMAGED
    assert "nonsense" in refused.message


def test_a_second_decoder_begins_with_an_empty_clip(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """What the first one wrote before it crashed is no part of the clip."""
    words = b"stumble %s " % os.fsencode(tmp_path / "marker")
    path, digest = saved(tmp_path / "bad", words + claim(4))
    clip = puppets().decode("job", path, digest)
    assert clip.path.stat().st_size == 16


def test_a_costly_file_leaves_no_weakened_decoder(puppets: Callable[..., DecoderPool], tmp_path: Path) -> None:
    """Who met a limit may be short of memory or time for the next file."""
    pool = puppets()
    reply = b'{"fault": "too_costly", "reason": "x"}\n'
    assert rejected(pool, *saved(tmp_path / "bad", reply)).fault is InputFault.TOO_COSTLY
    assert pool.pids == []


def test_the_largest_file_that_is_taken(tmp_path: Path) -> None:
    """The limit itself is not over it."""
    path, digest = saved(tmp_path / "x.wav", example("wav", 1.0))
    limits = DecodeLimits(max_input_bytes=path.stat().st_size)
    with DecoderPool(1, limits, tmp_path / "scratch") as pool:
        assert pool.decode("job", path, digest).samples


@pytest.mark.parametrize("limits", [DecodeLimits(max_input_bytes=5_000), DecodeLimits(max_duration_s=0.5)])
def test_small_limits_are_limits_of_files_only(tmp_path: Path, limits: DecodeLimits) -> None:
    """A decoder starts however little it may take, and takes what is within it."""
    path, digest = saved(tmp_path / "x.mp3", example("mp3", 0.2))
    with DecoderPool(1, limits, tmp_path / "scratch") as pool:
        assert pool.decode("job", path, digest).samples
