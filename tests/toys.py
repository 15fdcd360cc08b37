"""Small real things that many tests share: a space of 52 architectures, and an evaluation that costs nothing."""

from collections.abc import Callable

from nas.benchmark import Budget
from nas.records import Epoch, Record, commit, this_machine, versions
from nas.space import Architecture, parse_space

TOY = parse_space(
    """
name: toy
version: 1
accepts: image
choices:
  width: [8, 16]
layers:
  - conv: {features: $width, kernel: [3, 5]}
    name: stem
  - repeat: block
    times: {int: [0, 2]}
    layers:
      - one_of: kind
        options:
          conv: {features: $width}
          pool: {kind: [max, average]}
  - head
"""
)
"""2 widths × 2 kernels × (1 + 3 + 9) runs of blocks: 52 architectures."""


def toy_params(architecture: Architecture) -> int:
    """A figure to set limits on: grows with width and depth."""
    choices = architecture.choices
    width, times = choices["width"], choices["block.times"]
    assert isinstance(width, int)
    assert isinstance(times, int)
    return width * (10 + 20 * times)


def toy_accuracy(architecture: Architecture) -> float:
    """A score that each architecture has, on every machine."""
    return int(architecture.id[:6], 16) / 16**6


def toy_evaluate(
    architecture: Architecture,
    *,
    budget: Budget,
    seed: int,
    report: Callable[[Epoch], bool] = lambda _: False,
    final: bool = False,
) -> Record:
    """A Record at once: three points of a learning curve that end at the architecture's score."""
    accuracy = toy_accuracy(architecture) + 0.001 * (seed if final else 0)
    figures = {"params": toy_params(architecture), "flops": 2 * toy_params(architecture), "latency_ms": 1.5}
    curve = []
    for number in range(1, budget.epochs + 1):
        point = {"validation_accuracy": accuracy * number / budget.epochs}
        curve.append(Epoch(epoch=number, train_loss=1 / number, figures=point, seconds=0.1 * number))
        if report(curve[-1]) and number < budget.epochs:
            return toy_record("pruned", {**figures, **point}, tuple(curve), seed, budget)
    scores = {"validation_accuracy": accuracy, **({"test_accuracy": accuracy - 0.01} if final else {})}
    return toy_record("complete", {**figures, **scores}, tuple(curve), seed, budget)


toy_evaluate.key = "toy"  # type: ignore[attr-defined]  # studies may share what it finds


def toy_record(outcome: str, figures: dict[str, float], curve: tuple[Epoch, ...], seed: int, budget: Budget) -> Record:
    """A Record of this machine."""
    return Record(
        outcome=outcome,  # type: ignore[arg-type]
        figures=figures,
        curve=curve,
        seed=seed,
        budget=budget,
        seconds=0.3,
        device="cpu",
        threads=1,
        machine=this_machine(),
        versions=versions(),
        commit=commit(),
    )
