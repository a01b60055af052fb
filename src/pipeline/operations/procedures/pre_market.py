"""Steps before the open: is everything there that a session needs? Together they say GO or NO-GO."""

from __future__ import annotations

import shutil

from pipeline.domain.money import fraction_decimal
from pipeline.domain.portfolio import gross_exposure
from pipeline.domain.rules.limits import fraction
from pipeline.domain.rules.sizing import share
from pipeline.errors import DataInvalid, DataUnavailable, StoreUnavailable
from pipeline.operations.desk import Desk
from pipeline.operations.observing import instruments, longest_lookback, observe_bars, watched
from pipeline.operations.passes import Pass, moment
from pipeline.operations.procedures.finding import Finding, fail, ok, warn
from pipeline.operations.reconciliation import reconcile

MIN_FREE_BYTES = 500_000_000
_MAX_SKEW_SECONDS = 5.0
_WARN_SKEW_SECONDS = 2.0
_ALARMING = ("halt", "bankrupt", "fraud", "delist", "merger", "acquisition", "earnings", "guidance", "recall")


def verify_account(desk: Desk, run: Pass) -> Finding:
    """The account is of the configured kind, and may trade."""
    account = desk.broker.fetch_account()
    expected = "live" if desk.mode == "live" else "paper"
    if account.mode != expected:
        return fail(f"configured for {expected}, but account {account.number} is {account.mode}")
    if desk.armed_account and account.number != desk.armed_account:
        return fail(f"real money is armed for account {desk.armed_account}, this is {account.number}")
    if desk.armed_until is not None and run.session.day > desk.armed_until:
        return fail(
            f"real money was armed until {desk.armed_until}: review, then set live_arming.valid_until"
        )
    if account.blocked:
        why = account.restriction or "for no reason it tells"
        return fail(f"account {account.number} is blocked by {desk.broker.name}: {why}")
    return ok(f"{account.mode} account {account.number} at {desk.broker.name} may trade")


def check_clock_skew(desk: Desk, run: Pass) -> Finding:
    """Our clock and the broker's agree, and both agree that this is a session."""
    theirs = desk.broker.fetch_clock()
    skew = abs((desk.clock.now() - theirs.now).total_seconds())
    if skew > _MAX_SKEW_SECONDS:
        return fail(f"our clock differs from the broker's by {skew:.1f} s (limit {_MAX_SKEW_SECONDS:.0f} s)")
    if not theirs.is_open and abs((theirs.next_open - run.session.open).total_seconds()) > 1:
        wanted, told = run.session.open.isoformat(), theirs.next_open.isoformat()
        return fail(f"our calendar opens at {wanted}, the broker's at {told}")
    if skew > _WARN_SKEW_SECONDS:
        return warn(f"our clock differs from the broker's by {skew:.1f} s")
    return ok(f"clocks agree within {skew:.1f} s; the session opens at {run.session.open:%H:%M}Z")


def startup_reconciliation(desk: Desk, run: Pass) -> Finding:
    """Ledger and broker agree before anything is decided."""
    found = reconcile(desk, run.procedure, moment(desk, run))
    if found:
        first = found[0]
        named = f"{first.kind} {first.symbol}".strip()
        return fail(f"{len(found)} discrepancies; {named}: ledger {first.ledger}, broker {first.broker}")
    ledger = desk.journal.read()
    return ok(f"ledger equals broker: {len(ledger.positions)} positions, cash to the cent")


def check_system_health(desk: Desk, run: Pass) -> Finding:
    """Disk, journal and store are in working order."""
    free = shutil.disk_usage(desk.home).free
    if free < MIN_FREE_BYTES:
        return fail(f"{free // 1_000_000} MB free in {desk.home.name}, {MIN_FREE_BYTES // 1_000_000} needed")
    records = desk.journal.read().seq
    try:
        behind = records - desk.store.projected()
    except StoreUnavailable as error:
        return warn(f"the store does not open ({error.reason}); the journal goes on, reports lag")
    text = f"journal verified, {records} records, the store {behind} behind; {free // 10**9} GB free"
    return ok(text, records=records, behind=behind)


def validate_data_feeds(desk: Desk, run: Pass) -> Finding:
    """Bars of the last sessions arrive for every symbol, as the schema wants them, enough to look back on."""
    needed = longest_lookback(desk)
    try:
        market = observe_bars(desk, run.session, run.session.open)
    except (DataUnavailable, DataInvalid) as error:
        return fail(str(error))
    flaws = [flaw for flaws in market.flaws.values() for flaw in flaws]
    flaws += desk.inspector.inspect(market.bars, desk.timeframe.length)
    wrong = sorted({flaw.symbol for flaw in flaws} & set(desk.symbols))
    if wrong:
        told = f"bad data of {', '.join(wrong[:5])}, first: {flaws[0].detail}"
        everything = len(wrong) == len(desk.symbols)
        return fail(told) if everything else warn(f"{told}; no entries in them until it is good again")
    short = [symbol for symbol in desk.symbols if len(market.bars[symbol]) < needed]
    if short:
        shown = ", ".join(f"{symbol} {len(market.bars[symbol])}" for symbol in short[:5])
        return warn(f"bars before the open: {shown}; {needed} needed, so no signal until they are there")
    return ok(f"{len(desk.symbols)} symbols have at least {needed} complete bars before the open")


def review_overnight_news(desk: Desk, run: Pass) -> Finding:
    """Headlines since the last close; a word of alarm asks for a person's eyes."""
    since = desk.sessions.before(run.session.day).close
    try:
        headlines = desk.data.fetch_headlines(desk.symbols, since)
    except DataUnavailable as error:
        return warn(f"no news: {error.reason}")
    alarming = [line for line in headlines if any(word in line.title.lower() for word in _ALARMING)]
    if alarming:
        return warn(f"{len(alarming)} of {len(headlines)} headlines alarm: {alarming[0].title[:120]}")
    return ok(f"{len(headlines)} headlines since the last close, none alarming", headlines=len(headlines))


def check_position_limits(desk: Desk, run: Pass) -> Finding:
    """What is held over night is within today's limits."""
    ledger = desk.journal.read()
    account = desk.broker.fetch_account()
    quotes = {held.symbol: held.price for held in desk.broker.fetch_positions()}
    prices = {symbol: quotes.get(symbol, held.average_price) for symbol, held in ledger.positions.items()}
    exposure = gross_exposure(ledger.positions, prices)
    used, limit = fraction(exposure, account.equity), desk.limits.max_exposure
    count = len(ledger.positions)
    shown = (
        f"{count} of {desk.limits.max_positions} positions, exposure {_percent(used)} of {_percent(limit)}"
    )
    within = count <= desk.limits.max_positions and exposure <= share(account.equity, limit)
    return ok(shown) if within else warn(f"over a limit, so no entries until it is reduced: {shown}")


def validate_risk_controls(desk: Desk, run: Pass) -> Finding:
    """The ladder rises, the baselines are there, and symbols may be traded; who may not is named."""
    ladder = desk.limits.ladder
    rungs = (
        (
            ladder.cautious_drawdown,
            ladder.reducing_drawdown,
            ladder.halted_drawdown,
            ladder.liquidating_drawdown,
        ),
        (ladder.cautious_daily_loss, ladder.reducing_daily_loss, ladder.halted_daily_loss),
    )
    for rung in rungs:
        set_ones = [limit for limit in rung if limit is not None]
        if set_ones != sorted(set_ones):
            return fail(f"the ladder does not rise: {', '.join(_percent(limit) for limit in set_ones)}")
    baseline = desk.journal.read().baseline
    if baseline is None or baseline.day != run.session.day:
        return fail("no baseline for today: losses could not be measured; run plan-session")
    known = instruments(desk)
    barred = [symbol for symbol in watched(desk) if symbol not in known or not known[symbol].tradable]
    if barred:
        told = f"the broker does not trade {', '.join(barred)}: check data.symbols"
        return fail(told) if set(desk.symbols) <= set(barred) else warn(f"{told}; the others are traded")
    return ok("the ladder rises, the day's baseline is set, every symbol may be traded")


def _percent(ppm: int) -> str:
    return f"{fraction_decimal(ppm) * 100:.2f} %"
