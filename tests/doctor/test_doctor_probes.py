from pathlib import Path

import pytest

from nas import registry
from nas.doctor import probes
from nas.doctor.probes import Probed, check_forking, check_gpu, check_plugins, probe

POINTS = """[nas.search_spaces]
aborts = aborting_plugin:SPACE
raises = raising_plugin:SPACE
"""


@pytest.fixture
def _bad_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bad-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text(POINTS, encoding="utf-8")
    (tmp_path / "aborting_plugin.py").write_text("import os\nprint('hello')\nos.abort()\n", encoding="utf-8")
    (tmp_path / "raising_plugin.py").write_text("raise OSError('no\\x1b[2J such\\nthing')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    registry.owners.cache_clear()


@pytest.fixture(autouse=True)
def _forget() -> object:
    yield
    registry.owners.cache_clear()


@pytest.mark.usefixtures("_bad_plugins")
def test_a_plugin_that_crashes_and_one_that_raises_are_each_named_in_a_line() -> None:
    *bad, rest = check_plugins()
    assert {check.verdict for check in bad} == {"problem"}
    assert [check.found for check in bad] == [
        "The search space 'aborts' of bad (aborting_plugin:SPACE) cannot be loaded: it was ended by SIGABRT",
        "The search space 'raises' of bad (raising_plugin:SPACE) cannot be loaded: OSError: no\\x1b[2J such thing",
    ]
    assert rest.verdict == "ok"
    assert f"{len(registry.owners('nas.benchmarks'))} benchmarks" in rest.found


def test_a_probe_that_does_not_end_is_ended() -> None:
    assert probe("plugins", seconds=0.01) == Probed((), "it has not ended after 0.01 s")


def test_a_probe_that_fails_says_why_in_a_line() -> None:
    assert probe("nothing").failure == "KeyError: 'nothing'"


def test_processes_of_workers_start() -> None:
    (check,) = check_forking()
    assert check.verdict in {"ok", "advice"}
    assert check.found.startswith("a process starts and ends in ")


@pytest.mark.parametrize(
    ("answers", "driver", "verdict", "words"),
    [
        ([{"built": None, "torch": "2.14.1+cpu"}], "", "ok", "none; candidates run on the processor"),
        ([{"built": None, "torch": "2.14.1"}], "570.1", "problem", "the driver 570.1 is there, and torch 2.14.1 sees no GPU"),
        (
            [{"built": "13.0", "torch": "2.14.1"}, {"name": "H200", "works": True, "free": 100 * 2**30, "total": 140 * 2**30}],
            "570.1",
            "ok",
            "H200, 100.0 GiB of 140.0 GiB free; driver 570.1",
        ),
        (
            [{"built": "13.0", "torch": "2.14.1"}, {"name": "H200", "works": True, "free": 2**30, "total": 140 * 2**30}],
            "",
            "advice",
            "H200: 1.0 GiB of 140.0 GiB free",
        ),
        ([{"built": "13.0", "torch": "2.14.1"}, {"name": "H200", "works": False}], "", "problem", "H200 computes wrongly"),
    ],
)
def test_what_torch_and_the_driver_say_of_gpus_is_weighed(
    monkeypatch: pytest.MonkeyPatch, answers: list[dict[str, object]], driver: str, verdict: str, words: str
) -> None:
    monkeypatch.setattr(probes, "probe", lambda *_: Probed(tuple(answers), ""))
    monkeypatch.setattr(probes, "_driver", lambda: driver)
    (check,) = check_gpu()
    assert (check.verdict, check.found) == (verdict, words)


def test_a_torch_that_cannot_be_loaded_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "probe", lambda *_: Probed((), "ImportError: libcudart.so.13: cannot open"))
    (check,) = check_gpu()
    assert check.verdict == "problem"
    assert "libcudart.so.13" in check.found
