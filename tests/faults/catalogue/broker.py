"""F35–F61: the broker's interface and the line to it."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, later, shown

_SUBMIT = "tests/unit/adapters/test_alpaca_submit.py"
_READS = "tests/unit/adapters/test_alpaca_reads.py"
_LISTS = "tests/unit/adapters/test_alpaca_lists.py"
_BUDGET = "tests/unit/adapters/test_alpaca_budget.py"
_STREAM = "tests/unit/adapters/test_alpaca_stream.py"
_WIRE = "tests/operations/test_broker_faults.py"
_HINTS = "tests/operations/test_hints.py"
_BOOKS = "tests/operations/test_reconciliation.py"

_POSTED_ONCE = f"{_WIRE}::test_an_accepted_order_whose_answer_is_spoiled_is_posted_once_and_found"
_SETTLES_NOTHING = (
    f"{_SUBMIT}::test_an_accepted_order_is_unknown_and_posted_once_when_the_answer_settles_nothing"
)
_IB, _SCHWAB = "Interactive Brokers adapter", "Schwab adapter"

FAULTS: dict[int, Proof] = {
    35: shown(
        "429 once or for ever: the limit is honoured, cancels keep their reserve, an order was not sent",
        f"{_BUDGET}::test_one_answer_of_too_many_silences_submissions_and_not_cancels",
        f"{_BUDGET}::test_a_fifth_is_left_for_cancels_when_everything_else_is_spent",
        f"{_BUDGET}::test_twenty_orders_are_cancelled_in_time_although_the_minute_is_spent",
        f"{_BUDGET}::test_a_limit_says_for_how_long_by_the_brokers_own_clock",
        f"{_WIRE}::test_too_many_requests_delay_an_order_and_lose_nothing",
    ),
    36: shown(
        "500, 502 as a web page, 503, before or after the order was accepted",
        _SETTLES_NOTHING,
        _POSTED_ONCE,
    ),
    37: shown("504 after the order was accepted: one POST by us", _SETTLES_NOTHING, _POSTED_ONCE),
    38: shown(
        "no byte comes",
        f"{_SUBMIT}::test_a_silent_broker_ends_at_the_read_timeout_before_the_total_deadline",
        _POSTED_ONCE,
    ),
    39: shown(
        "bytes drip: the deadline is for the whole answer",
        f"{_SUBMIT}::test_bytes_that_drip_end_at_the_total_deadline",
        _SETTLES_NOTHING,
    ),
    40: shown("a malformed, truncated or empty 200", _SETTLES_NOTHING, _POSTED_ONCE),
    41: shown(
        "the schema drifts",
        f"{_WIRE}::test_a_drifting_schema_never_doubles_an_order",
        f"{_LISTS}::test_a_field_that_changed_its_type_stops_no_reader_that_does_not_need_it",
        f"{_LISTS}::test_an_order_that_does_not_say_what_was_executed_is_unknown",
        f"{_LISTS}::test_every_status_of_alpacas_specification_has_a_meaning",
        f"{_LISTS}::test_any_other_status_is_unknown_and_never_an_error",
        f"{_LISTS}::test_an_order_that_cannot_be_read_is_told_beside_those_that_can",
        f"{_READS}::test_an_account_is_read_without_the_fields_that_alpaca_has_removed",
    ),
    42: shown(
        "the key is revoked in mid-day",
        f"{_WIRE}::test_a_key_revoked_in_mid_day_halts_keeps_what_is_known_and_asks_hardly_again",
        f"{_BUDGET}::test_a_revoked_key_is_shown_once_and_again_after_a_pause",
        f"{_WIRE}::test_wrong_keys_end_in_a_refusal_and_not_in_a_loop",
    ),
    43: shown(
        "the account is blocked, or restricted to closing",
        f"{_WIRE}::test_a_blocked_account_is_entered_no_more",
        f"{_WIRE}::test_an_account_restricted_to_closing_rejects_the_entry_and_takes_the_exit",
        f"{_LISTS}::test_an_account_tells_why_it_is_restricted",
    ),
    44: shown(
        "no name, no connection, no TLS",
        f"{_SUBMIT}::test_a_name_that_does_not_resolve_means_that_nothing_was_sent",
        f"{_SUBMIT}::test_a_refused_connection_means_that_nothing_was_sent",
        f"{_SUBMIT}::test_a_connection_that_is_not_secure_means_that_nothing_was_sent",
        f"{_SUBMIT}::test_an_order_that_could_not_leave_in_time_never_leaves",
    ),
    45: shown(
        "disconnected for more than 60 s, and for more than 300 s",
        f"{_WIRE}::test_ninety_seconds_of_silence_stop_entries_and_the_books_are_compared_before_the_next",
        f"{_WIRE}::test_six_minutes_of_silence_halt_for_good",
        "tests/unit/adapters/test_clocks.py"
        "::test_the_exchanges_clock_is_its_control_ports_so_that_time_passes_while_the_broker_is_silent",
    ),
    46: shown(
        "a limit breaks while disconnected",
        f"{_WIRE}::test_a_limit_that_broke_while_the_line_was_dead_is_seen_before_any_signal",
    ),
    47: shown(
        "the stream drops, stalls in silence, or loops over refused credentials",
        f"{_HINTS}::test_a_muted_socket_is_noticed_while_asking_books_everything",
        f"{_HINTS}::test_a_stream_that_hides_an_execution_is_told_once_and_connected_anew",
        f"{_HINTS}::test_a_stream_that_stays_down_or_is_refused_is_told",
        f"{_STREAM}::test_a_connection_that_is_given_up_is_made_anew",
        f"{_STREAM}::test_refused_keys_are_told_without_the_keys",
        f"{_STREAM}::test_a_broker_that_says_too_soon_is_left_alone_for_longer",
    ),
    48: shown(
        "the stream replays or skips events",
        f"{_HINTS}::test_whatever_the_stream_says_the_books_are_what_rest_shows",
        f"{_STREAM}::test_a_dropped_connection_is_made_again_and_counts_as_a_change",
    ),
    49: shown(
        "the question for positions fails, or is answered empty once",
        f"{_WIRE}::test_positions_that_are_not_answered_leave_the_books_alone",
        f"{_WIRE}::test_an_empty_list_of_positions_sells_buys_and_forgets_nothing",
        f"{_READS}::test_positions_that_cannot_be_read_are_never_flat",
        f"{_LISTS}::test_positions_of_which_one_cannot_be_read_are_not_answered",
    ),
    50: shown(
        "orders and positions disagree for up to ten seconds",
        f"{_BOOKS}::test_lists_that_disagree_for_seconds_after_an_execution_are_given_ten_seconds",
    ),
    51: shown(
        "more than 500 orders",
        f"{_READS}::test_open_orders_are_complete_beyond_a_page_even_when_all_are_of_one_instant",
        f"{_READS}::test_orders_that_do_not_go_on_are_not_taken_for_all",
    ),
    52: shown(
        "the broker's clock is wrong, or disagrees with the calendar",
        f"{_WIRE}::test_a_broker_that_calls_the_exchange_closed_is_asked_before_anything_is_entered",
    ),
    53: later("IB 1100, 1101, 1102: the connection is lost and restored", _IB),
    54: later("IB's nightly reset, and a weekly login that was missed", _IB),
    55: later("IB's client id in use, wrong port, account of the wrong kind", _IB),
    56: later("IB errors 105, 321, 329 about an order that is live", _IB),
    57: later("IB's order ids go backwards", _IB),
    58: later("IB's pacing violations", _IB),
    59: later("IB's market data is delayed", _IB),
    60: later("Schwab loses the Location header; the token's seventh day", _SCHWAB),
    61: shown(
        "a cancel of everything fails for some orders",
        f"{_LISTS}::test_each_item_of_a_broker_wide_cancel_is_looked_at",
        f"{_LISTS}::test_a_broker_wide_cancel_without_an_item_for_each_order_is_not_done",
        f"{_WIRE}::test_a_broker_wide_cancel_reports_what_it_could_not_cancel",
        "tests/operations/test_joints.py::test_a_cancel_that_is_answered_500_is_that_orders_own_trouble",
        "tests/operations/test_joints.py::test_a_kill_from_the_command_line_names_the_orders_of_others_that_are_left",
    ),
}
