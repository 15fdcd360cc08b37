"""One network trained by one recipe: the loop in plain PyTorch, and the learning curve that comes out.

    the epoch's order → batch → augment → step → … → validate → report

Equal seeds give equal weights, bit for bit on a CPU. All that decides what comes next is in `Loop.state`, so that a training
that was stopped anywhere goes on as if it had not been.
"""

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nas.benchmark import Budget, Objective
from nas.device import Precision, random_states, seeded, set_random_states, synchronize
from nas.errors import BenchmarkError
from nas.records import Epoch
from nas.training.feeding import Feed, as_feed
from nas.training.method import Method
from nas.training.optimizing import Schedule
from nas.training.private import make_stepper
from nas.training.ranks import Ranks
from nas.training.stepping import Stepper, group_of
from nas.training.task import Examples

LOOK_EVERY = 16
"""Steps between two looks at the losses where a look waits for a device."""

Report = Callable[[Epoch], bool]
"""Told every epoch; answers whether training shall stop here."""

Batch = tuple[Tensor, Tensor, int]
"""Inputs and targets on the device, and of how many examples the batch is in all processes."""

OnStep = Callable[["Loop"], None]
"""Called after every step; may write the loop's state down."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What training came to."""

    curve: Sequence[Epoch]
    ended: Literal["complete", "pruned", "diverged"]
    seconds: float
    """Wall-clock time of the training steps; validation is not in it."""
    steps: int
    """Of the optimiser."""
    figures: Mapping[str, float]
    """Validation figures of the weights that came out: the last epoch's, or the best's where the recipe has patience."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures should know: batches that were halved, an early end."""
    problem: str = ""
    """What was not finite, and when; empty but where it has diverged."""
    spent: Mapping[str, float] = field(default_factory=dict)
    """Figures of what the steps have spent beside time: ε and δ of a training in private."""


@dataclass
class Position:
    """Where a training stands, as plain data."""

    epoch: int = 1
    batch: int = 0
    """Batches of the epoch that are done."""
    seen: int = 0
    """Examples of the epoch that are done."""
    step: int = 0
    looked_at: int = 0
    """Steps whose losses were looked at."""
    seconds: float = 0.0
    best_epoch: int = 0
    """The epoch with the best objective so far, where the recipe has patience."""
    curve: list[Epoch] = field(default_factory=list)


class Diverged(ArithmeticError):
    """A loss or a figure was not finite."""


def train(
    model: nn.Module,
    method: Method,
    training: Feed | Examples,
    validation: Feed | Examples,
    *,
    budget: Budget,
    seed: int,
    report: Report = lambda _: False,
    objective: Objective | None = None,
    forward_flops: float | None = None,
    precision: Precision = "float32",
    ranks: Ranks | None = None,
    begin: Callable[["Loop"], None] = lambda _: None,
    on_step: OnStep = lambda _: None,
) -> Training:
    """Train `model` in place by `method` on examples that lie on its device or stream to it.

    Of several `ranks` each calls this with the same, trains its share of every batch, and goes by what rank 0 finds.

    `report` is told every epoch. `objective` is what patience waits for; `forward_flops` of one example turn a budget of FLOPs
    into steps. `begin` is handed the loop before its first
    step and may set it to where another stopped; `on_step` is handed it after each. The global random state is left as it was.

    A loss or a validation figure that is not finite ends the training as "diverged". A batch that does not fit into memory is
    trained in parts, and a note says so.

    Raises:
        BenchmarkError: the recipe names an optimiser or a schedule that there is not, patience comes without an objective, or a
            budget of FLOPs without `forward_flops`.
    """
    device = next(model.parameters()).device
    ranks = ranks or Ranks()
    with seeded(ranks.seed(seed), device):  # for dropout; order and augmentation have a generator of their own
        ranks.level(model)
        stepper = make_stepper(model, method, precision, ranks)
        data = as_feed(training, device).first(budget.fraction), as_feed(validation, device)
        loop = Loop(stepper, *data, budget=budget, seed=seed, objective=objective, forward_flops=forward_flops)
        begin(loop)
        return loop.run(report, on_step)


class Loop:
    """A training under way."""

    def __init__(
        self,
        stepper: Stepper,
        training: Feed,
        validation: Feed,
        *,
        budget: Budget,
        seed: int,
        objective: Objective | None = None,
        forward_flops: float | None = None,
    ) -> None:
        self.recipe = stepper.recipe
        if self.recipe.patience is not None and objective is None:
            raise BenchmarkError("Patience waits for an objective to get better; give one, or leave `patience` out.")
        self.stepper = stepper
        self.training = training
        self.validation = validation
        self.budget = budget
        self.objective = objective
        self.device = stepper.device
        self.ranks = stepper.ranks
        self.seed = seed
        self.per_epoch = math.ceil(len(training) / self.recipe.batch_size)
        passes = forward_flops * stepper.method.effort if forward_flops else forward_flops
        self.steps = steps_within(budget, self.per_epoch, len(training) / self.per_epoch, passes)
        stepper.settle(len(training), self.steps)
        self.schedules = [Schedule(optimizer, self.recipe, self.steps) for optimizer in stepper.optimizers.values()]
        self.generator = torch.Generator().manual_seed(seed)
        self.epoch_begun = self.generator.get_state()
        """The generator's state as the epoch began; from it the epoch's order follows."""
        self.loss_sum = torch.zeros((), device=self.device)
        """Of the epoch's examples."""
        self.losses: list[Tensor] = []
        """Those of steps that were not looked at yet."""
        self.look_every = 1 if self.device.type == "cpu" and self.ranks.alone else LOOK_EVERY
        self.best: dict[str, Tensor] = {}
        """The weights of the best epoch, where the recipe has patience."""
        self.at = Position()
        self.clock: Callable[[], float] = time.perf_counter
        """Seconds, of which the difference between two readings counts."""

    def run(self, report: Report = lambda _: False, on_step: OnStep = lambda _: None) -> Training:
        """Train from where the loop stands to the end."""
        walk = self.walk(report, on_step)
        try:
            batch = next(walk)
            while True:
                batch = walk.send(self.stepper(*batch))
        except StopIteration as end:
            training: Training = end.value
            return training

    def walk(self, report: Report = lambda _: False, on_step: OnStep = lambda _: None) -> Generator[Batch, Tensor, Training]:
        """The batches from where the loop stands to the end; of each it is sent the loss, once the step has been taken."""
        at = self.at
        for point in at.curve:  # a pruner knows nothing of what came before an interruption
            report(point)
        while at.step < self.steps or at.batch:
            try:
                figures = yield from self._epoch(on_step)
            except Diverged as error:
                return self._ended("diverged", str(error))
            at.curve.append(Epoch(epoch=at.epoch, train_loss=self._mean_loss(), figures=figures, seconds=at.seconds))
            self._remember(figures)
            pruned, enough = self.ranks.agreed([report(at.curve[-1]), self._is_enough()])
            at.epoch, at.batch, at.seen = at.epoch + 1, 0, 0
            self.loss_sum.zero_()
            if pruned and at.step < self.steps:
                return self._ended("pruned")
            if enough:
                break
        return self._ended("complete")

    def _epoch(self, on_step: OnStep) -> Generator[Batch, Tensor, dict[str, float]]:
        """The batches that are left of the epoch, or of the budget; returns the figures after it."""
        at = self.at
        begin = self.clock() - at.seconds
        self.stepper.model.train()
        picked = self._dealt()[at.batch : at.batch + self.steps - at.step]
        batches = self.training.batches([self.ranks.share(whole) for whole in picked])
        for whole, (inputs, targets) in zip(picked, batches, strict=True):
            for schedule in self.schedules:
                schedule.set(at.step)
            chance = self.ranks.chance(self.generator, self.seed, at.step, len(whole))
            loss = yield *self.stepper.method.prepare(inputs, targets, chance), len(whole)
            self.loss_sum += loss * len(targets)
            self.losses.append(loss)
            at.seen += len(whole)
            at.step += 1
            at.batch += 1
            if len(self.losses) >= self.look_every:
                self._look()
            at.seconds = self.clock() - begin
            on_step(self)
        self._look()
        synchronize(self.device)
        at.seconds = self.clock() - begin
        figures = self.ranks.from_first(self._validate)
        for name, value in figures.items():
            if not math.isfinite(value):
                raise Diverged(f"{name} was {value} after epoch {at.epoch}.")
        return figures

    def _validate(self) -> dict[str, float]:
        stepper = self.stepper
        return stepper.method.measure(stepper.validated, self.validation, "validation", stepper.precision)

    def _dealt(self) -> Sequence[Tensor]:
        """The epoch's batches; in the middle of an epoch they are drawn again, and the generator stays where it is."""
        generator = self.generator
        if self.at.batch:
            generator = torch.Generator().set_state(self.epoch_begun)
        else:
            self.epoch_begun = self.generator.get_state()
        return self.stepper.deal(len(self.training), self.per_epoch, generator)

    def _look(self) -> None:
        """Look at the losses since the last look.

        Raises:
            Diverged: one is not finite.
        """
        values = self.ranks.total(torch.stack(self.losses)).tolist() if self.losses else []
        self.losses.clear()
        for value in values:
            self.at.looked_at += 1
            if not math.isfinite(value):
                raise Diverged(f"the loss was {value} at step {self.at.looked_at} of {self.steps}.")

    def _mean_loss(self) -> float:
        return self.ranks.total(self.loss_sum.clone()).item() / max(1, self.at.seen)  # batches of private training may be empty

    def _remember(self, figures: Mapping[str, float]) -> None:
        """Where the recipe has patience, keep the weights if they are the best so far."""
        if self.recipe.patience is None or self.objective is None:
            return
        name = self.objective.figure
        if name not in figures:
            raise BenchmarkError(f"Patience waits for a figure of validation ({', '.join(figures)}), got {name!r}.")
        best = self.at.curve[self.at.best_epoch - 1].figures[name] if self.at.best_epoch else math.nan
        if not self.objective.cost(figures[name]) >= self.objective.cost(best):
            self.at.best_epoch = self.at.epoch
            self.best = {key: value.detach().clone() for key, value in self.stepper.validated.state_dict().items()}

    def _is_enough(self) -> bool:
        """Whether time is up, or patience at its end."""
        late = self.budget.seconds is not None and self.at.seconds >= self.budget.seconds
        return late or (self.recipe.patience is not None and self.at.epoch - self.at.best_epoch >= self.recipe.patience)

    def _ended(self, how: Literal["complete", "pruned", "diverged"], problem: str = "") -> Training:
        """What came out; the model holds the weights that were validated."""
        at, model = self.at, self.stepper.model
        self.ranks.writes = False
        self.stepper.close()
        if self.stepper.average is not None:
            model.load_state_dict(self.stepper.average.module.state_dict())
        notes = list(self.stepper.notes)
        if self.best:
            model.load_state_dict(self.best)
            if at.best_epoch < len(at.curve):
                notes.append(f"The weights are those of epoch {at.best_epoch}, the best of {len(at.curve)}.")
        self.ranks.level(model)  # running means of batch normalisation are of each process's share
        return Training(
            curve=tuple(at.curve),
            ended=how,
            seconds=at.seconds,
            steps=at.step,
            figures=at.curve[at.best_epoch - 1].figures if at.curve else {},
            notes=tuple(notes),
            problem=problem,
            spent=self.stepper.spent(),
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that decides what comes next, as named tensors and as plain data.

        The tensors are the loop's own: write or clone them before the next step.

        Raises:
            Diverged: a loss is not finite, so that there is nothing to go on with.
        """
        self._look()
        tensors, data = self.stepper.state()
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        tensors |= {f"random.{name}": value for name, value in random_states(self.device).items()}
        tensors |= {"order.now": self.generator.get_state(), "order.epoch": self.epoch_begun, "loss_sum": self.loss_sum}
        return tensors, {"at": asdict(self.at), "stepper": data, "length": [self.per_epoch, self.steps]}

    def of_this_process(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of a state's tensors those in which processes that train together differ: random states, losses, running means."""
        stepper = self.stepper
        differing = {f"model.{name}" for name, _ in stepper.model.named_buffers()} | {"loss_sum"}
        if stepper.average is not None:
            differing |= {f"average.{name}" for name, _ in stepper.average.module.named_buffers()}
        return {name: value for name, value in tensors.items() if name in differing or name.startswith("random.")}

    def restore(self, tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken; the tensors may lie on another device, but have the strides they had there.

        A fused optimiser walks a weight and its moments through memory side by side, and does not look at strides.

        Raises:
            BenchmarkError: it is the state of a training of another length.
        """
        ours, theirs = [self.per_epoch, self.steps], data["length"]
        if ours != theirs:
            raise BenchmarkError(
                f"A training of {ours[1]} steps ({ours[0]} an epoch) cannot go on from one of {theirs[1]} ({theirs[0]})."
            )
        self.stepper.restore(tensors, data["stepper"])
        self.best = {name: value.to(self.device) for name, value in group_of(tensors, "best").items()}
        self.generator.set_state(tensors["order.now"])
        self.epoch_begun = tensors["order.epoch"]
        self.loss_sum = tensors["loss_sum"].to(self.device)
        self.at = Position(**{**data["at"], "curve": [Epoch(**point) for point in data["at"]["curve"]]})
        set_random_states(self.device, group_of(tensors, "random"))


def steps_within(budget: Budget, per_epoch: int, batch_size: float, forward_flops: float | None) -> int:
    """The steps that a budget allows, where an epoch has `per_epoch` of them on `batch_size` examples each.

    Raises:
        BenchmarkError: the budget is of FLOPs, and a forward pass's are not known.
    """
    bounds = [budget.epochs * per_epoch]
    if budget.steps is not None:
        bounds.append(budget.steps)
    if budget.flops is not None:
        if not forward_flops:
            raise BenchmarkError(f"A budget of {budget.flops:g} FLOPs needs the FLOPs of a forward pass, got {forward_flops}.")
        bounds.append(max(1, int(budget.flops / (3 * forward_flops * batch_size))))
    return min(bounds)
