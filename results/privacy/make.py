"""What privacy costs a convolutional network, and what it hides: `python results/privacy/make.py`.

A small search, its winner from five seeds, and children of these: with group normalisation and the recipe of the private ones but
without noise, and with noise for an ε of 8, 3 and 1. Members are guessed of each by its losses. It goes on where it was killed;
the ledger stays in `ledgers/`, which git leaves out. Writes privacy.json and the table of README.md.
"""

import json
import os
import re
import warnings
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nas
from nas.ranking.steps import Step, spread, steps
from nas.records import Ledger, Record
from nas.searching import derive
from nas.searching.membership import Guessed, guess_members

HERE = Path(__file__).parent
LEDGER = f"sqlite:///{HERE}/ledgers/nas.sqlite"
BEGIN, END = "<!-- table: python results/privacy/make.py -->\n", "<!-- end of the table -->"

STUDY = "residual_cnn"
RECIPE: dict[str, Any] = {
    "batch_norm": "group",
    "batch_size": 512,
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "shift": 0,
    "label_smoothing": 0.0,
}
"""Of all children, so that noise is all that they differ in: large batches, in which it weighs less."""
EPSILONS = (None, 8.0, 3.0, 1.0)

TITLES = (
    *("trained", "ε told", "by opacus' accountant", "σ"),
    *("validation accuracy", "test accuracy", "members told, AUROC", "members found", "seeds"),
)

NOTE = re.compile(r"In private: .* for ([\d,]+) steps .* chance ([\d.]+), noise ([\d.]+) times")


def main() -> None:
    """Train what is missing, and write what came of it."""
    (HERE / "ledgers").mkdir(exist_ok=True)
    given: dict[str, Any] = {"on": "digits", "trials": 6, "epochs": 4, "strategy": "random"}
    nas.search("residual_cnn", limits=["params >= 3e3", "params <= 8e3", "flops <= 1e5"], study=STUDY, ledger=LEDGER, **given)
    nas.finals(STUDY, top=1, seeds=5, even=True, ledger=LEDGER)
    for epsilon in EPSILONS:
        private = {"privacy_epsilon": epsilon} if epsilon else {}
        derive(STUDY, "retrain", options={"changes": RECIPE | private}, ledger=LEDGER)
        print(epsilon, flush=True)
    guessed = guess_members(STUDY, ledger=LEDGER)
    with Ledger(LEDGER, create=False) as book:
        entry = book.study(STUDY)
        found = steps(entry, book.trials(entry))
    rows = [row_of(step, [one for one in guessed if one.words == (step.words or "finalist")]) for step in found]
    rows.sort(key=lambda row: (row["recipe"] != "finalist", -(row["epsilon"] or 1e9)))
    record = found[0].trials[0].record
    assert record is not None  # noqa: S101 - it is complete
    commits = list(dict.fromkeys(row["commit"] for row in rows))
    told = f"{record.machine}, commit{'s' * (len(commits) > 1)} {' and '.join(commits)}"
    (HERE / "privacy.json").write_text(json.dumps({"commit": record.commit, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    write(rows, f"{told}; {record.figures['params']:,.0f} parameters, on digits")


def row_of(step: Step, guessed: list[Guessed]) -> dict[str, Any]:
    """What is told of the trainings by one recipe."""
    records = [trial.record for trial in step.trials if trial.record is not None]
    told = [record.figures["privacy_epsilon"] for record in records if "privacy_epsilon" in record.figures]
    return {
        "recipe": "finalist" if step.parent is None else "without noise" if not told else "in private",
        "epsilon": max(told, default=None),
        "by_opacus": max(map(by_opacus, records), default=None) if told else None,
        "noise": noise_of(records[0]),
        "validation_accuracy": [record.figures["validation_accuracy"] for record in records],
        "test_accuracy": [record.figures["test_accuracy"] for record in records],
        "auroc": [one.by_loss.auroc for one in guessed],
        "auroc_low": fmean(one.by_loss.auroc_low for one in guessed),
        "auroc_high": fmean(one.by_loss.auroc_high for one in guessed),
        "found": [one.by_loss.found for one in guessed],
        "seeds": [record.seed for record in records],
        "commit": records[0].commit,
    }


def noted(record: Record) -> tuple[int, float, float] | None:
    """Steps, chance and noise of a private training, as its note tells them."""
    match = next(filter(None, map(NOTE.match, record.notes)), None)
    return (int(match[1].replace(",", "")), float(match[2]), float(match[3])) if match else None


def noise_of(record: Record) -> float | None:
    """σ of a private training."""
    found = noted(record)
    return found[2] if found else None


def by_opacus(record: Record) -> float:
    """ε by opacus' own accountant, asked step by step for what the note tells."""
    from opacus.accountants import RDPAccountant

    found = noted(record)
    assert found is not None  # noqa: S101 - it was trained in private
    steps_taken, chance, noise = found
    accountant = RDPAccountant()
    for _ in range(steps_taken):
        accountant.step(noise_multiplier=noise, sample_rate=chance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a finer grid of orders would tell a smaller ε
        return float(accountant.get_epsilon(record.figures["privacy_delta"]))


def write(rows: list[dict[str, Any]], where: str) -> None:
    """Put the table into its place."""
    lines = [
        f"| {' | '.join(TITLES)} |",
        "|---" * len(TITLES) + "|",
    ]
    for row in rows:
        found = [one for one in row["found"] if one is not None]
        cells = [
            row["recipe"],
            "–" if row["epsilon"] is None else f"{row['epsilon']:.3f}",
            "–" if row["by_opacus"] is None else f"{row['by_opacus']:.3f}",
            "–" if row["noise"] is None else f"{row['noise']:.2f}",
            *(mean(row[name]) for name in ("validation_accuracy", "test_accuracy", "auroc")),
            f"{fmean(found):.3f}" if found else "–",
            str(len(row["seeds"])),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    told = "\n".join([where, "", *lines])
    readme.write_text(f"{text[: text.index(BEGIN)]}{BEGIN}\n{told}\n\n{text[text.index(END) :]}", encoding="utf-8")


def mean(values: list[float]) -> str:
    """With half the 95 % interval over seeds."""
    one = spread(values)
    return f"{one.mean:.3f} ± {((one.high or 0) - (one.low or 0)) / 2:.3f}"


if __name__ == "__main__":
    main()
