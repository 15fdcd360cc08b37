"""The executor on a Ray cluster: real clusters on this machine, each in a process of its own, and real kills."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hearing import Heard
from toys import toy_evaluate

from nas.errors import ClusterError
from nas.execution import Bounds
from nas.execution.on_ray import OnRay

AT_WORK = Path(__file__).with_name("ray_at_work.py")
TOKEN = "t" * 48


def at_work(what: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `ray_at_work.py` does and says."""
    pytest.importorskip("ray")
    paths = os.pathsep.join([str(AT_WORK.parent), str(AT_WORK.parents[1]), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    given = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, str(AT_WORK), what, str(folder)],
        env={**given, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


def result(what: str, folder: Path, **environment: str) -> dict[str, Any]:
    """What it prints, which is all that is printed."""
    done = at_work(what, folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def work(folder: Path, what: str) -> Counter[str]:
    """How often candidates, by their seeds, did that."""
    lines = [line.split() for line in (folder / "work").read_text().splitlines()]
    return Counter(seed for did, seed in lines if did == what)


@pytest.mark.slow
def test_a_cluster_of_our_own_runs_jobs_as_any_executor_does_and_leaves_nothing(tmp_path: Path):
    said = result("local", tmp_path)
    assert said["places"] == [2, 2]
    assert said["complete"]
    assert said["told"] == [["begun", 1, "Ray worker 1"], ["epoch", 1, 1], ["epoch", 1, 2]]
    assert (said["pruned"], said["not_asked"], said["all_epochs"]) == ("pruned", "complete", 80)
    assert set(said["listening"]) == {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, as IPv4 and in IPv6
    assert (said["mode"], said["shown"], said["handler_kept"]) == ("700", False, True)
    assert (said["left"], said["folder_left"]) == ([], False)
    assert said["job_ms"] < 2_000  # whoever waits is woken: a look is 10 s long
    assert said["answer_ms"] < 500
    assert said["refused"] == ["BenchmarkError", "The data are missing; bring them."]

    misfortunes = said["misfortunes"]
    assert misfortunes["crash"] == ["failed", "crashed"]
    assert misfortunes["silent"] < 30
    assert misfortunes["free_after_cancel"] == 2
    assert misfortunes["after_cancel"] == [13, []]
    assert misfortunes["killed"] == [14, True, None, True, 1]
    assert misfortunes["interrupted"] == [[15, False, None, "interrupted"], [16, False, None, "interrupted"]]
    assert misfortunes["interrupted_after"] < 50  # of the 60 s that each would sleep
    made = (tmp_path / "made").read_text().split()
    assert len(made) == len(set(made)) == 3  # two workers, and who took the place of the one that was killed


@pytest.mark.slow
def test_a_node_that_is_lost_in_the_middle_costs_no_candidate_and_does_none_twice(tmp_path: Path):
    said = result("nodes", tmp_path, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=TOKEN, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
    assert sorted(said["done"]) == list(range(1, 13))
    assert 1 <= len(said["lost"]) <= 2
    assert all(reason.startswith("Ray worker") and reason.endswith("is gone") for reason in said["reasons"])
    lost = set(map(str, said["lost"]))
    for what in ("begun", "done"):  # one that was lost may have got that far before
        times = work(tmp_path, what)
        assert all(1 <= times[str(number)] <= 1 + (str(number) in lost) for number in range(1, 13))


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_process_and_no_folder_behind(tmp_path: Path):
    assert at_work("killed", tmp_path).returncode == -9
    processes = json.loads((tmp_path / "processes").read_text())
    assert len(processes) > 5
    until = time.monotonic() + 60
    while left := [process for process in processes if Path(f"/proc/{process}/exe").exists()]:
        assert time.monotonic() < until, left
        time.sleep(0.05)
    private = Path((tmp_path / "private").read_text()).parent
    while private.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert work(tmp_path, "done") == Counter()


def refusal(**given: Any) -> str:
    with pytest.raises(ClusterError) as caught:
        OnRay(lambda: toy_evaluate, Heard(), **{"workers": 1, "bounds": Bounds(), **given})
    return str(caught.value)


def test_a_ray_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refusal() == "Ray is not installed; `pip install nas-harness[ray]` brings it."


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:x", "--head:1 ", ""])
def test_an_address_that_is_none_is_refused(address: str):
    assert refusal(address=address) == f"A Ray cluster's address is HOST:PORT, or auto, got {address!r}."


def test_no_cluster_is_joined_without_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pytest.importorskip("ray")
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert refusal(address="head:6379").startswith(
        "A Ray cluster is joined by a token, and there is none; put it into RAY_AUTH_TOKEN"
    )


@pytest.mark.parametrize(("option", "value"), [("workers", 0), ("cpus", -1.0), ("gpus", float("inf"))])
def test_numbers_that_are_none_are_refused(option: str, value: float):
    assert refusal(**{option: value}).startswith("A Ray cluster runs at least one worker of at least 0 CPUs and GPUs, got")
