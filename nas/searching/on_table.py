"""A search on a table: where the benchmark is the file of one, its space and its figures are what the table has."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import SearchError, TableError, did_you_mean, quote
from nas.records import SCORES, StudyEntry
from nas.space import digest, resolve_space
from nas.tables import TableBenchmark, TableEvaluator, is_table_file, make_benchmark, read_table

if TYPE_CHECKING:
    from nas.searching.config import SearchConfig

TRAINING = (
    "replicates",
    "together",
    "fraction",
    "seconds",
    "steps",
    "flops",
    "recipe",
    "device",
    "threads",
    "precision",
    "compile",
    "loading",
    "checkpoint",
    "wait_minutes",
    "data",
    "workers",
    "gpus",
    "per_gpu",
    "time_limit",
    "memory_limit",
    "on_cluster",
)
"""Options of a search that are about training, and mean nothing where figures are looked up."""


def from_table(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """`options` of a search with the table that `on` names as a benchmark, and its space where none is given.

    Metrics that are asked for as objectives may name their fidelity, as in val_accuracy@12; the first decides which it is.

    Raises:
        NasError: the table cannot be read, or does not have what is asked for.
    """
    on: Any = options.get("on")
    if not isinstance(on, TableBenchmark) and not is_table_file(on):
        return options
    given = options.get("space")
    space = resolve_space(given, options.get("space_path")) if given is not None else None
    benchmark = on if isinstance(on, TableBenchmark) else read_table(on, space=space).benchmark
    objectives = options.get("objectives", ())
    names = [objectives] if isinstance(objectives, str) else objectives
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        benchmark, objectives = _steered(benchmark, names)
    return {**options, "on": benchmark, "space": space or benchmark.table.space, "objectives": objectives}


def _steered(benchmark: TableBenchmark, names: Sequence[str]) -> tuple[TableBenchmark, tuple[str, ...]]:
    """The benchmark whose metrics are those of `names`, and the names without a fidelity."""
    figures = tuple(name.partition("@")[0] for name in names)
    metrics = [name for name, figure in zip(names, figures, strict=True) if figure in benchmark.table.metrics]
    if not metrics:
        return benchmark, tuple(names)
    table = benchmark.table.searched_for(metrics[0])
    for name in metrics[1:]:
        figure, at, _ = name.partition("@")
        if at and name != f"{figure}@{table.fidelity}":
            raise SearchError(
                f"All objectives are read at one fidelity, got {metrics[0]!r} and {name!r}; name one of them alone."
            )
    return make_benchmark(table, *(name.partition("@")[0] for name in metrics[1:])), figures


def check_on_table(config: "SearchConfig", benchmark: TableBenchmark) -> None:
    """Refuse what a table cannot answer.

    Raises:
        NasError: says what it can.
    """
    table = benchmark.table
    if digest(table.space) != digest(config.space):
        raise SearchError(
            f"The table {table.file} is of the space {table.space.name!r}, got {config.space.name!r}; leave it out."
        )
    for name in TRAINING:
        if name in config.model_fields_set and getattr(config, name) != type(config).model_fields[name].default:
            raise SearchError(f"On a table nothing is trained, got {name} {quote(getattr(config, name))}; leave it out.")
    scores = [name for name in SCORES if name in table.proxies]  # whether more of any other is better nobody tells
    early = (*table.figures, *scores)
    for limit in config.all_limits:
        if limit.figure not in early:
            raise SearchError(
                f"A limit is on what the table {table.file} knows before training, got {str(limit)!r}. "
                f"{did_you_mean(limit.figure, early)}"
            )
    known = dict.fromkeys((*early, *benchmark.known))
    for figure in config.objectives:
        if figure not in known:
            raise SearchError(f"The table {table.file} has no {quote(figure)}. {did_you_mean(figure, known)}")
    for name in config.proxies:
        if name not in table.proxies:
            raise SearchError(f"The table {table.file} has no proxy:{name}. {did_you_mean(name, scores)}")
    evaluator = benchmark.evaluator(config.all_limits)
    evaluator.check(config.budget)
    if config.pruner in {"median", "asha", "hyperband"} and len(table.fidelities) < 2:
        raise SearchError(
            f"The table {table.file} tells no curve of {table.objective.figure} for the pruner {config.pruner!r}; leave it out."
        )
    if not evaluator.holds:
        raise SearchError(evaluator.nearest_miss())


def table_of(entry: StudyEntry, data: Path | None) -> TableBenchmark:
    """The benchmark of a study on a table, whose file lies in `data`, the present folder, or that of NAS_DATA.

    Raises:
        TableError: it is in none of these, or says something else than when the study was begun.
    """
    told = entry.definition["benchmark"]["table"]
    folders = [data] if data is not None else [Path(), *map(Path, filter(None, [os.environ.get("NAS_DATA")]))]
    places = [place for folder in folders for place in (folder, folder / told["file"], folder / "tables" / told["file"])]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise TableError(f"The table {told['file']} of the study {entry.name!r} is not here; name its folder by --data.")
    table = read_table(path, objective=told["objective"], space=entry.space)
    if table.digest != told["digest"]:
        raise TableError(
            f"The study {entry.name!r} is on a table of digest {told['digest']}, {path} now has {table.digest}; "
            "the two do not compare."
        )
    return make_benchmark(table, *(goal["figure"] for goal in entry.definition["benchmark"]["objectives"][1:]))


def finals_evaluator(
    benchmark: TableBenchmark, seeds: int, means: Mapping[str, Any], *, read: int, proxies: Sequence[str]
) -> TableEvaluator:
    """What answers finals: trainings that the search, which has `read` so many of each finalist at most, has not seen.

    The scores called `proxies` are told as in the search.

    Raises:
        SearchError: there are not so many, or `means` are given, by which nothing is trained.
    """
    evaluator, table = benchmark.evaluator(proxies=proxies), benchmark.table
    if means:
        raise SearchError(f"On a table nothing is trained, got {', '.join(means)}; leave them out.")
    if evaluator.trainings < 2:
        raise SearchError(f"The table {table.file} has one training of each architecture, which the search has read: no finals.")
    if seeds > (left := evaluator.trainings - read):
        way_out = f"got {seeds} seeds, give at most {left}" if left > 0 else "the best by their mean stand in its leaderboard"
        raise SearchError(
            f"The table {table.file} has {evaluator.trainings} trainings of each architecture, of which the search has read "
            f"{read} of a finalist; {way_out}."
        )
    return evaluator
