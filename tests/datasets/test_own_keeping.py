"""What is made of a user's files is kept for the next command, and made anew when a file changes."""

import os
from pathlib import Path

import numpy as np
import pytest
from own_data import write_captioned, write_digits, write_picture, write_tones

from nas.datasets import keeping
from nas.datasets.making import make_benchmark
from nas.datasets.reading import Source, source_of
from nas.errors import BenchmarkError

HOUR = 3_600.0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(keeping.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def settle(folder: Path) -> None:
    """As if all files were written an hour ago."""
    for one in folder.rglob("*"):
        told = one.stat()
        os.utime(one, (told.st_atime - HOUR, told.st_mtime - HOUR))


def made(place: Path) -> Source:
    settle(place)
    return source_of(make_benchmark("mine", place, place.parent / "out").benchmark)


@pytest.mark.parametrize("kind", ["digits", "tones", "captions"])
def test_arrays_are_read_once_and_are_the_same(kind: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "own"
    if kind == "digits":
        write_digits(place, 60, 3)
    elif kind == "tones":
        write_tones(place, {"low": 300, "high": 900})
    else:
        write_captioned(place, 40)
    source = made(place)
    known = [path.name for path in cache.iterdir()]
    assert len(known) == 3, "one a split, since a floor was fitted"
    kept = source.arrays("train")
    monkeypatch.setenv(keeping.VARIABLE, "")
    read = source_of(source.benchmark).arrays("train")
    assert all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(kept, read, strict=True))


def test_a_file_that_changes_is_read_anew_and_told(cache: Path, tmp_path: Path) -> None:
    place = write_digits(tmp_path / "own", 60, 3)
    source = made(place)
    train = next(one.path for one, _ in source.files if one.part == "train")
    write_picture(place / train, np.zeros((8, 8)))
    with pytest.raises(BenchmarkError, match="has another content"):
        source_of(source.benchmark).arrays("train")


def test_a_file_that_has_only_just_changed_is_not_kept(cache: Path, tmp_path: Path) -> None:
    make_benchmark("mine", write_digits(tmp_path / "own", 60, 3), tmp_path / "out")
    assert not cache.exists()


def test_no_more_is_kept_than_may_be_and_the_least_used_goes_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_BYTES", 2_600)
    for n, called in enumerate("abc"):
        keeping.keep(called, {"inputs": np.full(250, n, dtype=np.float32)})
        os.utime(cache / f"{called}.safetensors", (1_000.0 + n, 1_000.0 + n))
    assert keeping.kept("a") is None
    found = keeping.kept("b")
    assert found is not None
    assert (found["inputs"] == 1).all()
    keeping.keep("d", {"inputs": np.zeros(250, dtype=np.float32)})
    assert keeping.kept("c") is None, "b was used since"
    assert keeping.kept("b") is not None
    keeping.keep("large", {"inputs": np.zeros(500, dtype=np.float32)})
    assert keeping.kept("large") is None


def test_what_cannot_be_kept_or_read_costs_nothing_but_time(cache: Path) -> None:
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file")
    keeping.keep("a", {"inputs": np.zeros(3)})
    assert keeping.kept("a") is None
    cache.unlink()
    cache.mkdir()
    (cache / "a.safetensors").write_bytes(b"torn")
    assert keeping.kept("a") is None
