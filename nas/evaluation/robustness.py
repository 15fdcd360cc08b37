"""How a trained network holds: its answers to attacked and corrupted examples, and how far its confidence can be believed.

Every network is asked the same: what is drawn follows from the measure and the place of an example in its split, so that two
networks see the same noise, whatever their batches and devices.

Axes: N examples, K classes.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.device import Precision, autocast, is_out_of_memory, release
from nas.errors import BenchmarkError
from nas.measures import CORRUPTIONS, ECE, EVERY, GROUP, SEVERITIES, Attack, Measure, read_measure
from nas.robustness import Calibration, Groups, calibrate, corrupt, kind_of, perturb, start_of
from nas.training import Examples, Feed, Split, Task, scale_of, spelling_of

CHUNK = 256
"""Examples that are drawn for together; halved for as long as memory does not suffice for what is computed of them."""


def check_task(task: Task, source: Any, measures: Iterable[str], benchmark: str) -> None:
    """Refuse measures that the task's examples or the task itself are not made for; `source` is one of its splits.

    Raises:
        BenchmarkError: names one.
    """
    asked = [read_measure(name) for name in measures]
    if not asked:
        return
    targets = source.targets[:1] if isinstance(source, Examples) else torch.as_tensor(source[0][1])[None]
    if targets.ndim != 1 or targets.is_floating_point():
        raise BenchmarkError(
            f"{asked[0].name} is of one class for each example, and {benchmark} wants {tuple(targets.shape[1:]) or 'numbers'} "
            "of each; leave it out."
        )
    for one in asked:
        if one.name == GROUP and getattr(task, "groups", None) is None:
            raise BenchmarkError(f"{benchmark} does not tell groups of examples, such as speakers; leave {GROUP} out.")
        typed = one.name == EVERY or (one.corruption or ("",))[0] == "typos"
        inputs = source.inputs[:1] if isinstance(source, Examples) else torch.as_tensor(source[0][0])[None]
        if typed and kind_of(inputs) == "tokens" and spelling_of(task) is None:
            raise BenchmarkError(
                f"{benchmark} does not tell how its tokens are spelt, which typos need; measure drop-3, or leave {one.name} out."
            )


Change = Callable[[Tensor, Tensor, int], Tensor]
"""Inputs and targets of a chunk, and its number → the inputs that are asked about in their place."""


@dataclass(frozen=True)
class Asking:
    """One trained network and one split, of which figures are asked."""

    model: nn.Module
    task: Task
    examples: Feed
    split: Split
    precision: Precision = "float32"

    def figures(self, measures: Iterable[str]) -> dict[str, float]:
        """The figures of `measures`, named after the split: "test_accuracy:pgd-linf-0.1", "test_ece"."""
        found: dict[str, float] = {}
        for one in map(read_measure, measures):
            found |= zip(one.figures, self._values(one), strict=True)
        return {f"{self.split}_{name}": value for name, value in found.items()}

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.model.parameters()).device

    @cached_property
    def as_it_is(self) -> tuple[Tensor, Tensor]:
        """Of each unchanged example, whether the answer is right, and the confidence in it; on the CPU."""
        return self._answers(lambda inputs, _, __: inputs)

    def calibration(self, *, mass: bool = False) -> Calibration:
        """How far its confidence is from its accuracy, with the numbers of a reliability diagram."""
        right_N, confidence_N = self.as_it_is
        return calibrate(confidence_N.double().clamp(0, 1).numpy(), right_N.numpy(), mass=mass)

    def by_group(self) -> dict[str, float]:
        """The accuracy on each group, the lowest first.

        Raises:
            BenchmarkError: the task tells no groups.
        """
        groups: Callable[[Split], Groups] | None = getattr(self.task, "groups", None)
        if groups is None:
            raise BenchmarkError(f"The task does not tell groups of examples, such as speakers; leave {GROUP} out.")
        return groups(self.split).shares(self.as_it_is[0])

    def _values(self, measure: Measure) -> Sequence[float]:
        if measure.attack:
            return [_mean(self._held(measure.attack))]
        if measure.corruption:
            return [_mean(self._corrupted(*measure.corruption))]
        if measure.name in ECE:
            found = self.calibration(mass=measure.name != ECE[0])
            return [found.error, found.low, found.high]
        if measure.name == GROUP:
            return [next(iter(self.by_group().values()))]
        names = CORRUPTIONS[kind_of(next(self._chunks())[0])]
        return [fmean(_mean(self._corrupted(name, severity)) for name in names for severity in SEVERITIES)]

    def _corrupted(self, name: str, severity: int) -> Tensor:
        """Whether each answer is right; examples of all severities are drawn alike."""
        scale, spelling = scale_of(self.task), spelling_of(self.task)

        def change(inputs: Tensor, _: Tensor, number: int) -> Tensor:
            return corrupt(inputs, name, severity, _chance(name, number), scale, spelling)

        return self._answers(change)[0]

    def _held(self, attack: Attack) -> Tensor:
        """Whether each answer is right on the example as it is, and on all that the attack makes of it."""
        scale = scale_of(self.task)
        held = []
        for number, (inputs, targets) in enumerate(self._chunks()):
            right_N = self._right(inputs, targets)
            chance = _chance(f"{attack.method}-{attack.norm}", number)
            for _ in range(attack.restarts):
                start = start_of(attack, inputs, chance) if attack.method == "pgd" else torch.zeros_like(inputs)
                left_N = right_N.nonzero().flatten()
                if not len(left_N):
                    break

                def attacked(some: Tensor, wanted: Tensor, begin: Tensor) -> Tensor:
                    slope = self._slope(wanted)
                    return self._right(perturb(some, slope, attack, scale, begin), wanted)

                right_N[left_N] = self._in_parts(attacked, inputs[left_N], targets[left_N], start[left_N])
            held.append(right_N.cpu())
        return torch.cat(held)

    def _slope(self, targets: Tensor) -> Callable[[Tensor], Tensor]:
        def slope(inputs: Tensor) -> Tensor:
            with torch.enable_grad(), _differentiable(self.model, self.device):
                inputs = inputs.detach().requires_grad_()
                loss = functional.cross_entropy(self.model(inputs).float(), targets, reduction="sum")
                return torch.autograd.grad(loss, inputs)[0]

        return slope

    def _right(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return self._in_parts(lambda some, wanted: self._logits(some).argmax(1) == wanted, inputs, targets)

    def _logits(self, inputs: Tensor) -> Tensor:
        with torch.no_grad(), autocast(self.device, self.precision):
            return self.model(inputs).float()  # type: ignore[no-any-return]

    def _answers(self, change: Change) -> tuple[Tensor, Tensor]:
        def answer(some: Tensor, wanted: Tensor) -> Tensor:
            confidence_N, answer_N = self._logits(some).softmax(1).max(1)
            return torch.stack(((answer_N == wanted).float(), confidence_N), 1)

        found = []
        for number, (inputs, targets) in enumerate(self._chunks()):
            found.append(self._in_parts(answer, change(inputs, targets, number), targets).cpu())
        right_N, confidence_N = torch.cat(found).unbind(1)
        return right_N.bool(), confidence_N

    def _chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.model.eval()
        return iter(self.examples.batches(torch.split(torch.arange(len(self.examples)), CHUNK)))

    def _in_parts(self, work: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """What `work` makes of them, all at once or in as many parts as memory asks for."""
        parts = 1
        while True:
            try:
                split = zip(*(one.tensor_split(parts) for one in tensors), strict=True)
                return torch.cat([work(*some) for some in split])
            except Exception as error:
                if not is_out_of_memory(error) or 2 * parts > len(tensors[0]):
                    raise
            parts *= 2  # out of the handler, which holds the frames of the failed pass
            release(self.device)


def _mean(right_N: Tensor) -> float:
    return right_N.double().mean().item()


def _chance(what: str, chunk: int) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(f"{what} {chunk}".encode()))


def _differentiable(model: nn.Module, device: torch.device) -> AbstractContextManager[object]:
    """Within it, gradients pass through recurrent layers in evaluation mode, which cuDNN's do not let through."""
    recurrent = device.type == "cuda" and any(isinstance(module, nn.RNNBase) for module in model.modules())
    return torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
