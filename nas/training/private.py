"""Training in private: DP-SGD (Abadi et al. 2016, arXiv:1607.00133, alg. 1), and what it has spent.

    each example comes into a batch with chance q → its own gradient is cut to the norm C → they are summed → noise of deviation
    σC is added → the sum is divided by the examples that are expected, qn

What the accountant assumes is what is done: batches are drawn by Poisson sampling, each example for itself, so that they differ
in size and may be empty; two sets of data are neighbours where one has one example more (Mironov et al. 2019, arXiv:1908.10530).
ε and δ are of the training examples, for one training whose weights after all steps are seen; examples of validation, and what
was learned of the training examples by comparing several trainings, are not in them. Noise follows from the seed: towards whoever
knows the seed nothing is private.

Gradients of single examples come by opacus' rules for layers where these are right for the network, which is tried on two
examples; else examples pass through it one after another.

Axes: N examples, P numbers of a weight.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from nas.device import Precision
from nas.errors import BenchmarkError
from nas.training.comparing import Comparing
from nas.training.method import Loss, Method
from nas.training.ranks import Ranks
from nas.training.stepping import Stepper, Whole, moved_by

CLOSE = 1e-3
"""Share of the largest number of a gradient by which opacus' may differ from one that is taken of the example alone."""

WAY_OUT = "--recipe batch_norm=group"

NAMED = 2
"""Layers that a message names."""


def make_stepper(model: nn.Module, method: Method, precision: Precision = "float32", ranks: Ranks | None = None) -> Stepper:
    """What trains `model` as the method's recipe says, in private or not.

    Raises:
        BenchmarkError: it cannot be trained so.
    """
    made = PrivateStepper if method.recipe.private else Stepper
    return made(model, method, precision, ranks)


def unserved(model: nn.Module) -> str:
    """Why `model` cannot be trained in private: its layers in which examples see each other, by name; empty where it has none."""
    normed = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
    found = [
        f"{name} ({type(module).__name__})"
        for name, module in model.named_modules()
        if isinstance(module, normed) and (isinstance(module, normed[0]) or module.track_running_stats)
    ]
    if not found:
        return ""
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return (
        f"Batches are normalised by {', '.join(found[:NAMED])}{more}, and in private no example may see another; give "
        f"{WAY_OUT}, or choices without batch normalisation."
    )


@lru_cache(maxsize=64)
def noise_for(epsilon: float, delta: float, chance: float, steps: int) -> float:
    """σ with which `steps` spend ε at most, by opacus' accountant of Rényi divergences.

    Raises:
        BenchmarkError: no noise does.
    """
    _opacus()
    from opacus.accountants.utils import get_noise_multiplier

    try:
        with _quiet():
            return float(
                get_noise_multiplier(
                    target_epsilon=epsilon, target_delta=delta, sample_rate=chance, steps=steps, accountant="rdp"
                )
            )
    except ValueError as error:
        raise BenchmarkError(
            f"No noise lets {steps:,} steps spend ε {epsilon:g} at most, where each example is in a batch with chance "
            f"{chance:.3g}; give a larger privacy_epsilon or fewer epochs."
        ) from error


def epsilon_of(noise: float, chance: float, steps: int, delta: float) -> float:
    """ε that `steps` have spent at δ, by opacus' accountant of Rényi divergences."""
    if not steps:
        return 0.0
    _opacus()
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    accountant.history = [(noise, chance, steps)]
    with _quiet():
        return float(accountant.get_epsilon(delta))


class PrivateStepper(Stepper):
    """Trains in private, a batch at a time."""

    def __init__(self, model: nn.Module, method: Method, precision: Precision = "float32", ranks: Ranks | None = None) -> None:
        """Make ready for the first step.

        Raises:
            BenchmarkError: `model` has layers in which examples see each other, or is trained in a way that no accountant knows.
        """
        super().__init__(model, method, precision, ranks)
        _opacus()
        if reason := unserved(model):
            raise BenchmarkError(reason)
        if precision != "float32" or not self.ranks.alone:
            raise BenchmarkError("Private training is in float32 and by one process; leave precision and processes out.")
        if len(self.optimizers) > 1 or isinstance(method, Comparing) or not method.splits:
            raise BenchmarkError("Private training is of one network by its examples one by one; choose another protocol.")
        self.weights = [weight for weight in moved_by(self.optimizer) if weight.requires_grad]
        self.expected = float(self.recipe.batch_size)
        """Examples of a batch in the mean."""
        self.chance = 1.0
        """With which an example is in a batch."""
        self.noise = self.recipe.privacy_noise or 1.0
        self.by_rules: bool | None = None
        """Whether opacus' rules serve the network; None before that was tried."""
        self._rules: Any = None

    def settle(self, examples: int, steps: int) -> None:
        """Of so many examples to train on, and so many steps in all, the chance and the noise.

        Raises:
            BenchmarkError: δ is no less than what gives an example away, or no noise is enough.
        """
        recipe = self.recipe
        if recipe.privacy_delta >= 1 / examples:
            raise BenchmarkError(
                f"A privacy_delta lies below 1/{examples:,}, one of the training examples, got {recipe.privacy_delta:g}; with "
                "more a training that publishes an example would be private."
            )
        self.chance = min(1.0, recipe.batch_size / examples)
        self.expected = self.chance * examples
        if recipe.privacy_epsilon is not None:
            self.noise = noise_for(recipe.privacy_epsilon, recipe.privacy_delta, self.chance, steps)

    def deal(self, examples: int, batches: int, generator: torch.Generator) -> Sequence[Tensor]:
        """Batches of an epoch by Poisson sampling: each example is in each with the same chance, for itself."""
        return [torch.rand(examples, generator=generator).lt(self.chance).nonzero().squeeze(1) for _ in range(batches)]

    def __call__(self, inputs: Tensor, targets: Tensor, of: int | None = None) -> Tensor:
        """One step on a batch, which may be empty; returns the mean loss, 0 of no example."""
        return super().__call__(inputs, targets, of or len(targets) or 1)

    def curb(self, part: str = "") -> None:
        """Add noise to the summed gradients, divide by the expected examples; what follows looks at no example."""
        for weight in self.weights:
            assert weight.grad is not None  # noqa: S101 - `_gradients` has set it
            weight.grad.add_(torch.randn_like(weight.grad), alpha=self.noise * self.recipe.privacy_clip).div_(self.expected)
        super().curb(part)

    def spent(self) -> Mapping[str, float]:
        """ε and δ of all steps so far, those before an interruption too."""
        delta = self.recipe.privacy_delta
        epsilon = epsilon_of(self.noise, self.chance, self.steps, delta)
        return {"privacy_epsilon": epsilon, "privacy_delta": delta}

    def close(self) -> None:
        """Take out of the network what opacus has put into it, and note what was done."""
        if self._rules is not None:
            self._rules.remove_hooks()
            for weight in self.model.parameters():
                for name in ("grad_sample", "_forward_counter", "_current_grad_sample"):
                    if hasattr(weight, name):
                        delattr(weight, name)
            self._rules = None
        epsilon = self.spent()["privacy_epsilon"]
        how = "by opacus' rules" if self.by_rules else "one example after another"
        self.notes.append(
            f"In private: ε {epsilon:.4g} at δ {self.recipe.privacy_delta:g} for {self.steps:,} steps of Poisson sampling with "
            f"chance {self.chance:.4g}, noise {self.noise:.4g} times the clipping norm {self.recipe.privacy_clip:g}, by opacus' "
            f"RDP accountant; gradients {how}. Choosing between trainings is not in it."
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """As a stepper's, and how gradients are taken."""
        tensors, data = super().state()
        return tensors, {**data, "by_rules": self.by_rules}

    def restore(self, tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken."""
        super().restore(tensors, data)
        self.by_rules = data["by_rules"]

    def _gradients(self, loss: Loss, inputs: Tensor, targets: Tensor, whole: Whole) -> Tensor:  # noqa: ARG002 - they are summed
        """Set the gradients to the sum of those of single examples, each cut to the clipping norm; returns the mean loss."""
        self._forget()
        if self.by_rules is None and len(targets):
            self.by_rules = targets.ndim == 1 and self._rules_hold(loss, inputs[:2], targets[:2])
        sums = [torch.zeros_like(weight) for weight in self.weights]
        total = torch.zeros((), device=self.device)
        for some, wanted in zip(inputs.tensor_split(self.parts), targets.tensor_split(self.parts), strict=True):
            if not len(wanted):
                continue
            taken = self._by_rules(loss, some, wanted) if self.by_rules else self._one_by_one(loss, some, wanted)
            for mean, of_examples in taken:
                self._add(sums, of_examples)
                total += mean
        for one, summed in zip(self.weights, sums, strict=True):
            one.grad = summed
        return total / max(1, len(targets))

    def _add(self, sums: Sequence[Tensor], of_examples: Sequence[Tensor]) -> None:
        """Add gradients (N, P…) to the sums, each example's cut to the clipping norm over all weights."""
        norms_N = torch.stack([part.flatten(1).norm(dim=1) for part in of_examples]).norm(dim=0)
        shares_N = (self.recipe.privacy_clip / norms_N.clamp(min=1e-12)).clamp(max=1.0)
        for summed, part in zip(sums, of_examples, strict=True):
            summed.add_(torch.einsum("n,n...->...", shares_N, part))

    def _one_by_one(self, loss_of: Loss, inputs: Tensor, targets: Tensor) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """Of each example its loss, and the gradient of it, with an axis of one example."""
        for n in range(len(targets)):
            loss = loss_of(self.model, inputs[n : n + 1], targets[n : n + 1])
            found = torch.autograd.grad(loss, self.weights, allow_unused=True)
            yield (
                loss.detach(),
                [
                    (torch.zeros_like(weight) if one is None else one).unsqueeze(0)
                    for weight, one in zip(self.weights, found, strict=True)
                ],
            )

    def _by_rules(self, loss_of: Loss, inputs: Tensor, targets: Tensor) -> Iterator[tuple[Tensor, list[Tensor]]]:
        """The sum of the losses, and the gradients of all examples at once."""
        self._attach()
        loss = loss_of(self.model, inputs, targets)
        with warnings.catch_warnings():  # of inputs that need no gradient, and of a number format that is the plain one
            warnings.filterwarnings("ignore", message="Full backward hook is firing|In .* autocast, but the target dtype")
            loss.backward()  # type: ignore[no-untyped-call]
        found = [_taken(weight, len(targets)) for weight in self.weights]
        yield loss.detach() * len(targets), found

    def _attach(self) -> None:
        """Let opacus watch the layers."""
        if self._rules is None:
            from opacus.grad_sample import GradSampleModule

            for module in self.model.modules():
                if getattr(module, "inplace", False) is True:  # watched outputs must not be written over
                    module.inplace = False  # type: ignore[assignment]  # of those that have it
            with _quiet():
                self._rules = GradSampleModule(self.model, batch_first=True, loss_reduction="mean", strict=False)

    def _rules_hold(self, loss: Loss, inputs: Tensor, targets: Tensor) -> bool:
        """Whether opacus gives the gradients that examples have by themselves, with chance in the network left out.

        It does not where a layer uses its weights in ways that no hook sees, or treats something else than examples as a batch.
        """
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), _without_chance(self.model), _quiet():
            alone = [gradients for _, gradients in self._one_by_one(loss, inputs, targets)]
            try:
                ((_, together),) = self._by_rules(loss, inputs, targets)
            except Exception:  # opacus raises what it likes where it has no rule
                together = []
            self._forget()
        wanted = [torch.cat(parts) for parts in zip(*alone, strict=True)]
        hold = len(together) == len(wanted) and all(
            one.shape == other.shape and (one - other).abs().max() <= CLOSE * other.abs().max() + 1e-7
            for one, other in zip(together, wanted, strict=True)
        )
        if not hold and self._rules is not None:
            self._rules.remove_hooks()
            self._rules = None
        return hold


def _taken(weight: Tensor, count: int) -> Tensor:
    """The gradients of `count` examples that opacus left at `weight`, and none is left there."""
    found: Any = getattr(weight, "grad_sample", None)
    weight.grad_sample = None  # type: ignore[attr-defined]  # opacus' own
    weight.grad = None
    if found is None:
        return weight.new_zeros((count, *weight.shape))
    return sum(found) if isinstance(found, list) else found  # type: ignore[return-value]


@contextmanager
def _without_chance(model: nn.Module) -> Iterator[None]:
    """`model` in training mode, without what drops something out."""
    dropping = [one for one in model.modules() if "Drop" in type(one).__name__ and one.training]
    for one in dropping:
        one.training = False
    try:
        yield
    finally:
        for one in dropping:
            one.training = True


@contextmanager
def _quiet() -> Iterator[None]:
    """Without opacus' advice: where its grid of orders ends, ε is larger than need be, and still holds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opacus() -> None:
    """See that opacus is there.

    Raises:
        BenchmarkError: it is not.
    """
    try:
        import opacus  # noqa: F401 - what is asked
    except ImportError as error:
        raise BenchmarkError("Private training needs opacus; pip install 'nas-harness[private]'.") from error
