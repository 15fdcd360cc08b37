"""Who is killed, stopped or hangs takes nobody along, and nobody outlives who began it. All by real signals."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hearing import Heard, job
from test_worker_processes import ended, make, run
from toys import toy_record

from nas.benchmark import Budget
from nas.errors import SearchError
from nas.execution import Bounds, Evaluate, Interrupted, Processes
from nas.records import Epoch, Record
from nas.space import Architecture

HERE = Path(__file__).parent


GENEROUS_SECONDS = 90.0
"""Within which all comes to pass on a machine that is busy with others; candidates here sleep for far longer."""


def until(answer: Callable[[], Any], seconds: float = GENEROUS_SECONDS) -> Any:
    """What `answer` gives, once that is something."""
    end = time.monotonic() + seconds
    while not (found := answer()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Whether it is there and no mere entry in a table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def at_work(architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    """Starts a process that leaves the session, tells an epoch with the ids of all, and sleeps."""
    away = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    figures = {"candidate": os.getpid(), "worker": os.getppid(), "away": away.pid}
    report(Epoch(epoch=1, train_loss=None, figures=figures, seconds=None))
    if seed:
        time.sleep(1_000)
    return toy_record("complete", {}, (), seed, budget)


class Watching(Heard):
    """Knows the processes of each job."""

    def __init__(self) -> None:
        super().__init__()
        self.pids: dict[int, dict[str, int]] = {}

    def on_epoch(self, job: Any, epoch: Epoch) -> bool:
        self.pids[job.id] = {name: int(pid) for name, pid in epoch.figures.items()}
        return False


def begun(executor: Processes, heard: Watching, number: int) -> dict[str, int]:
    """The processes of a job, once it is at work."""

    def look() -> dict[str, int] | None:
        assert not executor.wait(0.05)
        return heard.pids.get(number)

    found: dict[str, int] = until(look)
    return found


@pytest.fixture
def heard() -> Watching:
    return Watching()


@pytest.fixture
def pool(heard: Watching) -> Iterator[Processes]:
    with Processes(partial(make, at_work), heard, workers=2, bounds=Bounds()) as executor:
        yield executor


def test_the_job_of_a_killed_worker_is_lost_and_another_worker_comes(pool: Processes, heard: Watching) -> None:
    for round_ in range(3):
        number = 10 * round_
        pool.start(job(number))
        pids = begun(pool, heard, number)
        os.kill(pids["worker"], signal.SIGKILL)
        [one] = ended(pool)
        assert (one.record, one.lost, one.job.id) == (None, True, number)
        assert one.reason == "worker 1 was killed, or has crashed"
        assert json.loads(one.log)["text"] == "Worker 1 was killed, or has crashed."
        until(lambda pids=pids: not any(map(alive, pids.values())))
        pool.start(job(number + 1, seed=0))
        [one] = ended(pool)
        assert one.record is not None
        assert not list(pool._terms.folder.glob(f"*/{number}"))


def test_a_candidate_that_somebody_kills_is_lost_and_its_worker_goes_on(pool: Processes, heard: Watching) -> None:
    pool.start(job(1))
    pids = begun(pool, heard, 1)
    os.kill(pids["candidate"], signal.SIGKILL)
    [one] = ended(pool)
    assert (one.record, one.lost, one.reason) == (None, True, "its process was ended from outside by SIGKILL (Killed)")
    assert not alive(pids["away"])
    pool.start(job(2, seed=0))
    ended(pool)
    assert heard.pids[2]["worker"] == pids["worker"]


def test_when_the_template_dies_all_is_lost_and_another_is_made(pool: Processes, heard: Watching) -> None:
    pool.start(job(1))
    pool.start(job(2))
    pids = [begun(pool, heard, 1), begun(pool, heard, 2)]
    assert pool._template is not None
    os.kill(pool._template.process.pid, signal.SIGKILL)
    assert all(one.lost for one in ended(pool, 2))
    until(lambda: not any(alive(pid) for one in pids for pid in one.values()))
    pool.start(job(3, seed=0))
    [one] = ended(pool)
    assert one.record is not None


def test_a_stopped_worker_falls_silent_and_can_be_done_without(pool: Processes, heard: Watching) -> None:
    given = job(1)
    pool.start(given)
    pids = begun(pool, heard, 1)
    until(lambda: pool.silent(given) < 2.5)
    assert pool.silent(job(7)) == 0
    os.kill(pids["worker"], signal.SIGSTOP)
    until(lambda: pool.silent(given) > 2.5)
    assert not pool.wait(0)
    pool.cancel(given)
    assert pool.free == 2
    until(lambda: not any(map(alive, pids.values())))
    pool.start(job(2, seed=0))
    pool.start(job(3, seed=0))
    assert [one.record is not None for one in ended(pool, 2)] == [True, True]


def test_a_worker_at_work_is_heard_of_while_the_driver_does_something_else(pool: Processes, heard: Watching) -> None:
    given = job(1)
    pool.start(given)
    begun(pool, heard, 1)
    time.sleep(2.5)
    until(lambda: pool.silent(given) < 0.5)


def test_a_cancelled_job_ends_at_once_and_no_more_is_heard_of_it(pool: Processes, heard: Watching) -> None:
    pool.start(job(1))
    pids = begun(pool, heard, 1)
    pool.cancel(job(1))
    until(lambda: not any(map(alive, pids.values())))
    assert pool.wait(0.3) == []
    assert pool.free == 2


def test_closing_ends_all_at_once(pool: Processes, heard: Watching) -> None:
    pool.start(job(1))
    pool.start(job(2))
    pids = [begun(pool, heard, 1), begun(pool, heard, 2)]
    os.kill(pids[1]["worker"], signal.SIGSTOP)
    folder = pool._terms.folder
    begin = time.monotonic()
    pool.close()
    assert time.monotonic() - begin < GENEROUS_SECONDS
    until(lambda: not any(alive(pid) for one in pids for pid in one.values()))
    until(lambda: not folder.exists())
    pool.close()


def slow() -> Evaluate:
    time.sleep(1_000)
    raise AssertionError


def test_closing_does_not_wait_for_what_is_being_made() -> None:
    begin = time.monotonic()
    with Processes(slow, Heard(), workers=2, bounds=Bounds()) as executor:
        executor.start(job())
        assert executor.wait(0.5) == []
        assert executor.silent(job()) == 0
    assert time.monotonic() - begin < GENEROUS_SECONDS


# Limits.


def sleeping(architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    report(Epoch(epoch=1, train_loss=0.5, figures={"validation_accuracy": 0.25}, seconds=0.1))
    os.write(1, b"asleep")
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(1_000)
    raise AssertionError


def test_a_limit_of_time_leaves_a_record_with_what_was_known() -> None:
    begin = time.monotonic()
    [one] = run(sleeping, job(seed=3), seconds=0.5)
    assert time.monotonic() - begin < GENEROUS_SECONDS
    record = one.record
    assert record is not None
    assert record.error is not None
    assert (record.outcome, record.error.kind) == ("failed", "timed_out")
    assert record.error.message == "it was at work for more than its 0.5 s."
    assert [point.figures for point in record.curve] == [{"validation_accuracy": 0.25}]
    assert record.seconds is not None
    assert 0.5 <= record.seconds < GENEROUS_SECONDS
    assert (record.seed, record.budget, record.device, record.threads) == (3, Budget(epochs=2), "cpu", 1)
    assert record.versions["python"]
    assert [json.loads(line)["text"] for line in one.log.splitlines()][1:3] == [
        "asleep",
        "Ended: it was at work for more than its 0.5 s.",
    ]


def sharing(architecture: Architecture, *, budget: Budget, seed: int, report: Any) -> Record:
    """Holds so many MiB, and forks so many that hold the same ones."""
    held = bytearray(os.urandom(1)) * (seed * 2**20)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            if own := architecture.choices["width"] == 16:
                held[::4096] = b"x" * len(held[::4096])
            time.sleep(1_000 if own else 0.5)  # what is too much is held until somebody sees it
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return toy_record("complete", {}, (), seed, budget)


def test_memory_counts_once_where_it_is_shared_and_of_all_processes() -> None:
    from hearing import toy

    first, second = run(sharing, job(1, seed=100), job(2, seed=100, architecture=toy(16)), memory_bytes=300 * 2**20)
    assert first.record is not None
    assert first.record.outcome == "complete", first.record.error
    assert second.record is not None
    assert second.record.error is not None
    assert second.record.error.kind == "out_of_memory"


# Interruption.


class Stoppable:
    """Goes on until it is to stop, and writes down that it was."""

    def __call__(self, architecture: Architecture, **_: Any) -> Record:
        raise AssertionError

    def resuming(self, folder: Path, every_seconds: float, stopping: Callable[[], bool]) -> Evaluate:
        def evaluate(
            architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
        ) -> Record:
            if (folder / "state").exists():
                return toy_record("complete", {}, (), seed, budget)
            report(Epoch(epoch=1, train_loss=None, figures={}, seconds=None))
            while not stopping():
                time.sleep(0.01)
            (folder / "state").write_text("here")
            raise Interrupted

        return evaluate


def test_an_interrupted_candidate_writes_its_state_and_goes_on_from_there(tmp_path: Path) -> None:
    heard = Watching()
    with Processes(partial(make, Stoppable()), heard, workers=1, bounds=Bounds()) as executor:
        executor.start(job(1, folder=tmp_path))
        until(lambda: executor.wait(0.05) or 1 in heard.pids)
        timer = threading.Timer(0.1, executor.interrupt)
        timer.start()
        [one] = ended(executor)
        timer.join()
        assert (one.record, one.lost, one.reason) == (None, False, "interrupted")
        assert "Asked to stop." in one.log
    [one] = run(Stoppable(), job(1, folder=tmp_path))
    assert one.record is not None


def test_one_that_cannot_stop_ends_at_once(pool: Processes, heard: Watching) -> None:
    pool.start(job(1))
    pids = begun(pool, heard, 1)
    pool.interrupt()
    [one] = ended(pool)
    assert (one.record, one.lost, one.reason) == (None, False, "interrupted")
    assert not any(map(alive, (pids["candidate"], pids["away"])))


# The driver's own end.

DRIVER = """
import sys
from functools import partial
from test_kept_apart import Watching, at_work, begun
from test_worker_processes import make
from hearing import job
from nas.execution import Bounds, Processes
import json, time

if __name__ == "__main__":
    heard = Watching()
    executor = Processes(partial(make, at_work), heard, workers=2, bounds=Bounds())
    executor.start(job(1))
    executor.start(job(2))
    pids = [begun(executor, heard, 1), begun(executor, heard, 2)]
    print(json.dumps([*pids[0].values(), *pids[1].values(), executor._template.process.pid]), executor._terms.folder, flush=True)
    {then}
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Starts a driver with two candidates at work, that `then` does something."""
    started: list[subprocess.Popen[str]] = []

    def start(then: str) -> "subprocess.Popen[str]":
        script = tmp_path / "driver.py"
        script.write_text(DRIVER.replace("{then}", then))
        environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}"}
        started.append(
            subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment, text=True, process_group=0)
        )
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()
        if one.stdout:
            one.stdout.close()


def told(driver: "subprocess.Popen[str]") -> tuple[list[int], Path]:
    assert driver.stdout is not None
    pids, _, folder = driver.stdout.readline().rpartition(" ")
    return json.loads(pids), Path(folder.strip())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_outlives_a_driver_that_is_killed(driver: Any, number: signal.Signals) -> None:
    process = driver("time.sleep(1000)")
    pids, folder = told(process)
    assert len(pids) == 7
    assert all(map(alive, pids))
    process.send_signal(number)
    process.wait()
    until(lambda: not any(map(alive, pids)))
    until(lambda: not folder.exists())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_a_terminal_sends_to_all_is_the_drivers_business(driver: Any, number: signal.Signals) -> None:
    process = driver("executor.close() if executor.wait(1) == [] and all(seat.job for seat in executor._workers) else 0 / 0")
    pids, _ = told(process)
    assert os.getpgid(pids[-1]) == process.pid
    for pid in pids:
        if os.getpgid(pid) == process.pid:  # all of the driver's group but itself
            os.kill(pid, number)
    assert process.wait(GENEROUS_SECONDS) == 0
    assert not any(map(alive, pids))


def test_a_driver_that_forgets_to_close_ends_all_the_same(driver: Any) -> None:
    process = driver("pass")
    pids, folder = told(process)
    assert process.wait(GENEROUS_SECONDS) == 0
    assert not any(map(alive, pids))
    assert not folder.exists()


def test_a_driver_killed_while_what_evaluates_is_made_leaves_nobody(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(
        "import time\nfrom hearing import Heard\nfrom test_kept_apart import slow\nfrom nas.execution import Bounds, Processes\n"
        "if __name__ == '__main__':\n"
        "    executor = Processes(slow, Heard(), workers=1, bounds=Bounds())\n"
        "    print(executor._template.process.pid, flush=True)\n    time.sleep(1000)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}"}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        template = int(process.stdout.readline())
        time.sleep(1)
        assert alive(template)
        process.kill()
    until(lambda: not alive(template))


def script(tmp_path: Path, text: str) -> "subprocess.CompletedProcess[str]":
    path = tmp_path / "script.py"
    path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}"}
    return subprocess.run(
        [sys.executable, str(path)], env=environment, capture_output=True, text=True, timeout=2 * GENEROUS_SECONDS, check=False
    )


SCRIPT = """
from hearing import Heard, job
from test_worker_processes import ended, make
from nas.execution import Bounds, Processes

def evaluates():
    return make()

def go():
    with Processes(evaluates, Heard(), workers=2, bounds=Bounds()) as executor:
        executor.start(job())
        print(ended(executor)[0].record.outcome)

"""


def test_a_script_without_a_guard_is_told_so_in_one_line(tmp_path: Path) -> None:
    done = script(tmp_path, SCRIPT + "go()")
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert re.search(r"nas\.errors\.SearchError: A script with workers searches under `if __name__", done.stderr)
    done = script(tmp_path, SCRIPT + "if __name__ == '__main__':\n    go()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "complete\n", "")


def test_what_stands_in_no_file_is_refused_in_one_line() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parent}"}
    command = [sys.executable, "-c", SCRIPT + "go()"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=2 * GENEROUS_SECONDS, check=False)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "nas.errors.SearchError: What evaluates could not be" in done.stderr


def dying() -> Evaluate:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_template_that_is_killed_before_it_is_ready_says_so() -> None:
    with (
        Processes(dying, Heard(), workers=1, bounds=Bounds()) as executor,
        pytest.raises(SearchError, match="was ended by signal 9; memory may be short"),
    ):
        executor.ready()
