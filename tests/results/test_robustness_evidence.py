"""The evidence on attacks says what its files say: agreement with torchattacks, and no accuracy that rises with ε."""

import csv
from collections import defaultdict
from pathlib import Path
from statistics import fmean

from nas.measures import read_measure

HERE = Path(__file__).parents[2] / "results" / "robustness"


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def test_on_three_networks_torchattacks_finds_as_much_within_half_a_point() -> None:
    found = rows("peers.csv")
    assert len({row["space"] for row in found}) == 3
    assert {read_measure(row["attack"]).name.split("-")[1] for row in found} == {"linf", "l2"}
    for row in found:
        assert abs(float(row["ours"]) - float(row["torchattacks"])) <= 0.005
        assert float(row["ours"]) < float(row["plain"])
        assert f"| {float(row['plain']):.4f} | {float(row['ours']):.4f} | {float(row['torchattacks']):.4f} |" in page()


def test_in_the_mean_of_five_seeds_accuracy_never_rises_with_epsilon() -> None:
    by_recipe: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows("trainings.csv"):
        by_recipe[row["recipe"]].append(row)
    assert {len(some) for some in by_recipe.values()} == {5}
    for some in by_recipe.values():
        sizes = {}
        for figure in some[0]:
            attack = read_measure(figure.partition(":")[2]).attack if ":pgd-" in figure else None
            if attack is not None:
                sizes[attack.eps] = fmean(float(row[figure]) for row in some)
                assert f"{sizes[attack.eps]:.4f} ±" in page()
        means = [mean for _, mean in sorted(sizes.items())]
        assert means == sorted(means, reverse=True)
        assert len(means) == 7


def page() -> str:
    return (HERE / "README.md").read_text(encoding="utf-8")
