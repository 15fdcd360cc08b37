"""Neural architecture search and benchmarking: search spaces as data, figures with their evidence, leaderboards that hold.

    import nas

    study = nas.search("residual_cnn", on="digits", trials=20, limits=["params <= 50e3"])
    study.trials          # a pandas DataFrame
    study.report("leaderboard.html")

Importing `nas` loads nothing heavy; each name below is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.errors import NasError
    from nas.models import build
    from nas.ranking.leaderboard import leaderboard
    from nas.searching import SearchConfig, Study, audit, finals, reproduce, search
    from nas.space import Architecture, Space, read_space

_HOMES = {
    "Architecture": "nas.space",
    "NasError": "nas.errors",
    "SearchConfig": "nas.searching",
    "Space": "nas.space",
    "Study": "nas.searching",
    "audit": "nas.searching",
    "build": "nas.models",
    "finals": "nas.searching",
    "leaderboard": "nas.ranking",
    "read_space": "nas.space",
    "reproduce": "nas.searching",
    "search": "nas.searching",
}

__all__ = [
    "Architecture",
    "NasError",
    "SearchConfig",
    "Space",
    "Study",
    "audit",
    "build",
    "finals",
    "leaderboard",
    "read_space",
    "reproduce",
    "search",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
