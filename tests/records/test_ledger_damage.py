"""A ledger's file that was cut, or in which bits changed: it says what was written, or is refused in one line."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import LedgerError
from nas.records import Ledger, StudyEntry, Trial

DEFINITION = {"space": {"name": "toy", "version": 1}}
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
TURNS = 40


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of two studies, forty finished trials and one that runs, all in one file."""
    path = tmp_path_factory.mktemp("whole") / "nas.sqlite"
    write_two_studies(path)
    return path


def write_two_studies(path: Path) -> None:
    """Forty finished trials and one that runs, all in one file."""
    with Ledger(f"sqlite:///{path}") as ledger:
        for name in ("a", "b"):
            entry = ledger.begin_study(name, DEFINITION)
            for number in range(20):
                trial = ledger.begin_trial(entry, "search", number, SHALLOW, f"{name}{number}")
                record = toy_evaluate(SHALLOW, budget=Budget(epochs=3), seed=number)
                ledger.end_trial(trial, record, proposal={"note": number}, log=f"line {number}\n")
        ledger.begin_trial(entry, "final", 0, SHALLOW, "running")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


Said = dict[str, tuple[StudyEntry, list[tuple[Trial, str]]]]


def said(path: Path) -> Said:
    """All that a ledger says of its trials, with logs; not who works at them."""
    with Ledger(f"sqlite:///{path}", create=False) as ledger:
        found: Said = {}
        for entry in ledger.studies():
            rows = [(plain(trial), ledger.log(trial)) for trial in ledger.trials(entry)]
            assert rows == [(plain(trial), ledger.log(trial)) for s in _STAGES for trial in ledger.trials(entry, s)]
            found[entry.name] = (entry, rows)
        return found


_STAGES = ("confirm", "final", "search")


def plain(trial: Trial) -> Trial:
    return Trial(**{**vars(trial), "holder": None, "fence": 1, "attempts": 1, "lease_until": None, "progress": {}})


def told(path: Path, expected: Said) -> bool:
    """Whether it says all that was written; if it does not, it is refused in one line."""
    refusal = ""
    try:
        assert said(path) == expected
    except LedgerError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert len(refusal) < 400
    return not refusal


def test_a_cut_ledger_is_whole_or_refused(whole: Path, tmp_path: Path) -> None:
    expected, size = said(whole), whole.stat().st_size
    rng = random.Random(1)
    for turn in range(TURNS):
        path = Path(shutil.copy(whole, tmp_path / f"{turn}.sqlite"))
        with path.open("r+b") as file:
            file.truncate(rng.randrange(1, size))
        assert not told(path, expected)


@pytest.mark.parametrize("seed", range(4))
def test_a_ledger_with_a_changed_bit_is_as_it_was_or_refused(whole: Path, tmp_path: Path, seed: int) -> None:
    expected, size = said(whole), whole.stat().st_size
    rng = random.Random(seed)
    seen = 0
    for turn in range(TURNS):
        path = Path(shutil.copy(whole, tmp_path / f"{turn}.sqlite"))
        flip_bit(path, rng.randrange(size), rng.randrange(8))
        seen += not told(path, expected)
    assert seen, "no change was seen"


def flip_bit(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))


def test_a_cut_log_of_a_writer_leaves_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "nas.sqlite"
    with Ledger(f"sqlite:///{path}") as ledger:
        entry = ledger.begin_study("a", DEFINITION)
        ended = []
        for number in range(20):
            trial = ledger.begin_trial(entry, "search", number, SHALLOW, f"{number}")
            ended.append(ledger.end_trial(trial, toy_evaluate(SHALLOW, budget=Budget(epochs=3), seed=number)))
        rng = random.Random(2)
        for turn in range(TURNS):
            copy = Path(shutil.copy(path, tmp_path / f"{turn}.sqlite"))
            log = Path(shutil.copy(f"{path}-wal", f"{copy}-wal"))
            with log.open("r+b") as file:
                file.truncate(rng.randrange(log.stat().st_size))
            try:
                with Ledger(f"sqlite:///{copy}", create=False) as cut:
                    kept = [trial for one in cut.studies() for trial in cut.trials(one) if trial.state != "running"]
            except LedgerError:
                continue  # not even the tables had reached the file
            assert kept == ended[: len(kept)]


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE trials SET record = replace(record, '0.1', '0.2') WHERE id = 3", "search trial 2 of study a is not as it"),
        ("UPDATE trials SET choices = '{}' WHERE id = 3", "search trial 2 of study a is not as it was written"),
        ("UPDATE trials SET state = 'failed' WHERE id = 3", "search trial 2 of study a is not as it was written"),
        ("UPDATE trials SET number = 99 WHERE id = 3", "search trial 99 of study a is not as it was written"),
        ("DELETE FROM trials WHERE id = 3", "trials of study a are missing"),
        ("DELETE FROM studies WHERE id = 1", "a study is missing"),
        ("UPDATE trials SET id = 99 WHERE id = 3", "damaged: search trial 2 of study a is not as it was written"),
        ("UPDATE studies SET definition = '{\"space\": {}}'", "study 'a' is not as it was written"),
        ("UPDATE logs SET text = x'00' WHERE trial_id = 3", "the log of search trial 2 of study a is not as it was written"),
        ("DELETE FROM logs WHERE trial_id = 3", "the log of search trial 2 of study a is not as it was written"),
    ],
)
def test_what_is_damaged_is_named(whole: Path, tmp_path: Path, statement: str, told: str) -> None:
    path = Path(shutil.copy(whole, tmp_path / "nas.sqlite"))
    change(path, statement)
    with pytest.raises(LedgerError, match=told):
        said(path)


def test_a_damaged_record_is_not_reused(whole: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(whole, tmp_path / "nas.sqlite"))
    change(path, "UPDATE trials SET record = replace(record, '0.1', '0.2') WHERE id = 3")
    with (
        Ledger(f"sqlite:///{path}") as ledger,
        pytest.raises(LedgerError, match=r"^The ledger is damaged: trial 3 is not as it was written; restore it from a copy\.$"),
    ):
        ledger.find("a2")
