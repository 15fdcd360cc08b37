"""What a candidate printed and what befell it, kept within bounds, as JSON lines.

{"seconds": 1.52, "stream": "stdout", "text": "…"}        stream: stdout, stderr, or event for what befell it
"""

import codecs
import json
import time
from collections import deque
from pathlib import Path

ENTRY = 48
"""Bytes that an entry counts for beside its text."""

LONGEST = 2048
"""Bytes of an entry's text in the part that is thrown away from its beginning, so that little goes at once."""

SOON = 1.0
"""Seconds within which what is printed joins the entry before."""


class Log:
    """Keeps the first quarter of `most` bytes, and the last three."""

    def __init__(self, most: int = 64 * 1024) -> None:
        self.begun = time.monotonic()
        self._head = _Part(most // 4)
        self._tail = _Part(most - most // 4)
        self._full = False
        """Whether the head is."""
        self._dropped = 0
        self._decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in ("stdout", "stderr")}
        self._home = str(Path.home())

    def event(self, text: str) -> None:
        """Something befell it."""
        self._keep("event", text)

    def output(self, stream: str, data: bytes) -> None:
        """It printed `data`."""
        if text := self._decoders[stream].decode(data):
            self._keep(stream, text)

    def _keep(self, stream: str, text: str) -> None:
        if len(self._home) > 1:  # logs are shared, and a path names a person
            text = text.replace(self._home, "~")
        seconds = round(time.monotonic() - self.begun, 3)
        data = text.encode()
        if not self._full:
            fits = len(data) if len(data) <= self._head.room else max(0, self._head.room)
            self._full = fits < len(data)
            self._head.add(seconds, stream, data[:fits])
            data = data[fits:]
        if len(data) > self._tail.most:
            self._dropped += len(data) - self._tail.most
            data = data[-self._tail.most :]
        for begin in range(0, len(data), LONGEST):
            self._tail.add(seconds, stream, data[begin : begin + LONGEST], LONGEST)
        while self._tail.room < 0:
            self._dropped += self._tail.drop()

    def text(self) -> str:
        """The log so far."""
        lines = self._head.lines()
        if self._dropped:
            lines.append(entry(self._tail.begun, "event", f"{self._dropped:,} bytes of output are left out here."))
        return "".join(lines + self._tail.lines())


class _Part:
    """Entries of at most so many bytes."""

    def __init__(self, most: int) -> None:
        self.most = self.room = most
        self.entries: deque[tuple[float, str, bytearray]] = deque()

    @property
    def begun(self) -> float:
        """When its first entry was."""
        return self.entries[0][0] if self.entries else 0.0

    def add(self, seconds: float, stream: str, data: bytes, longest: int = 2**30) -> None:
        """One more entry, or more of the last."""
        if not data:
            return
        if self.entries and stream != "event":
            then, last, kept = self.entries[-1]
            if last == stream and seconds - then < SOON and len(kept) + len(data) <= longest:
                kept += data
                self.room -= len(data)
                return
        self.entries.append((seconds, stream, bytearray(data)))
        self.room -= len(data) + ENTRY

    def drop(self) -> int:
        """Throw the first entry away; returns the bytes of its text."""
        *_, data = self.entries.popleft()
        self.room += len(data) + ENTRY
        return len(data)

    def lines(self) -> list[str]:
        """As they are written; a letter that was cut in two is left out."""
        return [entry(seconds, stream, data.decode(errors="ignore")) for seconds, stream, data in self.entries]


def entry(seconds: float, stream: str, text: str) -> str:
    """A line of a log."""
    return json.dumps({"seconds": seconds, "stream": stream, "text": text}, ensure_ascii=False) + "\n"
