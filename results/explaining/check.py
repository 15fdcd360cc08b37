"""Write the table of README.md: whether explanations of finalists hang on their weights, and those of a planted edge detector.

    python results/explaining/check.py STUDY … [--ledger URL]

STUDY are studies whose finalists' weights are kept; README.md says how those of its table were made.
"""

import argparse
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.explaining import Asked, Explainer, Says, check, explainer, find_explainer
from nas.models import build
from nas.records import Ledger
from nas.searching import Study, resolve_benchmark, weights_of
from nas.training import load_task, read_weights

PAGE = Path(__file__).with_name("README.md")
METHODS = ("integrated-gradients", "occlusion", "activations")
EXAMPLES = 16


class Edges:
    """Differences between neighbours, in size: it looks at no network."""

    sums = False
    tells = "how much of an edge there is"

    def __call__(self, asked: Asked) -> Tensor:
        """Along the last axis of places."""
        values = asked.inputs.double()
        along = -1 if values.ndim != 3 else 1
        return (values - values.roll(1, along)).abs()


def rows(study: str, ledger: str) -> list[str]:
    """A line for each method."""
    shown = Study(study, ledger)
    trial = shown.best.trials[0]
    path = weights_of(ledger, trial)
    assert path is not None, f"the weights of {study} are not kept"  # noqa: S101
    benchmark = resolve_benchmark(shown.entry.definition["benchmark"]["name"])
    signature = benchmark.signature
    network = build(shown.space, trial.architecture, signature)
    read_weights(network, path)
    whole = load_task(benchmark, None).examples("validation")
    inputs = whole.inputs[torch.arange(EXAMPLES) * len(whole) // EXAMPLES]
    says = Says(network, signature).eval()
    with torch.no_grad():
        asked = Asked(says, inputs, says(inputs).argmax(1), signature)

    def redraw(seed: int) -> Says:
        return Says(build(shown.space, trial.architecture, signature, seed=seed), signature)

    def line(name: str, method: Explainer) -> str:
        found = check(method, asked, explainer.explained_by(method, asked), redraw)
        last = found.depths[0].correlation
        structure = str(found.structure) if found.structure else "–"
        cells = (f"{study} (`{shown.space.name}` on {benchmark.name})", name, last, found.correlation, structure, found.verdict)
        return f"| {' | '.join(map(str, cells))} |"

    found: dict[str, Any] = {name: find_explainer(name) for name in METHODS}
    return [line(name, method) for name, method in [*found.items(), ("*planted:* edges", Edges())]]


def main() -> None:
    """Put the table between its marks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("study", nargs="+")
    parser.add_argument("--ledger", default="sqlite:///nas.sqlite")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with Ledger(given.ledger, create=False):
        pass
    head = "| finalist | method | last layers drawn anew | all drawn anew | structural similarity | verdict |"
    table = "\n".join([head, "|---|---|---|---|---|---|", *(line for study in given.study for line in rows(study, given.ledger))])
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(r"(?s)(<!-- table -->\n).*(<!-- end -->)", lambda m: f"{m[1]}\n{table}\n\n{m[2]}", text), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
