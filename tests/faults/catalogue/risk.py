"""F81–F88 and F102–F104: positions, money and limits."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, shown

_RECONCILED = "tests/operations/test_reconciliation.py::test_"
_BOOKS = "tests/operations/test_books.py::test_"
_PROPERTY = "tests/operations/test_books_property.py::test_"
_GATES = "tests/unit/domain/test_gates.py::test_"
_CODES = "tests/unit/domain/test_gate_codes.py::test_"
_TRADER = "tests/operations/test_one_trader.py::test_"

FAULTS: dict[int, Proof] = {
    81: shown(
        "a person trades in the account",
        f"{_RECONCILED}a_trade_by_hand_is_kept_apart_and_never_put_right_by_trading",
        f"{_RECONCILED}an_adopted_trade_is_ours_and_its_exits_are_watched",
        f"{_RECONCILED}shares_of_ours_sold_by_hand_are_not_sold_again",
        f"{_RECONCILED}what_nobody_can_explain_halts_until_a_person_balances_the_books",
        f"{_PROPERTY}after_reconciliation_books_agree_or_the_symbol_is_locked",
    ),
    82: shown(
        "a person's order is open in the account",
        f"{_RECONCILED}an_order_by_hand_is_tagged_and_locks_its_symbol_until_it_is_gone",
        f"{_RECONCILED}what_others_hold_counts_in_the_exposure",
        f"{_CODES}holdings_and_buy_orders_that_are_not_ours_take_their_room",
        "tests/operations/test_joints.py::test_a_kill_leaves_orders_of_others_alone_unless_it_is_configured_otherwise",
    ),
    83: shown(
        "deposit, withdrawal, fee, dividend, interest",
        f"{_BOOKS}deposit_withdrawal_dividend_fee_and_interest_have_their_names",
        f"{_BOOKS}a_withdrawal_of_a_tenth_is_no_drawdown",
    ),
    84: shown(
        "the day's baseline after a restart",
        f"{_BOOKS}baseline_and_peak_outlive_a_restart",
    ),
    85: shown(
        "the peak after a restart, and one that is no number",
        f"{_BOOKS}baseline_and_peak_outlive_a_restart",
        f"{_BOOKS}a_peak_that_is_no_number_never_reaches_the_journal",
    ),
    86: shown(
        "a slow bleed of a fifth of a percent a step",
        "tests/unit/domain/test_ladder.py::test_a_slow_bleed_of_a_fifth_of_a_percent_a_step_trips_the_daily_limit",
    ),
    87: shown(
        "two decisions, each within a limit and jointly beyond it",
        f"{_TRADER}two_decisions_each_within_the_limit_and_jointly_beyond_it_become_one_order",
    ),
    88: shown(
        "the price moves while an order is held for review",
        "tests/operations/test_orders.py::test_a_price_beyond_the_collar_gives_a_held_entry_up",
    ),
    102: shown(
        "collar, notional, quantity, orders a minute, duplicates, orders a day: just below, at, just above",
        f"{_CODES}one_below_and_at_the_limit_pass_and_one_beyond_is_denied_by_its_own_code",
        f"{_CODES}every_denial_code_is_a_different_word",
        f"{_GATES}each_gate_refuses_just_beyond_its_limit",
    ),
    103: shown(
        "a loop that makes decisions without end",
        f"{_TRADER}a_loop_that_runs_wild_is_halted_at_the_limit",
    ),
    104: shown(
        "buying power shrinks between check and request",
        f"{_BOOKS}buying_power_that_shrinks_on_the_way_is_a_rejection_and_no_retry",
    ),
}
