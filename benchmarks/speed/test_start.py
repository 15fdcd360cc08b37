"""How soon the command line answers, against `import pandas`, which a script that ranks by hand would begin with.

Every side is a process of its own, as a person starts it.
"""

import random
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy
from made_up import evaluate
from turns import SideBySide

import nas
from nas.records import Ledger
from nas.searching import SearchConfig

pytestmark = [pytest.mark.benchmark(group="start"), pytest.mark.timeout(600)]


def nas_command(*arguments: str) -> Callable[[], None]:
    """Something that runs `nas ARGUMENTS` to its end."""
    script = Path(sysconfig.get_path("scripts"), "nas")
    return lambda: run(str(script), *arguments)


def import_pandas() -> None:
    run(sys.executable, "-c", "import pandas")


def run(*command: str) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


@pytest.fixture(scope="module")
def small_ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study of five networks that were trained, if briefly."""
    ledger = f"sqlite:///{tmp_path_factory.mktemp('small')}/nas.sqlite"
    nas.search("residual_cnn", on="digits", trials=5, epochs=2, limits="params <= 50e3", device="cpu", ledger=ledger)
    return ledger


@pytest.fixture(scope="module")
def large_ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study of 10,000 trials, written one by one as a search writes them."""
    url = f"sqlite:///{tmp_path_factory.mktemp('large')}/nas.sqlite"
    config = SearchConfig.make(space="residual_cnn", on="digits", strategy="random", trials=10_000, ledger=url)
    rng = random.Random(0)  # noqa: S311 - reproducible, not secret
    with Ledger(url) as ledger:
        write_carelessly(ledger)
        study = ledger.begin_study("large", config.definition())
        for number in range(config.trials):
            architecture = config.space.sample(rng)
            trial = ledger.begin_trial(study, "search", number, architecture, f"{number:016x}")
            ledger.end_trial(trial, evaluate(architecture, budget=config.budget, seed=0), proposal={"sampler": {}})
    return url


def write_carelessly(ledger: Ledger) -> None:
    """Do not wait for the disk, which would take minutes here and is not what is measured."""
    ledger.engine.dispose()
    sqlalchemy.event.listen(ledger.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))


def test_the_help_is_there_before_pandas_is(side_by_side: SideBySide) -> None:
    side_by_side("nas --help / import pandas", nas_command("--help"), import_pandas, goal=1.0, rounds=15)


def test_a_leaderboard_is_there_before_pandas_is(side_by_side: SideBySide, small_ledger: str) -> None:
    rank = nas_command("rank", "--ledger", small_ledger)
    side_by_side("nas rank / import pandas", rank, import_pandas, goal=1.0, rounds=15)


def test_a_leaderboard_of_ten_thousand_trials_takes_at_most_six_imports_of_pandas(
    side_by_side: SideBySide, large_ledger: str
) -> None:
    """About three seconds where pandas takes 0.55: reading 10,000 records with their learning curves."""
    rank = nas_command("rank", "--ledger", large_ledger)
    side_by_side("nas rank of 10,000 trials / import pandas", rank, import_pandas, goal=6.0, rounds=5)


def test_a_report_of_ten_thousand_trials_takes_at_most_twenty_two_imports_of_pandas(
    side_by_side: SideBySide, large_ledger: str, tmp_path: Path
) -> None:
    """About seven seconds where pandas takes 0.4: what matters is told too, from 200 resamples of the trials."""
    report = nas_command("report", "large", "--ledger", large_ledger, "--out", str(tmp_path / "large.html"))
    side_by_side("nas report of 10,000 trials / import pandas", report, import_pandas, goal=22.0, rounds=3)
