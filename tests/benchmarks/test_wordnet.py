from pathlib import Path

import pytest

import benchmarks.wordnet.task as wordnet
from benchmarks.knowledge_graphs.floor import floor
from benchmarks.wordnet import BENCHMARK
from nas.errors import BenchmarkError, DataMissing
from nas.protocols.triples import LinkPrediction

LICENCE = "  1 This software and database is being provided to you, the LICENSEE\n"


@pytest.fixture(scope="module")
def real() -> LinkPrediction:
    try:
        return wordnet.load(None)
    except DataMissing as error:
        pytest.skip(str(error))


def test_the_splits_are_those_of_version_1(real: LinkPrediction) -> None:
    assert real.signature == BENCHMARK.signature
    assert [len(real.examples(split)) for split in ("train", "validation", "test")] == [9_302, 1_164, 1_164]  # type: ignore[arg-type]


def test_no_two_meanings_are_joined_twice_so_that_no_inverse_is_left_behind(real: LinkPrediction) -> None:
    pairs = []
    for split in ("train", "validation", "test"):
        examples = real.examples(split)  # type: ignore[arg-type]
        forth = examples.inputs[:, 1] < real.shape.relations
        heads, tails = examples.inputs[forth, 0].tolist(), examples.targets[forth].tolist()
        pairs += [frozenset(pair) for pair in zip(heads, tails, strict=True)]
    assert len(pairs) == len(set(pairs)) == 5_815


def test_the_floor_is_what_popularity_reaches(real: LinkPrediction) -> None:
    found = floor(real)
    assert BENCHMARK.floor == {name: pytest.approx(found[name], abs=5e-5) for name in BENCHMARK.floor}


def line(offset: int, part: str, words: str, *pointers: str) -> str:
    forms = words.split()
    written = " ".join(f"{word} 0" for word in forms)
    points = " ".join(f"{pointer} 0000" for pointer in pointers)
    return f"{offset:08d} 03 {part} {len(forms):02x} {written} {len(pointers):03d} {points} | a meaning; with | in it\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four nouns that all point to each other, one that hangs on by a thread, one that nobody uses, and a verb."""
    names = ["one", "two", "three", "four"]
    nouns = [
        line(n, "n", f"{name} other", *(f"@ {m:08d} n" for m in range(n + 1, 4)), *(f"~ {m:08d} n" for m in range(n)))
        for n, name in enumerate(names)
    ]
    nouns += [line(4, "n", "thread", "@ 00000000 n"), line(5, "n", "unused", *(f"@ {m:08d} n" for m in range(4)))]
    (tmp_path / "data.noun").write_text(LICENCE + "".join(nouns))
    (tmp_path / "data.verb").write_text(
        LICENCE + line(0, "v", "do", "+ 00000000 n", "+ 00000001 n", "! 00000001 n", "+ 00000002 n")
    )
    (tmp_path / "data.adj").write_text(LICENCE + line(0, "s", "small(p)", "+ 00000000 n"))
    (tmp_path / "data.adv").write_text(LICENCE)
    keys = [*(f"{name}%1:03:00::" for name in (*names, "thread")), "do%2:03:00::", "small%5:03:00::"]
    (tmp_path / "cntlist.rev").write_text("".join(f"{key} 1 7\n" for key in keys))
    return tmp_path


def test_meanings_that_texts_use_are_read_with_their_pointers(folder: Path) -> None:
    found = dict(wordnet._synsets(folder))
    assert found["00000000n"].name == "one.n.00000000"
    assert found["00000000n"].pointers == (("@", "00000001n"), ("@", "00000002n"), ("@", "00000003n"))
    assert "00000004n" in found
    assert "00000005n" not in found
    assert found["00000000a"].name == "small.a.00000000"


def test_links_are_between_used_meanings_of_three_links_each_pair_once(folder: Path) -> None:
    found = wordnet.links(folder)
    assert ("one.n.00000000", "hypernym", "two.n.00000001") in found
    assert {name.split(".")[0] for head, _, tail in found for name in (head, tail)} == {"one", "two", "three", "four", "do"}
    assert len(found) == 6 + 3
    assert [relation for head, relation, tail in found if head.startswith("do") and tail.startswith("two")] == ["antonym"]


def test_other_files_than_those_of_version_1_are_refused(folder: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"too few for a split|other links than those of version 1"):
        wordnet.load(folder)
    (folder / "data.verb").write_text("nothing of the kind\n")
    with pytest.raises(BenchmarkError, match=r"holds no files of WordNet 3.0"):
        wordnet.load(folder)


def test_where_the_files_are_nowhere_it_is_told_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DataMissing, match=r"^The files of WordNet 3.0 are not in .*; apt-get install wordnet-base, or name the folder"
    ):
        wordnet.load(tmp_path)
    monkeypatch.setattr(wordnet, "DEBIAN", tmp_path)
    monkeypatch.delenv("NAS_DATA", raising=False)
    with pytest.raises(DataMissing, match="are not on this machine"):
        wordnet.load(None)
