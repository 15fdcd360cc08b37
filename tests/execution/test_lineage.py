"""What the system tells of processes, against real ones."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nas.execution.lineage import born, children, descendants, end_group, own_bytes, resident_bytes

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")

FAMILY = "import subprocess, sys, time; subprocess.Popen(['sleep', '100']); print('x', flush=True); time.sleep(100)"


def test_a_family_is_found_and_its_group_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout
        parent.stdout.read(1)
        assert parent.pid in children(os.getpid())
        [child] = children(parent.pid)
        assert {parent.pid, child} <= set(descendants(os.getpid()))
        assert descendants(parent.pid) == [child]
        end_group(parent.pid, "another moment")
        assert parent.poll() is None
        end_group(parent.pid, born(parent.pid))
        assert parent.wait(60) == -9
    end = time.monotonic() + 60
    while born(child) and time.monotonic() < end:
        state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # whoever adopted it has not looked yet
            break
        time.sleep(0.01)
    else:
        assert not born(child)


def test_nothing_is_known_of_nobody() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert (born(gone.pid), children(gone.pid), resident_bytes(gone.pid), own_bytes(gone.pid)) == ("", [], 0, 0)
    end_group(gone.pid)


def test_a_process_is_told_from_a_later_one() -> None:
    assert born(os.getpid()) == born(os.getpid()) != ""
    with subprocess.Popen(["sleep", "100"]) as other:
        assert born(other.pid) != born(os.getpid())
        other.kill()


HOLDING = """
import sys
print(flush=True)
sys.stdin.readline()
held = bytearray(b"1") * (64 * 2**20)
print(flush=True)
sys.stdin.readline()
"""


def test_memory_is_what_the_kernel_says() -> None:
    """Of a process that does nothing else; the test's own gives back and takes what others left, between two looks."""
    with subprocess.Popen([sys.executable, "-c", HOLDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdout.readline()
        before = resident_bytes(holder.pid)
        holder.stdin.write(b"\n")
        holder.stdin.flush()
        holder.stdout.readline()
        grown = resident_bytes(holder.pid) - before
        assert 60 * 2**20 < grown < 80 * 2**20
        assert 64 * 2**20 < own_bytes(holder.pid) <= resident_bytes(holder.pid) + 2**20
        holder.kill()
