"""One batch moves the weights: forward, loss, backward, clip, step, once for each move; in parts where memory asks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from nas.device import Precision, autocast, is_out_of_memory, release, scaler
from nas.errors import BenchmarkError
from nas.training.comparing import Comparing
from nas.training.method import Loss, Method, Move
from nas.training.optimizing import pull_to_zero
from nas.training.ranks import Ranks

MOST_HALVINGS = 6
"""Times that a batch which does not fit into memory is halved."""


@dataclass(frozen=True)
class Whole:
    """A batch of which a part is here."""

    examples: int
    counted: Tensor | None
    """What its method counts in it; None where parts weigh by their examples."""


class Stepper:
    """Trains `model` in place, a batch at a time."""

    def __init__(
        self,
        model: nn.Module,
        method: Method,
        precision: Precision = "float32",
        ranks: Ranks | None = None,
    ) -> None:
        """Make ready for the first step.

        Raises:
            BenchmarkError: the recipe names an optimiser that there is not, or parts of batches that the method cannot have.
        """
        self.model = model
        self.method = method
        self.recipe = recipe = method.recipe
        if recipe.accumulation > 1 and not method.splits:
            raise BenchmarkError(
                f"Examples of a batch are compared with each other, so that it cannot be trained in {recipe.accumulation} parts; "
                "leave accumulation out."
            )
        self.precision = precision
        self.device = next(model.parameters()).device
        self.ranks = ranks or Ranks()
        if not method.splits and not isinstance(method, Comparing) and not self.ranks.alone:
            raise BenchmarkError(
                f"Examples of a batch are compared with each other, so that {self.ranks.size} processes cannot share it; "
                f"train by one, or make {type(method).__name__} a nas.training.Comparing."
            )
        self.called: nn.Module = model
        """What is called in the model's place in training; may be changed between two steps."""
        self.optimizers = dict(method.optimizers(model))
        self.scaler = scaler(self.device, precision)
        self.average = ModelEmaV3(model, decay=recipe.ema, use_warmup=True) if recipe.ema is not None else None
        pulls = bool(recipe.l1 or recipe.l2)
        self.pulled = {
            part: [weight for weight in moved_by(optimizer) if weight.ndim > 1] if pulls else []
            for part, optimizer in self.optimizers.items()
        }
        self.steps = 0
        """That were taken."""
        self.parts = recipe.accumulation
        """That each batch is trained in, one after another."""
        self.notes: list[str] = []
        """When batches were halved."""

    def settle(self, examples: int, steps: int) -> None:
        """Hear of how many examples it trains on, and of how many steps there are in all, before the first."""

    def deal(self, examples: int, batches: int, generator: torch.Generator) -> Sequence[Tensor]:
        """The epoch's batches as numbers of examples, in an order that is drawn: each example is in one of them.

        They are of equal size but for one: a last batch of a single example would stop batch normalisation.
        """
        return torch.randperm(examples, generator=generator).tensor_split(batches)

    def spent(self) -> Mapping[str, float]:
        """Figures of what the steps so far have spent, beside time."""
        return {}

    def close(self) -> None:
        """Leave the network as an ordinary one, after the last step."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The first."""
        return next(iter(self.optimizers.values()))

    @property
    def validated(self) -> nn.Module:
        """What is validated, and kept in the end: the model, or the running mean of its weights."""
        return self.average.module if self.average is not None else self.model

    def __call__(self, inputs: Tensor, targets: Tensor, of: int | None = None) -> Tensor:
        """One step on a batch, or on this process's part of a batch `of` so many; returns the last move's mean loss, detached.

        Gradients are those of the batch's loss, wherever its examples are: parts weigh by their examples, or by what the method
        counts in them, and where examples are compared, they are compared with all. Batch normalisation sees the part.

        A batch that does not fit into memory is trained in halves, their gradients summed; MOST_HALVINGS times at most.
        """
        loss = torch.zeros((), device=self.device)
        for move in self.method.moves(self.steps):
            before, loss = loss, self._fit_in(move, inputs, targets, of or len(targets))
            loss = loss + 0 * before  # so that a loss that is not finite is seen, whosever it is
            self.curb(move.part)
            self.scaler.step(self.optimizers[move.part])
            self.scaler.update()
        self.follow()
        return loss

    def curb(self, part: str = "") -> None:
        """Make of the loss's gradients those that the part's optimiser is given."""
        optimizer, pulled = self.optimizers[part], self.pulled[part]
        if pulled or self.recipe.gradient_norm is not None:
            self.scaler.unscale_(optimizer)
        if pulled:
            pull_to_zero(pulled, self.recipe)
        if self.recipe.gradient_norm is not None:
            nn.utils.clip_grad_norm_(moved_by(optimizer), self.recipe.gradient_norm)

    def follow(self) -> None:
        """Note that the optimiser has taken its step, and take the weights' running mean along."""
        self.steps += 1
        if self.average is not None:
            self.average.update(self.model, step=self.steps)

    def _fit_in(self, move: Move, inputs: Tensor, targets: Tensor, of: int) -> Tensor:
        loss = torch.zeros((), device=self.device)
        while True:
            well = True
            whole = Whole(of, self._counted(targets))
            try:
                loss = self._gradients(move.loss, inputs, targets, whole)
            except Exception as error:
                if not is_out_of_memory(error) or not self._may_halve(of // self.ranks.size):
                    raise
                well = False
            if self.ranks.add_up(self.model, well=well):
                return loss
            # Out of the handler, so that nothing holds the frames of the failed pass, and what they hold.
            self._forget()
            release(self.device)
            self.parts *= 2
            self.notes.append(f"Out of memory at step {self.steps + 1}: batches are trained in {self.parts} parts.")

    def _may_halve(self, count: int) -> bool:
        """Whether `count` examples, the least that a process has, can be trained in twice the parts, of two at least."""
        return self.method.splits and self.parts * 2 <= min(count // 2, self.recipe.accumulation << MOST_HALVINGS)

    def _forget(self) -> None:
        """Free all gradients, also those that a move's loss has of parts that it does not move."""
        self.model.zero_grad(set_to_none=True)

    def _counted(self, targets: Tensor) -> Tensor | None:
        """What the method counts in the whole batch; None where parts weigh by their examples, or there are none."""
        if self.ranks.alone and self.parts == 1:
            return None
        counted = self.method.counted(targets)
        return None if counted is None else self.ranks.total(counted).clamp(min=1)

    def _gradients(self, loss_of: Loss, inputs: Tensor, targets: Tensor, whole: Whole) -> Tensor:
        """Set the gradients to those that this process has of the whole batch's loss.

        Returns the mean loss of the part, so that the mean over all examples is that of the batch.
        """
        self._forget()  # first, so that old gradients do not stand beside activations
        if isinstance(self.method, Comparing) and not (self.method.splits or self.ranks.alone):
            return self._compared(self.method, inputs, targets, whole)
        loss = torch.zeros((), device=self.device)
        if not len(targets):  # of a batch smaller than there are processes
            return loss
        if self.parts == 1 and whole.counted is None:
            return self._backward(loss_of, inputs, targets, len(targets) / whole.examples)
        for some, wanted in zip(inputs.tensor_split(self.parts), targets.tensor_split(self.parts), strict=True):
            if len(wanted):
                weight = self._weight(wanted, whole)
                loss += weight * self._backward(loss_of, some, wanted, weight)
        return loss * (whole.examples / len(targets))

    def _weight(self, targets: Tensor, whole: Whole) -> float | Tensor:
        """The share of the whole batch's loss that is of these."""
        counted = self.method.counted(targets)
        return len(targets) / whole.examples if counted is None or whole.counted is None else counted / whole.counted

    def _backward(self, loss_of: Loss, inputs: Tensor, targets: Tensor, weight: float | Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            loss = loss_of(self.called, inputs, targets)
        scaled = loss if isinstance(weight, float) and weight == 1 else loss * weight
        self.scaler.scale(scaled).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _compared(self, method: Comparing, inputs: Tensor, targets: Tensor, whole: Whole) -> Tensor:
        """Each process finds the loss of the whole batch, and of its gradients those through its part."""
        with autocast(self.device, self.precision):
            encoded = method.encode(self.called, inputs, targets) if len(targets) else ()
            loss = method.compare(*self.ranks.gather(encoded, whole.examples, self.device))
        if len(targets):
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that decides about the next step, as named tensors (the stepper's own) and as plain data."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{name}": value for name, value in self.average.module.state_dict().items()}
        tensors |= {f"method.{name}": value for name, value in self.method.kept.items()}
        moved: dict[str, Any] = {}
        for part, optimizer in self.optimizers.items():
            plain: dict[str, dict[str, Any]] = {}
            for number, held in optimizer.state_dict()["state"].items():
                for name, value in held.items():
                    if isinstance(value, Tensor):
                        tensors[f"optimizer{part}.{number}.{name}"] = value
                    else:
                        plain.setdefault(str(number), {})[name] = value
            groups = [dict(_numbers(group)) for group in optimizer.param_groups]  # some of timm's optimisers count steps there
            moved[part] = {"state": plain, "groups": groups}
        data = {"optimizers": moved, "scaler": self.scaler.state_dict()}
        return tensors, {**data, "steps": self.steps, "parts": self.parts, "notes": list(self.notes)}

    def restore(self, tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self.model.load_state_dict(group_of(tensors, "model"))
        if self.average is not None:
            self.average.module.load_state_dict(group_of(tensors, "average"))
        self.method.kept.update(group_of(tensors, "method"))
        for part, optimizer in self.optimizers.items():
            moved = data["optimizers"][part]
            held: dict[int, dict[str, Any]] = {int(number): dict(values) for number, values in moved["state"].items()}
            for name, value in group_of(tensors, f"optimizer{part}").items():
                number, _, key = name.partition(".")
                held.setdefault(int(number), {})[key] = value
            groups = [group | saved for group, saved in zip(optimizer.state_dict()["param_groups"], moved["groups"], strict=True)]
            optimizer.load_state_dict({"state": held, "param_groups": groups})
        self.scaler.load_state_dict(data["scaler"])
        self.steps, self.parts, self.notes = data["steps"], data["parts"], list(data["notes"])


def moved_by(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """All that it moves."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _numbers(group: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in group.items():
        if isinstance(value, int | float):
            yield name, value
        elif isinstance(value, Tensor) and value.ndim == 0:
            yield name, value.item()


def group_of(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `group` and a point, by what follows it."""
    return {name.removeprefix(f"{group}."): value for name, value in tensors.items() if name.startswith(f"{group}.")}
