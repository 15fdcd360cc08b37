"""Whether a driver that others know by name alone is still alive."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.records import holders
from nas.records.holders import Holder, is_dead

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell when a process began")

SCRIPT = """
import sys
from nas.records.holders import Holder
holder = Holder()
print(holder.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Another process that holds something, and its holder's name."""
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def changed(name: str, place: int, word: str) -> str:
    words = name.split()
    words[place] = word
    return " ".join(words)


def test_a_holder_is_named_after_host_and_process_and_no_other_has_its_name() -> None:
    ours, another = Holder(), Holder()
    assert ours.name.split()[0] == socket.gethostname()
    assert ours.name.split()[2] == str(os.getpid())
    assert ours.name != another.name


def test_a_holder_of_this_process_is_dead_once_it_is_closed_or_forgotten() -> None:
    ours = Holder()
    assert not is_dead(ours.name)
    ours.close()
    assert is_dead(ours.name)
    forgotten = Holder().name
    assert is_dead(forgotten)


def test_a_process_is_dead_once_it_was_killed_even_if_nobody_waited_for_it(other: tuple["subprocess.Popen[str]", str]) -> None:
    process, name = other
    assert not is_dead(name)
    os.kill(process.pid, signal.SIGSTOP)
    assert not is_dead(name)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(name), "it is a zombie"
    process.wait()
    assert is_dead(name)


def test_a_process_id_that_was_given_again_is_another_process(other: tuple["subprocess.Popen[str]", str]) -> None:
    _, name = other
    assert is_dead(changed(name, 3, "1"))


@pytest.mark.parametrize(("place", "word"), [(0, "elsewhere"), (1, "00000000"), (1, "-"), (3, "-"), (2, "x")])
def test_of_a_holder_elsewhere_nothing_is_sure(place: int, word: str) -> None:
    gone = Holder().name
    assert is_dead(gone)
    assert not is_dead(changed(gone, place, word))


@pytest.mark.parametrize("name", ["", "somebody", "a b c d e f g"])
def test_of_a_name_that_is_none_nothing_is_sure(name: str) -> None:
    assert not is_dead(name)


def test_a_process_that_the_system_hides_is_not_taken_for_dead(
    other: tuple["subprocess.Popen[str]", str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, name = other
    status = holders._status
    monkeypatch.setattr(holders, "_status", lambda pid: [] if pid == process.pid else status(pid))
    assert not is_dead(name)
    process.kill()
    process.wait()
    assert is_dead(name)
