"""A whole session as a report value: 390 ticks of two symbols, with numbers a desk would see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import pi, sin

from pipeline.domain.market import Timeframe
from pipeline.domain.money import to_money, to_price, to_qty
from pipeline.domain.orders import Purpose, Side
from pipeline.domain.pnl import Explained, Explanation
from pipeline.domain.reports import (
    Bound,
    CheckLine,
    Choice,
    DataQuality,
    EquityPoint,
    Event,
    Funnel,
    Health,
    Holding,
    Mismatch,
    Profit,
    Reconciliation,
    Refusal,
    RiskBar,
    RunLine,
    Scope,
    SessionReport,
    Trade,
)
from pipeline.domain.session import Session

OPEN = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
CLOSE = datetime(2013, 10, 7, 20, 0, tzinfo=UTC)
SCOPE = Scope(
    Session(date(2013, 10, 7), OPEN, CLOSE),
    "SIM",
    "rehearsal",
    ("SPY", "QQQ"),
    Timeframe.ONE_MINUTE,
    "9f31c2ab77d0e6",
)
TOMORROW = Session(date(2013, 10, 8), OPEN + timedelta(days=1), CLOSE + timedelta(days=1))


def at(minute: float) -> datetime:
    """Return the instant that many minutes after the open."""
    return OPEN + timedelta(minutes=minute)


_PRICES = {
    "SPY": (
        (0, 168.30),
        (12, 168.46),
        (95, 166.60),
        (173, 167.01),
        (240, 167.86),
        (318, 168.90),
        (390, 168.43),
    ),
    "QQQ": ((0, 79.10), (40, 79.33), (118, 78.70), (201, 80.11), (390, 80.30)),
}
_HELD = {  # symbol: (first minute, last minute, shares, price paid)
    "SPY": ((12, 173, 1.187, 168.46), (240, 391, 1.191, 167.86)),
    "QQQ": ((40, 201, 2.521, 79.33),),
}


def _price(symbol: str, minute: int) -> float:
    """Return a price that passes exactly through the anchors and wobbles between them."""
    anchors = _PRICES[symbol]
    (m0, p0), (m1, p1) = next(pair for pair in pairwise(anchors) if minute <= pair[1][0])
    share = (minute - m0) / (m1 - m0)
    wobble = 0.22 * sin(minute / 4.1) + 0.16 * sin(minute / 1.7) + 0.12 * sin(minute / 11)
    return p0 + (p1 - p0) * share + wobble * sin(pi * share)


def a_curve() -> tuple[EquityPoint, ...]:
    """Return equity from 10,000.00 to 10,000.90: the trades below at the prices above, less fees."""
    points, peak = [], 10_000.0
    for minute in range(391):
        equity = 10_000.0 - 0.02 * (minute >= 12)
        for symbol, spans in _HELD.items():
            for first, last, shares, paid in spans:
                if minute >= first:
                    equity += shares * (_price(symbol, min(minute, last, 390)) - paid)
        peak = max(peak, equity)
        points.append(
            EquityPoint(at(minute), to_money(f"{equity:.2f}"), round((peak - equity) / peak * 1_000_000))
        )
    return tuple(points)


def a_trade(
    minute: float, symbol: str, side: Side, numbers: tuple[str, str, str, str, int], **more: object
) -> Trade:
    """Return a trade from quantity, arrival, price, slippage and its ppm."""
    quantity, arrival, price, slippage, ppm = numbers
    purpose = Purpose.ENTRY if side is Side.BUY else Purpose.EXIT
    trade = Trade(
        at(minute), symbol, side, purpose, to_qty(quantity), to_qty(quantity), to_price(arrival),
        to_price(price), to_money(slippage), ppm, 0, 1,
    )  # fmt: skip
    return replace(trade, **more)  # type: ignore[arg-type]


TRADES = (
    a_trade(12.05, "SPY", Side.BUY, ("1.187", "168.44", "168.46", "0.02374", 119)),
    a_trade(40.05, "QQQ", Side.BUY, ("2.521", "79.31", "79.33", "0.05042", 252), fills=2),
    a_trade(
        173.04, "SPY", Side.SELL, ("1.187", "167.02", "167.01", "0.01187", 60), realized=to_money("-1.7212")
    ),
    a_trade(
        201.02,
        "QQQ",
        Side.SELL,
        ("2.521", "80.12", "80.11", "0.02521", 125),
        realized=to_money("1.9664"),
        purpose=Purpose.STOP,
    ),
    a_trade(240.05, "SPY", Side.BUY, ("1.191", "167.85", "167.86", "0.01191", 60), asked=to_qty("1.3")),
)
CHOICES = (
    Choice(
        at(12), "SPY", Side.BUY, Purpose.ENTRY, to_qty("1.187"),
        "10-bar average 168.41 crossed above 30-bar average 168.22 by 0.11 %, threshold 0.10 %", "filled", "",
    ),
    Choice(
        at(40), "QQQ", Side.BUY, Purpose.ENTRY, to_qty("2.521"),
        "10-bar average 79.28 crossed above 30-bar average 79.19 by 0.12 %, threshold 0.10 %", "filled", "",
    ),
    Choice(
        at(173), "SPY", Side.SELL, Purpose.EXIT, to_qty("1.187"),
        "10-bar average 167.10 crossed below 30-bar average 167.31", "filled", "",
    ),
    Choice(
        at(201), "QQQ", Side.SELL, Purpose.STOP, to_qty("2.521"), "last 80.12 is at the stop", "filled", "",
    ),
    Choice(
        at(240), "SPY", Side.BUY, Purpose.ENTRY, to_qty("1.3"),
        "10-bar average 167.80 crossed above 30-bar average 167.59 by 0.13 %, threshold 0.10 %", "cancelled",
        "timeout: 300 s", "buying_power",
    ),
)  # fmt: skip
RUNS = (
    RunLine("plan-session", 1, 1, 0, 0, 0, 0, 12, 12),
    RunLine("pre-market", 1, 1, 0, 0, 0, 0, 31, 31),
    RunLine("market-open", 1, 1, 0, 0, 0, 0, 28, 28),
    RunLine("intraday-tick", 390, 390, 0, 0, 0, 0, 41, 1_240),
    RunLine("risk-monitor", 780, 780, 0, 0, 0, 0, 18, 560),
    RunLine("intraday-check", 6, 6, 0, 0, 0, 0, 35, 44),
    RunLine("market-close", 1, 1, 0, 0, 0, 0, 22, 22),
    RunLine("post-market", 1, 1, 0, 0, 0, 0, 25, 25),
)
CHECKS = (
    CheckLine("pre-market", "check_system_health", "ok", "disk 212 GB free, clock 0.02 s off the broker's"),
    CheckLine("pre-market", "validate_data_feeds", "ok", "2 of 2 symbols answered in 84 ms"),
    CheckLine("pre-market", "review_overnight_news", "skipped", "the rehearsal exchange has no news"),
    CheckLine("pre-market", "check_position_limits", "ok", "0 of 3 positions, 0.00 % of 6.00 % exposure"),
    CheckLine("pre-market", "validate_risk_controls", "ok", "a halt was journalled and released in 1.1 ms"),
    CheckLine("market-close", "disable_new_positions", "ok", "entries off from 15:30:00 ET"),
    CheckLine("post-market", "reconcile_positions", "ok", "1 position and cash equal to the cent"),
)


def a_session() -> SessionReport:
    """Return a day without an incident."""
    curve = a_curve()
    equities = [point.equity for point in curve]
    deepest = max(point.drawdown_ppm for point in curve)
    start = to_money(10_000)
    return SessionReport(
        scope=SCOPE,
        as_of=at(450),
        state="NORMAL",
        go=True,
        strategies=("momentum",),
        profit=Profit(
            start, to_money("10000.90"), 0, to_money("0.9041"), 90, min(equities), max(equities), deepest,
            to_money("0.2452"), to_money("0.02"), to_money("1001.8342"), to_money("0.12315"),
        ),
        curve=curve,
        holdings=(
            Holding(
                "SPY", to_qty("1.191"), to_price("167.86"), to_price("168.43"), to_money("200.60013"),
                to_money("0.67887"), 20_035, to_price("165.3421"),
            ),
        ),
        trades=TRADES,
        choices=CHOICES,
        refusals=(
            Refusal("QQQ", Side.BUY, "session_window", 4, at(371), at(388), "1,800 s", "1,140 s"),
            Refusal("SPY", Side.BUY, "price_sane", 1, at(96), at(96), "2.00 %", "2.41 %"),
        ),
        funnel=Funnel(390, 14, 10, 5, 5, 5, 5, 0),
        risk=(
            RiskBar("Daily loss", 298, 50_000, marks=(("cautious", 20_000), ("reducing", 30_000))),
            RiskBar("Drawdown", deepest, 100_000, marks=(("cautious", 50_000), ("reducing", 80_000))),
            RiskBar("Monthly loss", 0, 80_000),
            RiskBar("Gross exposure", 40_012, 60_000, bound=Bound.CAP),
            RiskBar("Open positions", 2, 3, "count", Bound.CAP),
            RiskBar("Cash", 959_988, 100_000, bound=Bound.FLOOR),
            RiskBar("Orders sent", 5, 1_000, "count", Bound.CAP),
        ),
        reconciliation=Reconciliation(14, True, at(450)),
        data=(
            DataQuality("SPY", 390, 390, 0, None),
            DataQuality("QQQ", 390, 390, 0, None),
        ),
        health=Health(RUNS, CHECKS, (("session", 1_181),), (("info", 5), ("notice", 2)), 0, 0),
        states=(),
        incidents=(),
        locks=(),
        tomorrow=TOMORROW,
        explained=Explanation(
            to_money("10000.90"), to_money("0.9041"),
            Explained(to_money("0.2452"), to_money("0.6789"), 0, 0, to_money("-0.02"), 0, 0), 0, 0,
        ),
    )  # fmt: skip


def a_quiet_session() -> SessionReport:
    """Return a day on which nothing crossed: no trade, no position, a flat line."""
    whole = a_session()
    start = to_money(10_000)
    assert whole.profit is not None
    return replace(
        whole,
        profit=Profit(start, start, 0, 0, 0, start, start, 0, 0, 0, 0, 0),
        curve=tuple(EquityPoint(point.at, start, 0) for point in whole.curve),
        holdings=(), trades=(), choices=(), refusals=(),
        funnel=Funnel(390, 0, 0, 0, 0, 0, 0, 0),
        risk=tuple(replace(bar, worst=1_000_000 if bar.name == "Cash" else 0) for bar in whole.risk),
    )  # fmt: skip


def a_halted_session() -> SessionReport:
    """Return a day that lost 5.12 % by 11:02, was halted, missed ticks and did not reconcile."""
    whole = a_session()
    assert whole.profit is not None
    curve = tuple(
        EquityPoint(at(m), to_money(round(10_000 - 5.565 * m, 2)), round(556.5 * m)) for m in range(93)
    )
    lost = curve[-1].equity - to_money(10_000)
    return replace(
        whole,
        scope=replace(SCOPE, mode="PAPER"),
        state="HALTED",
        profit=replace(
            whole.profit, close_equity=curve[-1].equity, pnl=lost, pnl_ppm=lost // 10_000,
            low_equity=curve[-1].equity, drawdown_ppm=-lost // 10_000, realized=0,
            turnover=to_money("399.9531"), slippage=to_money("0.07416"),
        ),
        curve=curve,
        trades=TRADES[:2],
        choices=CHOICES[:2],
        refusals=(),
        funnel=Funnel(92, 4, 2, 0, 2, 2, 2, 0),
        risk=(
            replace(whole.risk[0], worst=-lost // 10_000),
            replace(whole.risk[1], worst=-lost // 10_000),
            *whole.risk[2:],
        ),
        reconciliation=Reconciliation(
            3, False, at(93),
            (Mismatch(at(93), "position", "SPY", "1.191", "0", "sold by no intent of ours"),),
        ),
        data=(DataQuality("SPY", 390, 381, 7, at(61)), *whole.data[1:]),
        health=replace(
            whole.health,
            runs=(
                *whole.health.runs[:3],
                RunLine("intraday-tick", 390, 92, 296, 1, 1, 2, 44, 61_000),
                *whole.health.runs[4:],
            ),
            checks=(
                *whole.health.checks,
                CheckLine("post-market", "reconcile_positions", "fail", "SPY: 1.191 against 0"),
            ),
            undelivered=1,
        ),
        states=(
            Event(at(36), "CAUTIOUS", "daily loss 2.00 % of 2.00 % (risk-monitor)", "warning"),
            Event(at(54), "REDUCING", "daily loss 3.01 % of 3.00 % (risk-monitor)", "warning"),
            Event(at(92), "HALTED", "daily loss 5.12 % of 5.00 % (risk-monitor)", "critical"),
        ),
        incidents=(
            Event(at(40), "the broker was silent", "3 calls in a row without an answer", "warning",
                  "answered again 10:11:30 ET, after 1 min 30 s"),
            Event(at(92), "trading HALTED", "daily loss 5.12 % of 5.00 % (risk-monitor)", "critical"),
            Event(at(93), "ledger and broker differed", "position SPY: ledger 1.191, broker 0", "critical"),
        ),
        locks=(("SPY", "position of 0 at the broker that we did not make"),),
        tomorrow=None,
    )  # fmt: skip
