import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_tables import CONDITIONAL, noisy, write

from nas.benchmark import Objective
from nas.errors import TableError
from nas.space import Architecture, Categorical, Layer, Ref, Space, architectures, parse_space
from nas.tables import Table, read_table, write_table
from nas.tables.cells import answer_of, cell_of

ACCURACY = Objective("accuracy", "maximize")

TREE = parse_space(
    """
name: tree
version: 1
accepts: [image, sequence]
choices: {width: {int: [8, 24], step: 8}}
layers:
  - conv: {features: $width, act: [relu, null, true, 1, 1.5]}
  - repeat: block
    times: {int: [0, 2]}
    layers:
      - one_of: kind
        options:
          conv: {kernel: [3, 5]}
          skip: []
"""
)


def flat(*values: object) -> Space:
    return Space(
        name="flat", version=1, accepts=("image",), layers=(Layer("row", {"a": Ref("a")}),), choices={"a": Categorical(*values)}
    )  # type: ignore[arg-type]


def figures(n: int) -> dict[str, float]:
    return {"params": 100 + n, "accuracy@1#0": n / 7, "accuracy@2#0": n / 3, "accuracy@2#1": n / 9, "train_seconds@2#0": n + 0.25}


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_conditional_space_comes_back_whole(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    every = list(architectures(TREE))
    rows = [(architecture, figures(n)) for n, architecture in enumerate(every)]
    table = write_table(tmp_path / name, space=TREE, objective=ACCURACY, rows=rows, summary="a: “b” \\ #c", licence="MIT")
    assert table.space == TREE
    assert list(table.architectures) == every
    assert [[*map(type, one.choices.values())] for one in table.architectures] == [
        [*map(type, one.choices.values())] for one in every
    ]
    assert (table.asked, table.trainings.shape) == ("accuracy@2", (len(every), 2))
    assert table.trainings.tolist() == [[n / 3, n / 9] for n in range(len(every))]
    assert table.figures["params"].tolist() == [100.0 + n for n in range(len(every))]
    assert (table.summary, table.licence) == ("a: “b” \\ #c", "MIT")
    assert read_table(tmp_path / name).digest == table.digest


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    rows = [(architecture, figures(n)) for n, architecture in enumerate(architectures(TREE))]
    found = []
    for n in range(2):
        write_table(
            tmp_path / f"{n}" / "t.csv.gz" if (tmp_path / f"{n}").mkdir() is None else Path(),
            space=TREE,
            objective=ACCURACY,
            rows=rows,
        )
        found.append([(tmp_path / f"{n}" / name).read_bytes() for name in ("t.csv.gz", "t.yaml")])
    assert found[0] == found[1]
    assert gzip.decompress(found[0][0]).startswith(b"choice:width,")


@pytest.mark.parametrize(
    "values",
    [
        ("=1+1", "+1", "-1", "@x", "'=1", "''=1", "'x", " =2"),
        (-1, -2.5),
        ("-1", -1),
        ("a,b", 'c"d', "e;f"),
        ("true", "null", "1", True, None, 1, "True", 0.5, "0.5"),
    ],
)
def test_text_that_looks_like_a_formula_comes_back_as_it_was(tmp_path: Path, values: tuple[object, ...]) -> None:
    space = flat(*values)
    rows = [(architecture, {"accuracy": n}) for n, architecture in enumerate(architectures(space))]
    table = write_table(tmp_path / "t.csv", space=space, objective=ACCURACY, rows=rows)
    assert [one.choices["a"] for one in table.architectures] == list(values)
    for line in (tmp_path / "t.csv").read_text().splitlines()[1:]:
        if isinstance(values[0], str):
            assert line.strip('"').lstrip()[:1] not in set("=+@")


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1).filter(str.isprintable))
def test_any_text_that_prints_comes_back(text: str) -> None:
    assert answer_of(cell_of(text), Categorical(text, "other " + text)) == text


def test_what_no_cell_can_hold_is_refused() -> None:
    for text in ("", "a\rb", "a\nb"):
        with pytest.raises(TableError, match="A cell cannot hold the answer"):
            cell_of(text)


def test_an_inferred_space_reads_formulas_back_too(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "t.csv", "choice:a,accuracy", "'=x,1", "b,2"))
    assert table.space.choices["a"] == Categorical("=x", "b")


def test_what_is_not_known_is_an_empty_cell(tmp_path: Path) -> None:
    space = flat("x", "y")
    rows = [
        (one, {"accuracy": 0.5, "params": None, "proxy:zen": float("-inf")} if n else {"accuracy": 1})
        for n, one in enumerate(architectures(space))
    ]
    write_table(tmp_path / "t.csv", space=space, objective=ACCURACY, rows=rows)
    assert (tmp_path / "t.csv").read_text() == "choice:a,accuracy,params,proxy:zen\nx,1,,\ny,0.5,,-inf\n"


def one() -> Architecture:
    return next(iter(architectures(flat("x", "y"))))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"t\.csv: there are no rows to write\."),
        (
            [(one(), {"accuracy": 1.0}), (one(), {"accuracy": 2.0})],
            r"t\.csv: the architecture [0-9a-f]{16} stands twice; give each once\.",
        ),
        ([(one(), {"Accuracy": 1.0})], r"t\.csv: 'Accuracy' is none of choice:NAME, FIGURE,"),
        ([(one(), {"choice:b": 1.0})], r"t\.csv: 'choice:b' is an answer of the architecture, not a figure\."),
        ([(one(), {"accuracy": float("inf")})], r"t\.csv: accuracy must be finite, got inf\."),
    ],
)
def test_what_cannot_be_written_is_one_line(
    tmp_path: Path, rows: list[tuple[Architecture, dict[str, float]]], message: str
) -> None:
    with pytest.raises(TableError, match=message):
        write_table(tmp_path / "t.csv", space=flat("x", "y"), objective=ACCURACY, rows=rows)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"none/t\.yaml: cannot be written: No such file or directory\."):
        write_table(tmp_path / "none" / "t.csv", space=flat("x", "y"), objective=ACCURACY, rows=[(one(), {"accuracy": 1})])
    with pytest.raises(TableError, match=r"t\.txt: a table is a file that ends in"):
        write_table(tmp_path / "t.txt", space=flat("x", "y"), objective=ACCURACY, rows=[(one(), {"accuracy": 1})])


def test_a_file_beside_that_tells_of_no_table_is_never_written_over(tmp_path: Path) -> None:
    space = flat(1, 2)
    rows = [(space.architecture({"a": 1}), figures(1))]
    (tmp_path / "t.yaml").write_text("name: t\nversion: 1\naccepts: image\nlayers: [head: {}]\n")
    with pytest.raises(TableError, match=r"t\.yaml is there and does not tell of a table; name the table otherwise\."):
        write_table(tmp_path / "t.csv", space=space, objective=ACCURACY, rows=rows)
    assert (tmp_path / "t.yaml").read_text().startswith("name: t\n")
    assert not (tmp_path / "t.csv").exists()
    (tmp_path / "t.yaml").write_text("summary: of before\n")
    assert write_table(tmp_path / "t.csv", space=space, objective=ACCURACY, rows=rows, summary="of now").summary == "of now"


def test_a_table_that_is_read_can_be_written_again(tmp_path: Path) -> None:
    table = read_table(noisy(tmp_path / "noisy.csv"))
    again = write_table(tmp_path / "again.csv", space=table.space, objective=table.objective, rows=rows_of(table))
    assert again.architectures == table.architectures
    assert again.trainings.tolist() == table.trainings.tolist()


def rows_of(table: Table) -> list[tuple[Architecture, dict[str, float]]]:
    return [
        (architecture, {f"accuracy@4#{run}": float(value) for run, value in enumerate(table.trainings[row])})
        for row, architecture in enumerate(table.architectures)
    ]


def test_what_stands_beside_is_read_before_what_was_observed(tmp_path: Path) -> None:
    space = parse_space(CONDITIONAL.partition("space:\n")[2].replace("\n  ", "\n").removeprefix("  "))
    rows = [(architecture, {"validation_loss@4": 1 + n}) for n, architecture in enumerate(list(architectures(space))[:3])]
    table = write_table(tmp_path / "t.csv", space=space, objective=Objective("validation_loss", "minimize"), rows=rows)
    assert (table.space, len(table)) == (space, 3)
