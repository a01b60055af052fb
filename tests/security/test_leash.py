"""A process that was started on a leash ends with the one that started it, kill -9 included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.demos import alive, all_ended

CHILD = (
    "import os, time; from pipeline.cli.leash import die_with_parent; die_with_parent();"
    "print(os.getpid(), flush=True); time.sleep(60)"
)
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]).wait()"

DEPLOYING = """
import os, sys
from pipeline.cli import deploying

asleep = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
deploying._prefect = lambda *_words: [sys.executable, "-c", asleep, sys.argv[1]]
deploying._run(("deploy",), dict(os.environ))
"""


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


def test_a_killed_desk_takes_its_deploying_along(tmp_path: Path) -> None:
    """`up` dies while `prefect deploy` runs: nothing is registered for a desk that is gone."""
    told = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", DEPLOYING, str(told)]) as desk:
        deadline = time.monotonic() + 30
        while not (told.exists() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        child = int(told.read_text())
        before = alive(child)
        os.kill(desk.pid, signal.SIGKILL)
        desk.wait()

    assert before
    assert all_ended((child,), 2.0)
