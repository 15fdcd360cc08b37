"""Pairs of a user's own: texts that are translated, and pictures that find their captions."""

import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_data import write_captioned, write_csv, write_family, write_pairs, write_picture, write_reviews, write_wine

import nas
from nas.benchmark import Benchmark, Features, Image, Modalities, NextTokens, Tokens
from nas.datasets.declaration import FILE, read_benchmark
from nas.datasets.gathered import Wishes
from nas.datasets.making import Made, make_benchmark
from nas.datasets.pairs import Pictured, groups
from nas.errors import BenchmarkError, DocumentError
from nas.protocols.matching import Retrieval
from nas.records import Ledger
from nas.testing import BenchmarkContract
from nas.training import load_task
from nas.training.translation import Translation


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """One of each, beside its data."""
    home = tmp_path_factory.mktemp("own")
    places = {"backwards": write_pairs(home / "pairs.csv"), "told": write_captioned(home / "digits")}
    return {name: make_benchmark(name, place, home) for name, place in places.items()}


def make(place: Path, **wishes: Any) -> Made:
    return make_benchmark("mine", place, place.parent / "out", wishes=Wishes(**wishes))


class TestOwnPairs(BenchmarkContract):
    @pytest.fixture(params=["backwards", "told"])
    def benchmark(self, made: dict[str, Made], request: pytest.FixtureRequest) -> Benchmark:
        return made[request.param].benchmark


def test_two_columns_of_texts_are_a_translation(made: dict[str, Made]) -> None:
    benchmark = made["backwards"].benchmark
    assert benchmark.protocol == "translation"
    assert benchmark.objectives[0].figure == "validation_chrf"
    given, gives = benchmark.signature.input, benchmark.signature.output
    assert isinstance(given, Tokens)
    assert gives == NextTokens(given.length, given.vocabulary)
    task = load_task(benchmark, None)
    assert isinstance(task, Translation)
    examples = task.examples("test")
    sources, targets = task.read(examples.inputs[:, : task.place]), task.read(examples.targets[:, task.place :].clamp(min=0))
    assert [target[::-1].lower() for target in targets] == sources
    assert 0 <= benchmark.floor["test_chrf"] < 90


def test_what_the_protocol_of_texts_is_told_stands_in_the_file_and_of_others_is_refused(
    made: dict[str, Made], tmp_path: Path
) -> None:
    benchmark = made["backwards"].benchmark
    assert benchmark.protocol_options == {"forgotten": 0.15}
    assert benchmark.to_data()["protocol_options"] == {"forgotten": 0.15}
    written = (benchmark.home / FILE).read_text(encoding="utf-8")
    assert "protocol_options" in written
    bare = tmp_path / "bare"
    shutil.copytree(benchmark.home, bare)
    lines = [line for line in written.split("\n") if "protocol_options" not in line and "forgotten" not in line]
    (bare / FILE).write_text("\n".join(lines), encoding="utf-8")
    assert "protocol_options" not in read_benchmark(bare).to_data(), "benchmarks of earlier commits keep their meaning"
    with (bare / FILE).open("w", encoding="utf-8") as file:
        told = (made["told"].benchmark.home / FILE).read_text(encoding="utf-8")
        file.write(told + "protocol_options: {samples: 4}\n")
    with pytest.raises(DocumentError, match="alone the protocol is told more, got captions; leave `protocol_options` out"):
        read_benchmark(bare)


def test_a_wrong_option_of_the_protocol_takes_no_name_so_that_it_can_be_mended(made: dict[str, Made], tmp_path: Path) -> None:
    benchmark = replace(made["backwards"].benchmark, protocol_options={"forgoten": 0.15})
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    with pytest.raises(
        BenchmarkError, match=r"^backwards: the protocol 'translation' has no option 'forgoten'\. Did you mean 'forgotten'\?"
    ):
        nas.search("recurrent", on=benchmark, trials=1, study="s", ledger=url)
    with Ledger(url) as book:
        assert book.studies() == []


def test_pictures_named_in_a_table_find_their_captions(made: dict[str, Made], tmp_path: Path) -> None:
    benchmark = made["told"].benchmark
    assert benchmark.protocol == "retrieval"
    assert benchmark.signature.input == Modalities.of(image=Image(1, 8, 8), text=Tokens(8, 25))
    assert benchmark.signature.output == Features(128)
    assert isinstance(load_task(benchmark, None), Retrieval)
    study = nas.search(
        benchmark.home / "space.yaml", on=benchmark, trials=1, epochs=1, study="s", ledger=f"sqlite:///{tmp_path}/nas.sqlite"
    )
    record = study.best.trials[0].record
    assert record is not None
    assert 0 < record.figures["validation_recall_at_10"] <= 1


def test_a_row_is_its_picture_and_the_words_of_its_caption(tmp_path: Path) -> None:
    home = write_captioned(tmp_path / "few", 30)
    task = load_task(make(home).benchmark, None)
    examples = task.examples("train")
    pixels = examples.inputs[:, :64]
    assert pixels.mean().abs() < 1e-3
    assert (pixels.std() - 1).abs() < 0.02
    words = examples.inputs[:, 64:]
    assert (words == words.round()).all()
    assert words.min() >= 0


def test_what_shares_a_picture_or_a_caption_is_of_one_group_and_of_one_split(tmp_path: Path) -> None:
    home, random = tmp_path / "own", np.random.RandomState(0)
    shown = [write_picture(home / f"{n}.png", random.randint(0, 255, (8, 8))) for n in range(40)]
    (home / "copy.png").write_bytes(shown[0].read_bytes())
    rows = [[f"{n}.png", f"the picture number {n} and {n % 5} more"] for n in range(40) for _ in range(2)]
    rows += [["copy.png", "the first again, and more"], ["1.png", "the first again, and more"]]
    write_csv(home / "metadata.csv", ["file_name", "text"], rows)
    task = load_task(make(home).benchmark, None)
    targets = {split: task.examples(split).targets for split in ("train", "validation", "test")}
    together = {split: set(found.tolist()) for split, found in targets.items()}
    assert sum(map(len, together.values())) == 39, "0, its copy and 1 are one"
    assert all(not one & other for one, other in combinations(together.values(), 2))
    assert sum(map(len, targets.values())) == 82


def test_groups_are_what_is_reached_from_one_pair_to_the_next() -> None:
    random = np.random.RandomState(0)
    for size in (1, 5, 30):
        pairs = [(str(random.randint(size)), str(random.randint(size))) for _ in range(size)]
        found = groups(pairs)
        reached = [{n} for n in range(size)]
        for _ in range(size):
            reached = [
                {m for k in some for m in range(size) if pairs[m][0] == pairs[k][0] or pairs[m][1] == pairs[k][1]}
                for some in reached
            ]
        assert found == [min(some) for some in reached]


def test_a_cell_names_a_picture_by_its_path_or_by_a_name_that_one_has() -> None:
    pictured = Pictured(["a/1.png", "b/1.png", "b/2.PNG", "notes.txt"])
    cells = ("a/1.png", "./b/2.PNG", "2.PNG", "1.png", "notes.txt", "3.png")
    assert [pictured.path(cell) for cell in cells] == ["a/1.png", "b/2.PNG", "b/2.PNG", None, None, None]


def test_other_tables_are_what_they_were(tmp_path: Path) -> None:
    kinds = {
        make_benchmark(f"k{n}", place, tmp_path / "out").benchmark.declaration.prepare.kind
        for n, place in enumerate(
            (write_reviews(tmp_path / "a.csv"), write_wine(tmp_path / "b.csv"), write_family(tmp_path / "c.tsv"))
        )
    }
    assert kinds == {"text", "table", "triples"}


def test_columns_are_told_by_name_and_longer_pairs_are_left_out(tmp_path: Path) -> None:
    rows = [[n, f"some words {n}", f"einige Wörter {n}", "x"] for n in range(60)]
    rows[7][2] = "sehr " * 30
    place = write_csv(tmp_path / "pairs.csv", ["id", "en", "de", "by"], rows)
    with pytest.raises(BenchmarkError) as caught:
        make(place, kind="pairs")
    assert str(caught.value) == (
        "Pairs of texts are two columns, and pairs.csv has 'id', 'en', 'de', 'by'; name the source by --text and the target by "
        "--target."
    )
    done = make(place, kind="pairs", text="en", target="de")
    assert any("1 longer pairs are left out." in line for line in done.found)
    assert sum(done.sizes.values()) == 59
    with pytest.raises(BenchmarkError, match=r"No pair of pairs\.csv fits into 2 and 2 characters; read more by --length"):
        make_benchmark("short", place, tmp_path, wishes=Wishes(kind="pairs", text="en", target="de", length=2))


def test_captions_without_a_picture_are_refused_or_left_out(tmp_path: Path) -> None:
    home = write_captioned(tmp_path / "few", 40)
    with (home / "captions.csv").open("a") as file:
        file.write("lost.png,a picture that is nowhere\n5.png,\n")
    with pytest.raises(BenchmarkError) as caught:
        make(home)
    assert str(caught.value).startswith(
        "2 of 42 pairs cannot be read: line 42 lacks a caption, or a picture that is there; line 43 lacks a caption, or a picture"
    )
    done = make(home, skip=True)
    assert sum(done.sizes.values()) == 40
    assert len(load_task(done.benchmark, None).examples("train")) == done.sizes["train"]
    write_picture(home / "pictures" / "3.png", np.zeros((8, 8)))
    task = load_task(done.benchmark, None)
    with pytest.raises(BenchmarkError, match=r"changed since version 1 was made: 'pictures/3\.png' has another content"):
        [task.examples(split) for split in ("train", "validation", "test")]


def test_a_table_named_from_its_own_folder_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pairs(tmp_path / "pairs.csv")
    monkeypatch.chdir(tmp_path)
    done = make_benchmark("mine", Path("pairs.csv"))
    assert done.benchmark.declaration.data.folder == ".."
    assert len(load_task(done.benchmark, None).examples("train")) == done.sizes["train"]
