"""Six real sessions of SPY, AIG, BAC and IBM, holes included, through exchange and desk without Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.journal import Kind
from pipeline.domain.market import Timeframe
from pipeline.domain.session import Session
from pipeline.wiring.rehearsal import recorded_days
from tests.e2e.market import minute_bars
from tests.operations.desks import Rehearsal, overlay, rehearsal

pytestmark = pytest.mark.slow

DAYS = tuple(date(2013, 10, day) for day in (4, 7, 8, 9, 10, 11))
SYMBOLS = ("AIG", "BAC", "IBM", "SPY")


def trading_on(timeframe: str, monitor_seconds: int, threshold: float) -> dict[str, Any]:
    """Return the seed's strategy with a threshold that trades; a monitor pass would fall on a tick."""
    params = {"fast_period": 12, "slow_period": 28, "signal_threshold": threshold}
    return overlay() | {
        "strategies": [{"type": "momentum", "name": "Live_Momentum", "params": params, "allocation": 1.0}],
        "data": {"timeframe": timeframe, "symbols": list(SYMBOLS)},
        "monitoring": {"risk_monitoring": {"check_frequency_seconds": monitor_seconds}},
    }


def recorded(folder: Path, configured: dict[str, Any], first: date) -> Any:
    """Run a desk on the recorded market, standing before the open of ``first``."""
    from_file = ("rehearsal.market=file", f"rehearsal.file={minute_bars()}", "rehearsal.symbols={}")
    return rehearsal(folder, configured, first, from_file)


@pytest.fixture(scope="module")
def fives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """Five-minute bars, six sessions."""
    with recorded(tmp_path_factory.mktemp("5m"), trading_on("5m", 300, 0.0005), DAYS[0]) as desk:
        yield desk


def trade(desk: Rehearsal, day: date) -> Session:
    """Carry out everything that is planned for a session, in order."""
    session = desk.desk.sessions.on(day)
    assert session is not None
    desk.run("plan-session", session.open - timedelta(minutes=150))
    for name, instant in desk.ledger.planned:
        if name != "plan-session":
            summary = desk.run(name, instant)
            assert "skipped" not in summary, summary
    return session


def assert_books_are_equal(desk: Rehearsal) -> None:
    """Ledger equals broker: cash to the cent, every position to the last billionth of a share."""
    theirs = {held.symbol: held.quantity for held in desk.desk.broker.fetch_positions()}
    ours = {symbol: held.quantity for symbol, held in desk.ledger.positions.items()}
    cash = desk.ledger.cash

    assert cash is not None
    assert abs(cash - desk.desk.broker.fetch_account().cash) < 10_000
    assert ours == theirs
    assert desk.ledger.clean
    assert desk.ledger.open_lives == ()


def test_the_recorded_market_is_what_it_should_be() -> None:
    """Six sessions of four symbols."""
    assert recorded_days(minute_bars()) == (SYMBOLS, DAYS)


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_a_real_session_on_five_minute_bars_ends_with_equal_books(fives: Rehearsal, day: date) -> None:
    """The sessions follow each other on one account; each leaves its books equal, its runs done, a report."""
    session = trade(fives, day)
    fills = [fill for fill in fives.ledger.fills.values() if session.is_open(fill.at)]
    done = [fives.ledger.runs.get(run) for run in fives.ledger.planned]

    assert_books_are_equal(fives)
    assert set(done) == {"completed"}
    assert len(done) == 78 + 6 + 6
    assert (fives.home / "reports" / f"{day}.html").is_file()
    assert len(fills) > 0 or day == DAYS[0]


def test_every_order_of_the_six_sessions_was_sent_once(fives: Rehearsal) -> None:
    """One intent, one order: in the exchange's own log."""
    sent = [life.intent.id for life in fives.ledger.lives.values() if life.sends]

    assert len(sent) >= 12
    assert fives.received() == dict.fromkeys(sent, 1)


def test_a_session_on_one_minute_bars_trades_through_the_holes(tmp_path: Path) -> None:
    """2013-10-07: 390 ticks. Where a symbol has no bar it says nothing; the others go on."""
    with recorded(tmp_path, trading_on("1m", 60, 0.0003), DAYS[1]) as desk:
        session = trade(desk, DAYS[1])
        bars = desk.desk.data.fetch_bars(SYMBOLS, Timeframe.ONE_MINUTE, session.open, session.close)
        asked = [int(record.data["asked"]) for record in desk.records(Kind.TICK)]
        symbols = {fill.symbol for fill in desk.ledger.fills.values()}

        assert_books_are_equal(desk)
        assert len(asked) == 390
        assert sum(len(held) for held in bars.values()) < 4 * 390
        assert min(asked[40:]) < max(asked) == 4
        assert len(symbols) >= 3
