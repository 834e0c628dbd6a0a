"""Rebuilds the example clips from the packages they were cut from.

    python examples/make_audio.py [--into FOLDER] [CLIP ...]

needs Debian 12 with `ffmpeg`, `fluidsynth` and `flite` installed.  The sources are fetched with `apt-get download` at
the versions below, unpacked into a temporary folder and forgotten afterwards: about 1.1 GB for all clips, nearly all
of it the three game packages.  The same versions of the tools give the same bytes; a changed clip is pointed out.
`audio/README.md` says what each clip is and under which licence it may be passed on.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scores import Score, choir_piece, funk_piece, midi_file, piano_piece

AUDIO = Path(__file__).resolve().parent / "audio"

VERSIONS = {
    "asterisk-core-sounds-en-wav": "1.6.1-1",
    "asterisk-core-sounds-es-wav": "1.6.1-1",
    "fluid-soundfont-gm": "3.1-5.3",
    "freecol": "1.0.0-1",
    "fretsonfire-songs-sectoid": "1.dfsg-3.1",
    "marsshooter-data": "0.7.6-7",
    "naev-data": "0.8.2-1",
    "pocketsphinx-testdata": "0.8+5prealpha+1-15",
    "supertuxkart-data": "1.4+dfsg-2",
}
"""The Debian 12 packages that the clips come from."""

FREECOL = "usr/share/games/freecol/default/resources/music/default"
SECTOID = "usr/share/games/fretsonfire/data/songs/sectoid/War of freedom"
KART = "usr/share/games/supertuxkart/data/sfx"
ENGLISH = "usr/share/asterisk/sounds/en_US_f_Allison"
SPANISH = "usr/share/asterisk/sounds/es_MX_f_Allison"
NOVEL = "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb"

READING = tuple(f"{NOVEL}-{part}.wav" for part in ("0870", "0880", "0890", "0920", "0930"))

SPANISH_PROMPTS = (
    "vm-nobodyavail", "queue-periodic-announce", "conf-onlyperson", "queue-thankyou",
    *(f"digits/day-{day}" for day in range(7)), "vm-goodbye",
)  # fmt: skip

SPOKEN = (
    "This is a synthetic voice. Earmark listens to a recording, and writes down what it is: music, speech, "
    "or any other sound. At noon the keeper of the lighthouse counted seven ships, and before the evening "
    "there were three more."
)


@dataclass(frozen=True)
class Packaged:
    """A sound file in a package; `path` is relative to the file system's root."""

    package: str
    path: str


@dataclass(frozen=True)
class Clip:
    """How one clip is made: what from, mixed by which FFmpeg filter graph, encoded with which options."""

    name: str
    sources: tuple[Packaged | Score | str, ...]
    graph: str
    encoding: tuple[str, ...]


def joined(count: int, gap_s: float) -> str:
    """Write the filters that play the first `count` inputs one after another, a pause after each."""
    padded = "".join(f"[{i}:a]apad=pad_dur={gap_s}[p{i}];" for i in range(count))
    return padded + "".join(f"[p{i}]" for i in range(count)) + f"concat=n={count}:v=0:a=1"


def cut(start_s: float, length_s: float, volume: float = 1.0) -> str:
    """Write the filters that cut a piece out and soften its edges."""
    return (
        f"atrim=start={start_s}:duration={length_s},asetpts=PTS-STARTPTS,volume={volume},"
        f"afade=t=in:d=0.02,afade=t=out:st={length_s - 1.0}:d=1"
    )


def rendered(length_s: float, volume: float) -> str:
    """Write the filters that finish a rendered piece."""
    return f"[0:a]atrim=duration={length_s},volume={volume},afade=t=out:st={length_s - 0.5}:d=0.5"


CLIPS = (
    Clip("orchestral-dance.ogg", (Packaged("freecol", f"{FREECOL}/settlers-routine.ogg"),),
         f"[0:a]{cut(90, 26, 1.5)}", ("-c:a", "libvorbis", "-q:a", "2.5", "-ar", "44100")),
    Clip("electronic-techno.opus", (Packaged("naev-data", "usr/share/naev/dat/snd/music/void_sensor.ogg"),),
         f"[0:a]{cut(136, 25, 0.6)}", ("-c:a", "libopus", "-b:a", "72k", "-ar", "48000")),
    Clip("metal-band.mp3", tuple(Packaged("fretsonfire-songs-sectoid", f"{SECTOID}/{stem}.ogg")
                                 for stem in ("song", "guitar")),
         f"[0:a][1:a]amix=inputs=2:normalize=0,{cut(46, 26, 0.55)}",
         ("-c:a", "libmp3lame", "-b:a", "128k", "-ar", "44100")),
    Clip("song-female-singer.mp3",
         (Packaged("marsshooter-data", "usr/share/games/marsshooter/audio/music/07_-_Vermocsar.ogg"),),
         f"[0:a]{cut(17, 24, 0.8)}", ("-c:a", "libmp3lame", "-q:a", "6", "-ar", "48000")),
    Clip("choir-chorale.opus", (choir_piece(),), rendered(27.0, 2.0),
         ("-c:a", "libopus", "-b:a", "40k", "-ac", "1", "-ar", "48000")),
    Clip("piano-solo.wav", (piano_piece(),), rendered(18.6, 5.0),
         ("-c:a", "pcm_s24le", "-ac", "1", "-ar", "16000")),
    Clip("funk-band.m4a", (funk_piece(),), rendered(26.5, 1.4),
         ("-c:a", "aac", "-b:a", "96k", "-ar", "44100")),
    Clip("speech-english-prompts.wav", (Packaged("asterisk-core-sounds-en-wav", f"{ENGLISH}/demo-echotest.wav"),),
         "[0:a]apad=pad_dur=0.5", ("-c:a", "pcm_s16le", "-ac", "1", "-ar", "8000")),
    Clip("speech-spanish-prompts.mp3",
         tuple(Packaged("asterisk-core-sounds-es-wav", f"{SPANISH}/{prompt}.wav") for prompt in SPANISH_PROMPTS),
         joined(len(SPANISH_PROMPTS), 0.4), ("-c:a", "libmp3lame", "-b:a", "24k", "-ac", "1", "-ar", "8000")),
    Clip("speech-synthetic-voice.flac", (SPOKEN,), "[0:a]anull", ("-c:a", "flac", "-ac", "1", "-ar", "16000")),
    Clip("narration-over-music.ogg",
         (*(Packaged("pocketsphinx-testdata", sentence) for sentence in READING),
          Packaged("freecol", f"{FREECOL}/sunrise.ogg")),
         f"{joined(5, 0.3)},aresample=44100,volume=1.4,apad=whole_dur=28[voice];[5:a]{cut(2, 28, 0.55)}[music];"
         "[voice]aformat=channel_layouts=stereo[v];[v][music]amix=inputs=2:normalize=0:duration=shortest",
         ("-c:a", "libvorbis", "-q:a", "2", "-ar", "44100")),
    Clip("birds.ogg", (Packaged("supertuxkart-data", f"{KART}/exotic-birds_2.ogg"),),
         f"[0:a]{cut(0, 16.5, 1.5)}", ("-c:a", "libvorbis", "-q:a", "3", "-ac", "1", "-ar", "22050")),
    Clip("waterfall.m4a", (Packaged("supertuxkart-data", f"{KART}/waterfall_loop_2.ogg"),),
         f"[0:a]{cut(0, 14.5, 0.8)}", ("-c:a", "aac", "-b:a", "80k", "-ac", "1", "-ar", "48000")),
    Clip("silence.flac", (), "anullsrc=sample_rate=48000:channel_layout=stereo,atrim=duration=10",
         ("-c:a", "flac", "-sample_fmt", "s16")),
)  # fmt: skip


class Workshop:
    """A temporary folder where sources are unpacked and clips are made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unpacked: set[str] = set()

    def unpack(self, source: Packaged) -> Path:
        """Fetch a source's package, unless that was done before, and find the file in it."""
        root = self._folder / source.package
        if source.package not in self._unpacked:
            download = self._folder / "download"
            download.mkdir()
            named = f"{source.package}={VERSIONS[source.package]}"
            subprocess.run(["apt-get", "download", "-q", named], cwd=download, check=True)
            (archive,) = download.iterdir()
            subprocess.run(["dpkg", "-x", archive, root], check=True)
            shutil.rmtree(download)
            self._unpacked.add(source.package)
        return root / source.path

    def render(self, score: Score) -> Path:
        """Play a score with fluidsynth."""
        soundfont = self.unpack(Packaged("fluid-soundfont-gm", "usr/share/sounds/sf2/FluidR3_GM.sf2"))
        notes, sound = self._folder / "score.mid", self._folder / "score.wav"
        notes.write_bytes(midi_file(score))
        command = ["fluidsynth", "-ni", "-q", "-g", "0.5", "-r", "48000", "-O", "s24", "-T", "wav", "-F"]
        subprocess.run([*command, sound, soundfont, notes], check=True)
        return sound

    def speak(self, text: str) -> Path:
        """Read a text aloud with flite's voice rms."""
        sound = self._folder / "spoken.wav"
        subprocess.run(["flite", "-voice", "rms", "-t", text, "-o", sound], check=True)
        return sound

    def source(self, wanted: Packaged | Score | str) -> Path:
        """Get the sound file of a source, whatever kind it is."""
        makers: dict[type, Callable[..., Path]] = {Packaged: self.unpack, Score: self.render, str: self.speak}
        return makers[type(wanted)](wanted)

    def make(self, clip: Clip) -> bytes:
        """Make one clip."""
        made = self._folder / clip.name
        inputs = [part for wanted in clip.sources for part in ("-i", os.fspath(self.source(wanted)))]
        quiet = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
        exact = ["-map_metadata", "-1", "-map", "[out]", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
        graph = ["-filter_complex", f"{clip.graph}[out]"]
        subprocess.run([*quiet, *inputs, *graph, *exact, *clip.encoding, made], check=True)
        return made.read_bytes()


def make_clips(into: Path, names: list[str]) -> Iterator[str]:
    """Make the clips of these names, all when there are none, and say how each compares with the one that was there."""
    unknown = set(names) - {clip.name for clip in CLIPS}
    if unknown:
        message = f"no such clip: {', '.join(sorted(unknown))}"
        raise SystemExit(message)
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        for clip in CLIPS:
            if names and clip.name not in names:
                continue
            target, sound = into / clip.name, workshop.make(clip)
            before = target.read_bytes() if target.exists() else b""
            target.write_bytes(sound)
            news = "as before" if before == sound else "changed" if before else "new"
            yield f"{clip.name:32}{len(sound):>9,} bytes  {hashlib.sha256(sound).hexdigest()[:16]}  {news}"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Rebuild the example clips from the packages they were cut from.")
    parser.add_argument("--into", type=Path, default=AUDIO, help="the folder to write to")
    parser.add_argument("clips", nargs="*", help="names of clips; all when left out")
    wanted = parser.parse_args()
    missing = [tool for tool in ("apt-get", "dpkg", "ffmpeg", "fluidsynth", "flite") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}")
    for report in make_clips(wanted.into, wanted.clips):
        print(report, flush=True)


if __name__ == "__main__":
    main()
