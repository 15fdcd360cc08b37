"""The long form of the fault suite writes a table, row by row, and goes on where it was interrupted."""

import json
from pathlib import Path
from typing import Any

import long_form
import pytest
from frame import NotHere, Outcome, Row, Scene


def row(name: str, run: Any) -> Row:
    return Row(name=name, test=f"do {name} | often", goal="0 lost", how="It is done.", short=1, long=7, run=run)


def survives(scene: Scene) -> Outcome:
    assert not list(scene.folder.iterdir())
    scene.tell(scene.times)
    return Outcome(times=scene.times, result="0 lost", counts={"lost": 0})


def loses(scene: Scene) -> Outcome:
    return Outcome(times=scene.times, result="2 lost", counts={"lost": 2}, missed=["2 lost"])


def breaks(scene: Scene) -> Outcome:
    raise ValueError(f"no {scene.folder}/file")


def lacks(scene: Scene) -> Outcome:
    raise NotHere("no server")


def stops(scene: Scene) -> Outcome:
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(long_form, "DATA", tmp_path / "reliability.json")
    monkeypatch.setattr(long_form, "PAGE", tmp_path / "reliability.md")
    return tmp_path / "reliability.md"


def play(monkeypatch: pytest.MonkeyPatch, rows: dict[str, Any], *words: str) -> int:
    monkeypatch.setattr(long_form, "ROWS", tuple(row(name, run) for name, run in rows.items()))
    return long_form.main(words)


def table(page: Path) -> list[list[str]]:
    lines = [line for line in page.read_text().splitlines() if line.startswith("| do")]
    return [[cell.strip() for cell in line.replace("\\|", "¦").strip("|").split("|")] for line in lines]


def test_each_row_is_told_with_what_came_of_it(monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    assert play(monkeypatch, {"a": survives, "b": loses, "c": breaks, "d": lacks}) == 1
    a, b, c, d = table(page)
    assert a[:4] == ["do a ¦ often", "0 lost", "0 lost", "7"]
    assert (a[5], b[5], c[5]) == ("met", "**missed**", "**missed**")
    assert d[2:] == ["not run: no server", "", "", ""]
    assert "the row broke: ValueError: no FOLDER/file" in page.read_text()
    rows = json.loads(page.with_suffix(".json").read_text())["rows"]
    assert [one.get("passed") for one in rows.values()] == [True, False, False, None]


def test_one_that_was_interrupted_goes_on_with_what_is_left(
    monkeypatch: pytest.MonkeyPatch, page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="Interrupted; `make faults` goes on with b, c"):
        play(monkeypatch, {"a": survives, "b": stops, "c": survives})
    assert [line[2] for line in table(page)] == ["0 lost", "not run yet", "not run yet"]
    assert play(monkeypatch, {"a": loses, "b": survives, "c": survives}) == 0
    assert [line[5] for line in table(page)] == ["met"] * 3
    assert "2/2 c: 7 of 7" in capsys.readouterr().err


def test_a_row_alone_takes_its_place_in_the_table(monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    rows = {"a": survives, "b": loses}
    assert play(monkeypatch, rows) == 1
    assert play(monkeypatch, {"a": loses, "b": survives}, "--only", "b") == 0
    assert [line[5] for line in table(page)] == ["met", "met"]
    assert play(monkeypatch, {"a": loses, "b": survives}, "--only", "a", "--times", "1") == 1
    page.unlink()
    assert play(monkeypatch, {"a": loses, "b": survives}, "--page") == 0
    assert [line[5] for line in table(page)] == ["met", "met"]
