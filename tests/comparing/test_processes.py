import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.comparing.processes import each
from nas.errors import CompareError


def square(number: int) -> tuple[int, int]:
    return number**2, os.getpid()


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuse(number: int) -> int:
    raise ValueError(f"not {number}")


def test_one_worker_is_this_process() -> None:
    assert list(each(square, [1, 2], 1)) == [(1, (1, os.getpid())), (2, (4, os.getpid()))]


def test_several_workers_do_each_job_once() -> None:
    done = dict(each(square, range(9), 2))
    assert {job: result for job, (result, _) in done.items()} == {n: n**2 for n in range(9)}
    assert os.getpid() not in {process for _, process in done.values()}


def test_a_process_that_is_killed_is_told_in_one_line() -> None:
    with pytest.raises(CompareError, match="A process that made runs was killed; the same command goes on, with fewer --workers"):
        list(each(die, [1, 2, 3], 2))


def test_a_script_that_does_not_guard_its_main_is_told_how(tmp_path: Path) -> None:
    script = tmp_path / "bare.py"
    script.write_text("from nas.comparing.processes import each\nprint(list(each(abs, [1, 2], 2)))\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 1
    assert "No process that makes runs could begin; a script compares under `if __name__ == '__main__':`" in done.stderr


def test_what_a_job_raises_comes_through() -> None:
    with pytest.raises(ValueError, match="not 1"):
        list(each(refuse, [1, 1], 2))


SLEEPERS = """
import os, signal, sys, time
from nas.comparing.processes import each

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to it

def sleep(number):
    print(os.getpid(), flush=True)
    time.sleep(1_000)

if __name__ == "__main__":
    list(each(sleep, [0, 1], 2))
"""


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_one_that_asked(tmp_path: Path, way: signal.Signals) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as asker:
        assert asker.stdout is not None
        workers = [int(asker.stdout.readline()) for _ in range(2)]
        asker.send_signal(way)
        try:
            asker.wait(timeout=200)
        finally:
            asker.kill()
    end = time.monotonic() + 90
    while any(alive(process) for process in workers):
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
