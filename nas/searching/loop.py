"""The search: ask → seen before? → evaluate → tell → keep, until enough architectures have a result; then the best again."""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from nas.errors import ModelError, SearchError
from nas.execution import Evaluate
from nas.records import FIGURES, Epoch, Ledger, Record, StudyEntry, Trial
from nas.searching.again import train_again
from nas.searching.config import SearchConfig
from nas.searching.confirming import Confirmation
from nas.searching.evaluating import EvaluationKey, check_proxies, check_pruning, make_evaluator
from nas.searching.events import INTERRUPTED, EpochEnded, OnEvent, RunBegun, RunEnded, Tally, TrialBegun, TrialEnded, ignore
from nas.searching.resuming import Unfinished
from nas.searching.study import Study
from nas.searching.together import follow, together
from nas.space import Architecture, broken_limits, size_if_counted, size_text
from nas.strategies import IDLE_BEFORE_CHANCE, Guide, Proposal
from nas.tables import TableBenchmark, TableEvaluator

if TYPE_CHECKING:
    from nas.models import Within
    from nas.training import Ranks

FAILURES_BEFORE_GIVING_UP = 10
"""A search whose first candidates all fail is stopped; something is wrong with the space or the machine."""


def search(space: Any = None, *, on: Any, on_event: OnEvent = ignore, evaluate: Evaluate | None = None, **options: Any) -> Study:
    """Search `space` (a name, a YAML file's path, or a Space) for the best network on a benchmark.

    Where `on` is the file of a table of trained architectures, `space` may be left out: it is the table's.
    A study of the same name and definition goes on where it ended. `options` are those of `SearchConfig`. What was found
    is kept when Ctrl-C ends it. `evaluate` replaces training, for benchmarks that answer otherwise.

    Raises:
        NasError: an option is wrong, the data or the device are missing, or another process runs this study.
        KeyboardInterrupt: after Ctrl-C, so that a script does not go on as if the search were done.
    """
    given = options if space is None else {**options, "space": space}
    return run(SearchConfig.make(on=on, **given), on_event=on_event, evaluate=evaluate)


def run(config: SearchConfig, *, on_event: OnEvent = ignore, evaluate: Evaluate | None = None) -> Study:
    """Run the search that `config` asks for, or go on with it; see `search`.

    Of several processes that torchrun started, the first searches and the others help it to train. On a table nothing is trained.
    """
    if evaluate is None and isinstance(config.on, TableBenchmark):
        evaluate = config.on.evaluator(config.all_limits, config.scores)
    with together(config.wait_minutes) as ranks:
        if ranks is None or ranks.leads:
            _lead(config, on_event, evaluate, ranks)
        else:
            given = {**config.means, "data": config.data, "replicates": config.replicates, "together": config.together}
            follow(ranks, lambda: make_evaluator(config.space, config.on, (), ranks=ranks, **given))
    return Study(config.study_name, config.ledger)


def _lead(config: SearchConfig, on_event: OnEvent, evaluate: Evaluate | None, ranks: "Ranks | None") -> None:
    name = config.study_name
    with Ledger(config.ledger) as ledger, ledger.driving(name):
        search_run = _Run(config, ledger, on_event, evaluate, ranks)  # refuses an unknown strategy or pruner
        if name not in {entry.name for entry in ledger.studies()}:
            search_run.prepare()  # refuses wrong layers, missing data or devices, before the name is taken
            search_run.check_limits()
        search_run.entry = ledger.begin_study(name, config.definition())
        try:
            reason = search_run.go()
        except KeyboardInterrupt:
            on_event(RunEnded(name, INTERRUPTED, True, search_run.tally.progress()))
            raise
        on_event(RunEnded(name, reason, False, search_run.tally.progress()))


class _Run:
    """One run of one study: what is known, and what is to be done next."""

    entry: StudyEntry
    """The study in the ledger, once it is begun."""

    def __init__(
        self,
        config: SearchConfig,
        ledger: Ledger,
        on_event: OnEvent,
        evaluate: Evaluate | None,
        ranks: "Ranks | None" = None,
    ) -> None:
        self.config = config
        self.ledger = ledger
        self.on_event = on_event
        self.evaluate = evaluate
        self.ranks = ranks
        self.trains: bool = evaluate is None or getattr(evaluate, "trains", False)
        """Whether candidates are networks that are built and trained."""
        self.tally = Tally(config.trials, config.steered_by[0])
        self.guide = Guide(
            config.space,
            config.steered_by,
            strategy=config.strategy,
            pruner=config.pruner,
            epochs=config.budget.epochs,
            seed=config.seed,
            limits=config.all_limits,
            features=self.reckoned if self.trains else getattr(evaluate, "features", None),
        )
        trainings = getattr(evaluate, "trainings", None)
        self.confirmation = Confirmation(config.steered_by[0], config.seed, config.replicates, trainings)
        if evaluate is not None:
            check_pruning(evaluate, config.pruner)
            check_proxies(evaluate, config.proxies)
        self.known: dict[str, Trial] = {}
        """Architecture's id → the trial of this study that has the result."""
        self.sources: set[int] = set()
        """The trials whose results this study has, its own and those of other studies."""
        self.idle = 0
        """Proposals in a row, up to now, that brought nothing new."""

    def go(self) -> str:
        """Search until something ends it; returns what, as a sentence."""
        config = self.config
        trials = self.ledger.trials(self.entry, "search")
        finished = [trial for trial in trials if trial.state != "running"]
        interrupted = {trial.number: trial for trial in trials if trial.state == "running"}
        for trial in finished:
            self.guide.restore(trial)
            self.count(trial, fresh=False)
        confirmed = self.ledger.trials(self.entry, "confirm")
        for trial in confirmed:
            if trial.state != "running":
                self.confirmation.add(trial)
                self.tally.add(trial, repeated=False, fresh=False)
        count = size_if_counted(config.space)
        # Only where there is something left to do: it takes the layers, which load torch.
        note = self.within.note if self.tally.evaluated < config.trials and self.within else ""
        found = len(finished) + self.confirmation.made
        self.on_event(RunBegun(config.study_name, config.trials, found, headline(config, count, self.confirmations), note))
        reason = self.explore(len(finished), interrupted, count)
        for trial in [trial for trial in confirmed if trial.state == "running"]:
            self.confirm(trial)
        while self.confirmation.made < self.confirmations and self.tally.evaluated < config.trials and self.confirm():
            pass
        if not self.confirmation.made:
            return reason
        return f"{reason} {self.confirmation.made} of the {config.trials} trainings went to the best again, from new seeds."

    def explore(self, number: int, interrupted: Mapping[int, Trial], count: int | float | None) -> str:
        """Propose and evaluate from that number on until something ends it; returns what, as a sentence."""
        config = self.config
        wanted = config.trials - self.confirmations
        while self.explored < wanted and self.tally.evaluated < config.trials:
            if count is not None and len(self.known) >= count:
                which = "The one architecture" if count == 1 else f"Every one of the {count:,} architectures"
                return f"{which} of {config.space.name} has been tried.{self.from_others}"
            if isinstance(self.evaluate, TableEvaluator) and self.explored >= self.evaluate.holds:
                holds = self.evaluate.holds
                which = "The one architecture" if holds == 1 else f"Every one of the {holds:,} architectures"
                return f"{which} that the table has within limits has been tried.{self.from_others}"
            if number >= config.most_proposals:
                return self.out_of_proposals(number)
            if self.explored == self.tally.counts["failed"] >= FAILURES_BEFORE_GIVING_UP:
                raise SearchError(f"The first {self.tally.evaluated} candidates all failed; the last: {self.last_error()}")
            self.try_one(number, interrupted.get(number))
            number += 1
        failed = f", of which {self.tally.counts['failed']} failed" if self.tally.counts["failed"] else ""
        return f"{self.explored} of {wanted} architectures have a result{failed}.{self.from_others}"

    @property
    def from_others(self) -> str:
        """How many results other studies in the ledger had, in a sentence: no pruner stopped these, and no line told them."""
        own = {trial.id for trial in self.known.values()}
        taken = [trial for trial in self.known.values() if trial.reused_from is not None and trial.reused_from not in own]
        number = sum(trial.state != "infeasible" for trial in taken)
        if not number:
            return ""
        return f" {number:,} of the results {'was' if number == 1 else 'were'} known from other studies in this ledger."

    @property
    def explored(self) -> int:
        """Different architectures with a result."""
        return self.tally.evaluated - self.confirmation.evaluated

    @property
    def confirmations(self) -> int:
        """How many trainings confirm the best, and no more than there are."""
        return int(min(self.config.confirmations, self.confirmation.holds))

    def confirm(self, interrupted: Trial | None = None) -> bool:
        """Train one of the best from a seed that it was not trained from; False where there is none."""
        if interrupted is not None:
            architecture, seed = interrupted.architecture, self.confirmation.seed_of(interrupted.architecture)
        else:
            first = {trial.reused_from or trial.id: trial for trial in reversed(self.known.values())}
            chosen = self.confirmation.next(first.values())
            if chosen is None:
                return False
            architecture, seed = chosen
        key = self.key(architecture, self.config.budget, seed)
        if interrupted is None:
            trial = self.ledger.begin_trial(self.entry, "confirm", self.confirmation.made, architecture, key)
        else:
            trial = replace(interrupted, evaluation=key)  # it may go on under other conditions than it was begun under
        ended = train_again(
            trial,
            self.prepare(),
            budget=self.config.budget,
            seed=seed,
            label="again",
            ledger=self.ledger,
            unfinished=self.unfinished,
            tally=self.tally,
            on_event=self.on_event,
        )
        self.confirmation.add(ended)
        return True

    def out_of_proposals(self, number: int) -> str:
        limits = ", ".join(str(limit) for limit in self.config.all_limits) or "no limits"
        return (
            f"{number:,} proposals were made and only {self.tally.evaluated} of {self.config.trials} brought a new architecture "
            f"within the limits ({limits}); loosen them, or allow more with --proposals."
        )

    def last_error(self) -> str:
        last = [trial for trial in self.known.values() if trial.state == "failed"][-1]
        assert last.record is not None and last.record.error is not None  # noqa: S101, PT018 - failed
        return f"{last.record.error.kind}: {last.record.error.message}"

    def try_one(self, number: int, interrupted: Trial | None) -> None:
        """One proposal, from asking to keeping."""
        by_chance = self.idle >= IDLE_BEFORE_CHANCE
        chosen = interrupted.architecture if interrupted else self.drawn(number) if by_chance else None
        proposal = self.guide.ask(number, chosen=chosen, at_random=by_chance)
        key = self.key(proposal.architecture, self.config.budget, self.config.seed)
        if interrupted is None:
            trial = self.ledger.begin_trial(self.entry, "search", number, proposal.architecture, key)
        else:
            trial = replace(interrupted, evaluation=key)  # it may go on under other conditions than it was begun under
        record, source = self.remembered(proposal.architecture, key)
        if record is None:
            label = "again, after an interruption" if interrupted else ""
            self.on_event(TrialBegun(number, proposal.architecture.id, self.tally.progress(), label))
            record = self.evaluated(proposal, key)
        noted = self.guide.tell(proposal, record)
        trial = self.ledger.end_trial(trial, record, proposal=noted, reused_from=source)
        self.unfinished.done(key)
        self.count(trial, fresh=source is None)
        self.on_event(TrialEnded(trial, self.tally.progress(), self.tally.best))

    def reckoned(self, architecture: Architecture) -> Mapping[str, float]:
        """What a strategy may learn from beside the answers: what is known of a network by formulas."""
        from nas.models import cost

        try:
            found = cost(self.config.space, architecture, self.config.on.signature)
        except ModelError:
            return {}
        return {"params": found.params, "flops": found.flops}

    def drawn(self, number: int) -> Architecture | None:
        """An architecture within the limits, by chance; None where no limit is known before building."""
        rng = random.Random(f"{self.config.seed}:{number}")  # noqa: S311 - no secret
        if isinstance(self.evaluate, TableEvaluator):
            return self.evaluate.draw(rng)
        return self.within.draw(rng) if self.within else None

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

    def check_limits(self) -> None:
        """Refuse limits that no architecture meets.

        Raises:
            SearchError: says what the nearest architecture has.
        """
        if self.within is None:
            return
        if self.within.impossible:
            raise SearchError(self.within.impossible)
        if self.drawn(0) is None:
            words = " and ".join(str(limit) for limit in self.within.limits)
            raise SearchError(f"No network was found that keeps to {words}; widen one of them.")

    def remembered(self, architecture: Architecture, key: str) -> tuple[Record | None, int | None]:
        """The Record of the same work done before, in this study or another, and the trial that did it.

        In this study an equal network under another name is the same work.
        """
        known = self.known.get(architecture.id) or self.twin(architecture)
        if known is not None:
            return known.record, known.reused_from or known.id
        found = self.ledger.find(key)
        if found is None:
            return None, None
        trial_id, record = found
        broken = broken_limits(record.figures, self.config.all_limits)  # that study may have had other limits
        return (replace(record, outcome="infeasible", broken_limits=broken) if broken else record), trial_id

    def twin(self, architecture: Architecture) -> Trial | None:
        """The trial of this study that has the result of an equal network; None where there is none, or nothing can tell."""
        if not self.trains:
            return None
        return self.networks.get(self.network(architecture))

    @cached_property
    def networks(self) -> dict[str, Trial]:
        """Network's id → the trial of this study that has its result; made for the first new candidate, since it loads torch."""
        found: dict[str, Trial] = {}
        for trial in self.known.values():
            found.setdefault(self.network(trial.architecture), trial)
        return found

    def network(self, architecture: Architecture) -> str:
        """What names the network of `architecture`; one whose layers do not fit is none, and has a name of its own."""
        from nas.models import network_id

        try:
            return network_id(self.config.space, architecture, self.config.on.signature)
        except ModelError:
            return architecture.id

    def evaluated(self, proposal: Proposal, key: str) -> Record:
        epochs = self.config.budget.epochs

        def report(epoch: Epoch) -> bool:
            self.on_event(EpochEnded(proposal.number, epoch, epochs))
            return self.guide.report(proposal, epoch)

        listeners: dict[str, Any] = {
            "pareto": {"on_known": partial(self.guide.foresee, proposal)},
            "wilcoxon": {"on_replicate": partial(self.guide.report_replicate, proposal)},
        }.get(self.config.pruner, {})
        evaluate = self.unfinished.going_on(self.prepare(), key)
        return evaluate(proposal.architecture, budget=self.config.budget, seed=self.config.seed, report=report, **listeners)

    @cached_property
    def unfinished(self) -> Unfinished:
        """The checkpoints of the training under way."""
        return Unfinished(self.ledger, self.entry, self.config.checkpoint)

    @cached_property
    def key(self) -> EvaluationKey:
        """Names the work of each evaluation."""
        return EvaluationKey(self.config.space, self.config.on, "search", self.prepare(), self.entry.name)

    def prepare(self) -> Evaluate:
        """What evaluates; made when first needed, since that loads torch and the data.

        Raises:
            NasError: a layer, the data or the device is wrong, or the study was measured in another setting.
        """
        if self.evaluate is None:
            config = self.config
            self.evaluate = make_evaluator(
                config.space,
                config.on,
                config.all_limits,
                data=config.data,
                replicates=config.replicates,
                together=config.together,
                proxies=config.scores,
                ranks=self.ranks,
                **config.means,
            )
            self.check_setting(getattr(self.evaluate, "key", ""))
        return self.evaluate

    def check_setting(self, now: str) -> None:
        """Refuse to mix figures that do not compare in one study."""
        measured = (str(trial.record.setting) for trial in self.known.values() if trial.record and trial.reused_from is None)
        then = next((setting for setting in measured if setting != now), None)
        if then is not None:
            raise SearchError(
                f"The study {self.entry.name!r} was measured on {then}, now it would be {now}; "
                "give the same --device, --threads, --precision and --compile, or name another --study."
            )

    def count(self, trial: Trial, *, fresh: bool) -> None:
        repeated = trial.architecture.id in self.known or trial.reused_from in self.sources
        self.tally.add(trial, repeated=repeated, fresh=fresh)
        idle = repeated or trial.state == "infeasible"
        self.idle = self.idle + 1 if idle else 0
        self.known.setdefault(trial.architecture.id, trial)
        self.sources.add(trial.reused_from or trial.id)
        if "networks" in vars(self):
            self.networks.setdefault(self.network(trial.architecture), trial)


def headline(config: SearchConfig, count: int | float | None, confirmations: int = 0) -> str:
    """What is searched, in one line."""
    holds = f"{size_text(count)} architectures"
    limits = "".join(f" · {limit}" for limit in config.all_limits)
    objectives = ", ".join(objective.figure for objective in config.steered_by)
    last = f" · the last {confirmations} of {config.trials} trainings confirm the best" if confirmations else ""
    return (
        f"{config.space.name} v{config.space.version} ({holds}) on {config.on.name} v{config.on.version} · {objectives} · "
        f"{config.strategy_name} · seed {config.seed} · {config.on.words(config.budget)}{limits}{last}"
    )
