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


class Log:
    """Keeps the first quarter of `most` bytes, and the last three."""

    def __init__(self, most: int = 64 * 1024) -> None:
        self.begun = time.monotonic()
        self._room = most // 4
        """Left at the head."""
        self._most_tail = most - self._room
        self._head: list[tuple[float, str, str]] = []
        self._tail: deque[tuple[float, str, str, int]] = deque()
        self._tail_bytes = 0
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
        size = len(text.encode()) + ENTRY
        if self._room and not self._tail:
            if size <= self._room:
                self._head.append((seconds, stream, text))
                self._room -= size
                return
            fits = max(0, self._room - ENTRY)
            self._room = 0
            if fits:
                self._head.append((seconds, stream, text[:fits]))
                text = text[fits:]
                size = len(text.encode()) + ENTRY
        if size > self._most_tail:
            kept = text[-(self._most_tail - ENTRY) // 4 :] if len(text) * 4 > self._most_tail else text
            self._dropped += size - len(kept.encode()) - ENTRY
            text, size = kept, len(kept.encode()) + ENTRY
        self._tail.append((seconds, stream, text, size))
        self._tail_bytes += size
        while self._tail_bytes > self._most_tail:
            *_, old, gone = self._tail.popleft()
            self._tail_bytes -= gone
            self._dropped += len(old.encode())

    def text(self) -> str:
        """The log so far."""
        entries = list(self._head)
        if self._dropped:
            seconds = self._tail[0][0] if self._tail else 0.0
            entries.append((seconds, "event", f"{self._dropped:,} bytes of output are left out here."))
        entries += [(seconds, stream, text) for seconds, stream, text, _ in self._tail]
        return "".join(entry(*one) for one in entries)


def entry(seconds: float, stream: str, text: str) -> str:
    """A line of a log."""
    return json.dumps({"seconds": seconds, "stream": stream, "text": text}, ensure_ascii=False) + "\n"
