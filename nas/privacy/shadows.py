"""Networks trained as the one that is looked at, each on a half of the examples, so that it is known who was in and who was not.

Halves come in pairs, a half and what it leaves, so that each example is in as many networks as it is out of.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.benchmark import Benchmark, Budget
from nas.device import place
from nas.errors import SearchError
from nas.models import Part
from nas.training import Examples, Setup, Split, Task, as_feed, protocol_of, stages_of, train

SEED = 1_000_000
"""From which shadow networks are counted, far from the seeds of finalists."""

VALIDATED = 256
"""Examples that are left out of a half, on which a shadow network is validated each epoch; with patience all of them."""


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """One network, and what it was trained on."""

    network: nn.Module
    inside_N: Tensor
    """Of each example of the pool, whether it was trained on."""


def pool_of(training: Examples, others: Examples) -> Examples:
    """The examples that were trained on, and then those that were not."""
    return Examples(torch.cat([training.inputs, others.inputs]), torch.cat([training.targets, others.targets]))


def train_shadows(
    make: Callable[[int], nn.Module],
    parts: tuple[Part, ...],
    benchmark: Benchmark,
    task: Task,
    pool: Examples,
    *,
    budget: Budget,
    count: int,
    forward_flops: float | None,
    data: Path | None,
    device: torch.device,
    on_trained: Callable[[int], None] = lambda _: None,
) -> list[Shadow]:
    """`count` networks, each trained by the benchmark's recipe on a half of `pool`; `make` builds one from a seed.

    Raises:
        SearchError: `count` is not even, or below four; the benchmark's protocol knows more than one network and its examples; or
            a network diverges.
    """
    if isinstance(count, bool) or count < 4 or count % 2:
        raise SearchError(f"Shadow networks come in pairs, of which two are needed at least, got {count}; ask for 4, 6 or 8.")
    if not protocol_of(benchmark).stackable:
        raise SearchError(
            f"The protocol {benchmark.protocol!r} of {benchmark.name} learns from more than examples, so that no shadow networks "
            "are trained; ask for 0."
        )
    found: list[Shadow] = []
    for number in range(count):
        seed = SEED + number
        if number % 2 == 0:
            order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
            halves = order[: len(pool) // 2].sort().values, order[len(pool) // 2 :].sort().values
        mine, others = halves if number % 2 == 0 else halves[::-1]
        network = place(make(seed), device)
        _train(network, parts, benchmark, task, pool, mine, others, budget, seed, forward_flops, data, device)
        inside_N = torch.zeros(len(pool), dtype=torch.bool)
        inside_N[mine] = True
        found.append(Shadow(network=network.eval(), inside_N=inside_N))
        on_trained(number + 1)
    return found


def _train(
    network: nn.Module,
    parts: tuple[Part, ...],
    benchmark: Benchmark,
    task: Task,
    pool: Examples,
    mine: Tensor,
    others: Tensor,
    budget: Budget,
    seed: int,
    forward_flops: float | None,
    data: Path | None,
    device: torch.device,
) -> None:
    validated = others if benchmark.recipe.patience is not None else _spread(others, VALIDATED)
    chosen: dict[Split, Tensor] = {"train": mine, "validation": validated}

    def feed(split: Split) -> Examples:
        picked = chosen[split]
        return Examples(pool.inputs[picked].to(device), pool.targets[picked].to(device))

    objective = next((one for one in benchmark.objectives if one.figure.startswith("validation_")), None)
    setup = Setup(
        benchmark=benchmark, task=task, parts=parts, feed=feed, budget=budget, seed=seed, objective=objective, data=data
    )
    for stage in stages_of(protocol_of(benchmark)(setup), network):
        done = train(
            stage.trained,
            stage.method,
            as_feed(stage.training, device),
            as_feed(stage.validation, device),
            budget=stage.budget,
            seed=seed,
            objective=stage.objective,
            forward_flops=stage.forward_flops or forward_flops,
        )
        if done.ended != "complete":
            raise SearchError(f"A shadow network {done.ended}: {done.problem} Ask for none.")


def _spread(numbers: Tensor, most: int) -> Tensor:
    """`most` of them, evenly spread."""
    count = min(most, len(numbers))
    return numbers[torch.arange(count) * len(numbers) // count]


def spread(examples: Examples, most: int) -> Examples:
    """`most` of the examples, evenly spread over them."""
    picked = _spread(torch.arange(len(examples)), most)
    return Examples(examples.inputs[picked], examples.targets[picked])
