"""Whether a symbol's bars can be traded on: integer comparisons, a constant number for each new bar.

What a single bar may look like, :class:`pipeline.domain.market.Bar` says. Here is what bars say about each
other: duplicates, holes, jumps, a feed that stands still, two feeds in one series, a split between bars.
A finding is a value and concerns one symbol. Whoever looks at the same bars finds the same, whether they
came one by one or all at once: a process that begins anew decides as the one before it did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from pipeline.domain.market import Bar, Defect, Flaw, Quote
from pipeline.domain.money import price_decimal
from pipeline.domain.risk import RiskLimits
from pipeline.domain.rules.limits import beyond_collar, fraction

RANGE_BARS = 20
"""Bars whose range is what a symbol usually does, at most; never more than the longest look-back."""
RANGES = 10
"""How many usual ranges a move may have before it waits for the next bar."""
_NEWEST_ONLY = (Defect.SPIKE, Defect.FROZEN)

Missing = Callable[[datetime, datetime], int]
"""How many bars of regular sessions should begin after the first instant and before the second."""


class Split(Protocol):
    """``numerator`` new shares for ``denominator`` old ones, counted from ``at`` on (``ledger.splits``)."""

    @property
    def symbol(self) -> str: ...

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...

    @property
    def at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Rules:
    """How bars are judged.

    Attributes:
        length: of a bar; lookback: bars that the most demanding strategy sees.
        collar: largest move from one close to the next that needs no second bar, ppm.
        max_gap: bars that may be missing in a row; frozen: equal bars in a row that are one too many.
    """

    length: timedelta
    lookback: int
    collar: int
    max_gap: int
    frozen: int


def rules_of(limits: RiskLimits, length: timedelta, lookback: int) -> Rules:
    """Return the rules that the limits ask for."""
    return Rules(length, lookback, limits.price_collar, limits.max_gap_bars, limits.frozen_bars)


def in_order(rows: Iterable[Bar]) -> tuple[list[Bar], list[Flaw]]:
    """Return bars of one symbol oldest first, each start once, and a flaw for each start told in two ways.

    Identical repetitions are one bar. Of two different ones the first stays, so that there is a price to
    protect a position by, and the symbol takes no new risk on it.
    """
    kept: dict[datetime, Bar] = {}
    flaws: dict[datetime, Flaw] = {}
    for bar in rows:
        first = kept.setdefault(bar.start, bar)
        if first != bar and bar.start not in flaws:
            detail = f"two bars of {bar.start:%H:%M}Z close at {_shown(first.close)} and {_shown(bar.close)}"
            flaws[bar.start] = Flaw(bar.symbol, Defect.CONFLICT, bar.start, detail, 1, 2)
    return [bar for _, bar in sorted(kept.items())], [flaw for _, flaw in sorted(flaws.items())]


def flaws_among(bars: Sequence[Bar], first_new: int, rules: Rules, missing: Missing) -> list[Flaw]:
    """Return what is wrong with the bars from index ``first_new`` on, given those before; one symbol's.

    Args:
        bars: oldest first, each start once.
        missing: asked only when two bars are further apart than their length.
    """
    found: list[Flaw] = []
    suspicious = rules.collar // 4
    for at in range(max(first_new, 1), len(bars)):
        bar, last = bars[at], bars[at - 1]
        if bar.start - last.start > rules.length:
            found += _gap(bar, last, rules, missing)
        if beyond_collar(bar.close, last.close, suspicious):
            found += _jump(bars, at, rules)
        if bar.close == last.close:
            found += _standstill(bars, at, rules)
        if bar.feed != last.feed:
            detail = f"{last.feed or 'an unnamed feed'} is followed by {bar.feed or 'an unnamed feed'}"
            found.append(Flaw(bar.symbol, Defect.MIXED, bar.start, detail, 1, 2))
    return found


def _gap(bar: Bar, last: Bar, rules: Rules, missing: Missing) -> Iterator[Flaw]:
    gone = missing(last.start, bar.start)
    if gone > rules.max_gap:
        detail = f"{gone} bars are missing before {bar.start:%H:%M}Z"
        yield Flaw(bar.symbol, Defect.GAP, bar.start, detail, rules.max_gap, gone)


def _jump(bars: Sequence[Bar], at: int, rules: Rules) -> Iterator[Flaw]:
    """A close far from the one before waits for the next. One that the next does not confirm never was."""
    bar, last = bars[at], bars[at - 1]
    if not _is_jump(bars, at, rules):
        return
    if (
        at > 1
        and _is_jump(bars, at - 1, rules)
        and not beyond_collar(bar.close, bars[at - 2].close, rules.collar)
    ):
        detail = f"{_shown(last.close)} at {last.start:%H:%M}Z was taken back by the next bar"
        yield _moved(last, bars[at - 2], Defect.BAD_PRINT, detail, rules)
        return
    detail = f"{_shown(bar.close)} after {_shown(last.close)}: waits for the next bar"
    yield _moved(bar, last, Defect.SPIKE, detail, rules)


def _is_jump(bars: Sequence[Bar], at: int, rules: Rules) -> bool:
    bar, last = bars[at], bars[at - 1]
    if beyond_collar(bar.close, last.close, rules.collar):
        return True
    if bar.start - last.start > rules.length:
        return False  # over a night or a pause a market moves further than from one bar to the next
    usual = bars[max(0, at - min(RANGE_BARS, rules.lookback)) : at]
    ranges = sum(one.high - one.low for one in usual)
    return (
        beyond_collar(bar.close, last.close, rules.collar // 4)
        and abs(bar.close - last.close) * len(usual) > RANGES * ranges > 0
    )


def _moved(bar: Bar, last: Bar, defect: Defect, detail: str, rules: Rules) -> Flaw:
    gap = fraction(abs(bar.close - last.close), last.close)
    return Flaw(bar.symbol, defect, bar.start, detail, rules.collar, gap, "ppm")


def _standstill(bars: Sequence[Bar], at: int, rules: Rules) -> Iterator[Flaw]:
    bar = bars[at]
    count = 1
    while count <= at and count < rules.frozen:
        before, after = bars[at - count], bars[at - count + 1]
        # A market that trades at one price has bars with a range, or other volumes, around it.
        if before.close != bar.close or not (after.high == after.low or after.volume == before.volume):
            return
        count += 1
    if count >= rules.frozen:
        detail = f"{count} bars in a row say {_shown(bar.close)} and nothing else"
        yield Flaw(bar.symbol, Defect.FROZEN, bar.start, detail, rules.frozen - 1, count)


def in_force(flaws: Iterable[Flaw], bars: Sequence[Bar], rules: Rules) -> tuple[Flaw, ...]:
    """Return the flaws that keep a symbol from new risk now, oldest first.

    A jump and a standstill are about the newest bar; the others count while a strategy can see the bar.
    """
    if not bars:
        return tuple(sorted(flaws, key=_when))
    newest = bars[-1].start
    first_seen = bars[max(0, len(bars) - rules.lookback)].start
    now = {flaw for flaw in flaws if flaw.at >= (newest if flaw.defect in _NEWEST_ONLY else first_seen)}
    return tuple(sorted(now, key=_when))


def _when(flaw: Flaw) -> tuple[datetime, str, str]:
    return flaw.at, flaw.defect.value, flaw.detail


def rescaled(bars: Sequence[Bar], splits: Iterable[Split]) -> Sequence[Bar]:
    """Return one symbol's bars with those from before each split counted in the shares after it.

    Rounding keeps the order of the four prices, and none becomes nothing.
    """
    for split in splits:
        bars = [_in_new_shares(bar, split) if bar.start < split.at else bar for bar in bars]
    return bars


def _in_new_shares(bar: Bar, split: Split) -> Bar:
    new, old = split.numerator, split.denominator

    def priced(price: int) -> int:
        return max(1, (2 * price * old + new) // (2 * new))

    return replace(
        bar,
        open=priced(bar.open),
        high=priced(bar.high),
        low=priced(bar.low),
        close=priced(bar.close),
        volume=bar.volume * new // old,
    )


def splits_by_symbol(splits: Iterable[Split], until: datetime) -> Mapping[str, tuple[Split, ...]]:
    """Return the splits in effect at ``until``, by symbol, in their order."""
    found: dict[str, tuple[Split, ...]] = {}
    for split in splits:
        if split.at <= until and split.numerator > 0 and split.denominator > 0:
            found[split.symbol] = (*found.get(split.symbol, ()), split)
    return found


def quote_flaw(quote: Quote, collar: int) -> Flaw | None:
    """Return why a quote tells no price: a side is missing, or the sides are crossed or far apart."""
    bid, ask = quote.bid, quote.ask
    if 0 < bid <= ask and not beyond_collar(ask, bid, collar):
        return None
    detail = f"bid {_shown(bid)}, ask {_shown(ask)}"
    spread = fraction(abs(ask - bid), bid)
    return Flaw(quote.symbol, Defect.CROSSED, quote.at, detail, collar, spread, "ppm")


def _shown(price: int) -> str:
    return str(price_decimal(price))
