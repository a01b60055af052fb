"""No order of events breaks a promise of FAULTS §3."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.desk import one_process
from tests.faults.machine import WANTED, Chaos
from tests.faults.reporting import FIRST_ONLY, keep

EXAMPLES = int(os.environ.get("MARKETDAY_FAULTS_EXAMPLES", "40"))
PROFILE = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    print_blob=False,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,) if os.environ.get(FIRST_ONLY) else (Phase.generate, Phase.shrink),
)
"""Always the same examples, so that a red build is red again; more of them by MARKETDAY_FAULTS_EXAMPLES."""


@pytest.mark.timeout(600)  # when it fails it looks for the shortest way to fail, which takes a while
def test_no_order_of_events_breaks_a_promise() -> None:
    """And everything did happen: without these counts it could pass by doing nothing."""
    Chaos.seen.clear()
    with one_process():
        run_state_machine_as_test(Chaos, settings=PROFILE)
    keep("machine", dict(Chaos.seen))

    assert [name for name in WANTED if not Chaos.seen[name]] == [], dict(Chaos.seen)
