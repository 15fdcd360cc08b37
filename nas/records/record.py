"""What came back from one evaluation: every figure with its unit, where and with what it was measured, or why not.

Not measured is None (or absent from `figures`), never 0.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from nas.benchmark import Budget, Direction
from nas.records.derived import Derived
from nas.records.machine import Machine
from nas.records.markup import html_table
from nas.records.setting import Setting

Outcome = Literal["complete", "pruned", "infeasible", "failed"]
Known = Literal["reckoned", "counted", "measured", "trained"]
"""By the layers' formulas, by a pass on the meta device, on the built network, or by training it: in this order."""


@dataclass(frozen=True)
class FigureKind:
    """What a figure is called, its unit, and when in an evaluation it becomes known."""

    unit: str
    known: Known
    meaning: str


FIGURES: Mapping[str, FigureKind] = {
    "params": FigureKind("", "reckoned", "trainable parameters"),
    "macs": FigureKind("", "reckoned", "multiply-adds of one forward pass of one example"),
    "flops": FigureKind("", "reckoned", "floating-point operations of one forward pass of one example; 2 a multiply-add"),
    "size_bytes": FigureKind("bytes", "counted", "parameters and buffers"),
    "activation_bytes": FigureKind("bytes", "counted", "most tensor memory alive in one forward pass of one example, predicted"),
    "latency_ms": FigureKind("ms", "measured", "median time of one forward pass"),
    "peak_memory_bytes": FigureKind("bytes", "measured", "most tensor memory alive in one training step"),
    "train_seconds": FigureKind("s", "trained", "wall-clock time of training, validation not counted"),
}
"""Figures that every evaluation can give; a benchmark's metrics come beside them, named `validation_…` and `test_…`."""


OF_PROTOCOLS: Mapping[str, Mapping[str, FigureKind]] = {
    "adversarial": {
        "discriminator_params": FigureKind("", "reckoned", "trainable parameters of what a generator is trained against"),
        "discriminator_macs": FigureKind("", "reckoned", "multiply-adds of one forward pass of the discriminator on one picture"),
    },
    "pretrain_then_fine_tune": {
        "pretrain_flops": FigureKind("", "reckoned", "floating-point operations of the whole pre-training of the trunk"),
        "pretrain_seconds": FigureKind("s", "trained", "wall-clock time of the trunk's pre-training, whoever it was trained for"),
    },
}
"""Figures beside those that a training protocol, by its name, gives of every candidate."""


OF_PRIVACY: Mapping[str, FigureKind] = {
    "privacy_epsilon": FigureKind("", "trained", "ε that training has spent: what weights tell of a training example at most"),
    "privacy_delta": FigureKind("", "trained", "δ at which ε is told: the chance with which it does not hold"),
}
"""Figures of a training in private."""

OF_MEMBERS: Mapping[str, FigureKind] = {
    "membership_auroc": FigureKind(
        "", "trained", "chance that a training example has less loss than another; 0.5: nothing is told"
    ),
    "membership_found": FigureKind("", "trained", "share of training examples found by loss, taking 1 % of others for some"),
    "membership_lira_auroc": FigureKind("", "trained", "as membership_auroc, by likelihood ratios of shadow networks"),
    "membership_lira_found": FigureKind("", "trained", "as membership_found, by likelihood ratios of shadow networks"),
}
"""Figures of what a finalist gives away of its training examples, where that was guessed; see `nas privacy`."""


def figure_kind(name: str) -> FigureKind | None:
    """What every evaluation can give by that name; `latency_ms:raspi4` is a latency, measured on a named device."""
    base = name.partition(":")[0]
    return next((kinds[base] for kinds in (FIGURES, OF_PRIVACY, OF_MEMBERS, *OF_PROTOCOLS.values()) if base in kinds), None)


SCORES: Mapping[str, FigureKind] = {
    "synflow": FigureKind("", "measured", "logarithm of what flows through all paths where weights are positive"),
    "naswot": FigureKind("", "measured", "how differently the untrained network's units answer to different examples"),
    "snip": FigureKind("", "measured", "how much the untrained network's loss hangs on its weights"),
    "grad_norm": FigureKind("", "measured", "norm of the untrained network's gradients"),
    "jacob_cov": FigureKind("", "measured", "how differently the untrained output answers to changes of different examples"),
    "zen": FigureKind("", "measured", "how expressive a convolutional network is, whatever its weights"),
}
"""Zero-cost scores that an evaluation gives where they are asked for; larger is better. `nas.proxies` says what each is."""


FALLING = re.compile("(?<![a-z])(?:loss|error|latency|seconds|perplexity|energy|memory|r?mse|mae|bits_per|distance|ece)(?![a-z])")
"""Words in the name of a metric of which less is better."""


def usual_direction(name: str) -> Direction:
    """Which way a figure of that name gets better, where no objective says so: costs down, scores up, metrics by their words."""
    if name in SCORES:
        return "maximize"
    return "minimize" if figure_kind(name) or FALLING.search(name) else "maximize"


Value = TypeVar("Value", bound="Latency | Record")

_budget = lru_cache(maxsize=256)(Budget)
_machine = lru_cache(maxsize=256)(Machine)
"""Thousands of records share a few of these."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The time of one forward pass, as a statistic of `samples` single passes after warm-up.

    What an older measurement did not note is None.
    """

    median_ms: float
    low_ms: float
    """Lower end of the 95 % interval of the median: of stretches of passes by order statistics, without assuming a distribution,
    and lower by as much as the reference network was slowed."""
    high_ms: float
    """Upper end of the 95 % interval of the median."""
    p10_ms: float | None = None
    """10 % of the passes took at most this long: what contention, which only adds time, changes least."""
    p95_ms: float
    """95 % of the passes took at most this long."""
    p99_ms: float | None = None
    samples: int
    relative_width: float | None = None
    """Of the interval, as a share of the median: what was reached, not what was asked for."""
    batch_size: int
    device: str
    threads: int
    dtype: str
    """Of the network's weights."""
    backend: str = "eager"
    reference_ms: float | None = None
    """The same quantile as `p10_ms`, of the reference network timed in between."""
    slowdown: float | None = None
    """The mean time of the reference network as a multiple of the best its process had seen."""
    disturbed: str | None = None
    """In words, where the reference network tells that other work went on; None where it does not, or was not asked."""

    @property
    def relative(self) -> float | None:
        """The low quantile as a multiple of the reference network's: what can be compared between sessions."""
        return self.p10_ms / self.reference_ms if self.p10_ms is not None and self.reference_ms else None


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One point of a learning curve."""

    epoch: int
    """Counted from 1."""
    train_loss: float | None
    """Mean over the epoch's batches, in training mode; None where a table does not tell."""
    figures: Mapping[str, float]
    """Validation figures after the epoch."""
    seconds: float | None
    """Training time since the first epoch began, validation not counted; None where a table does not tell."""

    @property
    def told(self) -> dict[str, float]:
        """The training loss, where it is known, and the figures."""
        return {**({"train_loss": self.train_loss} if self.train_loss is not None else {}), **self.figures}


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """One of several trainings of a candidate, each from a seed of its own."""

    seed: int
    figures: Mapping[str, float]
    """Validation figures of the network that came out."""
    curve: tuple[Epoch, ...]
    weights_sha256: str | None = None
    """Of its weights, as in the Record."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a finalist made, to be looked at."""

    title: str
    """What it shows, such as "epoch 12"."""
    png: str
    """The file, in base64."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a candidate has no score."""

    kind: str
    """What the candidate did: "wrong_shape", "raised", "diverged", "out_of_memory", or "exited" by itself; "unsupported" by a
    method that makes trials of others, or by training in private. In a process of its own, also "timed_out" or "out_of_disk"
    where it was ended, "crashed" by a signal, and "poisoned" where its workers died."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """What came back from one evaluation."""

    outcome: Outcome
    figures: Mapping[str, float] = field(default_factory=dict)
    """Name → value; a figure that was not measured is absent."""
    latency: Latency | None = None
    uncounted: Mapping[str, int] | None = None
    """Operators whose cost neither counter knows, and how often each ran: in fvcore's names, or where it could not trace the
    network in torch's. None where neither was asked."""
    broken_limits: tuple[str, ...] = ()
    """The limits that it lies outside of."""
    curve: tuple[Epoch, ...] = field(default_factory=tuple)
    """Read when it is first asked for, where the record came from a ledger."""
    replicates: tuple[Replicate, ...] = ()
    """Where it was trained from several seeds, each training; `figures` and `curve` are then their means, and `train_seconds`
    their sum."""
    pictures: tuple[Picture, ...] = ()
    """Of a finalist, where its protocol has something to show."""
    error: Failure | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the figures should know."""
    seed: int
    budget: Budget
    seconds: float | None = None
    """Wall-clock time of the whole evaluation."""
    device: str
    threads: int
    machine: Machine
    precision: str = "float32"
    compile: str = "never"
    processes: int = 1
    network_id: str | None = None
    """Equal for equal networks under different names; None where nothing was counted, or by an older version."""
    weights_sha256: str | None = None
    """Of the weights and buffers that were trained, as `nas.training.digest_tensors` takes it; of replicates those of the first.
    None where nothing was trained, or by an older version."""
    data_sha256: str | None = None
    """Of the training and validation examples, all of them; None where that cannot be told cheaply, or by an older version."""
    derived: Derived | None = None
    """Of a trial that was made of another, of which and how."""
    loading: Literal["memory", "stream"] | None = None
    """How training examples reached the device: from its memory, or streamed to it; None where it was not trained."""
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None
    """Of the harness, with "-dirty" where it had uncommitted changes; None where it runs from no checkout."""

    @property
    def setting(self) -> Setting:
        """Where and how its figures of time and memory were measured."""
        return Setting(
            machine=self.machine,
            device=self.device,
            threads=self.threads,
            precision=self.precision,
            compile=self.compile,
            processes=self.processes,
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: how it ended, its figures with their units, and where they came to be."""
        rows: list[tuple[str, object]] = [("outcome", self.outcome)]
        rows += [("error", f"{self.error.kind}: {self.error.message}")] if self.error else []
        rows += [("outside", limit) for limit in self.broken_limits]
        rows += [(name, value) for name, value in self.figures.items()]
        rows += [("seed", str(self.seed)), ("budget", self.budget), ("machine", self.machine), ("used", self.setting.use)]
        return html_table((), rows)

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any], read_curve: Callable[[], tuple[Epoch, ...]] | None = None) -> Self:
        """The record that `to_data` wrote; its curve is what `read_curve` gives, where that is given, once it is asked for."""
        values = dict(data)
        latency, error, derived = values.get("latency"), values.get("error"), values.get("derived")
        values |= {
            "latency": _filled(Latency, latency) if latency else None,
            "error": Failure(**error) if error else None,
            "derived": Derived(**{**derived, "beside": tuple(derived["beside"])}) if derived else None,
            "curve": tuple(Epoch(**point) for point in values.get("curve", ())),
            "replicates": tuple(map(_replicate, values.get("replicates", ()))),
            "pictures": tuple(Picture(**picture) for picture in values.get("pictures", ())),
            "broken_limits": tuple(values.get("broken_limits", ())),
            "notes": tuple(values.get("notes", ())),
            "budget": _budget(**values["budget"]),
            "machine": _machine(**values["machine"]),
        }
        record = _filled(cls, values)
        if read_curve is not None:
            del vars(record)["curve"]
            vars(record)["_read_curve"] = read_curve
        return record

    if not TYPE_CHECKING:  # to which every field is there

        def __getattr__(self, name: str) -> Any:
            """The curve that was not read yet; a leaderboard of thousands of trials needs none."""
            if name != "curve" or "_read_curve" not in vars(self):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            object.__setattr__(self, "curve", vars(self).pop("_read_curve")())
            return self.curve


def _filled(kind: type[Value], values: Mapping[str, Any]) -> Value:
    """`kind` with these fields; where none is wrong without its `__init__`, which takes a quarter of the time of reading."""
    known = {**_DEFAULTS[kind], **values}
    if known.keys() != kind.__dataclass_fields__.keys():
        return kind(**values)
    filled = object.__new__(kind)
    vars(filled).update(known)
    return filled


_DEFAULTS: Mapping[type, Mapping[str, Any]] = {
    kind: {one.name: one.default for one in fields(kind) if one.default is not MISSING} for kind in (Latency, Record)
}


def _replicate(data: Mapping[str, Any]) -> Replicate:
    return Replicate(**{**data, "curve": tuple(Epoch(**point) for point in data["curve"])})
