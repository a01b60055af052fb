"""F1 … F34: an order's life, and the crash of the process that leads it."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, shown

CRASHES = "tests/operations/test_crashes.py"
LOST = "tests/operations/test_lost_orders.py"
CANCELS = "tests/operations/test_cancels.py"
TRADER = "tests/operations/test_one_trader.py"
PASSES = "tests/operations/test_passes.py"
HEARING = "tests/unit/domain/test_hearing.py"
DUST = "tests/unit/domain/test_dust.py"
GUARD = "tests/unit/domain/test_guard.py"
SUBMIT = "tests/unit/adapters/test_alpaca_submit.py"
LISTS = "tests/unit/adapters/test_alpaca_lists.py"

_ANYWHERE = f"{CRASHES}::test_killed_at_any_place_and_again_during_recovery_the_order_is_sent_once"
_EITHER_SIDE = f"{CRASHES}::test_killed_on_either_side_of_the_request_the_order_is_sent_once"
_PERMUTED = f"{HEARING}::test_any_order_of_events_told_once_or_twice_gives_the_same_life"

FAULTS: dict[int, Proof] = {
    1: shown(
        "killed before the intent is journalled",
        _ANYWHERE,
        f"{CRASHES}::test_killed_before_any_record_of_a_tick_and_run_again_it_sends_one_order",
    ),
    2: shown(
        "killed after the intent, before the request",
        _ANYWHERE,
        f"{CRASHES}::test_a_decision_too_old_is_given_up_instead_of_sent",
    ),
    3: shown(
        "killed in the middle of the request",
        _EITHER_SIDE,
        f"{SUBMIT}::test_an_accepted_order_is_unknown_and_posted_once_when_the_answer_settles_nothing",
    ),
    4: shown(
        "killed before the answer is read",
        _EITHER_SIDE,
        f"{CRASHES}::test_a_lost_answer_is_unknown_until_the_broker_is_asked",
    ),
    5: shown("killed before the answer is journalled", _ANYWHERE),
    6: shown(
        "killed before the store follows",
        f"{CRASHES}::test_killed_while_the_store_follows_it_catches_up_to_the_journal",
        "tests/unit/store/test_projection.py::test_a_rebuild_gives_the_same_rows_and_keeps_the_bars",
    ),
    7: shown(
        "killed in the middle of an append",
        "tests/unit/journal/test_damage.py::test_a_line_torn_by_a_crash_is_dropped_and_nothing_else",
        "tests/unit/journal/test_processes.py::test_what_was_acknowledged_outlives_a_kill_at_any_moment",
    ),
    8: shown("killed twice at different places", _ANYWHERE),
    9: shown(
        "killed during recovery",
        _ANYWHERE,
        f"{CRASHES}::test_killed_while_an_execution_is_booked_it_is_booked_once",
    ),
    10: shown(
        "killed between a cancel and its answer",
        f"{CANCELS}::test_a_crash_between_a_cancel_and_its_answer_ends_in_the_brokers_final_state",
    ),
    11: shown(
        "killed between HALT and its cancels",
        f"{CANCELS}::test_a_halt_that_died_before_its_cancels_is_finished_before_anything_else",
    ),
    12: shown(
        "told to end in the middle of a request",
        f"{TRADER}::test_a_process_told_to_end_in_the_middle_of_a_request_leaves_it_to_recovery",
    ),
    13: shown(
        "an orphan goes on without its runner",
        f"{TRADER}::test_an_orphan_that_lives_on_is_fenced_by_its_successor",
        f"{GUARD}::test_a_trader_that_lost_its_lease_writes_nothing_that_trades",
    ),
    14: shown("the same tick twice", f"{PASSES}::test_the_same_tick_twice_trades_once"),
    15: shown(
        "ticks that overlap",
        f"{PASSES}::test_a_tick_that_finds_the_account_busy_skips_and_can_still_be_done",
        f"{PASSES}::test_of_two_drivers_at_the_same_instant_one_trades",
    ),
    16: shown("two engines on one account", f"{TRADER}::test_of_two_engines_the_higher_epoch_trades"),
    17: shown(
        "a storm of missed ticks",
        f"{TRADER}::test_a_storm_of_missed_ticks_sends_nothing_and_is_told_once",
        f"{PASSES}::test_a_late_run_skips_itself_and_says_so_once",
    ),
    18: shown(
        "a retry on the way to an order",
        "tests/flows/test_retries.py::test_nothing_that_can_send_an_order_is_retried",
        "tests/flows/test_retries.py::test_recovery_sends_nothing",
    ),
    19: shown(
        "a lost order arrives late",
        f"{LOST}::test_a_late_order_counts_is_cancelled_at_once_and_told",
        f"{LOST}::test_a_late_order_is_found_for_hours_by_a_list_now_and_then",
        f"{HEARING}::test_what_was_given_up_rises_by_the_brokers_word_and_counts_again",
        f"{HEARING}::test_a_tombstone_is_raised_by_nobody_but_the_broker",
        "tests/operations/test_joints.py::test_an_exit_that_arrives_after_its_successor_leaves_no_short_position",
    ),
    20: shown(
        "executed while it was being cancelled",
        f"{CANCELS}::test_executions_after_a_confirmed_cancel_are_booked",
        f"{HEARING}::test_a_cancel_never_means_that_nothing_was_executed",
    ),
    21: shown(
        "a cancel rejected: filled already",
        f"{CANCELS}::test_an_order_filled_while_it_was_being_cancelled_is_a_position",
        "tests/unit/adapters/test_alpaca_reads.py"
        "::test_cancelling_what_is_final_or_unknown_to_the_broker_is_no_error",
    ),
    22: shown(
        "a cancel that is never confirmed",
        f"{CANCELS}::test_a_cancel_that_is_never_confirmed_is_never_assumed",
    ),
    23: shown("a fill before its acknowledgement, events out of order", _PERMUTED),
    24: shown("the same execution told twice", _PERMUTED),
    25: shown(
        "more executed than ordered",
        f"{CANCELS}::test_a_second_execution_of_the_same_shares_locks_the_symbol_for_a_person",
        "tests/operations/test_unhappy_paths.py::test_an_order_filled_twice_over_is_booked_locked_and_told",
        f"{GUARD}::test_more_executed_than_ordered_is_not_taken_for_granted",
    ),
    26: Proof(
        "an execution taken back or corrected",
        (
            "tests/operations/test_books.py::test_an_execution_taken_back_restates_position_cash_and_profit",
            "tests/operations/test_books.py::test_a_correction_is_a_bust_and_a_new_execution",
        ),
        "Interactive Brokers adapter: the suffix of an execution's id",
    ),
    27: shown(
        "an order that the broker replaced",
        f"{CANCELS}::test_an_order_that_the_broker_replaced_is_followed_and_counted_once",
        f"{HEARING}::test_an_order_that_was_replaced_is_counted_once_under_both_of_its_numbers",
        f"{LISTS}::test_an_order_that_was_replaced_is_followed_to_the_one_that_stands",
    ),
    28: shown(
        "an order that is not done in time",
        f"{CANCELS}::test_an_exit_that_times_out_is_cancelled_confirmed_and_only_then_decided_anew",
        "tests/operations/test_orders.py"
        "::test_what_is_not_filled_in_time_is_cancelled_and_what_was_filled_stays",
    ),
    29: shown(
        "every status, and those to come",
        f"{LISTS}::test_every_status_of_alpacas_specification_has_a_meaning",
        f"{LISTS}::test_any_other_status_is_unknown_and_never_an_error",
        f"{HEARING}::test_a_status_nobody_knows_says_that_the_order_is_there",
    ),
    30: shown(
        "an order left open at the close",
        f"{CANCELS}::test_an_order_left_open_at_the_close_is_cancelled_and_the_next_session_begins_empty",
        "tests/operations/test_unhappy_paths.py::test_a_cancel_that_got_lost_at_the_close_is_asked_again",
    ),
    31: shown(
        "an order that would cross zero",
        f"{GUARD}::test_an_entry_against_what_is_held_would_cross_zero",
        f"{GUARD}::test_an_exit_needs_a_position_on_the_other_side",
    ),
    32: shown(
        "sold twice while shares are held for an order",
        f"{CANCELS}::test_a_sale_that_the_broker_refuses_because_shares_are_held_opens_no_short",
        f"{GUARD}::test_shares_sold_but_not_booked_are_not_sold_again",
    ),
    33: shown(
        "dust, and sizes that round to nothing",
        f"{CANCELS}::test_an_exit_is_what_the_broker_lets_us_sell_to_the_last_dust",
        f"{DUST}::test_two_percent_of_ten_thousand_is_less_than_one_share_and_is_refused_by_name",
        f"{DUST}::test_a_size_is_whole_lots_never_dearer_than_its_money_and_as_much_as_fits",
        f"{DUST}::test_a_quantity_survives_the_way_to_the_broker_and_back_to_the_billionth",
        f"{SUBMIT}::test_an_order_leaves_as_exact_decimals_and_comes_back_in_our_words",
    ),
    34: shown(
        "an order against an open one of ours",
        f"{CANCELS}::test_an_exit_waits_once_for_the_open_entry_it_cancels",
    ),
}
