"""Small real folders of the kinds that `nas benchmarks new` reads."""

import csv
import wave
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_wine


def write_digits(folder: Path, count: int = 240, classes: int = 10) -> Path:
    """The first digits of scikit-learn as PNGs by class."""
    digits = load_digits(n_class=classes)
    for n in range(count):
        home = folder / str(digits.target[n])
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[n] * 15).astype(np.uint8)).save(home / f"{n}.png")
    return folder


def write_picture(path: Path, pixels: Any) -> Path:
    """One picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path)
    return path


def write_tones(folder: Path, pitches: Mapping[str, float], count: int = 12, rate: int = 8_000, seconds: float = 0.1) -> Path:
    """Tones of some pitches, each with noise of its own, as WAV files by class."""
    random = np.random.RandomState(0)
    for name, pitch in pitches.items():
        for n in range(count):
            time = np.arange(int(rate * seconds)) / rate
            samples = np.sin(2 * np.pi * pitch * time + random.rand() * 6) + random.randn(len(time)) / 4
            write_sound(folder / name / f"{n}.wav", samples, rate)
    return folder


def write_sound(path: Path, samples: Any, rate: int = 8_000, channels: int = 1) -> Path:
    """One WAV file of 16 bits; samples from −1 to 1, several channels one after the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(np.asarray(samples), -2, 2) * 10_000).astype("<i2").tobytes())
    return path


def write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """A table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
    return path


def write_wine(path: Path) -> Path:
    """Scikit-learn's wines, the class last."""
    wine = load_wine()
    rows = [[*map(float, row), f"w{kind}"] for row, kind in zip(wine.data, wine.target, strict=True)]
    return write_csv(path, [*wine.feature_names, "wine"], rows)


GOOD, BAD = ["fine", "moving", "best", "warm", "clever", "loved"], ["dull", "empty", "worst", "cold", "silly", "hated"]
OTHERS = ["a", "the", "film", "scene", "actor", "story", "end", "music", "minute", "year", "hour", "it"]


def write_reviews(path: Path, count: int = 60) -> Path:
    """Texts, good and bad by turns."""
    random = np.random.RandomState(0)
    rows = []
    for n in range(count):
        words = [*random.choice((GOOD, BAD)[n % 2], 3), *random.choice(OTHERS, 7)]
        rows.append([" ".join(random.permutation(words)), ("good", "bad")[n % 2]])
    return write_csv(path, ["text", "label"], rows)


def write_family(path: Path, people: int = 24) -> Path:
    """Triples of who follows whom, next and next but one, in a circle."""
    names = [f"p{n:02}" for n in range(people)]
    lines = [f"{names[n]}\t{by}\t{names[(n + far) % people]}" for by, far in (("next", 1), ("after", 2)) for n in range(people)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_pairs(path: Path, count: int = 80) -> Path:
    """Words, and the same backwards in capitals."""
    random = np.random.RandomState(0)
    words = {" ".join(random.choice((*GOOD, *BAD, *OTHERS), 2)) for _ in range(count)}
    return write_csv(path, ["here", "there"], [[one, one[::-1].upper()] for one in sorted(words)])


def write_captioned(folder: Path, count: int = 120) -> Path:
    """Digits in a folder of pictures, and beside it a table of what stands on each."""
    digits, names = load_digits(), ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    for n in range(count):
        write_picture(folder / "pictures" / f"{n}.png", digits.images[n] * 15)
    rows = [[f"{n}.png", f"a {names[digits.target[n]]} that somebody wrote as number {n % 7}"] for n in range(count)]
    write_csv(folder / "captions.csv", ["file_name", "caption"], rows)
    return folder
