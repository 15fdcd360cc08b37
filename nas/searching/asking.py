"""How finalists hold: trained networks whose weights are kept are asked, and their answers join their Records.

training → its kept weights → network → figures → its Record in the ledger
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.benchmark import Benchmark
from nas.errors import ModelError, SearchError
from nas.measures import SEVERITIES, Measure, corruptions_of, is_attack, read_measure
from nas.records import Ledger, StudyEntry, Trial
from nas.searching.weights import missing, weights_of

if TYPE_CHECKING:
    from torch import nn

    from nas.robustness import Calibration
    from nas.training import Split

SPLITS = ("test", "validation")

NOTE = "How it holds was measured after it was trained, from the weights that were kept ({versions})."

OnAsked = Callable[[Trial, int, int], None]
"""Told which training is asked next, how many were asked before, and of how many."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One training, and what its network answered."""

    trial: Trial
    figures: Mapping[str, float]
    """Those that were asked for, and the split's plain accuracy."""
    calibration: "Calibration | None" = None
    """The numbers of a reliability diagram, where calibration was asked for."""
    groups: Mapping[str, float] = field(default_factory=dict)
    """The accuracy of each group, the lowest first, where that was asked for."""

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        record = self.trial.record
        assert record is not None  # noqa: S101 - it is complete
        data: dict[str, Any] = {
            "study": self.trial.study,
            "stage": self.trial.stage,
            "trial": self.trial.number,
            "architecture": self.trial.architecture.id,
            "derived": record.derived.words if record.derived else None,
            "seed": record.seed,
            "figures": dict(self.figures),
        }
        if self.calibration is not None:
            data["calibration"] = asdict(self.calibration)
        return data | ({"groups": dict(self.groups)} if self.groups else {})


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked of whom."""

    benchmark: Benchmark
    split: str
    measures: tuple[str, ...]
    unit: str
    """What ε and noise are told in, and what is clipped, in a clause."""
    answers: tuple[Answered, ...]
    """In the order of the leaderboard's architectures, and of their seeds."""
    without: tuple[str, ...] = ()
    """Trainings that were left out, each with the reason, in a sentence."""

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "benchmark": self.benchmark.name,
            "version": self.benchmark.version,
            "split": self.split,
            "unit": self.unit,
            "measures": {name: {"meaning": one.meaning, "source": one.source} for name, one in self._read.items()},
            "trainings": [one.to_data() for one in self.answers],
            "without": list(self.without),
        }

    @property
    def _read(self) -> dict[str, Measure]:
        return {name: read_measure(name) for name in self.measures}


def ask_trainings(
    url: str,
    entry: StudyEntry,
    benchmark: Benchmark,
    trials: Sequence[Trial],
    measures: tuple[str, ...],
    *,
    split: str,
    data: Path | None,
    device: str | None,
    threads: int = 1,
    keep: bool = True,
    on_asked: OnAsked = lambda _, __, ___: None,
) -> Asked:
    """Ask the networks of `trials`, complete trainings of finalists in the ledger at `url`, what `measures` name.

    Raises:
        SearchError: no weights of theirs are kept.
        NasError: the data or the device are missing, or the task is not made for a measure.
    """
    found = [(trial, weights_of(url, trial)) for trial in trials]
    if not any(path for _, path in found):
        raise SearchError(
            f"No weights of finalists of {entry.name} are kept, which alone are asked; run `nas finals {entry.name}` first."
            if not trials
            else missing(url, trials[0])
        )
    room = _Room(entry, benchmark, measures, split, data, device)
    answers, without = [], []
    before = torch_threads(threads)
    try:
        with Ledger(url, create=False) as book:
            for number, (trial, path) in enumerate(found):
                on_asked(trial, number, len(found))
                reason = "its weights are not kept" if path is None else room.unready(trial, path)
                if reason:
                    without.append(f"The {trial.title} was left out: {reason}.")
                else:
                    answers.append(room.answer(trial, book if keep else None))
                    if len(room.asked) < len(measures):
                        without.append(f"The {trial.title} was not attacked: gradients do not pass through it.")
    finally:
        torch_threads(before)
    return Asked(
        benchmark=benchmark, split=split, measures=measures, unit=room.unit, answers=tuple(answers), without=tuple(without)
    )


def torch_threads(count: int) -> int:
    """Have torch compute with so many threads; returns with how many it did."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    return before


def usual_measures(benchmark: Benchmark) -> tuple[str, ...]:
    """What is asked where nothing is said: an attack of growing size where there is a gradient, all corruptions, calibration."""
    kinds = benchmark.signature.kinds
    sizes = ("1/255", "2/255", "4/255", "8/255", "16/255") if "image" in kinds else ("0.001", "0.003", "0.01", "0.03", "0.1")
    attacks = [f"pgd-linf-{size}" for size in sizes] if {"image", "sequence", "features"} & {*kinds} else []
    worse = ["corruptions"] if corruptions_of(kinds) else []
    return benchmark.ask_for([*attacks, *worse, "ece"])


def every_corruption(benchmark: Benchmark) -> tuple[str, ...]:
    """The names of all corruptions of all severities that its inputs have."""
    return tuple(f"{name}-{severity}" for name in corruptions_of(benchmark.signature.kinds) for severity in SEVERITIES)


def told_of(trial: Trial) -> str:
    """What it is called beside others: its architecture, and how it was made where it was made of another."""
    derived = trial.record.derived if trial.record else None
    return f"{trial.architecture.id} {derived.words}" if derived else trial.architecture.id


class _Room:
    """What all trainings of one study are asked with."""

    def __init__(
        self,
        entry: StudyEntry,
        benchmark: Benchmark,
        measures: Sequence[str],
        split: str,
        data: Path | None,
        device: str | None,
    ) -> None:
        from nas.device import pick
        from nas.evaluation.robustness import check_task
        from nas.training import feed, load_task, scale_of

        self.entry = entry
        self.benchmark = benchmark
        self.measures = measures
        self.split: Split = "test" if split == "test" else "validation"
        self.device = pick(device)
        self.task = load_task(benchmark, data)
        examples = self.task.examples(self.split)
        check_task(self.task, examples, measures, benchmark.name)
        self.examples = feed(examples, self.device)
        self.unit = str(scale_of(self.task))
        self.network: Any = None
        self.asked = tuple(measures)
        """What the network of now can be asked."""

    def unready(self, trial: Trial, path: Path) -> str:
        """Make the network of `trial` with the weights at `path`; returns why it cannot be had, or nothing."""
        from nas.device import place
        from nas.models import build, example
        from nas.training import Unsupported, derivation_of, digest_tensors, read_weights, restored

        record, self.asked = trial.record, tuple(self.measures)
        assert record is not None  # noqa: S101 - it is complete
        network: nn.Module = build(self.entry.space, trial.architecture, self.benchmark.signature, seed=record.seed)
        kept: Callable[[], Mapping[str, Any]] = network.state_dict
        try:
            if record.derived is not None:
                derivation = derivation_of(record.derived.method, record.derived.options)
                self.asked = tuple(one for one in self.measures if derivation.slopes or not is_attack(one))
                if not self.asked:
                    return f"it is {record.derived.words}, through which gradients do not pass"
                inputs = example(self.benchmark.signature.input, "cpu")
                network = restored(record.derived, network, path, inputs)
                kept = partial(derivation.kept, network)
            else:
                read_weights(network, path)
        except (OSError, ModelError):
            return f"{path.name} is no whole file of its weights"
        except Unsupported as error:
            return str(error).rstrip(".")
        if record.weights_sha256 not in {None, digest_tensors(kept())}:
            return f"{path.name} holds other weights than the record tells of"
        self.network = place(network, self.device)
        return ""

    def answer(self, trial: Trial, book: Ledger | None) -> Answered:
        """What the network made last answers; with a ledger its Record is asked first, and told what is new."""
        from nas.evaluation.robustness import Asking
        from nas.records import versions

        assert trial.record is not None  # noqa: S101 - it is complete
        asking = Asking(self.network, self.task, self.examples, self.split)
        known = trial.record.figures if book is not None else {}
        names = [f"{self.split}_{figure}" for one in self.asked for figure in read_measure(one).figures]
        missing = [one for one in self.asked if any(f"{self.split}_{name}" not in known for name in read_measure(one).figures)]
        figures = asking.figures(missing)
        if book is not None and figures:
            about = ", ".join(f"{name} {version}" for name, version in versions().items() if name in {"torch", "nas-harness"})
            trial = book.add_figures(trial, figures, NOTE.format(versions=about))
        right_N, _ = asking.as_it_is
        plain = {f"{self.split}_accuracy": right_N.double().mean().item()}
        told = {**known, **figures}
        return Answered(
            trial=trial,
            figures=plain | {name: told[name] for name in names},
            calibration=asking.calibration(mass="ece" not in self.measures) if {"ece", "ece-mass"} & {*self.measures} else None,
            groups=asking.by_group() if "worst-group" in self.measures else {},
        )
