"""Guards of the house: plain rooms load no torch, and the public surface is what `__all__` says."""

import json
import subprocess
import sys

import pytest

import nas

PLAIN_ROOMS = [
    "nas",
    "nas.cli",
    "nas.errors",
    "nas.registry",
    "nas.documents",
    "nas.benchmark",
    "nas.space",
    "nas.records",
]
PLAIN_ROOMS += ["nas.strategies", "nas.tables", "nas.ranking", "nas.effects", "nas.reports", "nas.reports.tables"]
PLAIN_ROOMS += ["nas.searching", "nas.comparing", "nas.doctor"]


@pytest.mark.parametrize("room", PLAIN_ROOMS)
def test_a_plain_room_loads_no_torch(room: str) -> None:
    loaded = modules_after(f"import {room}")
    assert not loaded & {"torch", "torchvision", "timm", "fvcore", "sklearn"}


def test_help_loads_only_the_command_line() -> None:
    loaded = modules_after("import nas.cli")
    assert not loaded & {"sqlalchemy", "optuna", "pydantic", "pandas", "numpy", "rich.table"}


def test_a_leaderboard_loads_neither_optuna_nor_pandas() -> None:
    loaded = modules_after("import nas.ranking, nas.reports.tables")
    assert not loaded & {"optuna", "pandas", "matplotlib", "seaborn", "jinja2"}


def modules_after(statement: str) -> set[str]:
    """The modules that a fresh Python holds after `statement`."""
    code = f"import sys, json; {statement}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_public_surface_is_what_all_says() -> None:
    assert nas.__all__ == [
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
    assert dir(nas) == sorted(nas.__all__)
    assert all(getattr(nas, name).__name__ == name for name in nas.__all__)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'nas' has no attribute 'serch'"):
        nas.serch  # noqa: B018


@pytest.mark.parametrize(
    "room",
    [
        "space",
        "records",
        "tables",
        "strategies",
        "models",
        "profiling",
        "training",
        "evaluation",
        "execution",
        "ranking",
        "effects",
        "searching",
    ],
)
def test_a_room_offers_what_its_all_says_and_nothing_else_is_missing(room: str) -> None:
    module = __import__(f"nas.{room}", fromlist=["__all__"])
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)
