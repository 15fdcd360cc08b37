"""What a candidate printed and what befell it, for people: a line each, which steers no terminal."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

STREAMS = ("stdout", "stderr", "event")
"""Where an entry comes from; an event is what befell the candidate."""


@dataclass(frozen=True)
class Entry:
    """One line."""

    seconds: float | None
    """Since the candidate began; None where the log does not tell."""
    stream: str
    text: str
    """As it was printed."""


def entries(log: str) -> Iterator[Entry]:
    """The lines of a log as the ledger keeps it; what was printed in pieces is put together, what is none of ours shown too."""
    left: dict[str, Entry] = {}
    for written in log.split("\n") if log else []:
        piece = _entry(written)
        if piece.stream == "event":
            yield from left.values()
            left.clear()
        before = left.pop(piece.stream, None)
        text = piece.text if before is None else before.text + piece.text
        seconds = piece.seconds if before is None else before.seconds
        *whole, rest = text.split("\n")
        for line in whole:
            yield Entry(seconds, piece.stream, line)
            seconds = piece.seconds
        if rest and piece.stream == "event":
            yield Entry(seconds, piece.stream, rest)
        elif rest:
            left[piece.stream] = Entry(seconds, piece.stream, rest)
    yield from left.values()


def _entry(line: str) -> Entry:
    try:
        data = json.loads(line)
        stream, text, seconds = data["stream"], data["text"], data["seconds"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return Entry(None, "event", line)
    if stream not in STREAMS or not isinstance(text, str) or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return Entry(None, "event", line)
    return Entry(seconds, stream, text)


def log_lines(log: str) -> Iterator[str]:
    """Lines such as `12.3 s stderr | text`, in which no character is left that would steer a terminal."""
    for entry in entries(log):
        seconds = "" if entry.seconds is None else f"{entry.seconds:.1f} s"
        yield f"{seconds:>9} {entry.stream:6} | {escaped(entry.text)}"


def escaped(text: str) -> str:
    """`text` with what is no printable character escaped, and its spaces as they are, less a return at its end."""
    line = text.removesuffix("\r").expandtabs(4)
    return line if line.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def log_data(log: str) -> list[dict[str, object]]:
    """The lines as plain data, ready for JSON."""
    return [vars(entry) for entry in entries(log)]
