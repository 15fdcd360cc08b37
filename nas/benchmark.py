"""The frozen question: what a model is fed, what it must give, how it is trained, and what counts.

Shape       Image · Sequence · Waveform · Tokens · Query · Features · NextTokens     what stands between two layers
            Joined · Modalities             sequences end to end; several inputs side by side
Signature   input and output                what a benchmark feeds a model and wants back
Objective   a figure and its direction      the only one that knows min from max
Budget      epochs, fraction, steps …       the fidelity of one evaluation
Recipe      optimiser, rate, batch size …   how a candidate is trained
Benchmark   all of these, with a version

Axes: N examples, C channels, H height, W width, L positions of a sequence, F features, V words of a vocabulary.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from nas.errors import BenchmarkError, did_you_mean, quote
from nas.measures import Attack, check_measures, corruptions_of, read_measure

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
class Joined(Sequence):
    """Sequences one after another, of `lengths` positions each; a batch is (N, L, C), as of any sequence of `length` in all.

    A vector counts as one position. Layers that know several inputs apart take it; to all others it is a sequence.
    """

    lengths: tuple[int, ...]

    def __str__(self) -> str:
        return f"a sequence of {'+'.join(map(str, self.lengths))}×{self.channels}"


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
class Query:
    """A question to a knowledge graph of `entities` and `relations`: to which entities does a relation lead from an entity?

    A batch is (N, 2) of int64: the ids of the entity and of the relation. Each relation r has an inverse, r + `relations`, so
    that what a relation comes from is asked in the same words (Lacroix et al. 2018, arXiv:1806.07297, sec. 3.2).
    """

    entities: int
    relations: int
    """Without the inverses."""

    @property
    def axes(self) -> tuple[int, ...]:
        """Of one example: (2,)."""
        return (2,)

    def __str__(self) -> str:
        return f"a query to {self.entities:,} entities and {self.relations:,} relations"


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


@dataclass(frozen=True)
class Modalities:
    """What an example is made of where that is several things, such as a picture and a sound, by their names.

    A batch is one row of numbers an example, (N, F), in which they stand one after another, each with its axes unrolled, ids of
    tokens as whole numbers: so whatever is fed one tensor can be fed several things. The layer `modality` takes one of them
    out. One that is missing is a stretch of zeros.
    """

    parts: "tuple[tuple[str, Image | Sequence | Tokens | Features], ...]"

    def __post_init__(self) -> None:
        for name, shape in self.parts:
            if not isinstance(shape, Image | Sequence | Tokens | Features):
                raise BenchmarkError(
                    f"A modality is an image, a sequence, tokens or features, got {quote(shape)} as {quote(name)}."
                )
            if not re.fullmatch("[a-z][a-z0-9]*", name) or self.names.count(name) > 1:
                raise BenchmarkError(f"Modalities have different names of lower-case letters and digits, got {quote(name)}.")
        if not self.parts:
            raise BenchmarkError("An example has one modality at least, got none.")

    @classmethod
    def of(cls, **parts: "Image | Sequence | Tokens | Features") -> Self:
        """Name → shape, in the order in which they stand in a row."""
        return cls(tuple(parts.items()))

    @property
    def axes(self) -> tuple[int, ...]:
        """Of one example: (F,)."""
        return (sum(math.prod(shape.axes) for _, shape in self.parts),)

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(name for name, _ in self.parts)

    def span(self, name: str) -> slice:
        """The places in a row where the modality called `name` stands."""
        begin = 0
        for other, shape in self.parts:
            end = begin + math.prod(shape.axes)
            if other == name:
                return slice(begin, end)
            begin = end
        raise BenchmarkError(f"No modality is called {quote(name)}. {did_you_mean(name, self.names)}")

    def __str__(self) -> str:
        return f"a row of {' and '.join(f'{shape} ({name})' for name, shape in self.parts)}"


Shape = Image | Sequence | Tokens | Query | Features | Modalities

KINDS: Mapping[str, type[Shape]] = {
    "image": Image,
    "sequence": Sequence,
    "waveform": Waveform,
    "tokens": Tokens,
    "query": Query,
    "features": Features,
    "modalities": Modalities,
}
"""What a space can accept, in the words of its `accepts`."""


def shape_to_data(shape: Shape) -> dict[str, Any]:
    """Plain data, ready for JSON."""
    kind = type(shape).__name__.lower()
    if isinstance(shape, Modalities):
        return {"kind": kind, "parts": [[name, shape_to_data(part)] for name, part in shape.parts]}
    return {"kind": kind, **asdict(shape)}


def shape_from_data(data: Mapping[str, Any]) -> Shape:
    """The shape that `shape_to_data` wrote."""
    if data["kind"] == "modalities":
        parts = ((name, shape_from_data(part)) for name, part in data["parts"])
        return Modalities(tuple(parts))  # type: ignore[arg-type]  # which looks itself
    kinds: dict[str, type[Shape]] = {
        kind.__name__.lower(): kind for kind in (Image, Sequence, Waveform, NextTokens, Tokens, Query, Features)
    }
    return kinds[data["kind"]](**{name: value for name, value in data.items() if name != "kind"})


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
        return {"input": shape_to_data(self.input), "output": shape_to_data(self.output)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The signature that `to_data` wrote."""
        return cls(shape_from_data(data["input"]), shape_from_data(data["output"]))


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
    """How much one evaluation may spend; two figures at different budgets are not compared.

    The learning rate follows the steps that epochs, `steps` and `flops` leave, whichever are fewest, so that it has come down
    when they are done. A training that `seconds` end ends at a rate that is still high: slow networks score below their worth.
    """

    epochs: int
    """Passes over the training examples, at most."""
    fraction: float = 1.0
    """Share of the training examples that is used: the first ones of a fixed, stratified order."""
    seconds: float | None = None
    """Wall-clock seconds of training after which no further epoch begins; None for no such limit."""
    steps: int | None = None
    """Steps of the optimiser, at most; the last epoch may be a part of one."""
    flops: float | None = None
    """Floating-point operations of training, at most: three forward passes an example, since a backward pass takes about
    two (Kaplan et al. 2020, arXiv:2001.08361, sec. 2.1). At least one step is made."""

    def __post_init__(self) -> None:
        _check_count("A budget", "epochs", self.epochs)
        if self.steps is not None:
            _check_count("A budget", "steps", self.steps)
        if not 0 < self.fraction <= 1:
            raise BenchmarkError(f"A budget's fraction of the data lies above 0 and at most at 1, got {quote(self.fraction)}.")
        for name in ("seconds", "flops"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise BenchmarkError(f"A budget's {name} are above 0, got {quote(value)}.")

    def __str__(self) -> str:
        data = f" on {100 * self.fraction:.6g}% of the data" if self.fraction < 1 else ""
        bounds = [
            *([f"{self.steps:,} steps"] if self.steps is not None else []),
            *([f"{self.flops:.3g} FLOPs"] if self.flops is not None else []),
            *([f"{self.seconds:g} s"] if self.seconds is not None else []),
        ]
        most = f", at most {' or '.join(bounds)}" if bounds else ""
        return f"{self.epochs} epoch{'s' if self.epochs != 1 else ''}{data}{most}"


def _check_count(of: str, name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BenchmarkError(f"{of} has at least 1 {name.removesuffix('s')}, got {quote(value)}.")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a candidate is trained; what is not said here (device, number format, compiling) is said where a search is run."""

    batch_size: int
    learning_rate: float
    """The highest, reached at the end of the warm-up."""
    optimizer: str = "adamw"
    """`adamw`, `sgd` (with Nesterov's momentum), or the name of one of timm's, such as `lamb`, `lion` or `adafactor`."""
    momentum: float = 0.9
    """Of optimisers that have one; for Adam's kin it is the first of the betas."""
    weight_decay: float = 0.01
    """Decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101), for `sgd` in the gradient; not of biases and normalisation."""
    l1: float = 0.0
    """This times the sum of all weights' sizes is added to what is minimised; not of biases and normalisation."""
    l2: float = 0.0
    """This times half the sum of all weights' squares is added to what is minimised; not of biases and normalisation."""
    schedule: str = "cosine"
    """Of the rate after the warm-up: `cosine` (down to 0), `linear` (down to 0), `constant`, or timm's `step`, `multistep`,
    `poly` or `tanh`."""
    warmup: float = 0.1
    """Share of all steps over which the rate rises from 0."""
    label_smoothing: float = 0.0
    shift: int = 0
    """Each training image is moved by up to so many pixels in each direction, anew every epoch, each sequence or sound by up
    to so many positions; 0 for not at all. Of several modalities each by its own chance."""
    flip: bool = False
    """Half the training images are mirrored left to right, anew every epoch."""
    erase: float = 0.0
    """Share of training images of which a rectangle is erased, anew every epoch (Zhong et al. 2020, arXiv:1708.04896)."""
    mixup: float = 0.0
    """Each example is mixed with another of its batch; the share is drawn from Beta(mixup, mixup) (Zhang et al. 2018,
    arXiv:1710.09412); 0 for not at all."""
    cutmix: float = 0.0
    """A piece of another example takes the place of one's own; its size is drawn from Beta(cutmix, cutmix) (Yun et al. 2019,
    arXiv:1905.04899). Where mixup is given too, one of the two is drawn for each batch."""
    adversarial: str | None = None
    """An attack such as "pgd-linf-8/255" or "fgsm-linf-0.1": each batch is trained on as the attack makes it of the network as it
    is (Madry et al. 2018, arXiv:1706.06083, eq. 2), by seven steps where its name says no other number. FGSM starts at random and
    goes a quarter further than ε, which is then cut (Wong et al. 2020, arXiv:2001.03994, alg. 3)."""
    corrupt: float = 0.0
    """Share of training examples with a natural corruption, anew every epoch; which, and how severe, is drawn for each batch."""
    teacher: str | None = None
    """Trained networks whose softened answers are learned beside what is right: files of `torch.export`, such as
    "winner/model.pt2", or "timm:resnet18:weights.safetensors", with commas between several (Hinton et al. 2015,
    arXiv:1503.02531)."""
    teacher_weight: float = 0.7
    """Of the teachers' answers in the loss, beside what is right."""
    temperature: float = 4.0
    """By which logits are divided, so that a teacher tells what is less likely too."""
    gradient_norm: float | None = None
    """Gradients that are longer than this, all taken together, are cut to it (Pascanu et al. 2013, arXiv:1211.5063, alg. 1)."""
    accumulation: int = 1
    """Parts that a batch is trained in one after another, their gradients summed, to save memory. Batch normalisation sees the
    parts; and where positions do not count, such as padding, those of a part with few that do weigh more."""
    ema: float | None = None
    """Decay a step of a running mean of the weights, which is what is validated and kept (Polyak & Juditsky 1992); None for
    none."""
    privacy_noise: float | None = None
    """Training is in private, by DP-SGD (Abadi et al. 2016, arXiv:1607.00133, alg. 1): this times `privacy_clip` is the standard
    deviation of the noise on the summed gradients of a batch, to which each example comes by chance, batch_size in the mean."""
    privacy_epsilon: float | None = None
    """In place of `privacy_noise`: with as much noise as the whole budget needs to spend this ε at most."""
    privacy_delta: float = 1e-5
    """δ at which ε is told; below one of the training examples."""
    privacy_clip: float = 1.0
    """In private, the norm that each example's gradient is cut to."""
    batch_norm: Literal["batch", "group"] = "batch"
    """What stands where the space says batch normalisation; `group` is of each example by itself, 8 channels a group (Wu & He
    2018, arXiv:1803.08494), as private training needs it."""
    patience: int | None = None
    """Training ends after so many epochs without a better first objective on validation data, and the weights of the best
    epoch are kept; None for training to the end."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulation"):
            _check_count("A recipe", name, getattr(self, name))
        if self.patience is not None:
            _check_count("A recipe", "patience", self.patience)
        for name in ("learning_rate", "weight_decay", "l1", "l2", "mixup", "cutmix", "shift"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BenchmarkError(f"A recipe's {name} is at least 0, got {quote(getattr(self, name))}.")
        for name in ("warmup", "erase", "corrupt"):
            if not 0 <= getattr(self, name) <= 1:
                raise BenchmarkError(f"A recipe's {name} is a share from 0 to 1, got {quote(getattr(self, name))}.")
        for name in ("momentum", "label_smoothing", "ema"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) < 1:
                raise BenchmarkError(f"A recipe's {name} is at least 0 and below 1, got {quote(getattr(self, name))}.")
        if self.gradient_norm is not None and not self.gradient_norm > 0:
            raise BenchmarkError(f"A recipe's gradient_norm is above 0, got {quote(self.gradient_norm)}.")
        if not 0 <= self.teacher_weight <= 1:
            raise BenchmarkError(f"A recipe's teacher_weight is a share from 0 to 1, got {quote(self.teacher_weight)}.")
        if not 0 < self.temperature < math.inf:
            raise BenchmarkError(f"A recipe's temperature is above 0, got {quote(self.temperature)}.")
        if self.teacher is None and (self.teacher_weight, self.temperature) != (0.7, 4.0):
            raise BenchmarkError(
                "A recipe's teacher_weight and temperature are those of its teacher; name one, or leave them out."
            )
        if self.adversarial is not None:
            self.attack  # noqa: B018 - which looks at it
        self._check_privacy()
        if self.batch_norm not in {"batch", "group"}:
            raise BenchmarkError(f"A recipe's batch_norm is batch or group, got {quote(self.batch_norm)}.")
        if self.accumulation > self.batch_size:
            raise BenchmarkError(
                f"A batch of {self.batch_size} cannot be trained in {self.accumulation} parts; give accumulation of at most that."
            )

    @property
    def attack(self) -> Attack | None:
        """What it trains against.

        Raises:
            BenchmarkError: `adversarial` names no attack.
        """
        if self.adversarial is None:
            return None
        try:
            found = read_measure(str(self.adversarial)).attack
        except BenchmarkError:
            found = None
        if found is None or found.eps == 0 or found.restarts > 1:
            raise BenchmarkError(
                "A recipe's adversarial is an attack from one start, such as pgd-linf-8/255 or fgsm-linf-0.1, with ε above 0, "
                f"got {quote(self.adversarial)}."
            )
        untold = found.method == "pgd" and self.adversarial.count("-") == 2
        return replace(found, steps=ADVERSARIAL_STEPS) if untold else found

    def _check_privacy(self) -> None:
        for name in ("privacy_noise", "privacy_epsilon", "privacy_clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise BenchmarkError(f"A recipe's {name} is above 0, got {quote(value)}.")
        if not 0 < self.privacy_delta < 1:
            raise BenchmarkError(f"A recipe's privacy_delta lies between 0 and 1, got {quote(self.privacy_delta)}.")
        if self.privacy_noise is not None and self.privacy_epsilon is not None:
            raise BenchmarkError(
                f"Noise follows from ε, got privacy_noise {self.privacy_noise:g} and privacy_epsilon {self.privacy_epsilon:g}; "
                "leave one of them out."
            )
        if self.private:
            for name in ("mixup", "cutmix"):
                if getattr(self, name):
                    raise BenchmarkError(f"In private no example may change another's loss; leave `{name}` out.")
            if self.adversarial is not None:
                raise BenchmarkError("No training is both in private and against attacks; leave `adversarial` out.")
            if self.teacher is not None:
                raise BenchmarkError("In private no teacher may tell what it learned of examples itself; leave `teacher` out.")

    @property
    def private(self) -> bool:
        """Whether it trains in private."""
        return self.privacy_noise is not None or self.privacy_epsilon is not None


ADVERSARIAL_STEPS = 7
"""Of PGD in training, as Madry et al. 2018 train on CIFAR-10."""

YOUNG = (
    *("adversarial", "corrupt", "teacher", "teacher_weight", "temperature"),
    *("privacy_noise", "privacy_epsilon", "privacy_delta", "privacy_clip", "batch_norm"),
)
"""Options of a recipe that are told where they are used alone, so that studies older than them keep their meaning."""

LINEAR = "a linear model"
"""Where a benchmark does not say whose its floor is."""


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
    """What a simple model reaches, by figure."""
    floor_by: str = LINEAR
    """The simple model, as it stands in a sentence."""
    protocol: str = "supervised"
    """How candidates are trained: the name of a training protocol."""
    protocol_options: Mapping[str, Any] = field(default_factory=dict)
    """What the protocol is told, plain data: a pre-training's budget, for example."""
    classes: tuple[str, ...] = ()
    """What the outputs are called, in their order; none where they have no names. They are told to people, and decide nothing."""

    def __post_init__(self) -> None:
        if self.classes and self.signature.output != Features(len(self.classes)):
            raise BenchmarkError(
                f"{self.name}: classes name the outputs one by one, got {len(self.classes)} for {self.signature.output}."
            )
        if self.recipe.private and self.protocol != "supervised":
            raise BenchmarkError(
                f"{self.name}: in private networks learn by supervision alone, got the protocol {self.protocol!r}; leave privacy "
                "out."
            )
        if self.recipe.batch_norm != "batch" and self.protocol != "supervised":
            raise BenchmarkError(
                f"{self.name}: normalisation is replaced where networks learn by supervision alone, got the protocol "
                f"{self.protocol!r}; leave batch_norm out."
            )
        given = self.signature.input
        shapes = [shape for _, shape in given.parts] if isinstance(given, Modalities) else [given]
        for name, words in (("flip", "mirrored"), ("erase", "erased in part")):
            if getattr(self.recipe, name) and not any(isinstance(shape, Image) for shape in shapes):
                raise BenchmarkError(f"{self.name}: only pictures are {words}, got {given}; leave `{name}` out.")
        for name, words in (("shift", "shifted"), ("mixup", "mixed"), ("cutmix", "mixed")):
            moved = [given] if name != "shift" else shapes
            if getattr(self.recipe, name) and all(isinstance(one, Tokens | Query | Features | Modalities) for one in moved):
                raise BenchmarkError(f"{self.name}: pictures, sequences and sounds are {words}, got {given}; leave `{name}` out.")

        if self.recipe.adversarial or self.recipe.corrupt:
            self._check_hardening()

    def _check_hardening(self) -> None:
        """Refuse training on attacked or corrupted examples where there are none; the protocol has a word in it too."""
        recipe, kinds = self.recipe, self.signature.kinds
        if recipe.adversarial and not isinstance(self.signature.input, Image | Sequence | Features):
            raise BenchmarkError(
                f"{self.name}: an attack follows a gradient by the input, got {self.signature.input}, which has none; leave "
                "`adversarial` out."
            )
        if recipe.corrupt and not corruptions_of(kinds):
            raise BenchmarkError(
                f"{self.name}: pictures, sequences, sounds and texts are corrupted, got {self.signature.input}; leave `corrupt` "
                "out."
            )

    def ask_for(self, measures: Iterable[str]) -> tuple[str, ...]:
        """The names of what networks are asked beside the benchmark's figures, as they are kept; see `nas.measures`.

        Raises:
            BenchmarkError: a name is none, or what networks are fed and answer here is not made for it.
        """
        names = tuple(measures)
        if not names:
            return ()
        output = self.signature.output
        classes = output.count if isinstance(output, Features) else None
        return check_measures(names, self.signature.kinds, classes, self.name)

    def given(self, data: Path | None) -> tuple[Any, ...]:
        """What its task's function is called with: the folder that the data lie in, or None."""
        return (data,)

    def words(self, budget: Budget) -> str:
        """What people call a budget of one evaluation."""
        return str(budget)

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON: what is asked, without the names of classes; the plain protocol is not named."""
        data = {**asdict(self), "signature": self.signature.to_data()}
        del data["classes"]
        data["recipe"] = {
            name: value for name, value in data["recipe"].items() if name not in YOUNG or value != getattr(Recipe, name)
        }
        for name in ("protocol", "protocol_options"):
            if data[name] == getattr(Benchmark, name, {}):
                del data[name]
        return data
