"""How steps are told to people."""

import pytest
from rich.console import Console
from toys import TOY

from nas.benchmark import Objective
from nas.ranking.steps import Spread, Step
from nas.reports.steps import print_steps, told


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        (Spread(mean=-0.00001, low=-0.01001, high=0.00999, count=2), "+0.0000 ± 0.0100"),
        (Spread(mean=-0.0042, low=None, high=None, count=1), "-0.0042"),
        (Spread(mean=0.0042, low=0.0042, high=0.0042, count=2), "+0.0042"),
    ],
    ids=["no minus before zeros", "one seed", "no luck in it"],
)
def test_a_difference_has_a_sign_and_its_interval_where_there_is_one(spread: Spread, words: str) -> None:
    assert told(spread, "validation_accuracy", signed=True) == words


WIDE = TOY.architecture({"width": 16, "stem.kernel": 3, "block.times": 0})


def step(words: str) -> Step:
    """A finalist, or what was made of it, with as much to tell as there can be."""
    figure = Spread(mean=0.9, low=0.85, high=0.95, count=2)
    names = ("validation_accuracy", "test_accuracy", "flops", "peak_memory_bytes", "test_ece")
    return Step(
        study="s",
        words=words,
        elsewhere="",
        architecture=WIDE,
        parent=WIDE if words else None,
        trials=(),
        figures=dict.fromkeys(names, figure),
        differences=dict.fromkeys(names[:2], figure),
        size_bytes=1000.0,
        size_share=0.5,
        latency_ms=1.0,
        time_share=0.9,
        energy_mj=0.5,
        energy_share=0.8 if words else None,
        faster=True,
        slower=False,
        own={},
    )


@pytest.mark.parametrize("width", [80, 100, 120, 160, 320])
def test_what_a_step_costs_is_whole_on_a_terminal_of_any_width(width: int) -> None:
    console = Console(width=width, color_system=None)
    found = [step(""), step("structured share 0.6, epochs 3 → int8-weights")]
    with console.capture() as drawn:
        print_steps(found, [Objective(figure="validation_accuracy", direction="maximize")], console)
    lines = drawn.get().splitlines()
    assert all(len(line) <= width for line in lines)
    assert "…" not in drawn.get()
    assert any(line.startswith("the finalist") and "0.9000 ± 0.0500" in line for line in lines)
    assert any("+0.9000 ± 0.0500" in line and "0.50×" in line and "0.90×" in line for line in lines)
    assert ("No room for" in drawn.get()) == (width < 320)
