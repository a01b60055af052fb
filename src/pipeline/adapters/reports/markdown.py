"""A session report as Markdown, for the artifact and for mail. Same order, same numbers as the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.domain.formatting import (
    NONE,
    basis_points,
    cents,
    count,
    duration,
    long_date,
    minute_of_day,
    money,
    one_line,
    percent,
    price,
    quantity,
    signed_money,
    time_of_day,
)
from pipeline.domain.report_verdict import (
    conclude,
    day_against_limit,
    health_sentence,
    sources,
    worst_of_limit,
)
from pipeline.domain.reports import Holding, RunLine, SessionReport, Trade
from pipeline.domain.session import Session

Cells = Sequence[str]


def render_markdown(report: SessionReport) -> str:
    """Return the report as text. What comes from data can neither break a table nor make a link."""
    return "\n".join(line for part in _PARTS for line in part(report)) + "\n"


def _head(report: SessionReport) -> Iterator[str]:
    scope, verdict = report.scope, conclude(report)
    yield f"# {scope.mode} · Session report · {long_date(scope.session.day)}"
    yield ""
    yield f"**{verdict.level.upper()}. {_safe(verdict.headline)}**"
    yield ""
    yield from (f"- {_safe(line)}" for line in verdict.attention)
    if verdict.attention:
        yield ""
    yield _safe(" ".join(verdict.summary))
    early = " (early close)" if scope.session.early_close else ""
    yield ""
    yield (
        f"Account {_safe(scope.account)} · {', '.join(map(_safe, report.strategies)) or 'no strategy'} · "
        f"{_hours(scope.session, scope.zone)}{early} · as of {time_of_day(report.as_of, scope.zone)}"
    )


def _hours(session: Session, zone: str) -> str:
    return f"{minute_of_day(session.open, zone)} to {minute_of_day(session.close, zone)}"


def _profit(report: SessionReport) -> Iterator[str]:
    profit = report.profit
    yield from ("", "## Profit and loss", "")
    if profit is None:
        yield "No account snapshot was taken."
        return
    rows = [
        ("Day P&L", f"{signed_money(profit.pnl)} ({day_against_limit(report)})"),
        ("Equity", f"{money(profit.close_equity)} from {money(profit.start_equity)}"),
        ("Deposits and withdrawals", signed_money(profit.deposits)),
        ("Realized", signed_money(profit.realized)),
        ("Open positions", signed_money(profit.open_change)),
        ("Fees", signed_money(-profit.fees)),
        ("Slippage (inside)", signed_money(-profit.slippage)),
        ("Traded", money(profit.turnover)),
    ]
    rows += [(f"– {name}", signed_money(amount)) for name, amount in sources(report)]
    yield from _table(("", ">Amount"), rows)


def _positions(report: SessionReport) -> Iterator[str]:
    columns = ("Symbol", ">Quantity", ">Average", ">Last", ">Value", ">Share", ">Stop", ">P&L open")
    yield from _section("Positions", columns, map(_position, report.holdings), "Flat: nothing is held.")


def _position(held: Holding) -> Cells:
    return (
        held.symbol,
        quantity(held.quantity),
        price(held.average_price),
        _or_none(held.price, price),
        _or_none(held.value, money),
        _or_none(held.share_ppm, percent),
        _or_none(held.stop, cents),
        _or_none(held.unrealized, signed_money),
    )


def _trades(report: SessionReport) -> Iterator[str]:
    columns = (
        "Time",
        "Symbol",
        "Side",
        "Purpose",
        ">Quantity",
        ">Arrival",
        ">Price",
        ">Slippage",
        ">",
        ">Realized",
    )
    rows = (_trade(trade, report.scope.zone) for trade in report.trades)
    yield from _section("Trades", columns, rows, "Nothing was executed.")


def _trade(trade: Trade, zone: str) -> Cells:
    return (
        time_of_day(trade.at, zone),
        trade.symbol,
        trade.side.upper(),
        (trade.purpose or "external").replace("_", " "),
        quantity(trade.quantity),
        _or_none(trade.arrival, price),
        price(trade.average),
        NONE if trade.slippage_ppm is None else basis_points(-trade.slippage_ppm),
        NONE if trade.slippage is None else signed_money(-trade.slippage),
        signed_money(trade.realized) if trade.realized else NONE,
    )


def _decisions(report: SessionReport) -> Iterator[str]:
    zone = report.scope.zone
    rows = (
        (
            time_of_day(choice.at, zone),
            f"{choice.side.upper()} {quantity(choice.quantity)} {choice.symbol}",
            choice.reason + (f" (made smaller by {choice.cut.replace('_', ' ')})" if choice.cut else ""),
            choice.state + (f": {choice.note}" if choice.note else ""),
        )
        for choice in report.choices
    )
    yield from _section("Decisions", ("Time", "Decision", "Why", "Outcome"), rows, "No trade was decided.")
    refused = [
        (
            refusal.limit.replace("_", " "),
            f"{refusal.side.upper()} {refusal.symbol}",
            refusal.actual or NONE,
            refusal.allowed or NONE,
            str(refusal.times),
            f"{time_of_day(refusal.first_at, zone)} to {time_of_day(refusal.last_at, zone)}",
        )
        for refusal in report.refusals
    ]
    if refused:
        yield from ("", "### Refused by a limit", "")
        yield from _table(("Limit", "Trade", ">Would be", ">Allowed", ">Times", "When"), refused)


def _risk(report: SessionReport) -> Iterator[str]:
    rows = ((bar.name, worst_of_limit(bar), percent(bar.used_ppm, 0), bar.status) for bar in report.risk)
    columns = ("Limit", ">Worst of the session", ">Used", "Status")
    yield from _section("Risk against limits", columns, rows, "Without a snapshot nothing can be measured.")
    if report.states:
        zone = report.scope.zone
        yield from ("", "### Trading state", "")
        yield from _table(
            ("Time", "State", "Why"), [(time_of_day(e.at, zone), e.what, e.why) for e in report.states]
        )


def _reconciliation(report: SessionReport) -> Iterator[str]:
    done, zone = report.reconciliation, report.scope.zone
    state = "never compared" if done.times == 0 else "agree" if done.clean else "DISAGREE"
    last = f", the last at {time_of_day(done.last_at, zone)}" if done.last_at else ""
    yield from (
        "",
        "## Reconciliation",
        "",
        f"Ledger and broker: {state} ({count(done.times, 'comparison')}{last}).",
    )
    if done.mismatches:
        yield ""
        yield from _table(
            ("Time", "What", "Symbol", ">Ledger", ">Broker", "Detail"),
            [
                (
                    time_of_day(m.at, zone),
                    m.kind,
                    m.symbol or NONE,
                    m.ledger or NONE,
                    m.broker or NONE,
                    m.detail,
                )
                for m in done.mismatches
            ],
        )


def _data(report: SessionReport) -> Iterator[str]:
    zone = report.scope.zone
    rows = (
        (
            line.symbol,
            str(line.expected),
            str(line.present),
            str(line.missing),
            f"{count(line.longest_bars, 'bar')} from {time_of_day(line.longest_at, zone)}"
            if line.longest_at
            else NONE,
        )
        for line in report.data
    )
    columns = ("Symbol", ">Expected", ">Present", ">Missing", "Longest hole")
    yield from _section("Data quality", columns, rows, "No bar was due yet.")


def _health(report: SessionReport) -> Iterator[str]:
    columns = (
        "Procedure",
        ">Expected",
        ">Completed",
        ">Skipped",
        ">Failed",
        ">Missing",
        ">Late",
        ">Delay",
        ">Worst",
    )
    yield from _section("System health", columns, map(_run, report.health.runs), "No run was planned.")
    yield from ("", _safe(health_sentence(report.health)))
    if report.health.checks:
        yield from ("", "### Procedures, step by step", "")
        yield from _table(
            ("Procedure", "Step", "Outcome", "Evidence"),
            [(c.procedure, c.name.replace("_", " "), c.outcome, c.evidence) for c in report.health.checks],
        )


def _incidents(report: SessionReport) -> Iterator[str]:
    zone = report.scope.zone
    rows = (
        (time_of_day(event.at, zone), event.severity, event.what, event.why, event.ended or NONE)
        for event in report.incidents
    )
    columns = ("Time", "Severity", "What happened", "Why", "How it ended")
    yield from _section("Incidents", columns, rows, "None.")


def _run(line: RunLine) -> Cells:
    counts = (line.expected, line.completed, line.skipped, line.failed, line.missing, line.late)
    delays = (line.latency_median, line.latency_worst)
    return (line.procedure, *map(str, counts), *(NONE if d is None else duration(d / 1000) for d in delays))


def _tomorrow(report: SessionReport) -> Iterator[str]:
    following, zone = report.tomorrow, report.scope.zone
    yield from ("", "## Tomorrow", "")
    if following is None:
        yield "- Next session: not in the calendar"
    else:
        early = " (early close)" if following.early_close else ""
        yield f"- Next session: {long_date(following.day)}, {_hours(following, zone)}{early}"
    yield f"- Trading state: {report.state}"
    yield f"- Carried over: {', '.join(_safe(held.symbol) for held in report.holdings) or 'nothing'}"
    yield from (f"- Locked: {_safe(symbol)}: {_safe(reason)}" for symbol, reason in report.locks)


_PARTS: tuple[Callable[[SessionReport], Iterator[str]], ...] = (
    _head,
    _profit,
    _positions,
    _trades,
    _decisions,
    _risk,
    _incidents,
    _reconciliation,
    _data,
    _health,
    _tomorrow,
)


def _section(title: str, columns: Cells, rows: Iterable[Cells], empty: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    kept = list(rows)
    yield from _table(columns, kept) if kept else iter((empty,))


def _table(columns: Cells, rows: Iterable[Cells]) -> Iterator[str]:
    """Yield a table. A column whose name begins with ">" is aligned to the right."""
    yield "| " + " | ".join(column.removeprefix(">") or " " for column in columns) + " |"
    yield "|" + "|".join("---:" if column.startswith(">") else ":---" for column in columns) + "|"
    for row in rows:
        yield "| " + " | ".join(map(_safe, row)) + " |"


def _safe(text: str) -> str:
    escaped = one_line(text).replace("\\", "\\\\")
    for character in "|<[`*_":
        escaped = escaped.replace(character, "\\" + character)
    return escaped


def _or_none(value: int | None, words: Callable[[int], str]) -> str:
    return NONE if value is None else words(value)
