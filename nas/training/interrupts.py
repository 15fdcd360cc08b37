"""Ctrl-C and SIGTERM, kept until it is convenient: several processes can only stop together."""

import signal
import threading
from types import FrameType, TracebackType


class Interrupts:
    """Within it neither signal raises; `came` tells whether one was sent."""

    def __init__(self) -> None:
        self.came = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():  # no other receives signals, or may set what they do
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what `signal` gave
        self._before.clear()
