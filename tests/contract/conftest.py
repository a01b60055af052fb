"""One desk per broker for the whole suite: starting one costs a second."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.desks import DESKS, Desk


@pytest.fixture(scope="package", params=list(DESKS))
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk at each broker in turn."""
    with DESKS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened
