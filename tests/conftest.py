"""How the tests are shared between pytest-xdist's workers."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests on one worker, and every slow test on the same one.

    So a module's server starts once, and there is one Prefect server (11 s, 277 MB) and one
    rehearsal at a time however many workers there are. Takes effect with ``--dist loadgroup``.
    """
    for item in items:
        group = "slow" if item.get_closest_marker("slow") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
