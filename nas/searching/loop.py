"""The search: ask → seen before? → outside limits by formula? → evaluate → tell → keep, until enough architectures have a result;
then the best again.

Where candidates run beside one another, a free place never waits for a slow candidate: the strategy is asked again, and told what
still runs. In rounds (`synchronous`) it hears nothing before a round has ended, and then all in the order of the proposals, so
that the study is the same whatever ran at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from nas.errors import AtWork, NumberTaken, SearchError
from nas.execution import Evaluate, Question
from nas.records import Epoch, Ledger, Record, Setting, Stage, StudyEntry, Trial, figure_kind, this_machine
from nas.searching.config import SearchConfig
from nas.searching.confirming import Confirmation
from nas.searching.driving import Driver, Source, Work
from nas.searching.evaluating import EvaluationKey, Plan, check_measures, check_proxies, check_pruning
from nas.searching.events import INTERRUPTED, EpochEnded, OnEvent, RunBegun, RunEnded, Tally, TrialBegun, TrialEnded, ignore
from nas.searching.foresight import Foresight
from nas.searching.knowing import Known
from nas.searching.rounds import Round
from nas.searching.study import Study
from nas.searching.together import follow, together
from nas.searching.weights import shared_by
from nas.searching.working import given, make_executor
from nas.space import Architecture, size_if_counted, size_text
from nas.strategies import IDLE_BEFORE_CHANCE, Guide
from nas.tables import TableBenchmark, TableEvaluator

if TYPE_CHECKING:
    from nas.training import Ranks

FAILURES_BEFORE_GIVING_UP = 10
"""A search whose first candidates all fail is stopped; something is wrong with the space or the machine."""

DRIVERS_LOST = 10
"""Times that a candidate is begun which runs in the driver's own process, where that process died of whatever cause."""

AHEAD = 3
"""Proposals a place that are made ahead towards the end, up to half of all."""

ASKED_IN_VAIN = 100
"""Proposals in a row of what runs already, after which the strategy is asked again only when something has ended."""

QUESTIONS: Mapping[str, frozenset[Question]] = {
    "none": frozenset(),
    "pareto": frozenset({"known", "epoch"}),
    "wilcoxon": frozenset({"replicate"}),
}
"""Pruner → what it decides by; the others decide by epochs."""


def search(space: Any = None, *, on: Any, on_event: OnEvent = ignore, evaluate: Evaluate | None = None, **options: Any) -> Study:
    """Search `space` (a name, a YAML file's path, or a Space) for the best network on a benchmark.

    Where `on` is the file of a table of trained architectures, `space` may be left out: it is the table's.
    A study of the same name and definition goes on where it ended, and several processes that run it at once share it.
    `options` are those of `SearchConfig`. What was found is kept when Ctrl-C ends it. `evaluate` replaces training, for
    benchmarks that answer otherwise; with workers it is a function of a module.

    Raises:
        NasError: an option is wrong, or the data or the device are missing.
        Parked: the ledger could not be reached for a minute, or its disk is full; the same call goes on.
        KeyboardInterrupt: after Ctrl-C, so that a script does not go on as if the search were done.
    """
    options = options if space is None else {**options, "space": space}
    return run(SearchConfig.make(on=on, **options), on_event=on_event, evaluate=evaluate)


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
            follow(ranks, lambda: replace(plan_of(config), limits=(), proxies=(), measures=())(ranks))
    return Study(config.study_name, config.ledger)


def plan_of(config: SearchConfig, processes: int = 1) -> Plan:
    """How `config` has candidates evaluated."""
    return Plan(
        space=config.space,
        benchmark=config.on,
        limits=config.all_limits,
        data=config.data,
        means=config.means,
        replicates=config.replicates,
        together=config.together,
        proxies=config.scores,
        measures=config.asked,
        processes=processes,
        elsewhere=config.on_cluster is not None,
        store=shared_by(config.ledger),
    )


def _lead(config: SearchConfig, on_event: OnEvent, evaluate: Evaluate | None, ranks: "Ranks | None") -> None:
    name = config.study_name
    with Ledger(config.ledger) as ledger:
        searching = _Search(config, ledger, on_event, evaluate, ranks)  # refuses an unknown strategy or pruner
        try:
            if name not in {entry.name for entry in ledger.studies()}:
                searching.check()  # refuses wrong layers, missing data or devices, before the name is taken
            reason = searching.go(ledger.begin_study(name, config.definition()))
        except KeyboardInterrupt:
            on_event(RunEnded(name, INTERRUPTED, True, searching.tally.progress()))
            raise
        finally:
            searching.driver.close()
        on_event(RunEnded(name, reason, False, searching.tally.progress()))


class _Search(Source):
    """One run of one study, as the driver's source of work: what is known, and what is to be done next."""

    entry: StudyEntry
    """The study in the ledger, once it is begun."""
    stages: tuple[Stage, ...] = ("search", "confirm")

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
        """What answers, where nothing is trained."""
        self.plan = plan_of(config, ranks.size if ranks else 1) if evaluate is None else None
        self.trains: bool = evaluate is None or getattr(evaluate, "trains", False)
        """Whether candidates are networks that are built and trained."""
        make: Callable[[], Evaluate]
        if self.plan is None:
            assert evaluate is not None  # noqa: S101 - one of the two
            make = partial(given, evaluate)
        else:
            make = partial(self.plan, ranks) if ranks else self.plan
        self.driver = Driver(ledger, partial(make_executor, config, make), self.setting, config.attempts)
        self.foresight = Foresight(config, evaluate, trains=self.trains)
        self.asks = QUESTIONS.get(config.pruner, frozenset({"epoch"}))
        self.tally = Tally(config.trials, config.steered_by[0], at_once=config.slots)
        self.guide = Guide(
            config.space,
            config.steered_by,
            strategy=config.strategy,
            pruner=config.pruner,
            epochs=config.budget.epochs,
            seed=config.seed,
            limits=config.all_limits,
            features=self.foresight.features if self.trains else getattr(evaluate, "features", None),
        )
        trainings = getattr(evaluate, "trainings", None)
        self.confirmation = Confirmation(config.steered_by[0], config.seed, config.replicates, trainings)
        if evaluate is not None:
            check_pruning(evaluate, config.pruner)
            check_proxies(evaluate, config.proxies)
            check_measures(evaluate, config.asked)
        self.count = size_if_counted(config.space)
        self.known = Known(ledger, config, trains=self.trains)
        self.results = 0
        """Different architectures with a result that the strategy knows of."""
        self.idle = 0
        """Proposals in a row, up to now, that brought nothing new."""
        self.number = 0
        """Of the next proposal."""
        self.vain = 0
        """How often that proposal was drawn, and was of what runs already."""
        self.exploring: dict[int, Work] = {}
        """Trial's id → a candidate that is claimed and has no result yet."""
        self.confirming: dict[int, Work] = {}
        self.elsewhere: dict[int, Trial] = {}
        """Trial's id → what other drivers are at."""
        self.shared = False
        """Whether another driver has been seen at the study."""
        self.ready: list[Work] = []
        """Candidates that were asked for ahead, of which the longest goes first."""
        self.left: dict[int, Trial] = {}
        """Number → a trial of the search that somebody left behind."""
        self.left_confirming: list[Trial] = []
        self.round = Round(config.synchronous)
        self.confirming_round = Round(config.synchronous)

    def setting(self) -> Setting:
        """Where and how candidates are measured; for a function of one's own, this process."""
        own = getattr(self.evaluate, "setting", None)
        if self.plan is not None:
            return self.plan.setting
        return own if isinstance(own, Setting) else Setting(machine=this_machine(), device="cpu", threads=self.config.threads)

    # Beginning and end.

    def check(self) -> None:
        """Refuse what cannot be searched.

        Raises:
            NasError: a layer, the data or the device is wrong, or no architecture keeps to the limits.
        """
        if self.plan is not None:
            from nas.models import check_layers

            check_layers(self.config.space)
            _ = self.plan.setting
        self.foresight.check()
        self.driver.prepare().ready()

    def go(self, entry: StudyEntry) -> str:
        """Search until something ends it; returns what, as a sentence."""
        self.entry = entry
        self.driver.open(entry, self.config.checkpoint)
        self.restore()
        self.driver.go(self)
        reason = self.searched() or ""
        if not self.confirmation.made:
            return reason
        again = f"{self.confirmation.made} of the {self.config.trials} trainings went to the best again, from new seeds."
        return f"{reason} {again}"

    def restore(self) -> None:
        """Know what the ledger knows, and take over what nobody works at any more."""
        config = self.config
        trials = self.ledger.trials(self.entry)
        mine = {trial.id: self.driver.claimed(trial) for trial in self.ledger.take_over(self.entry, self.stages)}
        found = 0
        for trial in trials:
            if trial.stage in self.stages and trial.id not in mine:
                found += trial.state != "running"
                self.hear(trial, fresh=False)
        self.resume(mine.values())
        self.number = 1 + max((trial.number for trial in trials if trial.stage == "search"), default=-1)
        self.round.begin(min([self.number, *self.left]))
        self.confirming_round.begin(self.confirmation.number)
        # Only where there is something left to do: it takes the layers, which load torch.
        note = self.foresight.note if self.tally.evaluated < config.trials else ""
        self.on_event(RunBegun(config.study_name, config.trials, found, self.headline(), note))

    def hear(self, trial: Trial, *, fresh: bool) -> None:
        """Know of a trial that this driver did not begin, or in an earlier run."""
        if trial.stage == "search":
            self.number = max(self.number, trial.number + 1)
        if trial.state == "running":
            self.elsewhere[trial.id] = trial
            if trial.stage == "search":
                self.guide.note_running(trial)
            else:
                self.confirmation.begin(trial)
            return
        self.elsewhere.pop(trial.id, None)
        assert trial.record is not None  # noqa: S101 - it has ended
        if trial.stage == "confirm":
            self.confirmation.add(trial)
            self.tally.add(trial, repeated=False, fresh=fresh)
        elif self.round.size is not None and not trial.proposal:  # the round was not over
            self.left[trial.number] = trial
        else:
            self.guide.restore(trial)
            self.tally.add(trial, repeated=self.known.repeats(trial), fresh=fresh)
            self.learn_of(trial)

    def learn_of(self, trial: Trial) -> None:
        """Let what comes next follow from `trial`, which has ended."""
        repeats = self.known.repeats(trial)
        idle = repeats or trial.state == "infeasible"
        self.idle = self.idle + 1 if idle else 0
        self.results += not idle
        self.known.add(trial)

    # What to do next, as the driver's `Source`.

    def next(self) -> Work | None:
        """The next candidate: what was left behind, a proposal, or one of the best again."""
        self.tell_round()
        wanted = 1 + self.ahead()
        while len(self.ready) < wanted and not self.driver.asked_to_stop:
            # So that of several drivers that are at the last candidates none begins one too many, but for a blink.
            self.driver.attend(now=self.shared and self.wanted - self.results - self.in_flight <= self.config.slots)
            self.tell_round()
            if not self.may_explore():
                break
            work = self.propose()
            if work is not None:
                self.ready.append(work)
            elif self.vain >= ASKED_IN_VAIN:
                break
        if self.ready:
            longest = max(self.ready, key=lambda work: work.size)
            self.ready.remove(longest)
            return longest
        return None if self.driver.asked_to_stop else self.next_confirmation()

    def ahead(self) -> int:
        """How many proposals are made ahead: towards the end all that are left, so that the longest go first and none hangs over.

        AHEAD a place keep 8 workers 98.6 % busy over 200 trials and 32 workers 93.0 %, with the durations and FLOPs of
        results/tables; one a place 97.5 % and 85.2 %, none 96.5 % and 80.7 %. It costs `auto` no regret at 200 on three tables.
        """
        slots = self.config.slots
        left = self.wanted - self.results - self.in_flight
        asked_ahead = slots > 1 and self.round.size is None and left <= min(AHEAD * slots, self.wanted // 2)
        return max(0, left) if asked_ahead else 0

    def over(self) -> bool:
        """Whether nothing is left to do and nobody else is at what is needed."""
        if self.ready or self.left or self.left_confirming or self.round.holds or self.confirming_round.holds:
            return False
        done = self.results >= self.wanted and self.confirmation.evaluated >= self.confirmations
        return done or not self.elsewhere

    def on_begun(self, work: Work) -> None:
        """Tell who watches."""
        trial = work.trial
        self.on_event(TrialBegun(trial.number, trial.architecture.id, self.tally.progress(), work.label, trial.stage))

    def on_known(self, work: Work, figures: Mapping[str, float]) -> bool:
        """Figures that are known before training; True to leave it untrained."""
        return work.proposal is not None and self.guide.foresee(work.proposal, figures)

    def on_epoch(self, work: Work, epoch: Epoch) -> bool:
        """A point of the learning curve; True to stop."""
        self.on_event(EpochEnded(work.trial.number, epoch, self.config.budget.epochs, work.trial.stage))
        return work.proposal is not None and self.guide.report(work.proposal, epoch)

    def on_replicate(self, work: Work, number: int, figures: Mapping[str, float]) -> bool:
        """What a replicate came to; True to stop."""
        return work.proposal is not None and self.guide.report_replicate(work.proposal, number, figures)

    def ended(self, work: Work, record: Record) -> None:
        """Keep what came of it."""
        self.keep(work, record)

    def waiting(self, trial_id: int) -> Work | None:
        """What is claimed, and has not been handed out."""
        return next((work for work in self.ready if work.trial.id == trial_id), None)

    def dropped(self, work: Work) -> None:
        """It is no longer this driver's."""
        if work in self.ready:
            self.ready.remove(work)
        self.confirming.pop(work.trial.id, None)
        self.exploring.pop(work.trial.id, None)
        if work.proposal is None:
            self.confirming_round.open.discard(work.trial.number)
        else:
            self.round.open.discard(work.trial.number)
            self.guide.withdraw(work.proposal)

    def learn(self, trials: Iterable[Trial]) -> None:
        """What other drivers began or ended."""
        for trial in trials:
            if trial.stage not in self.stages:
                continue
            self.shared = True
            if self.round.size is not None:
                raise SearchError(
                    f"The study {self.entry.name!r} is run by another process too, and in rounds one alone can run it; "
                    "wait for it, or leave synchronous out."
                )
            self.hear(trial, fresh=False)

    def resume(self, trials: Iterable[Trial]) -> None:
        """Go on with what was left behind."""
        for trial in trials:
            self.elsewhere.pop(trial.id, None)
            if trial.stage == "search":
                self.guide.forget_running(trial)
                self.left[trial.number] = trial
            elif trial.stage == "confirm":
                self.left_confirming.append(trial)
                self.confirmation.begin(trial)
        self.left_confirming.sort(key=lambda trial: trial.number)

    # Exploring.

    @property
    def wanted(self) -> int:
        """Different architectures that the search is to find out about."""
        return self.config.trials - self.confirmations

    @property
    def in_flight(self) -> int:
        """Candidates of the search that are claimed, here or elsewhere, and may bring a result."""
        elsewhere = sum(trial.stage == "search" for trial in self.elsewhere.values())
        return max(self.round.fresh, len(self.exploring)) + elsewhere + len(self.left)

    def may_explore(self) -> bool:
        """Whether a proposal is wanted now."""
        if self.left:
            return self.round.takes(min(self.left))
        if not self.round.takes(self.number) or self.searched(self.in_flight) is not None:
            return False
        return self.tally.evaluated + len(self.exploring) + len(self.confirming) < self.config.trials

    def searched(self, in_flight: int = 0) -> str | None:
        """Why no further architecture is wanted, as a sentence, if so many that are under way bring what they may."""
        config = self.config
        failed = self.tally.counts["failed"]
        if self.results == failed >= FAILURES_BEFORE_GIVING_UP and not self.confirmation.made:
            raise SearchError(f"The first {self.tally.evaluated} candidates all failed; the last: {self.known.last_error()}")
        if self.results + in_flight >= self.wanted or self.tally.evaluated >= config.trials:
            which = f", of which {failed} failed" if failed else ""
            return f"{self.results} of {self.wanted} architectures have a result{which}.{self.known.from_others}"
        if self.count is not None and len(self.known) + in_flight >= self.count:
            which = "The one architecture" if self.count == 1 else f"Every one of the {self.count:,} architectures"
            return f"{which} of {config.space.name} has been tried.{self.known.from_others}"
        if isinstance(self.evaluate, TableEvaluator) and self.results + in_flight >= self.evaluate.holds:
            holds = self.evaluate.holds
            which = "The one architecture" if holds == 1 else f"Every one of the {holds:,} architectures"
            return f"{which} that the table has within limits has been tried.{self.known.from_others}"
        return self.out_of_proposals() if self.number >= config.most_proposals else None

    def propose(self) -> Work | None:
        """One proposal, from asking to claiming; None where its result is known, or it is under way already."""
        config = self.config
        left = self.left.pop(min(self.left)) if self.left else None
        number = left.number if left else self.number
        by_chance = self.idle >= IDLE_BEFORE_CHANCE
        chosen = left.architecture if left else self.first or (self.foresight.draw(number, self.vain) if by_chance else None)
        proposal = self.guide.ask(number, chosen=chosen, at_random=by_chance, again=0 if left else self.vain)
        key = self.key(proposal.architecture, config.budget, config.seed)
        if left is not None:
            trial = replace(left, evaluation=key)  # it may go on under other conditions than it was begun under
        elif (
            self.is_running(proposal.architecture)
            or (claimed := self.claim("search", number, proposal.architecture, key)) is None
        ):
            self.guide.withdraw(proposal)
            self.vain += 1
            self.idle += 1
            return None
        else:
            trial = claimed
            self.number, self.vain = max(self.number, trial.number + 1), 0
            proposal = replace(proposal, number=trial.number)
        label = "again, after an interruption" if left else ""
        work = Work(trial=trial, budget=config.budget, seed=config.seed, label=label, proposal=proposal)
        return self.begin(work)

    @property
    def first(self) -> Architecture | None:
        """What the study is to begin with and has not begun; None where another driver was quicker, of which is heard soon."""
        waiting = (one for one in self.config.begin_with if one not in self.known and not self.is_running(one))
        return next(waiting, None) if not self.vain else None

    def begin(self, work: Work) -> Work | None:
        """`work`, to be evaluated; None where its result is known by now."""
        trial = work.trial
        self.round.begin(trial.number)
        self.round.open.add(trial.number)
        if trial.record is not None:  # in a round that was interrupted
            self.keep(work, trial.record)
            return None
        record, source = self.known.remembered(trial.architecture, trial.evaluation)
        if record is None and self.driver.is_here and trial.attempts > DRIVERS_LOST:
            record = self.driver.poisoned(work)
        if record is None and self.plan is not None:
            work, record = self.foresight.foreseen(work, self.plan)
        elif record is None and (features := getattr(self.evaluate, "features", None)) is not None:
            work = replace(work, size=features(trial.architecture).get("flops", 0.0))
        if record is not None:
            self.keep(work, record, source)
            return None
        if self.round.size is not None:
            self.round.fresh += 1
        self.exploring[trial.id] = work
        return work

    def claim(self, stage: Stage, number: int, architecture: Architecture, key: str) -> Trial | None:
        """The trial, which is this driver's from now on; None where somebody else has the architecture."""
        while True:
            try:
                return self.driver.claimed(self.ledger.begin_trial(self.entry, stage, number, architecture, key))
            except AtWork:
                self.driver.attend(now=True)
                return None
            except NumberTaken:
                self.driver.attend(now=True)
            if stage == "search":
                if self.is_running(architecture) or architecture in self.known:
                    return None
                number = max(self.number, number + 1)
            else:
                return None  # who is next is another by now

    def is_running(self, architecture: Architecture) -> bool:
        """Whether the architecture, or an equal network, is under way, here or elsewhere."""
        under_way = [work.trial for work in self.exploring.values()]
        under_way += [trial for _, trial, _ in self.round.heard.values()]
        under_way += [trial for trial in self.elsewhere.values() if trial.stage == "search"]
        if not under_way:
            return False
        if any(trial.architecture.id == architecture.id for trial in under_way):
            return True
        if not self.trains:
            return False
        network = self.known.network(architecture)
        return any(self.known.network(trial.architecture) == network for trial in under_way)

    def keep(self, work: Work, record: Record, source: int | None = None) -> None:
        """End the trial, and let the strategy know, at once or with its round."""
        if work.trial.stage == "confirm":
            self.keep_confirmation(work, record, source)
            return
        held_back = self.round.size is not None
        noted = {} if held_back or work.proposal is None else self.guide.tell(work.proposal, record)
        trial = work.trial
        fresh = source is None and trial.record is None
        at_once = self.exploring.pop(trial.id, None) is None
        if trial.record is None:
            trial = self.ledger.end_trial(trial, record, proposal=noted, reused_from=source, log=work.log)
        self.driver.freed(trial)
        self.driver.unfinished.done(trial.evaluation)
        self.tally.add(trial, repeated=self.known.repeats(trial), fresh=fresh)
        self.round.open.discard(trial.number)
        if held_back:
            self.round.fresh += at_once and trial.state != "infeasible" and not self.known.repeats(trial)
            self.round.heard[trial.number] = (work, trial, record)
        else:
            self.learn_of(trial)
        self.on_event(TrialEnded(trial, self.tally.progress(), self.tally.best, self.tally.objective.figure))

    def tell_round(self) -> None:
        """Tell the strategy what came of a round, once all of it has ended and no more of it is to be asked."""
        if self.round.heard and not self.round.open and not self.may_explore():
            for work, trial, record in self.round.told():
                assert work.proposal is not None  # noqa: S101 - of a search
                self.learn_of(self.ledger.note(trial, self.guide.tell(work.proposal, record)))
            self.round.begin(self.number)

    def out_of_proposals(self) -> str:
        """Why the search ends there."""
        limits = ", ".join(str(limit) for limit in self.config.all_limits) or "no limits"
        found = self.tally.evaluated
        return (
            f"{self.number:,} proposals were made and only {found} of {self.config.trials} brought a new architecture within "
            f"the limits ({limits}); loosen them, or allow more with --proposals."
        )

    # Confirming.

    @property
    def confirmations(self) -> int:
        """How many trainings confirm the best, and no more than there are."""
        return int(min(self.config.confirmations, self.confirmation.holds))

    def next_confirmation(self) -> Work | None:
        """One of the best to train again, from a seed that it was not trained from."""
        self.hear_confirmations()
        while work := self.confirm():
            source = self.ledger.find(work.trial.evaluation)
            if source is None:
                return work
            self.keep(work, source[1], source[0])
        return None

    def confirm(self) -> Work | None:
        config, confirmation = self.config, self.confirmation
        if self.left_confirming:
            trial = self.left_confirming.pop(0)
            seed = confirmation.seed_of(trial.architecture, trial.number)
            trial = replace(trial, evaluation=self.key(trial.architecture, config.budget, seed))
            return self.confirm_by(trial, seed)
        if self.round.size is not None and (
            self.exploring or self.round.holds or not self.confirming_round.takes(confirmation.number)
        ):
            return None
        elsewhere = sum(trial.stage == "confirm" for trial in self.elsewhere.values())
        waiting = len(self.confirming_round.heard)
        under_way = len(self.confirming) + elsewhere
        if confirmation.made + waiting + under_way >= self.confirmations:
            return None
        if self.tally.evaluated + under_way + len(self.exploring) >= config.trials:
            return None
        chosen = confirmation.next(self.known.by_source())
        if chosen is None:
            return None
        architecture, seed = chosen
        claimed = self.claim("confirm", confirmation.number, architecture, self.key(architecture, config.budget, seed))
        return self.confirm_by(claimed, seed) if claimed is not None else None

    def confirm_by(self, trial: Trial, seed: int) -> Work:
        self.confirmation.begin(trial)
        self.confirming_round.begin(trial.number)
        self.confirming_round.open.add(trial.number)
        work = Work(trial=trial, budget=self.config.budget, seed=seed, label=f"again, seed {seed}")
        self.confirming[trial.id] = work
        return work

    def keep_confirmation(self, work: Work, record: Record, source: int | None) -> None:
        self.confirming.pop(work.trial.id, None)
        trial = self.ledger.end_trial(work.trial, record, reused_from=source, log=work.log)
        self.driver.freed(trial)
        self.driver.unfinished.done(trial.evaluation)
        self.tally.add(trial, repeated=False, fresh=source is None)
        self.confirming_round.open.discard(trial.number)
        if self.round.size is None:
            self.confirmation.add(trial)
        else:
            self.confirming_round.heard[trial.number] = (work, trial, record)
            self.hear_confirmations()
        self.on_event(TrialEnded(trial, self.tally.progress(), self.tally.best, self.tally.objective.figure))

    def hear_confirmations(self) -> None:
        """Choose the next by what a round came to, once all of it has ended."""
        heard = self.confirming_round.heard
        if heard and not self.confirming_round.open:
            full = not self.confirming_round.takes(self.confirmation.number)
            if full or self.confirmation.made + len(heard) >= self.confirmations:
                for _, trial, _ in self.confirming_round.told():
                    self.confirmation.add(trial)
                self.confirming_round.begin(self.confirmation.number)

    @cached_property
    def key(self) -> EvaluationKey:
        """Names the work of each evaluation."""
        how = self.plan or self.evaluate
        assert how is not None  # noqa: S101 - one of the two
        if self.plan is not None:
            self.check_setting(self.plan.setting)
        return EvaluationKey(self.config.space, self.config.on, "search", how, self.entry.name)

    def check_setting(self, now: Setting) -> None:
        """Refuse to mix figures that do not compare in one study.

        Machines that differ may share one that neither limits nor steers by what is measured in time or memory.
        """
        config = self.config
        steering = [*(limit.figure for limit in config.all_limits), *(objective.figure for objective in config.steered_by)]
        timed = config.on_cluster is None and any(
            (kind := figure_kind(name)) and (kind.known == "measured" or kind.unit == "s") for name in steering
        )
        for trial in self.known.trials:
            then = trial.record.setting if trial.record and trial.reused_from is None else now
            if then.use != now.use or (timed and then != now):
                raise SearchError(
                    f"The study {self.entry.name!r} was measured on {then}, now it would be {now}; "
                    "give the same --device, --threads, --precision and --compile, or name another --study."
                )

    def headline(self) -> str:
        """What is searched, in one line."""
        config = self.config
        holds = f"{size_text(self.count)} architectures"
        limits = "".join(f" · {limit}" for limit in config.all_limits)
        objectives = ", ".join(objective.figure for objective in config.steered_by)
        confirm = self.confirmations
        last = f" · the last {confirm} of {config.trials} trainings confirm the best" if confirm else ""
        return (
            f"{config.space.name} v{config.space.version} ({holds}) on {config.on.name} v{config.on.version} · {objectives} · "
            f"{config.strategy_name} · seed {config.seed} · {config.on.words(config.budget)}{limits}{last}"
        )
