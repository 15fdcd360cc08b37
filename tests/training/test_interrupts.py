import os
import signal
import threading

import pytest

from nas.training.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_kept_and_what_it_did_before_is_back_afterwards(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert not interrupts.came
        os.kill(os.getpid(), number)
        assert interrupts.came
    assert signal.getsignal(number) is before


def test_another_thread_leaves_signals_to_the_first() -> None:
    before = signal.getsignal(signal.SIGINT)
    found = []

    def work() -> None:
        with Interrupts():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
