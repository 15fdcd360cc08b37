"""The comparison: every strategy on every question from every seed, in parallel, each run made once."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from statistics import fmean

from nas.comparing.arena import Arena
from nas.comparing.config import CompareConfig
from nas.comparing.keeping import Book
from nas.comparing.origin import command_of, origin_of
from nas.comparing.processes import each
from nas.comparing.questions import pose, read_tables
from nas.comparing.running import SORT, make_guide, run
from nas.comparing.standings import Standings
from nas.comparing.telling import Findings
from nas.comparing.values import Cell, Question, Run
from nas.errors import CompareError
from nas.tables import Table


@dataclass(frozen=True)
class Progress:
    """How far a comparison is."""

    done: int
    """Runs that there are, those of before among them."""
    total: int
    found: int
    """Runs that there were before."""
    cell: Cell | None
    """Of the run that ended last; None at the beginning."""
    seconds_left: float | None
    """What is left to do, by what runs have taken; None until there is one."""


def compare(config: CompareConfig, *, on_progress: Callable[[Progress], None] = lambda _: None) -> Findings:
    """Make the runs that are not in the folder yet, and tell what came of all.

    Runs are known by the table's digest, the budget, the strategy, the question and the seed: the same command goes on after
    a kill, more seeds add to those there are, and no run is made twice. Where a table tells no sizes, the baseline that takes the
    largest first is left out, and the findings say so.

    Raises:
        NasError: a table, a limit or a strategy is wrong, or the runs cannot be kept.
        KeyboardInterrupt: after Ctrl-C; runs that have ended are kept.
    """
    _arenas.cache_clear()  # a file may have changed since
    tables, arenas = _arenas(config)
    unsized = list(dict.fromkeys(arena.question.table for arena in arenas.values() if not arena.sized))
    strategies = tuple(name for name in config.strategies if name != SORT or not unsized)
    for arena in arenas.values():
        for strategy in strategies:
            if strategy != SORT:
                make_guide(arena, strategy)  # refuses what is unknown or cannot serve, before there is a folder
    cells = [
        Cell(question, strategy, seed)
        for seed in range(config.seeds)  # so that an early look sees a few seeds of all
        for question in arenas
        for strategy in strategies
    ]
    keys = {(table.name, name): _key(config, table, name) for table in tables for name in strategies}
    with Book(config.out) as book:
        known = book.runs()
        keyed = [(keys[cell.question.table, cell.strategy], cell) for cell in cells]
        runs = {cell: known[key, cell] for key, cell in keyed if (key, cell) in known}
        waiting = [cell for cell in cells if cell not in runs]
        clock = Clock(config.workers, found=len(runs), waiting=waiting)
        on_progress(clock.progress(None))
        if waiting:
            with book.adding() as add:
                digests = {table.name: table.digest for table in tables}
                for cell, made in each(partial(_make, config, digests), waiting, config.workers):
                    add(keys[cell.question.table, cell.strategy], made)
                    runs[cell] = made
                    on_progress(clock.after(made))
    made_in_order = [runs[cell] for cell in cells]  # whichever was there before, or has ended first
    standings = Standings(
        made_in_order,
        evaluations=config.evaluations,
        strategies=strategies,
        expected={question: arena.expected(config.evaluations) for question, arena in arenas.items()},
        uneven=[question for question, arena in arenas.items() if not arena.even],
    )
    return Findings(
        standings,
        origin=origin_of(config, tables, made_in_order),
        command=command_of(config),
        objectives={question: arena.objective.figure for question, arena in arenas.items()},
        training_seconds={question: arena.training_seconds for question, arena in arenas.items()},
        unsized=unsized,
    )


class Clock:
    """Counts the runs, and says how long what is left will take."""

    def __init__(self, workers: int, *, found: int, waiting: Sequence[Cell]) -> None:
        self.workers = workers
        self.found = found
        self.total = found + len(waiting)
        self.waiting = dict.fromkeys(waiting)
        self.taken: defaultdict[tuple[Question, str], list[float]] = defaultdict(list)

    def after(self, run: Run) -> Progress:
        """Note a run that has ended."""
        self.waiting.pop(run.cell)
        self.taken[run.cell.question, run.cell.strategy].append(run.seconds)
        return self.progress(run.cell)

    def progress(self, cell: Cell | None) -> Progress:
        """How far it is, `cell` having ended last."""
        return Progress(self.total - len(self.waiting), self.total, self.found, cell, self._seconds_left())

    def _seconds_left(self) -> float | None:
        """A run is taken to take what others of its strategy on its question did; where there is none yet, what all did."""
        if not self.taken:
            return None
        all_runs = fmean(seconds for some in self.taken.values() for seconds in some)
        means = {key: fmean(some) for key, some in self.taken.items()}
        return sum(means.get((cell.question, cell.strategy), all_runs) for cell in self.waiting) / self.workers


def _make(config: CompareConfig, digests: Mapping[str, str], cell: Cell) -> Run:
    """The run of `cell`, in whatever process; each reads the tables once, and `digests` say what they must be.

    Raises:
        CompareError: a table is another by now, whose runs would be kept as those of the first.
    """
    tables, arenas = _arenas(config)
    for table in tables:
        if table.digest != digests[table.name]:
            raise CompareError(
                f"The table {table.file} was changed as it was compared: digest {digests[table.name]}, now {table.digest}; "
                "the same command compares what it is now."
            )
    return run(arenas[cell.question], cell.strategy, cell.seed, config.evaluations, config.confirmations(cell.strategy))


@lru_cache(maxsize=1)
def _arenas(config: CompareConfig) -> tuple[tuple[Table, ...], Mapping[Question, Arena]]:
    """The tables and the questions of a comparison."""
    tables = read_tables(config.tables)
    return tables, pose(tables, config.limits, proxies=config.proxies, noise=config.noise)


def _key(config: CompareConfig, table: Table, strategy: str) -> str:
    """Names what a run of `strategy` on `table` hangs on, beside its cell: what the table says, and what is asked of it."""
    confirmations = config.confirmations(strategy)
    changes = [
        *([] if config.noise else ["means"]),
        *(f"proxy:{name}" for name in config.proxies),
        *([f"confirm {confirmations}"] if confirmations else []),
    ]
    return " ".join([table.digest, table.asked, str(config.evaluations), *changes])
