"""Make the reference leaderboards again: `python results/make.py [STUDY ...] [--ledger URL] [--data DIR]`.

What is searched stands in leaderboards.yaml. What is done already is not done again: after Ctrl-C or a kill the same command goes
on. Each leaderboard is kept by keep.py as soon as its finals have ended.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from keep import keep

from nas.documents import read_file

HERE = Path(__file__).parent
TRIALS, SEED = 20, 0


def commands(study: str, asked: dict[str, Any]) -> list[list[str]]:
    """The words of the search and of its finals."""
    finals = asked.pop("finals")
    space, on, limits = asked.pop("space"), asked.pop("on"), asked.pop("limits")
    search = ["search", space, "--on", on, "--trials", str(TRIALS), "--seed", str(SEED), "--study", study]
    search += [word for limit in limits for word in ("--limit", limit)]
    asked_for = {name: value if isinstance(value, list) else [value] for name, value in asked.items()}
    search += [word for name, values in asked_for.items() for value in values for word in (f"--{name}", _word(value))]
    options = ([f"--{name}"] if value is True else [f"--{name}", str(value)] for name, value in finals.items())
    return [search, ["finals", study, *(word for words in options for word in words)]]


def _word(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


def main() -> None:
    """Run what is asked for, or all."""
    plans = read_file(HERE / "leaderboards.yaml").value
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"of {', '.join(plans)}; all if none is named")
    parser.add_argument("--ledger", default="sqlite:///run/results.sqlite")
    parser.add_argument("--data", type=Path, default=None, metavar="DIR")
    given = parser.parse_args()
    if unknown := set(given.studies) - set(plans):
        parser.error(f"no leaderboard is called {', '.join(sorted(unknown))}; known: {', '.join(plans)}")
    if given.ledger == parser.get_default("ledger"):
        Path("run").mkdir(exist_ok=True)
    for study in given.studies or plans:
        for words in commands(study, dict(plans[study])):
            where = ["--ledger", given.ledger, *(["--data", str(given.data)] if given.data else [])]
            print(f"\n$ nas {' '.join(words)}", flush=True)
            subprocess.run([sys.executable, "-m", "nas", *words, *where], check=True)  # noqa: S603
        print(f"Wrote {keep(study, given.ledger, space=plans[study]['space']).relative_to(HERE)}.")


if __name__ == "__main__":
    main()
