"""The same in processes that really die: ``FAILPOINT=PLACE:exit`` ends one as kill -9 does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.failpoints import EXIT_CODE
from tests.faults.desk import morning_files
from tests.faults.worker import opened

ROOT = Path(__file__).resolve().parents[2]


def work(folder: Path, failpoint: str = "") -> int:
    """Run one process to its end and return its exit code."""
    environment = {**os.environ, "FAILPOINT": failpoint, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.faults.worker", str(folder)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, timeout=60).returncode


@pytest.mark.slow
@pytest.mark.parametrize("failpoint", ["after_sending", "after_post"])
def test_a_process_that_is_killed_and_another_that_goes_on_leave_one_order_each(
    failpoint: str, tmp_path: Path
) -> None:
    """Bought, sold, and one order that rests: three at the broker, however the first process ended."""
    for name, content in morning_files().items():
        (tmp_path / name).write_bytes(content)

    assert work(tmp_path, f"{failpoint}:exit") == EXIT_CODE
    assert work(tmp_path) == 0
    orders = [held.order for held in opened(tmp_path).orders.values()]
    assert [(order.symbol, order.side.value) for order in orders] == [
        ("SPY", "buy"),
        ("QQQ", "buy"),
        ("SPY", "sell"),
    ]
    assert opened(tmp_path).positions["SPY"] == 0
