"""Nothing a test does reaches the user's own ledger, and torch has one thread: figures do not depend on who else is at work."""

import os

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # read as torch is loaded, here and in the processes that tests start


@pytest.fixture(autouse=True)
def _own_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("NAS_LEDGER", f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite")
