"""SIGTERM stops a run as Ctrl-C does: what was found is kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within it SIGTERM raises KeyboardInterrupt."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
