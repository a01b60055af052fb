"""Steps of the session itself: at the open, every hour, at the close."""

from __future__ import annotations

from pipeline.domain.journal import Kind
from pipeline.domain.ladder import Health, assess
from pipeline.domain.money import fraction_decimal, money_decimal
from pipeline.domain.portfolio import gross_exposure
from pipeline.domain.rules.limits import fraction
from pipeline.domain.trading_state import TradingState
from pipeline.errors import DataUnavailable
from pipeline.operations.desk import Desk
from pipeline.operations.emergency import cancel_open
from pipeline.operations.observing import observe_bars
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.finding import Finding, fail, ok, warn
from pipeline.operations.reconciliation import reconcile


def enable_trading(desk: Desk, run: Pass) -> Finding:
    """Allow entries, after GO only."""
    ledger = desk.journal.read()
    if not ledger.go:
        told = "pre-market said NO-GO" if ledger.go is False else "pre-market has not said GO"
        return fail(f"trading stays disabled: {told}")
    if ledger.state.state.latched:
        return fail(f"trading stays disabled: {ledger.state.state.name}, {ledger.state.reason}")
    _enable(desk, run, True, "GO")
    return ok("entries are allowed until the close")


def confirm_data_flowing(desk: Desk, run: Pass) -> Finding:
    """Quotes of every symbol arrive."""
    try:
        quotes = desk.data.fetch_quotes(desk.symbols)
    except DataUnavailable as error:
        return fail(str(error))
    missing = [symbol for symbol in desk.symbols if symbol not in quotes]
    if missing:
        return warn(f"no quote of {', '.join(missing[:5])}: they trade when data is there")
    return ok(f"{len(quotes)} symbols are quoted")


def validate_first_signals(desk: Desk, run: Pass) -> Finding:
    """Every strategy can be asked on the bars that are there."""
    try:
        market = observe_bars(desk, run.session, run.session.open)
    except DataUnavailable as error:
        return warn(str(error))
    wishes = [
        strategy.decide(bars[-strategy.lookback :])
        for strategy in desk.strategies
        for bars in (market.bars[symbol] for symbol in desk.symbols)
        if len(bars) >= strategy.lookback
    ]
    asked, possible = len(wishes), len(desk.strategies) * len(desk.symbols)
    if asked < possible:
        return warn(f"{asked} of {possible} signals can be computed yet: too few bars")
    return ok(f"{asked} signals computed, {sum(wish.direction != 0 for wish in wishes)} want to trade")


def check_position_status(desk: Desk, run: Pass) -> Finding:
    """Ledger and broker agree on orders, fills, positions and cash."""
    found = reconcile(desk, run.procedure, moment(desk, run))
    if found:
        then = "trading is halted" if any(one.halts for one in found) else "the symbols are locked"
        return fail(f"{len(found)} discrepancies; {found[0].kind} {found[0].symbol}: {then}")
    ledger = desk.journal.read()
    return ok(
        f"ledger equals broker: {len(ledger.positions)} positions, {len(ledger.open_lives)} open orders"
    )


def monitor_pnl(desk: Desk, run: Pass) -> Finding:
    """Today's profit or loss against its limit."""
    ledger = desk.journal.read()
    if ledger.baseline is None or ledger.snapshot is None:
        return warn("no equity has been seen yet today")
    base, equity = ledger.baseline.day_equity, ledger.snapshot.equity
    change = equity - base
    limit = desk.limits.ladder.reducing_daily_loss
    percent = fraction_decimal(change * 1_000_000 // base) * 100
    allowed = f" of −{fraction_decimal(limit) * 100:.2f} %" if limit else ""
    return ok(f"{money_decimal(change):+.2f} ({percent:+.2f} %{allowed})")


def validate_risk_metrics(desk: Desk, run: Pass) -> Finding:
    """The state in force is the one that equity asks for, and exposure is within its limit."""
    ledger = desk.journal.read()
    if ledger.baseline is None or ledger.snapshot is None:
        return warn("no equity has been seen yet today")
    asked = assess(Health(ledger.snapshot.equity, ledger.baseline), desk.limits.ladder)
    if asked.state > ledger.state.state:
        return fail(
            f"equity asks for {asked.state.name} ({asked.reason}), in force is {ledger.state.state.name}"
        )
    prices = {
        symbol: ledger.snapshot.prices.get(symbol, held.average_price)
        for symbol, held in ledger.positions.items()
    }
    used = fraction(gross_exposure(ledger.positions, prices), ledger.snapshot.equity)
    shown = (
        f"{fraction_decimal(used) * 100:.2f} % of {fraction_decimal(desk.limits.max_exposure) * 100:.2f} %"
    )
    return ok(f"{ledger.state.state.name}, exposure {shown}")


def check_system_performance(desk: Desk, run: Pass) -> Finding:
    """Every tick that was due has been done."""
    ledger = desk.journal.read()
    due = [key for key in ledger.planned if key[0] == "intraday-tick" and key[1] < run.instant]
    missing = [key for key in due if ledger.runs.get(key) != "completed"]
    if missing:
        return warn(
            f"{len(missing)} of {len(due)} ticks due were not done, the last at {missing[-1][1]:%H:%M}Z"
        )
    return ok(f"{len(due)} of {len(due)} ticks done", ticks=len(due))


def disable_new_positions(desk: Desk, run: Pass) -> Finding:
    """No entries from here on; orders still open are cancelled: none may outlive the session."""
    _enable(desk, run, False, "close")
    cancelled, failed = cancel_open(desk, "the session is over", moment(desk, run))
    text = f"entries are disabled, {cancelled} open intents cancelled"
    return warn(f"{text}, {failed} unconfirmed: every later pass asks again") if failed else ok(text)


def review_daily_performance(desk: Desk, run: Pass) -> Finding:
    """The session in one sentence."""
    ledger = desk.journal.read()
    fills = [fill for fill in ledger.fills.values() if run.session.open <= fill.at <= run.session.close]
    pnl = monitor_pnl(desk, run)
    text = f"{pnl.evidence}; {len(fills)} fills, {len(ledger.positions)} positions held over night"
    return ok(text) if ledger.state.state is TradingState.NORMAL else warn(f"{text}; {ledger.state.reason}")


def _enable(desk: Desk, run: Pass, entries: bool, reason: str) -> None:
    data = {
        "day": run.session.day.isoformat(),
        "go": desk.journal.read().go,
        "entries": entries,
        "reason": reason,
    }
    desk.journal.append(Kind.ENABLED, data, moment(desk, run))
