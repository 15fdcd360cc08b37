"""What formulas tell of candidates before one is evaluated: their size, whether it keeps to the limits, and any that do."""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from nas.errors import ModelError, SearchError
from nas.execution import Evaluate
from nas.records import FIGURES, Record
from nas.searching.config import SearchConfig
from nas.searching.driving import Work
from nas.searching.evaluating import Plan
from nas.space import Architecture
from nas.tables import TableEvaluator

if TYPE_CHECKING:
    from nas.models import Within


class Foresight:
    """Of one search's candidates; it takes the layers, which load torch, when it is first asked."""

    def __init__(self, config: SearchConfig, evaluate: Evaluate | None, *, trains: bool) -> None:
        """Foresee for `config`; without networks (not `trains`) only what a table that answers holds."""
        self.config = config
        self.table = evaluate if isinstance(evaluate, TableEvaluator) else None
        self.trains = trains

    def features(self, architecture: Architecture) -> Mapping[str, float]:
        """What a strategy may learn from beside the answers: what is known of a network by formulas."""
        from nas.models import cost

        try:
            found = cost(self.config.space, architecture, self.config.on.signature)
        except ModelError:
            return {}
        return {"params": found.params, "flops": found.flops}

    def draw(self, number: int, again: int = 0) -> Architecture | None:
        """An architecture within the limits, by chance; None where no limit is known before building."""
        rng = random.Random(f"{self.config.seed}:{number}:{again}" if again else f"{self.config.seed}:{number}")  # noqa: S311 - no secret
        if self.table is not None:
            return self.table.draw(rng)
        return self.within.draw(rng) if self.within else None

    @property
    def note(self) -> str:
        """What is to be said of the limits before the search; empty where nothing is."""
        return self.within.note if self.within else ""

    @cached_property
    def within(self) -> "Within | None":
        """The architectures within the limits that are known before anything is built; None without such limits."""
        early = [
            limit for limit in self.config.all_limits if limit.figure in FIGURES and FIGURES[limit.figure].known == "reckoned"
        ]
        if not early or not self.trains:
            return None
        from nas.models import Within

        return Within(self.config.space, self.config.on.signature, early)

    def check(self) -> None:
        """Refuse limits that no architecture meets.

        Raises:
            SearchError: says what the nearest architecture has.
        """
        if self.within is None:
            return
        if self.within.impossible:
            raise SearchError(self.within.impossible)
        if self.draw(0) is None:
            words = " and ".join(str(limit) for limit in self.within.limits)
            raise SearchError(f"No network was found that keeps to {words}; widen one of them.")

    def foreseen(self, work: Work, plan: Plan) -> tuple[Work, Record | None]:
        """`work` with its size, and its Record where formulas tell that it is outside a limit."""
        from nas.evaluation import infeasible_record, reckoned_figures

        space, signature = plan.space, plan.benchmark.signature
        try:
            record = infeasible_record(
                work.trial.architecture,
                space=space,
                signature=signature,
                limits=plan.limits,
                setting=plan.setting,
                budget=work.budget,
                seed=work.seed,
            )
            if record is None and self.config.slots > 1:
                work = replace(work, size=reckoned_figures(space, work.trial.architecture, signature)["flops"])
        except ModelError:  # whoever evaluates it says so in a Record
            return work, None
        return work, record
