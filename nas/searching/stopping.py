"""Ctrl-C, SIGTERM, a terminal that closes: the first asks a run to end in good order within seconds, the second ends it now."""

import _thread
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

GRACE_SECONDS = 5.0
"""How long candidates may take to write a checkpoint before the run ends without it."""


HEARD = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class Stopping:
    """Within it the first of these is told to `on_ask`; KeyboardInterrupt comes with the second, or after GRACE_SECONDS.

    Whoever asks otherwise calls `ask`, from any thread. Python hears signals in its main thread alone: in another this listens
    to none.
    """

    def __init__(self, on_ask: Callable[[], None]) -> None:
        """`on_ask` is called once, possibly from a signal handler or another thread, and returns at once."""
        self.asked = False
        self.on_ask = on_ask
        self.grace: threading.Timer | None = None
        self.before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in HEARD:
                if signal.getsignal(number) is signal.SIG_IGN:
                    continue  # as nohup wants it
                self.before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.grace is not None:
            self.grace.cancel()
            self.grace.join()  # else it could interrupt whatever comes after
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def ask(self) -> None:
        """Ask the run to end, as the first Ctrl-C does."""
        if self.asked:
            return
        self.asked = True
        self.grace = threading.Timer(GRACE_SECONDS, _thread.interrupt_main)
        self.grace.daemon = True
        self.grace.start()
        self.on_ask()

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        if self.asked:
            raise KeyboardInterrupt
        self.ask()
