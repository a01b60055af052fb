"""What every test run shares: ``--quick`` leaves out what takes seconds.

``make check`` runs quick; ``make test`` and ``make faults`` run everything. Tests marked ``slow`` share one
Prefect server (see ``tests/flows/conftest.py``) and run one after the other.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent
THOROUGH = (
    "cli/test_command.py",
    "cli/test_watchdog.py",
    "cli/test_with_exchange.py",
    "exchange",
    "faults/test_machine.py",
    "operations",
    "security/test_injection.py",
    "security/test_storage_faults.py",
    "unit/adapters/test_alpaca_stream.py",
    "unit/journal/test_damage.py",
    "unit/journal/test_processes.py",
    "unit/reports/test_report_data.py",
    "unit/store/test_processes.py",
    "unit/store/test_projection.py",
    "unit/test_phases.py",
)
"""Folders and files whose tests run exchanges, processes or thousands of examples of their own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take ``--quick``."""
    parser.addoption("--quick", action="store_true", help="leave out what runs exchanges and processes")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the thorough tests out of a quick run."""
    if not config.getoption("--quick") or not collection_path.is_relative_to(ROOT):
        return None
    return collection_path.relative_to(ROOT).as_posix() in THOROUGH or None
