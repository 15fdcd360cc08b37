"""What compression costs and brings: finalists of four spaces, what was made of them, and what a student gains by its teacher.

    python results/compression/make.py [QUESTION …]      each as named below; goes on where it was killed

Writes QUESTION.json beside this file and the tables into README.md. The ledgers stay in `ledgers/`, which git leaves out.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nas
from nas.benchmark import Objective
from nas.ranking.steps import spread, steps
from nas.records import Ledger, Record, Trial
from nas.reports.steps import steps_data, steps_table
from nas.searching import derive

HERE = Path(__file__).parent
BEGIN, END = "<!-- steps: python results/compression/make.py -->", "<!-- end of the steps -->"

QUESTIONS: dict[str, dict[str, Any]] = {
    "residual_cnn": {"on": "digits", "limits": ["params >= 60e3", "params <= 200e3"], "seeds": 5, "trials": 6, "epochs": 4},
    "transformer_encoder": {
        "on": "japanese_vowels",
        "limits": ["params >= 30e3", "params <= 120e3"],
        "seeds": 5,
        "trials": 6,
        "epochs": 10,
    },
    "recurrent": {
        "on": "japanese_vowels",
        "limits": ["params >= 40e3", "params <= 150e3"],
        "seeds": 5,
        "trials": 6,
        "epochs": 10,
    },
    "audio_cnn": {"on": "spoken_digits", "limits": ["params >= 20e3", "flops <= 6e6"], "seeds": 3, "trials": 6, "epochs": 2},
}
"""Space → benchmark, limits, seeds of the finalist, and how long was searched."""

AT_ONCE: list[tuple[str, dict[str, Any]]] = [
    ("int8-weights", {}),
    ("int8-static", {}),
    ("int8-dynamic", {}),
    ("int4-weights", {}),
]
"""Each with its options: methods that train nothing."""

TRAINED: list[tuple[str, dict[str, Any]]] = [
    ("magnitude", {}),
    ("structured", {}),
    ("qat", {}),
    ("distil", {}),
    ("distil", {"weight": 0.0}),
]
"""Methods that train; the last is the same student without a teacher."""


def made(space: str, methods: list[tuple[str, dict[str, Any]]]) -> None:
    """Search, train the winner from several seeds, and make its children by these methods."""
    asked = QUESTIONS[space]
    (HERE / "ledgers").mkdir(exist_ok=True)
    ledger = f"sqlite:///{HERE}/ledgers/{space}.sqlite"
    nas.search(
        space,
        on=asked["on"],
        trials=asked["trials"],
        epochs=asked["epochs"],
        limits=asked["limits"],
        study=space,
        ledger=ledger,
        strategy="random",
    )
    nas.finals(space, top=1, seeds=asked["seeds"], ledger=ledger)
    for how, options in methods:
        try:
            derive(space, how, options=options, ledger=ledger)
        except nas.NasError as error:
            print(f"{space}: {how}: {error}")
        tell(space)


def tell(space: str) -> None:
    """Write what is known of a question, and the page."""
    with Ledger(f"sqlite:///{HERE}/ledgers/{space}.sqlite", create=False) as book:
        entry = book.study(space)
        trials = book.trials(entry)
    found = [*steps(entry, trials)]
    record = next(trial.record for trial in trials if trial.stage == "final" and trial.record)
    goals = [Objective(**one) for one in entry.definition["objectives"]]
    table = steps_table(found, goals)
    data = {
        "space": space,
        "benchmark": QUESTIONS[space]["on"],
        "machine": str(record.machine),
        "commit": record.commit,
        "table": {"headers": table.headers, "rows": table.rows, "notes": table.notes},
        "steps": steps_data(found),
        "taught": taught(trials, goals),
    }
    (HERE / f"{space}.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    page()


def taught(trials: Sequence[Trial], goals: Sequence[Objective]) -> dict[str, Any]:
    """Figure → what a student has more of by its teacher than alone, over the seeds that have both, with its 95 % interval."""
    by_weight: dict[bool, dict[int, Record]] = {True: {}, False: {}}
    for trial in trials:
        record = trial.record
        if trial.state == "complete" and record is not None and record.derived is not None and record.derived.method == "distil":
            by_weight[record.derived.options["weight"] > 0][record.seed] = record
    both = [(by_weight[True][seed], alone) for seed, alone in by_weight[False].items() if seed in by_weight[True]]
    names = [goals[0].figure, goals[0].figure.replace("validation_", "test_")]
    return {name: asdict(spread([one.figures[name] - other.figures[name] for one, other in both])) for name in names if both}


def page() -> None:
    """Write the tables of all questions that are answered into README.md."""
    parts = []
    for space in QUESTIONS:
        path = HERE / f"{space}.json"
        if not path.exists():
            continue
        data = json.loads(path.read_text(encoding="utf-8"))
        table = data["table"]
        parts.append(f"### {space} on {data['benchmark']}\n\n{data['machine']}, commit {data['commit']}\n")
        parts.append("| " + " | ".join(table["headers"]) + " |\n" + "|---" * len(table["headers"]) + "|")
        parts[-1] += "".join("\n| " + " | ".join(row) + " |" for row in table["rows"]) + "\n"
        parts.append("\n".join(f"- {note}" for note in [*table["notes"][2:], *_told(data["taught"])]) + "\n")
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    head, tail = text[: text.index(BEGIN)], text[text.index(END) :]
    readme.write_text(f"{head}{BEGIN}\n\n" + "\n".join(parts) + f"\n{tail}", encoding="utf-8")


def _told(taught: Mapping[str, Any]) -> Iterator[str]:
    """How much the teacher brings, in a sentence."""
    for name, one in taught.items():
        half = f" ± {one['high'] - one['mean']:.4f}" if one["high"] is not None else ""
        words = name.replace("_", " ")
        yield f"the student taught less the same alone, {words}: {one['mean']:+.4f}{half} ({one['count']} seeds)."


if __name__ == "__main__":
    names = sys.argv[1:] or [*QUESTIONS]
    for methods in (AT_ONCE, TRAINED):  # what costs little first
        for name in names:
            made(name, methods)
