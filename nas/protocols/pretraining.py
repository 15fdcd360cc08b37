"""Pre-train, then fine-tune: a trunk learns from examples without labels, and the whole network then from those with labels.

    trunk + head of the pretext → examples without labels → trunk → trunk + head of the network → labels → the network

What a candidate's pre-training costs stands beside its figures, whether its trunk was trained for it or for one before it:
`train_seconds` are of the labels alone, so that equal candidates have equal figures. With `from_scratch` nothing is pre-trained,
and the network learns from the labels alone, with as many examples through its trunk as both stages would send there: what
pre-training is to be held against.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from nas.benchmark import Benchmark, Budget, Recipe
from nas.device import place
from nas.errors import BenchmarkError, did_you_mean, quote
from nas.models.costing import total
from nas.models.layers.fine_tuning import FineTuning
from nas.models.sameness import identify
from nas.protocols.adapting import Tuned
from nas.protocols.pretext import Pretext, Source, Trunk, make_pretext
from nas.protocols.trunks import Learned, Trunks, key_of
from nas.records import versions
from nas.training import Feed, Protocol, Setup, Split, Stage, as_feed, digest_sources, feed, steps_within

STAGE = "pre-training"

OF_LABELS = ("patience", "adversarial", "corrupt", "teacher", "teacher_weight", "temperature")
"""Options of a benchmark's recipe that are of the fine-tuning alone."""


class Options(BaseModel):
    """What a benchmark's `protocol_options` say of a pre-training."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    pretext: str
    """What is learned without labels, by its name in `nas.pretexts`."""
    options: Mapping[str, Any] = Field(default_factory=dict)
    """Of the pretext."""
    epochs: Annotated[int, Field(ge=1)]
    """Passes over the examples without labels, at most."""
    fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of them that is used, the first ones."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Of the optimiser, at most."""
    recipe: Mapping[str, Any] = Field(default_factory=dict)
    """Where it differs from the benchmark's, which is the fine-tuning's."""
    from_scratch: bool = False
    """Whether the labels alone are learned from, as long as pre-training and fine-tuning would take together."""

    @classmethod
    def read(cls, data: Mapping[str, Any], name: str) -> Self:
        """The options of the benchmark `name`.

        Raises:
            BenchmarkError: one is missing or wrong.
        """
        try:
            return cls(**data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            option = str(first["loc"][0])
            seen = "" if first["type"] == "missing" else f", got {quote(first['input'])}"
            raise BenchmarkError(f"{name}: {option} of the pre-training: {first['msg']}{seen}.") from None

    @property
    def budget(self) -> Budget:
        """Of the pre-training."""
        return Budget(epochs=self.epochs, fraction=self.fraction, steps=self.steps)

    def recipe_of(self, benchmark: str, recipe: Recipe) -> Recipe:
        """The pre-training's, where the fine-tuning's is `recipe`.

        Nothing waits for a figure of labels or asks a teacher in it, and examples stay as they are, so that whatever labels are
        learned from, the trunk is the same.

        Raises:
            BenchmarkError: it has something that no recipe has, or changes examples.
        """
        known = [one.name for one in fields(Recipe)]
        for name in self.recipe:
            if name not in known:
                raise BenchmarkError(f"{benchmark}: a recipe has no {quote(name)}. {did_you_mean(name, known)}")
        for name in ("adversarial", "corrupt", "teacher"):
            if self.recipe.get(name):
                raise BenchmarkError(
                    f"{benchmark}: a pre-training takes examples as they are and has no teacher, got {name} {self.recipe[name]}; "
                    "leave it out of its recipe. In the benchmark's own it is of the fine-tuning."
                )
        return replace(recipe, **{**{name: getattr(Recipe, name) for name in OF_LABELS}, **self.recipe})


class FineTune(Protocol):
    """One stage: a trunk whose weights others have trained learns on with labels, as the candidate's `fine_tuning` says."""

    stackable: ClassVar[bool] = False
    ends_plain: ClassVar[bool] = True

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        tuning = setup.training(FineTuning)
        self.tuning = tuning if isinstance(tuning, FineTuning) else FineTuning()

    @cached_property
    def trunk(self) -> Trunk:
        """What is pre-trained of the candidate's plan."""
        return Trunk.of(self.setup.parts, self.setup.benchmark.signature.input)

    def stages(self, network: nn.Module) -> Iterator[Stage]:
        """The fine-tuning."""
        assert isinstance(network, nn.Sequential)  # noqa: S101 - as networks are built
        yield self.fine_tuning(network)

    def fine_tuning(self, network: nn.Sequential) -> Stage:
        """The training with labels, of what the candidate lets learn."""
        tuned = Tuned(self.trunk.within(network), self.trunk.beyond(network), self.tuning)

        def ended(_: Mapping[str, float], seconds: float) -> None:
            tuned.finish()
            self.figures["train_seconds"] = seconds

        setup = self.setup
        (last,) = Protocol.stages(self, network)
        classes = setup.benchmark.signature.output.axes[-1]
        return replace(last, method=tuned.method(setup.task, setup.benchmark.recipe, classes), ended=ended)


class PretrainThenFineTune(FineTune):
    """Two stages: a pretext on examples without labels, then the task on those with labels."""

    options: ClassVar[Collection[str]] = tuple(Options.model_fields)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.asked = Options.read(setup.benchmark.protocol_options, setup.benchmark.name)
        self.pretext: Pretext = make_pretext(self.asked.pretext, self.asked.options)
        self.recipe = self.asked.recipe_of(setup.benchmark.name, setup.benchmark.recipe)

    @classmethod
    def check(cls, benchmark: Benchmark) -> None:
        """Read the options, the pretext's and the recipe's among them."""
        options = Options.read(benchmark.protocol_options, benchmark.name)
        make_pretext(options.pretext, options.options)
        options.recipe_of(benchmark.name, benchmark.recipe)

    @cached_property
    def sources(self) -> dict[Split, Source]:
        """Examples without labels."""
        return {
            "train": self.pretext.examples(self.setup, "train"),
            "validation": self.pretext.examples(self.setup, "validation"),
        }

    def costs(self) -> Mapping[str, float]:
        """FLOPs of the pre-training: three forward passes an example (see `Budget.flops`)."""
        if self.asked.from_scratch:
            return {}
        return {"pretrain_flops": 3.0 * self.pretext.forward_flops(self.trunk) * self.seen}

    @cached_property
    def seen(self) -> float:
        """Examples of all steps of the pre-training."""
        count = max(1, round(self.asked.fraction * len(self.sources["train"])))  # type: ignore[arg-type]
        per_epoch = math.ceil(count / self.recipe.batch_size)
        steps = steps_within(self.asked.budget, per_epoch, count / per_epoch, None)
        return float(steps * count / per_epoch)

    def stages(self, network: nn.Module) -> Iterator[Stage]:
        """The pre-training, unless there is to be none, and the fine-tuning."""
        assert isinstance(network, nn.Sequential)  # noqa: S101 - as networks are built
        if self.asked.from_scratch:
            yield self.from_scratch(network)
            return
        yield self.pretraining(network)
        yield self.fine_tuning(network)

    def pretraining(self, network: nn.Sequential) -> Stage:
        """The trunk's training without labels; where the trunk is kept already, nothing is to be trained."""
        setup, device = self.setup, next(network.parameters()).device
        body = self.trunk.within(network)
        key = self.key(body)
        kept = Trunks(setup.store) if setup.store is not None and key is not None else None

        @contextmanager
        def needed() -> Iterator[bool]:
            if kept is None or key is None:
                yield True
                return
            with kept.at_work(key):
                learned = kept.read(key, body)
                if learned is not None:
                    self.tell(learned, f"The trunk was pre-trained for a candidate before this one, and is used again ({key}).")
                yield learned is None

        def ended(figures: Mapping[str, float], seconds: float) -> None:
            learned = Learned(seconds, dict(figures))
            where = "and not kept, so that it serves this candidate alone"
            if kept is not None and key is not None:
                try:
                    kept.write(key, body, learned)
                    where = f"and kept ({key})"
                except OSError as error:
                    where = f"and could not be kept ({error.strerror})"
            self.tell(learned, f"The trunk was pre-trained for this candidate, {where}.")

        return Stage(
            name=STAGE,
            trained=place(self.pretext.module(self.trunk, body), device),
            method=self.pretext.method(self.trunk, setup, self.recipe),
            training=feed(self.sources["train"], device),
            validation=feed(self.sources["validation"], device),
            budget=self.asked.budget,
            forward_flops=self.pretext.forward_flops(self.trunk),
            needed=needed,
            ended=ended,
        )

    def key(self, body: nn.Sequential) -> str | None:
        """What names the trunk that comes out; None where the data cannot be told from others."""
        data = digest_sources(self.sources)
        if data is None:
            return None
        setup, given = self.setup, self.asked.model_dump(mode="json", exclude={"from_scratch"})
        decided_by = {
            "trunk": identify(self.trunk.parts, setup.benchmark.signature),
            "pre-training": {**given, "recipe": asdict(self.recipe)},
            "data": data,
            "seed": setup.seed,
            "precision": setup.precision,
            "device": next(body.parameters()).device.type,
            "versions": versions(),
        }
        if setup.processes > 1:  # whose sums are rounded otherwise
            decided_by["processes"] = setup.processes
        return key_of(body, decided_by)

    def tell(self, learned: Learned, note: str) -> None:
        """Join what the pre-training came to to the candidate's figures."""
        self.figures["pretrain_seconds"] = learned.seconds
        self.figures |= {f"pretrain_{name}": value for name, value in learned.figures.items()}
        self.notes.append(note)

    def from_scratch(self, network: nn.Sequential) -> Stage:
        """The training with labels alone, which are gone over so many times in each epoch that as many examples go through the
        trunk as in both stages.

        All of the network learns, at one rate: what to keep of a pre-training has no meaning here.
        """
        (last,) = Protocol.stages(self, network)
        setup, device = self.setup, next(network.parameters()).device
        labelled = as_feed(last.training, device).first(last.budget.fraction)
        per_epoch = math.ceil(len(labelled) / setup.benchmark.recipe.batch_size)
        size = len(labelled) / per_epoch
        steps = steps_within(last.budget, per_epoch, size, total(setup.parts).flops)
        times = 1 + math.ceil(self.pretext.passes * self.seen / (steps * size))
        self.notes.append(
            f"It was trained from scratch, {times:,} times as long as it is fine-tuned: as long as both stages take."
        )
        bounds = {
            name: value * times for name in ("steps", "flops", "seconds") if (value := getattr(last.budget, name)) is not None
        }
        return replace(last, training=Repeated(labelled, times), budget=replace(last.budget, fraction=1.0, **bounds))


@dataclass(frozen=True)
class Repeated:
    """A feed that gives its examples several times over in each epoch."""

    once: Feed
    times: int

    @property
    def kind(self) -> Literal["memory", "stream"]:
        """As once."""
        return self.once.kind

    def __len__(self) -> int:
        return len(self.once) * self.times

    def first(self, fraction: float) -> Self:
        """The first `fraction` of what there is once."""
        return type(self)(self.once.first(fraction), self.times)

    def batches(self, picked: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of each of `picked`."""
        return self.once.batches([numbers % len(self.once) for numbers in picked])
