"""Work that may hang: whoever stops waiting for it leaves it to itself, and it ends without a fault."""

from __future__ import annotations

import threading

import pytest

from node_agent.network.aside import aside, within


def test_the_result_or_the_error_comes_back() -> None:
    assert within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)


@pytest.mark.parametrize("ends_with", ["a result", "an error"])
def test_what_comes_after_whoever_waited_gave_up_is_given_back(ends_with: str) -> None:
    go, given_back = threading.Event(), threading.Event()

    def work() -> str:
        go.wait(10)
        if ends_with == "an error":
            raise OSError
        return "late"

    # An exception that nobody catches in a thread fails the test run.
    assert aside(work, lambda _: given_back.set()).cancel()
    go.set()
    assert given_back.wait(0.5) == (ends_with == "a result")


def test_what_takes_too_long_is_left_to_itself() -> None:
    go, given_back = threading.Event(), threading.Event()
    with pytest.raises(TimeoutError):
        within(0.01, lambda: go.wait(10), lambda _: given_back.set())
    assert not given_back.is_set()
    go.set()
    assert given_back.wait(5)
