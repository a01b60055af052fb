"""Schemas of bars and quotes as pandera checks them: whole sessions at once, where data enters in bulk.

The rules are those of :mod:`pipeline.domain.quality` and :func:`pipeline.domain.market.row_problem`; a test
holds the two against each other. Importing pandera and pandas costs half a second, so it happens inside the
functions, and no tick calls them (ADR 15).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.domain.market import SYMBOL, Bar, Defect, Flaw, Quote
from pipeline.domain.money import PRICE_SCALE
from pipeline.errors import DataInvalid

if TYPE_CHECKING:
    import pandas as pd

PRICES = ("open", "high", "low", "close")
_ONE_TRUTH, _ONE_FEED, _IN_ORDER = "one bar for one start", "one feed", "oldest first, on the bar's grid"
_DEFECTS = {_ONE_TRUTH: Defect.CONFLICT, _ONE_FEED: Defect.MIXED}
_UTC = "datetime64[us, UTC]"


class SchemaInspector:
    """A ``ports.Inspector``: bars of whole sessions against the schema."""

    def inspect(self, bars: Mapping[str, Sequence[Bar]], length: timedelta) -> tuple[Flaw, ...]:
        """Return what is wrong with the bars, by symbol and start; none when everything is fine."""
        frame = bars_frame([bar for held in bars.values() for bar in held])
        return check_bars(frame, length) if len(frame) else ()


def bars_frame(bars: Sequence[Bar]) -> pd.DataFrame:
    """Return bars as a frame: prices in account currency, ``start`` in UTC."""
    import pandas as pd

    rows = [
        (bar.symbol, bar.start, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.feed) for bar in bars
    ]
    frame = pd.DataFrame(rows, columns=["symbol", "start", *PRICES, "volume", "feed"])
    frame["start"] = pd.to_datetime(frame["start"], utc=True).dt.as_unit("us")
    frame[list(PRICES)] = frame[list(PRICES)] / PRICE_SCALE
    return frame


def quotes_frame(quotes: Sequence[Quote]) -> pd.DataFrame:
    """Return quotes as a frame: prices in account currency, ``at`` in UTC."""
    import pandas as pd

    rows = [(quote.symbol, quote.at, quote.bid / PRICE_SCALE, quote.ask / PRICE_SCALE) for quote in quotes]
    frame = pd.DataFrame(rows, columns=["symbol", "at", "bid", "ask"])
    frame["at"] = pd.to_datetime(frame["at"], utc=True).dt.as_unit("us")
    return frame


def check_recording(path: Path, timezone: str) -> tuple[Flaw, ...]:
    """Return what is wrong with the one-minute bars in a .csv or .parquet file; sorted first, holes allowed.

    Args:
        timezone: of times that carry none.

    Raises:
        DataInvalid: the file cannot be read, or has no such columns.
    """
    import duckdb
    import pandas as pd

    reader = "read_csv" if path.suffix.lower() == ".csv" else "read_parquet"
    query = f"SELECT symbol, ts, open, high, low, close, volume FROM {reader}(?) ORDER BY symbol, ts"  # noqa: S608
    try:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            frame = connection.execute(query, [str(path)]).df()
        start = pd.to_datetime(frame.pop("ts"))
        start = start.dt.tz_localize(timezone) if start.dt.tz is None else start
    except (duckdb.Error, ValueError) as error:
        raise DataInvalid(str(path), f"cannot be read: {error}") from error
    frame["start"], frame["feed"] = start.dt.tz_convert("UTC").dt.as_unit("us"), "recorded"
    return check_bars(frame, timedelta(minutes=1))


def check_bars(frame: pd.DataFrame, length: timedelta) -> tuple[Flaw, ...]:
    """Return what is wrong with a frame of bars, as :func:`bars_frame` makes it or as a file holds it.

    Identical repetitions of a row are one row. Without a time zone, no row can be placed: all are wrong.
    """
    once = frame.drop_duplicates().reset_index(drop=True)
    return tuple(sorted(_failures(_bars_schema(length), once, "start"), key=_by_place))


def check_quotes(frame: pd.DataFrame) -> tuple[Flaw, ...]:
    """Return what is wrong with a frame of quotes, as :func:`quotes_frame` makes it."""
    return tuple(sorted(_failures(_quotes_schema(), frame.reset_index(drop=True), "at"), key=_by_place))


def _by_place(flaw: Flaw) -> tuple[str, datetime, str]:
    return flaw.symbol, flaw.at, flaw.detail


@cache
def _bars_schema(length: timedelta) -> Any:
    import pandera.pandas as pa

    def one_truth(frame: pd.DataFrame) -> pd.Series[bool]:
        return ~frame.duplicated(["symbol", "start"], keep=False)

    def one_feed(frame: pd.DataFrame) -> pd.Series[bool]:
        return frame.groupby("symbol")["feed"].transform("nunique") <= 1

    def in_order(frame: pd.DataFrame) -> pd.Series[bool]:
        step: Any = frame.groupby("symbol")["start"].diff()
        fine: pd.Series[bool] = step.isna() | ((step >= length) & (step % length == timedelta()))
        return fine

    return pa.DataFrameSchema(
        {
            "symbol": pa.Column(str, pa.Check.str_matches(SYMBOL.pattern, error="a symbol")),
            "start": pa.Column(_UTC),
            **{name: _price(pa) for name in PRICES},
            "volume": pa.Column(float, pa.Check.ge(0, error="volume not negative"), coerce=True),
            "feed": pa.Column(str),
        },
        checks=[
            pa.Check(lambda one: one["high"] >= one["low"], name="high not below low"),
            pa.Check(lambda one: one["open"].between(one["low"], one["high"]), name="open within the bar"),
            pa.Check(lambda one: one["close"].between(one["low"], one["high"]), name="close within the bar"),
            pa.Check(one_truth, name=_ONE_TRUTH),
            pa.Check(one_feed, name=_ONE_FEED),
            pa.Check(in_order, name=_IN_ORDER),
        ],
    )


@cache
def _quotes_schema() -> Any:
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "symbol": pa.Column(str, pa.Check.str_matches(SYMBOL.pattern, error="a symbol")),
            "at": pa.Column(_UTC),
            "bid": _price(pa),
            "ask": _price(pa),
        },
        checks=[pa.Check(lambda one: one["bid"] <= one["ask"], name="bid not above ask")],
    )


def _price(pa: Any) -> Any:
    """A finite number above zero. NaN is refused as a missing value, infinity by its size."""
    checks = [
        pa.Check.gt(0, error="price above zero"),
        pa.Check.lt(float("inf"), error="price finite"),
    ]
    return pa.Column(float, checks, coerce=True)


def _failures(schema: Any, frame: pd.DataFrame, time: str) -> Iterator[Flaw]:
    """Yield each failed rule of each row once; pandera names a row once per column for rules about rows."""
    import pandas as pd
    import pandera.errors

    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
    else:
        return
    seen: set[tuple[object, str]] = set()
    for index, rule, column in zip(cases["index"], cases["check"], cases["column"], strict=True):
        whole = pd.isna(index)  # the column is wrong, not one of its rows
        if (index, rule) in seen:
            continue
        seen.add((index, rule))
        row = frame.iloc[0 if whole else int(index)]
        yield _flaw(row, f"{column}: {rule}" if whole else str(rule), time)


def _flaw(row: Any, rule: str, time: str) -> Flaw:
    at: datetime = row[time].to_pydatetime()
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    shown = ", ".join(f"{name} {row[name]}" for name in row.index if name not in ("symbol", "feed", time))
    return Flaw(str(row["symbol"]), _DEFECTS.get(rule, Defect.INVALID), at, f"{rule}: {shown}")
