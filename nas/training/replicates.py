"""One architecture trained from several seeds: one after another, or together where that is faster.

Together, all networks take each step at once: each is given the batches, augmentation and schedule that its seed gives it
alone, the networks are computed as one (`stacking`), and one call of the optimiser moves all their weights. What follows is
equal but for rounding, save that dropout and other chance inside a network is drawn for all from the first seed.

Which of the two is faster is measured on copies, three steps each way, so that the decision depends on the machine and its load:
`together` fixes it where results must repeat bit for bit.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nas.benchmark import Budget, Objective
from nas.device import Precision, autocast, is_out_of_memory, random_states, release, seeded, synchronize
from nas.errors import BenchmarkError
from nas.records import Epoch
from nas.training.feeding import Feed, as_feed
from nas.training.loop import Batch, Loop, OnStep, Training, train
from nas.training.method import Method
from nas.training.optimizing import OURS
from nas.training.private import make_stepper
from nas.training.ranks import Ranks
from nas.training.stacking import Stack, Unstackable, close, find_wholes
from nas.training.stepping import Stepper
from nas.training.task import Examples

Together = Literal["auto", "always", "never"]

CALIBRATION = 3
"""Steps that are timed each way."""

MOST_SPENT = 0.03
"""The largest share of the training's time that the calibration may take, where it does not pay."""

GAIN = 1.15
"""How many times as fast steps together must be; less is within what so few steps tell."""

LONGEST_STEP = 0.004
"""Seconds of a step alone up to which steps together are tried; in longer ones, computing outweighs all that is shared."""

MOST_PARAMETERS = 1_000_000
"""Of networks of which a step is tried."""

ReportOf = Callable[[int, Epoch], bool]
"""Told every epoch of every network, which it is and how it stands; answers whether that training shall stop here."""

OnTrained = Callable[[int, Training], bool]
"""Told what came of a network, and which it is; answers whether the rest shall be left untrained."""


def train_replicates(
    models: Sequence[nn.Module],
    method: Method,
    training: Feed | Examples,
    validation: Feed | Examples,
    *,
    budget: Budget,
    seeds: Sequence[int],
    report: ReportOf = lambda _, __: False,
    on_trained: OnTrained = lambda _, __: False,
    on_step: OnStep = lambda _: None,
    objective: Objective | None = None,
    forward_flops: float | None = None,
    precision: Precision = "float32",
    ranks: Ranks | None = None,
    together: Together = "auto",
) -> list[Training]:
    """Train `models`, networks of one architecture, in place, each from its own of `seeds`, as `train` trains one.

    With "auto", they train together where three steps each way say that it is at least GAIN times as fast, and where the
    training is so long that these steps take no more than MOST_SPENT of it; with "always", wherever they can. A note of each
    says which it was, and why. A training's seconds are then its share of the common steps. Where memory does not suffice for
    all, they go on one after another within each step. Where they train one after another, `on_trained` is asked after each, of
    several processes the first's, and what comes back ends with the last that was trained. `on_step` is handed each loop after
    each of its steps.

    Raises:
        BenchmarkError: there is not one seed a network, their architectures differ, or `train` raises it.
    """
    if not models or len(models) != len(seeds):
        raise BenchmarkError(f"Each network has a seed, got {len(models)} networks and {len(seeds)} seeds.")
    shapes = [[(name, tuple(value.shape)) for name, value in model.state_dict().items()] for model in models]
    if any(other != shapes[0] for other in shapes):
        raise BenchmarkError("Replicates are networks of one architecture, got weights of different names or shapes.")
    device = next(models[0].parameters()).device
    given: dict[str, Any] = {
        "budget": budget,
        "objective": objective,
        "forward_flops": forward_flops,
        "precision": precision,
    }
    feeds = as_feed(training, device), as_feed(validation, device)
    make: Make = partial(_loop, method=method, training=feeds[0].first(budget.fraction), validation=feeds[1], **given)
    choice = _choose(make, models, seeds, together, ranks or Ranks())
    if choice.wholes is not None:
        with seeded(seeds[0], device):
            loops = [make(model, seed) for model, seed in zip(models, seeds, strict=True)]
            return _Abreast(loops, choice, report, on_step).run()
    trained = []
    for number, (model, seed) in enumerate(zip(models, seeds, strict=True)):
        one = train(model, method, *feeds, seed=seed, report=partial(report, number), on_step=on_step, ranks=ranks, **given)
        trained.append(replace(one, notes=(*one.notes, choice.note)))
        if (ranks or Ranks()).agreed(on_trained(number, trained[-1])):
            break
    return trained


Make = Callable[[nn.Module, int], Loop]
"""The training of a network from a seed, ready to begin."""


@dataclass(frozen=True)
class _Choice:
    """How to train, and why."""

    note: str
    wholes: frozenset[str] | None = None
    """Where they train together, the modules that are called as a whole."""


def _loop(
    model: nn.Module,
    seed: int,
    *,
    method: Method,
    training: Feed,
    validation: Feed,
    precision: Precision,
    **given: Any,
) -> Loop:
    return Loop(make_stepper(model, method, precision), training, validation, seed=seed, **given)


def _choose(make: Make, models: Sequence[nn.Module], seeds: Sequence[int], together: Together, ranks: Ranks) -> _Choice:
    why = _hindrance(make(models[0], seeds[0]), len(models), together, ranks)
    if why:
        return _Choice(f"Trained one after another: {why}.")
    try:
        with seeded(seeds[0], next(models[0].parameters()).device):
            wholes, gain = _calibrate(make, models, seeds, together)
    except Unstackable as error:
        return _Choice(f"Trained one after another: {error}.")
    told = f"{len(models)} networks together were {gain:.2f} times as fast over {CALIBRATION} steps"
    if together == "auto" and gain < GAIN:
        return _Choice(f"Trained one after another: {told}.")
    return _Choice(f"Trained together: {told}.", wholes)


def _hindrance(loop: Loop, count: int, together: Together, ranks: Ranks) -> str:
    """What speaks against trying, known without a step; empty where nothing does."""
    if together == "never":
        return "as asked"
    if count == 1:
        return "there is one network"
    if loop.stepper.method.alone:
        attacked = loop.recipe.attack is not None
        return "each is attacked by itself" if attacked else "they are not trained by supervision alone"
    if loop.recipe.private:
        return "gradients of each example are taken by themselves"
    if not ranks.alone:
        return f"{ranks.size} processes share each"
    if loop.recipe.accumulation > 1:
        return "batches are trained in parts"
    if together == "always":
        return ""
    parameters = sum(parameter.numel() for parameter in loop.stepper.model.parameters())
    if parameters > MOST_PARAMETERS:
        return f"they have {parameters:,} parameters, more than {MOST_PARAMETERS:,}"
    # Steps of one network, as many of all, and the two forward passes that compare, as about one more.
    fewest = math.ceil((CALIBRATION * (1 / count + 1) + 1) / MOST_SPENT)
    if loop.steps < fewest:
        return f"{loop.steps} steps are too few to find out whether together is faster, which takes {fewest}"
    return ""


def _calibrate(make: Make, models: Sequence[nn.Module], seeds: Sequence[int], together: Together) -> tuple[frozenset[str], float]:
    """What must be called as a whole, and how many times as fast steps together are, all found on copies.

    Raises:
        Unstackable: the networks cannot be computed as one, or not faster.
    """
    alone = make(deepcopy(models[0]), seeds[0])
    batch = _first_batch(alone)
    before = random_states(alone.device)
    losses, alone_seconds = _time(lambda: alone.stepper(*batch), CALIBRATION - 1, alone.device)
    drawn = any(not torch.equal(state, before[name]) for name, state in random_states(alone.device).items())
    if together == "auto" and alone_seconds > LONGEST_STEP:
        raise Unstackable(f"a step takes {1000 * alone_seconds:.0f} ms, and above {1000 * LONGEST_STEP:.0f} ms little is shared")
    copies = [make(deepcopy(model), seed) for model, seed in zip(models, seeds, strict=True)]
    batches = [_first_batch(loop) for loop in copies]
    networks = [loop.stepper.model for loop in copies]
    wholes = find_wholes(networks, [inputs for inputs, _, _ in batches])
    for network in networks:
        network.train()
    step = _Step([loop.stepper for loop in copies], wholes)
    found, together_seconds = _time(lambda: step(batches)[0], CALIBRATION, alone.device)
    # The last of the steps alone comes after, so that memory is as warm for it as it was for those together.
    last, last_seconds = _time(lambda: alone.stepper(*batch), 1, alone.device)
    if not drawn and alone.stepper.precision == "float32":  # else other draws, or fewer digits, give other losses
        for number, (ours, theirs) in enumerate(zip(found, losses + last, strict=True), start=1):
            if not close(ours, theirs):
                raise Unstackable(f"step {number} together has a loss of {ours.item():.6g}, alone of {theirs.item():.6g}")
    return wholes, len(copies) * min(alone_seconds, last_seconds) / together_seconds


def _first_batch(loop: Loop) -> Batch:
    """The first batch of a loop that goes no further."""
    walk = loop.walk()
    batch = next(walk)
    walk.close()
    return batch


def _time(step: Callable[[], Tensor], count: int, device: torch.device) -> tuple[list[Tensor], float]:
    """The losses of `count` steps, and the seconds of the fastest, since all that comes between takes time.

    On one thread of the CPU they are the thread's own, which other work on the machine does not lengthen.
    """
    clock = time.thread_time if device.type == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    losses, seconds = [], []
    for _ in range(count):
        synchronize(device)
        begin = clock()
        losses.append(step())
        synchronize(device)
        seconds.append(clock() - begin)
    return losses, min(seconds)


class _Step:
    """One step of several networks at once."""

    def __init__(self, steppers: Sequence[Stepper], wholes: frozenset[str]) -> None:
        self.steppers = steppers
        self.network = Stack([stepper.model for stepper in steppers], wholes)
        self.optimizer = _common(steppers)

    def __call__(self, batches: Sequence[Batch]) -> list[Tensor]:
        """The losses, detached."""
        first = self.steppers[0]
        for stepper in self.steppers:
            stepper.optimizer.zero_grad(set_to_none=True)
        with autocast(first.device, first.precision):
            outputs = self.network(torch.cat([inputs for inputs, _, _ in batches])).chunk(len(batches))
            losses = [
                stepper.method.task.loss(output, targets, stepper.recipe.label_smoothing)
                for stepper, output, (_, targets, _) in zip(self.steppers, outputs, batches, strict=True)
            ]
        scaled = [stepper.scaler.scale(loss) for stepper, loss in zip(self.steppers, losses, strict=True)]
        torch.stack(scaled).sum().backward()  # type: ignore[no-untyped-call]
        for stepper in self.steppers:
            stepper.curb()
        self._move()
        for stepper in self.steppers:
            stepper.follow()
        return [loss.detach() for loss in losses]

    def _move(self) -> None:
        if self.optimizer is None:
            for stepper in self.steppers:
                stepper.scaler.step(stepper.optimizer)
                stepper.scaler.update()
            return
        for group, theirs in zip(self.optimizer.param_groups, self.steppers[0].optimizer.param_groups, strict=True):
            group["lr"] = theirs["lr"]
        self.optimizer.step()


def _common(steppers: Sequence[Stepper]) -> torch.optim.Optimizer | None:
    """One optimiser of all weights, whose state is that of the networks' own; None where each must go by itself.

    torch's own treat each number by itself; some of timm's look at the length of all gradients together.
    """
    first = steppers[0]
    if first.recipe.optimizer not in OURS or first.scaler.is_enabled():
        return None
    own = [stepper.optimizer for stepper in steppers]
    groups = [
        {**group, "params": list(chain.from_iterable(optimizer.param_groups[number]["params"] for optimizer in own))}
        for number, group in enumerate(own[0].param_groups)
    ]
    common: torch.optim.Optimizer = type(first.optimizer)(groups)  # type: ignore[call-arg]  # a group holds all options
    for optimizer in own:
        for group in optimizer.param_groups:
            common.state.update({weight: optimizer.state[weight] for weight in group["params"]})
    return common


class _Abreast:
    """Trainings under way together."""

    def __init__(self, loops: Sequence[Loop], choice: _Choice, report: ReportOf, on_step: OnStep) -> None:
        self.loops = dict(enumerate(loops))
        """Those that go on."""
        self.walks = {number: loop.walk(partial(report, number), on_step) for number, loop in self.loops.items()}
        self.watches = {number: _Watch() for number in self.loops}
        self.batches: dict[int, Batch] = {}
        self.ended: dict[int, Training] = {}
        self.wholes = choice.wholes or frozenset()
        self.fits = True
        """Whether memory suffices for all at once."""
        for number, loop in self.loops.items():
            loop.clock = self.watches[number]
            loop.stepper.notes.append(choice.note)

    def run(self) -> list[Training]:
        """Train all to their ends."""
        for number in list(self.loops):
            self._go_on(number, None)
        step: _Step | None = None
        while self.loops:
            if step is None or len(step.steppers) > len(self.loops):
                step = _Step([loop.stepper for loop in self.loops.values()], self.wholes)
            begin = time.perf_counter()
            losses = self._take(step)
            if self._ends_epoch():
                synchronize(step.steppers[0].device)
            share = (time.perf_counter() - begin) / len(self.loops)
            for number, loss in zip(list(self.loops), losses, strict=True):
                self.watches[number].seconds += share
                self._go_on(number, loss)
        return [self.ended[number] for number in sorted(self.ended)]

    def _ends_epoch(self) -> bool:
        """Whether the step just taken is an epoch's last, in all trainings, which are at one step."""
        loop = next(iter(self.loops.values()))
        return loop.at.batch + 1 == loop.per_epoch or loop.at.step + 1 == loop.steps

    def _go_on(self, number: int, loss: Tensor | None) -> None:
        """Let a training go on to its next batch, or to its end."""
        try:
            with self.watches[number].running():
                self.batches[number] = next(self.walks[number]) if loss is None else self.walks[number].send(loss)
        except StopIteration as end:
            self.ended[number] = end.value
            del self.loops[number], self.walks[number], self.batches[number]

    def _take(self, step: _Step) -> list[Tensor]:
        batches = list(self.batches.values())
        if self.fits and len(batches) > 1:
            try:
                return step(batches)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            self.fits = False
            for stepper in step.steppers:
                stepper.optimizer.zero_grad(set_to_none=True)
                stepper.notes.append(f"Out of memory at step {stepper.steps + 1}: trained one after another within each step.")
            release(step.steppers[0].device)
        return [stepper(*batch) for stepper, batch in zip(step.steppers, batches, strict=True)]


class _Watch:
    """The seconds of one training: those in which it runs by itself, and its share of common ones."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since: float | None = None

    def __call__(self) -> float:
        return self.seconds + (0.0 if self._since is None else time.perf_counter() - self._since)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within it, seconds pass."""
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self.seconds, self._since = self(), None
