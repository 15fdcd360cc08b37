"""Keep a study's leaderboard under results/: `python results/keep.py STUDY [--ledger URL]`.

It goes to BENCHMARK-vN/MACHINE/STUDY/: leaderboard.csv, .json and .md as `nas rank` prints them, machine.json, and the commands
that make it again.
"""

import argparse
import json
from pathlib import Path

from nas.ranking import leaderboard
from nas.records import Ledger
from nas.reports.command import commands
from nas.reports.markdown import to_markdown
from nas.reports.sheets import leaderboard_sheets
from nas.reports.tables import tables_csv, tables_data, to_json

RESULTS = Path(__file__).parent


def keep(study: str, ledger: str, results: Path = RESULTS, *, space: str | None = None) -> Path:
    """Write the leaderboard of `study` below `results`; returns the folder.

    A `space` that is no name of an installed one was found by this path, which a ledger does not keep.
    """
    with Ledger(ledger, create=False) as book:
        entry = book.study(study)
        tables = leaderboard(book, study)
        again = commands(entry, book.trials(entry))
    if space is not None and Path(space).suffix:
        again = [command.replace(f"nas search {entry.space.name}.yaml ", f"nas search {space} ") for command in again]
    benchmark = entry.definition["benchmark"]
    machine = tables[0].setting.machine
    folder = results / f"{benchmark['name']}-v{benchmark['version']}" / machine.id / study
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "leaderboard.csv").write_text(tables_csv(tables), encoding="utf-8")
    (folder / "leaderboard.json").write_text(to_json(tables_data(tables)), encoding="utf-8")
    (folder / "leaderboard.md").write_text(to_markdown(leaderboard_sheets(tables)), encoding="utf-8")
    (folder / "machine.json").write_text(json.dumps(vars(machine), indent=1) + "\n", encoding="utf-8")
    (folder / "commands.sh").write_text("".join(f"{command}\n" for command in again), encoding="utf-8")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument("--ledger", default="sqlite:///nas.sqlite")
    given = parser.parse_args()
    print(f"Wrote {keep(given.study, given.ledger)}.")
