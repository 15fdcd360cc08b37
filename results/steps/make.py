"""One finalist through all that comes after a search, side by side: `python results/steps/make.py`.

Each line of COMMANDS is run, as anybody would type it, and goes on where it was killed; then the table of README.md is written.
The ledger stays in `ledgers/`, which git leaves out.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from nas.benchmark import Objective
from nas.ranking.steps import steps
from nas.records import Ledger
from nas.reports.steps import steps_data, steps_table

HERE = Path(__file__).parent
LEDGER = f"sqlite:///{HERE}/ledgers/nas.sqlite"
BEGIN, END = "<!-- table: python results/steps/make.py -->\n", "<!-- end of the table -->"

COMMANDS = """
nas search residual_cnn --on digits --trials 6 --epochs 4 --limit "params >= 60e3" --limit "params <= 200e3" --strategy random \\
    --study residual_cnn
nas finals residual_cnn --top 1 --seeds 5
nas compress residual_cnn --how int8-weights --how int8-static --how int8-dynamic --how int4-weights --how structured
nas derive residual_cnn --how retrain --recipe adversarial=fgsm-linf-16/255
nas robustness residual_cnn --eps 4/255,16/255 --corruptions --calibration
nas privacy residual_cnn
"""


def main() -> None:
    """Run the commands, and write the table and steps.json."""
    (HERE / "ledgers").mkdir(exist_ok=True)
    for line in COMMANDS.replace("\\\n", "").strip().splitlines():
        print(f"$ {line}", flush=True)
        words = [sys.executable, "-m", *shlex.split(line), "--ledger", LEDGER]
        subprocess.run(words, check=True)  # noqa: S603 - our own words
    with Ledger(LEDGER, create=False) as book:
        entry = book.study("residual_cnn")
        trials = book.trials(entry)
    found = steps(entry, trials)
    table = steps_table(found, [Objective(**one) for one in entry.definition["objectives"]])
    record = next(trial.record for trial in trials if trial.stage == "final" and trial.record)
    rows = zip(table.headers, *table.rows, strict=True)  # a column a step: there are more figures than steps
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    lines.insert(1, "|---" * (1 + len(table.rows)) + "|")
    told = "\n".join([f"{record.machine}, commit {record.commit}", "", *lines, "", *(f"- {note}" for note in table.notes)])
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(f"{text[: text.index(BEGIN)]}{BEGIN}\n{told}\n\n{text[text.index(END) :]}", encoding="utf-8")
    (HERE / "steps.json").write_text(json.dumps(steps_data(found), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
