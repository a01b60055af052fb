"""The control port and the configuration."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BrokerUnavailable, ConfigurationError, UsageError
from pipeline.exchange.config import load_config
from pipeline.exchange.control import ExchangeControl
from tests.exchange.running import a_config, running_exchange, write_config

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


def test_virtual_time_moves_only_by_command_and_never_back(tmp_path: Path) -> None:
    """08:00 in New York at the start; the same instant twice is fine, an earlier one is refused."""
    with running_exchange(tmp_path) as exchange:
        control = exchange.control()
        assert control.now() == datetime(2026, 11, 20, 13, tzinfo=UTC)
        assert control.advance(OPEN) == control.advance(OPEN) == control.now() == OPEN
        with pytest.raises(UsageError, match="does not go backwards"):
            control.advance(OPEN - timedelta(seconds=1))
        status = control.status()

    assert (status["session"], status["is_open"], status["counts"]["orders"]) == ("2026-11-20", True, 0)
    with pytest.raises(BrokerUnavailable):
        control.now()


def test_time_flows_when_asked_and_stands_still_when_paused(tmp_path: Path) -> None:
    """At 600 times real time, half a second is about five minutes."""
    with running_exchange(tmp_path) as exchange:
        control = exchange.control()
        began = control.run(600)
        time.sleep(0.5)
        stopped = control.pause()
        time.sleep(0.3)

        assert timedelta(minutes=1) < stopped - began < timedelta(minutes=20)
        assert control.now() == stopped


def test_nobody_listens_at_a_closed_control_port() -> None:
    """An exchange that is gone is unavailable, not a traceback."""
    with pytest.raises(BrokerUnavailable, match="rehearsal exchange did not answer"):
        ExchangeControl("http://127.0.0.1:9").now()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": -1}, "exchange.seed = -1: must be a whole number from 0"),
        ({"cash": "much"}, "exchange.cash = 'much': 'much' is not a number"),
        ({"cash": "-1"}, "exchange.cash = '-1': must not be negative"),
        (
            {"first_session": "2026-11-26"},
            "first_session = '2026-11-26': is no session; the next one is 2026-11-27",
        ),
        ({"first_session": "2030-01-02"}, "first_session = '2030-01-02': the calendar covers"),
        ({"account_number": "123"}, "must start with 'PA'"),
        ({"fees": {"per_shares": "1"}}, "fees.per_shares = '1': unknown key; did you mean 'per_share'"),
        ({"market": {"kind": "real"}}, "market.kind = 'real': must be one of synthetic, recorded"),
        ({"market": {"kind": "synthetic"}}, "market.symbols: is missing"),
        ({"market": {"kind": "synthetic", "symbols": {"spy": {}}}}, "is not a symbol"),
        ({"market": {"kind": "synthetic", "symbols": {"SPY": {}}}}, "market.symbols.SPY.price: is missing"),
        ({"session_table": "absent.json"}, "session_table = .*absent.json': cannot be read"),
        ({"start": "2026-11-20T13:00:00"}, "needs a time zone"),
    ],
)
def test_a_wrong_configuration_names_the_key_the_value_and_the_remedy(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    """Strict: nothing is guessed, nothing is ignored."""
    with pytest.raises(ConfigurationError, match=said):
        load_config(write_config(tmp_path, a_config(**changes)))


def test_a_refreshed_session_table_does_not_orphan_a_rehearsal(tmp_path: Path) -> None:
    """The digest leaves out where the sessions come from, and nothing else."""
    path = write_config(tmp_path)
    (tmp_path / "sessions.json").rename(tmp_path / "other.json")
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"session_table": "other.json"}))
    moved = load_config(path).digest

    assert moved == load_config(write_config(tmp_path)).digest
    assert moved != load_config(write_config(tmp_path, a_config(cash="1"))).digest
