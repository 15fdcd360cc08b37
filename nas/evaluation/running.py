"""One evaluation, front to back: count → limits → build → latency and memory → limits → train → Record."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import torch
from torch import nn

from nas.benchmark import Budget
from nas.device import Precision, is_out_of_memory, place
from nas.errors import Interrupted, SearchError
from nas.evaluation.replicating import mean_figures, train_in_turn, train_together
from nas.evaluation.robustness import Asking
from nas.models import Cost, build, cost, example, network_id, plan
from nas.profiling.flops import check_macs
from nas.profiling.latency import measure_latency
from nas.profiling.layers import Counts, count_layers
from nas.profiling.memory import peak_memory_bytes
from nas.proxies import first_batch, score_network
from nas.records import Failure, Outcome, Record, Replicate, commit, versions
from nas.space import Architecture, broken_limits
from nas.training import (
    Checkpoints,
    Feed,
    Loop,
    OnStep,
    Protocol,
    Report,
    Setup,
    Split,
    Stage,
    Training,
    as_feed,
    digest_network,
    make_stepper,
    stages_of,
    suit,
    train,
    unserved,
    write_weights,
)

if TYPE_CHECKING:
    from nas.evaluation.candidate import Evaluator

Told = ParamSpec("Told")

LARGEST_KEPT = 2 * 2**30
"""Bytes of the largest network whose weights are written to a file."""

OnKnown = Callable[[Mapping[str, float]], bool]
"""Told the figures that are known before training; answers whether to leave the candidate untrained."""

OnReplicate = Callable[[int, Mapping[str, float]], bool]
"""Told what a replicate's training came to, and its number from 0; answers whether to leave the rest untrained."""

Stopping = Callable[[], bool]
"""Answers whether to stop soon, for a reason that is none of the candidate's doing."""


class Run:
    """One evaluation under way: gathers figures until it is known what came of it."""

    def __init__(
        self,
        evaluator: "Evaluator",
        architecture: Architecture,
        budget: Budget,
        seed: int,
        on_step: OnStep = lambda _: None,
        checkpoints: Checkpoints | None = None,
        stopping: Stopping = lambda: False,
    ) -> None:
        self.evaluator = evaluator
        self.architecture = architecture
        self.budget = budget
        self.seed = seed
        self.on_step = on_step
        self.checkpoints = checkpoints
        self.stopping = stopping
        self.model: nn.Module | None = None
        self.trained_by: list[Protocol] = []
        """Of each seed, where that is not `protocol`."""
        self.others: list[nn.Module] = []
        """The networks of the seeds after the first."""
        self.begin = time.perf_counter()
        self.figures: dict[str, float] = {}
        self.least: dict[str, float] = {}
        """Scores of −inf, which lie outside of limits but are no figures to keep."""
        self.gathered: dict[str, object] = {}
        self.notes: list[str] = []
        self.on_known: OnKnown = lambda _: False
        self.on_replicate: OnReplicate = lambda _, __: False
        self.listener_error: Exception | None = None
        """What `report` and others that are told raised, which is none of the candidate's doing."""

    def go(self, report: Report, *, final: bool) -> Outcome:
        """Evaluate it front to back; what came of it is then in `record`."""
        self.reckon()
        self.figures |= self.protocol.costs()
        if self.broken():
            return "infeasible"
        counts = self.count()
        if self.broken():
            return "infeasible"
        model = self.model = self.build()
        _, self.gathered["uncounted"], doubts = check_macs(model, self.evaluator.benchmark.signature.input, counts)
        self.notes += doubts
        if self.is_unserved(model):
            return "failed"
        place(model, self.evaluator.device)
        self.score(model)
        if self.broken():
            return "infeasible"
        self.heed()
        self.measure(model)
        if self.broken():
            return "infeasible"
        if self.on_known(dict(self.figures)):
            self.notes.append("It was not trained: by what is known before, it could not reach the Pareto front.")
            return "pruned"
        self.heed()
        outcome = self.learn(model, report)
        if idle := self.protocol.setup.idle:
            name = self.evaluator.benchmark.protocol
            self.notes.append(f"{' and '.join(idle)}: not read by the protocol {name!r}, so that nothing hangs on it.")
        if outcome == "complete":
            self.ask("validation", self.evaluator.validation)
        if outcome == "complete" and final:
            test = self.evaluator.feed("test")
            figures = mean_figures(
                [by.measure(one, test, "test") for by, one in zip(self.measured_by(), (model, *self.others), strict=True)]
            )
            if not all(map(math.isfinite, figures.values())):
                return self.fail("diverged", "a test figure is not finite.")
            self.figures |= figures
            self.ask("test", test)
            self.gathered["pictures"] = tuple(self.protocol.pictures())
        return "infeasible" if outcome == "complete" and self.broken() else outcome

    def ask(self, split: Split, examples: Feed) -> None:
        """The figures that are asked for beside the benchmark's; of several networks the means."""
        evaluator = self.evaluator
        if evaluator.measures:
            asked = []
            for one in (self.model, *self.others):
                self.heed()
                asked.append(Asking(one, evaluator.task, examples, split, evaluator.precision).figures(evaluator.measures))  # type: ignore[arg-type]  # it is built
            self.figures |= mean_figures(asked)

    def is_unserved(self, model: nn.Module) -> bool:
        """Whether it is to be trained in private and cannot be, which is then its failure.

        Raises:
            SearchError: nothing is trained in private so.
        """
        evaluator = self.evaluator
        if not evaluator.benchmark.recipe.private:
            return False
        if evaluator.compiler.policy != "never":
            raise SearchError(f"Private training is not compiled, got compile {evaluator.compiler.policy!r}; leave it out.")
        reason = unserved(model)
        if reason:
            self.fail("unsupported", reason)
        return bool(reason)

    def heed(self) -> None:
        """Stop here where that is asked for.

        Raises:
            Interrupted: it is.
        """
        if self.stopping():
            raise Interrupted

    @cached_property
    def protocol(self) -> Protocol:
        """How it is trained."""
        return self.make_protocol()

    def make_protocol(self) -> Protocol:
        """How it is trained, with nothing known yet."""
        evaluator = self.evaluator
        setup = Setup(
            benchmark=evaluator.benchmark,
            task=evaluator.task,
            parts=plan(evaluator.space, self.architecture, evaluator.benchmark.signature),
            feed=evaluator.lend,
            budget=self.budget,
            seed=self.seed,
            precision=evaluator.precision,
            objective=evaluator.objective,
            data=evaluator.data,
            store=evaluator.store if evaluator.ranks.leads else None,
            processes=evaluator.ranks.size,
        )
        return evaluator.protocol(setup)

    def reckon(self) -> None:
        """Figures by the layers' formulas, so that a candidate outside the limits costs next to nothing."""
        of = (self.evaluator.space, self.architecture, self.evaluator.benchmark.signature)
        self.figures |= counted_figures(cost(*of))
        self.gathered["network_id"] = network_id(*of)

    def count(self) -> Counts:
        """Figures of a pass on the meta device, by torch's formulas, which go before the layers'."""
        signature, recipe = self.evaluator.benchmark.signature, self.evaluator.benchmark.recipe
        counts = count_layers(lambda: suit(build(self.evaluator.space, self.architecture, signature), recipe), signature.input)
        counted = {
            **counted_figures(counts),
            "size_bytes": counts.size_bytes + self.protocol.equipment_bytes,
            "activation_bytes": counts.activation_bytes,
        }
        for name in ("params", "macs"):
            if self.figures[name] != counted[name]:
                self.notes.append(f"The layers' formulas give {self.figures[name]:,} {name}; the figure is torch's.")
        self.figures |= counted
        self.gathered["uncounted"] = counts.uncounted
        return counts

    def build(self, number: int = 0) -> nn.Module:
        """Its network with the weights that it begins with, from the seed that is `number` on."""
        evaluator = self.evaluator
        model = build(evaluator.space, self.architecture, evaluator.benchmark.signature, seed=self.seed + number)
        self.protocol.equip(model)
        return suit(model, evaluator.benchmark.recipe)

    def score(self, model: nn.Module) -> None:
        """The zero-cost scores that are asked for, of the network as it begins; it stays as it is."""
        evaluator = self.evaluator
        if not evaluator.proxies:
            return
        batch = replace(first_batch(evaluator.task, evaluator.device), seed=self.seed)
        for name, value in score_network(model, evaluator.proxies, batch).items():
            if value is None:
                self.notes.append(f"{name} is not defined for this network.")
            elif math.isfinite(value):
                self.figures[name] = value
            else:
                self.least[name] = value
                self.notes.append(f"{name} is −inf, the least there is, and stands nowhere as a figure.")

    def measure(self, model: nn.Module) -> None:
        """Latency of one example, and the memory of a training step of a twin, so that `model` stays as it is."""
        evaluator = self.evaluator
        latency = measure_latency(model, example(evaluator.benchmark.signature.input, evaluator.device))
        self.gathered["latency"] = latency
        self.figures["latency_ms"] = latency.median_ms
        self.heed()
        self.figures["peak_memory_bytes"] = peak_memory_bytes(self.make_step, evaluator.device)

    def at_start(self) -> nn.Module:
        """What is trained, as it is before its first step."""
        return place(self.build(), self.evaluator.device)

    def make_step(self) -> tuple[nn.Module, "Step"]:
        """A twin of its network on the device, and one step of the last stage of its training."""
        model = self.at_start()
        *_, last = stages_of(self.make_protocol(), model)
        return last.trained, Step(last, self.evaluator.precision)

    def listening(self, told: Callable[Told, bool]) -> Callable[Told, bool]:
        """`told`, where what it raises is known to be none of the candidate's doing."""

        def listened(*args: Told.args, **named: Told.kwargs) -> bool:
            try:
                return told(*args, **named)
            except Exception as error:
                self.listener_error = error
                raise

        return listened

    def learn(self, model: nn.Module, report: Report) -> Outcome:
        """Train, once or from several seeds."""
        if self.evaluator.replicates == 1:
            return self.train(model, report)
        return train_together(self, model, report) if self.evaluator.protocol.stackable else train_in_turn(self, model, report)

    def learn_as_wanted(self, model: nn.Module) -> None:
        """This process's part of what rank 0 wants, which of several seeds that train one after another is one at a time."""
        together = self.evaluator.replicates > 1 and self.evaluator.protocol.stackable
        train_together(self, model, lambda _: False) if together else self.train(model, lambda _: False)

    def train(self, model: nn.Module, report: Report) -> Outcome:
        """Train stage by stage; the last is the one that is told of, and the one that a pruner may end."""
        with self.evaluator.ranks.working(self.wanted()):
            return self.train_stages(model, report)

    def train_stages(self, model: nn.Module, report: Report) -> Outcome:
        """All of them; of several processes each does."""
        seconds = 0.0
        ended: Outcome = "complete"
        for stage in stages_of(self.protocol, model):
            with self.needed(stage) as needed:
                if not needed:
                    continue
                training = self.train_stage(stage, report if not stage.name else lambda _: False)
                seconds += training.seconds
                told = f"{stage.name}: " if stage.name else ""
                self.notes += [told + note for note in training.notes]
                self.figures["train_seconds"] = seconds
                if not stage.name:
                    self.gathered["loading"] = self.evaluator.training.kind
                    self.gathered["curve"] = tuple(training.curve)
                if training.ended == "diverged":
                    return self.fail("diverged", told + training.problem)
                ended = training.ended
                stage.ended(training.figures, training.seconds)
        self.figures |= {**self.protocol.figures, **training.figures, **training.spent}
        self.notes += self.protocol.notes
        self.gathered["weights_sha256"] = digest_network(model)
        return ended

    @contextmanager
    def needed(self, stage: Stage) -> Iterator[bool]:
        """Whether there is anything to train: of several processes the first finds out, and holds what it must hold for it.

        Where there is nothing, the others have the weights from the first as soon as the next stage is trained.
        """
        ranks = self.evaluator.ranks
        with stage.needed() if ranks.leads else nullcontext(False) as needed:
            yield ranks.agreed(needed)

    def train_stage(self, stage: Stage, report: Report) -> Training:
        """Train one stage, from where a checkpoint of it stands."""
        watching: list[Callable[[Loop], None]] = []
        loops: list[Loop] = []
        checkpoints = self.checkpoints.within(stage.name) if self.checkpoints and stage.name else self.checkpoints

        def begin(loop: Loop) -> None:
            if checkpoints is not None:
                checkpoints.begin(loop)
                self.begin -= checkpoints.seconds_before
            watching.append(evaluator.compiler.follow(loop))
            loops.append(loop)

        def on_step(loop: Loop) -> None:
            for watch in watching:
                watch(loop)
            self.on_step(loop)
            stopping = self.stopping()
            written = checkpoints is not None and checkpoints.due(loop, now=stopping)
            if checkpoints is not None and written:
                checkpoints.write(loop)
            if stopping and (checkpoints is None or written):
                raise Interrupted

        evaluator = self.evaluator
        training = train(
            stage.trained,
            stage.method,
            stage.training,
            stage.validation,
            budget=stage.budget,
            seed=self.seed,
            report=report,
            objective=stage.objective,
            forward_flops=stage.forward_flops or self.figures["flops"],
            precision=evaluator.precision,
            ranks=evaluator.ranks,
            begin=begin,
            on_step=on_step,
        )
        if checkpoints is not None and stage.name and training.ended == "complete":
            checkpoints.write(loops[-1])  # so that what goes on later does not train it again
        return training

    def sibling(self, number: int) -> "Run":
        """The same from the seed that is `number` on, with nothing begun."""
        return Run(self.evaluator, self.architecture, self.budget, self.seed + number, stopping=self.stopping)

    def measured_by(self) -> list[Protocol]:
        """What measures each trained network."""
        return self.trained_by or [self.protocol] * (1 + len(self.others))

    def as_replicate(self) -> Replicate:
        """What came of this one, which is one of several."""
        curve = self.gathered.get("curve", ())
        figures = {name: value for name, value in self.figures.items() if name.startswith("validation_")}
        return Replicate(seed=self.seed, figures=figures, curve=curve, weights_sha256=self.gathered.get("weights_sha256"))  # type: ignore[arg-type]

    def write(self, model: nn.Module, path: Path) -> None:
        """Write the weights of `model` to `path`, whose folder is there where it is shared with whoever asked."""
        reason = f"they take more than {LARGEST_KEPT:,} bytes" if self.figures["size_bytes"] > LARGEST_KEPT else ""
        if not path.parent.is_dir():
            reason = "their folder is not on the machine that trained"
        try:
            if not reason:
                self.put(model, path)
        except Exception as error:  # a full disk; a state that no file can hold: it is another team's network
            reason = getattr(error, "strerror", None) or str(error)
        if reason:
            self.notes.append(f"The weights are not kept: {reason}.")

    def put(self, model: nn.Module, path: Path) -> None:
        """Write them, as they are."""
        write_weights(model, path)

    def wanted(self) -> dict[str, Any]:
        """What other processes need to know to train with this one; see `Evaluator.follow`."""
        given = {"choices": dict(self.architecture.choices), "budget": asdict(self.budget), "seed": self.seed}
        written = self.checkpoints.every_seconds if self.checkpoints is not None else None
        return {**given, "figures": self.figures, "checkpoint": written}

    def broken(self) -> Sequence[str]:
        """The limits that the figures known so far lie outside of."""
        broken = broken_limits({**self.figures, **self.least}, self.evaluator.limits)
        self.gathered["broken_limits"] = broken
        return broken

    def fail(self, kind: str, message: str) -> Outcome:
        """Note why it failed, without the name of a home directory."""
        home = str(Path.home())  # records are shared, and a path names a person
        private = message.replace(home, "~") if len(home) > 1 else message
        self.gathered["error"] = Failure(kind=kind, message=" ".join(private.split())[:300])
        return "failed"

    def fail_by(self, error: BaseException) -> Outcome:
        """Note what was raised as its failure."""
        if is_out_of_memory(error):
            return self.fail("out_of_memory", f"on {self.evaluator.device}: {error}")
        return self.fail("raised", f"{type(error).__name__}: {error}")

    def record(self, outcome: Outcome) -> Record:
        """All that is known of it by now."""
        return Record(
            outcome=outcome,
            figures=self.figures,
            notes=tuple(self.notes),
            seed=self.seed,
            budget=self.budget,
            seconds=time.perf_counter() - self.begin,
            **vars(self.evaluator.setting),
            versions=versions(),
            commit=commit(),
            data_sha256=self.evaluator.data_sha256,
            **self.gathered,  # type: ignore[arg-type]
        )


def counted_figures(cost: Cost | Counts) -> dict[str, float]:
    """What formulas and counters both tell, by the names of figures."""
    return {"params": cost.params, "macs": cost.macs, "flops": cost.flops}


class Step:
    """One training step on a batch as the recipe makes it."""

    def __init__(self, stage: Stage, precision: Precision) -> None:
        self.feed = as_feed(stage.training, next(stage.trained.parameters()).device)
        self.step = make_stepper(stage.trained, stage.method, precision)
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self) -> None:
        """Take it."""
        method = self.step.method
        picked = torch.arange(min(method.recipe.batch_size, len(self.feed)))
        self.step(*method.prepare(*next(self.feed.batches([picked])), self.generator))
