"""Where candidates run, how many at once, and what each may take: options that searches and finals share."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nas.errors import SearchError, quote
from nas.searching.driving import ATTEMPTS
from nas.searching.together import several


def _gpus(gpus: Any) -> Any:
    if isinstance(gpus, str | int) and not isinstance(gpus, bool):
        gpus = [part.strip() for part in str(gpus).split(",")]
    if not isinstance(gpus, list | tuple) or not all(re.fullmatch(r"[A-Za-z0-9-]+", str(gpu)) for gpu in gpus):
        raise ValueError("must be numbers of GPUs, such as '0,1'")
    return tuple(dict.fromkeys(map(str, gpus)))


_UNITS = {"": 1, **{f"{letter}B": 1_000**n for n, letter in enumerate("KMGT", 1)}}
_UNITS |= {f"{letter}iB": 1_024**n for n, letter in enumerate("KMGT", 1)}


def _bytes(amount: Any) -> Any:
    """Bytes, from a number or a text such as "4 GiB"."""
    if not isinstance(amount, str):
        return amount
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?B|)\s*", amount)
    if match is None:
        raise ValueError("must be bytes, as in 4000000000 or '4 GiB'")
    return round(float(match[1]) * _UNITS[match[2]])


FEWEST_BYTES = 2**28
"""Of a limit of memory: a process holds some hundred MiB before it trains anything."""


class Places(BaseModel):
    """Where candidates run."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, use_attribute_docstrings=True)

    workers: Annotated[int, Field(ge=0, le=4_096)] = 0
    """Candidates that run at once, each in a process of its own that may crash, hang, or be killed without harm to the search; 0
    for one after another in this process."""
    gpus: Annotated[tuple[str, ...], BeforeValidator(_gpus)] = ()
    """The GPUs that workers share out among themselves, as CUDA numbers them, such as "0,1"; all that there are if not given."""
    per_gpu: Annotated[int, Field(ge=1, le=64)] = 1
    """Workers on each GPU."""
    device: str | None = None
    """cpu, cuda, cuda:N or mps; chosen by itself if not given, and on a cluster cpu."""
    threads: Annotated[int, Field(ge=1, le=1_024)] = 1
    """Threads of one evaluation on the CPU."""
    time_limit: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Seconds after which a candidate is killed, whatever it does; needs workers."""
    memory_limit: Annotated[int, BeforeValidator(_bytes), Field(ge=FEWEST_BYTES)] | None = None
    """Memory of the host that a candidate may hold before it is killed, in bytes or as in "4 GiB"; needs workers. Without it a
    share of what is free, and no less than 4 GiB where that is free."""
    attempts: Annotated[int, Field(ge=1, le=100)] = ATTEMPTS
    """How often a candidate is begun whose worker dies, before it is set aside as poisoned."""
    on_cluster: Literal["ray"] | None = None
    """ray for workers on a Ray cluster."""
    cluster_address: str | None = None
    """The cluster to join; without one a cluster of this machine is started."""

    @property
    def slots(self) -> int:
        """Candidates that run at once."""
        return max(1, self.workers)

    @property
    def candidates_device(self) -> str | None:
        """`device` as candidates know it: a worker sees one GPU alone, which is its first."""
        return "cuda" if self.workers and (self.device or "").startswith("cuda:") else self.device

    def check_places(self) -> None:
        """Refuse options that do not go together.

        Raises:
            SearchError: names them.
        """
        if not self.workers:
            for option in ("gpus", "time_limit", "memory_limit", "on_cluster"):
                if given := getattr(self, option):
                    raise SearchError(
                        f"A candidate in this process cannot be sent elsewhere or killed, got {option} {quote(given)} and no "
                        "workers; give workers of at least 1."
                    )
        if self.cluster_address is not None and self.on_cluster is None:
            raise SearchError(f"The address {quote(self.cluster_address)} is of no cluster; name one with on_cluster.")
        if self.workers and several():
            raise SearchError(
                f"Processes that torchrun starts train one candidate together, got workers {self.workers}; leave one of them out."
            )


PLACES = tuple(name for name in Places.model_fields if name not in {"device", "threads"})
"""The options of Places that are about nothing else."""
