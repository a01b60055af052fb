"""A process that was started on a leash ends with the one that started it, kill -9 included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.e2e.demos import alive, all_ended

CHILD = (
    "import os, time; from pipeline.cli.leash import die_with_parent; die_with_parent();"
    "print(os.getpid(), flush=True); time.sleep(60)"
)
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]).wait()"


def test_a_killed_worker_takes_its_flow_runs_along() -> None:
    """Measured without a leash: 40 s later the orphan still traded, beside the restarted one (K8)."""
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        before = alive(child)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()

    assert before
    assert all_ended((child,), 2.0)
