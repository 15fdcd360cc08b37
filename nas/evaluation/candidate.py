"""What evaluates candidates of one space at one benchmark: an architecture, a budget and a seed → a Record."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.benchmark import Benchmark, Budget
from nas.device import Precision, accelerator, pick, place, release
from nas.errors import ModelError, NasError, SearchError
from nas.evaluation.descended import Descended
from nas.evaluation.robustness import check_task
from nas.evaluation.running import OnKnown, OnReplicate, Run, Stopping
from nas.profiling.warmth import warm_process
from nas.records import Descent, Record, Setting, this_machine
from nas.space import Architecture, Limit, Space
from nas.training import (
    Checkpoints,
    Compile,
    Compiler,
    Feed,
    Loading,
    OnStep,
    Ranks,
    Report,
    Split,
    Together,
    Unsupported,
    digest_sources,
    feed,
    load_task,
    protocol_of,
)

TRAINED_WITH: tuple[Split, ...] = ("train", "validation")

Keep = Callable[[nn.Module], None]
"""Handed a trained network."""


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
            BenchmarkError: a measure is none, or the benchmark is not made for it, or tells its protocol what that does not know.
        """
        self.protocol = protocol_of(benchmark)
        self.protocol.admit(benchmark)
        self.proxies = tuple(proxies)
        self.measures = benchmark.ask_for(measures)
        refused = {
            "zero-cost scores": self.proxies and not self.protocol.scored,
            "teacher": benchmark.recipe.teacher is not None and not self.protocol.taught,
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
        run = Run(self, *told) if descent is None else Descended(self, descent, *told)
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
        every = wanted["checkpoint"]
        checkpoints = Checkpoints(Path(), every) if every is not None else None  # rank 0 alone has the folder
        architecture, budget = self.space.architecture(wanted["choices"]), Budget(**wanted["budget"])
        run = Run(self, architecture, budget, wanted["seed"], checkpoints=checkpoints)
        run.figures |= wanted["figures"]
        torch.set_num_threads(self.setting.threads)
        with self.ranks.working():
            run.learn_as_wanted(place(run.build(), self.device))
        release(self.device)
