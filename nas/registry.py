"""A name → the object, loaded when asked: search spaces, benchmarks and layers, ours and other teams' by one door.

Every package that declares an entry point in one of the groups below is found; nothing is imported before it is asked for.
A package that cannot be loaded is named in one line and takes nothing down with it: whatever it raises is told, what it prints
goes to standard error, and an import that does not end is given up. What no thread of Python can stop it does: a crash of the
interpreter, and C code that never lets go of the interpreter's lock.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from threading import Thread, current_thread
from types import FrameType, MappingProxyType

from nas.errors import NasError, RegistryError, did_you_mean, printable, quote

SEARCH_SPACES = "nas.search_spaces"
BENCHMARKS = "nas.benchmarks"
LAYERS = "nas.layers"
PROTOCOLS = "nas.protocols"
PRETEXTS = "nas.pretexts"
DERIVATIONS = "nas.derivations"
EXPLAINERS = "nas.explainers"

NOUNS = {
    SEARCH_SPACES: "search space",
    BENCHMARKS: "benchmark",
    LAYERS: "layer",
    PROTOCOLS: "training protocol",
    PRETEXTS: "pretext",
    DERIVATIONS: "derivation",
    EXPLAINERS: "explainer",
}

PATIENCE = 20.0
"""Seconds after which the import of another team's package is given up; the environment's NAS_PLUGIN_SECONDS goes before it."""

_OWN = "nas-harness"


@cache
def owners(group: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Name → the entry points that claim it, in `group`; one each unless two packages quarrel."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in _points(group):
        found.setdefault(point.name, {})[owner(point)] = point
    return MappingProxyType({name: tuple(points.values()) for name, points in sorted(found.items())})


def load(group: str, name: str, *, seconds: float | None = None) -> object:
    """The object that `name` stands for in `group`; another team's import is given up after `seconds`.

    Raises:
        RegistryError: nobody, or more than one package, owns the name, or its owner cannot be loaded.
        NasError: what our own package raises.
    """
    point = _point(group, name)
    module = point.value.partition(":")[0].strip()
    if not _ready(module) and point.dist is not None and point.dist.name == _OWN:
        reach(module)
        return point.load()
    found = _import(point, module, patience() if seconds is None else seconds)
    if not isinstance(found, _Failed):
        return found.value
    raise RegistryError(f"The {title(group, name)} cannot be loaded: {found.reason}") from found.error


def reach(module: str) -> None:
    """See to it that `module` is found where it lies beside this package, also where a package of its name hides it.

    `benchmarks` is a name that others' distributions use too, such as opacus 1.6: what is found first has then no such module.
    """
    top, dot, _ = module.partition(".")
    beside = Path(__file__).parents[1] / top
    if dot and (beside / "__init__.py").is_file():
        package = import_module(top)
        if str(beside) not in package.__path__:
            package.__path__.insert(0, str(beside))


def title(group: str, name: str) -> str:
    """What messages call it: its kind, its name, and the package and object that it comes from."""
    return f"{NOUNS[group]} {quote(name)} of {owner(_point(group, name))}"


def patience() -> float:
    """`NAS_PLUGIN_SECONDS`, or PATIENCE.

    Raises:
        RegistryError: it is no number above 0.
    """
    given = os.environ.get("NAS_PLUGIN_SECONDS") or PATIENCE
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise RegistryError(f"NAS_PLUGIN_SECONDS must be a number of seconds above 0, got {quote(given)}.")
    return seconds


def _point(group: str, name: str) -> EntryPoint:
    known = owners(group)
    if name not in known:
        raise RegistryError(f"No {NOUNS[group]} is called {quote(name)}. {did_you_mean(name, map(printable, known))}")
    points = known[name]
    if len(points) > 1:
        claims = " and ".join(owner(point) for point in points)
        raise RegistryError(f"The {NOUNS[group]} {quote(name)} is claimed by {claims}; uninstall one of them.")
    return points[0]


def _points(group: str) -> Iterable[EntryPoint]:
    try:
        return entry_points(group=group)
    except Exception:  # one package's metadata are damaged: all others count
        return [point for package in distributions() for point in _readable(package, group)]


def _readable(package: Distribution, group: str) -> list[EntryPoint]:
    try:
        return [point for point in package.entry_points if point.group == group]
    except Exception:  # metadata may be damaged in any way
        return []


def owner(point: EntryPoint) -> str:
    """The package and object of `point`, as messages call it."""
    package = point.dist.name if point.dist else "an unknown package"
    return printable(f"{package} ({point.value})")


@dataclass(frozen=True)
class _Loaded:
    value: object


@dataclass(frozen=True)
class _Failed:
    reason: str
    error: BaseException | None = None


_given_up: dict[str, tuple[Thread, float]] = {}
"""Module → the thread that imports it still, and after how many seconds it was left alone."""

_THREAD = "nas plugin"


def _import(point: EntryPoint, module: str, seconds: float) -> _Loaded | _Failed:
    """Load `point` in a thread, which is left alone when it has not ended after `seconds`.

    Whoever asks in the middle of an import, or within such a thread, holds locks that a further thread may wait for: there it
    is loaded at once, and the bound is that of the outermost import. So it is where its module is there already.
    """
    if _ready(module) or current_thread().name == _THREAD or _importing():
        return _attempt(point)
    thread, waited = _given_up.get(module, (None, 0.0))
    if thread is not None and thread.is_alive():
        return _Failed(f"its import was given up after {waited:g} s.")
    found: list[_Loaded | _Failed] = []
    thread = Thread(target=lambda: found.append(_attempt(point)), name=_THREAD, daemon=True)
    with redirect_stdout(sys.stderr):  # what standard output holds may be read by a script
        thread.start()
        thread.join(seconds)
    if found:
        return found[0]
    _given_up[module] = (thread, seconds)
    return _Failed(f"its import has not ended after {seconds:g} s; NAS_PLUGIN_SECONDS gives it longer.")


def _attempt(point: EntryPoint) -> _Loaded | _Failed:
    try:
        return _Loaded(point.load())
    except NasError as error:
        return _Failed(printable(error), error)
    except BaseException as error:  # a plugin may raise anything; it must be named and must not take the harness down
        if isinstance(error, KeyboardInterrupt) and current_thread().name != _THREAD:
            raise  # Ctrl-C
        return _Failed(f"{type(error).__name__}: {_text(error)}", error)


def _text(error: BaseException) -> str:
    try:
        return printable(error)[:200]
    except Exception:  # so may the text of what it raises
        return "(its message cannot be shown)"


def _ready(module: str) -> bool:
    """Whether `module` is imported, to its end."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)


def _importing() -> bool:
    """Whether this thread is in the middle of an import."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
