"""A name → the object, loaded when asked: search spaces, benchmarks and layers, ours and other teams' by one door.

Every package that declares an entry point in one of the groups below is found; nothing is imported before it is asked for.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from nas.errors import NasError, RegistryError, did_you_mean

SEARCH_SPACES = "nas.search_spaces"
BENCHMARKS = "nas.benchmarks"
LAYERS = "nas.layers"

_NOUNS = {SEARCH_SPACES: "search space", BENCHMARKS: "benchmark", LAYERS: "layer"}


@cache
def owners(group: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Name → the entry points that claim it, in `group`; one each unless two packages quarrel."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, {})[_owner(point)] = point
    return MappingProxyType({name: tuple(points.values()) for name, points in sorted(found.items())})


def load(group: str, name: str) -> object:
    """The object that `name` stands for in `group`.

    Raises:
        RegistryError: nobody, or more than one package, owns the name, or its owner fails to import.
    """
    known = owners(group)
    if name not in known:
        raise RegistryError(f"No {_NOUNS[group]} is called {name!r}. {did_you_mean(name, known)}")
    points = known[name]
    if len(points) > 1:
        claims = " and ".join(_owner(point) for point in points)
        raise RegistryError(f"The {_NOUNS[group]} {name!r} is claimed by {claims}; uninstall one of them.")
    try:
        return points[0].load()
    except NasError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may raise anything; it must be named and must not take the harness down
        reason = " ".join(str(error).split())[:200]
        raise RegistryError(
            f"The {_NOUNS[group]} {name!r} of {_owner(points[0])} cannot be loaded: {type(error).__name__}: {reason}"
        ) from error


def _owner(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unknown package"
    return f"{package} ({point.value})"
