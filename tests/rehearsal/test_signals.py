"""Signals are handled at once, whatever the main thread is doing."""

import signal
import threading

import pytest

from rehearsal.processes import handled_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_handled_beside_main_thread(number: signal.Signals) -> None:
    """The main thread is in a blocking call, and the kernel interrupts another one: a Python handler would wait for that call."""
    received, blocked = list[int](), threading.Lock()
    blocked.acquire()

    def handle(number: int) -> None:
        received.append(number)
        blocked.release()

    with handled_signals(handle):
        threading.Timer(0.1, _raise_in_this_thread, args=(number,)).start()
        assert blocked.acquire(timeout=10)

    assert received == [number]


def test_handled_one_by_one() -> None:
    received = list[int]()

    with handled_signals(received.append):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)

    assert received == [signal.SIGINT, signal.SIGTERM]


def test_handlers_restored() -> None:
    before = signal.getsignal(signal.SIGINT)

    with handled_signals(lambda _: None):
        pass

    assert signal.getsignal(signal.SIGINT) is before
    assert signal.set_wakeup_fd(-1) == -1


def _raise_in_this_thread(number: signal.Signals) -> None:
    signal.pthread_kill(threading.get_ident(), number)
