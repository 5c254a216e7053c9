import os
import signal
import subprocess
import sys
import threading

import pytest

from growlang_runtime.train.signals import Interruption

SCRIPT = """
import os, signal, sys
sys.path[:0] = sys.argv[1].split(":")
from growlang_runtime.train.signals import Interruption
with Interruption() as interruption:
    os.kill(os.getpid(), int(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGTERM)
    print(interruption.signal, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
    print("never")
"""


def test_a_signal_is_noted_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        assert interruption.signal is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_sigterm_is_ignored_and_a_second_sigint_exits_at_once(first: int) -> None:
    script = [sys.executable, "-c", SCRIPT, ":".join(sys.path), str(int(first))]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (f"{int(first)}\n", 130)


def test_other_threads_leave_the_handlers_alone() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def enter() -> None:
        with Interruption():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
