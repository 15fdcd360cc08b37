"""An order → something to read: tables in a terminal, one page that needs no network, plots.

Importing this room loads nothing heavy; what draws or renders is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.reports.page import write_report
    from nas.reports.pictures.curves import learning_curves

_HOMES = {"learning_curves": "nas.reports.pictures.curves", "write_report": "nas.reports.page"}

__all__ = ["learning_curves", "write_report"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nas.reports' has no attribute {name!r}")
