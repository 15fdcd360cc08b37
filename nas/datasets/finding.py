"""A name or a path → the benchmark: installed, or a folder with benchmark.yaml."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nas import registry
from nas.benchmark import Benchmark
from nas.datasets.declaration import FILE, FolderBenchmark, read_benchmark
from nas.errors import RegistryError, SearchError, did_you_mean, printable, quote
from nas.space.tree import NAME

VARIABLE = "NAS_BENCHMARK_PATH"
"""The environment variable that names folders of benchmarks, parted as in PATH."""


def is_place(benchmark: Any) -> bool:
    """Whether `benchmark` is the path of a folder, or of a YAML file, rather than a name."""
    if isinstance(benchmark, Path):
        return True
    return isinstance(benchmark, str) and (benchmark.endswith((".yaml", ".yml")) or os.sep in benchmark)


def find_benchmark(benchmark: Any) -> Benchmark:
    """A benchmark by its name, by the path of its folder, or as it is.

    Raises:
        NasError: there is none, there are several, or it breaks a rule.
    """
    if isinstance(benchmark, Benchmark):
        return benchmark
    if is_place(benchmark):
        return read_benchmark(Path(benchmark).expanduser())
    name = str(benchmark)
    places = known_benchmarks()
    if name not in places:
        if Path(name, FILE).is_file():
            raise RegistryError(f"No benchmark is called {quote(name)}; the folder of that name here is one: give ./{name}.")
        raise RegistryError(f"No benchmark is called {quote(name)}. {did_you_mean(name, map(printable, places))}")
    if folders := places[name]:
        if len(folders) > 1 or name in registry.owners(registry.BENCHMARKS):
            claims = [*(registry.owner(point) for point in registry.owners(registry.BENCHMARKS).get(name, ()))]
            claims += [printable(folder) for folder in folders]
            raise RegistryError(
                f"The benchmark {quote(name)} is claimed by {' and '.join(claims)}; rename or remove one of them."
            )
        return read_benchmark(folders[0])
    found = registry.load(registry.BENCHMARKS, name)
    if not isinstance(found, Benchmark):
        title = registry.title(registry.BENCHMARKS, name)
        raise RegistryError(f"The {title} must be a nas.benchmark.Benchmark, got {quote(found)}.")
    if found.name != name:  # a study knows its benchmark by the name that it calls itself
        title = registry.title(registry.BENCHMARKS, name)
        raise RegistryError(f"The {title} calls itself {quote(found.name)}; give both one name.")
    return found


def known_benchmarks() -> Mapping[str, list[Path]]:
    """Every name of a benchmark → the folders of NAS_BENCHMARK_PATH that it stands for; none where it is installed.

    Raises:
        RegistryError: a folder of NAS_BENCHMARK_PATH is not there.
    """
    found: dict[str, list[Path]] = {name: [] for name in registry.owners(registry.BENCHMARKS)}
    for folder in _path():
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise RegistryError(f"The folder {printable(folder)} of {VARIABLE} cannot be read: {reason}.") from error
        for entry in entries:
            if NAME.fullmatch(entry.name) and (entry / FILE).is_file():
                found.setdefault(entry.name, []).append(entry)
    return dict(sorted(found.items()))


def find_again(definition: Mapping[str, Any], study: str, data: Path | None) -> FolderBenchmark:
    """The benchmark of a study, whose definition says what it was: in `data`, here, in NAS_BENCHMARK_PATH or a package.

    Raises:
        SearchError: it is in none of these, or is another now.
    """
    name, told = definition["name"], definition["folder"]["sha256"]
    for place in _places(name, data):
        if not (place / FILE).is_file():
            continue
        found = read_benchmark(place)
        if found.name == name and found.version == definition["version"] and found.declaration.data.sha256 != told:
            raise SearchError(
                f"The study {study!r} is of data with digest {told[:12]}, those of {name} now have "
                f"{found.declaration.data.sha256[:12]}; the two do not compare."
            )
        if found.name == name:
            return found
    raise SearchError(
        f"The benchmark {name!r} of the study {study!r} is not here; name its folder by --data, or the folder that it lies in by "
        f"{VARIABLE}."
    )


def is_at_hand(benchmark: FolderBenchmark) -> bool:
    """Whether `find_again` would find it from here by its name alone."""
    home = benchmark.home.resolve()
    return any(place.resolve() == home for place in _places(benchmark.name, None))


def _places(name: str, data: Path | None) -> Iterator[Path]:
    """Where the benchmark called `name` may lie, and last where a package that is installed has it."""
    if data is not None:
        yield from (data, data / name)
    yield Path(name)
    yield from (folder / name for folder in _path())
    if name not in registry.owners(registry.BENCHMARKS):
        return
    try:
        installed = registry.load(registry.BENCHMARKS, name)
    except RegistryError:
        return  # who asks for it by its name is told why
    if isinstance(installed, FolderBenchmark):
        yield installed.home


def _path() -> list[Path]:
    return [Path(part) for part in dict.fromkeys(os.environ.get(VARIABLE, "").split(os.pathsep)) if part]
