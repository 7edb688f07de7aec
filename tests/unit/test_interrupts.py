"""The first interrupt lets what is under way finish, the second one stops it now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from velapulumi.engine.interrupts import Interrupts
from velapulumi.errors import Interrupted

ENDING = """
import signal, sys
signal.signal(signal.SIGINT, lambda *_: (print("interrupted", flush=True), sys.exit(3)))
print("ready", flush=True)
signal.pause()
"""
STUBBORN = """
import signal
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""


def deaf() -> None:
    """What is told that an interrupt was heard, and does nothing."""


@contextmanager
def process(script: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that leads a group of its own and is ready; ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    ) as found:
        try:
            assert said(found) == "ready"
            yield found
        finally:
            found.kill()


def said(found: subprocess.Popen[str]) -> str:
    assert found.stdout is not None
    return found.stdout.readline().strip()


def interrupt(number: int = signal.SIGINT) -> None:
    signal.raise_signal(number)


def listening() -> tuple[Interrupts, list[str]]:
    """Interrupts, and what is told when one was heard."""
    told: list[str] = []
    return Interrupts(lambda: told.append("heard")), told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_is_heard_and_lets_processes_finish(number: int) -> None:
    interrupts, told = listening()
    assert not interrupts.stopping
    with interrupts.handled(), process(ENDING) as first, process(ENDING) as second:
        with interrupts.running(first), interrupts.running(second):
            interrupt(number)
            assert (interrupts.stopping, told) == (True, ["heard"])
            assert (first.wait(30), second.wait(30)) == (3, 3)
        assert (said(first), said(second)) == ("interrupted", "interrupted")
    assert told == ["heard"]


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGTERM), (signal.SIGTERM,) * 2])
def test_the_second_one_stops_everything_at_once(numbers: tuple[int, int]) -> None:
    interrupts, told = listening()
    with interrupts.handled(), process(STUBBORN) as found, interrupts.running(found):
        interrupt(numbers[0])
        assert said(found) == "interrupted"
        assert found.poll() is None
        with pytest.raises(Interrupted) as caught:
            interrupt(numbers[1])
        assert found.wait(30) == -signal.SIGKILL
    assert told == ["heard"]
    assert (caught.value.code, caught.value.exit_code) == ("VP900", 130)
    assert caught.value.message == "stopped at once"


def test_a_whole_group_is_stopped() -> None:
    script = f"""
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.run([sys.executable, "-c", {STUBBORN!r}])
"""
    interrupts = Interrupts(deaf)
    with interrupts.handled(), process(script) as found, interrupts.running(found):
        interrupt()
        assert said(found) == "interrupted"
        with pytest.raises(Interrupted):
            interrupt()
        assert found.wait(30) == -signal.SIGKILL
        assert found.stdout is not None
        assert found.stdout.read() == ""  # comes when nobody has it open any more


def test_a_process_that_begins_after_an_interrupt_is_interrupted_at_once() -> None:
    interrupts = Interrupts(deaf)
    with interrupts.handled():
        interrupt()
        with process(ENDING) as found, interrupts.running(found):
            assert found.wait(30) == 3


def test_a_process_that_has_ended_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    touched: list[int] = []
    interrupts = Interrupts(deaf)
    with interrupts.handled(), process("print('ready')") as gone, process(STUBBORN) as over:
        gone.wait(30)
        monkeypatch.setattr(os, "killpg", lambda pid, number: touched.append(pid))
        with interrupts.running(over):
            pass
        with interrupts.running(gone):
            interrupt()
        assert interrupts.stopping
        assert over.poll() is None
        monkeypatch.undo()
    assert touched == []


def test_the_handlers_of_before_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with ExitStack() as stack:
        stack.enter_context(Interrupts(deaf).handled())
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert set(during).isdisjoint(before)
    with pytest.raises(ZeroDivisionError), Interrupts(deaf).handled():
        _ = 1 / 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
