"""A name → the space: installed, or a YAML file that lies in a folder of the space path."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas import registry
from nas.errors import RegistryError, did_you_mean, printable, quote
from nas.space.declaration import read_space
from nas.space.space import Space
from nas.space.tree import NAME

SpacePath = Sequence[Path | str] | None
"""Folders that spaces are looked for in beside those that are installed; None for those of NAS_SPACE_PATH."""


def resolve_space(space: Any, space_path: SpacePath = None) -> Space:
    """A space by its name, by the path of its YAML file, or as it is.

    Raises:
        NasError: there is none, there are several, or it breaks a rule.
    """
    if isinstance(space, Space):
        return space
    if isinstance(space, Path) or (isinstance(space, str) and (space.endswith((".yaml", ".yml")) or os.sep in space)):
        return read_space(space)
    name = str(space)
    places = known_spaces(space_path)
    if name not in places:
        raise RegistryError(f"No search space is called {quote(name)}. {did_you_mean(name, map(printable, places))}")
    if files := places[name]:
        if len(files) > 1 or name in registry.owners(registry.SEARCH_SPACES):
            raise RegistryError(
                f"The search space {quote(name)} is claimed by {_claims(name, files)}; rename or remove one of them."
            )
        return _named(read_space(files[0]), name, printable(files[0]))
    found = registry.load(registry.SEARCH_SPACES, name)
    if not isinstance(found, Space):
        raise RegistryError(f"The {registry.title(registry.SEARCH_SPACES, name)} must be a nas.space.Space, got {quote(found)}.")
    return _named(found, name, _claims(name, ()))


def known_spaces(space_path: SpacePath = None) -> Mapping[str, Sequence[Path]]:
    """Every name of a space → the files of the space path that it stands for; none where it is installed.

    Raises:
        RegistryError: a folder of the space path is not there.
    """
    found: dict[str, list[Path]] = {name: [] for name in registry.owners(registry.SEARCH_SPACES)}
    for folder in default_space_path() if space_path is None else dict.fromkeys(map(Path, space_path)):
        for name, file in _declared(folder):
            found.setdefault(name, []).append(file)
    return dict(sorted(found.items()))


def default_space_path() -> list[Path]:
    """The folders of `NAS_SPACE_PATH`, parted as in PATH."""
    return [Path(part) for part in dict.fromkeys(os.environ.get("NAS_SPACE_PATH", "").split(os.pathsep)) if part]


def readme_beside(space: Space) -> Path | None:
    """README.md beside the file that `space` was read from; None where it came from no file."""
    source = Path(space.origin.source) if space.origin is not None else None
    return source.parent / "README.md" if source is not None and source.is_file() else None


def _declared(folder: Path) -> Iterable[tuple[str, Path]]:
    """Names and files of the spaces in `folder`: NAME.yaml and NAME/space.yaml."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RegistryError(f"The space path's folder {printable(folder)} cannot be read: {reason}.") from error
    for entry in entries:
        inside = entry / "space.yaml"
        if NAME.fullmatch(entry.name) and inside.is_file():
            yield entry.name, inside
        elif entry.suffix in {".yaml", ".yml"} and NAME.fullmatch(entry.stem) and entry.is_file():
            yield entry.stem, entry


def _claims(name: str, files: Sequence[Path]) -> str:
    """Everybody that claims `name`."""
    installed = registry.owners(registry.SEARCH_SPACES).get(name, ())
    return " and ".join([*(registry.owner(point) for point in installed), *(printable(file) for file in files)])


def _named(space: Space, name: str, owner: str) -> Space:
    if space.name != name:
        raise RegistryError(f"The search space {quote(name)} of {owner} calls itself {space.name!r}; give both one name.")
    return space
