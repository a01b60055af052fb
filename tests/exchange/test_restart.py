"""Nothing that was answered is lost, and the same commands lead to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.errors import ConfigurationError, JournalCorrupt, UsageError
from pipeline.exchange.config import load_config
from pipeline.exchange.fault_rules import FaultRule
from pipeline.exchange.host import Exchange
from pipeline.exchange.orders import to_instant
from pipeline.exchange.process import RunningExchange, attach, start
from pipeline.exchange.wire import account_json, log_json, order_json
from tests.exchange.running import KEY, SECRET, a_config, running_exchange, write_config

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}


def market(symbol: str, qty: str, side: str = "buy", **more: Any) -> dict[str, Any]:
    """Return the body of a market day order."""
    return {"symbol": symbol, "qty": qty, "side": side, "type": "market", "time_in_force": "day"} | more


def trade(exchange: RunningExchange) -> None:
    """Trade for some minutes: parts, a cancel, a refusal, a setting."""
    control, orders = exchange.control(), f"{exchange.url}/v2/orders"
    control.advance(OPEN)
    for body in (market("SPY", "3.5", client_order_id="a"), market("THIN", "500"), market("SPY", "9999")):
        requests.post(orders, json=body, headers=HEADERS, timeout=10)
    control.advance(OPEN + timedelta(minutes=3))
    requests.delete(orders, headers=HEADERS, timeout=10)
    requests.post(orders, json=market("QQQ", "2"), headers=HEADERS, timeout=10)
    settings = f"{exchange.url}/v2/account/configurations"
    requests.patch(settings, json={"suspend_trade": True}, headers=HEADERS, timeout=10)


def meddle(exchange: RunningExchange) -> None:
    """Change what is true, and let faults strike: some now, some still to come."""
    control = exchange.control()
    control.deposit("1234.56")
    control.trade("THIN", "buy", 7)
    control.split("SPY", 2, 1)
    control.cancels("stuck", seconds=600)
    control.order(market("QQQ", "1", type="limit", limit_price="5", client_order_id="stuck"))
    control.cancel_order("stuck")
    control.dividend("THIN", "0.10", at=OPEN + timedelta(hours=1))
    control.add_fault(FaultRule(kind="status", path="/v2/account$", status=503, count=3, probability=0.5))
    asked = [requests.get(f"{exchange.url}/v2/account", headers=HEADERS, timeout=10) for _ in range(20)]
    assert [answer.status_code for answer in asked].count(503) == 3


def answers(exchange: RunningExchange) -> list[str]:
    """Return what the exchange says of everything there is."""
    paths = (
        "orders?status=all",
        "positions",
        "account",
        "account/activities",
        "account/configurations",
        "clock",
    )
    texts = [requests.get(f"{exchange.url}/v2/{path}", headers=HEADERS, timeout=10).text for path in paths]
    control = exchange.control()
    return [*texts, *(json.dumps(found) for found in (control.log(), control.changes(), control.faults()))]


def test_a_killed_exchange_comes_back_as_it_was(tmp_path: Path) -> None:
    """kill -9, start again: the same orders, money, positions, activities, log, time, changes and faults."""
    with running_exchange(tmp_path) as exchange:
        meddle(exchange)
        trade(exchange)
        before = answers(exchange)
        os.kill(exchange.pid, signal.SIGKILL)
        assert exchange.child is not None
        exchange.child.wait()
        with running_exchange(tmp_path) as again:
            after = answers(again)
            again.control().advance(OPEN + timedelta(minutes=4))
            bought = requests.get(f"{again.url}/v2/positions/QQQ", headers=HEADERS, timeout=10)

    assert after == before
    assert bought.json()["qty"] == "2"


def test_a_torn_last_command_is_dropped_and_a_broken_one_before_is_refused(tmp_path: Path) -> None:
    """The tail was never answered; a hole in the middle means that the file is not what was written."""
    config = load_config(write_config(tmp_path))
    log = tmp_path / "commands.jsonl"
    exchange = Exchange(config, tmp_path)
    exchange.submit(market("SPY", "1"))
    exchange.close()
    whole = log.read_bytes()

    log.write_bytes(whole + b'{"do":"submit","body":{"sym')
    torn = Exchange(config, tmp_path)
    torn.close()
    assert len(torn.engine.book.registry.orders) == 1
    assert log.read_bytes() == whole

    log.write_bytes(whole.replace(b'"do":"submit"', b'"do"'))
    with pytest.raises(JournalCorrupt, match="record 2"):
        Exchange(config, tmp_path)


def test_storage_of_another_configuration_is_refused(tmp_path: Path) -> None:
    """Another seed is another market: its commands mean something else."""
    Exchange(load_config(write_config(tmp_path)), tmp_path).close()

    with pytest.raises(ConfigurationError, match="another configuration"):
        Exchange(load_config(write_config(tmp_path, a_config(seed=8))), tmp_path)


def ten_sessions(folder: Path) -> tuple[Exchange, float]:
    """Trade a little through every session; return the exchange, and the seconds its replay took."""
    config = load_config(write_config(folder))
    exchange = Exchange(config, folder)
    sessions = [s for s in config.table.sessions[:-1] if s.day >= config.first_session]
    for session in sessions:
        for minute in range(int((session.close - session.open).total_seconds()) // 60 + 1):
            exchange.advance(to_instant(session.open + timedelta(minutes=minute)))
            if minute % 30 == 0:
                exchange.submit(market("SPY", "0.25", "sell" if minute % 60 else "buy"))
    exchange.close()
    began = time.perf_counter()
    again = Exchange(config, folder)
    took = time.perf_counter() - began
    again.close()
    return again, took


def everything(exchange: Exchange) -> str:
    """Return the whole state as text."""
    engine = exchange.engine
    orders = [order_json(engine, order, nested=True) for order in engine.book.registry.orders.values()]
    log = [log_json(event) for event in engine.book.events]
    return json.dumps([account_json(engine), orders, log, engine.closes])


def test_the_same_commands_lead_to_the_same_bytes_and_are_replayed_quickly(tmp_path: Path) -> None:
    """Six sessions of 390 advances, twice from the start: equal files, equal states, replayed in 2 s."""
    first, took = ten_sessions(tmp_path / "one")
    second, _ = ten_sessions(tmp_path / "two")

    assert (tmp_path / "one/commands.jsonl").read_bytes() == (tmp_path / "two/commands.jsonl").read_bytes()
    assert everything(first) == everything(second)
    assert len(first.engine.book.fills) > 70
    assert took < 2


def test_only_one_exchange_runs_in_a_home_and_it_is_found_there(tmp_path: Path) -> None:
    """A second one ends with exit code 3 and one line; the first is not disturbed."""
    with running_exchange(tmp_path) as exchange:
        with pytest.raises(UsageError, match="another exchange runs in"):
            start(tmp_path / "exchange", tmp_path / "exchange-config.json")
        found = attach(tmp_path / "exchange")

        assert found == exchange

    assert attach(tmp_path / "exchange") is None
    assert not (tmp_path / "exchange/exchange.json").exists()


def test_a_port_in_use_is_one_line_and_exit_code_3(tmp_path: Path) -> None:
    """The line names the ports and the remedy."""
    config = write_config(tmp_path)
    with running_exchange(tmp_path) as exchange:
        port = exchange.url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "pipeline.exchange", "--home", str(tmp_path / "second")]
        ended = subprocess.run(
            [*command, "--config", str(config), "--port", port],
            check=False,
            capture_output=True,
            text=True,
            timeout=20,
        )

    assert ended.returncode == 3
    assert ended.stderr.count("\n") == 1
    assert port in ended.stderr


def test_a_configuration_that_cannot_be_used_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    """The error of the process arrives in the caller's."""
    with pytest.raises(ConfigurationError, match=r"exchange\.sede.*did you mean 'seed'"):
        start(tmp_path / "home", write_config(tmp_path, a_config() | {"sede": 1}))


PARENT = """
import os, signal, sys
from pathlib import Path
from pipeline.exchange.process import start
print(start(Path(sys.argv[1]), Path(sys.argv[2])).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_an_exchange_does_not_outlive_its_parent(tmp_path: Path) -> None:
    """kill -9 of whoever started it: nothing is left running."""
    home, config = tmp_path / "home", write_config(tmp_path)
    command = [sys.executable, "-c", PARENT, str(home), str(config)]
    parent = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    deadline = time.monotonic() + 5
    while (home / "exchange.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)

    assert parent.stdout.strip().isdigit()
    assert not (home / "exchange.json").exists()
