"""Nothing a test does reaches the user's own ledger, and torch has one thread: figures do not depend on who else is at work."""

import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from postgres import Server

os.environ["NAS_WORKERS"] = "0"  # candidates of commands run in the tests' own process, where what tests put in place is found
os.environ["NAS_CACHE"] = ""  # nothing that is made of a folder is kept
os.environ["OMP_NUM_THREADS"] = "1"  # read as torch is loaded, here and in the processes that tests start

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # others may have the processor
settings.load_profile("busy")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background jobs are born, and so would be their children
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="module")
def _hurried_latency() -> Iterator[None]:
    """Candidates of this process are timed by the fewest turns there are; tests of latency itself give it longer."""
    with pytest.MonkeyPatch.context() as patch:
        if "torch" in sys.modules:  # else nothing is trained here, and to load it takes seconds
            from nas.profiling import latency

            patch.setattr(latency, "WARMUP_SECONDS", 0.0)
            patch.setattr(latency, "SAMPLE_SECONDS", 0.0)
        yield


@pytest.fixture(autouse=True)
def _own_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("NAS_LEDGER", f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite")


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[Server]":
    """A PostgreSQL server that tests may stop and start; see `postgres`."""
    pytest.importorskip("psycopg")
    from postgres import NoServer, a_server

    try:
        with a_server() as server:
            yield server
    except NoServer as reason:
        pytest.skip(str(reason))


@pytest.fixture
def postgres_url(postgres_server: "Server") -> Iterator[str]:
    """A fresh PostgreSQL database, as a ledger is given it."""
    with postgres_server.database() as url:
        yield url
