"""A wait that another thread, or a signal's handler, may end."""

import os
from selectors import EVENT_READ, DefaultSelector


class Alarm:
    """Rings once and for all; whoever waits for its `fileno` is woken. No lock is in it, so that signal handlers may ring."""

    def __init__(self) -> None:
        self.rung = False
        self._hearing, self._ringing = os.pipe()

    def fileno(self) -> int:
        """Readable once it has rung."""
        return self._hearing

    def ring(self) -> None:
        """Wake whoever waits, now and from now on."""
        if not self.rung:
            self.rung = True
            os.write(self._ringing, b"!")

    def wait(self, seconds: float) -> None:
        """Until it rings, for at most so many seconds; returns at once where it has rung."""
        with DefaultSelector() as selector:
            selector.register(self, EVENT_READ)
            selector.select(seconds)

    def close(self) -> None:
        """Give its files back."""
        if self._hearing >= 0:
            os.close(self._hearing)
            os.close(self._ringing)
            self._hearing = self._ringing = -1
            self.rung = True
