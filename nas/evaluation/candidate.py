"""One candidate, front to back: count → limits → build → latency and memory → limits → train → Record."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ParamSpec

import torch
from torch import nn

from nas.benchmark import Benchmark, Budget
from nas.device import Precision, accelerator, is_out_of_memory, pick, place, release
from nas.errors import Interrupted, ModelError, NasError, SearchError
from nas.evaluation.descending import begun, by_method, keep, lineage_of, stored_bytes, told
from nas.evaluation.replicating import mean_curve, mean_figures
from nas.evaluation.robustness import Asking, check_task
from nas.measures import is_attack
from nas.models import Cost, build, cost, example, network_id, plan
from nas.profiling.flops import check_macs
from nas.profiling.latency import measure_latency
from nas.profiling.layers import Counts, count_layers
from nas.profiling.memory import peak_memory_bytes
from nas.profiling.warmth import warm_process
from nas.proxies import first_batch, score_network
from nas.records import Descent, Epoch, Failure, Outcome, Record, Replicate, Setting, commit, this_machine, versions
from nas.space import Architecture, Limit, Space, broken_limits
from nas.training import (
    Checkpoints,
    Compile,
    Compiler,
    Feed,
    Lineage,
    Loading,
    Loop,
    OnStep,
    Protocol,
    Ranks,
    Report,
    Setup,
    Split,
    Stage,
    Together,
    Training,
    Unsupported,
    as_feed,
    become,
    cut_of,
    derivation_of,
    digest_sources,
    digest_tensors,
    feed,
    group,
    is_grouped,
    load_task,
    make_stepper,
    protocol_of,
    stages_of,
    suit,
    train,
    train_replicates,
    unserved,
    write_weights,
)

Told = ParamSpec("Told")

TRAINED_WITH: tuple[Split, ...] = ("train", "validation")

LARGEST_KEPT = 2 * 2**30
"""Bytes of the largest network whose weights are written to a file."""

Keep = Callable[[nn.Module], None]
"""Handed a trained network."""

OnKnown = Callable[[Mapping[str, float]], bool]
"""Told the figures that are known before training; answers whether to leave the candidate untrained."""

OnReplicate = Callable[[int, Mapping[str, float]], bool]
"""Told what a replicate's training came to, and its number from 0; answers whether to leave the rest untrained."""

Stopping = Callable[[], bool]
"""Answers whether to stop soon, for a reason that is none of the candidate's doing."""


class Evaluator:
    """Evaluates architectures of one space at one benchmark, on one device of this process."""

    def __init__(
        self,
        space: Space,
        benchmark: Benchmark,
        *,
        limits: Iterable[Limit] = (),
        data: Path | None = None,
        device: str | None = None,
        threads: int = 1,
        precision: Precision = "float32",
        compile: Compile = "never",  # noqa: A002 - the option's name
        loading: Loading = "auto",
        replicates: int = 1,
        together: Together = "never",
        proxies: Iterable[str] = (),
        measures: Iterable[str] = (),
        ranks: Ranks | None = None,
        store: Path | None = None,
    ) -> None:
        """Load the data; of several `ranks` each trains its share.

        Nothing is done on a device other than the CPU before the first candidate, so that the process may be forked till then.

        Each candidate is trained from so many seeds as there are `replicates`, at once where `together` says so, and its figures
        are the means. The zero-cost scores called `proxies` are among them, of the first, and of what was trained to its end what
        `measures` ask for (see `nas.measures`). What candidates share, such as pre-trained trunks, lies in the folder `store`.

        Raises:
            DataMissing: the data are nowhere.
            SearchError: the device is not there, or the benchmark's protocol cannot do what is asked for.
            RegistryError: there is no such protocol.
            BenchmarkError: a measure is none, or the benchmark is not made for it.
        """
        self.protocol = protocol_of(benchmark)
        self.proxies = tuple(proxies)
        self.measures = benchmark.ask_for(measures)
        refused = {
            "zero-cost scores": self.proxies and not self.protocol.scored,
            "second process": ranks and not ranks.alone and not self.protocol.shared,
        }
        if asked := [what for what, value in refused.items() if value]:
            raise SearchError(f"The protocol {benchmark.protocol!r} of {benchmark.name} takes no {asked[0]}; leave that out.")
        if replicates > 1 and compile != "never":
            raise SearchError(f"Replicates are not compiled, got {replicates} and compile {compile!r}; leave one of them out.")
        self.store = store
        self.replicates = replicates
        self.together: Together = together
        self.space = space
        self.benchmark = benchmark
        self.limits = tuple(limits)
        self.ranks = ranks or Ranks()
        self.device = pick(self.ranks.device(device))
        self.threads = threads
        self.precision: Precision = precision
        self.loading: Loading = loading
        self.compiler = Compiler(compile)
        self.data = data
        self.task = load_task(benchmark, data)
        self._read = {split: self.task.examples(split) for split in TRAINED_WITH}
        """Examples that are not on the device yet."""
        check_task(self.task, self._read["validation"], self.measures, benchmark.name)
        self.data_sha256 = digest_sources(self._read)
        """What tells these examples from others; None where that cannot be told cheaply."""
        if self.device.type == "cpu":
            _ = self.training, self.validation
        validated = (objective for objective in benchmark.objectives if objective.figure.startswith("validation_"))
        self.objective = next(validated, None)
        """What patience waits for."""

    @cached_property
    def setting(self) -> Setting:
        """Where and how it measures."""
        return Setting(
            machine=this_machine(accelerator(self.device)),
            device=str(self.device),
            threads=self.threads,
            precision=self.precision,
            compile=self.compiler.policy,
            processes=self.ranks.size,
        )

    @property
    def key(self) -> str:
        """What names its work beside architecture, benchmark, budget and seed; see `EvaluationKey`."""
        return str(self.setting)

    @cached_property
    def training(self) -> Feed:
        """What candidates are trained on."""
        return self.feed("train")

    @cached_property
    def validation(self) -> Feed:
        """What they are validated on."""
        return self.feed("validation")

    def feed(self, split: Split) -> Feed:
        """The examples of `split`, on the device or streamed to it."""
        read = self._read.pop(split) if split in self._read else self.task.examples(split)
        return feed(read, self.device, self.loading)

    def lend(self, split: Split) -> Feed:
        """The examples of `split`, as all candidates share them."""
        kept = {"train": lambda: self.training, "validation": lambda: self.validation}
        return kept[split]() if split in kept else self.feed(split)

    def settle(self) -> None:
        """Take the data to the device, and warm the process so that the first candidate is no slower than the tenth.

        On a CPU this may be done before the process is forked. On other devices each candidate sees to it that it is done.
        """
        _ = self.training, self.validation
        warm_process(self.space, self.device)

    def __call__(
        self,
        architecture: Architecture,
        *,
        budget: Budget,
        seed: int,
        report: Report = lambda _: False,
        final: bool = False,
        on_known: OnKnown = lambda _: False,
        on_replicate: OnReplicate = lambda _, __: False,
        on_step: OnStep = lambda _: None,
        keep: Keep = lambda _: None,
        weights: Path | None = None,
        descent: Descent | None = None,
        checkpoints: Checkpoints | None = None,
        stopping: Stopping = lambda: False,
    ) -> Record:
        """The Record of `architecture` trained with `budget` and `seed`; test data are read only where it is `final`.

        `on_known` may have it left untrained, `report` stopped after an epoch, and `on_replicate` after a replicate, where these
        train one after another: it is then pruned, with the figures that it has by then.

        `on_step` is handed the loop after every step, and `keep` the trained network where it is complete; its weights are then
        in the file `weights` too, whole, or a note says why not. The training goes on from `checkpoints`, and is written down
        there. Of replicates, which train from `seed` and the seeds after it, no steps are told and nothing is written down;
        `report` is told the epochs of the first, and cannot stop them; and the first is kept.

        By `descent` it is made of other trials, and trained only as far as that asks for; `architecture` is the child's.

        A candidate that fails (wrong shape, out of memory, diverged, an exception of its own) is a Record with `error`.
        What is not the candidate's fault is raised: an architecture of another space, missing data, an error in `report`.

        Raises:
            Interrupted: `stopping`, which is asked after every step and between measurements, answered true; what was trained by
                then is in `checkpoints`.
        """
        if self.device.type != "cpu":
            self.settle()
        told = (architecture, budget, seed, on_step, checkpoints, stopping)
        run = _Run(self, *told) if descent is None else _Descended(self, descent, *told)
        run.on_known, run.on_replicate = run.listening(on_known), run.listening(on_replicate)
        threads = torch.get_num_threads()
        torch.set_num_threads(self.setting.threads)
        try:
            outcome = run.go(run.listening(report), final=final)
        except ModelError as error:
            cause = error.__cause__  # where a layer of another team's raised as it was asked
            outcome = run.fail("wrong_shape", str(error)) if cause is None else run.fail_by(cause)
        except Unsupported as error:
            outcome = run.fail("unsupported", str(error))
        except NasError:
            raise
        except SystemExit as error:
            outcome = run.fail("exited", f"sys.exit({error.code!r}) was called.")
        except Exception as error:  # a candidate may raise anything; the study must outlive it
            if error is run.listener_error:
                raise
            outcome = run.fail_by(error)
        finally:
            torch.set_num_threads(threads)  # the rest of the process keeps its own
        if outcome == "complete" and run.model is not None:
            keep(run.model)
            if weights is not None:
                run.write(run.model, weights)
        run.model, run.others = None, []
        release(self.device)
        return run.record(outcome)

    def resuming(self, folder: Path | None, every_seconds: float, stopping: Stopping = lambda: False) -> "partial[Record]":
        """This evaluator for one candidate, whose training goes on from checkpoints in `folder` and is written down there.

        Without a folder nothing is written. Once `stopping` answers true it stops with `Interrupted`.
        """
        return partial(self, checkpoints=Checkpoints(folder, every_seconds) if folder else None, stopping=stopping)

    def follow(self, wanted: Mapping[str, Any]) -> None:
        """This process's part of a training that rank 0 wants; see `Ranks.orders`. What is raised here rank 0 records."""
        run = _Run(self, self.space.architecture(wanted["choices"]), Budget(**wanted["budget"]), wanted["seed"])
        run.figures |= wanted["figures"]
        torch.set_num_threads(self.setting.threads)
        with self.ranks.working():
            run.learn_as_wanted(place(run.build(), self.device))
        release(self.device)


class _Run:
    """One evaluation under way: gathers figures until it is known what came of it."""

    def __init__(
        self,
        evaluator: Evaluator,
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
        self.checkpoints = checkpoints if evaluator.ranks.alone else None  # one process cannot go back to where it was by itself
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
            store=evaluator.store,
        )
        return evaluator.protocol(setup)

    def reckon(self) -> None:
        """Figures by the layers' formulas, so that a candidate outside the limits costs next to nothing."""
        of = (self.evaluator.space, self.architecture, self.evaluator.benchmark.signature)
        self.figures |= _figures(cost(*of))
        self.gathered["network_id"] = network_id(*of)

    def count(self) -> Counts:
        """Figures of a pass on the meta device, by torch's formulas, which go before the layers'."""
        signature, recipe = self.evaluator.benchmark.signature, self.evaluator.benchmark.recipe
        counts = count_layers(lambda: suit(build(self.evaluator.space, self.architecture, signature), recipe), signature.input)
        counted = {
            **_figures(counts),
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

    def make_step(self) -> tuple[nn.Module, "_Step"]:
        model = self.at_start()
        *_, last = stages_of(self.make_protocol(), model)
        return last.trained, _Step(last, self.evaluator.precision)

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
        return self.train_all(model, report) if self.evaluator.protocol.stackable else self.train_each(model, report)

    def learn_as_wanted(self, model: nn.Module) -> None:
        """This process's part of what rank 0 wants, which of several seeds that train one after another is one at a time."""
        together = self.evaluator.replicates > 1 and self.evaluator.protocol.stackable
        (self.train_all if together else self.train)(model, lambda _: False)

    def train(self, model: nn.Module, report: Report) -> Outcome:
        """Train stage by stage; the last is the one that is told of, and the one that a pruner may end."""
        with self.evaluator.ranks.working(self.wanted()):
            return self.train_stages(model, report)

    def train_stages(self, model: nn.Module, report: Report) -> Outcome:
        """All of them; of several processes each does."""
        seconds = 0.0
        ended: Outcome = "complete"
        for stage in stages_of(self.protocol, model):
            with stage.needed() as needed:
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
        self.gathered["weights_sha256"] = _digest(model)
        return ended

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
            if checkpoints is not None:
                checkpoints.on_step(loop)
            if self.stopping():
                if checkpoints is not None:
                    checkpoints.write(loop)
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

    def train_all(self, model: nn.Module, report: Report) -> Outcome:
        """Train from each seed; a candidate that diverges from one of them has no mean."""

        def listened(number: int, epoch: Epoch) -> bool:
            if number == 0:
                report(epoch)
            return False

        def on_trained(number: int, training: Training) -> bool:
            return training.ended == "diverged" or self.on_replicate(number, training.figures)

        evaluator = self.evaluator
        self.others = [place(self.build(number), evaluator.device) for number in range(1, evaluator.replicates)]
        seeds = [self.seed + number for number in range(evaluator.replicates)]
        with evaluator.ranks.working(self.wanted()):
            trained = train_replicates(
                [model, *self.others],
                self.protocol.method(),
                evaluator.training,
                evaluator.validation,
                budget=self.budget,
                seeds=seeds,
                report=listened,
                on_trained=on_trained,
                on_step=lambda _: self.heed(),
                objective=evaluator.objective,
                forward_flops=self.figures["flops"],
                precision=evaluator.precision,
                ranks=evaluator.ranks,
                together=evaluator.together,
            )
        left, seeds = seeds[len(trained) :], seeds[: len(trained)]
        self.gathered["loading"] = evaluator.training.kind
        self.gathered["replicates"] = tuple(
            Replicate(seed=seed, figures=one.figures, curve=tuple(one.curve), weights_sha256=_digest(network))
            for seed, one, network in zip(
                seeds, trained, (model, *self.others), strict=False
            )  # a pruner may leave some untrained
        )
        self.gathered["weights_sha256"] = _digest(model)
        self.gathered["curve"] = mean_curve([one.curve for one in trained])
        self.figures["train_seconds"] = math.fsum(one.seconds for one in trained)
        self.notes += dict.fromkeys(note for one in trained for note in one.notes)
        for seed, one in zip(seeds, trained, strict=True):
            if one.ended == "diverged":
                return self.fail("diverged", f"from seed {seed}, {one.problem}")
        self.figures |= {**mean_figures([one.figures for one in trained]), **trained[0].spent}
        if left:
            self.notes.append(
                f"It was stopped after {len(trained)} of {evaluator.replicates} replicates, of which figures are means."
            )
        return "pruned" if left else "complete"

    def train_each(self, model: nn.Module, report: Report) -> Outcome:
        """Train from each seed, stage by stage, one after another: what a protocol knows of a training is of one seed alone."""
        evaluator, known = self.evaluator, dict(self.figures)
        runs: list[_Run] = []
        ended: Outcome = "complete"
        for number in range(evaluator.replicates):
            one = _Run(evaluator, self.architecture, self.budget, self.seed + number, stopping=self.stopping)
            one.figures = dict(known)
            if number == 0:
                one.protocol = self.protocol
            network = model if number == 0 else place(one.build(), evaluator.device)
            self.others += [network] if number else []
            runs.append(one)

            def first(epoch: Epoch, number: int = number) -> bool:
                if number == 0:
                    report(epoch)
                return False

            ended = one.train(network, first)
            if ended == "failed" or self.on_replicate(number, one.figures):
                break
        self.trained_by = [one.protocol for one in runs]
        self.gathered |= {name: runs[0].gathered[name] for name in ("loading", "weights_sha256") if name in runs[0].gathered}
        self.gathered["replicates"] = tuple(one.as_replicate() for one in runs)
        curves = [one.curve for one in self.gathered["replicates"]]  # type: ignore[attr-defined]
        self.gathered["curve"] = mean_curve(curves)
        self.figures["train_seconds"] = math.fsum(one.figures["train_seconds"] for one in runs)
        self.notes += dict.fromkeys(note for one in runs for note in one.notes)
        if ended == "failed":
            error = runs[-1].gathered["error"]
            assert isinstance(error, Failure)  # noqa: S101 - what failed says why
            return self.fail(error.kind, f"from seed {runs[-1].seed}, {error.message}")
        self.figures |= {**mean_figures([one.figures for one in runs]), "train_seconds": self.figures["train_seconds"]}
        self.notes.append("Trained one after another: they are not trained by supervision alone.")
        left = evaluator.replicates - len(runs)
        if left:
            self.notes.append(
                f"It was stopped after {len(runs)} of {evaluator.replicates} replicates, of which figures are means."
            )
        return "pruned" if left else "complete"

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
        return {**given, "figures": self.figures}

    def broken(self) -> Sequence[str]:
        """The limits that the figures known so far lie outside of."""
        broken = broken_limits({**self.figures, **self.least}, self.evaluator.limits)
        self.gathered["broken_limits"] = broken
        return broken

    def fail(self, kind: str, message: str) -> Outcome:
        home = str(Path.home())  # records are shared, and a path names a person
        private = message.replace(home, "~") if len(home) > 1 else message
        self.gathered["error"] = Failure(kind=kind, message=" ".join(private.split())[:300])
        return "failed"

    def fail_by(self, error: BaseException) -> Outcome:
        if is_out_of_memory(error):
            return self.fail("out_of_memory", f"on {self.evaluator.device}: {error}")
        return self.fail("raised", f"{type(error).__name__}: {error}")

    def record(self, outcome: Outcome) -> Record:
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


class _Descended(_Run):
    """One that is made of other trials: parents' weights → the method → its training, if any → measured as all are."""

    lineage: Lineage

    def __init__(
        self,
        evaluator: Evaluator,
        descent: Descent,
        architecture: Architecture,
        budget: Budget,
        seed: int,
        *rest: Any,
    ) -> None:
        derivation = derivation_of(descent.method, descent.options)
        _ = evaluator.training, evaluator.validation  # which the copy shares
        own = copy(evaluator)
        own.benchmark = replace(evaluator.benchmark, recipe=derivation.recipe(evaluator.benchmark.recipe))
        own.compiler = Compiler(evaluator.compiler.policy)
        super().__init__(own, architecture, budget, seed, *rest)
        self.descent, self.derivation = descent, derivation
        self.like: nn.Module | None = None
        """What it is built like, of the same architecture: its parent, or what came of cutting it."""
        self.grouped = False
        """Whether its parent, of another architecture, has group normalisation where that says batch normalisation."""
        self.derived = self.gathered["derived"] = begun(derivation, descent)

    def go(self, report: Report, *, final: bool) -> Outcome:
        evaluator, derivation = self.evaluator, self.derivation
        derivation.check(evaluator.device)
        if not derivation.slopes and any(is_attack(name) for name in evaluator.measures):
            evaluator.measures = tuple(name for name in evaluator.measures if not is_attack(name))
            self.notes.append(f"No attack is measured: gradients do not pass through {self.derived.words}.")
        if not (evaluator.protocol.stackable or evaluator.protocol.ends_plain):
            raise Unsupported(
                f"Nothing is made of networks that the protocol {evaluator.benchmark.protocol!r} trains: it knows more than one "
                "network and the task's loss."
            )
        onward = evaluator.protocol.ends_plain and derivation.needs_weights
        self.reckon()
        self.count()
        trains = derivation.budget(self.budget) is not None
        signature = evaluator.benchmark.signature
        lineage = lineage_of(evaluator.space, signature, self.protocol.setup, self.descent, evaluator.device)
        evaluator.protocol = by_method(Protocol if onward else evaluator.protocol, derivation, lineage)
        del self.__dict__["protocol"]
        if derivation.needs_weights and self.architecture.choices == self.descent.parents[0].choices:
            self.like = lineage.parents[0]
        elif derivation.needs_weights and is_grouped(lineage.parents[0]):
            self.grouped = True
        self.lineage = lineage
        model = self.at_start()
        if cut_of(model):
            self.like = model
            self.count_again(model)
        if trains and self.is_unserved(model):
            return "failed"
        self.heed()
        outcome: Outcome = "complete"
        if trains:
            outcome = self.learn(model, report)
            if onward:
                self.notes.append("It was trained with labels alone, all of it at one rate; nothing was pre-trained for it.")
        if outcome != "complete":
            return outcome
        self.model = model = derivation.finish(model, lineage).eval()
        kept = derivation.kept(model)
        self.figures["size_bytes"] = stored_bytes(kept)
        self.gathered["weights_sha256"] = digest_tensors(kept)
        self.heed()
        latency = measure_latency(model, lineage.inputs)
        self.gathered["latency"] = latency
        self.figures["latency_ms"] = latency.median_ms
        if trains:
            self.figures["peak_memory_bytes"] = peak_memory_bytes(self.make_step, evaluator.device)
        self.derived = self.gathered["derived"] = told(self.derived, derivation, model, lineage, self.descent)
        self.heed()
        splits: tuple[Split, ...] = ("validation", "test") if final else ("validation",)
        for split in splits:
            examples = evaluator.lend(split)
            figures = self.protocol.measure(model, examples, split)
            if not all(map(math.isfinite, figures.values())):
                return self.fail("diverged", f"a {split} figure is not finite.")
            self.figures |= figures
            self.ask(split, examples)
        return "complete"

    def build(self, number: int = 0) -> nn.Module:
        model = super().build(number)
        if self.grouped:
            group(model)
        return model if self.like is None else become(model, self.like)

    def count_again(self, model: nn.Module) -> None:
        """Figures of a network that is narrower than its architecture."""
        with torch.no_grad():
            counts = count_layers(lambda: deepcopy(model).to("meta"), self.evaluator.benchmark.signature.input)
        self.figures |= {**_figures(counts), "activation_bytes": counts.activation_bytes}
        self.gathered["uncounted"] = counts.uncounted
        self.gathered["network_id"] = None

    def at_start(self) -> nn.Module:
        return self.derivation.begin(super().at_start(), self.lineage)

    def put(self, model: nn.Module, path: Path) -> None:
        written = keep(self.derivation.kept(model), path, model)
        self.derived = self.gathered["derived"] = replace(self.derived, file_bytes=written)


def _digest(model: nn.Module) -> str | None:
    """What tells its weights from others; None where its state is not of plain tensors alone."""
    try:
        return digest_tensors(model.state_dict())
    except (TypeError, RuntimeError):  # something else; a sparse tensor
        return None


def _figures(cost: Cost | Counts) -> dict[str, float]:
    return {"params": cost.params, "macs": cost.macs, "flops": cost.flops}


class _Step:
    """One training step on a batch as the recipe makes it."""

    def __init__(self, stage: Stage, precision: Precision) -> None:
        self.feed = as_feed(stage.training, next(stage.trained.parameters()).device)
        self.step = make_stepper(stage.trained, stage.method, precision)
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self) -> None:
        method = self.step.method
        picked = torch.arange(min(method.recipe.batch_size, len(self.feed)))
        self.step(*method.prepare(*next(self.feed.batches([picked])), self.generator))
