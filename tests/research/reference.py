"""A second simulator, written from DESIGN §5 and §6 alone: short, slow, plain. It imports nothing of ours.

It knows what the comparison needs: moving averages that cross, market orders, one pass a bar. Conventions
that the design leaves open and that are stated here: prices count 1e-4, shares 1e-9, money 1e-6; what we may
take is rounded down, what we pay up, a value half away from zero; a cancel is known at the next bar.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

NORMAL, CAUTIOUS, REDUCING, HALTED, LIQUIDATING = range(5)
Trade = tuple[int, str, str, int, int]
"""Second, symbol, "buy" or "sell", shares (1e-9), price (1e-4)."""


@dataclass(frozen=True)
class Rules:
    """One configuration. Fractions are fractions of equity or price; money in 1e-6."""

    fast: int
    slow: int
    threshold: Fraction
    cash: int
    size: Fraction
    positions: int
    exposure: Fraction
    min_cash: Fraction
    stop: Fraction
    flatten: int
    timeout: int
    cost: Fraction
    per_share: int
    sell_fee: Fraction
    participation: Fraction
    halted_drawdown: Fraction = Fraction(1, 10)


@dataclass
class Order:
    """What is at the exchange. ``gone``: cancelled, which the desk learns at the next bar."""

    symbol: str
    buys: bool
    left: int
    sent: int
    unknown: int
    gone: bool = False


@dataclass
class Holding:
    """Shares and what they cost."""

    shares: int
    cost: int


@dataclass
class Desk:
    """Everything that changes."""

    cash: int
    truth: dict[str, int] = field(default_factory=dict)
    books: dict[str, Holding] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    told: int = 0
    state: int = NORMAL


Bar = tuple[int, int, int]
"""Open, close, volume."""


def money_of(price: int, shares: int) -> int:
    """Value of shares, half away from zero; never negative in here."""
    return floor(Fraction(price * shares, 10**7) + Fraction(1, 2))


def run(
    rules: Rules,
    sessions: Sequence[tuple[str, int, int, Sequence[int]]],
    traded: Mapping[str, Mapping[int, Bar]],
    seen: Mapping[str, Mapping[int, Bar]],
    spans: tuple[int, int],
) -> tuple[list[Trade], list[tuple[int, int, int]]]:
    """Return every execution, and (second, equity, state) at each bar.

    Args:
        sessions: (month, open, close, instants of bars' ends), oldest first.
        traded, seen: bars that fill orders, and bars that signals see, by their first second; those before
            the first session warm the averages up.
        spans: seconds of a traded and of a seen bar.
    """
    desk, curve = Desk(rules.cash), []
    starts = {symbol: sorted(bars) for symbol, bars in traded.items()}
    begin = sessions[0][1] - spans[1]
    closes = {s: [bars[at][1] for at in sorted(bars) if at <= begin] for s, bars in seen.items()}
    ends: dict[str, int] = {}
    last = peak = month_base = rules.cash
    month, before = "", 0
    for this_month, opened, closed, instants in sessions:
        day_base = last
        if month and this_month != month:
            month_base = last
        month, peak = this_month, max(peak, last)
        for now in instants:
            fill(desk, rules, traded, (max(before, opened), min(now, closed)))
            before = now
            if now >= closed:
                for order in desk.orders:
                    order.gone = True
            learn(desk)
            for symbol, bars in seen.items():
                if now - spans[1] in bars:
                    closes[symbol].append(bars[now - spans[1]][1])
                    ends[symbol] = now
            mark = {symbol: price_at(traded[symbol], starts[symbol], now, spans[0]) for symbol in traded}
            equity = desk.cash + sum(money_of(mark[s], n) for s, n in desk.truth.items())
            climb(desk, rules, equity, (day_base, month_base, peak))
            drop_old_orders(desk, rules, now)
            if desk.state == LIQUIDATING and not desk.books and not desk.orders:
                desk.state = HALTED
            decide(desk, rules, (now, closed, spans[1]), (closes, ends, mark), equity)
            curve.append((now, equity, desk.state))
            last, peak = equity, max(peak, equity)
    return desk.trades, curve


def price_at(bars: Mapping[int, Bar], starts: Sequence[int], now: int, span: int) -> int:
    """Last price: close of a bar that ended, open of one under way; 0 before the first."""
    at = bisect_left(starts, now) - 1
    if at < 0:
        return 0
    return bars[starts[at]][1 if starts[at] + span <= now else 0]


def fill(desk: Desk, rules: Rules, traded: Mapping[str, Mapping[int, Bar]], span: tuple[int, int]) -> None:
    """Orders meet the open of every bar that starts in the span."""
    for second in range(-(-span[0] // 60) * 60, span[1], 60):
        taken: dict[str, int] = {}
        for order in desk.orders:
            bar = traded[order.symbol].get(second)
            if bar is None or order.gone or not order.left:
                continue
            room = floor(bar[2] * rules.participation * 10**9)
            used = taken.get(order.symbol, 0)
            if order.left + used <= room:
                shares = order.left
            else:
                shares = max(0, (room // 10**9 * 10**9 - used) // 10**9 * 10**9)
            if shares:
                taken[order.symbol] = used + shares
                execute(desk, rules, order, (second, bar[0], shares))


def execute(desk: Desk, rules: Rules, order: Order, what: tuple[int, int, int]) -> None:
    second, opened, shares = what
    price = ceil(opened * (1 + rules.cost)) if order.buys else floor(opened * (1 - rules.cost))
    money = money_of(price, shares)
    fee = ceil(Fraction(shares * rules.per_share, 10**9))
    fee += 0 if order.buys else ceil(money * rules.sell_fee)
    desk.cash += (-money if order.buys else money) - fee
    desk.truth[order.symbol] = desk.truth.get(order.symbol, 0) + (shares if order.buys else -shares)
    if not desk.truth[order.symbol]:
        del desk.truth[order.symbol]
    order.left -= shares
    desk.trades.append((second, order.symbol, "buy" if order.buys else "sell", shares, price))


def learn(desk: Desk) -> None:
    """The desk hears of executions and of orders that ended."""
    for _, symbol, side, shares, price in desk.trades[desk.told :]:
        held = desk.books.setdefault(symbol, Holding(0, 0))
        if side == "buy":
            held.shares, held.cost = held.shares + shares, held.cost + money_of(price, shares)
        else:
            held.cost -= held.cost * shares // held.shares
            held.shares -= shares
        if not held.shares:
            del desk.books[symbol]
    desk.told = len(desk.trades)
    desk.orders = [order for order in desk.orders if order.left and not order.gone]
    for order in desk.orders:
        order.unknown = order.left


def climb(desk: Desk, rules: Rules, equity: int, bases: tuple[int, int, int]) -> None:
    """The ladder's defaults; a latched state stays, unless a worse one asks."""
    if desk.state == HALTED and not desk.books and not desk.orders:
        return
    day, month, peak = bases
    asked = [NORMAL]
    ladder: tuple[tuple[int, dict[int, str | Fraction]], ...] = (
        (peak, {CAUTIOUS: "0.05", REDUCING: "0.08", HALTED: rules.halted_drawdown}),
        (day, {CAUTIOUS: "0.02", REDUCING: "0.03", HALTED: "0.05"}),
        (month, {REDUCING: "0.08"}),
    )
    for base, rungs in ladder:
        asked += [state for state, limit in rungs.items() if base - equity >= Fraction(limit) * base]
    if desk.state < HALTED or max(asked) > desk.state:
        desk.state = max(asked)


def drop_old_orders(desk: Desk, rules: Rules, now: int) -> None:
    for order in desk.orders:
        stopped = desk.state >= HALTED or (desk.state >= REDUCING and order.buys)
        if stopped or now - order.sent >= rules.timeout:
            order.gone = True


def decide(
    desk: Desk,
    rules: Rules,
    clock: tuple[int, int, int],
    market: tuple[Mapping[str, list[int]], Mapping[str, int], Mapping[str, int]],
    equity: int,
) -> None:
    """Exits first, in the order of symbols; then entries, in the order of configuration."""
    now, closed, span = clock
    closes, ends, mark = market
    wish = {s: crossing(rules, c) for s, c in closes.items() if ends.get(s) == now}
    wanted: list[Order] = []
    for symbol in sorted(desk.books):
        held = desk.books[symbol]
        leaving = any(order.symbol == symbol and not order.buys for order in desk.orders)
        if leaving or now >= closed or desk.state == HALTED:
            continue
        average = floor(Fraction(held.cost * 10**7, held.shares) + Fraction(1, 2))
        fresh = now - ends[symbol] <= 2 * span
        stopped = fresh and closes[symbol][-1] <= ceil(average * (1 - rules.stop))
        flat = closed - now <= rules.flatten * 60
        if flat or stopped or desk.state == LIQUIDATING or wish.get(symbol) == -1:
            wanted.append(Order(symbol, False, held.shares, now, held.shares))
    wanted += entries(desk, rules, (now, closed), (closes, wish, mark), equity)
    for order in wanted:
        if not order.buys:
            desk.orders = [o for o in desk.orders if o.symbol != order.symbol or not o.buys]
    desk.orders += wanted


def entries(
    desk: Desk,
    rules: Rules,
    clock: tuple[int, int],
    market: tuple[Mapping[str, list[int]], Mapping[str, int], Mapping[str, int]],
    equity: int,
) -> list[Order]:
    closes, wish, mark = market
    buying = [order for order in desk.orders if order.buys]
    busy = set(desk.books) | {order.symbol for order in buying}
    committed = sum(ceil(Fraction(closes[o.symbol][-1] * o.unknown, 10**7)) for o in buying)
    used = committed + sum(money_of(closes[s][-1], held.shares) for s, held in desk.books.items())
    held_back = sum(money_of(ceil(mark[o.symbol] * Fraction(103, 100)), o.unknown) for o in buying)
    power = max(0, desk.cash - held_back)
    found = []
    for symbol in closes:
        late = clock[1] - clock[0] <= rules.flatten * 60
        if wish.get(symbol) != 1 or symbol in busy or late or desk.state > CAUTIOUS:
            continue
        if len(busy) >= rules.positions:
            continue
        price, full = closes[symbol][-1], floor(equity * rules.size)
        money = min(
            full // (2 if desk.state == CAUTIOUS else 1),
            floor(equity * rules.exposure) - used,
            equity - used,
            power - committed,
            desk.cash - committed - floor(equity * rules.min_cash),
        )
        shares = max(0, money) * 10**7 // price
        if shares:
            found.append(Order(symbol, True, shares, clock[0], shares))
            busy.add(symbol)
            cost = ceil(Fraction(price * shares, 10**7))
            used, committed = used + cost, committed + cost
    return found


def crossing(rules: Rules, closes: list[int]) -> int:
    """+1: the fast average is above the slow one by more than the threshold, and was not one bar ago."""
    if len(closes) <= rules.slow:
        return 0

    def side(upto: list[int]) -> int:
        fast = Fraction(sum(upto[-rules.fast :]), rules.fast)
        slow = Fraction(sum(upto[-rules.slow :]), rules.slow)
        return (fast > slow * (1 + rules.threshold)) - (fast < slow * (1 - rules.threshold))

    now = side(closes[-rules.slow - 1 :])
    if now > 0 and side(closes[-rules.slow - 1 : -1]) > 0:
        return 0
    return now
