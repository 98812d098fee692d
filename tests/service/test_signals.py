"""What signals ask of a process, and that the previous handlers come back."""

from __future__ import annotations

import os
import signal

import pytest

from stream_detector.service.signals import ReloadFlag, StopFlag, exiting_on_sigterm, stop_requested


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_for_a_stop_and_the_second_interrupts(number: signal.Signals) -> None:
    before, stop = signal.getsignal(number), StopFlag()

    with stop.installed():
        os.kill(os.getpid(), number)
        assert stop.is_set
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)

    assert signal.getsignal(number) is before


def test_a_hangup_asks_for_a_reload_and_the_previous_handler_is_restored() -> None:
    before, flag = signal.getsignal(signal.SIGHUP), ReloadFlag()

    with flag.installed():
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert (flag.take(), flag.take()) == (True, False)

    assert signal.getsignal(signal.SIGHUP) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_event_is_set_by_the_first_signal_and_the_second_has_its_previous_effect(number: signal.Signals) -> None:
    received: list[int] = []
    before = signal.signal(number, lambda number, _frame: received.append(number))
    try:
        with stop_requested() as stop:
            assert not stop.is_set()
            os.kill(os.getpid(), number)
            assert (stop.is_set(), received) == (True, [])
            os.kill(os.getpid(), number)
            assert received == [number]
        os.kill(os.getpid(), number)
        assert received == [number, number]
    finally:
        signal.signal(number, before)


def test_a_sigterm_unwinds_the_stack_with_its_usual_exit_code() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(SystemExit) as raised, exiting_on_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)

    assert raised.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before
