"""A search's winner against a DCGAN of as many FLOPs: `python results/gan/compare.py STUDY [--rival generator]`.

The DCGAN (Radford et al. 2016, arXiv:1511.06434) has two transposed convolutions of 5×5, batch normalisation and ReLU in the
generator, batch normalisation and leaky ReLU in the discriminator, the non-saturating loss, one step of each and one learning
rate. Its widths are those whose generator's FLOPs and whose discriminator's multiply-adds are nearest to the winner's. It is
trained by the winner's protocol, budget and seeds and the study's recipe, and its figures go to seeds.csv; what is there already
is not trained again. The README's table is made of it.

The rival `generator` is that DCGAN's generator alone, against the winner's own discriminator, by the winner's loss, steps and
rates: the two differ in nothing but their generators. The rival `longer` is the whole DCGAN, trained for so many more epochs that
its training costs at least what the winner's does.
"""

import argparse
import csv
import math
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from scipy.stats import t as student

from nas.benchmark import Benchmark, Budget, Image
from nas.evaluation import Evaluator
from nas.models import Part, cost, plan, steps
from nas.models.layers.adversarial import Discriminator
from nas.protocols.adversarial import AdversarialProtocol
from nas.ranking import leaderboard
from nas.records import Ledger, Record
from nas.reports.samples import write_pictures
from nas.searching.retraining import benchmark_of
from nas.space import Architecture, Space, parse_space
from nas.training import Setup, load_task

HERE = Path(__file__).parent
README, SEEDS = HERE / "README.md", HERE / "seeds.csv"
BEGIN, END = "<!-- table: python results/gan/compare.py -->\n", "<!-- end of the table -->"
WINNER = "winner"
WIDTHS = range(2, 97)
COSTS = ("flops", "params", "discriminator_macs")
FIGURES = ("validation_frechet_distance", "test_frechet_distance", "test_precision", "test_recall", "test_class_coverage")

DCGAN = """
name: dcgan
version: 1
accepts: features
layers:
  - project_to_image: {{features: {double}, halvings: 2}}
  - up_sample: {{features: {width}, kernel: 5}}
  - image_head: {{kernel: 5}}
  - discriminator: {{{discriminator}}}
  - adversary: {{{adversary}}}
"""
DISCRIMINATOR = "width: {telling}, depth: 2, kernel: 5, norm: batch, activation: leaky_relu"
ADVERSARY = "loss: non_saturating, discriminator_steps: 1, rate_ratio: 1"

NAMES = {
    "searched": "{said}",
    "dcgan": "DCGAN",
    "generator": "DCGAN's generator, the {said}'s discriminator",
    "longer": "DCGAN at the {said}'s cost of training",
}
"""Of the networks, in the table; all but the first are rivals."""


@dataclass(frozen=True)
class Trained:
    """One training in full."""

    benchmark: str
    finalist: str
    """"winner", or the id of another finalist: whom this pair is about."""
    network: str
    """One of NAMES."""
    recipe: str
    """What the study changed in the benchmark's recipe: "ema=0.98"."""
    budget: str
    seed: int
    flops: int
    params: int
    discriminator_macs: int
    validation_frechet_distance: float
    test_frechet_distance: float
    test_precision: float
    test_recall: float
    test_class_coverage: float

    @classmethod
    def of(cls, benchmark: str, finalist: str, network: str, recipe: str, record: Record) -> "Trained":
        """What a complete record says."""
        named = {name: record.figures[name] for name in (*COSTS, *FIGURES)}
        rounded = {name: int(value) if name in COSTS else value for name, value in named.items()}
        return cls(benchmark, finalist, network, recipe, str(record.budget), record.seed, **rounded)

    @property
    def pair(self) -> tuple[str, str]:
        """What is compared."""
        return self.benchmark, self.finalist

    @property
    def way(self) -> tuple[str, str]:
        """What two of them have in common that were trained the same way."""
        return self.recipe, self.budget


def dcgan(benchmark: Benchmark, flops: int, discriminator_macs: int, against: Architecture | None = None) -> Space:
    """The DCGAN whose generator's FLOPs and whose discriminator's multiply-adds are nearest to these.

    Or its generator `against` the discriminator of a network of image_gan, trained as that is.
    """
    image = benchmark.signature.output
    assert isinstance(image, Image)  # noqa: S101 - it is one of pictures

    def telling_macs(width: int) -> int:
        return Discriminator(width=width, depth=2, kernel=5, norm="batch").network_cost(image).macs

    telling = min(WIDTHS, key=lambda width: abs(telling_macs(width) - discriminator_macs))
    how = {"discriminator": DISCRIMINATOR.format(telling=telling), "adversary": ADVERSARY}
    if against is not None:
        how = {layer: _options(against, layer) for layer in how}
    spaces = [parse_space(DCGAN.format(width=width, double=2 * width, **how)) for width in WIDTHS]
    return min(spaces, key=lambda space: abs(cost(space, space.architecture({}), benchmark.signature).flops - flops))


def _options(architecture: Architecture, layer: str) -> str:
    """What it chose for `layer`, as a space says it."""
    beginning = f"{layer}."
    chosen = {name.removeprefix(beginning): value for name, value in architecture.choices.items() if name.startswith(beginning)}
    return ", ".join(f"{name}: {value}" for name, value in chosen.items())


def _costs(space: Space, benchmark: Benchmark) -> tuple[int, float]:
    """FLOPs of the generator, and multiply-adds of the discriminator, of the one network of `space`."""
    parts = plan(space, space.architecture({}), benchmark.signature)
    telling = next(step.placed.kind for step in steps(parts) if isinstance(step.placed.kind, Discriminator))
    assert isinstance(benchmark.signature.output, Image)  # noqa: S101
    flops = int(cost(space, space.architecture({}), benchmark.signature).flops)
    return flops, telling.network_cost(benchmark.signature.output).macs


def _dearness(parts: tuple[Part, ...], benchmark: Benchmark, budget: Budget) -> float:
    """FLOPs of training by an example, a third of them, as the protocol counts them."""
    task = load_task(benchmark, None)
    setup = Setup(benchmark=benchmark, task=task, parts=parts, feed=task.examples, budget=budget, seed=0)
    return AdversarialProtocol(setup).forward_flops()


def read() -> list[Trained]:
    """What was trained already."""
    if not SEEDS.is_file():
        return []
    kinds = {
        field.name: int if field.name in ("seed", *COSTS) else float if field.name in FIGURES else str
        for field in fields(Trained)
    }
    with SEEDS.open(encoding="utf-8", newline="") as file:
        return [Trained(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)]


def write(found: list[Trained]) -> None:
    """All of them, anew."""
    with SEEDS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Trained)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(one) for one in sorted(found, key=lambda one: (*one.pair, one.network, one.seed)))


def compare(study: str, ledger: str, finalist: str, rival: str) -> None:
    """Read the finals of the winner, or of another finalist, train what is missing of its rival, and write both down."""
    with Ledger(ledger, create=False) as book:
        rows = next(table for table in leaderboard(book, study) if table.stage == "final").rows
        found_rows = [row for row in rows if finalist == WINNER or row.architecture.id.startswith(finalist)]
        if not found_rows:
            sys.exit(f"{study} has no finalist {finalist}; it has {', '.join(row.architecture.id for row in rows)}.")
        records = [trial.record for trial in found_rows[0].trials if trial.record]
        entry = book.study(study)
        benchmark = benchmark_of(entry)
    name, budget = benchmark.name, records[0].budget
    recipe = " ".join(f"{option}={value}" for option, value in sorted(entry.definition.get("recipe", {}).items()))
    searched = [Trained.of(name, finalist, "searched", recipe, record) for record in records]
    pictures = HERE / (name if finalist == WINNER else f"{name}_{finalist}")
    write_pictures(records[0], pictures / "searched")
    first = searched[0]
    against = found_rows[0].architecture if rival == "generator" else None
    space = dcgan(benchmark, first.flops, first.discriminator_macs, against)
    costs = _costs(space, benchmark)
    if rival == "longer":
        dear, cheap = (
            _dearness(plan(*one, benchmark.signature), benchmark, budget)
            for one in ((entry.space, found_rows[0].architecture), (space, space.architecture({})))
        )
        budget = replace(budget, epochs=math.ceil(budget.epochs * dear / cheap))
        print(f"A step of the winner's training costs {dear / cheap:.2f} of the DCGAN's; it gets {budget}.", flush=True)
    before = read()
    unchanged = set(searched) <= set(before)

    def counts(one: Trained) -> bool:
        """Whether what was trained of this pair is what would be trained now."""
        if (one.network, rival) == ("dcgan", "dcgan"):
            return ((one.flops, one.discriminator_macs), one.way) == (costs, first.way)
        return one.network != "searched" and unchanged

    found = [*(one for one in before if one.pair != (name, finalist) or counts(one)), *searched]
    there = {one.seed for one in found if (one.pair, one.network) == ((name, finalist), rival)}
    write(found)
    for record in train(rival, space, benchmark, budget, {record.seed for record in records} - there):
        found.append(Trained.of(name, finalist, rival, recipe, record))
        write(found)
        if record.seed == records[0].seed:
            write_pictures(record, pictures / rival)
    tell(found)


def train(rival: str, space: Space, benchmark: Benchmark, budget: Budget, seeds: set[int]) -> Iterator[Record]:
    """Each seed's training of the one network of `space`."""
    torch.set_num_threads(1)
    evaluate = Evaluator(space, benchmark, device="cpu") if seeds else None
    for seed in sorted(seeds):
        assert evaluate is not None  # noqa: S101
        record = evaluate(space.architecture({}), budget=budget, seed=seed, final=True)
        reached = record.figures.get("test_frechet_distance")
        print(f"{rival} on {benchmark.name}, seed {seed}: {record.outcome}, {reached}", flush=True)
        yield record


def difference(one: list[float], other: list[float]) -> tuple[float, float]:
    """Of the means, and half its 95 % interval, by Welch's t."""
    shares = [statistics.variance(values) / len(values) for values in (one, other)]
    freedom = sum(shares) ** 2 / sum(share**2 / (len(values) - 1) for share, values in zip(shares, (one, other), strict=True))
    return statistics.mean(one) - statistics.mean(other), float(student.ppf(0.975, freedom)) * sum(shares) ** 0.5


def tell(found: list[Trained]) -> None:
    """The README's table anew."""
    lines = [
        "| benchmark | network | FLOPs | multiply-adds of its discriminator | distance, validation | test | precision | recall "
        "| classes | seeds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, finalist in sorted({one.pair for one in found}, key=lambda pair: (pair[0], pair[1] != WINNER, pair[1])):
        pair = [one for one in found if one.pair == (name, finalist)]
        sides = {side: trained for side in NAMES if (trained := [one for one in pair if one.network == side])}
        said = finalist if finalist == WINNER else f"finalist `{finalist}`"
        for side, trained in sides.items():
            cells = [name, NAMES[side].format(said=said), f"{trained[0].flops:,}", f"{trained[0].discriminator_macs:,}"]
            for figure in FIGURES:
                values = [getattr(one, figure) for one in trained]
                cells.append(f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}")
            lines.append(f"| {' | '.join(cells)} | {len(trained)} |")
        searched, *rivals = [[one.test_frechet_distance for one in trained] for trained in sides.values()]
        for side, reached in zip([*sides][1:], rivals, strict=True):
            apart, half = difference(searched, reached)
            other = NAMES[side].partition(",")[0].format(said=said)
            lines.append(f"| {name} | **{said} − {other}** | | | | **{apart:.2f} ± {half:.2f}** (95 %) | | | | |")
    text = README.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    README.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study")
    parser.add_argument("--ledger", default="sqlite:///run/results.sqlite")
    parser.add_argument("--finalist", default=WINNER, metavar="ID", help="the beginning of an architecture's id")
    parser.add_argument(
        "--rival",
        default="dcgan",
        choices=[*NAMES][1:],
        help="a whole DCGAN, its generator alone, or trained at the winner's cost",
    )
    given = parser.parse_args()
    compare(given.study, given.ledger, given.finalist, given.rival)
