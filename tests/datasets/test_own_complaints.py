"""What is wrong with a user's folder is said in one line, and nothing is written; what is only odd is warned of."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from own_data import write_csv, write_digits, write_family, write_picture, write_reviews, write_sound, write_tones, write_wine

from nas.cli import main
from nas.datasets.gathered import Wishes
from nas.datasets.making import Made, make_benchmark
from nas.errors import NasError
from nas.searching import resolve_benchmark
from nas.training import load_task

Nas = Callable[..., Result]


@pytest.fixture
def run() -> Nas:
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


def refused(place: Path, **wishes: object) -> str:
    """What is said of the data at `place`; nothing is written."""
    with pytest.raises(NasError) as error:
        make_benchmark("mine", place, place.parent / "out", wishes=Wishes(**wishes))  # type: ignore[arg-type]
    assert not (place.parent / "out" / "mine").exists()
    said = str(error.value)
    assert len(said.splitlines()) == 1
    return said


def made(place: Path, name: str = "mine", **wishes: object) -> Made:
    return make_benchmark(name, place, place.parent / "out", wishes=Wishes(**wishes))  # type: ignore[arg-type]


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Three classes of digits, 60 in all."""
    return write_digits(tmp_path / "few", count=60, classes=3)


def test_a_folder_that_is_not_there_is_told_with_the_one_that_is_near(few: Path) -> None:
    assert re.search(r"There is no folder or file '.*fwe'\. Did you mean 'few'\?$", refused(few.with_name("fwe")))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert refused(tmp_path / "nothing").endswith("is empty; name one that holds data.")


def test_a_folder_of_something_else_is_told_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.docx").write_text("x")
    assert refused(tmp_path / "notes") == (
        "Pictures, sounds (.wav), tables (.csv, .tsv, .jsonl) or triples (.tsv, .txt) are read; 'notes' has 1 with '.docx'."
    )


@pytest.mark.parametrize("kind", [None, "triples"])
def test_a_broken_line_of_triples_is_told_by_its_number(kind: str | None, tmp_path: Path) -> None:
    lines = [f"n{n}\tknows\tn{n + 1}\n" for n in range(30)]
    (tmp_path / "links.txt").write_text("".join([*lines[:20], "n1 knows n2\n", *lines[20:]]))
    assert refused(tmp_path / "links.txt", kind=kind) == (
        "links.txt, line 21: head, relation and tail with tabs between are wanted, got 'n1 knows n2'."
    )


def test_triples_that_are_repeated_are_counted(tmp_path: Path) -> None:
    links = write_family(tmp_path / "links.tsv")
    lines = links.read_text().splitlines()
    assert not any("repeat" in line for line in made(links).warned)
    (tmp_path / "again.tsv").write_text("\n".join(["head\tby\ttail", *lines, *lines[:5]]))
    assert "Lines that repeat a triple count once; there are 5 of them." in made(tmp_path / "again.tsv", "other").warned


def test_one_class_is_none(tmp_path: Path) -> None:
    place = write_digits(tmp_path / "zeros", count=5, classes=1)
    assert refused(place) == "There is one class, '0'; there must be two or more to tell apart."


def test_a_class_with_one_example_is_named(few: Path) -> None:
    write_picture(few / "odd" / "1.png", np.eye(8) * 255)
    assert refused(few) == ("The class 'odd' has 1 example and needs 3, one for each split; add some, or take it out.")


def test_pictures_without_a_folder_of_their_class_are_named(few: Path) -> None:
    write_picture(few / "stray.png", np.eye(8) * 255)
    assert refused(few) == (
        "Pictures lie in a folder for each class, such as cat/1.png; 1 of 61 lie in none, 'stray.png' first. "
        "Move them, or name another folder."
    )


def test_what_cannot_be_read_is_named_and_left_out_on_request(few: Path) -> None:
    whole = next(few.glob("0/*.png")).read_bytes()
    (few / "0" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (few / "1" / "text.png").write_text("no picture")
    said = refused(few)
    assert said.startswith("2 of 62 pictures cannot be read: '0/cut.png' (it is damaged (")
    assert "'1/text.png' (it is no picture). Mend them, or leave them out by --skip-unreadable." in said
    found = made(few, skip=True)
    assert sum(found.sizes.values()) == 60
    assert any("Left out." in line for line in found.warned)
    load_task(found.benchmark, None)  # what was left out is not taken for new


def test_nothing_but_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for n in range(3):
        path = tmp_path / "bad" / str(n) / "a.png"
        path.parent.mkdir(parents=True)
        path.write_text("no picture")
    assert refused(tmp_path / "bad", skip=True).startswith("None of 3 pictures can be read; the first is '0/a.png'")


def test_a_link_that_leads_out_of_the_folder_is_not_followed(few: Path, tmp_path: Path) -> None:
    secret = write_picture(tmp_path / "secret.png", np.eye(8) * 255)
    (few / "0" / "link.png").symlink_to(secret)
    (few / "9").symlink_to(tmp_path)
    said = refused(few)
    assert "'9' is a link to a folder" in said
    assert "'0/link.png' is a link that leads out of the folder" in said
    assert sum(made(few, skip=True).sizes.values()) == 60


def test_a_link_that_is_laid_later_is_not_followed_either(few: Path, tmp_path: Path) -> None:
    found = made(few)
    picture = next(few.glob("0/*.png"))
    outside = tmp_path / "outside.png"
    picture.rename(outside)
    picture.symlink_to(outside)
    with pytest.raises(NasError, match="changed since version 1 was made: 1 file is gone"):
        load_task(found.benchmark, None)


@pytest.mark.skipif(os.name != "posix", reason="names of files are stricter elsewhere")
def test_a_name_that_would_steer_a_terminal_is_refused_and_shown_harmless(few: Path) -> None:
    write_picture(few / "0" / "\x1b[31mred\n.png", np.eye(8) * 255)
    assert r"'0/\x1b[31mred\n.png' has a name that cannot be written down" in refused(few)


def test_pictures_of_many_sizes_become_one(few: Path) -> None:
    write_picture(few / "0" / "wide.png", np.arange(40 * 90).reshape(40, 90) % 251)
    found = made(few)
    assert "from 8×8 to 90×40 (width×height); each is scaled to cover 8×8 and cut off evenly around it." in " ".join(found.found)


def test_equal_examples_stay_in_one_split_and_are_told(few: Path) -> None:
    first = next(few.glob("0/*.png"))
    for n in range(6):
        (few / "0" / f"copy{n}.png").write_bytes(first.read_bytes())
    found = made(few)
    assert any("6 pictures are the same as another; those that are the same are in one split." in line for line in found.warned)
    lines = (found.benchmark.home / "files.tsv").read_text().splitlines()
    twins = [line.split("\t")[0] for line in lines if "copy" in line or line.endswith(f"0/{first.name}")]
    assert len(twins) == 7
    assert len(set(twins)) == 1


def test_equal_examples_in_several_splits_or_classes_are_warned_of(few: Path, tmp_path: Path) -> None:
    home = tmp_path / "parted"
    home.mkdir()
    few.rename(home / "train")
    first = next((home / "train" / "0").iterdir())
    for place in ("test/0/a.png", "test/1/b.png", "test/2/c.png"):
        (home / place).parent.mkdir(parents=True)
        (home / place).write_bytes(first.read_bytes())
    said = " ".join(made(home).warned)
    assert "stand in several splits, such as" in said
    assert "the same is of several classes" in said


def test_splits_of_the_folder_are_kept_and_what_is_missing_is_drawn(few: Path, tmp_path: Path) -> None:
    home = tmp_path / "parted"
    home.mkdir()
    few.rename(home / "Training")
    test = write_digits(home / "tst", count=30, classes=3)
    test.rename(home / "test")
    for path in (home / "test").rglob("*.png"):
        write_picture(path, 255 - np.arange(64).reshape(8, 8) - int(path.stem))
    found = made(home)
    assert found.sizes["test"] == 30
    assert found.sizes["train"] + found.sizes["validation"] == 60
    assert "validation drawn with a fixed seed, stratified." in " ".join(found.found)


def test_a_class_of_the_test_that_nobody_was_taught_is_refused(few: Path, tmp_path: Path) -> None:
    home = tmp_path / "parted"
    home.mkdir()
    few.rename(home / "train")
    write_picture(home / "test" / "new" / "a.png", np.eye(8) * 255)
    assert refused(home) == "The class 'new' stands in no training data; add some, or take it out."


def test_uneven_classes_all_count_alike(few: Path) -> None:
    for path in sorted((few / "2").iterdir())[4:]:
        path.unlink()
    found = made(few)
    assert [one.figure for one in found.benchmark.objectives] == ["validation_balanced_accuracy"]
    assert any("Classes are uneven" in line for line in found.warned)
    assert "test_balanced_accuracy" in found.benchmark.floor


def test_missing_values_of_a_table_are_told_and_their_rows_left_out_on_request(tmp_path: Path) -> None:
    place = write_wine(tmp_path / "wine.csv")
    lines = place.read_text().splitlines()
    lines[3] = "NaN," + lines[3].partition(",")[2]
    lines[9] = lines[9].rpartition(",")[0] + ","
    place.write_text("\n".join(lines))
    assert refused(place) == (
        "2 of 178 rows lack a value, first line 4 in 'alcohol'. Fill them in, leave the rows out by --skip-unreadable, or the "
        "column by --without."
    )
    found = made(place, skip=True)
    assert sum(found.sizes.values()) == 176
    assert len(load_task(found.benchmark, None).examples("train")) == found.sizes["train"]


def test_an_infinite_number_is_named(tmp_path: Path) -> None:
    rows = [[n, "inf" if n == 5 else n / 2, n % 2] for n in range(20)]
    place = write_csv(tmp_path / "t.csv", ["a", "b", "label"], rows)
    assert refused(place) == "t.csv:7: 'b' is infinite; give a number, or leave it empty."


def test_a_column_that_is_not_there_is_told_with_the_one_that_is_near(tmp_path: Path) -> None:
    place = write_reviews(tmp_path / "reviews.csv")
    assert refused(place, target="labell") == "reviews.csv has no column 'labell'. Did you mean 'label'? Known: label, text."
    wine = write_wine(tmp_path / "wine.csv")
    assert refused(wine, without=("ash_",)).startswith("wine.csv has no column 'ash_' to leave out. Did you mean 'ash'?")


def test_texts_without_labels_are_told_what_to_name(tmp_path: Path) -> None:
    rows = [[f"a text of number {n}", n, n] for n in range(20)]
    place = write_csv(tmp_path / "t.csv", ["text", "lable", "other"], rows)
    assert refused(place) == ("t.csv has no column 'label'. Did you mean 'lable'? Known: lable, other. Name it by --target.")


def test_a_column_of_names_is_no_feature(tmp_path: Path) -> None:
    rows = [[f"name{n}", n * 0.5, n % 2] for n in range(100)]
    place = write_csv(tmp_path / "t.csv", ["who", "size", "label"], rows)
    said = refused(place, kind="table")
    assert re.match(r"Column 'who' of t\.csv has \d+ different texts, such as 'name0', and at most 50 become features; ", said)
    found = made(place, kind="table", without=("who",))
    assert found.benchmark.signature.input.axes == (1,)


def test_a_broken_table_is_named_with_its_line(tmp_path: Path) -> None:
    place = tmp_path / "t.csv"
    place.write_text("text,label\nan old film,1\na new film,2,3\n")
    assert refused(place) == "t.csv:3: has 3 cells, there are 2 columns."
    place = tmp_path / "t.jsonl"
    place.write_text('{"text": "an old film", "label": 1}\n{"text": \n')
    assert refused(place).startswith("t.jsonl:2: is no JSON: ")
    place.write_text('{"text": "an old film", "label": 1}\n{"txt": "a film", "label": 1}\n')
    assert refused(place) == "t.jsonl:2: has no 'text'. Did you mean 'txt'? Known: label, txt."
    place = tmp_path / "u.csv"
    place.write_bytes(b"text,label\n\xff\xfe,1\n")
    assert refused(place).startswith("'u.csv' is not UTF-8 text (byte 11)")


def test_a_sound_that_is_none_is_told_how_it_would_be_read(tmp_path: Path) -> None:
    place = write_tones(tmp_path / "tones", {"low": 300, "high": 900})
    (place / "low" / "x.wav").write_bytes(b"RIFF")
    assert refused(place).startswith("1 of 25 sounds cannot be read: 'low/x.wav' (it ")
    write_sound(place / "low" / "x.wav", [])
    assert "'low/x.wav' (it holds no samples)" in refused(place)


def test_silence_is_told(tmp_path: Path) -> None:
    place = write_tones(tmp_path / "tones", {"low": 300, "high": 900})
    write_sound(place / "low" / "x.wav", np.zeros(800))
    assert any("1 of 25 sounds are silent from beginning to end, 'low/x.wav' first." in line for line in made(place).warned)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Mine", "A benchmark's name is lower-case letters, digits and _"),
        ("../mine", "A benchmark's name is lower-case letters, digits and _"),
        ("class", "A benchmark's name is lower-case letters, digits and _"),
        ("digits", "The name 'digits' is taken by the benchmark 'digits' of nas-harness"),
    ],
)
def test_a_name_that_cannot_be_is_refused(few: Path, name: str, said: str) -> None:
    with pytest.raises(NasError, match=re.escape(said)):
        make_benchmark(name, few, few.parent / "out")


def test_a_benchmark_is_made_anew_as_its_next_version_when_that_is_asked_for(few: Path, run: Nas) -> None:
    words = ("benchmarks", "new", "mine", "--from", few, "--to", few.parent)
    assert run(*words).exit_code == 0
    again = run(*words)
    assert again.exit_code == 2
    assert again.output.endswith("is a benchmark already; make its next version with --replace, or choose another name.\n")
    next(few.glob("0/*.png")).unlink()
    with pytest.raises(NasError, match="The data of mine changed since version 1 was made: 1 file is gone"):
        load_task(resolve_benchmark(few.parent / "mine"), None)
    made = json.loads(run(*words, "--replace", "--json").output)
    assert made["version"] == 2
    assert made["examples"] == {"train": 41, "validation": 9, "test": 9}
    load_task(resolve_benchmark(few.parent / "mine"), None)
    assert {one.name for one in few.parent.iterdir()} == {"few", "mine"}


def test_data_that_changed_are_told(few: Path) -> None:
    benchmark = made(few).benchmark
    write_picture(few / "0" / "new.png", np.eye(8) * 255)
    with pytest.raises(NasError, match=r"changed since version 1 was made: 1 file is new \('0/new.png'\)\. Bring them back, or "):
        load_task(benchmark, None)
    (few / "0" / "new.png").unlink()
    line = next(line for line in (benchmark.home / "files.tsv").read_text().splitlines() if line.startswith("train"))
    write_picture(few / line.rpartition("\t")[2], np.eye(8) * 255)
    with pytest.raises(NasError, match=r"changed since version 1 was made: '0/\d+\.png' has another content"):
        load_task(benchmark, None).examples("train")


def test_data_that_moved_are_named_by_data(few: Path) -> None:
    benchmark = made(few).benchmark
    few.rename(few.with_name("moved"))
    with pytest.raises(NasError, match="name their folder by --data, or correct `folder` in "):
        load_task(benchmark, None)
    assert len(load_task(benchmark, few.with_name("moved")).examples("validation")) == 9


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 0", r"benchmark\.yaml:3: version: Input should be greater than or equal to 1, got 0\."),
        ("version: 1", "versoin: 1", r"benchmark\.yaml.*version: Field required"),
        ("summary:", "sumary: x\nsummary:", r"benchmark\.yaml:4: sumary: unknown key\. Did you mean 'summary'\?"),
        ("height: 8", "height: -8", r"prepare\.height: Input should be greater than or equal to 1, got -8"),
        ("batch_size: 32", "batch_size: 0", r"benchmark\.yaml: A recipe has at least 1 batch_size, got 0\."),
        ("learning_rate", "lerning_rate", r"benchmark\.yaml:\d+: recipe\."),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(few: Path, old: str, new: str, said: str) -> None:
    benchmark = made(few).benchmark
    file = benchmark.home / "benchmark.yaml"
    text = file.read_text().replace("batch_size: 10", "batch_size: 32")
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(NasError, match=said) as error:
        resolve_benchmark(benchmark.home)
    assert len(str(error.value).splitlines()) == 1


def test_names_of_classes_that_yaml_would_read_otherwise_are_kept(tmp_path: Path) -> None:
    names = ["?>", "no", "1e3", "~", "- a", "#", "a: b", "é", "x" * 200]
    rows = [[f"some words {n % 5} and others {n}", name] for n in range(8) for name in names]
    benchmark = made(write_csv(tmp_path / "t.csv", ["text", "label"], rows)).benchmark
    assert benchmark.declaration.classes == sorted(names)
    assert len(load_task(benchmark, None).examples("train").targets.unique()) == len(names)


def test_a_list_of_files_that_somebody_wrote_names_none_outside(few: Path) -> None:
    import hashlib

    benchmark = made(few).benchmark
    listed = benchmark.home / "files.tsv"
    listed.write_text(listed.read_text() + "train\t0\t" + "0" * 64 + "\t../../secret.png\n")
    with pytest.raises(NasError, match="is not the list that mine was made with"):
        load_task(benchmark, None)
    file = benchmark.home / "benchmark.yaml"
    digest = hashlib.sha256(listed.read_bytes()).hexdigest()
    file.write_text(file.read_text().replace(benchmark.declaration.data.sha256, digest))
    with pytest.raises(NasError, match=r"names a file outside its folder, '../../secret\.png'; take it out\."):
        load_task(resolve_benchmark(benchmark.home), None)


def test_a_folder_without_a_benchmark_is_told_how_to_make_one(run: Nas, tmp_path: Path) -> None:
    said = run("search", "residual_cnn", "--on", f"{tmp_path}/")
    assert said.exit_code == 2
    assert said.output.endswith("is no benchmark: there is no benchmark.yaml in it; `nas benchmarks new` writes one.\n")


def test_check_says_a_line_a_rule(few: Path, run: Nas) -> None:
    said = run("benchmarks", "check", made(few).benchmark.home)
    assert said.exit_code == 0, said.output
    assert all(line.startswith("ok     ") for line in said.output.splitlines())
    assert len(said.output.splitlines()) == 9
