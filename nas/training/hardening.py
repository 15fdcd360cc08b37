"""Training on what a network will meet: examples that an attack made of it as it is, and corrupted ones.

Axes: N examples.
"""

import torch
from torch import Tensor, nn

from nas.chance import rand, randint
from nas.device import send
from nas.errors import BenchmarkError
from nas.measures import CORRUPTIONS, SEVERITIES, Attack
from nas.robustness import Scale, Spelling, corrupt, kind_of, perturb, start_of
from nas.training.task import Task

FURTHER = 1.25
"""Of ε, the step of FGSM from a random start (Wong et al. 2020, arXiv:2001.03994, sec. 4.1)."""


def scale_of(task: Task) -> Scale:
    """What the numbers of its inputs stand for; where it does not say, themselves."""
    return getattr(task, "scale", None) or Scale()


def spelling_of(task: Task) -> Spelling | None:
    """How its tokens are spelt; None where it does not say."""
    return getattr(task, "spelling", None)


def harden(network: nn.Module, task: Task, inputs: Tensor, targets: Tensor, attack: Attack) -> Tensor:
    """The batch as `attack` makes it of `network` as it is, in the mode that it is in: its dropout draws, and its batch
    normalisation takes the attack's passes into its running means too.

    The random start is drawn from the device's global generator, which the loop seeds and a checkpoint holds.
    """

    def slope(some: Tensor) -> Tensor:
        some = some.detach().requires_grad_()
        return torch.autograd.grad(len(some) * task.loss(network(some), targets, 0.0), some)[0]

    further = FURTHER * attack.eps if attack.method == "fgsm" else None
    return perturb(inputs, slope, attack, scale_of(task), start_of(attack, inputs), further)


def corrupt_some(inputs: Tensor, task: Task, share: float, chance: torch.Generator) -> Tensor:
    """The batch, about `share` of its examples with one natural corruption; which, and its severity, is drawn for the batch.

    Raises:
        BenchmarkError: there is none for these inputs.
    """
    known = [*CORRUPTIONS.get(kind_of(inputs), {})]
    if spelling_of(task) is None and "typos" in known:
        known.remove("typos")
    if not known:
        raise BenchmarkError(f"Inputs of {tuple(inputs.shape[1:])} are not corrupted; leave corrupt out.")
    name = known[int(randint(0, len(known), (), chance, axis=None))]
    severity = SEVERITIES[int(randint(0, len(SEVERITIES), (), chance, axis=None))]
    changed = corrupt(inputs, name, severity, chance, scale_of(task), spelling_of(task))
    picked_N = send(rand((len(inputs),), chance).lt(share), inputs.device)
    return torch.where(picked_N.view(-1, *[1] * (inputs.ndim - 1)), changed, inputs)
