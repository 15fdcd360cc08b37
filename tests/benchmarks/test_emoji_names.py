import io
import json
import tarfile
from pathlib import Path

import pytest

import benchmarks.emoji_names.task as names
from benchmarks.emoji_names import BENCHMARK
from benchmarks.emoji_names.floor import texts
from nas.benchmark import NextTokens, Tokens
from nas.errors import BenchmarkError, DataMissing
from nas.training.translation import FIRST

WORDS = ["red", "old", "big", "fat", "dim", "new", "odd", "raw", "shy", "wet"]


def archive(path: Path, count: int = 600) -> Path:
    """As npm packs it: made-up names, of which one has no German and one is too long."""
    english = [" ".join((WORDS[n % 10], WORDS[n // 10 % 10], WORDS[n // 100])) for n in range(count)]
    tables = {"en": dict(enumerate([*english, "alone", "l" * 99])), "de": dict(enumerate([one[::-1] for one in english]))}
    tables["de"][count + 1] = "lang"
    with tarfile.open(path, "w:gz") as file:
        for language, table in tables.items():
            content = json.dumps([{"hexcode": f"{code:X}", "label": label} for code, label in table.items()]).encode()
            member = tarfile.TarInfo(f"package/{language}/data.json")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def test_splits_are_apart_and_as_the_signature_says(tmp_path: Path) -> None:
    task = names.load(archive(tmp_path / names.FILE))
    told = {split: texts(task, split) for split in ("train", "validation", "test")}
    assert {split: len(sources) for split, (sources, _) in told.items()} == {"train": 100, "validation": 250, "test": 250}
    sources = [source for some, _ in told.values() for source in some]
    assert len(set(sources)) == 600
    assert all(target == source[::-1] for some, others in told.values() for source, target in zip(some, others, strict=True))
    length, vocabulary = names.SOURCE + 1 + names.TARGET, FIRST + len(names.ALPHABET)
    assert BENCHMARK.signature.input == Tokens(length, vocabulary)
    assert BENCHMARK.signature.output == NextTokens(length, vocabulary)


def test_a_file_that_is_no_archive_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / names.FILE).write_bytes(b"no archive")
    with pytest.raises(BenchmarkError, match="is no archive of emojibase-data: ") as caught:
        names.load(tmp_path).examples("train")
    assert "\n" not in str(caught.value)


def test_missing_names_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_DATA", raising=False)
    monkeypatch.setattr(names, "CACHE", tmp_path / "none")
    for data, place in ((None, "on this machine"), (tmp_path, f"in {tmp_path}")):
        with pytest.raises(DataMissing, match=rf"is not {place}; fetch it by `npm pack emojibase-data@17\.0\.0`"):
            names.load(data)
