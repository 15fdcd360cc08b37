import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('formats')}/nas.sqlite"
    nas.search(TOY, on="digits", trials=4, evaluate=toy_evaluate, epochs=3, study="toy", ledger=url)
    return url


def run(ledger: str, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--ledger", ledger])


@pytest.mark.parametrize("command", ["rank", "trials"])
@pytest.mark.parametrize(("name", "sign"), [("csv", ","), ("json", "["), ("markdown", "| ---: |"), ("latex", "\\toprule")])
def test_a_format_is_printed_as_it_is_written(ledger: str, tmp_path: Path, command: str, name: str, sign: str) -> None:
    endings = {"csv": ".csv", "json": ".json", "markdown": ".md", "latex": ".tex"}
    out = tmp_path / f"table{endings[name]}"
    printed = run(ledger, command, "toy", "--format", name)
    written = run(ledger, command, "toy", "--out", str(out))
    assert printed.exit_code == written.exit_code == 0
    assert written.output == f"Wrote {out}.\n"
    assert sign in printed.stdout
    assert out.read_text(encoding="utf-8") == printed.stdout


def test_csv_and_json_have_options_of_their_own(ledger: str) -> None:
    for name in ("csv", "json"):
        assert run(ledger, "rank", f"--{name}").stdout == run(ledger, "rank", "--format", name).stdout


@pytest.mark.parametrize("command", ["rank", "trials"])
def test_parquet_has_the_rows_of_the_csv(ledger: str, tmp_path: Path, command: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run(ledger, command, "toy", "--out", str(tmp_path / "t.parquet")).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(run(ledger, command, "toy", "--csv").stdout)))
    found = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [str(row["architecture"]) for row in found] == [row["architecture"] for row in rows]
    assert list(found[0]) == list(rows[0])


@pytest.mark.parametrize("command", ["rank", "trials"])
def test_what_is_printed_is_as_the_printed_schema_says(ledger: str, command: str) -> None:
    schema = json.loads(run(ledger, command, "--schema").stdout)
    data = json.loads(run(ledger, command, "toy", "--json").stdout)
    jsonschema.Draft202012Validator(schema).validate(data)
    assert data[0]["schema"] == schema["$id"]


def test_the_schema_needs_no_ledger(tmp_path: Path) -> None:
    assert run(f"sqlite:///{tmp_path}/none.sqlite", "rank", "--schema").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--csv", "--json"], "A table has one format, got csv and json."),
        (["--csv", "--format", "latex"], "A table has one format, got latex and csv."),
        (["--format", "parquet"], "Parquet is no text to print; write it to a file: --out FILE.parquet."),
        (["--out", "t.xls"], "A file ends in .csv, .json, .md, .tex, .parquet, or --format says what it is; got 't.xls'."),
        (
            ["--out", "t.csv", "--format", "text"],
            "Text is for a terminal; write csv, json, markdown, latex or parquet to a file.",
        ),
        (["--out", "nowhere/t.csv"], "The folder nowhere of the table does not exist; make it first."),
    ],
)
def test_what_cannot_be_written_is_one_line_and_exit_status_2(
    ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(ledger, "rank", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_the_format_may_be_other_than_the_ending_says(ledger: str, tmp_path: Path) -> None:
    assert run(ledger, "rank", "--out", str(tmp_path / "t.txt"), "--format", "csv").exit_code == 0
    assert (tmp_path / "t.txt").read_text(encoding="utf-8").startswith("benchmark,")


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--out", "t.tex", "--json"], "got json and a file for latex, 't.tex'."),
        (["--out", "t.md", "--format", "csv"], "got csv and a file for markdown, 't.md'."),
    ],
)
def test_a_format_that_the_ending_contradicts_is_refused(
    ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], rule: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(ledger, "rank", "toy", *words)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"nas: A table has one format, {rule}")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
