"""Risk limits, the ladder's thresholds, and what a gate answers. Units: :mod:`pipeline.domain.rules`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Ladder:
    """Thresholds of the trading states (DESIGN §5). None means that the rung is not configured.

    Losses and drawdowns are positive fractions in ppm; silences are seconds without an answer.
    ``halted_connectivity_failures`` is 0, off, unless it is configured: the silences speak by themselves.
    """

    cautious_drawdown: int | None = 50_000
    reducing_drawdown: int | None = 80_000
    halted_drawdown: int | None = 100_000
    liquidating_drawdown: int | None = 150_000
    cautious_daily_loss: int | None = 20_000
    reducing_daily_loss: int | None = 30_000
    halted_daily_loss: int | None = 50_000
    reducing_monthly_loss: int | None = 80_000
    reducing_silence_seconds: int = 60
    halted_silence_seconds: int = 300
    halted_connectivity_failures: int = 0
    cautious_size: int = 500_000
    resume_ramp: tuple[int, ...] = (250_000, 500_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Every limit an order can meet, resolved to one number each.

    Attributes:
        position_size: wanted size of a new position, fraction of equity.
        max_position_money: absolute cap of one position, or None.
        max_positions: open positions, entries under way included.
        max_exposure: gross exposure, fraction of equity.
        max_leverage: gross exposure over equity that no order may exceed, 1_000_000 is 1.0.
        min_cash: fraction of equity that stays in cash.
        stop_loss: adverse move from the average entry price, or None.
        max_holding_days: calendar days a position may be held, or None.
        flatten_minutes: minutes before the close at which everything is closed, 0 to hold overnight.
        no_entry_minutes: minutes before the close from which no entry is allowed.
        order_timeout_seconds: age at which what remains of an order is cancelled.
        review_hold_seconds: pause between a decision and its order.
        price_collar: largest move between decision price and market at which an order still goes out.
        max_orders_per_session: orders an account may send in one session.
        max_orders_per_minute: orders an account may send within sixty seconds.
        max_order_quantity: shares in one order, quantity units, or None.
        max_data_age_bars: bar lengths after which a symbol's data is stale.
        max_gap_bars: bars that may be missing in a row, in what a strategy sees.
        frozen_bars: equal bars in a row at which a feed is taken to stand still.
    """

    position_size: int = 20_000
    max_position_money: int | None = None
    max_positions: int = 3
    max_exposure: int = 60_000
    max_leverage: int = 1_000_000
    min_cash: int = 100_000
    stop_loss: int | None = 15_000
    max_holding_days: int | None = None
    flatten_minutes: int = 0
    no_entry_minutes: int = 0
    order_timeout_seconds: int = 300
    review_hold_seconds: int = 0
    price_collar: int = 20_000
    max_orders_per_session: int = 1_000
    max_orders_per_minute: int = 30
    max_order_quantity: int | None = None
    max_data_age_bars: int = 2
    max_gap_bars: int = 5
    frozen_bars: int = 10
    ladder: Ladder = Ladder()


class Limit(StrEnum):
    """Names of the gates, in the order in which they are asked (DESIGN §5).

    A symbol's bad data is refused between DATA_FRESH and PRICE_SANE, under the name of the
    :class:`pipeline.domain.market.Defect`.
    """

    NUMBERS = "not_a_number"
    TRADING_STATE = "trading_state"
    SESSION_WINDOW = "session_window"
    OUTSIDE_HOURS = "outside_hours"
    CLOCK_SKEW = "clock_skew"
    CALENDAR = "calendar_disagrees"
    INSTRUMENT = "instrument"
    SYMBOL_HALTED = "symbol_halted"
    NOT_SHORTABLE = "not_shortable"
    DATA_FRESH = "data_fresh"
    PRICE_SANE = "price_sane"
    DUPLICATE = "duplicate_intent"
    THROTTLE = "orders_per_session"
    RATE = "orders_per_minute"
    SYMBOL_LOCK = "symbol_lock"
    SIZE = "position_size"
    POSITION_CAP = "max_position_usd"
    QUANTITY = "max_order_quantity"
    MAX_POSITIONS = "max_positions"
    EXPOSURE = "max_exposure"
    LEVERAGE = "max_leverage"
    BUYING_POWER = "buying_power"
    MIN_CASH = "min_cash"
    LOT = "lot"


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit and the number that crossed it, in the limit's own unit (money, ppm, count, seconds)."""

    limit: str
    allowed: int
    actual: int
    unit: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gates say to one wanted trade: the quantity allowed and what each binding limit said.

    ``quantity`` is 0 when refused, less than asked when shrunk.
    """

    asked: int
    quantity: int
    breaches: tuple[Breach, ...] = ()

    @property
    def outcome(self) -> str:
        """Return "refused", "shrunk" or "allowed"."""
        if self.quantity == 0:
            return "refused"
        return "shrunk" if self.quantity < self.asked else "allowed"
