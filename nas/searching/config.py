"""What a search is asked to do: one frozen value, from Python, the command line or a YAML file, checked at the door."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from optuna.samplers import BaseSampler
from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from nas.benchmark import Benchmark, Budget, Objective, Recipe
from nas.datasets import find_benchmark, is_place
from nas.documents import read_file
from nas.errors import SearchError, did_you_mean, quote
from nas.measures import measure_of, measures_among
from nas.records import FIGURES, OF_PRIVACY, OF_PROTOCOLS, SCORES, default_ledger, meaning, usual_direction
from nas.searching.confirming import usual_confirmations
from nas.searching.on_table import check_on_table, from_table
from nas.searching.picking import TRIAL, pick_architecture
from nas.searching.places import Places
from nas.searching.resuming import EVERY_SECONDS
from nas.searching.together import WAIT_MINUTES
from nas.space import Architecture, Limit, Space, digest, resolve_space, space_to_data
from nas.strategies.pruning import BY_ARRIVAL
from nas.strategies.samplers import AUTO
from nas.tables import TableBenchmark, is_table_file

Precision = Literal["float32", "bfloat16", "float16"]
Compile = Literal["never", "auto", "always"]
Loading = Literal["auto", "memory", "stream"]
Together = Literal["never", "auto", "always"]

MEANS = ("precision", "compile", "loading")
"""Options of how networks are trained, beside those of where they are."""

FEWEST_COMPARED = 5
"""Replicates with which the pruner wilcoxon can spare any: of three pairs that all speak against a candidate the one-sided test's
p is 1/8, of four 1/16, and below 1/10 is sure."""


def _space(space: Any, info: ValidationInfo) -> Space:
    return resolve_space(space, info.data.get("space_path"))


def resolve_benchmark(benchmark: Any) -> Benchmark:
    """A benchmark by its name, by the path of its folder, or as it is.

    Raises:
        NasError: there is none.
    """
    if is_table_file(benchmark):
        raise SearchError(f"{benchmark} is a table, whose networks are not built; give it to `nas search`, or name a benchmark.")
    return find_benchmark(benchmark)


def _limits(limits: Any) -> Any:
    return tuple(Limit.parse(limit) if isinstance(limit, str) else limit for limit in _several(limits, Limit))


def _architectures(given: Any, info: ValidationInfo) -> Any:
    space: Space | None = info.data.get("space")
    ledger = info.data.get("ledger") or ""
    if space is None:
        return ()  # what is wrong with it is told of first

    def read(one: Any) -> Architecture:
        if isinstance(one, str):
            return pick_architecture(space, one, ledger=ledger)
        if not isinstance(one, Mapping | Architecture):
            raise ValueError("must be architectures: their choices, or what names them")
        return space.architecture(one.choices if isinstance(one, Architecture) else one)

    found = [given] if isinstance(given, str | Mapping | Architecture) else given
    if not isinstance(found, list | tuple):
        raise ValueError("must be a list of architectures")
    return tuple(dict.fromkeys(map(read, found)))


def _folders(folders: Any) -> Any:
    return (folders,) if isinstance(folders, str | Path) else folders


def _recipe(recipe: Any) -> Any:
    """Options of a recipe by name, from a mapping or from texts such as "mixup=0.2"."""
    if isinstance(recipe, Mapping):
        return dict(recipe)
    pairs = [str(text).partition("=") for text in _several(recipe, str)]
    if bad := next((text for text, sign, _ in pairs if not sign), None):
        raise ValueError(f"must be OPTION=VALUE, such as 'mixup=0.2'; {bad!r} has no '='")
    return {name.strip(): _plain(value.strip()) for name, _, value in pairs}


def _plain(text: str) -> Any:
    """A number, true, false or null as JSON has them; else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def changed(benchmark: Benchmark, recipe: Mapping[str, Any]) -> Benchmark:
    """`benchmark` with other options of its recipe.

    Raises:
        NasError: an option is unknown, of the wrong kind, or out of its range.
    """
    known = [field.name for field in fields(Recipe)]
    for name in recipe:
        if name not in known:
            raise SearchError(f"A recipe has no option {quote(name)}. {did_you_mean(name, known)}")
    if not recipe:
        return benchmark
    try:
        made = TypeAdapter(Recipe).validate_python(asdict(benchmark.recipe) | dict(recipe))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SearchError(f"recipe: {first['loc'][0]}: {first['msg']}, got {quote(first['input'])}.") from None
    return replace(benchmark, recipe=made)


def _beside(named: Any, path: Path) -> Any:
    """An architecture as a search file at `path` names it: a file's own path begins where the search file lies."""
    is_file = isinstance(named, str) and not named.lstrip().startswith("{") and not TRIAL.fullmatch(named)
    return str(path.parent / named) if is_file else named


def _names(names: Any) -> Any:
    return tuple(dict.fromkeys(_several(names, str)))


def _several(values: Any, kind: type) -> Any:
    """A list as it is, one value as a list of it."""
    if isinstance(values, str | kind):
        return (values,)
    if not isinstance(values, list | tuple):
        raise ValueError("must be a list, such as ['params <= 50e3']" if kind is Limit else "must be a list of figures")
    return values


def check_input(space: Space, benchmark: Benchmark) -> None:
    """Refuse a space that is not made for what the benchmark feeds.

    Raises:
        SearchError: says what each is for.
    """
    if not set(space.accepts) & set(benchmark.signature.kinds):
        accepts = " and ".join(space.accepts)
        raise SearchError(f"The space {space.name!r} accepts {accepts}, {benchmark.name!r} feeds {benchmark.signature.input}.")


def check_limits(limits: Iterable[Limit], benchmark: Benchmark) -> None:
    """Refuse limits on figures that are unknown, or known only after training.

    Raises:
        SearchError: names the limit and what is known.
    """
    metrics = {objective.figure for objective in benchmark.objectives}
    known = {**FIGURES, **OF_PROTOCOLS.get(benchmark.protocol, {}), **SCORES}
    early = [figure for figure, kind in known.items() if kind.known != "trained"]
    for limit in limits:
        if limit.figure in metrics or measure_of(limit.figure) or (limit.figure in FIGURES and limit.figure not in early):
            raise SearchError(
                f"A limit is on what is known before training ({', '.join(early)}), got {str(limit)!r}; "
                "steer by it as an --objective instead."
            )
        _check_figures([limit.figure], benchmark)


def _objective(figure: str) -> Objective:
    """Of a figure that is none of the benchmark's: what costs is to be small, a score large."""
    return Objective(figure, usual_direction(figure))


def _check_figures(figures: Iterable[str], benchmark: Benchmark) -> None:
    aims = (objective.figure for objective in benchmark.objectives)
    private = OF_PRIVACY if benchmark.recipe.private else {}
    known = {*FIGURES, *private, *OF_PROTOCOLS.get(benchmark.protocol, {}), *SCORES, *aims}
    for figure in figures:
        if figure not in known and not (figure.startswith("validation_") and measure_of(figure)):
            raise SearchError(f"No figure of {benchmark.name} is called {figure!r}. {did_you_mean(figure, known)}")


def _check_proxies(names: Iterable[str]) -> None:
    for name in names:
        if name in FIGURES:
            raise SearchError(f"A proxy is a zero-cost score, and {name!r} is a figure of every candidate; leave it out.")
        if name not in SCORES:
            raise SearchError(f"No zero-cost score is called {quote(name)}. {did_you_mean(name, SCORES)}")


class SearchConfig(Places):
    """One search. Its `definition` is what decides what its trials mean; the rest says where, by what means and how long."""

    space_path: Annotated[tuple[Path, ...] | None, BeforeValidator(_folders)] = None
    """Folders that `space` is looked for in by its name, beside those that are installed; None for those of NAS_SPACE_PATH."""
    space: Annotated[InstanceOf[Space], BeforeValidator(_space)]
    """A space, the name of one, or the path of a YAML file; where `on` is a table, its own if none is given."""
    on: Annotated[InstanceOf[Benchmark], BeforeValidator(resolve_benchmark)]
    """A benchmark, the name of one, its folder, or the file of a table of trained architectures: .csv, .csv.gz or .parquet."""
    strategy: str | InstanceOf[BaseSampler] = "auto"
    """An Optuna sampler, or the name of a strategy; auto is ours for one objective, and TPE for several."""
    pruner: str = "none"
    """Stops candidates that fall behind: none, median, asha or hyperband; with replicates wilcoxon, with several objectives
    pareto."""
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """How many different architectures to evaluate; repeated and infeasible proposals cost next to nothing and do not count."""
    confirm: Annotated[int, Field(ge=0)] | None = None
    """How many of `trials` train the best five again from other seeds; None for a tenth with `auto` where that is at least
    five, and none with others."""
    proposals: Annotated[int, Field(ge=1)] | None = None
    """The most proposals, repeated and infeasible ones included; None for twenty times `trials`, at least 500."""
    limits: Annotated[tuple[InstanceOf[Limit], ...], BeforeValidator(_limits)] = ()
    """Limits beside those of the space, such as "params <= 50e3"."""
    objectives: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Figures to steer by, if not the benchmark's own."""
    proxies: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Zero-cost scores to have among the figures, such as "naswot"; those of limits and objectives are made without being named
    here."""
    measures: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """How trained networks hold, to have among the figures, such as "pgd-linf-8/255", "noise-3" or "ece"; those of objectives are
    taken without being named here."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    together: Together = "never"
    """Whether the replicates of a small network train at once: where that is faster by measurement (auto), wherever they can, or
    never, so that equal seeds give equal figures bit for bit. Else they are equal but for rounding and dropout."""
    replicates: Annotated[int, Field(ge=1, le=100)] = 1
    """Trainings of each candidate, from `seed` and the seeds after it; its figures are the means."""
    study: str = ""
    """The study's name; without one, it is made of what the study is."""
    ledger: str = Field(default_factory=default_ledger)
    """Where the study is kept: sqlite:///FILE, or postgresql://USER@HOST/DATABASE."""
    begin_with: Annotated[tuple[InstanceOf[Architecture], ...], BeforeValidator(_architectures)] = ()
    """Architectures that are evaluated before the strategy proposes any, such as what is known to be good: their choices, or what
    names them: a JSON file, STUDY:NUMBER."""
    epochs: Annotated[int, Field(ge=1)] | None = None
    """Epochs of one evaluation, if not the benchmark's own."""
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the training data that one evaluation sees, if not the benchmark's own."""
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Training seconds after which an evaluation begins no further epoch."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Steps of the optimiser that one evaluation takes at most."""
    flops: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Floating-point operations that the training of one evaluation takes at most, three forward passes an example."""
    recipe: Annotated[dict[str, Any], BeforeValidator(_recipe)] = Field(default_factory=dict)
    """Options of training, if not the benchmark's own: such as "mixup=0.2" or "optimizer=lamb"."""
    precision: Precision = "float32"
    """The number format of convolutions and matrix products in training."""
    compile: Compile = "never"
    """Whether training goes through torch.compile: never, always, or auto, where the steps ahead pay for it."""
    synchronous: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Proposals of a round: the strategy hears what came of one when all of it has ended, so that equal seeds give equal studies,
    however many workers there are. Without it a free worker never waits for a slow one."""
    wait_minutes: Annotated[float, Field(gt=0, le=10_000)] = WAIT_MINUTES
    """Minutes that one process waits for another, where torchrun starts several to train each candidate together."""
    loading: Loading = "auto"
    """How training examples reach the device: from its memory, as a stream, or as there is room for them."""
    checkpoint: Annotated[float, Field(ge=0, allow_inf_nan=False)] = EVERY_SECONDS
    """Seconds after which the training under way is written down again, beside the ledger, so that a run that was killed goes on
    within it; 0 for never."""
    data: Path | None = None
    """The folder that the benchmark's data lie in, if not where it looks by itself."""

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, options: Any) -> Any:
        return from_table(options) if isinstance(options, Mapping) else options

    @classmethod
    def make(cls, **options: Any) -> Self:
        """The config of these options.

        Raises:
            NasError: an option is unknown, of the wrong kind, or names something that is not there.
        """
        try:
            config = cls(**options)
        except ValidationError as error:
            raise SearchError(complaint(error, cls.model_fields)) from None
        if isinstance(teacher := config.recipe.get("teacher"), str):
            from nas.training.teaching import pinned  # brings torch, which a search without teachers need not load yet

            config = config.model_copy(update={"recipe": {**config.recipe, "teacher": pinned(teacher)}})
        benchmark = changed(config.on, config.recipe)
        if config.measures and not isinstance(benchmark, TableBenchmark):
            config = config.model_copy(update={"measures": benchmark.ask_for(config.measures)})
        config = config.model_copy(update={"on": benchmark})
        config._check()
        return config

    @classmethod
    def options_of(cls, path: Path) -> dict[str, Any]:
        """The options in the YAML file at `path`; a path named there is looked for beside the file.

        Raises:
            DocumentError: the file cannot be read, or has an unknown key.
        """
        document = read_file(path)
        if not isinstance(document.value, dict):
            raise document.error((), "a search file is a mapping of options, such as `space: residual_cnn`.")
        for key in document.value:
            if key not in cls.model_fields:
                raise document.error((key,), f"unknown option. {did_you_mean(key, cls.model_fields)}")
        options = dict(document.value)
        if isinstance(folders := _folders(options.get("space_path")), list | tuple):
            options["space_path"] = [path.parent / folder if isinstance(folder, str) else folder for folder in folders]
        for key in ("space", "data", "on"):
            value = options.get(key)
            if isinstance(value, str) and (key == "data" or is_place(value) or is_table_file(value)):
                options[key] = path.parent / value
        if isinstance(named := options.get("begin_with"), str | list):
            options["begin_with"] = [_beside(one, path) for one in _several(named, str)]
        return options

    def _check(self) -> None:
        check_input(self.space, self.on)
        if isinstance(self.on, TableBenchmark):
            check_on_table(self, self.on)
        else:
            check_limits(self.all_limits, self.on)
            _check_figures(self.objectives, self.on)
        _check_proxies(self.proxies)
        self._check_measures()
        self._check_replicates()
        self.check_places()
        self._check_rounds()
        if len(self.begin_with) > self.trials:
            raise SearchError(
                f"A search begins with {self.trials} architectures at the most, one a trial, got {len(self.begin_with)}; "
                "give more trials."
            )
        if self.confirm:
            self._check_confirm(self.confirm)

    def _check_confirm(self, trainings: int) -> None:
        if len(self.steered_by) > 1:
            raise SearchError("What is best of several objectives is no one order to confirm; leave confirm out.")
        if trainings >= self.trials:
            raise SearchError(f"Some of the {self.trials} trials must search, got confirm {trainings}; give fewer.")

    def _check_measures(self) -> None:
        """Refuse what is not known in time, or not at all.

        Raises:
            SearchError: a pruner compares epochs by what only trained networks are asked, or nothing is trained.
        """
        if isinstance(self.on, TableBenchmark):
            if self.measures:
                raise SearchError(f"On a table no network is asked anything, got measures {self.measures[0]!r}; leave them out.")
            return
        self.on.ask_for(self.asked)
        first = self.steered_by[0].figure
        if measure_of(first) and self.pruner not in {"none", "wilcoxon"}:
            raise SearchError(
                f"The pruner {self.pruner!r} goes by figures of every epoch, and {first} is of what was trained to its end; "
                "leave the pruner out."
            )

    def _check_replicates(self) -> None:
        if self.replicates > 1 and self.compile != "never":
            raise SearchError(
                f"Replicates are not compiled, got replicates {self.replicates} and compile {quote(self.compile)}; "
                "leave one of them out."
            )
        if self.replicates > 1 and self.pruner not in {"none", "wilcoxon"}:
            raise SearchError(
                f"Each replicate is trained to its end, got replicates {self.replicates} and pruner {quote(self.pruner)}; "
                "name wilcoxon, which stops between them, or leave one of them out."
            )
        if self.pruner == "wilcoxon" and self.replicates < FEWEST_COMPARED:
            raise SearchError(
                f"The pruner 'wilcoxon' is not sure of anything before the fourth replicate, got replicates {self.replicates}; "
                f"give at least {FEWEST_COMPARED}, or leave the pruner out."
            )
        if self.pruner == "wilcoxon" and self.together != "never":
            raise SearchError(
                f"The pruner 'wilcoxon' stops between replicates, which then train one after another, got together "
                f"{quote(self.together)}; leave one of them out."
            )

    def _check_rounds(self) -> None:
        if self.synchronous not in {None, 1} and self.pruner in BY_ARRIVAL:
            raise SearchError(
                f"The pruner {self.pruner!r} decides by what others of a round have reported by then, whichever is first, got "
                f"synchronous {self.synchronous}; name median, or leave one of them out."
            )

    @property
    def all_limits(self) -> tuple[Limit, ...]:
        """The space's limits and the search's."""
        return tuple(dict.fromkeys((*self.space.limits, *self.limits)))

    @property
    def steered_by(self) -> tuple[Objective, ...]:
        """What the search steers by."""
        if not self.objectives:
            return self.on.objectives
        own = {objective.figure: objective for objective in self.on.objectives}
        return tuple(own.get(figure, _objective(figure)) for figure in self.objectives)

    @property
    def scores(self) -> tuple[str, ...]:
        """The zero-cost scores to be made: those that are asked for, steered by, or limited."""
        wanted = {*self.proxies, *self.objectives, *(limit.figure for limit in self.all_limits)}
        return tuple(name for name in SCORES if name in wanted)

    @property
    def asked(self) -> tuple[str, ...]:
        """The measures to be taken: those that are asked for or steered by."""
        return tuple(dict.fromkeys((*self.measures, *measures_among(self.objectives))))

    @property
    def budget(self) -> Budget:
        """Of one evaluation."""
        given = {name: getattr(self, name) for name in ("epochs", "fraction", "seconds", "steps", "flops")}
        return replace(self.on.budget, **{name: value for name, value in given.items() if value is not None})

    @property
    def confirmations(self) -> int:
        """How many of `trials` train the best again."""
        if self.confirm is not None:
            return self.confirm
        return usual_confirmations(self.trials) if self.strategy == AUTO and len(self.steered_by) == 1 else 0

    @property
    def means(self) -> dict[str, Any]:
        """By what evaluations are made: device, threads, number format, and so on."""
        named = {name: getattr(self, name) for name in ("threads", *MEANS)}
        return {"device": self.candidates_device, **named}

    @property
    def most_proposals(self) -> int:
        """The most proposals, repeated and infeasible ones included."""
        return self.proposals or max(500, 20 * self.trials)

    @property
    def strategy_name(self) -> str:
        """The strategy as the ledger knows it."""
        return self.strategy if isinstance(self.strategy, str) else type(self.strategy).__name__

    def definition(self) -> dict[str, Any]:
        """Everything that decides what the study's trials mean, as plain data."""
        space = space_to_data(self.space)
        space.pop("limits", None)
        return {
            "space": {**space, "digest": digest(self.space)},
            "benchmark": json.loads(json.dumps(self.on.to_data())),
            "strategy": self.strategy_name,
            "pruner": self.pruner,
            "objectives": [asdict(objective) for objective in self.steered_by],
            "limits": [str(limit) for limit in self.all_limits],
            "budget": asdict(self.budget),
            "recipe": dict(self.recipe),
            "seed": self.seed,
            **({"proxies": sorted(self.proxies)} if self.proxies else {}),  # so that older studies keep their names
            **({"measures": sorted(self.measures)} if self.measures else {}),
            **({"replicates": self.replicates} if self.replicates > 1 else {}),
            **({"synchronous": self.synchronous} if self.synchronous is not None else {}),
            **({"begin_with": [dict(one.choices) for one in self.begin_with]} if self.begin_with else {}),
            **({"together": self.together} if self.replicates > 1 and self.together != "never" else {}),
        }

    @property
    def study_name(self) -> str:
        """`study`, or a name made of what the study is: equal for equal searches."""
        if self.study:
            return self.study
        text = json.dumps(meaning(self.definition()), sort_keys=True)
        mark = hashlib.sha256(text.encode()).hexdigest()[:6]
        words = re.sub(
            r"[^A-Za-z0-9._-]+", "-", f"{self.space.name}-{self.on.name}-{self.strategy_name}"
        )  # nni:tpe is a strategy
        return f"{words[:73]}-{mark}"


NEEDED = {
    "on": "a benchmark such as digits; `nas benchmarks` lists what there is",
    "space": "a search space such as residual_cnn; `nas spaces` lists what there is",
}
"""What a search cannot do without, and where to find one."""


def complaint(error: ValidationError, known: Mapping[str, Any]) -> str:
    """What pydantic found wrong first, in one line."""
    first = error.errors(include_url=False)[0]
    option = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"A search has no option {option!r}. {did_you_mean(option, known)}"
    if first["type"] == "missing":
        return f"A search needs {option!r}, {NEEDED[option]}."
    return f"{option}: {first['msg'].removeprefix('Value error, ')}, got {quote(first['input'])}."
