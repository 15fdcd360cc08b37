"""All checks, in the order a person wants to read them."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from nas.doctor.check import Check, problem
from nas.doctor.ledgers import check_ledger, folder_of
from nas.doctor.machine import check_machine
from nas.doctor.probes import check_forking, check_gpu, check_plugins
from nas.doctor.software import check_software
from nas.errors import printable


def examine(ledger: str) -> Iterator[Check]:
    """One check after the other, for runs with the ledger at the URL `ledger`; nothing is changed or made.

    A check that fails itself is a problem, and takes no other down.
    """
    with ThreadPoolExecutor(2) as pool:  # what loads torch takes seconds, and goes on beside the rest
        gpu = pool.submit(_whole, "gpu", check_gpu)
        plugins = pool.submit(_whole, "plugins", check_plugins)
        yield from _whole("packages", check_software)
        yield from _whole("machine", lambda: check_machine(folder_of(ledger)))
        yield from gpu.result()
        yield from _whole("workers", check_forking)
        yield from _whole("ledger", lambda: check_ledger(ledger))
        yield from plugins.result()


def _whole(name: str, check: Callable[[], Iterable[Check]]) -> list[Check]:
    """What `check` finds, to the place where it failed."""
    found: list[Check] = []
    try:
        for one in check():
            found.append(one)  # noqa: PERF402 - what was found before a failure counts
    except Exception as error:  # whatever is broken here is what the doctor is asked about
        reason = f"could not be looked at: {type(error).__name__}: {printable(error)[:200]}"
        found.append(problem(name, reason, "tell the authors, with this line"))
    return found
