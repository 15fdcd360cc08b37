import io
import json
import tarfile
from collections import Counter
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
    """As npm packs it: made-up names, of which one has no German, one is longer than others and one too long to learn from."""
    english = [" ".join((WORDS[n % 10], WORDS[n // 10 % 10], WORDS[n // 100])) for n in range(count)]
    tables = {
        "en": dict(enumerate([*english, "alone", "red old " * 4 + "big", "l" * 99])),
        "de": dict(enumerate([one[::-1] for one in english])),
    }
    tables["de"] |= {count + 1: "lang", count + 2: "kurz"}
    with tarfile.open(path, "w:gz") as file:
        for language, table in tables.items():
            content = json.dumps([{"hexcode": f"{code:X}", "label": label} for code, label in table.items()]).encode()
            member = tarfile.TarInfo(f"package/{language}/data.json")
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def test_splits_are_apart_and_as_the_signature_says(tmp_path: Path) -> None:
    task = names.load(archive(tmp_path / names.FILE))
    told = {split: list(zip(*texts(task, split), strict=True)) for split in ("train", "validation", "test")}
    assert all(target == source[::-1] for split in ("validation", "test") for source, target in told[split])
    held_out = {*told["validation"], *told["test"]}
    assert len(held_out) == 500
    shown = Counter(told["train"])
    assert shown["red old red old red old red old big", "lang"] == names.SHOWN, "what is longer is learned from"
    true = [pair for pair, count in shown.items() if count == names.SHOWN]
    assert len(true) == 101
    assert not held_out & set(shown), "nothing that is made is held out"
    assert len(shown) > len(true), "and pairs are made of others"
    assert all(shown[pair] == 1 for pair in set(shown) - set(true))
    length, vocabulary = names.PLACE + names.SAID + 1, FIRST + len(names.ALPHABET) + names.MERGES
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
