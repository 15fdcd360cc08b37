import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lookers import LOG, begin_study, fill, url_of
from rich.console import Console

from nas.cli import main
from nas.records import Ledger, Trial
from nas.reports.trials import in_order, trials_grid

Nas = Callable[..., Result]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return url_of(tmp_path)


@pytest.fixture
def kept(url: str) -> Iterator[Mapping[str, Trial]]:
    """The trials of the study toy, whose driver is at work."""
    with Ledger(url) as ledger:
        yield fill(ledger)


@pytest.fixture
def run(url: str) -> Nas:
    return lambda *words: CliRunner().invoke(main, [*words, "--ledger", url])


@pytest.fixture
def lines(run: Nas, kept: Mapping[str, Trial]) -> Callable[..., list[str]]:
    def lines(*words: str) -> list[str]:
        done = run("trials", "toy", *words)
        assert done.exit_code == 0, done.output
        return [line.rstrip() for line in done.output.split("─\n")[-1].splitlines()]

    return lines


def test_every_trial_is_a_line_that_says_what_befell_it(lines: Callable[..., list[str]], kept: Mapping[str, Trial]) -> None:
    found = lines()
    assert [line.split()[:3] for line in found] == [
        ["search", "0", "complete"],
        ["search", "1", "complete"],
        ["search", "2", "failed"],
        ["search", "3", "infeasible"],
        ["search", "4", "pruned"],
        ["search", "5", "complete"],
        ["search", "6", "running"],
        ["search", "7", "interrupted"],
        ["final", "0", "complete"],
    ]
    assert f"  {kept['best'].architecture.id}  " in found[0]
    assert "0.9000" in found[0]
    assert found[2].endswith("raised: no \\x1b[2J[red]room at all")
    assert found[3].endswith("outside params <= 50e3")
    assert found[4].endswith("after 2 epochs")
    assert found[5].endswith("as search 0")
    assert "epoch 2/3, 0:0" in found[6]
    assert " min, worker 1 of " in found[6]


def test_trials_are_filtered_by_state_and_stage(lines: Callable[..., list[str]]) -> None:
    assert [line.split()[:2] for line in lines("--state", "failed")] == [["2", "failed"]]
    assert [line.split()[0] for line in lines("--state", "failed", "--state", "interrupted")] == ["2", "7"]
    assert [line.split()[:2] for line in lines("--stage", "final")] == [["0", "complete"]]


def test_the_best_and_the_last_are_shown_where_asked(lines: Callable[..., list[str]], run: Nas) -> None:
    assert [line.split()[0] for line in lines("--top", "2", "--stage", "search")] == ["0", "1"]
    assert [line.split()[:2] for line in lines("--last", "2")] == [["search", "7"], ["final", "0"]]
    (one,) = json.loads(run("trials", "toy", "--top", "1", "--json").output)
    assert (one["stage"], one["figures"]["validation_accuracy"]) == ("final", 0.95)


def test_json_and_csv_tell_all_of_them(run: Nas, kept: Mapping[str, Trial]) -> None:
    rows = json.loads(run("trials", "toy", "--json").output)
    assert [row["id"] for row in rows] == sorted(trial.id for trial in kept.values())
    assert rows[6]["state"] == "running"
    assert rows[6]["progress"] == {"epoch": 2, "epochs": 3, "where": "worker 1"}
    assert rows[2]["error"] == {"kind": "raised", "message": "no \x1b[2J[red]room\nat all"}
    table = list(csv.DictReader(io.StringIO(run("trials", "toy", "--csv").output)))
    assert [row["state"] for row in table] == [row["state"] for row in rows]
    assert table[0]["choice:width"] == str(kept["best"].architecture.choices["width"])
    assert table[0]["validation_accuracy"] == "0.9"
    assert table[3]["broken_limits"] == "params <= 50e3"


def test_only_as_many_are_printed_as_a_person_reads(run: Nas, kept: Mapping[str, Trial], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.cli.trials.TEXT_ROWS", 4)
    assert run("trials", "toy").output.endswith("\n5 earlier ones; --last shows them.\n")
    assert len(json.loads(run("trials", "toy", "--json").output)) == 9


def test_the_study_may_be_left_out_where_there_is_one(run: Nas, url: str, kept: Mapping[str, Trial]) -> None:
    left_out, named = (re.sub(r"\d+:\d\d min", "", run(*words).output) for words in (["trials"], ["trials", "toy"]))
    assert left_out == named  # but for how long ago something was
    with Ledger(url) as ledger:
        begin_study(ledger, "other")
    done = run("trials")
    assert done.exit_code == 2
    assert done.stderr == "nas: The ledger has 2 studies; name one of them: toy, other.\n"
    assert run("trials", "other").output == "Nothing of other has been tried yet.\n"
    assert run("trials", "../toy").stderr.startswith("nas: No study in ")


def test_a_ledger_without_a_study_says_what_to_do(run: Nas, url: str) -> None:
    assert run("trials").stderr.startswith("nas: There is no ledger at ")
    Ledger(url).close()
    assert run("trials").stderr == (
        f"nas: The ledger {url} has no study yet; run `nas search` first, or name another with --ledger.\n"
    )


@pytest.mark.parametrize("width", [70, 80, 120])
def test_figures_make_room_so_that_no_other_column_is_cut(width: int, url: str, kept: Mapping[str, Trial]) -> None:
    screen = Console(width=width, color_system=None, file=io.StringIO())
    with Ledger(url, create=False) as ledger, screen.capture() as drawn:
        entry = ledger.study("toy")
        screen.print(trials_grid(in_order(ledger.trials(entry)), entry, screen))
    lines = [line.rstrip() for line in drawn.get().split("─\n")[-1].splitlines()]
    assert len(lines) == len(kept)
    assert all(len(line) <= width for line in lines)
    assert lines[2].split()[:3] == ["search", "2", "failed"]
    assert kept["failed"].architecture.id in lines[2]
    assert lines[3].endswith("outside params <= 50e3" if width > 90 else "…")
    assert "0.9500" in lines[-1]


@pytest.mark.parametrize("words", ["trials", "trials toy --json", "trial toy 0"])
def test_looking_loads_neither_torch_nor_optuna(words: str, url: str, kept: Mapping[str, Trial]) -> None:
    ends = "try: main()\nexcept SystemExit: pass"
    code = f"import sys; from nas.cli import main\n{ends}\nprint({{*sys.modules}} & {{'torch', 'optuna', 'pandas'}})"
    command = [sys.executable, "-c", code, *words.split(), "--ledger", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nset()\n")


def test_a_trial_is_told_with_all_that_is_known_of_it(run: Nas, kept: Mapping[str, Trial]) -> None:
    text = run("trial", "toy", "0").output
    for words in (
        "search trial 0 of toy  complete",
        f"architecture {kept['best'].architecture.id} of toy on digits",
        "the same architecture: search 5, final 0",
        "\n  validation accuracy  0.9000",
        "\n  latency               1.500  ms",
        "\nlearning curve\n",
        "\n      3   0.3333       0.9000       0.3",
        "\n  stem\n    kernel  ",
        "\n  budget       3 epochs",
        "\n  setting      cpu, 1 thread",
        f"\n  ledger's id  {kept['best'].id}",
        "\nTrain it again:\n  nas train toy.yaml toy:0 --on digits --seed 0 --epochs 3 --ledger ",
    ):
        assert words in text


def test_a_log_steers_no_terminal(run: Nas, kept: Mapping[str, Trial]) -> None:
    text = run("trial", "toy", "0").output
    assert text.partition("\nlog\n")[2].splitlines()[:4] == [
        "    0.5 s stdout | hello",
        "    0.7 s stdout |   \\x1b[2Jworld",
        "   12.3 s stderr | Trace\\u2028back",
        "   13.0 s event  | ended by SIGSEGV",
    ]
    assert "\x1b" not in run("trial", "toy", "2").output
    assert run("trial", "toy", "0", "--log").output == LOG
    assert run("trial", "toy", "1", "--log").output == ""


def test_a_trial_that_failed_runs_or_lies_outside_says_so(run: Nas, kept: Mapping[str, Trial]) -> None:
    assert "\nerror\n  raised: no \\x1b[2J[red]room at all\n" in run("trial", "toy", "2").output
    assert "\noutside the limits\n  params <= 50e3\n" in run("trial", "toy", "3").output
    running = run("trial", "toy", "6").output
    assert "search trial 6 of toy  running\n" in running
    assert "\nepoch 2/3, 0:0" in running
    assert "\n  lease        " in running
    assert "nobody works at it; the same command goes on" in run("trial", "toy", "7").output
    assert "its record is that of search trial 0, which did the same work" in run("trial", "toy", "5").output


def test_json_tells_the_whole_record_and_the_log(run: Nas, kept: Mapping[str, Trial]) -> None:
    data = json.loads(run("trial", "toy", "0", "--json").output)
    assert data["record"] == json.loads(json.dumps(kept["best"].record.to_data()))  # type: ignore[union-attr]
    assert data["log"][0] == {"seconds": 0.5, "stream": "stdout", "text": "hello"}
    assert data["train_again"].startswith("nas train toy.yaml toy:0 ")


@pytest.mark.parametrize("named", ["toy 0", "toy:0", "toy id:1", "toy {id}", "toy {prefix}", "toy 0 --stage search"])
def test_a_trial_is_named_by_number_id_or_architecture(run: Nas, kept: Mapping[str, Trial], named: str) -> None:
    architecture = kept["best"].architecture.id
    words = named.format(id=architecture, prefix=architecture[:8]).split()
    assert run("trial", *words).output.startswith("search trial 0 of toy")


def test_the_stage_tells_two_trials_of_one_number_apart(run: Nas, kept: Mapping[str, Trial]) -> None:
    text = run("trial", "toy", "0", "--stage", "final").output
    assert text.startswith("final trial 0 of toy")
    assert f"nas train toy.yaml toy:{kept['final'].architecture.id} --on digits --seed 0 --epochs 3 --test" in text


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("99", "No search trial of toy is '99'. There are search 0 to 7, final 0 to 0; see `nas trials`."),
        ("0 --stage confirm", "No confirm trial of toy is '0'."),
        ("id:99", "No trial of toy is 'id:99'."),
        ("../x", "A trial is its number, id:N, or the beginning of its architecture's id, got '../x'."),
        ("", "A trial is its number, id:N, or the beginning of its architecture's id, got ''."),
    ],
)
def test_what_names_no_trial_is_one_line(run: Nas, kept: Mapping[str, Trial], named: str, message: str) -> None:
    done = run("trial", "toy", *named.split())
    assert done.exit_code == 2
    assert done.stderr.startswith(f"nas: {message}")
