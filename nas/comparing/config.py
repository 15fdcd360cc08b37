"""What is compared, checked at the door."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nas.comparing.questions import read_limits
from nas.comparing.running import SORT
from nas.comparing.standings import RANDOM
from nas.errors import CompareError, quote
from nas.records import usable_cores
from nas.searching.confirming import usual_confirmations
from nas.strategies.samplers import AUTO

BASELINES = (RANDOM, SORT)
"""Always among the strategies: what is not better than these is not worth its name."""


MOST_EVALUATIONS = 100_000
"""Of a run; more than any table of ours has architectures, and as many as a page is drawn of within a minute."""


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """What is compared; made by `make`, which checks it."""

    tables: tuple[Path, ...]
    out: Path
    """The folder of the runs."""
    strategies: tuple[str, ...]
    limits: tuple[str, ...]
    """Each makes a further question of each table, or of the one that it names."""
    proxies: tuple[str, ...]
    """Zero-cost scores of the tables that strategies may learn from."""
    noise: bool
    """Whether an answer is one training of several, rather than their mean."""
    confirm: int | None
    """How many of the evaluations train the best again; None for what a search does."""
    evaluations: int
    seeds: int
    workers: int

    @classmethod
    def make(
        cls,
        *,
        tables: Sequence[Path | str],
        out: Path | str,
        strategies: Sequence[str] = (),
        limits: Sequence[str] = (),
        proxies: Sequence[str] = (),
        noise: bool = True,
        confirm: int | None = None,
        evaluations: int = 100,
        seeds: int = 10,
        workers: int | None = None,
    ) -> Self:
        """The config of these options; the baselines come last among the strategies, each of which counts once.

        Raises:
            CompareError: there is no table, or a number is not at least 1 or far too large.
            SpaceError: a limit is none.
        """
        if not tables:
            raise CompareError("A comparison needs at least one table; name one with --table.")
        workers = usable_cores() if workers is None else workers
        for name, number in (("evaluations", evaluations), ("seeds", seeds), ("workers", workers)):
            if not isinstance(number, int) or isinstance(number, bool) or number < 1:
                raise CompareError(f"A comparison has at least 1 of {name}, got {quote(number)}.")
        if evaluations > MOST_EVALUATIONS:
            raise CompareError(f"A run has at most {MOST_EVALUATIONS:,} evaluations, got {evaluations:,}; give fewer.")
        if confirm is not None and not (isinstance(confirm, int) and 0 <= confirm < evaluations):
            raise CompareError(f"Some of the {evaluations} evaluations must search, got confirm {quote(confirm)}; give fewer.")
        for text in limits:
            read_limits(text)
        named = [name for name in dict.fromkeys(strategies) if name not in BASELINES]
        return cls(
            tables=tuple(map(Path, tables)),
            out=Path(out),
            strategies=(*named, *BASELINES),
            limits=tuple(dict.fromkeys(limits)),
            proxies=tuple(dict.fromkeys(proxies)),
            noise=noise,
            confirm=confirm,
            evaluations=evaluations,
            seeds=seeds,
            workers=workers,
        )

    def confirmations(self, strategy: str) -> int:
        """How many of a run's evaluations train the best again, where a table has several trainings: as in a search a tenth with
        `auto`, where that is at least five, and none with others; or as many as are asked for, but for the baselines.
        """
        if strategy in BASELINES:
            return 0
        if self.confirm is not None:
            return self.confirm
        return usual_confirmations(self.evaluations) if strategy == AUTO else 0
