import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import benchmarks.emoji.file as held
from benchmarks.emoji import BENCHMARK
from benchmarks.emoji.make import spectrogram, spell
from benchmarks.emoji.task import BAND_DEVIATION, BAND_MEAN, PIXEL_DEVIATION, PIXEL_MEAN, load
from nas.errors import BenchmarkError, DataMissing
from nas.testing import check_benchmark

FILES = [folder / held.FILE for folder in (Path(os.environ.get("NAS_DATA") or held.HOME), held.HOME)]
REAL = pytest.mark.skipif(not any(file.is_file() for file in FILES), reason="make them by python -m benchmarks.emoji.make")


def made_up(count=90):
    """Arrays of the right form, of as many emoji in nine groups."""
    random = np.random.RandomState(0)
    names = [(f"name {n}", f"wort {n}", f"mot {n}", f"voz {n}") for n in range(count)]
    ids, alphabet = spell(names)
    return {
        "emoji": np.array([chr(0x1F600 + n) for n in range(count)]),
        "group": np.arange(count) % 9,
        "picture": random.randint(0, 256, (count, 16, 16, 3), dtype=np.uint8),
        "name": ids,
        "alphabet": alphabet,
        "speech": random.randint(0, 200, (count, 16, 24), dtype=np.uint8),
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Holds made-up emoji, which are taken for those of this version."""
    arrays = made_up()
    np.savez(tmp_path / held.FILE, **arrays)
    monkeypatch.setattr(held, "DIGEST", held.digest(arrays))
    return tmp_path


def test_rows_are_picture_name_and_sound_in_splits_that_share_no_emoji(folder):
    task, arrays, given = load(folder), made_up(), BENCHMARK.signature.input
    shown = {split: task.examples(split).inputs[:, given.span("image")] for split in ("train", "validation", "test")}
    assert {split: len(pictures) for split, pictures in shown.items()} == {"train": 54 * 4, "validation": 18, "test": 18}
    seen = {split: {picture.numpy().tobytes() for picture in pictures} for split, pictures in shown.items()}
    assert {split: len(some) for split, some in seen.items()} == {"train": 54, "validation": 18, "test": 18}
    assert len(set.union(*seen.values())) == 90
    examples = task.examples("test")
    letters = ["".join(arrays["alphabet"][int(i) - 1] for i in row if i) for row in examples.inputs[:, given.span("text")]]
    assert [name.split()[0] for name in letters[:5]] == ["name", "wort", "mot", "voz", "name"]
    for row, name in zip(examples.inputs, letters, strict=True):
        n = int(name.split()[1])
        picture = row[given.span("image")].reshape(3, 16, 16).permute(1, 2, 0) * PIXEL_DEVIATION + PIXEL_MEAN
        sound = row[given.span("sound")].reshape(16, 24) * BAND_DEVIATION + BAND_MEAN
        assert np.allclose(picture, arrays["picture"][n], atol=0.01)
        assert np.allclose(sound, arrays["speech"][n], atol=0.01)
    assert task.examples("train").targets[:9].unique().numel() == 9, "every beginning is stratified"


def test_emoji_that_are_nowhere_are_told_how_to_make(tmp_path):
    with pytest.raises(DataMissing) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"The emoji are not in {tmp_path}; make them by `python -m benchmarks.emoji.make`, which needs npm, "
        "fonts-noto-color-emoji and espeak-ng, or name the folder of emoji.npz by --data or NAS_DATA."
    )


def test_other_emoji_and_other_files_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(held, "DIGEST", "f" * 64)
    with pytest.raises(BenchmarkError, match=r"holds other emoji than version 1 of the data, [0-9a-f]{12} for ffffffffffff;"):
        load(folder)
    (tmp_path / held.FILE).write_bytes(b"PK")
    with pytest.raises(BenchmarkError, match=r"is no \.npz file of emoji, group, picture"):
        load(tmp_path)


def test_names_are_spelled_from_the_right_and_cut():
    ids, alphabet = spell([("ab", "b", "", "c" * 40)])
    assert list(alphabet) == ["a", "b", "c"]
    assert ids.shape == (1, 4, 32)
    assert ids[0, 0].tolist() == [0] * 30 + [1, 2]
    assert not ids[0, 2].any()
    assert ids[0, 3].tolist() == [3] * 32


def test_a_tone_stands_in_its_band_for_as_long_as_it_sounds():
    rate = 22_050
    low, high = (np.sin(2 * np.pi * hertz * np.arange(rate) / rate) * 9_000 for hertz in (300, 3_000))
    bands = [spectrogram(tone.astype(np.int16), rate).astype(int) for tone in (low, high)]
    assert bands[0].shape == (16, 24)
    assert bands[0][:, 5].argmax() < 4 < 10 < bands[1][:, 5].argmax()
    assert not bands[0][:, 14:].any(), "silent after a second"


def test_the_script_says_in_a_line_what_it_lacks(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks.emoji.make", "--to", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "emoji: espeak-ng speaks the names, and is not on this machine; install the package espeak-ng.\n"
    assert not done.stdout


@REAL
def test_the_real_emoji_keep_to_every_rule_of_a_benchmark():
    assert {str(rule): problem for rule, problem in check_benchmark(BENCHMARK) if problem} == {}
