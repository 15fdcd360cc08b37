import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import benchmarks.japanese_vowels.task as vowels
from benchmarks.japanese_vowels import BENCHMARK
from nas.benchmark import Features, Sequence
from nas.errors import BenchmarkError, DataMissing


def real() -> Path | None:
    """A folder with the real files: in NAS_DATA, or of an installed package."""
    found = vowels.find_data(None, *vowels.FILES) or vowels._packaged()
    return found[0].parent if found else None


REAL = pytest.mark.skipif(real() is None, reason="no package with the files of JapaneseVowels, and none in NAS_DATA")


def series(speaker: int, length: int, channels: int = 12) -> str:
    """A line: channel c counts up from c."""
    return ":".join([*(",".join(f"{c + n}.5" for n in range(length)) for c in range(channels)), str(speaker)])


def write(folder: Path, train: list[str], test: list[str]) -> Path:
    for name, lines in zip(vowels.FILES, (train, test), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("#a comment\n@problemName JapaneseVowels\n@data\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of the right form and size: 30 training series of each speaker."""
    train = [series(n // 30 + 1, 7 + n % 23) for n in range(270)]
    return write(tmp_path, train, [series(n % 9 + 1, 29) for n in range(370)])


@REAL
def test_the_real_splits_have_their_sizes() -> None:
    task = vowels.load(real())
    counts = {split: torch.bincount(task.examples(split).targets).tolist() for split in ("train", "validation", "test")}
    assert counts == {"train": [20] * 9, "validation": [10] * 9, "test": [31, 35, 88, 44, 29, 24, 40, 50, 29]}
    first = vowels.read_series(real() / vowels.FILES[0])[0][0]
    assert not first[:9].any()
    assert first[9, :2].tolist() == pytest.approx([1.860936, -0.207383])


def test_splits_are_stratified_disjoint_and_as_the_signature_says(folder: Path) -> None:
    task = vowels.load(folder)
    seen = []
    for split, count in (("train", 20), ("validation", 10)):
        examples = task.examples(split)
        assert torch.bincount(examples.targets).tolist() == [count] * 9
        assert examples.inputs.shape == (9 * count, *BENCHMARK.signature.input.axes)
        seen += [
            (speaker, series.any(dim=1).sum().item())
            for series, speaker in zip(examples.inputs, examples.targets.tolist(), strict=True)
        ]
    assert len(task.examples("test")) == 370
    assert sorted(seen) == sorted((n // 30, 7 + n % 23) for n in range(270))
    assert BENCHMARK.signature.input == Sequence(vowels.LENGTH, vowels.CHANNELS)
    assert BENCHMARK.signature.output == Features(vowels.SPEAKERS)


def test_short_series_are_padded_at_the_beginning(folder: Path) -> None:
    series_NLC, speakers_N = vowels.read_series(folder / vowels.FILES[0])
    assert not series_NLC[0, :22].any()
    assert series_NLC[0, 22:, 3].tolist() == [3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]
    assert series_NLC.dtype == np.float32
    assert speakers_N.tolist() == [n // 30 for n in range(270)]


@pytest.mark.parametrize("package", vowels.PACKAGES)
def test_files_of_an_installed_package_are_read_without_its_code(
    package: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "site" / package
    for name in vowels.FILES:
        (home / "datasets" / "data" / "JapaneseVowels").mkdir(parents=True, exist_ok=True)
        (folder / name).rename(home / "datasets" / "data" / "JapaneseVowels" / name)
    (home / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.setattr(vowels, "PACKAGES", (package,))
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    monkeypatch.delenv("NAS_DATA", raising=False)
    assert len(vowels.load(None).examples("validation")) == 90


def test_missing_files_say_both_ways_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_DATA", raising=False)
    monkeypatch.setattr(vowels, "PACKAGES", ("a_package_that_is_not_there",))
    ways = r"\(pip install --no-deps sktime\), or name a folder that holds them by --data or the environment variable NAS_DATA\.$"
    for data, place in ((None, "on this machine"), (tmp_path, f"in {tmp_path}")):
        with pytest.raises(DataMissing, match=rf"are not {place}; install a package that ships them {ways}"):
            vowels.load(data)


@pytest.mark.parametrize(
    "line",
    [
        series(10, 9),
        series(0, 9),
        series(1, 30),
        series(1, 9, channels=11),
        series(1, 9).replace("3.5", "nan"),
        series(1, 9).replace("3.5", "x"),
        series(1, 9).replace("11.5,", ""),
        "",
    ],
    ids=["speaker 10", "speaker 0", "too long", "a channel less", "nan", "no number", "channels of two lengths", "empty"],
)
def test_a_line_that_is_no_series_is_refused_by_its_number(folder: Path, line: str) -> None:
    path = folder / vowels.FILES[0]
    lines = path.read_text().splitlines()
    lines[7] = line
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(BenchmarkError, match=r"series 5 is not 12 channels of at most 29 numbers and a speaker from 1 to 9: "):
        vowels.load(folder).examples("train")


def test_a_file_of_another_size_or_form_is_refused(folder: Path) -> None:
    write(folder, [series(1, 9)] * 3, [])
    with pytest.raises(BenchmarkError, match=r"has 3 series after @data, 270 are expected; fetch it again\.$"):
        vowels.load(folder).examples("train")
    with pytest.raises(BenchmarkError, match=r"has 1 series after @data, 370 are expected; fetch it again\.$"):
        vowels.load(folder).examples("test")
    (folder / vowels.FILES[0]).write_bytes(b"\xff\xfe")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        vowels.load(folder).examples("train")
