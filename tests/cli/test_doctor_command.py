import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nas import doctor
from nas.cli import main
from nas.doctor import Check, ledgers
from nas.doctor.ledgers import check_ledger, file_system
from nas.records import Ledger

FINE = Check(name="python", verdict="ok", found="3.11")
BETTER = Check(name="threads", verdict="advice", found="2 cores", change="export OMP_WAIT_POLICY=PASSIVE")
WRONG = Check(name="ledger", verdict="problem", found="is damaged", change="restore a copy of it")


def run(monkeypatch: pytest.MonkeyPatch, checks: list[Check], *words: str) -> Result:
    monkeypatch.setattr(doctor, "examine", lambda _: iter(checks))
    return CliRunner().invoke(main, ["doctor", *words])


def test_each_check_is_a_line_and_only_a_problem_is_exit_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [FINE, BETTER])
    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "ok       python         3.11",
        "advice   threads        2 cores → export OMP_WAIT_POLICY=PASSIVE",
        "",
        "1 piece of advice.",
    ]
    done = run(monkeypatch, [FINE, BETTER, WRONG, WRONG])
    assert done.exit_code == 1
    assert done.output.endswith("\n2 problems and 1 piece of advice.\n")
    assert run(monkeypatch, [FINE]).output.endswith("\nAll is well.\n")


def test_json_tells_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [FINE, WRONG], "--json")
    assert done.exit_code == 1
    assert json.loads(done.output)[1] == {
        "check": "ledger",
        "verdict": "problem",
        "found": "is damaged",
        "change": "restore a copy of it",
    }


def test_the_whole_of_it_runs_and_shows_neither_home_nor_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NAS_LEDGER_PASSWORD", "canary-1")
    monkeypatch.setenv("NAS_LEDGER", "postgresql://somebody:canary-2@127.0.0.1:1/studies")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1, done.output
    assert "canary" not in done.output
    assert str(tmp_path) not in done.output
    names = {line.split("  ")[0].strip() + " " + line[9:22].strip() for line in done.output.splitlines() if line[7:9] == "  "}
    assert {"ok python", "ok packages", "ok disk", "ok gpu", "ok plugins", "problem ledger", "ok password"} <= names


def found(url: str) -> Check:
    return [check for check in check_ledger(url) if check.name == "ledger"][-1]


def test_a_ledger_is_looked_at_and_none_is_made(tmp_path: Path) -> None:
    path = tmp_path / "nas.sqlite"
    assert found(f"sqlite:///{path}").found.endswith("nas.sqlite yet; the first search makes it")
    assert list(tmp_path.iterdir()) == []
    Ledger(str(path)).close()
    check = found(str(path))
    assert check.verdict == "ok"
    assert ": 0 studies; SQLite 3." in check.found


def test_what_is_no_ledger_or_damaged_is_a_problem(tmp_path: Path) -> None:
    other, damaged = tmp_path / "other.sqlite", tmp_path / "damaged.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    assert "something else" in found(str(other)).found
    Ledger(str(damaged)).close()
    data = bytearray(damaged.read_bytes())
    data[4096 : 4096 + 64] = b"\xff" * 64
    damaged.write_bytes(data)
    assert found(str(damaged)).verdict == "problem"
    assert found(f"sqlite:///{tmp_path}/missing/nas.sqlite").verdict == "problem"


@pytest.mark.parametrize("url", ["mysql://root@h/x", "postgresql://me:canary@h/x", "://"])
def test_a_url_that_is_none_of_a_ledger_is_a_problem(url: str) -> None:
    check = found(url)
    assert check.verdict == "problem"
    assert "canary" not in check.found


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "shared folder").mkdir()
    lines = [
        "22 1 0:21 / / rw,relatime shared:1 - overlay overlay rw",
        f"30 22 0:30 / {str(tmp_path).replace(' ', chr(92) + '040')}/shared\\040folder rw - nfs4 server:/x rw,vers=4.2",
        "broken line",
    ]
    path = tmp_path / "mountinfo"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_database_file_on_a_network_file_system_is_a_problem(
    tmp_path: Path, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert file_system(tmp_path, mounts) == "overlay"
    assert file_system(tmp_path / "shared folder", mounts) == "nfs4"
    assert file_system(tmp_path, tmp_path / "missing") == ""
    monkeypatch.setattr(ledgers, "file_system", lambda folder: file_system(folder, mounts))
    checks = list(check_ledger(f"{tmp_path}/shared folder/nas.sqlite"))
    assert checks[0].verdict == "problem"
    assert "lies on nfs4" in checks[0].found


def test_what_the_weights_of_finalists_take_is_told_where_there_are_any(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    Ledger(url).close()
    assert not [check for check in check_ledger(url) if check.name == "weights"]
    folder = tmp_path / "nas.sqlite.weights" / "study"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}.safetensors").write_bytes(bytes(2**20))
    (told,) = [check for check in check_ledger(url) if check.name == "weights"]
    assert told.verdict == "ok"
    assert told.found.startswith("of 2 finalists' trainings in ")
    assert told.found.endswith("nas.sqlite.weights: 2 MiB; yours to delete")
