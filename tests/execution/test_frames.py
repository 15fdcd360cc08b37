"""Messages between processes: whole, in order, of bounded length, and never waited for."""

import json
import socket
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from nas.execution import frames
from nas.execution.frames import Channel, Garbled, frame, send_and_wait, wait_for_answer

Pair = tuple[Channel, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    with theirs:
        yield channel, theirs
    channel.close()


def test_messages_arrive_whole_and_in_order(pair: Pair) -> None:
    channel, other = pair
    for number in range(3):
        send_and_wait(other, {"number": number})
    assert channel.fill()
    assert [channel.receive() for _ in range(4)] == [{"number": 0}, {"number": 1}, {"number": 2}, None]
    assert not channel.fill()


def test_a_message_in_pieces_is_not_waited_for(pair: Pair) -> None:
    channel, other = pair
    data = frame({"text": "x" * 100})
    for position in range(len(data)):
        assert channel.receive() is None
        other.send(data[position : position + 1])
        channel.fill()
    assert channel.receive() == {"text": "x" * 100}


def test_what_finds_no_room_leaves_later(pair: Pair) -> None:
    channel, other = pair
    for number in range(40):
        channel.send({"number": number, "text": "x" * 20_000})
    assert channel.pending
    found = []
    while len(found) < 40:
        channel.flush()
        found.append(wait_for_answer(other)["number"])
        channel.flush()
    assert found == list(range(40))
    assert not channel.pending


def test_what_was_sent_before_the_end_is_heard_and_then_the_end(pair: Pair) -> None:
    channel, other = pair
    send_and_wait(other, {"last": True})
    other.close()
    assert channel.fill()
    assert channel.receive() == {"last": True}
    with pytest.raises(EOFError):
        channel.fill()
    channel.send({"lost": True})  # nobody is there, and nothing happens
    assert not channel.pending


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack("!I", frames.LARGEST + 1), "a message of 67,108,865 bytes"),
        (struct.pack("!I", 2) + b"{]", "no JSON"),
        (struct.pack("!I", 2) + b"\xff\xff", "no JSON"),
        (struct.pack("!I", 2) + b"[]", "no object"),
        (struct.pack("!I", 200_000) + b"[" * 200_000, "no JSON"),
    ],
)
def test_what_is_no_message_is_refused(pair: Pair, data: bytes, message: str) -> None:
    channel, other = pair
    other.setblocking(False)

    def arrive() -> None:
        left = data
        while left:
            left = left[other.send(left) :]
            channel.fill()
            channel.receive()

    with pytest.raises(Garbled, match=message):
        arrive()


def test_a_message_holds_numbers_and_text_and_is_not_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(frame({"figure": np.float32(0.5)})[4:]) == {"figure": 0.5}
    with pytest.raises(TypeError, match="A Record holds numbers and text, got object"):
        frame({"figure": object()})
    monkeypatch.setattr(frames, "LARGEST", 10)
    with pytest.raises(Garbled, match="a message of 15 bytes"):
        frame({"text": "xxxx"})
