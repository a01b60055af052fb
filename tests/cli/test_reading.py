"""What the read verbs say, against numbers computed by hand; see ``homes.a_losing_day``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.adapters.duckdb_store.connection import open_database
from pipeline.domain.codec import encode
from pipeline.domain.journal import Kind
from pipeline.domain.money import to_money, to_qty
from pipeline.domain.portfolio import CashActivity
from pipeline.operations.report_incidents import load_incidents
from pipeline.wiring.desks import open_store
from tests.cli.homes import Home, a_losing_day, marketday, printed_json


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return a_losing_day(tmp_path)


def test_status_gives_every_number_of_the_account_beside_its_limit(home: Home) -> None:
    """Day −10.45 of 10,000; month −110.45 of 10,100; drawdown 210.45 of 10,200; 2,004.15 exposed."""
    told = printed_json("status", "--home", home.path)

    assert told["badge"] == "SIM"
    assert told["state"]["name"] == "NORMAL"
    assert told["account_numbers"] == {
        "at": "2026-11-20T15:54:00Z",
        "equity": 9989.55,
        "cash": 7985.4,
        "day_pnl": -10.45,
        "day_pnl_fraction": -0.001045,
        "month_pnl_fraction": -0.010936,
        "drawdown_fraction": 0.020632,
        "exposure": 2004.15,
        "exposure_fraction": 0.200625,
    }
    assert told["limits"] == {"daily_loss": 0.03, "drawdown": 0.1, "monthly_loss": 0.08, "exposure": 0.06}
    assert told["session"]["is_open"]


def test_positions_show_profit_stop_and_age(home: Home) -> None:
    """3 SPY at 671.20, now 668.05: −9.45. The stop is 1.5 % below the average: 661.132."""
    expected = {
        "symbol": "SPY",
        "side": "long",
        "quantity": 3,
        "average_price": 671.2,
        "last_price": 668.05,
        "value": 2004.15,
        "unrealized": -9.45,
        "stop": 661.132,
        "opened_at": "2026-11-20T14:32:00Z",
        "age_seconds": 4920,
    }

    assert printed_json("positions", "--home", home.path) == [expected]


def test_a_status_fits_a_narrow_terminal_and_says_its_state_in_words(home: Home) -> None:
    """80 columns, no colour: nothing is cut, nothing depends on colour."""
    lines = marketday("status", "--home", home.path).stdout.splitlines()

    assert lines[0] == "SIM · NORMAL: entries and exits"
    assert lines[1] == "exchange open, closes 16:00 ET (5h06m) · now 10:54:00 ET (15:54:00 UTC)"
    assert lines[3] == "equity $9,989.55 · cash $7,985.40 · day −$10.45 (−0.10 % of −3.00 %)"
    assert lines[4] == "drawdown −2.06 % of −10.00 % · exposure 20.06 % of 6.00 %"
    row = next(line for line in lines if line.startswith("SPY"))
    assert row.split() == ["SPY", "LONG", "3", "671.20", "668.05", "−$9.45", "661.13", "1h22m"]
    assert max(map(len, lines)) <= 80


def test_status_names_what_waits_for_a_person(home: Home) -> None:
    """A held order with its release and its veto, an order in doubt, a locked symbol, a silent broker."""
    home.decide("md1-held", "buy", "QQQ", "1", "601.50", hold_seconds=30)
    home.decide("md1-lost", "buy", "IWM", "2", "240.00")
    home.send("md1-lost", "2")
    home.add(Kind.UNKNOWN, {"intent_id": "md1-lost", "reason": "timeout"})
    home.add(Kind.LOCK, {"symbol": "SPY", "reason": "reconciliation: 3 against 4"})
    home.add(Kind.SILENCE, {"since": (home.now - timedelta(seconds=65)).isoformat(), "failures": 2})

    shown = " ".join(marketday("status", "--home", home.path).stdout.split())

    assert "HELD buy 1 QQQ (entry) until 10:54:30 ET (30.0 s): marketday veto md1-held --reason" in shown
    assert "IN DOUBT (UNKNOWN) buy 2 IWM (entry): timeout" in shown
    assert "LOCKED SPY: reconciliation: 3 against 4" in shown
    assert "broker SILENT for 1m05s (2 failures)" in shown


def test_a_halted_status_says_who_and_why_and_exits_4_only_when_asked(home: Home) -> None:
    """Reading is fine while halted; a script that wants to know asks with --exit-code."""
    data = {"state": 3, "reason": "fat finger", "by": "pat", "resume": False}
    home.add(Kind.STATE, data)

    plain = marketday("status", "--home", home.path)
    asked = marketday("status", "--home", home.path, "--exit-code")

    assert (plain.exit_code, asked.exit_code) == (0, 4)
    assert "SIM · HALTED: nothing new is sent" in plain.stdout
    assert "since Fri 20 Nov 10:54:00 ET by pat: fat finger" in plain.stdout


def test_trades_give_slippage_against_the_arrival_price_and_profit_taken(home: Home) -> None:
    """Bought 0.20 above 671.00: 0.80 lost on 4, 298 ppm. Sold 0.20 above 670.00: 0.20 won; 1.00 lost."""
    bought, sold = printed_json("trades", "--home", home.path)

    assert (bought["slippage"], bought["slippage_fraction"], bought["realized"]) == (-0.8, -0.000298, 0)
    assert (sold["slippage"], sold["slippage_fraction"], sold["realized"]) == (0.2, 0.000299, -1)
    assert (sold["price"], sold["arrival_price"], sold["purpose"], sold["fills"]) == (670.2, 670, "exit", 1)


def test_profit_of_trades_is_the_books_after_a_split_an_adoption_and_a_bust(home: Home) -> None:
    """3 SPY are left at 671.20. 1 is sold by hand at 670.20 and adopted: −1.00. 2 become 4 in a split 2:1,
    which cost 1,342.40; 2 are sold at 340.00, which cost 671.20: +8.80.
    Another 1 is sold at 335.00, cost 335.60: −0.60, and taken back: +0.60. With the first −1.00 that is 6.80.
    """
    home.trade_by_hand("x-1", "SPY", "sell", "1", "670.20")
    moved = {"symbol": "SPY", "quantity": to_qty("-1"), "cost": to_money("-670.20")}
    home.add(Kind.ADOPTED, moved | {"cash": to_money("670.20"), "by": "pat", "reason": "mine"})
    home.now += timedelta(minutes=1)
    home.split("SPY", 2, 1)
    home.decide("md1-third", "sell", "SPY", "2", "340.00")
    home.fill("md1-third", "2", "340.00")
    home.decide("md1-fourth", "sell", "SPY", "1", "335.00")
    home.fill("md1-fourth", "1", "335.00")
    home.now += timedelta(minutes=1)
    gone = home.journal.ledger.fills["f-md1-fourth"]
    bust = {"fill_id": gone.id, "reason": "taken back", "realized": home.journal.ledger.realized[gone.id]}
    home.add(Kind.BUST, bust | {"external": False, "fill": encode(gone)})
    home.snapshot("9990", "9000", SPY="334")

    told = printed_json("trades", "--home", home.path)
    (session,) = printed_json("pnl", "--home", home.path)

    assert [(one["purpose"], one["realized"]) for one in told] == [
        ("entry", 0),
        ("exit", -1),
        ("adopted", -1),
        ("exit", 8.8),
        ("exit", -0.6),
        ("taken back", 0.6),
    ]
    assert round(sum(one["realized"] for one in told), 6) == session["realized"] == 6.8


def test_orders_shows_what_is_under_way_and_with_all_what_ended(home: Home) -> None:
    """Two are filled; one is held."""
    home.decide("md1-held", "buy", "QQQ", "1", "601.50", hold_seconds=30)

    under_way = printed_json("orders", "--home", home.path)
    every = printed_json("orders", "--all", "--home", home.path)

    assert [(one["id"], one["state"]) for one in under_way] == [("md1-held", "held")]
    assert [one["id"] for one in every] == ["md1-first", "md1-second", "md1-held"]
    assert "veto md1-held" in " ".join(marketday("orders", "--home", home.path).stdout.split())


def test_pnl_brings_the_store_up_to_date_and_agrees_with_the_ledger(home: Home) -> None:
    """The store did not exist: it is made of the journal. The session lost 10.45, 1.00 of it realized."""
    (session,) = printed_json("pnl", "--home", home.path)

    assert (session["session"], session["pnl"], session["pnl_fraction"]) == ("2026-11-20", -10.45, -0.001045)
    assert (session["realized"], session["fees"], session["fills"]) == (-1, 0, 2)
    assert max(map(len, marketday("pnl", "--home", home.path).stdout.splitlines())) <= 80


def test_risk_puts_each_limit_beside_what_is_used_of_it(home: Home) -> None:
    """Daily loss 0.1045 % of 2, 3 and 5 %; exposure 20.06 % is over its cap of 6 %."""
    rows = printed_json("risk", "--home", home.path)

    losses = [(row["actual"], row["limit"], row["reached"]) for row in rows if row["name"] == "daily loss"]
    assert losses == [(0.001045, 0.02, False), (0.001045, 0.03, False), (0.001045, 0.05, False)]
    (exposure,) = (row for row in rows if row["name"] == "exposure")
    assert (exposure["actual"], exposure["limit"], exposure["reached"]) == (0.200625, 0.06, True)
    (stop,) = (row for row in rows if row["name"] == "stop loss")
    assert (stop["actual"], stop["limit"]) == (0.004693, 0.015)


def test_incidents_are_the_reports_time_line_newest_last(home: Home) -> None:
    """Thirty passes fail in one outage: one line. A deposit, a split, a trade by hand and a halt follow."""
    home.decide("md1-lost", "buy", "IWM", "2", "240.00")
    home.send("md1-lost", "2")
    home.add(Kind.UNKNOWN, {"intent_id": "md1-lost", "reason": "timeout"})
    went_silent = home.now
    for number in range(30):
        home.add(Kind.SILENCE, {"since": went_silent.isoformat(), "failures": number + 1})
        home.fail("intraday-tick", "EXCHANGE did not answer: timeout")
        home.now += timedelta(minutes=1)
    home.add(Kind.SILENCE, {"since": None, "failures": 0})
    for _ in range(3):
        home.now += timedelta(minutes=1)
        home.fail("intraday-tick", "disk full")
    home.now += timedelta(minutes=1)
    home.add(Kind.CASH, encode(CashActivity("c-1", "CSD", to_money("500"), home.now, "wire")))
    home.split("SPY", 2, 1)
    home.trade_by_hand("x-1", "QQQ", "buy", "2", "600")
    home.now += timedelta(minutes=1)
    home.add(Kind.STATE, {"state": 3, "reason": "fat finger", "by": "pat", "resume": False})

    told = printed_json("incidents", "--home", home.path)
    report = load_incidents(open_store(home.path), home.now.date())
    shown = " ".join(marketday("incidents", "--home", home.path).stdout.split())

    silent = "30 calls in a row without an answer, 30 runs failed for it"
    assert [(one["what"], one["why"]) for one in told] == [(one.what, one.why) for one in report]
    assert [(one["what"], one["why"]) for one in told] == [
        ("the broker was silent", silent),
        ("outcome of IWM order unknown", "timeout"),
        ("failed run: intraday-tick", "disk full"),
        ("somebody else traded", "buy 2 QQQ at 600.00, by order o-x-1"),
        ("deposit", "$500.00 (CSD)"),
        ("split", "SPY 2:1 (s-1)"),
        ("trading HALTED", "fat finger (pat)"),
    ]
    assert told[0]["ended"] == "answered again 11:24:00 ET, after 30m00s"
    assert told[2]["ended"] == "3 times, the last 11:27:00 ET"
    assert "7 incidents, newest last" in shown


def test_a_halt_that_a_later_session_ended_says_so_with_its_date(home: Home) -> None:
    """Halted on Friday, resumed on Monday; and a halt before any session was planned is told as well."""
    home.add(Kind.STATE, {"state": 3, "reason": "fat finger", "by": "pat", "resume": False})
    home.now += timedelta(days=3)
    hours = {"open": home.now.isoformat(), "close": home.now.isoformat(), "early_close": False}
    home.add(Kind.SESSION, {"day": "2026-11-23", **hours, "runs": []})
    clean = {"session": "2026-11-23", "clean": True, "trigger": "resume", "discrepancies": []}
    home.add(Kind.RECONCILED, clean)
    home.add(Kind.STATE, {"state": 0, "reason": "checked", "by": "pat", "resume": True})
    early = Home(home.path.parent / "early")
    early.add(Kind.STATE, {"state": 3, "reason": "not today", "by": "pat", "resume": False})

    (halt,) = printed_json("incidents", "--home", home.path)
    (before,) = printed_json("incidents", "--home", early.path)

    assert halt["ended"] == "resumed Mon 23 Nov 2026 10:54:00 ET: checked (pat)"
    assert (before["why"], before["ended"]) == ("not today (pat)", "")


def test_a_status_comes_out_without_a_configuration(home: Home) -> None:
    """The journal alone is enough: numbers yes, limits no, and the sentence says why."""
    (home.path / "desk.json").write_text("{")

    result = marketday("status", "--home", home.path)

    assert result.exit_code == 0
    assert "day −$10.45 (−0.10 %)" in result.stdout
    assert "limits are not shown" in result.stdout


def test_two_accounts_in_one_home_are_told_apart(home: Home) -> None:
    """The configured account is the default; another is chosen by name, and a wrong name lists them."""
    Home(home.path, "alpaca-live", configured=False)

    assert printed_json("status", "--home", home.path)["account"] == "rehearsal"
    assert printed_json("status", "--home", home.path, "--account", "alpaca-live")["badge"] == "LIVE"
    wrong = marketday("status", "--home", home.path, "--account", "alpaca-lvie")
    assert wrong.exit_code == 2
    assert "choose one of alpaca-live, rehearsal" in " ".join(wrong.stderr.split())


def test_an_unknown_home_is_a_sentence_and_stays_unmade(tmp_path: Path) -> None:
    """A read verb makes nothing."""
    result = marketday("status", "--home", tmp_path / "nowhere")

    assert result.exit_code == 2
    assert "no desk has run there yet" in " ".join(result.stderr.split())
    assert not (tmp_path / "nowhere").exists()


def test_store_verify_finds_what_differs_and_rebuild_repairs_it(home: Home) -> None:
    """A row changed behind the store's back is a difference; a rebuild from the journal removes it."""
    printed_json("pnl", "--home", home.path)
    with open_database(home.path / "marketday.duckdb") as connection:
        connection.execute("UPDATE fills SET price = price + 1")

    before = marketday("store", "verify", "--home", home.path)
    rebuilt = marketday("store", "rebuild", "--home", home.path)
    after = marketday("store", "verify", "--home", home.path)

    assert (before.exit_code, rebuilt.exit_code, after.exit_code) == (1, 0, 0)
    assert "fills has rows that differ from the journal's" in before.stdout
    rows = printed_json("store", "query", "SELECT symbol, quantity FROM positions", "--home", home.path)
    assert rows == [{"symbol": "SPY", "quantity": 3}]
    refused = marketday("store", "query", "DELETE FROM fills", "--home", home.path)
    assert refused.exit_code == 2


def test_a_store_that_is_merely_behind_a_running_desk_is_no_difference(home: Home) -> None:
    """The desk wrote a record since it projected last: everything projected agrees."""
    printed_json("pnl", "--home", home.path)
    home.add(Kind.LOCK, {"symbol": "SPY", "reason": "x"})

    found = marketday("store", "verify", "--home", home.path)
    told = printed_json("store", "verify", "--home", home.path)

    assert found.exit_code == 0
    assert "1 record behind" in found.stdout
    assert (told["ok"], told["behind"], told["differences"]) == (True, 1, [])
