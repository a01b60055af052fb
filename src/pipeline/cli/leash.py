"""Processes that end with the one that started them, however that ends.

A Prefect worker that is killed leaves its flow runs behind, unsupervised: the restarted one would be
a second trader beside them (FAULTS K8). So the worker starts each flow run through this module:
``python -m pipeline.cli.leash`` is ``python -m prefect.engine`` on a leash.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends, kill -9 included; elsewhere do nothing.

    With SIGKILL: a Prefect worker that is asked politely waits for its server, for minutes. "Parent"
    is the thread that started this process: start processes from one that lasts.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Run the flow run that the environment names, as Prefect's engine does."""
    parent = os.getppid()
    die_with_parent()
    if os.getppid() != parent:  # it ended before we could ask
        sys.exit(1)
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
