"""A ledger that somebody else wrote, with digests that are right: whatever it says is read, or refused in a line."""

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.errors import LedgerError, PathError
from nas.records import Ledger
from nas.records.schema import LONGEST_LOG, digest, digest_of_trial, study_digest
from nas.searching.resuming import Unfinished

Forge = Callable[..., None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger in a folder of its own, with two trials that are complete and one under way."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    url = f"sqlite:///{folder}/nas.sqlite"
    nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=2, confirm=0, study="toy", ledger=url, epochs=2)
    with Ledger(url) as ledger:
        entry = ledger.study("toy")
        ledger.begin_trial(entry, "search", 2, TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0}), "f" * 16)
    return folder / "nas.sqlite"


@pytest.fixture
def forge(path: Path) -> Iterator[Forge]:
    """Changes fields of the study or of a trial, and mends the digests as only malice does."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row

    def forge(table: str, row: int, **values: object) -> None:
        for name, value in values.items():
            connection.execute(f"UPDATE {table} SET {name} = ? WHERE id = ?", (value, row))  # noqa: S608 - our own words
        for study in connection.execute("SELECT * FROM studies").fetchall():
            new = study_digest(study["name"], study["definition"], study["begun_at"])
            connection.execute("UPDATE studies SET digest = ? WHERE id = ?", (new, study["id"]))
        for trial in connection.execute("SELECT * FROM trials").fetchall():
            connection.execute("UPDATE trials SET digest = ? WHERE id = ?", (digest_of_trial(dict(trial)), trial["id"]))
        for stage in ("search", "confirm", "final"):
            total = "SELECT coalesce(sum(digest), 0) FROM trials WHERE stage = ?"
            connection.execute(f"UPDATE studies SET sum_{stage} = ({total})", (stage,))  # noqa: S608 - our own words
        connection.commit()

    yield forge
    connection.close()


def run(path: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--ledger", str(path)])


LOOKING = ["trials", "trials --json", "trial toy 0", "trial toy 0 --json", "rank", "rank --csv", "watch --once", "stop --no-wait"]


def refused(path: Path, words: str) -> None:
    """Whether the command answers as it should, or refuses in one line."""
    done = run(path, *words.split())
    assert done.exit_code in {0, 2}, (words, done.output, done.exception)
    if done.exit_code == 2:
        assert done.stderr.startswith("nas: ")
        assert done.stderr.count("\n") == 1
        assert len(done.stderr) < 500
    assert "\x1b" not in done.output


def test_what_is_forged_well_is_read(path: Path, forge: Forge) -> None:
    forge("trials", 1, begun_at="2026-01-01T00:00:00.000+00:00")
    assert run(path, "trials").exit_code == 0


@pytest.mark.parametrize("name", ["../../x", "/etc/x", ".", "..", "", "a/b", "a\nb", "\x1b[2J", "x" * 81, b"toy"])
def test_a_study_whose_name_leads_elsewhere_is_refused(path: Path, forge: Forge, name: object) -> None:
    forge("studies", 1, name=name)
    for words in LOOKING:
        assert run(path, *words.split()).exit_code == 2
        refused(path, words)
    with pytest.raises(LedgerError, match="which is no name of one"), Ledger(str(path)) as ledger:
        ledger.studies()


@pytest.mark.parametrize("key", ["../../precious", "..", "/precious", "../toy2"])
def test_an_evaluation_that_leads_elsewhere_deletes_nothing(path: Path, forge: Forge, key: str) -> None:
    checkpoints = path.with_name("nas.sqlite.checkpoints") / "toy"
    checkpoints.mkdir(parents=True)
    precious = [path.parents[1] / "precious", path.parent / "precious", checkpoints.parent / "toy2"]
    for folder in precious:
        folder.mkdir()
        (folder / "file").write_text("precious")
    forge("trials", 3, evaluation=key)
    with Ledger(str(path)) as ledger:
        unfinished = Unfinished(ledger, ledger.study("toy"), 60.0)
        for join in (unfinished.done, unfinished.folder_of):
            with pytest.raises(PathError):
                join(key)
    words = ["search", "toy.yaml", "--on", "digits", "--trials", "3", "--study", "toy", "--epochs", "2"]
    done = run(path, *words)
    assert done.exit_code == 2
    assert all((folder / "file").read_text() == "precious" for folder in precious)


DEEP = "[" * 200_000
RECORD: Mapping[str, Any] = {"outcome": "complete", "figures": {"validation_accuracy": 0.5}, "seed": 0}


@pytest.mark.parametrize(
    "record",
    [
        DEEP,
        '{"a":' * 100_000,
        "5",
        "[]",
        "{}",
        '"text"',
        "NaN",
        "9" * 5000,
        b"\xff\xfe",
        json.dumps({**RECORD, "curve": 5}),
        json.dumps({**RECORD, "curve": [5]}),
        json.dumps({**RECORD, "budget": {"epochs": []}}),
        json.dumps({**RECORD, "unknown": 1}),
    ],
    ids=lambda text: repr(text)[:20],
)
def test_a_record_of_any_shape_or_depth_is_a_line(path: Path, forge: Forge, record: object) -> None:
    forge("trials", 1, record=record)
    for words in ["trials", "trial toy 0", "rank", "watch --once"]:
        assert run(path, *words.split()).exit_code == 2
        refused(path, words)


GOOD = {"epoch": 1, "train_loss": 0.1, "figures": {"validation_accuracy": 0.5}, "seconds": 1.0}


@pytest.mark.parametrize(
    "point",
    [
        {**GOOD, "figures": {"validation_accuracy": "much"}},
        {**GOOD, "figures": 5},
        {**GOOD, "unknown": 1},
        {"epoch": 1},
    ],
    ids=str,
)
def test_a_curve_that_no_run_writes_is_a_line_where_it_is_read(path: Path, forge: Forge, point: Mapping[str, Any]) -> None:
    connection = sqlite3.connect(path)
    record = json.loads(connection.execute("SELECT record FROM trials WHERE id = 1").fetchone()[0])
    connection.close()
    for curve, status in (([GOOD], 0), ([GOOD, point], 2)):
        forge("trials", 1, record=json.dumps({**record, "curve": curve}, separators=(",", ":")))
        assert run(path, "rank").exit_code == 0  # which reads no curve
        assert run(path, "trial", "toy", "0").exit_code == status
        refused(path, "trial toy 0")


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "bogus"},
        {"figures": {"params": "much"}},
        {"figures": {"params": [1]}},
        {"figures": 5},
        {"figures": {"\x1b[2J": 1.0}},
        {"figures": {"params": 1e308, "validation_accuracy": -1e308}},
        {"error": {"kind": "\x1b[2J", "message": "\x1b[2J"}},
        {"notes": ["\x1b[2J"], "commit": "\x1b[2J"},
        {"broken_limits": ["\x1b[2J"]},
        {"versions": {"\x1b[2J": "\x1b[2J"}},
        {"device": "\x1b[2J"},
    ],
    ids=lambda changes: str(changes)[:30],
)
def test_values_that_no_run_writes_steer_nothing(path: Path, forge: Forge, changes: Mapping[str, Any]) -> None:
    connection = sqlite3.connect(path)
    record = json.loads(connection.execute("SELECT record FROM trials WHERE id = 1").fetchone()[0])
    connection.close()
    forge("trials", 1, record=json.dumps({**record, **changes}))
    for words in LOOKING:
        refused(path, words)


@pytest.mark.parametrize(
    "values",
    [
        {"number": "many"},
        {"state": "bogus"},
        {"stage": "\x1b[2J"},
        {"begun_at": "never \x1b[2J"},
        {"holder": "\x1b[2J a b c d"},
        {"holder": 5.5},
        {"progress": "[]"},
        {"progress": '{"epoch": "\\u001b[2J", "where": "\\u001b[2J", "target": [], "epochs": {}, "figures": 5}'},
        {"progress": DEEP},
        {"choices": "[]"},
        {"choices": '{"width": {"a": 1}}'},
        {"choices": '{"\\u001b[2J": "\\u001b[2J"}'},
        {"lease_until": "text"},
        {"lease_until": 1e300},
        {"attempts": "text"},
    ],
    ids=lambda values: str(values)[:40],
)
def test_a_running_trial_that_no_driver_writes_steers_nothing(path: Path, forge: Forge, values: Mapping[str, Any]) -> None:
    forge("trials", 3, **values)
    for words in [*LOOKING, "trial toy 2"]:
        refused(path, words)


@pytest.mark.parametrize(
    "definition",
    [DEEP, "5", "[]", '{"space": {"name": "x", "version": 1, "layers": ' + "[" * 300 + "]" * 300 + "}}", "{}"],
    ids=["deep", "number", "list", "nested", "empty"],
)
def test_a_definition_of_any_shape_or_depth_is_a_line(path: Path, forge: Forge, definition: str) -> None:
    forge("studies", 1, definition=definition)
    for words in LOOKING:
        refused(path, words)


def test_a_log_that_stands_for_far_more_than_it_takes_is_refused(path: Path, forge: Forge) -> None:
    bomb = zlib.compress(b"x" * (LONGEST_LOG + 1), 9)
    assert len(bomb) < LONGEST_LOG / 500
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO logs VALUES (1, ?)", (bomb,))
    connection.commit()
    connection.close()
    forge("trials", 1, log=digest(["x" * (LONGEST_LOG + 1)]))
    done = run(path, "trial", "toy", "0")
    assert done.exit_code == 2
    assert done.stderr == (
        "nas: The ledger is damaged: the log of search trial 0 of study toy is not as it was written; restore it from a copy.\n"
    )
