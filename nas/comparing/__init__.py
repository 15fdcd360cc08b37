"""Strategies held against each other on tables whose truth is known: runs, what they mean, and a page that shows it.

Importing this room draws nothing; what draws or renders is loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nas.comparing.comparison import Progress, compare
from nas.comparing.config import CompareConfig
from nas.comparing.telling import Findings

if TYPE_CHECKING:
    from nas.comparing.page import write_comparison

__all__ = ["CompareConfig", "Findings", "Progress", "compare", "write_comparison"]


def __getattr__(name: str) -> Any:
    if name == "write_comparison":
        return getattr(import_module("nas.comparing.page"), name)
    raise AttributeError(f"module 'nas.comparing' has no attribute {name!r}")
