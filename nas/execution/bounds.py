"""What a candidate may use before it is ended."""

import math
from dataclasses import dataclass

from nas.errors import SearchError, quote

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits that hold for each candidate, with all the processes that it starts."""

    seconds: float | None = None
    """Wall-clock time from its start; None for no limit."""
    memory_bytes: int | None = None
    """Of the host, resident; what it shares with other processes counts by its share. None for no limit."""
    file_bytes: int = 4 * GIB
    """Of the files in its working directory, which are deleted when it ends."""
    log_bytes: int = 64 * 1024
    """Of its output that is kept: the first quarter and the last three."""

    def __post_init__(self) -> None:
        """Refuse what is no limit.

        Raises:
            SearchError: names one.
        """
        for name in ("seconds", "memory_bytes", "file_bytes", "log_bytes"):
            value = getattr(self, name)
            if value is None and name in {"seconds", "memory_bytes"}:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise SearchError(f"A candidate's limit of {name.replace('_', ' in ')} is above 0, got {quote(value)}.")
