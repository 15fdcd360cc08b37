"""What evaluates a candidate, and what names the work, so that none is done twice."""

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.benchmark import Benchmark, Budget
from nas.errors import SearchError
from nas.execution import Evaluate
from nas.records import Setting, Stage, this_machine
from nas.space import Architecture, Limit, Space, digest

if TYPE_CHECKING:
    from nas.evaluation import Evaluator
    from nas.training import Ranks


def make_evaluator(
    space: Space, benchmark: Benchmark, limits: Sequence[Limit], *, data: Path | None, **means: Any
) -> "Evaluator":
    """The evaluator that trains, by `means` such as device and threads.

    It loads torch and the data and warms the process, so that the first candidate is no slower than the tenth. That takes
    seconds; so it is made when first needed.

    Raises:
        NasError: the space uses a layer wrongly, or the data or the device are missing.
    """
    from nas.evaluation import Evaluator
    from nas.models import check_layers

    check_layers(space)
    evaluator = Evaluator(space, benchmark, limits=limits, data=data, **means)
    if evaluator.device.type == "cpu":  # elsewhere it does so itself, in the process that evaluates
        evaluator.settle()
    return evaluator


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all evaluations of a run have in common, as plain data that can travel to other processes: called, it is made.

    It has what names their work (see `EvaluationKey`) before anything is loaded.
    """

    space: Space
    benchmark: Benchmark
    limits: tuple[Limit, ...] = ()
    data: Path | None = None
    means: Mapping[str, Any] = field(default_factory=dict)
    """Device, threads, and so on, as `nas.evaluation.Evaluator` takes them."""
    replicates: int = 1
    together: str = "never"
    proxies: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    """What trained networks are asked beside; see `nas.measures`."""
    processes: int = 1
    """That train one candidate together."""
    elsewhere: bool = False
    """Whether candidates run on machines of a cluster, whose devices this one need not have."""
    store: Path | None = None
    """A folder for what candidates share, such as pre-trained trunks; without it none shares."""

    trains = True

    def __call__(self, ranks: "Ranks | None" = None) -> "Evaluator":
        """What evaluates; see `make_evaluator`."""
        given = {"replicates": self.replicates, "together": self.together, "proxies": self.proxies}
        given |= {"measures": self.measures, "ranks": ranks, "store": self.store}
        means = {**self.means, "device": self.means.get("device") or "cpu"} if self.elsewhere else self.means
        return make_evaluator(self.space, self.benchmark, self.limits, data=self.data, **given, **means)

    @cached_property
    def setting(self) -> Setting:
        """Where and how figures are measured; of machines elsewhere, as they are asked to.

        Raises:
            SearchError: the device is not there.
        """
        how = {name: self.means[name] for name in SETTING if name in self.means}
        if self.elsewhere:
            device = how.pop("device", None) or "cpu"
            threads = how.pop("threads", 1)
            return Setting(machine=this_machine(), device="cuda:0" if device == "cuda" else device, threads=threads, **how)
        from nas.evaluation import setting_of

        return setting_of(processes=self.processes, **how)

    @property
    def key(self) -> str:
        """What names the work beside architecture, benchmark, budget and seed."""
        return str(self.setting)


SETTING = ("device", "threads", "precision", "compile")
"""The means that figures of time and memory depend on."""

NEEDS: Mapping[str, str] = {"pareto": "on_known", "wilcoxon": "on_replicate"}
"""Pruner → what it must be told by beside epochs."""


def check_pruning(evaluate: Evaluate, pruner: str) -> None:
    """Refuse a pruner that `evaluate` would tell nothing.

    Raises:
        SearchError: names what it must take.
    """
    if pruner not in NEEDS:
        return
    takes = inspect.signature(evaluate).parameters.values()
    if not any(one.name == NEEDS[pruner] or one.kind is one.VAR_KEYWORD for one in takes):
        raise SearchError(
            f"The pruner {pruner!r} needs an evaluation that takes {NEEDS[pruner]!r}, got one that does not; leave it out."
        )


def check_proxies(evaluate: Evaluate, proxies: Iterable[str]) -> None:
    """Refuse zero-cost scores that `evaluate` would not make.

    Raises:
        SearchError: names one.
    """
    made = getattr(evaluate, "proxies", ())
    for name in proxies:
        if name not in made:
            raise SearchError(f"A function of one's own evaluates and has no {name!r} among its `proxies`; leave proxies out.")


def check_measures(evaluate: Evaluate, measures: Iterable[str]) -> None:
    """Refuse measures of robustness that `evaluate` would not take.

    Raises:
        SearchError: names one.
    """
    made = getattr(evaluate, "measures", ())
    for name in measures:
        if name not in made:
            raise SearchError(f"A function of one's own evaluates and has no {name!r} among its `measures`; leave measures out.")


QUESTION = {"name", "version", "signature", "recipe", "protocol", "protocol_options", "folder"}
"""What of a benchmark decides what comes of a training."""


class EvaluationKey:
    """Names the work of one evaluation: equal keys mean that the same would come out, and that one Record serves both.

    In it are the space's declaration, the architecture, the benchmark with its recipe, the budget, the seed, the stage, how
    many replicates there are, which zero-cost scores and measures of robustness are asked for, and the evaluator's own `key`: for
    `nas.evaluation.Evaluator` its `Setting`, since figures of time and memory are part of a Record. What an evaluator without a
    `key` finds is never taken for the work of another study,
    since nothing tells two functions apart.
    """

    def __init__(self, space: Space, benchmark: Benchmark, stage: Stage, evaluate: Evaluate | Plan, study: str) -> None:
        """Gather what all evaluations of one run have in common."""
        own = getattr(evaluate, "key", None)
        named = ["key", own] if isinstance(own, str) else ["study", study]
        question = {key: value for key, value in benchmark.to_data().items() if key in QUESTION}
        several, together = getattr(evaluate, "replicates", 1), getattr(evaluate, "together", "never")
        how = [["replicates", several, *([together] if together != "never" else [])]] if several > 1 else []
        scores = sorted(getattr(evaluate, "proxies", ()))
        asked = [["proxies", *scores]] if scores else []
        measures = sorted(getattr(evaluate, "measures", ()))
        asked += [["measures", *measures]] if measures else []
        self.common = [digest(space), question, stage, named, *how, *asked]

    def __call__(self, architecture: Architecture, budget: Budget, seed: int, descent: Sequence[Any] = ()) -> str:
        """Sixteen hexadecimal digits; `descent` is that of a trial that is made of another."""
        text = json.dumps(
            [*self.common, architecture.id, asdict(budget), seed, *([descent] if descent else [])], separators=(",", ":")
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]
