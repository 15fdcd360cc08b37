"""Logs of candidates: both streams and what befell it, within bounds."""

import json
from pathlib import Path
from typing import Any

import pytest

from nas.execution import logs
from nas.execution.logs import Log


def lines(log: Log) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.text().splitlines()]


def told(log: Log) -> list[tuple[str, str]]:
    return [(line["stream"], line["text"]) for line in lines(log)]


def test_what_is_printed_soon_after_joins_what_was_before_it() -> None:
    log = Log()
    log.event("Begun.")
    for part in (b"one ", b"line\n", b"another\n"):
        log.output("stdout", part)
    log.output("stderr", b"oh\n")
    log.event("Ended.")
    log.event("Twice.")
    log.output("stdout", b"late")
    assert told(log) == [
        ("event", "Begun."),
        ("stdout", "one line\nanother\n"),
        ("stderr", "oh\n"),
        ("event", "Ended."),
        ("event", "Twice."),
        ("stdout", "late"),
    ]
    assert all(0 <= line["seconds"] < 60 for line in lines(log))


def test_later_output_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SOON", -1.0)
    log = Log()
    log.output("stdout", b"a")
    log.output("stdout", b"b")
    assert told(log) == [("stdout", "a"), ("stdout", "b")]


def test_letters_that_come_in_pieces_are_put_together_and_others_replaced() -> None:
    log = Log()
    for byte in "…".encode():
        log.output("stdout", bytes([byte]))
    log.output("stderr", b"\xff!")
    assert told(log) == [("stdout", "…"), ("stderr", "\ufffd!")]


@pytest.mark.parametrize("size", [1, 7, 1_000, 100_000])
def test_of_much_the_first_quarter_and_the_last_three_are_kept(size: int) -> None:
    log, whole = Log(8_000), "".join(f"{number} " for number in range(40_000))
    for begin in range(0, len(whole), size):
        log.output("stdout", whole[begin : begin + size].encode())
    log.event("Ended.")
    head, dropped, *tail, event = told(log)
    first = len(head[1])
    assert head == ("stdout", whole[:first])
    assert 2_000 - 2 * logs.ENTRY <= first <= 2_000
    kept = "".join(text for _, text in tail)
    assert whole.endswith(kept)
    assert 6_000 - logs.LONGEST - 10 * logs.ENTRY < len(kept) <= 6_000
    assert dropped == ("event", f"{len(whole) - first - len(kept):,} bytes of output are left out here.")
    assert event == ("event", "Ended.")


def test_the_name_of_whoever_is_at_home_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    log = Log()
    log.output("stderr", b'File "/home/somebody/space.py"\n')
    assert told(log) == [("stderr", 'File "~/space.py"\n')]
