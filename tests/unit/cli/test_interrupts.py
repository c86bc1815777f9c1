"""What ends a run from outside: at once, or after the message that is on its way out."""

from __future__ import annotations

import signal

import pytest

from mqctl.cli.interrupts import PATIENCE_S, Interrupts
from mqctl.errors import OperationTimeout


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """Every use gives the signals and the timer back."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_time_limit_ends_a_wait():
    with pytest.raises(OperationTimeout, match="--timeout is over after 10ms"), Interrupts(0.01):
        signal.pause()


def test_without_a_time_limit_nothing_rings():
    with Interrupts():
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts(number):
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(number)


def test_a_signal_waits_for_what_is_on_its_way_out():
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        done.append("sent")
        interrupts.release()
        done.append("never")
    assert done == ["sent"]


def test_the_time_limit_waits_too_and_stays_a_time_limit():
    with pytest.raises(OperationTimeout), Interrupts(60) as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGALRM)
        interrupts.release()


def test_a_second_signal_does_not_wait():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second signal waited")


def test_patience_has_an_end():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= PATIENCE_S
        signal.pause()


def test_what_is_released_in_peace_goes_on():
    with Interrupts() as interrupts:
        interrupts.hold()
        interrupts.release()
