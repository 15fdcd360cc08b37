import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.cli.commands import print_close
from nas.searching import Study
from nas.space import space_to_yaml

Nas = Callable[..., Result]


@pytest.fixture
def run() -> Nas:
    return lambda *words: CliRunner().invoke(main, list(words))


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """A ledger with one study and its finals."""
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=12, confirm=0, study="toy", ledger=url, epochs=2)
    nas.finals("toy", ledger=url, evaluate=toy_evaluate, top=2, seeds=2)
    return url


def test_help_lists_the_commands_in_walking_order(run: Nas) -> None:
    text = run("--help").output
    places = [text.index(f"\n  {name} ") for name in ("spaces", "benchmarks", "train", "search", "finals", "rank", "report")]
    assert places == sorted(places)


def test_without_a_command_the_help_is_printed(run: Nas) -> None:
    bare = run()
    assert (bare.exit_code, bare.stderr) == (0, "")
    assert bare.stdout == run("--help").stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_full_disk_under_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "nas", "--help"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (
        done.stderr == "nas: Nothing more can be written: No space left on device; make room, and give the same command again.\n"
    )
    assert done.returncode == 2


@pytest.mark.parametrize("command", ["spaces", "benchmarks", "train", "search", "finals", "rank", "report"])
def test_every_option_says_what_it_does(command: str) -> None:
    for parameter in main.commands[command].params:
        assert parameter.param_type_name == "argument" or getattr(parameter, "help", None), parameter.name


def test_spaces_are_listed_with_their_exact_size(run: Nas) -> None:
    (space,) = (row for row in json.loads(run("spaces", "--json").output) if row["name"] == "residual_cnn")
    assert space["architectures"] == nas_size("residual_cnn")
    assert "residual_cnn" in run("spaces").output


def nas_size(name: str) -> int | float:
    from nas.searching import resolve_space
    from nas.space import size

    return size(resolve_space(name))


def test_benchmarks_are_listed_with_their_floor(run: Nas) -> None:
    rows = {row["name"]: row for row in json.loads(run("benchmarks", "--json").output)}
    assert rows["digits"]["floor"] == "test_accuracy 0.972 (a linear model)"
    assert rows["nations"]["floor"].endswith("(ranking by popularity)")
    assert rows["fashion_mnist"]["input"] == "an image of 1×28×28"


def test_rank_prints_finalists_then_the_search_best_first(run: Nas, ledger: str) -> None:
    text = run("rank", "toy", "--ledger", ledger).output
    assert text.index("finalists, trained again") < text.index("digits v1 · search")
    assert "◆ on the Pareto front of validation_accuracy and flops." in text


def test_rank_as_csv_and_json_tell_the_same(run: Nas, ledger: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run("rank", "--csv", "--ledger", ledger).output)))
    tables = json.loads(run("rank", "--json", "--ledger", ledger).output)
    flat = [row for table in tables for row in table["rows"]]
    assert [row["architecture"] for row in rows] == [row["architecture"] for row in flat]
    assert [float(row["validation_accuracy"]) for row in rows] == [row["figures"]["validation_accuracy"]["mean"] for row in flat]


def test_rank_shows_as_many_rows_as_asked(run: Nas, ledger: str) -> None:
    text = run("rank", "toy", "--top", "3", "--ledger", ledger).output
    assert "9 more rows; --top shows them." in text


def test_rank_shows_the_columns_that_are_asked_for(run: Nas, ledger: str) -> None:
    text = run("rank", "toy", "--show", "flops", "--show", "params", "--ledger", ledger).output
    (header, *_) = [line.split() for line in text.splitlines() if "architecture" in line]
    assert header.index("accuracy") < header.index("MFLOPs") < header.index("params")
    assert "latency" not in header
    latex = run("rank", "toy", "--show", "params", "--format", "latex", "--ledger", ledger).output
    assert "Validation accuracy & " in latex
    assert " & Parameters & " in latex
    assert "FLOPs (M)" not in latex


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--show", "parms"], "nas: No row has the figure 'parms'. Did you mean 'params'? Known: "),
        (["--show", "params", "--json"], "nas: --show is for people: json has every figure; leave it out."),
    ],
)
def test_columns_that_are_not_there_are_refused(run: Nas, ledger: str, words: list[str], message: str) -> None:
    done = run("rank", "toy", *words, "--ledger", ledger)
    assert done.exit_code == 2
    assert message in done.output


def test_what_to_type_after_a_run_names_its_ledger(capsys: pytest.CaptureFixture[str], ledger: str) -> None:
    print_close(Study("toy", ledger), ["nas finals toy"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"2 more rows; `nas rank toy --ledger {ledger}` shows them." in text
    assert text.endswith(f"Next: nas finals toy --ledger {ledger}")


def test_top_cuts_csv_and_json_too(run: Nas, ledger: str) -> None:
    tables = json.loads(run("rank", "--json", "--top", "1", "--ledger", ledger).output)
    assert [len(table["rows"]) for table in tables] == [1, 1]
    assert len(run("rank", "--csv", "--top", "1", "--ledger", ledger).output.splitlines()) == 3


def test_rank_in_another_order_within_limits_says_so(run: Nas, ledger: str) -> None:
    words = ["rank", "toy", "--ledger", ledger, "--order", "chebyshev", "--weight", "params=2", "--limit", "params <= 400"]
    text = " ".join(run(*words).output.split())
    assert "validation_accuracy ↑ ×1" in text
    assert "params ↓ ×2" in text
    assert "Limits: params <= 400;" in text
    (table,) = (table for table in json.loads(run(*words, "--json").output) if table["stage"] == "search")
    assert table["objectives"] == [
        {"figure": "validation_accuracy", "direction": "maximize"},
        {"figure": "params", "direction": "minimize"},
    ]
    assert table["order"]["weights"] == {"validation_accuracy": 1.0, "params": 2.0}
    inside = [row["figures"]["params"]["mean"] <= 400 for row in table["rows"]]
    assert inside == sorted(inside, reverse=True)
    assert {True, False} == {*inside}
    for row, within in zip(table["rows"], inside, strict=True):
        assert bool(row["broken_limits"]) is not within
        assert (row["score"] is None) is not within


def test_rank_by_priorities_puts_the_cheaper_of_about_equals_first(run: Nas, ledger: str) -> None:
    words = ["rank", "toy", "--ledger", ledger, "--priority", "validation_accuracy:1", "--priority", "params", "--json"]
    (table,) = (table for table in json.loads(run(*words).output) if table["stage"] == "search")
    params = [row["figures"]["params"]["mean"] for row in table["rows"]]
    assert params == sorted(params)


def test_report_writes_the_page(run: Nas, ledger: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run("report", "toy", "--out", str(page), "--ledger", ledger)
    assert done.output == f"Wrote {page}.\n"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_search_that_is_done_prints_its_leaderboard_and_the_next_step(run: Nas, ledger: str, tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(space_to_yaml(TOY))
    words = [
        "search",
        str(tmp_path / "toy.yaml"),
        "--on",
        "digits",
        "--trials",
        "12",
        "--study",
        "toy",
        "--epochs",
        "2",
    ]
    done = run(*words, "--ledger", ledger)
    assert done.exit_code == 0
    assert "12 of 12 architectures have a result.\n" in done.output
    assert f"nas finals toy --ledger {ledger}" in done.output
    events = [json.loads(line) for line in run(*words, "--ledger", ledger, "--json").output.splitlines()]
    assert [event["event"] for event in events] == ["run_begun", "run_ended"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["search", "residual_cn", "--on", "digits"],
            "No search space is called 'residual_cn'. Did you mean 'residual_cnn'?",
        ),
        (["search", "residual_cnn"], "A search needs 'on', a benchmark such as digits; `nas benchmarks` lists what there is."),
        (["search", "missing.yaml", "--on", "digits"], "missing.yaml: cannot be read: No such file or directory."),
        (
            ["search", "residual_cnn", "--on", "digits", "--trials", "x"],
            "Invalid value for '--trials': 'x' is not a valid integer.",
        ),
        (
            ["search", "residual_cnn", "--on", "digits", "--strategy", "partialfixed"],
            "The strategy 'partialfixed' needs the choices to fix and another sampler;",
        ),
        (["search", "--config", "missing.yaml"], "missing.yaml: cannot be read: No such file or directory."),
        (["search", "residual_cnn", "--on", "digits", "--limit", "x"], "a limit reads like 'params <= 50e3', got 'x'."),
        (
            ["rank", "--cost", "beauty"],
            "A front cannot be drawn against 'beauty'. Known: flops, latency_ms, params, peak_memory_bytes.",
        ),
        (["rank", "nobody"], "No study in "),
        (["rank", "--weight", "params=2"], "Weights are for the orders weighted and chebyshev, got no order;"),
        (["rank", "--objective", "parms"], "No complete trial has the figure 'parms'. Did you mean 'params'?"),
        (
            ["rank", "--objective", "params=down"],
            "An objective reads like 'latency_ms' or 'latency_ms=minimize', got 'params=down'.",
        ),
        (["rank", "--limit", "params"], "a limit reads like 'params <= 50e3', got 'params'."),
        (["rank", "--limit", "test_accuracy >= 0.9"], "Test figures stand beside an order and make none, got 'test_accuracy';"),
        (["finals", "toy", "--top", "0"], "Finals need top of at least 1, got 0."),
        (["report", "nobody"], "No study in "),
        (["rnk"], "No such command 'rnk'."),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(run: Nas, ledger: str, words: list[str], message: str) -> None:
    extra = ["--ledger", ledger] if words[0] != "rnk" else []
    done = run(*words, *extra)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"nas: {message}")
    assert done.stderr.count("\n") == 1


def test_a_missing_ledger_says_what_to_do(run: Nas, tmp_path: Path) -> None:
    done = run("rank", "--ledger", f"sqlite:///{tmp_path}/none.sqlite")
    assert done.exit_code == 2
    assert "run `nas search` first, or name another with --ledger." in done.stderr
    assert not (tmp_path / "none.sqlite").exists()


def test_a_password_in_a_url_is_never_printed(run: Nas) -> None:
    for words in (["rank"], ["report", "s"], ["finals", "s"], ["search", "residual_cnn", "--on", "digits"]):
        done = run(*words, "--ledger", "postgresql://me:c4nary@host/db")
        assert done.exit_code == 2
        assert "c4nary" not in done.output


def test_an_interrupted_search_exits_with_130(run: Nas, ledger: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import nas.searching.evaluating as evaluating

    def evaluate(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluating, "make_evaluator", lambda *_, **__: evaluate)
    (tmp_path / "toy.yaml").write_text(space_to_yaml(TOY))
    done = run("search", str(tmp_path / "toy.yaml"), "--on", "digits", "--study", "other", "--ledger", ledger, "--seed", "5")
    assert done.exit_code == 130
    assert "Interrupted; the same command goes on." in done.output
    assert f"Go on with:\n  nas search {tmp_path}/toy.yaml --on digits --study other" in done.output


def test_an_unknown_option_of_nas_itself_is_one_line_too(run: Nas) -> None:
    done = run("--foo")
    assert done.exit_code == 2
    assert done.stderr == "nas: No such option: --foo See `nas --help`.\n" or done.stderr.count("\n") == 1


def test_help_keeps_its_examples_on_lines_of_their_own(run: Nas) -> None:
    assert '\n  nas search residual_cnn --on digits --limit "params <= 50e3"\n  nas finals STUDY\n' in run("--help").output


def test_an_interruption_before_the_search_begins_exits_with_130(run: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nas.searching.SearchConfig.make", interrupt)
    assert run("search", "residual_cnn", "--on", "digits").exit_code == 130


def test_a_search_of_which_nothing_is_complete_ends_with_status_1(run: Nas, ledger: str, tmp_path: Path) -> None:
    space = "{name: none, version: 1, accepts: image, layers: [conv: {features: [4, 8]}]}"
    (tmp_path / "none.yaml").write_text(space)
    done = run("search", str(tmp_path / "none.yaml"), "--on", "digits", "--trials", "1", "--ledger", ledger)
    assert done.exit_code == 1
    assert "1 of 1 architectures have a result, of which 1 failed." in done.output
