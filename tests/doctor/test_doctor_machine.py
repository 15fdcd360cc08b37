import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.doctor import Check, machine
from nas.doctor.machine import check_machine


def found(name: str, beside: Path) -> Check:
    (check,) = (check for check in check_machine(beside) if check.name == name)
    return check


@pytest.mark.parametrize(
    ("given", "policy", "verdict"),
    [
        ("1", "PASSIVE", "ok"),
        (None, "passive", "ok"),
        ("1", None, "advice"),
        ("1", "ACTIVE", "advice"),
        ("999", "PASSIVE", "advice"),
    ],
)
def test_threads_that_wait_for_each_other_are_advised_against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, policy: str | None, verdict: str
) -> None:
    for name, value in (("OMP_NUM_THREADS", given), ("OMP_WAIT_POLICY", policy)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    check = found("threads", tmp_path)
    assert check.verdict == verdict
    assert bool(check.change) == (verdict == "advice")


@pytest.mark.parametrize(
    ("free", "verdict"), [(50 * 2**30, "ok"), (2**30, "advice"), (2**20, "problem")], ids=["ample", "little", "none"]
)
def test_a_disk_with_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100 * 2**30, 0, free))
    assert found("disk", tmp_path).verdict == verdict


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    check = found("disk", tmp_path / "missing")
    assert check.verdict == "problem"
    assert "No such file or directory" in check.found


@pytest.fixture
def _few_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_few_descriptors")
def test_few_descriptors_are_advised_on(tmp_path: Path) -> None:
    check = found("open files", tmp_path)
    assert (check.verdict, check.found) == ("advice", "at most 500")
    assert check.change.startswith("ulimit -n ")


@pytest.mark.parametrize(
    ("left", "verdict"), [(8 * 2**30, "ok"), (2**30, "advice"), (2**28, "problem")], ids=["ample", "little", "none"]
)
def test_memory_that_is_left_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int, verdict: str) -> None:
    monkeypatch.setattr(machine, "_bound", lambda: None)
    monkeypatch.setattr(machine, "_meminfo", lambda: {"MemTotal": 2**34, "MemAvailable": left})
    assert found("memory", tmp_path).verdict == verdict


def test_a_container_s_bound_counts_where_it_is_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_meminfo", lambda: {"MemTotal": 2**34, "MemAvailable": 2**33})
    monkeypatch.setattr(machine, "_bound", lambda: (2**31, 2**30))
    assert found("memory", tmp_path).found == "1.0 GiB of 2.0 GiB free"


def test_other_work_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 0.0, 0.0))
    assert found("load", tmp_path).verdict == "advice"
