"""Every kind of bad candidate in one pool: each has its reason, the others are done, and nothing is left of any."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import misbehaving
import pytest
from hearing import Heard
from misbehaving import BOUNDS, BUDGET, EXPECTED, PATIENT

from nas import registry
from nas.execution import Bounds, Ended, Job, Processes


@pytest.fixture(scope="module")
def came_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Ended]]:
    """How → what came of the candidate that does it, with others before, beside and behind it."""
    folder = tmp_path_factory.mktemp("site")
    misbehaving.install(folder)
    sys.path.insert(0, str(folder))
    registry.owners.cache_clear()
    slow = [how for how, expected in EXPECTED.items() if expected and expected[0] == "timed_out"]
    try:
        yield {**run(slow, BOUNDS), **run([how for how in EXPECTED if how not in slow], PATIENT)}
    finally:
        sys.path.remove(str(folder))
        registry.owners.cache_clear()


def run(hows: Sequence[str], bounds: Bounds) -> dict[str, Ended]:
    """The same of these, in one pool."""
    jobs = [Job(id=number, architecture=misbehaving.architecture(how), budget=BUDGET, seed=3) for number, how in enumerate(hows)]
    found: dict[str, Ended] = {}
    with Processes(misbehaving.make, Heard(), workers=4, bounds=bounds) as executor:
        while len(found) < len(hows):
            while jobs and executor.free:
                executor.start(jobs.pop(0))
            found |= {hows[one.job.id]: one for one in executor.wait(1)}
    return found


@pytest.mark.parametrize("how", EXPECTED)
def test_a_bad_candidate_is_a_record_with_its_reason(came_of: Mapping[str, Ended], how: str) -> None:
    one, expected = came_of[how], EXPECTED[how]
    assert not one.lost
    assert one.record is not None, one.reason
    record = one.record
    assert (record.seed, record.budget, record.device, record.threads) == (3, BUDGET, "cpu", 1)
    assert record.setting == came_of["nothing"].record.setting
    assert record.versions
    if expected is None:
        assert record.outcome == "complete", record.error
        assert len(record.curve) == 3
        return
    kind, message = expected
    assert record.outcome == "failed"
    assert record.error is not None
    assert record.error.kind == kind
    assert re.search(message, record.error.message), record.error.message
    if kind in {"timed_out", "crashed", "out_of_disk"} or how in {"os_exit", "host_memory"}:  # the worker wrote it
        assert [point.epoch for point in record.curve] == [1]
        assert record.figures["params"] == came_of["nothing"].record.figures["params"]


def test_a_limit_of_time_is_held(came_of: Mapping[str, Ended]) -> None:
    for how, one in came_of.items():
        if EXPECTED[how] and EXPECTED[how][0] == "timed_out":
            assert BOUNDS.seconds <= one.record.seconds < PATIENT.seconds


def test_of_what_forked_nothing_is_left(came_of: Mapping[str, Ended]) -> None:
    started = re.findall(r"started (\d+)", came_of["forks"].log)
    assert len(started) == 3
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert "3 processes that it left were ended." in came_of["forks"].log


def test_of_a_flood_beginning_and_end_are_kept(came_of: Mapping[str, Ended]) -> None:
    log = came_of["flood"].log
    lines = [json.loads(line) for line in log.splitlines()]
    assert 40_000 < sum(len(line["text"].encode()) for line in lines) <= BOUNDS.log_bytes
    text = "".join(line["text"] for line in lines if line["stream"] == "stdout")
    assert text.startswith("0 flood")
    assert text.endswith("flood \n")
    [dropped] = [line["text"] for line in lines if "left out" in line["text"]]
    assert int(dropped.split()[0].replace(",", "")) > 10_000_000


def test_a_crash_leaves_in_the_log_where_it_was(came_of: Mapping[str, Ended]) -> None:
    log = came_of["segfault"].log
    assert "Fatal Python error: Segmentation fault" in log
    assert "_crashes" in log
    assert "Ended by SIGSEGV" in log
