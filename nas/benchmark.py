"""The frozen question: what a model is fed, what it must give, how it is trained, and what counts.

Shape       Image · Features                what stands between two layers
Signature   input shape and output          what a benchmark feeds a model and wants back
Objective   a figure and its direction      the only one that knows min from max
Budget      epochs, fraction, seconds       the fidelity of one evaluation
Recipe      optimiser, rate, batch size …   how a candidate is trained
Benchmark   all of these, with a version
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nas.errors import BenchmarkError, quote

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Image:
    """A picture: channels × height × width."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"an image of {self.channels}×{self.height}×{self.width}"


@dataclass(frozen=True)
class Features:
    """A vector of `count` features for each example; the logits of a classifier are one."""

    count: int

    def __str__(self) -> str:
        return f"a vector of {self.count} features"


Shape = Image | Features


@dataclass(frozen=True)
class Signature:
    """What a benchmark feeds a model and wants back."""

    input: Image
    classes: int
    """The number of classes; the model gives a logit for each."""

    @property
    def output(self) -> Features:
        """The shape that the last layer must give."""
        return Features(self.classes)

    @property
    def accepts(self) -> str:
        """The kind of input, in the words of a space's `accepts`."""
        return "image"


@dataclass(frozen=True)
class Objective:
    """A figure to make as large or as small as possible."""

    figure: str
    direction: Direction

    def __post_init__(self) -> None:
        if self.direction not in ("maximize", "minimize"):
            raise BenchmarkError(f"A direction is 'maximize' or 'minimize', got {quote(self.direction)}.")

    def cost(self, value: float) -> float:
        """`value` turned so that less is better."""
        return -value if self.direction == "maximize" else value


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much one evaluation may spend; two figures at different budgets are not compared."""

    epochs: int
    """Passes over the training examples, at most."""
    fraction: float = 1.0
    """Share of the training examples that is used: the first ones of a fixed, stratified order."""
    seconds: float | None = None
    """Wall-clock seconds of training after which no further epoch begins; None for no such limit. The learning rate follows
    the epochs, so a training that ends early ends at a rate that is still high: slow networks score below their worth."""

    def __post_init__(self) -> None:
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, int) or self.epochs < 1:
            raise BenchmarkError(f"A budget has at least 1 epoch, got {quote(self.epochs)}.")
        if not 0 < self.fraction <= 1:
            raise BenchmarkError(f"A budget's fraction of the data lies above 0 and at most at 1, got {quote(self.fraction)}.")
        if self.seconds is not None and not self.seconds > 0:
            raise BenchmarkError(f"A budget's seconds are above 0, got {quote(self.seconds)}.")

    def __str__(self) -> str:
        data = f" on {100 * self.fraction:.6g}% of the data" if self.fraction < 1 else ""
        time = f", at most {self.seconds:g} s" if self.seconds is not None else ""
        return f"{self.epochs} epoch{'s' if self.epochs != 1 else ''}{data}{time}"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a candidate is trained: AdamW under one cycle of linear warm-up and cosine decay."""

    batch_size: int
    learning_rate: float
    """The highest, reached at the end of the warm-up."""
    weight_decay: float = 0.01
    """Decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101); not on biases and normalisation."""
    warmup: float = 0.1
    """Share of all steps over which the rate rises from 0."""
    label_smoothing: float = 0.0
    shift: int = 0
    """Each training image is moved by up to so many pixels in each direction, anew every epoch; 0 for not at all."""
    flip: bool = False
    """Half the training images are mirrored left to right, anew every epoch."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A question whose answers can be compared; changing what a score means raises `version`."""

    name: str
    version: int
    summary: str
    signature: Signature
    objectives: tuple[Objective, ...]
    """What a search steers by, on validation data; the first decides where one must."""
    budget: Budget
    """Of one evaluation during a search."""
    final_budget: Budget
    """Of one evaluation of a finalist."""
    recipe: Recipe
    task: str
    """"module:function" that gives the data, given the folder they lie in (or None); loaded with the first candidate."""
    source: str
    """Where the data come from."""
    licence: str
    floor: Mapping[str, float] = field(default_factory=dict)
    """What a linear model reaches, by figure."""

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)
