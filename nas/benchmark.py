"""The frozen question: what a model is fed, what it must give, how it is trained, and what counts.

Shape       Image · Sequence · Waveform · Tokens · Features · NextTokens     what stands between two layers
Signature   input and output                what a benchmark feeds a model and wants back
Objective   a figure and its direction      the only one that knows min from max
Budget      epochs, fraction, seconds       the fidelity of one evaluation
Recipe      optimiser, rate, batch size …   how a candidate is trained
Benchmark   all of these, with a version

Axes: N examples, C channels, H height, W width, L positions of a sequence, F features, V words of a vocabulary.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from nas.errors import BenchmarkError, quote

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Image:
    """A picture, or a spectrogram (1 × frequencies × times); a batch is (N, C, H, W)."""

    channels: int
    height: int
    width: int

    @property
    def axes(self) -> tuple[int, ...]:
        """Of one example: (C, H, W)."""
        return (self.channels, self.height, self.width)

    def __str__(self) -> str:
        return f"an image of {self.channels}×{self.height}×{self.width}"


@dataclass(frozen=True)
class Sequence:
    """`length` positions of `channels` numbers each; a batch is (N, L, C)."""

    length: int
    channels: int

    @property
    def axes(self) -> tuple[int, ...]:
        """Of one example: (L, C)."""
        return (self.length, self.channels)

    def __str__(self) -> str:
        return f"a sequence of {self.length}×{self.channels}"


@dataclass(frozen=True)
class Waveform(Sequence):
    """Sound: a sequence of samples, `rate` a second; a batch is (N, L, C), C being 1 for one microphone."""

    rate: int

    def __str__(self) -> str:
        return f"a waveform of {self.length}×{self.channels} at {self.rate} Hz"


@dataclass(frozen=True)
class NextTokens(Sequence):
    """At each position a logit for each of `channels` tokens that may come next; (N, L, V).

    What stands at a position is made of the inputs up to that position alone, so that layers on the way look back only.
    """

    def __str__(self) -> str:
        return f"the next of {self.channels} tokens at each of {self.length} positions"


@dataclass(frozen=True)
class Tokens:
    """`length` ids of a vocabulary of `vocabulary` tokens; a batch is (N, L) of int64.

    Id 0 fills texts that are too short, at their beginning, so that the last position is always the text's last.
    """

    length: int
    vocabulary: int

    @property
    def axes(self) -> tuple[int, ...]:
        """Of one example: (L,)."""
        return (self.length,)

    def __str__(self) -> str:
        return f"{self.length} tokens of {self.vocabulary:,}"


@dataclass(frozen=True)
class Features:
    """A vector of `count` features for each example, (N, F); the logits of a classifier are one."""

    count: int

    @property
    def axes(self) -> tuple[int, ...]:
        """Of one example: (F,)."""
        return (self.count,)

    def __str__(self) -> str:
        return f"a vector of {self.count} features"


Shape = Image | Sequence | Tokens | Features

KINDS: Mapping[str, type[Shape]] = {"image": Image, "sequence": Sequence, "waveform": Waveform, "tokens": Tokens}
"""What a space can accept, in the words of its `accepts`."""


@dataclass(frozen=True)
class Signature:
    """What a benchmark feeds a model and wants back.

    Features(K) are a classifier's logits or the numbers of a regression, Sequence(L, K) the logits of a tagger, and
    NextTokens(L, V) those of a language model.
    """

    input: Shape
    output: Shape

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the input is, in the words of a space's `accepts`; a waveform is a sequence too."""
        return tuple(name for name, kind in KINDS.items() if isinstance(self.input, kind))

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            name: {"kind": type(shape).__name__.lower(), **asdict(shape)}
            for name, shape in (("input", self.input), ("output", self.output))
        }


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
    """Each training image is moved by up to so many pixels in each direction, anew every epoch, each sequence or sound by up
    to so many positions; 0 for not at all."""
    flip: bool = False
    """Half the training images are mirrored left to right, anew every epoch."""
    gradient_norm: float | None = None
    """Gradients that are longer than this, all taken together, are cut to it (Pascanu et al. 2013, arXiv:1211.5063, alg. 1)."""


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

    def __post_init__(self) -> None:
        given = self.signature.input
        if self.recipe.flip and not isinstance(given, Image):
            raise BenchmarkError(f"{self.name}: only pictures are mirrored, got {given}; leave `flip` out.")
        if self.recipe.shift and isinstance(given, Tokens | Features):
            raise BenchmarkError(f"{self.name}: pictures, sequences and sounds are shifted, got {given}; leave `shift` out.")

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {**asdict(self), "signature": self.signature.to_data()}
