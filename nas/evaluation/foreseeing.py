"""What is known of a candidate by formulas alone, before anything is built or loaded."""

import time
from collections.abc import Sequence

from nas.benchmark import Budget, Signature
from nas.device import Precision, accelerator, pick
from nas.models import cost
from nas.records import Record, Setting, commit, this_machine, versions
from nas.space import Architecture, Limit, Space, broken_limits
from nas.training import Compile


def setting_of(
    *,
    device: str | None = None,
    threads: int = 1,
    precision: Precision = "float32",
    compile: Compile = "never",  # noqa: A002 - the option's name
    processes: int = 1,
) -> Setting:
    """Where and how an `Evaluator` of these options measures.

    Raises:
        SearchError: the device is not there.
    """
    picked = pick(device)
    machine = this_machine(accelerator(picked))
    return Setting(
        machine=machine, device=str(picked), threads=threads, precision=precision, compile=compile, processes=processes
    )


def reckoned_figures(space: Space, architecture: Architecture, signature: Signature) -> dict[str, float]:
    """Parameters, multiply-adds and FLOPs by the layers' formulas.

    Raises:
        ModelError: the layers do not fit.
    """
    found = cost(space, architecture, signature)
    return {"params": found.params, "macs": found.macs, "flops": found.flops}


def infeasible_record(
    architecture: Architecture,
    *,
    space: Space,
    signature: Signature,
    limits: Sequence[Limit],
    setting: Setting,
    budget: Budget,
    seed: int,
) -> Record | None:
    """The Record of a candidate that formulas tell to be outside `limits`, as evaluating it would give; else None.

    Raises:
        ModelError: the layers do not fit.
    """
    begin = time.perf_counter()
    figures = reckoned_figures(space, architecture, signature)
    broken = broken_limits(figures, limits)
    if not broken:
        return None
    return Record(
        outcome="infeasible",
        figures=figures,
        broken_limits=broken,
        seed=seed,
        budget=budget,
        seconds=time.perf_counter() - begin,
        **vars(setting),
        versions=versions(),
        commit=commit(),
    )
