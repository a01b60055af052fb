"""Bars, quotes and headlines from Alpaca. Promises: :class:`pipeline.ports.MarketData`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.adapters.alpaca.account import AlpacaSettings
from pipeline.adapters.alpaca.outcomes import answered
from pipeline.adapters.alpaca.parsing import EPOCH, Unreadable, parse_instant
from pipeline.domain.market import SYMBOL, Bar, BySymbol, Defect, Flaw, Quote, Timeframe
from pipeline.domain.money import PRICE_SCALE, to_price
from pipeline.domain.quality import in_order
from pipeline.errors import BrokerRefused, BrokerUnavailable, DataInvalid, DataUnavailable
from pipeline.ports import Headline

_TIMEFRAMES = {
    Timeframe.ONE_MINUTE: "1Min",
    Timeframe.FIVE_MINUTES: "5Min",
    Timeframe.FIFTEEN_MINUTES: "15Min",
    Timeframe.ONE_HOUR: "1Hour",
}
# The limit counts bars of all symbols together, so it is a page size and nothing else (BROKERS 1.4.6).
_BARS_PAGE = 10_000
_NEWS_PAGE = 50
_MOST_HEADLINES = 500
_SYMBOLS_PER_REQUEST = 500
_SOURCE = "alpaca"
_ADJUSTMENT = "raw"


class AlpacaMarketData:
    """Prices of one feed. Bars are raw: not adjusted for splits or dividends.

    Attributes:
        feed: where the prices come from; volumes of two feeds are not comparable.
    """

    def __init__(self, settings: AlpacaSettings) -> None:
        from pipeline.adapters.alpaca.transport import open_data

        self.feed = settings.feed
        self._tag = f"{settings.feed} {_ADJUSTMENT}"
        self._stocks, self._news = open_data(settings)

    def fetch_bars(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> BySymbol[Sequence[Bar]]:
        """Return the bars that began at or after ``start`` and were complete at ``end``; both UTC-aware."""
        bars: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
        flaws: list[Flaw] = []
        # Alpaca includes a bar that starts at its "end".
        last_start = end - timeframe.length
        for chunk in _chunks(symbols) if last_start >= start else ():
            query = {
                "symbols": ",".join(chunk),
                "timeframe": _TIMEFRAMES[timeframe],
                "start": _rfc3339(start),
                "end": _rfc3339(last_start),
                "limit": _BARS_PAGE,
                "adjustment": _ADJUSTMENT,
                "feed": self.feed,
                "sort": "asc",
            }
            for page in self._pages("/stocks/bars", query, "bars"):
                flaws += _take_page(bars, page, end, self._tag)
        told = BySymbol[Sequence[Bar]](flaws=flaws)
        for symbol, found in bars.items():
            told[symbol], wrong = in_order(bar for bar in found if start <= bar.start <= last_start)
            told.flaws += tuple(wrong)
        return told

    def fetch_quotes(self, symbols: Sequence[str]) -> BySymbol[Quote]:
        """Return the latest quote of each symbol that has both a bid and an ask."""
        quotes = BySymbol[Quote]()
        for chunk in _chunks(symbols):
            query = {"symbols": ",".join(chunk), "feed": self.feed}
            body = self._ask(self._stocks, "/stocks/quotes/latest", query)
            for symbol, raw in _member(body, "quotes").items():
                if symbol in chunk:
                    _take_quote(quotes, symbol, raw)
        return quotes

    def fetch_headlines(self, symbols: Sequence[str], since: datetime) -> Sequence[Headline]:
        """Return news about the symbols since an instant, newest first, at most 500."""
        query = {
            "symbols": ",".join(_checked(symbols)),
            "start": _rfc3339(since),
            "limit": _NEWS_PAGE,
            "sort": "desc",
        }
        found: list[Headline] = []
        for page in self._pages("/news", query, "news"):
            found += [_headline(raw) for raw in page or ()]
            if len(found) >= _MOST_HEADLINES:
                break
        return sorted(found, key=lambda headline: headline.at, reverse=True)

    def close(self) -> None:
        """Release connections."""
        self._stocks.close()
        self._news.close()

    def _pages(self, path: str, query: Mapping[str, Any], member: str) -> Iterator[Any]:
        wire = self._news if path == "/news" else self._stocks
        token: str | None = None
        while True:
            body = self._ask(wire, path, {**query, "page_token": token} if token else query)
            if not isinstance(body, Mapping) or member not in body:
                raise DataUnavailable(_SOURCE, f"{path} answered without {member!r}")
            yield body[member]
            following = body.get("next_page_token")
            if not following:
                return
            if following == token:
                raise DataUnavailable(_SOURCE, f"{path} repeats a page")
            token = following

    def _ask(self, wire: Any, path: str, query: Mapping[str, Any]) -> Any:
        try:
            return answered(wire.ask("get", path, query))
        except (BrokerUnavailable, BrokerRefused) as error:
            reason = error.reason
        raise DataUnavailable(_SOURCE, reason)


def _checked(symbols: Sequence[str]) -> Sequence[str]:
    for symbol in symbols:
        if not SYMBOL.match(symbol):
            raise DataInvalid(symbol, "not a symbol")
    return symbols


def _chunks(symbols: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(_checked(symbols)), _SYMBOLS_PER_REQUEST):
        yield symbols[at : at + _SYMBOLS_PER_REQUEST]


def _rfc3339(instant: datetime) -> str:
    """Return an instant for a query. A naive one would silently be taken as UTC (BROKERS 1.4.7)."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _member(body: Any, name: str) -> Mapping[str, Any]:
    found = body.get(name) if isinstance(body, Mapping) else None
    if not isinstance(found, Mapping):
        raise DataUnavailable(_SOURCE, f"answered without {name!r}")
    return found


def _take_page(bars: dict[str, list[Bar]], page: Any, end: datetime, feed: str) -> Iterator[Flaw]:
    """Add one page, and yield what of it cannot be true. A page without bars is null or {}."""
    for symbol, rows in (page or {}).items():
        found = bars.get(symbol)
        if found is None:
            continue
        for row in rows or ():
            try:
                found.append(_bar(symbol, row, feed))
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                yield Flaw(symbol, Defect.INVALID, _began(row, end), f"bar {row!r:.200}: {error}")


def _bar(symbol: str, row: Any, feed: str) -> Bar:
    return Bar(
        symbol,
        parse_instant(row["t"]),
        _price(row["o"]),
        _price(row["h"]),
        _price(row["l"]),
        _price(row["c"]),
        int(row["v"]),
        feed,
    )


def _began(row: Any, otherwise: datetime) -> datetime:
    """Return when a bar that cannot be read began, as far as it tells."""
    try:
        return parse_instant(row["t"])
    except (Unreadable, TypeError, KeyError):
        return otherwise


def _price(value: Any) -> int:
    """Return ``to_price(value)``; a float that is whole in price units takes a path ten times shorter."""
    if isinstance(value, float) and value < 1e9:
        units = round(value * PRICE_SCALE)
        # Division is correctly rounded: equality means that this is the decimal which the float stands for.
        if units / PRICE_SCALE == value:
            return units
    return to_price(value)


def _take_quote(quotes: BySymbol[Quote], symbol: str, raw: Any) -> None:
    """Add one quote, unless it cannot be read. Alpaca writes 0 for a side that nobody quotes."""
    try:
        quote = Quote(symbol, parse_instant(raw["t"]), to_price(raw["bp"]), to_price(raw["ap"]))
    except (ValueError, TypeError, KeyError) as error:
        quotes.flaws += (Flaw(symbol, Defect.INVALID, EPOCH, f"quote {raw!r:.200}: {error}"),)
    else:
        if quote.bid > 0 and quote.ask > 0:
            quotes[symbol] = quote


def _headline(raw: Any) -> Headline:
    try:
        return Headline(
            at=parse_instant(raw["created_at"]),
            title=str(raw["headline"]),
            symbols=tuple(str(symbol) for symbol in raw.get("symbols") or ()),
            source=str(raw.get("source") or ""),
        )
    except (Unreadable, TypeError, KeyError, AttributeError) as error:
        reason = f"news that cannot be read: {error}"
    raise DataUnavailable(_SOURCE, reason)
