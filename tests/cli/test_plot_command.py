import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('plots')}/nas.sqlite"
    nas.search(TOY, on="digits", trials=4, evaluate=toy_evaluate, epochs=3, study="toy", ledger=url)
    return url


def run(ledger: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["plot", *words, "--ledger", ledger])


def test_the_kinds_that_are_asked_for_are_written(ledger: str, tmp_path: Path) -> None:
    done = run(ledger, "--to", str(tmp_path / "new"), "--kind", "funnel,pareto", "--format", "png", "--format", "svg")
    assert done.exit_code == 0
    names = ["toy-funnel.png", "toy-funnel.svg", "toy-pareto.png", "toy-pareto.svg"]
    assert done.output == "".join(f"Wrote {tmp_path}/new/{name}.\n" for name in names)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names


def test_without_a_kind_all_that_can_be_drawn_are_and_the_others_say_why(ledger: str, tmp_path: Path) -> None:
    done = run(ledger, "toy", "--to", str(tmp_path), "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert [Path(path).name for path in told["files"]] == [
        f"toy-{kind}.svg" for kind in ("pareto", "anytime", "curves", "parallel", "funnel")
    ]
    assert [line.split(":")[0] for line in told["missing"]] == ["toy has no importance to draw", "toy has no marginals to draw"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kind", "pie"], "No kind is called 'pie'. Known: pareto, anytime,"),
        (["--format", "gif"], "No format is called 'gif'. Known: svg, png."),
        (["--kind", "importance"], "toy has no importance to draw: fewer than 10 complete trials compare"),
        (["nobody"], "No study in "),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(ledger: str, tmp_path: Path, words: list[str], message: str) -> None:
    done = run(ledger, *words, "--to", str(tmp_path))
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
