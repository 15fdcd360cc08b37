"""Messages between processes: JSON documents, each behind its length in four bytes, over a pair of sockets.

Nothing that arrives is believed to be of good will or whole: a message has a largest length, and a reader never waits for the
rest of one.
"""

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

LARGEST = 64 * 2**20
"""Bytes of a message."""

_HEAD = struct.Struct("!I")


class Garbled(ValueError):
    """What arrived is no message."""


class Channel:
    """One end of a pair of sockets. `send` and `receive` never wait; `ask` does."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.socket.setblocking(False)
        self._arrived = bytearray()
        self._leaving = bytearray()

    def fileno(self) -> int:
        """Readable when something has arrived, or the other end is gone; -1 once it is closed."""
        return self.socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether something waits to be written; call `flush` when it can be."""
        return bool(self._leaving)

    def send(self, message: Mapping[str, Any]) -> None:
        """Hand `message` to the other end, or keep it until there is room. If the other end is gone, so is the message.

        Raises:
            Garbled: it is larger than a message may be.
        """
        self._leaving += frame(message)
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as there is room."""
        try:
            while self._leaving:
                del self._leaving[: self.socket.send(self._leaving)]
        except BlockingIOError:
            return
        except OSError:  # the other end is gone; the reader is told
            self._leaving.clear()

    def fill(self) -> bool:
        """Take in what has arrived; whether there was anything.

        Raises:
            EOFError: the other end is gone, and all that it sent is taken in.
        """
        taken = False
        while True:
            try:
                data = self.socket.recv(2**18)
            except BlockingIOError:
                return taken
            except OSError:
                data = b""
            if not data:
                if taken:
                    return True  # the end is met again
                raise EOFError
            self._arrived += data
            taken = True
            if len(self._arrived) > LARGEST + _HEAD.size:
                return True

    def receive(self) -> dict[str, Any] | None:
        """The next message that has been taken in whole; None where there is none.

        Raises:
            Garbled: it is none.
        """
        if len(self._arrived) < _HEAD.size:
            return None
        (length,) = _HEAD.unpack_from(self._arrived)
        if length > LARGEST:
            raise Garbled(f"a message of {length:,} bytes")
        end = _HEAD.size + length
        if len(self._arrived) < end:
            return None
        body = bytes(self._arrived[_HEAD.size : end])
        del self._arrived[:end]
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Garbled("a message that is no JSON") from error
        if not isinstance(message, dict):
            raise Garbled("a message that is no object")
        return message

    def close(self) -> None:
        """Let the other end know that there is nothing more."""
        self.socket.close()


def frame(message: Mapping[str, Any]) -> bytes:
    """`message` as it travels.

    Raises:
        Garbled: it is larger than a message may be.
        TypeError: something in it is no plain data.
    """
    body = json.dumps(message, separators=(",", ":"), default=_plain).encode()
    if len(body) > LARGEST:
        raise Garbled(f"a message of {len(body):,} bytes")
    return _HEAD.pack(len(body)) + body


def _plain(value: Any) -> Any:
    """A number of numpy or torch as Python's."""
    if callable(item := getattr(value, "item", None)):
        return item()
    raise TypeError(f"A Record holds numbers and text, got {type(value).__name__}.")


def send_and_wait(end: socket.socket, message: Mapping[str, Any]) -> None:
    """Hand `message` over, and wait until there is room for it.

    Raises:
        OSError: the other end is gone.
    """
    end.sendall(frame(message))


def wait_for_answer(end: socket.socket) -> dict[str, Any]:
    """The next message, whenever it comes; `end` is trusted to tell the truth.

    Raises:
        EOFError: the other end is gone.
    """
    (length,) = _HEAD.unpack(_exactly(end, _HEAD.size))
    answer: dict[str, Any] = json.loads(_exactly(end, length))
    return answer


def _exactly(end: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = end.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)
