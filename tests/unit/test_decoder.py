"""The decoder itself, run in the test's own process; ``test_sandbox.py`` runs it where it belongs."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.domain import CLIP_RATE_HZ, Technical
from earmark.errors import InputFault, InputRejected
from earmark.sniff import CONTAINERS
from tests.audio_files import (
    FORMATS,
    RARER_FORMATS,
    Samples,
    encoded,
    example,
    flipped,
    saved,
    silent_flac,
    tone,
    video_only,
    wav,
    with_cover,
)
from workers.decode import decoder
from workers.decode import limits as limits_module
from workers.decode.decoder import Order, decode
from workers.decode.limits import DecodeLimits
from workers.decode.track import DEMUXERS

EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"


@dataclass(frozen=True)
class Decoded:
    """What came out."""

    technical: Technical
    clip: NDArray[np.float32]


def decoded(folder: Path, content: bytes, sha256: str | None = None, **limits: Any) -> Decoded:
    """Decode a file of that content."""
    path, digest = saved(folder / "input", content)
    source = os.open(path, os.O_RDONLY)
    target = os.open(folder / "clip", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        facts = decode(Order(source, target, sha256 or digest), DecodeLimits(**limits))
    finally:
        os.close(source)
        os.close(target)
    clip = np.fromfile(folder / "clip", "<f4")
    assert len(clip) == facts.pop("samples")
    assert np.isfinite(clip).all()
    return Decoded(Technical.model_validate(facts), clip)


def fault(folder: Path, content: bytes, **limits: Any) -> InputFault:
    """Why a file of that content is rejected."""
    with pytest.raises(InputRejected) as rejected:
        decoded(folder, content, **limits)
    assert rejected.value.message
    return rejected.value.fault


def test_constants_agree_across_the_process_border() -> None:
    """The rate of a clip is the same where it is written and where it is read; each container has a demuxer."""
    assert limits_module.CLIP_RATE_HZ == CLIP_RATE_HZ
    assert set(DEMUXERS) == CONTAINERS


@pytest.mark.parametrize("name", [*FORMATS, *RARER_FORMATS])
def test_every_format_decodes_to_its_length(tmp_path: Path, name: str) -> None:
    """Duration, rate, channels and container are right, and the clip has 16,000 samples a second."""
    kind = (FORMATS | RARER_FORMATS)[name]
    result = decoded(tmp_path, example(name))
    assert result.technical.duration_s == pytest.approx(2.0, abs=0.06)  # a coder's last frame may be padded
    assert result.technical.sample_rate_hz == kind.rate_hz
    assert result.technical.channels == 2
    assert result.technical.container == kind.container
    assert result.technical.warnings == ()
    assert len(result.clip) == pytest.approx(result.technical.duration_s * CLIP_RATE_HZ, abs=1)
    assert np.abs(np.fft.rfft(result.clip[:16_000])).argmax() == 440


@pytest.mark.parametrize("name", [*FORMATS, "w64", "wma", "caf", "au", "aac"])
def test_truncated_files_give_what_is_left(tmp_path: Path, name: str) -> None:
    """A file cut at 60 % gives its first part and says so, or cannot be read at all."""
    whole = example(name, 4.0)
    try:
        result = decoded(tmp_path, whole[: len(whole) * 6 // 10])
    except InputRejected as error:
        assert name == "m4a", "the index of an M4A is at its end"
        assert error.fault is InputFault.DAMAGED  # noqa: PT017  # one format has no first part
    else:
        assert 1.0 < result.technical.duration_s < 3.0
        assert {"truncated", "damaged"} & set(result.technical.warnings)


@pytest.mark.parametrize("name", FORMATS)
def test_bit_flips_give_audio_or_a_reason(tmp_path: Path, name: str) -> None:
    """With one bit in ten thousand flipped, what comes out is finite or the file is called damaged."""
    whole = example(name)
    for seed in range(4):
        try:
            result = decoded(tmp_path, flipped(whole, np.random.default_rng(seed), 1e-4, start=100))
        except InputRejected as error:
            assert error.fault in {InputFault.DAMAGED, InputFault.UNSUPPORTED, InputFault.NOT_AUDIO}  # noqa: PT017
        else:
            assert result.technical.duration_s > 0


@pytest.mark.parametrize("name", ["flac", "mp3", "ogg", "opus", "m4a", "webm"])
def test_a_valid_header_over_garbage_is_rejected(tmp_path: Path, name: str) -> None:
    """Coded formats tell noise from sound; in plain PCM noise is sound."""
    whole = example(name)
    garbage = whole[:400] + np.random.default_rng(5).bytes(len(whole) - 400)
    assert fault(tmp_path, garbage) in {InputFault.DAMAGED, InputFault.NOT_AUDIO}


def test_damage_in_flac_is_heard_of_and_not_heard(tmp_path: Path) -> None:
    """A frame whose checksum fails is left out rather than played as noise."""
    whole = encoded(tone(4.0), FORMATS["flac"])
    result = decoded(tmp_path, flipped(whole, np.random.default_rng(2), 1e-7, start=len(whole) // 2))
    assert "damaged" in result.technical.warnings
    assert np.abs(result.clip).max() < 0.26


def with_bad_pages(name: str, pages: slice) -> bytes:
    """An example in Ogg; some pages, counted after the two of headers, no longer match their checksums."""
    whole = (EXAMPLES / name).read_bytes()
    starts = [at for at in range(len(whole)) if whole.startswith(b"OggS", at)]
    damaged = bytearray(whole)
    for start in starts[2:][pages]:
        damaged[start + 40] ^= 0xFF
    return bytes(damaged)


@pytest.mark.parametrize("name", ["birds.ogg", "choir-chorale.opus"])
def test_an_ogg_file_of_which_next_to_nothing_is_left_is_rejected(tmp_path: Path, name: str) -> None:
    """Pages whose checksum fails are skipped; where hardly one is left, the rest is no recording any more."""
    assert fault(tmp_path, with_bad_pages(name, slice(0, -1))) is InputFault.DAMAGED


@pytest.mark.parametrize("name", ["birds.ogg", "choir-chorale.opus"])
def test_an_ogg_file_with_a_hole_is_damaged(tmp_path: Path, name: str) -> None:
    """A page that is skipped shows in the warnings, wherever it was."""
    result = decoded(tmp_path, with_bad_pages(name, slice(2, 5)))
    assert "damaged" in result.technical.warnings


@pytest.mark.parametrize("page", [0, 1, -1])
@pytest.mark.parametrize("name", ["birds.ogg", "choir-chorale.opus"])
def test_no_page_is_lost_without_a_word(tmp_path: Path, name: str, page: int) -> None:
    """Also the first page or the last, without which FFmpeg takes what is left for the whole."""
    content = with_bad_pages(name, slice(page, page + 1 or None))
    assert "damaged" in decoded(tmp_path, content).technical.warnings


def test_an_ogg_file_without_its_last_page_is_truncated(tmp_path: Path) -> None:
    """Cut between two pages, nothing is damaged and the end is missing."""
    whole = (EXAMPLES / "birds.ogg").read_bytes()
    starts = [at for at in range(len(whole)) if whole.startswith(b"OggS", at)]
    assert decoded(tmp_path, whole[: starts[-1]]).technical.warnings == ("truncated",)


def test_no_samples(tmp_path: Path) -> None:
    """A header and nothing behind it holds no sound."""
    assert fault(tmp_path, wav(np.zeros((1, 0), np.float32))) is InputFault.NO_SAMPLES


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 192_000])
def test_one_sample(tmp_path: Path, rate_hz: int) -> None:
    """One sample is sound: at least one sample of a clip, too short for a loudness."""
    result = decoded(tmp_path, wav(np.full((1, 1), 0.5, np.float32), rate_hz))
    assert len(result.clip) == -(-16_000 // rate_hz)
    assert result.technical.loudness_lufs is None
    assert result.technical.duration_s == pytest.approx(1 / rate_hz)


def test_not_finite_samples_become_zero(tmp_path: Path) -> None:
    """NaN and infinities are silenced and reported, the rest is kept."""
    samples = tone(1.0, 16_000, 1)
    samples[0, 100:200] = np.nan
    samples[0, 300], samples[0, 400] = np.inf, -np.inf
    result = decoded(tmp_path, wav(samples))
    assert result.technical.warnings == ("not_finite",)
    assert not result.clip[100:200].any()
    assert result.clip[500:].tolist() == samples[0, 500:].tolist()
    assert result.technical.true_peak_dbtp is not None
    assert result.technical.true_peak_dbtp < -9


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_huge_finite_samples_stay_finite(tmp_path: Path, rate_hz: int) -> None:
    """The largest floats there are do not become infinite on the way."""
    samples = tone(0.5, rate_hz, 2)
    samples[:, ::7] = np.finfo(np.float32).max
    assert "not_finite" in decoded(tmp_path, wav(samples, rate_hz)).technical.warnings


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nothing_but_not_finite_samples(tmp_path: Path, value: float) -> None:
    """Where no sample is a number there is no sound."""
    assert fault(tmp_path, wav(np.full((2, 8_000), value, np.float32))) is InputFault.DAMAGED


def test_192_khz(tmp_path: Path) -> None:
    """The fastest rate in use."""
    result = decoded(tmp_path, encoded(tone(1.0, 192_000, hz=997, dbfs=-20), FORMATS["flac"], 192_000))
    assert result.technical.sample_rate_hz == 192_000
    assert len(result.clip) == 16_000
    assert result.technical.loudness_lufs == pytest.approx(-20.0, abs=0.1)


@pytest.mark.parametrize("name", ["wav", "flac", "opus", "m4a"])
def test_8_channels(tmp_path: Path, name: str) -> None:
    """Eight channels are averaged; in planar formats PyAV alone would read beyond the eighth."""
    kind = FORMATS[name]
    samples = tone(1.0, kind.rate_hz, 8)
    samples[3:] = 0  # the fourth, for low frequencies, has no 440 Hz in an M4A
    result = decoded(tmp_path, encoded(samples, kind))
    assert result.technical.channels == 8
    assert np.abs(result.clip[4_000:12_000]).max() == pytest.approx(10 ** (-12 / 20) * 3 / 8, rel=0.15)


def test_channels_without_places(tmp_path: Path) -> None:
    """Nine channels, for which no layout is known, decode all the same."""
    result = decoded(tmp_path, wav(tone(1.0, 16_000, 9)))
    assert result.technical.channels == 9
    assert result.technical.loudness_lufs is not None


@pytest.mark.parametrize(("channels", "rate_hz"), [(65, 16_000), (1, 900), (1, 1_000_000)])
def test_forms_nobody_uses_are_unsupported(tmp_path: Path, channels: int, rate_hz: int) -> None:
    """More channels, or another rate, than any recording has."""
    assert fault(tmp_path, wav(np.zeros((channels, 4_000), np.float32), rate_hz)) is InputFault.UNSUPPORTED


def test_dc(tmp_path: Path) -> None:
    """A constant is silent and has an offset."""
    technical = decoded(tmp_path, wav(np.full((1, 16_000), 0.25, np.float32))).technical
    assert technical.warnings == ("dc_offset",)
    assert technical.silent


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus", "m4a"])
def test_digital_silence_is_no_error(tmp_path: Path, name: str) -> None:
    """Silence decodes to silence, which has no loudness and no peak."""
    kind = FORMATS[name]
    result = decoded(tmp_path, encoded(np.zeros((2, kind.rate_hz), np.float32), kind))
    assert result.technical.silent
    assert result.technical.loudness_lufs is None
    assert result.technical.true_peak_dbtp is None
    assert not result.clip.any()


def test_the_quietest_sound_that_is_not_silence(tmp_path: Path) -> None:
    """-89 dBFS is sound and -91 dBFS is silence."""
    assert not decoded(tmp_path, wav(tone(1.0, 16_000, 1, dbfs=-89))).technical.silent
    assert decoded(tmp_path, wav(tone(1.0, 16_000, 1, dbfs=-91))).technical.silent


def test_clipping(tmp_path: Path) -> None:
    """A flat top is clipping; a peak that just reaches full scale is not."""
    assert "clipped" in decoded(tmp_path, wav(np.clip(tone(1.0, 16_000, dbfs=6), -1, 1))).technical.warnings
    assert decoded(tmp_path, wav(tone(1.0, 16_000, hz=3_999, dbfs=0))).technical.warnings == ()


def test_ten_hours_of_silence_are_refused_by_the_header(tmp_path: Path) -> None:
    """A FLAC of 10 hours in 2.5 MB is too long, before anything is decoded."""
    bomb = silent_flac(36_000)
    assert len(bomb) < 3_000_000
    assert fault(tmp_path, bomb, max_decoded_bytes=0) is InputFault.TOO_LONG


@pytest.mark.parametrize("stated_samples", [0, 44_100, (1 << 36) - 1])
def test_a_header_that_lies_does_not_help(tmp_path: Path, stated_samples: int) -> None:
    """Whatever the header says, what is decoded is counted."""
    bomb = silent_flac(120, stated_samples=stated_samples)
    assert fault(tmp_path, bomb, max_duration_s=60) is InputFault.TOO_LONG
    assert (tmp_path / "clip").stat().st_size <= 64_000 * 61


def test_a_header_that_lies_does_not_harm(tmp_path: Path) -> None:
    """A short file whose header says a week is decoded for what it is, and called truncated."""
    result = decoded(tmp_path, silent_flac(10, stated_samples=(1 << 36) - 1))
    assert result.technical.duration_s == pytest.approx(10, abs=0.2)
    assert result.technical.warnings == ("truncated",)
    result = decoded(tmp_path, wav(tone(1.0, 16_000, 1), stated_bytes=0x7FFF0000))
    assert result.technical.duration_s == 1.0
    result = decoded(tmp_path, wav(tone(1.0, 16_000, 1), stated_bytes=0xFFFFFFFF))
    assert result.technical.duration_s == 1.0


def test_decoded_bytes_are_bounded(tmp_path: Path) -> None:
    """What expands too far is stopped on the way."""
    assert fault(tmp_path, silent_flac(60), max_decoded_bytes=1 << 20) is InputFault.TOO_COSTLY


def test_video_without_sound(tmp_path: Path) -> None:
    """An MP4 with a picture alone is no audio."""
    assert fault(tmp_path, video_only()) is InputFault.NOT_AUDIO


def test_text_with_the_name_of_audio(tmp_path: Path) -> None:
    """The name plays no part."""
    assert fault(tmp_path, b"Dear reader, this is no music.\n" * 100) is InputFault.NOT_AUDIO


def test_too_large(tmp_path: Path) -> None:
    """A file over the limit is not even hashed."""
    assert fault(tmp_path, example("wav"), max_input_bytes=1_000) is InputFault.TOO_LARGE


def test_a_file_that_changed_after_it_was_hashed(tmp_path: Path) -> None:
    """Other bytes than those that were queued are not analysed."""
    with pytest.raises(InputRejected) as rejected:
        decoded(tmp_path, example("wav"), sha256="0" * 64)
    assert rejected.value.fault is InputFault.CHANGED


def test_an_mp3_and_a_flac_behind_a_cover_picture(tmp_path: Path) -> None:
    """A picture larger than what is looked at to tell the container does not hide it."""
    for name in ("mp3", "flac"):
        result = decoded(tmp_path, with_cover(example(name), 300_000))
        assert result.technical.container == name
        assert result.technical.duration_s == pytest.approx(2.0, abs=0.06)


def test_bit_rate_is_measured(tmp_path: Path) -> None:
    """Bits of sound per second, whatever a header claims."""
    assert decoded(tmp_path, example("wav")).technical.bit_rate_bps == 44_100 * 2 * 16


def test_mono_is_the_average_of_the_channels(tmp_path: Path) -> None:
    """Left alone comes out at half its level; opposite phases cancel."""
    left: Samples = tone(0.5, 16_000, 2)
    left[1] = 0
    assert decoded(tmp_path, wav(left)).clip == pytest.approx(left[0] / 2, abs=1e-7)
    opposite = tone(0.5, 16_000, 2) * np.array([[1], [-1]], np.float32)
    assert not decoded(tmp_path, wav(opposite)).clip.any()


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_time_and_level(tmp_path: Path, rate_hz: int) -> None:
    """A 1 kHz sine is where it was and as loud as it was, and what lies above 8 kHz is gone."""
    clip = decoded(tmp_path, wav(tone(1.0, rate_hz, 1, hz=1_000), rate_hz)).clip
    expected = tone(1.0, 16_000, 1, hz=1_000)[0]
    assert np.abs(clip[500:-500] - expected[500:-500]).max() < 2e-3
    if rate_hz > 40_000:
        above = decoded(tmp_path, wav(tone(1.0, rate_hz, 1, hz=10_000), rate_hz)).clip
        assert np.abs(above[500:-500]).max() < 1e-3


def test_a_file_that_is_written_to_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that come after the hash was taken make it another file."""
    measure = decoder._measure

    def measure_while_it_grows(*arguments: Any) -> dict[str, Any]:
        facts = measure(*arguments)
        with (tmp_path / "input").open("ab") as file:
            file.write(b"more")
        return facts

    monkeypatch.setattr(decoder, "_measure", measure_while_it_grows)
    assert fault(tmp_path, example("wav")) is InputFault.CHANGED


def test_the_half_wave_of_a_short_sound_is_no_offset(tmp_path: Path) -> None:
    """A mean off zero counts from half a second on."""
    samples = np.full((1, 16_000), 0.25, np.float32)
    samples[0, 0] = -0.25
    assert decoded(tmp_path, wav(samples[:, :7_999])).technical.warnings == ()
    assert decoded(tmp_path, wav(samples[:, :8_000])).technical.warnings == ("dc_offset",)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_peak_at_full_scale_is_not_clipped(tmp_path: Path, sign: int) -> None:
    """Two samples in a row touch full scale, three are a flat top, on either side."""
    samples = np.zeros((1, 16_000), np.float32)
    samples[0, 100:102] = samples[0, 200:202] = sign
    assert "clipped" not in decoded(tmp_path, wav(samples)).technical.warnings
    samples[0, 102] = sign
    assert "clipped" in decoded(tmp_path, wav(samples)).technical.warnings
