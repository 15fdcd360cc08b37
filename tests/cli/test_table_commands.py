"""The command line on tables: `nas search --on FILE`, what it prints, and `nas table`."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.tables import read_table

Nas = Callable[..., Result]


@pytest.fixture
def run() -> Nas:
    return lambda *words: CliRunner().invoke(main, list(words))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """27 architectures in two trainings, in the folder where commands are given."""
    monkeypatch.chdir(tmp_path)
    lines = ["choice:a,choice:b,choice:c,accuracy@2#0,accuracy@2#1,accuracy@8#0,accuracy@8#1,params,latency_ms:phone"]
    for n in range(27):
        a, b, c = n // 9, n // 3 % 3, n % 3
        lines.append(f"{a},{b},{c},{n / 100},{n / 100 + 0.001},{n / 30},{n / 30 + 0.001},{10 * (a + 1)},{b + 0.5}")
    (tmp_path / "small.csv").write_text("\n".join(lines))
    return tmp_path / "small.csv"


def test_a_search_on_a_table_reads_from_command_to_page_as_what_it_is(run: Nas, path: Path) -> None:
    done = run(
        "search", "--on", "small.csv", "--strategy", "random", "--trials", "8", "--limit", "latency_ms:phone < 2", "--study", "s"
    )
    assert done.exit_code == 0, done.output
    digest = read_table(path).digest
    assert (
        "small v1 (27 architectures) on small v1 · accuracy · random · seed 0 · 8 epochs, from a table · latency_ms:phone < 2"
        in done.output
    )
    assert f"small v1 · search · 8 epochs · from a table · small.csv, digest {digest}" in done.output
    assert "latency ms phone" in done.output
    assert "\n  nas finals s --seeds 1 --ledger" in done.output
    assert run("finals", "s", "--top", "2", "--seeds", "1").exit_code == 0
    ranked = json.loads(run("rank", "s", "--json", "--cost", "latency_ms:phone").output)
    assert [(table["stage"], table["device"], table["threads"]) for table in ranked] == [
        ("final", "table", 0),
        ("search", "table", 0),
    ]
    assert run("report", "s").exit_code == 0
    page = Path("leaderboard.html").read_text()
    assert f"none: figures are from a table, small.csv, digest {digest}" in page
    assert f"none: figures are looked up in small.csv, digest {digest}" in page
    assert "batch size" not in page
    assert not re.search(r"\bcores\b", page)


def test_the_page_gives_the_command_that_does_it_again(run: Nas, path: Path) -> None:
    assert (
        run("search", "--on", "small.csv", "--trials", "5", "--epochs", "2", "--strategy", "tpe", "--study", "s").exit_code == 0
    )
    from nas.records import Ledger
    from nas.reports.command import commands
    from nas.searching import default_ledger

    with Ledger(default_ledger()) as ledger:
        entry = ledger.study("s")
        (command,) = commands(entry, ledger.trials(entry))
    words = shlex.split(command)
    assert words[:4] == ["nas", "search", "--on", "small.csv"]
    again = run(*words[1:])
    assert again.exit_code == 0, again.output  # it is the same study, else its name would be refused
    assert "5 of 5 architectures have a result" in again.output


def test_finals_that_there_cannot_be_are_not_proposed(run: Nas, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("choice:a,accuracy\nx,1\ny,2\nz,3\n")
    text = run("search", "--on", str(tmp_path / "one.csv"), "--strategy", "random", "--trials", "2").output
    assert "nas finals" not in text
    assert "epochs not told · from a table" in text
    assert "1 epoch" not in text
    assert "◆ on the Pareto front of accuracy.\n" in text  # and of no FLOPs, which nobody told


def test_finals_are_not_proposed_where_confirmation_reads_every_training(run: Nas, path: Path) -> None:
    text = run("search", "--on", "small.csv", "--strategy", "random", "--trials", "12", "--confirm", "5").output
    assert "5 of the 12 trainings went to the best again" in text
    assert "nas finals" not in text


def test_a_config_file_names_a_table_that_lies_beside_it(run: Nas, path: Path) -> None:
    (path.parent / "below").mkdir()
    config = path.parent / "below" / "search.yaml"
    config.write_text("on: ../small.csv\nstrategy: random\ntrials: 3\n")
    assert run("search", "--config", str(config)).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "--on", "none.csv"], "nas: none.csv: cannot be read: No such file or directory.\n"),
        (["search", "--on", "small.csv", "--threads", "2"], "nas: On a table nothing is trained, got threads 2; leave it out.\n"),
        (
            ["search", "--on", "small.csv", "--objective", "acuracy"],
            "nas: The table small.csv has no 'acuracy'. Did you mean 'accuracy'?",
        ),
        (["train", "small", "--on", "small.csv"], "nas: No search space is called 'small'."),
        (["table", "none", "--out", "t.csv"], "nas: "),
    ],
)
def test_what_is_wrong_is_one_line(run: Nas, path: Path, words: list[str], message: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1


def test_a_study_is_written_as_a_table_and_searched(run: Nas, path: Path) -> None:
    nas.search(
        TOY, on="digits", evaluate=toy_evaluate, trials=10, confirm=0, epochs=4, study="toy", strategy="random", pruner="median"
    )
    done = run("table", "toy", "--out", "toy.csv.gz")
    assert done.exit_code == 0
    table = read_table("toy.csv.gz")
    assert done.output.startswith(f"Wrote toy.csv.gz: {len(table)} architectures; left out: {10 - len(table)} pruned.")
    assert "nas search --on toy.csv.gz" in done.output
    told = json.loads(run("table", "toy", "--out", "again.csv", "--json").output)
    assert told == {
        "table": "again.csv",
        "rows": len(table),
        "objective": "validation_accuracy@4",
        "trainings": 1,
        "digest": table.digest,
        "left_out": {"pruned": 10 - len(table)},
    }
    assert run("search", "--on", "toy.csv.gz", "--trials", "3", "--strategy", "random").exit_code == 0
    assert run("table", "toy", "--out", "toy.txt").stderr.startswith("nas: toy.txt: a table is a file that ends in .csv, .csv.gz")


def test_every_option_of_table_says_what_it_does() -> None:
    for parameter in main.commands["table"].params:
        assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter.name


def test_networks_that_were_really_trained_come_back_from_their_table(run: Nas, path: Path) -> None:
    first = run(
        *shlex.split("search residual_cnn --on digits --trials 2 --epochs 2 --strategy random --study real --fraction 0.2"),
        "--limit",
        "params <= 20e3",
    )
    assert first.exit_code == 0, first.output
    assert run("table", "real", "--out", "real.csv").exit_code == 0
    assert run("search", "--on", "real.csv", "--trials", "2", "--strategy", "random", "--study", "again").exit_code == 0
    figures = [
        {
            row["architecture"]: row["figures"]["validation_accuracy"]["mean"]
            for row in json.loads(run("rank", name, "--json").output)[0]["rows"]
        }
        for name in ("real", "again")
    ]
    assert figures[0] == figures[1]
    assert len(figures[0]) == 2
