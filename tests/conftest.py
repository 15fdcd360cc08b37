"""Nothing a test does reaches the user's own ledger or threads."""

import pytest


@pytest.fixture(autouse=True)
def _own_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("NAS_LEDGER", f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
