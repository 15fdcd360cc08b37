"""The index of the reference leaderboards, in README.md: `python results/index.py` writes it anew of what is committed."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

from nas.benchmark import LINEAR
from nas.reports.figures import face
from nas.searching import resolve_benchmark

HERE = Path(__file__).parent
BEGIN, END = "<!-- index: python results/index.py -->", "<!-- end of the index -->"
TITLES = ("leaderboard", "space", "limits", "searched", "winner, trained again", "test figure of the winner", "floor")


def index() -> str:
    """A row a leaderboard, by benchmark and then by study."""
    folders = sorted(path.parent for path in HERE.glob("*/*/*/leaderboard.json"))
    lines = [f"| {' | '.join(TITLES)} |", "|---" * len(TITLES) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(_row(folder))} |" for folder in folders)])


def _row(folder: Path) -> list[str]:
    tables: list[dict[str, Any]] = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    final, search = (next(table for table in tables if table["stage"] == stage) for stage in ("final", "search"))
    command = shlex.split((folder / "commands.sh").read_text(encoding="utf-8").splitlines()[0])
    limits = [command[place + 1] for place, word in enumerate(command) if word == "--limit"]
    winner = final["rows"][0]
    size, flops = (winner["figures"][name]["mean"] for name in ("params", "flops"))
    benchmark = resolve_benchmark(final["benchmark"].partition(" v")[0])
    figure = next(name for name in benchmark.floor if name in winner["figures"])
    return [
        f"[{final['benchmark']}: {folder.name}]({folder.relative_to(HERE).as_posix()})",
        f"`{command[2]}`",
        ", ".join(f"`{_short(limit)}`" for limit in limits),
        f"{len(search['rows'])} network{'s' * (len(search['rows']) != 1)}, {search['budget']}",
        f"{size:,.0f} parameters, {flops / 1e6:.1f} MFLOPs",
        f"{face(figure).words.removeprefix('test ')} {_told(winner['figures'][figure])}",
        f"{benchmark.floor[figure]:.3f}{'' if benchmark.floor_by == LINEAR else f' ({benchmark.floor_by})'}",
    ]


def _short(limit: str) -> str:
    """`params <= 50e3` in place of 50000."""
    return re.sub(r"(\d+)000\b", r"\1e3", limit).replace("000e3", "e6")


def _told(figure: dict[str, Any]) -> str:
    spread = f" ± {figure['deviation']:.4f}" if figure["deviation"] else ""
    return f"{figure['mean']:.4f}{spread} ({figure['count']} seeds)"


def write() -> None:
    """Put the index in its place."""
    path = HERE / "README.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n\n{index()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
