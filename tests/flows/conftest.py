"""One Prefect server for all slow tests of a pytest session; see ``tests/conftest.py``."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.flows.servers import Server, running_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server: ready after 4 to 14 s."""
    with running_server(tmp_path_factory.mktemp("prefect")) as running:
        yield running
    gc.collect()  # what Prefect left open is closed here, not in somebody else's test
