import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from small_tables import CONDITIONAL, noisy, public, write

from nas.benchmark import Objective
from nas.errors import DocumentError, TableError
from nas.space import Categorical, size
from nas.tables import read_table, write_table

PLAIN = ("choice:a,choice:b,accuracy,params", "x,1,0.5,10", "x,2,0.7,20", "y,1,0.6,10")


@pytest.mark.parametrize(
    ("name", "best", "expected"),
    [
        ("nas-bench-macro.csv.gz", 93.1267, [0.353, 0.261, 0.186, 0.124]),
        ("nas-bench-201-cifar10.csv.gz", 94.3733, [0.686, 0.527, 0.399, 0.291]),
        ("nas-bench-201-cifar100.csv.gz", 73.5133, [2.412, 1.962, 1.525, 1.116]),
    ],
)
def test_random_search_on_a_public_table_is_expected_to_reach_what_is_published(
    name: str, best: float, expected: list[float]
) -> None:
    table = read_table(public(name))
    assert table.best == pytest.approx(best, abs=5e-5)
    assert table.expected_regret([50, 100, 200, 400], replacement=True) == pytest.approx(expected, abs=5e-4)
    assert size(table.space) == len(table)


def test_the_best_of_macro_are_the_twins_that_are_known() -> None:
    table = read_table(public("nas-bench-macro.csv.gz"))
    assert table.trainings.shape == (6561, 3)
    order = np.argsort(-table.means)[:2]
    names = ["identity", "mb3_k3", "mb6_k5"]
    found = {tuple(names.index(str(value)) for value in table.architectures[row].choices.values()) for row in order}
    assert found == {(2, 2, 2, 1, 2, 2, 2, 0), (2, 2, 2, 1, 2, 2, 0, 2)}


def test_a_public_table_is_read_at_its_highest_fidelity_or_at_the_one_that_is_asked_for() -> None:
    path = public("nas-bench-201-cifar10.csv.gz")
    table = read_table(path)
    assert (table.objective, table.fidelity, table.fidelities) == (Objective("test_accuracy", "maximize"), 200, (12, 200))
    assert len(table.curve(0)) == 2
    early = read_table(path, objective="val_accuracy")
    assert (early.asked, early.fidelities) == ("val_accuracy@12", (12,))
    assert early.digest == table.digest
    assert {"latency_ms:raspi4", "params"} <= set(table.figures)
    assert set(table.proxies) == {"synflow", "logsynflow", "naswot"}
    assert np.isneginf(table.proxies["naswot"]).any()


def test_the_space_is_what_was_observed(tmp_path: Path) -> None:
    rows = ("choice:Text-1,choice:whole,choice:part,choice:flag,accuracy", "b,16,0.5,true,1", "a,8,2,false,2", "a,16,2,true,3")
    table = read_table(write(tmp_path / "My table.csv", *rows))
    assert table.space.name == table.name == "my_table"
    assert table.space.choices == {
        "text_1": Categorical("a", "b"),
        "whole": Categorical(8, 16),
        "part": Categorical(0.5, 2),
        "flag": Categorical(False, True),
    }
    assert table.architectures[0].choices == {"text_1": "b", "whole": 16, "part": 0.5, "flag": True}
    assert table.row(table.space.architecture({"text_1": "a", "whole": 8, "part": 2.0, "flag": False})) == 1
    assert table.row(table.space.architecture({"text_1": "b", "whole": 8, "part": 2.0, "flag": False})) is None


def test_a_name_of_digits_between_underscores_is_no_number(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "choice:a,accuracy", "1_2,1", "12,2", "3_3,3"))
    assert [one.choices["a"] for one in table.architectures] == ["1_2", "12", "3_3"]


def test_a_choice_may_be_called_like_the_layer_that_reads_it(tmp_path: Path) -> None:
    assert len(read_table(write(tmp_path / "t.csv", "choice:row,accuracy", "a,1", "b,2")).space.choices) == 1


def test_every_training_every_epoch_and_every_cost_is_kept(tmp_path: Path) -> None:
    table = read_table(noisy(tmp_path / "noisy.csv"))
    row = table.row(table.space.architecture({"a": "y", "b": 2, "c": 1.0}))
    assert row is not None
    assert (table.asked, table.epochs, table.trainings.shape) == ("accuracy@4", 4, (27, 3))
    assert table.trainings[row] == pytest.approx([0.6, 0.61, 0.62])
    assert table.means[row] == pytest.approx(0.61)
    assert table.curve(row, 2) == (pytest.approx((1, 0.17)), pytest.approx((2, 0.32)), pytest.approx((4, 0.62)))
    assert {name: values[row] for name, values in table.figures.items()} == {"params": 2000, "latency_ms:raspi4": 4}
    assert {epochs: readings.means[row] for epochs, readings in table.seconds.items()} == {1: 2.5, 4: 10}


def test_a_mean_that_is_given_goes_before_that_of_the_trainings(tmp_path: Path) -> None:
    table = read_table(
        write(tmp_path / "t.csv", "choice:a,accuracy#0,accuracy#1,accuracy", "x,0.2,0.4,0.35", "y,0.5,,", "z,,,0.7")
    )
    assert table.means == pytest.approx([0.35, 0.5, 0.7])
    assert table.trainings[0].tolist() == [0.2, 0.4]
    assert table.trainings[2, 0] == 0.7
    assert np.isnan(table.trainings[1:, 1]).all()


def test_regret_is_the_distance_from_the_best_in_its_direction(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "choice:a,validation_error", "x,0.5", "y,0.25", "z,1"))
    assert table.objective.direction == "minimize"
    assert (table.best, table.regrets.tolist()) == (0.25, [0.25, 0.0, 0.75])
    assert table.regret(table.architectures[2]) == 0.75
    with pytest.raises(TableError, match="The table 't' does not have the architecture"):
        table.regret(read_table(write(tmp_path / "u.csv", *PLAIN)).architectures[0])


def test_another_objective_keeps_the_direction_that_stands_beside_the_table(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv",
        "choice:a,score@1,score@2",
        "x,1,2",
        "y,2,1",
        sidecar="objective: {figure: score, direction: minimize}",
    )
    assert read_table(path).searched_for("score@1").objective == Objective("score", "minimize")


@pytest.mark.parametrize(
    "figure", ["validation_rmse", "validation_mae", "bits_per_character", "test_word_error_rate", "perplexity"]
)
def test_of_an_error_less_is_better_without_a_word(tmp_path: Path, figure: str) -> None:
    table = read_table(write(tmp_path / "t.csv", f"choice:a,accuracy,{figure}", "x,1,2", "y,2,1"))
    assert table.searched_for(figure).objective.direction == table.direction(figure) == "minimize"


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        ("accuracy", "accuracy"),
        ("val_accuracy@12,test_accuracy@12,test_accuracy@200", "test_accuracy@200"),
        ("val_accuracy@12,test_accuracy@12", "test_accuracy@12"),
        ("train_accuracy@9,val_accuracy@9", "val_accuracy@9"),
        ("accuracy@9,accuracy", "accuracy"),
        ("loss", "loss"),
    ],
)
def test_the_objective_is_the_accuracy_with_the_highest_fidelity(tmp_path: Path, columns: str, asked: str) -> None:
    values = ",".join(["1"] * (columns.count(",") + 1))
    assert read_table(write(tmp_path / "t.csv", f"choice:a,{columns}", f"x,{values}")).asked == asked


def test_a_space_with_conditions_stands_beside_the_table(tmp_path: Path) -> None:
    path = write(
        tmp_path / "little.csv",
        "choice:block.times,choice:block.0.kind,choice:block.0.kind.gru.units,choice:block.1.kind,validation_loss@2,validation_loss@4",
        "0,,,,9,8",
        "1,gru,16,,7,6",
        "2,skip,,skip,5,5.5",
        sidecar=CONDITIONAL,
    )
    table = read_table(path)
    assert (table.space.name, table.space.version, table.space.accepts) == ("little", 2, ("sequence",))
    assert [dict(one.choices) for one in table.architectures] == [
        {"block.times": 0},
        {"block.times": 1, "block.0.kind": "gru", "block.0.kind.gru.units": 16},
        {"block.times": 2, "block.0.kind": "skip", "block.1.kind": "skip"},
    ]
    assert (table.asked, table.objective.direction, table.best) == ("validation_loss@4", "minimize", 5.5)
    assert (table.summary, table.source, table.licence) == ("Four small networks", "made up", "CC0-1.0")
    assert table.benchmark.signature.kinds == ("sequence",)


def test_the_digest_is_of_what_the_table_says_not_of_its_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", *PLAIN)
    table = read_table(path)
    (tmp_path / "packed").mkdir()
    packed = tmp_path / "packed" / "t.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    turned = write(tmp_path / "packed" / "t.csv", "params,accuracy,choice:a,choice:b", "10.0,0.50,x,1", "20,.7,x,2", "10,.6,y,1")
    assert read_table(packed).digest == read_table(turned).digest == table.digest
    changed = write(tmp_path / "t.csv", *PLAIN[:-1], "y,1,0.61,10")
    assert read_table(changed).digest != table.digest
    other = write(tmp_path / "t.csv", *PLAIN[:-1], "z,1,0.6,10")
    assert read_table(other).digest != table.digest


def test_parquet_says_what_csv_says(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    table = read_table(noisy(tmp_path / "noisy.csv"))
    pandas = pytest.importorskip("pandas")
    (tmp_path / "frame").mkdir()
    pandas.read_csv(tmp_path / "noisy.csv").to_parquet(tmp_path / "frame" / "noisy.parquet", index=False)
    assert read_table(tmp_path / "frame" / "noisy.parquet").digest == table.digest


def test_parquet_without_pyarrow_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match=r"t\.parquet: Parquet needs pyarrow; pip install 'nas-harness\[parquet\]', or give"):
        read_table(tmp_path / "t.parquet")
    table = read_table(write(tmp_path / "u.csv", *PLAIN))
    rows = [(table.architectures[0], {"accuracy": 1.0})]
    with pytest.raises(TableError, match=r"w\.parquet: Parquet needs pyarrow; pip install 'nas-harness\[parquet\]', or write"):
        write_table(tmp_path / "w.parquet", space=table.space, objective=table.objective, rows=rows)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["accuracy", "1"], r"t\.csv: has no column choice:NAME, by which an architecture is known\."),
        (["choice:a,params", "x,1"], r"t\.csv: has no figure that comes of training, such as accuracy or val_accuracy@12\."),
        (["choice:a,accuracy"], r"t\.csv: the table has no rows\."),
        ([""], r"t\.csv: is empty; a table begins with the names of its columns\."),
        (["choice:a,accuracy", "x,1", "y,2,3"], r"t\.csv, line 3: has 3 cells, the header has 2\."),
        (["choice:a,accuracy", "x,1", "y,abc"], r"t\.csv, line 3, column 'accuracy': must be a number or empty, got 'abc'\."),
        (["choice:a,accuracy", "x,inf"], r"t\.csv, line 2, column 'accuracy': must be a finite number, got 'inf'\."),
        (
            ["choice:a,accuracy", "x,1", "y,"],
            r"t\.csv, line 3, column 'accuracy': must be a number, as the objective is of every",
        ),
        (["choice:a,accuracy", "x,1", "y,nan"], r"t\.csv, line 3, column 'accuracy': must be a number, as the objective is"),
        (["choice:a,accuracy", "x,1", "", "x,2"], r"t\.csv, line 4: is the same architecture as line 2; keep one of them\."),
        (["choice:a,accuracy", "x,1", ",2"], r"t\.csv, line 3, column 'choice:a': is empty: which choices apply can be told by"),
        (["choice:a,choice:A,accuracy", "x,y,1"], r"t\.csv, column 'choice:A': is called 'a' in a space, as another choice is"),
        (["choice:a,accuracy,accuracy", "x,1,2"], r"t\.csv: the column 'accuracy' stands twice; keep one of them\."),
        (["choice:a,accuracy@1,accuracy@01", "x,1,2"], r"column 'accuracy@01': says the same as the column 'accuracy@1'; keep"),
        (["choice:,accuracy", "x,1"], r"column 'choice:': choice: needs a name, as in choice:width\."),
        (["choice:a,Accuracy", "x,1"], r"column 'Accuracy': 'Accuracy' is none of choice:NAME, FIGURE, FIGURE@EPOCHS,"),
        (["choice:a,accuracy@0", "x,1"], r"column 'accuracy@0': 'accuracy@0' is after no epoch; the first is @1\."),
        (
            ["choice:a,params@3,accuracy", "x,1,2"],
            r"'params@3' is known before training, so that it has neither @EPOCHS nor #RUN",
        ),
        (
            ["choice:a,top_accuracy,val_accuracy", "x,1,2"],
            r"t\.csv: which figure to search for is not told \(top_accuracy, val_acc",
        ),
        (
            ["choice:a,loss,depth", "x,1,2"],
            r"is not told \(none of loss, depth is an accuracy\); name one as the objective, or in",
        ),
        (["choice:a,loss", "x,1", "y,-1e101"], r"t\.csv, line 3, column 'loss': must be within ±1e\+100, got '-1e101'\."),
        (["choice:a;accuracy", "x;0,5"], r"t\.csv: must have commas between its columns, got ';'\."),
        (['choice:a,accuracy\n"x,1'], r"t\.csv, line 2: is no CSV: unexpected end of data\."),
    ],
)
def test_a_bad_file_is_one_line_that_names_the_place(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        read_table(write(tmp_path / "t.csv", *lines))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"choice:a,accuracy\nx,1\n\xff,2\n", r"t\.csv, line 3: is not UTF-8 text \(byte 22\)\."),
        ("t.csv.gz", b"choice:a,accuracy\nx,1\n", r"t\.csv\.gz: cannot be read: Not a gzipped file"),
        ("t.csv.gz", gzip.compress(b"choice:a,accuracy\nx,1\n", mtime=0)[:-9], r"t\.csv\.gz: is no whole gzip file: "),
        ("t.parquet", b"choice:a,accuracy\nx,1\n", r"t\.parquet: is no Parquet file: .*[^.]\.$"),
        ("t.txt", b"choice:a,accuracy\nx,1\n", r"t\.txt: a table is a file that ends in \.csv, \.csv\.gz, \.parquet\."),
        (".csv", b"choice:a,accuracy\nx,1\n", r"\.csv: a table needs a name before its ending\."),
    ],
)
def test_a_file_of_another_kind_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / name)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none\.csv: cannot be read: No such file or directory\."):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("acuracy", r"t\.csv: has no metric 'acuracy'\. Did you mean 'accuracy'\? Known: accuracy, loss\."),
        ("accuracy@5", r"t\.csv: has no accuracy after '5' epochs; it has it after 1, 3\."),
        ("loss@3", r"t\.csv: has no loss after '3' epochs; it has it after none\."),
        ("params", r"has no metric 'params'"),
    ],
)
def test_an_objective_that_the_table_does_not_have_is_refused(tmp_path: Path, objective: str, message: str) -> None:
    path = write(tmp_path / "t.csv", "choice:a,accuracy@1,accuracy@3,loss,params", "x,1,2,3,4")
    with pytest.raises(TableError, match=message):
        read_table(path, objective=objective)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("2,gru,8,,1,1", r"line 2: the choice 'block\.1\.kind' applies and is not answered; it must be in \[gru, skip\]\."),
        (
            "1,skip,8,,1,1",
            r"line 2, column 'choice:block\.0\.kind\.gru\.units': does not apply in this architecture, got '8'; leave",
        ),
        ("1,lstm,,,1,1", r"line 2, column 'choice:block\.0\.kind': must be in \[gru, skip\], got 'lstm'\."),
        ("1,gru,9,,1,1", r"line 2, column 'choice:block\.0\.kind\.gru\.units': must be in \[8, 16\], got 9\."),
    ],
)
def test_an_answer_that_the_space_does_not_allow_is_one_line(tmp_path: Path, cells: str, message: str) -> None:
    head = "choice:block.times,choice:block.0.kind,choice:block.0.kind.gru.units,choice:block.1.kind,accuracy,validation_loss@4"
    with pytest.raises(TableError, match=message):
        read_table(write(tmp_path / "t.csv", head, cells, sidecar=CONDITIONAL))


@pytest.mark.parametrize(
    ("sidecar", "message"),
    [
        ("sumary: x", r"t\.yaml:1: sumary: unknown key\. Did you mean 'summary'\?"),
        ("summary: 3", r"t\.yaml:1: summary: must be text, got 3\."),
        ("objective: accuracy", r"t\.yaml:1: objective: reads like \{figure: accuracy@16, direction: maximize\}"),
        ("objective: {figure: accuracy, direction: up}", r"objective\.direction: must be maximize or minimize, got 'up'\."),
        ("summary: x\nspace: {name: t}", r"t\.yaml:2: a space needs 'version'; add it at the top\."),
        ("- x", r"what stands beside a table is a mapping of summary, source, licence, objective, space\."),
    ],
)
def test_what_stands_beside_a_table_is_checked(tmp_path: Path, sidecar: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_table(write(tmp_path / "t.csv", *PLAIN, sidecar=sidecar))


def test_a_space_that_is_given_reads_the_table(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "first.csv", "choice:edge0-1,accuracy", "1,0.5", "2,0.6"))
    again = read_table(write(tmp_path / "second.csv", "choice:edge0-1,accuracy", "1,0.5", "2,0.6"), space=table.space)
    assert again.architectures == table.architectures
    assert again.digest == table.digest
