"""The commands that do a study again, composed of its definition."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nas import registry
from nas.records import LOOKED_UP, StudyEntry, Trial
from nas.reports.outcome import evaluated

PROPOSALS = 500
"""A search makes at least so many proposals if need be; a study with fewer never met the bound."""


def commands(entry: StudyEntry, trials: Sequence[Trial]) -> tuple[str, ...]:
    """The lines for a shell that do the study again: the search, then its finals and its audit where there are any."""
    search = [trial for trial in trials if trial.stage == "search"]
    confirmed = [trial for trial in trials if trial.stage == "confirm" and trial.state != "running"]
    finals = [trial for trial in trials if trial.stage == "final"]
    lines = [_search(entry, search, len(confirmed))]
    if finals:
        lines.append(_finals(entry, finals))
    if audits := [trial for trial in trials if trial.stage == "audit" and trial.proposal]:
        lines.append(_audit(entry, audits))
    return tuple(shlex.join(words) for words in [*lines, *_derived(entry, trials)])


def _derived(entry: StudyEntry, trials: Sequence[Trial]) -> Iterator[list[str]]:
    """What makes children of finalists again, a line for each method and finalist."""
    by_evaluation = {trial.evaluation: trial for trial in trials if trial.stage in {"final", "derived"}}
    found: dict[tuple[str, ...], None] = {}
    for trial in trials:
        derived = trial.record.derived if trial.record is not None else None
        parent = by_evaluation.get(derived.parent) if derived is not None else None
        if trial.stage != "derived" or derived is None or parent is None:
            continue
        named = parent.architecture.id if parent.stage == "final" else f"id:{parent.id}"
        words = ["nas", "derive", f"{entry.name}:{named}", "--how", derived.method]
        for name, value in derived.options.items():
            if isinstance(value, dict) and name == "changes":
                words += [word for key, one in value.items() for word in ("--recipe", f"{key}={json.dumps(one)}")]
            elif value is not None:
                words += ["--set", f"{name}={json.dumps(value)}"]
        beside = [by_evaluation[one].architecture.id for one in derived.beside if one in by_evaluation]
        words += [word for one in beside for word in ("--teacher", f"{entry.name}:{one}")]
        found[tuple(words)] = None
    yield from map(list, found)


def train_command(entry: StudyEntry, trial: Trial) -> str | None:
    """The line that trains the architecture of `trial` by itself, as it was trained there.

    None for a table, and for what was made of a finalist.
    """
    definition, record = entry.definition, trial.record
    if definition["benchmark"].get("table") or trial.stage == "derived":
        return None
    named = f"{entry.name}:{trial.number}" if trial.stage == "search" else f"{entry.name}:{trial.architecture.id}"
    words = ["nas", "train", _space(definition), named, "--on", _benchmark(definition)]
    words += ["--seed", str(record.seed if record is not None else definition["seed"])]
    own = definition["benchmark"]["final_budget" if trial.stage == "final" else "budget"]
    spent = vars(record.budget) if record is not None else own if trial.stage == "final" else definition["budget"]
    words += _differing(spent, definition["benchmark"]["budget"])
    return shlex.join([*words, *_recipe(definition), *_setting([trial]), *(["--test"] if trial.stage == "final" else [])])


def finals_command(entry: StudyEntry) -> str:
    """The line that trains finalists."""
    return shlex.join(["nas", "finals", entry.name])


def _search(entry: StudyEntry, trials: Sequence[Trial], confirmed: int) -> list[str]:
    definition = entry.definition
    table = definition["benchmark"].get("table")
    words = ["nas", "search", "--on", table["file"]] if table else _searched(definition)
    words += ["--strategy", definition["strategy"]]
    if count := len(evaluated(trials)):
        words += ["--trials", str(count + confirmed)]
    if confirmed or definition["strategy"] == "auto":
        words += ["--confirm", str(confirmed)]
    if len(trials) > PROPOSALS:
        words += ["--proposals", str(len(trials))]
    words += ["--seed", str(definition["seed"])]
    if "replicates" in definition:
        words += ["--replicates", str(definition["replicates"])]
    if "synchronous" in definition:
        words += ["--synchronous", str(definition["synchronous"])]
    for choices in definition.get("begin_with", ()):
        words += ["--begin-with", json.dumps(choices)]
    if "together" in definition:
        words += ["--together", definition["together"]]
    for limit in definition["limits"]:
        words += ["--limit", limit]
    if table or definition["objectives"] != definition["benchmark"]["objectives"]:
        for objective in definition["objectives"]:
            figure = objective["figure"]
            words += ["--objective", table["objective"] if table and table["objective"].split("@")[0] == figure else figure]
    for name in definition.get("proxies", ()):
        words += ["--proxy", name]
    if definition["pruner"] != "none":
        words += ["--pruner", definition["pruner"]]
    return [*words, *_budget(definition), *_recipe(definition), *_setting(trials), "--study", entry.name]


def _searched(definition: Mapping[str, Any]) -> list[str]:
    return ["nas", "search", _space(definition), "--on", _benchmark(definition)]


def _benchmark(definition: Mapping[str, Any]) -> str:
    """The benchmark by its name, or by its folder, which lies where the command is given."""
    name = str(definition["benchmark"]["name"])
    return f"./{name}" if "folder" in definition["benchmark"] else name


def _space(definition: Mapping[str, Any]) -> str:
    """The space by its name; one that is not installed came from a file."""
    name = str(definition["space"]["name"])
    return name if name in registry.owners(registry.SEARCH_SPACES) else f"{name}.yaml"


def _budget(definition: Mapping[str, Any]) -> list[str]:
    """What differs from the benchmark's own budget."""
    return _differing(definition["budget"], definition["benchmark"]["budget"])


def _differing(budget: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    differing = [name for name, value in budget.items() if value != own.get(name) and value is not None]
    return [word for name in differing for word in (f"--{name}", f"{budget[name]}")]


def _recipe(definition: Mapping[str, Any]) -> list[str]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in definition.get("recipe", {}).items()}
    return [word for name, text in texts.items() for word in ("--recipe", f"{name}={text}")]


def _setting(trials: Sequence[Trial]) -> list[str]:
    """What the trials' setting has other than by default; the machine chooses the device."""
    record = next((trial.record for trial in trials if trial.record), None)
    if record is None or record.device == LOOKED_UP:
        return []
    asked = [("threads", record.threads, 1), ("precision", record.precision, "float32"), ("compile", record.compile, "never")]
    return [word for name, value, default in asked if value != default for word in (f"--{name}", str(value))]


def _finals(entry: StudyEntry, trials: Sequence[Trial]) -> list[str]:
    seeds = Counter(architecture for architecture, _ in {(trial.architecture.id, trial.evaluation) for trial in trials})
    counts = set(seeds.values())
    if len(counts) > 1:  # they went where they told most, which they will again
        share = ["--trainings", str(seeds.total())]
    else:
        share = ["--seeds", str(max(counts)), *(["--even"] if max(counts) > 2 and len(seeds) > 1 else [])]
    return ["nas", "finals", entry.name, "--top", str(len(seeds)), *share, *_setting(trials)]


def _audit(entry: StudyEntry, trials: Sequence[Trial]) -> list[str]:
    design = trials[-1].proposal["audit"]
    words = [word for name in ("sample", "pruned", "seeds") for word in (f"--{name}", str(design[name]))]
    return [
        "nas",
        "audit",
        entry.name,
        *words,
        *_differing(design["budget"], entry.definition["benchmark"]["final_budget"]),
        *_setting(trials),
    ]
