"""Layers of other teams' packages."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nas import registry


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Installs a package `other-team` with one module and the entry points `name="module:object"` in `nas.layers`."""

    def install(source: str, **layers: str) -> None:
        (tmp_path / "other_team_layers.py").write_text(source)
        info = tmp_path / "other_team-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-team\nVersion: 1.0\n")
        points = "".join(f"{name} = {value}\n" for name, value in layers.items())
        (info / "entry_points.txt").write_text(f"[nas.layers]\n{points}")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "other_team_layers", raising=False)
        registry.owners.cache_clear()

    yield install
    registry.owners.cache_clear()
