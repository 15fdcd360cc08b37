"""Where a run's candidates are evaluated, by what its options say."""

from collections.abc import Callable
from pathlib import Path

from nas.errors import SearchError
from nas.execution import Bounds, Evaluate, Executor, Here, Listener, Processes
from nas.searching.places import Places

FEWEST_BYTES = 4 * 2**30
"""Of memory that a candidate may hold where nothing else is said and so much is free."""

FREE_SHARE = 0.9
"""Of the free memory, that candidates may hold where nothing else is said."""


def given(evaluate: Evaluate) -> Evaluate:
    """`evaluate`, as what makes it; a function of a module, so that it can travel."""
    return evaluate


def make_executor(places: Places, make: Callable[[], Evaluate], listener: Listener) -> Executor:
    """What runs candidates there.

    Raises:
        NasError: nothing can run there.
    """
    if not places.workers:
        return Here(make, listener)
    if places.on_cluster == "ray":
        from nas.execution.on_ray import OnRay

        bounds = Bounds(seconds=places.time_limit, memory_bytes=places.memory_limit)  # what is free there nobody knows here
        on_gpu = (places.device or "").startswith("cuda")
        return OnRay(
            make,
            listener,
            address=places.cluster_address,
            workers=places.workers,
            bounds=bounds,
            cpus=places.threads,
            gpus=1 / places.per_gpu if on_gpu else 0.0,
            threads=places.threads,
        )
    bounds = Bounds(seconds=places.time_limit, memory_bytes=places.memory_limit or usual_memory(places.workers))
    return Processes(
        make,
        listener,
        workers=places.workers,
        bounds=bounds,
        gpus=gpus_of(places),
        per_gpu=places.per_gpu,
        threads=places.threads,
    )


def gpus_of(places: Places) -> tuple[str, ...]:
    """The GPUs that workers share out among themselves, as CUDA names them; none where candidates run on something else.

    Raises:
        SearchError: the device is not there.
    """
    from nas.device import pick, visible_gpus

    picked, names = pick(places.device), visible_gpus()
    if places.gpus and (picked.type != "cuda" or not names):
        raise SearchError(f"Candidates run on {picked}, got gpus {','.join(places.gpus)}; leave them out, or give --device cuda.")
    if places.gpus or picked.type != "cuda":
        return places.gpus
    return (names[picked.index or 0],) if ":" in (places.device or "") else names


def usual_memory(workers: int) -> int | None:
    """Bytes that each of so many candidates may hold; None where the system does not tell what is free."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1_024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return None
    allowed = FREE_SHARE * free
    return round(max(allowed / workers, min(FEWEST_BYTES, allowed)))
