import os
import signal
import subprocess
import sys
import threading

from growlang_runtime.train.signals import Interruption

SCRIPT = """
import os, signal, sys
sys.path[:0] = sys.argv[1].split(":")
from growlang_runtime.train.signals import Interruption
with Interruption() as interruption:
    os.kill(os.getpid(), signal.SIGINT)
    print(interruption.signal, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print("never")
"""


def test_a_signal_is_noted_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption() as interruption:
        assert interruption.signal is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_signal_exits_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ":".join(sys.path)], capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("2\n", 143)


def test_other_threads_leave_the_handlers_alone() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def enter() -> None:
        with Interruption():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
