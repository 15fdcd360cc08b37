"""Networks of several modalities: they classify, also where one is missing, and their encoders learn to share one space.

    row → without some modalities → encoders → joined ends → fusion → logits → the task's loss
                                                    └→ averaged, compared across modalities → the contrastive loss

What is searched of it stands among a candidate's layers: `modality_dropout`, `shared_space` and, where several networks of
this kind answer together, `own_losses`.

Axes: N examples, F numbers of a row, M modalities, L positions, C channels, D numbers of a vector.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Benchmark, Joined, Modalities, Recipe, Shape
from nas.chance import rand
from nas.device import Precision, send
from nas.errors import BenchmarkError, ModelError, quote
from nas.models import Fork, Part, is_of_training, module_name, steps
from nas.models.layers.members import OwnLosses
from nas.models.layers.modality import Modality, ModalityDropout, SharedSpace, averages
from nas.protocols.retrieval import Recall, belonging
from nas.training import Comparing, Examples, Feed, Method, Protocol, Setup, Task, evaluate
from nas.training.augmentation import augment_rows
from nas.training.meters import Meter

PAIRS = ("example", "class")


@dataclass(frozen=True)
class Encoders:
    """Where in a network those of its modalities end, one after another."""

    layer: str
    """The child of the network that joins their ends."""
    names: tuple[str, ...]
    lengths: tuple[int, ...]
    """Positions of each."""

    def run(self, network: nn.Module, rows_NF: Tensor) -> tuple[Tensor, Tensor]:
        """What the network makes of a batch, and what its encoders do, a vector a modality, (N, M, D)."""
        values, vectors_NMD = rows_NF, None
        for name, layer in network.named_children():
            values = layer(values)
            if name == self.layer:
                vectors_NMD = averages(values, self.lengths)
        assert vectors_NMD is not None  # noqa: S101 - a network is built of the plan in which they were found
        return values, vectors_NMD


def read_modalities(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """The names of the modalities that a network looks at, each once."""
    kinds = (step.placed.kind for step in steps(parts))
    return tuple(dict.fromkeys(kind.name for kind in kinds if isinstance(kind, Modality)))


def find_encoders(parts: tuple[Part, ...]) -> Encoders:
    """The first branches that are joined end to end, each of which looks at one modality.

    Raises:
        ModelError: there are none.
    """
    for part in parts:
        if isinstance(part, Fork) and isinstance(part.gives, Joined):
            read = [read_modalities(branch) for branch in part.branches.values()]
            if all(len(names) == 1 for names in read):
                return Encoders(module_name(part.path), tuple(names[0] for names in read), part.gives.lengths)
    raise ModelError(
        "A shared space needs an encoder of each modality, got none; begin each branch of a `parallel` with a `modality`, and "
        "merge them by `join`."
    )


def find_members(parts: tuple[Part, ...], wanted: Shape) -> str:
    """The child of the network that adds up the answers of its branches.

    Raises:
        ModelError: it does not end in one.
    """
    last = [part for part in parts if not is_of_training(part)][-1]
    if not isinstance(last, Fork) or last.merge != "add" or last.gives != wanted:
        raise ModelError(
            "Losses of their own are for branches that are added up, and the network ends in none; let it end in a `parallel` "
            "that merges by `add`, each branch in a `head`."
        )
    return module_name(last.path)


class Contrastive(Protocol):
    """Classification of several modalities, some of which may be missing, and a space that their encoders share.

    Its one option, `pairs`, says what belongs together in that space: the modalities of one "example", or of all examples of one
    "class". Without a `shared_space` among a candidate's layers it only classifies.
    """

    stackable: ClassVar[bool] = False
    taught: ClassVar[bool] = False
    hardened: ClassVar[bool] = False
    options: ClassVar[Collection[str]] = ("pairs",)

    def __init__(self, setup: Setup) -> None:
        """Look at what is asked for.

        Raises:
            BenchmarkError: the benchmark has one input, or other options.
            ModelError: there is to be a shared space, but there are no encoders.
        """
        super().__init__(setup)
        benchmark = setup.benchmark
        self.check(benchmark)
        self.pairs = benchmark.protocol_options.get("pairs", "example")
        space, dropout = setup.training(SharedSpace), setup.training(ModalityDropout)
        self.space = space if isinstance(space, SharedSpace) and space.weight else None
        self.dropout = dropout.rate if isinstance(dropout, ModalityDropout) else 0.0
        self.read = read_modalities(setup.parts)
        self.encoders = find_encoders(setup.parts) if self.space is not None else None
        own = setup.training(OwnLosses) is not None
        self.members = find_members(setup.parts, benchmark.signature.output) if own else None
        if own and self.space is not None:
            raise ModelError("Members with losses of their own share no space; leave `own_losses` or `shared_space` out.")

    @classmethod
    def check(cls, benchmark: Benchmark) -> None:
        """Look at what the benchmark feeds, and at the option."""
        if not isinstance(benchmark.signature.input, Modalities):
            raise BenchmarkError(
                f"The protocol 'contrastive' is for several modalities, got {benchmark.signature.input} in {benchmark.name}."
            )
        pairs = benchmark.protocol_options.get("pairs", "example")
        if pairs not in PAIRS:
            raise BenchmarkError(
                f"The protocol 'contrastive' has pairs of one 'example' or of one 'class', got {quote(pairs)} in "
                f"{benchmark.name}."
            )

    def measure(self, network: nn.Module, examples: Feed | Examples, split: str) -> dict[str, float]:
        """The figures of a finalist, in full."""
        return self.method().figures(network, examples, split, self.setup.precision, in_full=True)

    def method(self) -> "Comparison":
        """Classification, and comparison in the space."""
        signature = self.setup.benchmark.signature
        assert isinstance(signature.input, Modalities)  # noqa: S101 - as was looked at
        return Comparison(
            self.setup.task,
            self.setup.benchmark.recipe,
            signature.output.axes[-1],
            given=signature.input,
            read=self.read,
            dropout=self.dropout,
            space=self.space,
            encoders=self.encoders,
            members=self.members,
            by_class=self.pairs == "class",
        )


class Comparison(Comparing):
    """The task's loss, and beside it that of pairs that are compared across modalities."""

    whole: ClassVar[bool] = False

    def __init__(
        self,
        task: Task,
        recipe: Recipe,
        classes: int,
        *,
        given: Modalities,
        read: Sequence[str],
        dropout: float = 0.0,
        space: SharedSpace | None = None,
        encoders: Encoders | None = None,
        members: str | None = None,
        by_class: bool = False,
    ) -> None:
        """Of what is `given` the network looks at the modalities that it `read`; `encoders` are needed for a `space`.

        `members` is the child that adds up branches, if each is to learn by itself.
        """
        super().__init__(task, recipe, classes)
        self.given = given
        self.spans = {name: given.span(name) for name in read}
        self.dropout = dropout
        self.space = space
        self.splits = space is None  # then nothing is compared
        self.encoders = encoders
        self.members = members
        self.by_class = by_class

    @property
    def identity(self) -> Mapping[str, Any]:
        """With what decides about the loss."""
        space = self.space.model_dump() if self.space is not None else None
        own = {"members": self.members} if self.members is not None else {}
        return {**super().identity, "dropout": self.dropout, "space": space, "by_class": self.by_class, **own}

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch from which each modality is missing at a rate, but never all of an example."""
        inputs, targets = super().prepare(inputs, targets, chance)
        if not self.dropout or len(self.spans) < 2:
            return inputs, targets
        missing_MN = rand((len(self.spans), len(inputs)), chance, axis=1) < self.dropout
        missing_MN = send(missing_MN & ~missing_MN.all(dim=0), inputs.device)
        inputs = inputs.clone()
        for span, missing_N in zip(self.spans.values(), missing_MN, strict=True):
            inputs[:, span] = inputs[:, span].masked_fill(missing_N[:, None], 0)
        return inputs, targets

    def augmented(self, inputs: Tensor, chance: torch.Generator) -> Tensor:
        """Pictures and sequences of the rows, as the recipe changes them."""
        return augment_rows(inputs, self.given, self.recipe, chance)

    def encode(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Outputs and targets, the vectors in the space, (N, M, D), and which of them there are, (N, M)."""
        assert self.encoders is not None  # noqa: S101 - there is a space
        present_NM = torch.stack([inputs[:, self.spans[name]].ne(0).any(dim=1) for name in self.encoders.names], dim=1)
        outputs, vectors_NMD = self.encoders.run(network, inputs)
        return outputs, targets, vectors_NMD, present_NM

    def compare(self, *encoded: Tensor) -> Tensor:
        """The task's loss and, by its weight, the contrastive one of examples that have both of two modalities."""
        assert self.space is not None  # noqa: S101 - else nothing is compared
        outputs, targets, vectors_NMD, present_NM = encoded
        alike_NN = belonging(targets, by_class=self.by_class)
        compared = contrastive_loss(vectors_NMD, present_NM, alike_NN, self.space.temperature)
        return self.task.loss(outputs, targets, self.recipe.label_smoothing) + self.space.weight * compared

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """What is compared, or without a space the task's, as under supervision.

        Of members that learn apart it is the mean of theirs.
        """
        if self.members is not None:
            losses = [Method.loss(self, member, inputs, targets) for member in Member.of(network, self.members)]
            return torch.stack(losses).mean()
        return Method.loss(self, network, inputs, targets) if self.space is None else super().loss(network, inputs, targets)

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """The task's figures, the same but the loss where one modality is missing, and recall in the space."""
        return self.figures(trained, examples, split, precision, in_full=False)

    def figures(
        self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision, *, in_full: bool
    ) -> dict[str, float]:
        """What is measured; `in_full` with one modality alone, where there are more than two, and with recall by direction."""
        figures = evaluate(trained, self.task, examples, split, precision)
        for told, missing in self._lacking(in_full=in_full).items():
            found = evaluate(Lacking(trained, missing), self.task, examples, split, precision)
            figures |= {f"{name}_{told}": value for name, value in found.items() if name != f"{split}_loss"}
        if self.encoders is not None:
            asked = _Asked(self.task, self.encoders.names, self.by_class, in_full)
            figures |= evaluate(Encoded(trained, self.encoders), asked, examples, split, precision)
        return figures

    def _lacking(self, *, in_full: bool) -> dict[str, list[slice]]:
        """Words for what is missing → the places in a row where it is."""
        if len(self.spans) < 2:
            return {}
        without = {f"without_{name}": [span] for name, span in self.spans.items()}
        alone = {f"with_{name}_alone": [span for other, span in self.spans.items() if other != name] for name in self.spans}
        return without | alone if in_full and len(self.spans) > 2 else without


class Member(nn.Module):
    """A network as it would answer if all branches that its answer is the sum of said what one of them says."""

    def __init__(self, network: nn.Module, members: str, branch: str) -> None:
        """Of the child called `members`, in which the network ends, the branch of that name."""
        super().__init__()
        self.network = network
        self.members = members
        self.branch = branch

    @classmethod
    def of(cls, network: nn.Module, members: str) -> "list[Member]":
        """Each of them."""
        return [cls(network, members, name) for name in network.get_submodule(f"{members}.branches")._modules]

    def forward(self, inputs: Tensor) -> Tensor:
        """What the branch makes of a batch, times the number of branches."""
        for name, layer in self.network.named_children():
            if name == self.members:
                branches = layer.get_submodule("branches")
                answers: Tensor = len(branches._modules) * branches.get_submodule(self.branch)(inputs)
                return answers
            inputs = layer(inputs)
        raise AssertionError(self.members)  # a network is built of the plan in which they were found


def contrastive_loss(vectors_NMD: Tensor, present_NM: Tensor, alike_NN: Tensor, temperature: float) -> Tensor:
    """How badly each example's vector of one modality picks, among the batch's of another, what is alike; a mean, in nats.

    Cross-entropy of a softmax over cosines / `temperature`, in both directions of every two modalities (Radford et al. 2021,
    arXiv:2103.00020, fig. 3; by Oord et al. 2018, arXiv:1807.03748, eq. 4); where several are alike, the mean over them outside
    of the logarithm (Khosla et al. 2020, arXiv:2004.11362, eq. 2). Examples that lack one of the two modalities are left out.
    """
    unit_NMD = functional.normalize(vectors_NMD, dim=-1)
    losses = []
    for asks, answers in permutations(range(vectors_NMD.shape[1]), 2):
        both_N = present_NM[:, asks] & present_NM[:, answers]
        alike = alike_NN[both_N][:, both_N].to(unit_NMD.dtype)
        cosines = unit_NMD[both_N, asks] @ unit_NMD[both_N, answers].T
        picked = (cosines / temperature).log_softmax(dim=1)
        lost = -(picked * alike).sum(dim=1) / alike.sum(dim=1)
        losses.append(lost.sum() / max(1, len(lost)))
    return torch.stack(losses).mean()


class Lacking(nn.Module):
    """A network that is fed rows without what stands in some places."""

    def __init__(self, network: nn.Module, missing: list[slice]) -> None:
        super().__init__()
        self.network = network
        self.missing = missing

    def forward(self, rows_NF: Tensor) -> Tensor:
        """What the network makes of them."""
        rows_NF = rows_NF.clone()
        for span in self.missing:
            rows_NF[:, span] = 0
        outputs: Tensor = self.network(rows_NF)
        return outputs


class Encoded(nn.Module):
    """A network's encoders alone."""

    def __init__(self, network: nn.Module, encoders: Encoders) -> None:
        super().__init__()
        self.network = network
        self.encoders = encoders

    def forward(self, rows_NF: Tensor) -> Tensor:
        """A vector a modality, (N, M, D)."""
        return self.encoders.run(self.network, rows_NF)[1]


@dataclass(frozen=True)
class _Asked:
    """A task whose figures are those of the space."""

    task: Task
    names: tuple[str, ...]
    by_class: bool
    in_full: bool

    def examples(self, split: Any) -> Examples:
        return self.task.examples(split)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        return self.task.loss(outputs, targets, smoothing)

    def meter(self, _: torch.device) -> Meter:
        return Recall(self.names, by_class=self.by_class, by_direction=self.in_full)
