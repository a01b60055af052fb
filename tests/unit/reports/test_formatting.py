"""How numbers look."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import formatting as fmt
from pipeline.domain.money import to_money, to_price, to_qty


def test_money_carries_currency_separators_and_a_true_minus_sign() -> None:
    """U+2212, as wide as a plus; nothing gets a sign that rounds to zero."""
    assert fmt.money(to_money("10041.2")) == "$10,041.20"
    assert fmt.signed_money(to_money("41.2")) == "+$41.20"
    assert fmt.signed_money(to_money("-312.4")) == "\u2212$312.40"
    assert fmt.signed_money(to_money("-0.004")) == "$0.00"
    assert fmt.money(to_money("5"), "CHF") == "CHF 5.00"


def test_a_fraction_stands_beside_its_limit() -> None:
    """A loss against the limit; a profit names the limit only."""
    assert fmt.pnl_of_limit(-31_240, -30_000) == "−3.12 % of −3.00 %"
    assert fmt.pnl_of_limit(4_100, -30_000) == "+0.41 %, limit −3.00 %"
    assert fmt.of_limit(39_000, 60_000) == "3.90 % of 6.00 %"
    assert fmt.signed_percent(-40) == "0.00 %"
    assert fmt.basis_points(-119) == "−1.2 bp"


def test_quantities_and_prices_have_the_decimals_they_need() -> None:
    """No trailing zeros, no exponent, two decimals at least for a price."""
    quantities = [fmt.quantity(to_qty(text)) for text in ("3", "1200", "0.298100000", "-5", "0.000000001")]
    prices = [fmt.price(to_price(text)) for text in ("671.2", "1671.2", "165.3421", "0.105")]

    assert quantities == ["3", "1,200", "0.2981", "−5", "0.000000001"]
    assert prices == ["671.20", "1,671.20", "165.3421", "0.105"]
    assert fmt.cents(to_price("165.3461")) == "165.35"


def test_times_say_their_zone_in_summer_and_in_winter() -> None:
    """14:30 UTC is 10:30 in New York in October and 09:30 in December."""
    assert fmt.time_of_day(datetime(2013, 10, 7, 14, 30, 5, tzinfo=UTC)) == "10:30:05 ET"
    assert fmt.minute_of_day(datetime(2013, 12, 9, 14, 30, tzinfo=UTC)) == "09:30 ET"
    assert fmt.minute_of_day(datetime(2013, 12, 9, 14, 30, tzinfo=UTC), "Europe/London") == "14:30 GMT"
    assert fmt.long_date(date(2013, 10, 7)) == "Mon 7 Oct 2013"


def test_durations_and_counts_read_as_words() -> None:
    """The unit that a person would choose."""
    assert [fmt.duration(s) for s in (0.084, 2.5, 59.96, 245, 7440)] == [
        "84 ms",
        "2.5 s",
        "1m00s",
        "4m05s",
        "2h04m",
    ]
    assert [fmt.count(n, "trade") for n in (0, 1, 1181)] == ["no trades", "1 trade", "1,181 trades"]


@given(st.integers(-(10**15), 10**15))
def test_a_sum_of_money_reads_back_to_the_cent(amount: int) -> None:
    """Rounded half away from zero, never further than half a cent off."""
    text = fmt.signed_money(amount)

    assert abs(to_money(text.replace("−", "-").replace("$", "").replace(",", "")) - amount) <= 5_000


@given(st.text())
def test_one_line_is_printable_and_stays_so(text: str) -> None:
    """Nothing that moves a cursor or breaks a line is left."""
    line = fmt.one_line(text)

    assert line == "" or line.isprintable()
    assert fmt.one_line(line) == line
