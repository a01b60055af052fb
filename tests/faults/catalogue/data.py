"""F62–F80: market data and the calendar."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, shown

_DATA = "tests/operations/test_data_faults.py::test_"
_DOUBT = "tests/operations/test_market_doubts.py::test_"
_RULES = "tests/unit/quality/test_quality.py::test_"
_SCHEMA = "tests/unit/quality/test_schemas.py::test_"
_GATES = "tests/unit/domain/test_gate_codes.py::test_"
_FEED = "tests/unit/adapters/test_alpaca_market_data.py::test_"
_PHASES = "tests/unit/test_phases.py::test_"
_SCHEDULES = "tests/unit/settings/test_schedules.py::test_"
_PASSES = "tests/operations/test_passes.py::test_"
_BOOKS = "tests/operations/test_books.py::test_"

FAULTS: dict[int, Proof] = {
    62: shown(
        "NaN, infinity or nothing in a bar",
        f"{_DATA}a_bar_that_cannot_be_true_stops_new_risk_in_its_symbol_only",
        f"{_FEED}a_bar_that_cannot_be_true_is_refused_by_name_and_the_other_symbols_go_on",
        f"{_GATES}a_number_that_is_none_denies_whatever_it_stands_for",
        f"{_GATES}every_limit_holds_against_a_number_that_cannot_be_compared",
    ),
    63: shown(
        "prices not above zero, high below low, open or close outside, negative volume",
        f"{_DATA}a_bar_that_cannot_be_true_stops_new_risk_in_its_symbol_only",
        f"{_FEED}a_bar_that_cannot_be_true_is_refused_by_name_and_the_other_symbols_go_on",
        f"{_SCHEMA}schema_and_rules_refuse_the_same_rows",
    ),
    64: shown(
        "stale data, or a feed that stands still",
        "tests/unit/domain/test_gates.py::test_each_gate_refuses_just_beyond_its_limit",
        f"{_DATA}quotes_that_are_an_hour_old_stop_nobody_out_and_let_nobody_in",
        f"{_DATA}a_feed_that_stands_still_is_not_traded_on",
        f"{_RULES}a_feed_that_repeats_itself_stands_still",
    ),
    65: shown(
        "a bar twice, with the same or with other values",
        f"{_DATA}repeated_and_unsorted_bars_are_put_right",
        f"{_DATA}two_truths_for_one_minute_are_a_conflict_and_the_other_symbol_is_traded",
        f"{_RULES}a_bar_told_twice_is_one_bar_and_told_in_two_ways_a_conflict",
        f"{_SCHEMA}schema_and_rules_find_the_same_conflicts",
    ),
    66: shown(
        "bars out of order, or with holes",
        f"{_DATA}repeated_and_unsorted_bars_are_put_right",
        f"{_DATA}a_hole_gives_no_signal",
        f"{_DATA}a_pause_of_five_minutes_is_no_hole",
        f"{_RULES}two_missing_bars_are_a_pause_and_three_a_hole",
    ),
    67: shown(
        "a spike",
        f"{_DATA}a_spike_waits_for_the_next_bar_and_one_that_was_none_is_not_traded_on",
        f"{_DATA}a_stop_is_not_made_on_one_spiking_bar_and_the_monitors_quote_does_not_confirm_it",
        f"{_DATA}a_fall_that_is_real_is_stopped_out_by_the_next_word",
        f"{_RULES}a_close_beyond_the_collar_waits_for_the_next_bar",
        f"{_RULES}a_move_of_ten_usual_ranges_waits_as_well",
        f"{_RULES}on_six_real_sessions_no_rule_speaks",
    ),
    68: shown(
        "the day of a split or a dividend",
        f"{_DATA}a_split_makes_no_signal_no_stop_and_no_drawdown",
        f"{_RULES}a_ten_for_one_split_leaves_no_jump_between_the_bars",
        f"{_RULES}a_split_counts_from_its_day_on_and_a_ratio_of_nothing_never",
        f"{_BOOKS}a_split_counts_shares_entry_and_stop_anew_once",
        f"{_BOOKS}deposit_withdrawal_dividend_fee_and_interest_have_their_names",
    ),
    69: shown(
        "a symbol changes its name, or a company is spun off",
        f"{_BOOKS}a_symbol_change_puts_its_symbols_in_quarantine_and_names_the_activity",
    ),
    70: shown(
        "adjusted and raw bars, or two feeds, in one series",
        f"{_RULES}two_feeds_are_not_one_series",
        "tests/unit/store/test_bars.py::test_every_kept_bar_says_which_feed_it_is_from",
        f"{_FEED}every_bar_says_which_feed_it_is_from",
        f"{_SCHEMA}two_feeds_and_a_wrong_order_are_found_in_their_symbol",
        f"{_GATES}what_stops_new_risk_has_its_own_code",
    ),
    71: shown(
        "a bar that is not over yet",
        f"{_DATA}an_unclosed_bar_is_not_seen",
        f"{_FEED}bars_come_from_all_pages_sorted_once_each_and_only_when_complete",
        f"{_FEED}no_bar_can_be_complete_before_its_length_has_passed",
    ),
    72: shown(
        "a time without a zone, or in a wrong one",
        f"{_DATA}a_bar_that_cannot_be_true_stops_new_risk_in_its_symbol_only",
        f"{_FEED}a_bar_that_cannot_be_true_is_refused_by_name_and_the_other_symbols_go_on",
        f"{_SCHEMA}times_without_a_zone_or_in_another_one_are_no_bars",
    ),
    73: shown(
        "this machine's clock is wrong, or jumps",
        f"{_DOUBT}a_clock_that_differs_from_the_brokers_warns_and_then_stops_new_risk",
        f"{_DOUBT}a_clock_that_jumps_repeats_nothing",
    ),
    74: shown(
        "the days on which the clock changes",
        f"{_PHASES}the_open_is_half_past_nine_on_either_side_of_a_clock_change",
        f"{_PHASES}every_session_of_twelve_years_has_exactly_its_phases",
        f"{_SCHEDULES}half_past_nine_follows_the_change_of_the_clock",
        f"{_SCHEDULES}a_schedule_at_another_hour_than_it_says_is_an_error",
    ),
    75: shown(
        "a cron without a time zone",
        f"{_SCHEDULES}a_schedule_at_another_hour_than_it_says_is_an_error",
        f"{_SCHEDULES}every_shipped_schedule_is_in_the_zone_of_the_exchange",
        f"{_SCHEDULES}config_check_fails_on_a_schedule_without_a_zone",
    ),
    76: shown(
        "half-days, holidays and closures that nobody planned",
        f"{_PASSES}a_half_day_is_planned_to_its_real_close",
        f"{_PASSES}a_cron_run_on_a_holiday_skips_itself",
        f"{_PHASES}holidays_their_substitutes_and_the_sundays_of_the_clock_change_are_no_sessions",
        f"{_PHASES}a_closure_that_a_person_names_is_no_session_and_changes_no_file",
        f"{_DOUBT}a_broker_that_says_closed_while_we_think_open_stops_new_risk",
    ),
    77: shown(
        "a halted symbol",
        f"{_DOUBT}a_halted_symbol_gets_no_order_and_counts_in_full",
        f"{_GATES}an_exit_that_follows_from_a_price_waits_until_the_price_is_believed",
        f"{_GATES}what_stops_new_risk_has_its_own_code",
    ),
    78: shown(
        "a symbol that is delisted, inactive, not fractionable, not shortable",
        f"{_DOUBT}a_symbol_that_is_no_longer_traded_is_refused_and_the_broker_was_asked_when_it_went_silent",
        f"{_GATES}what_stops_new_risk_has_its_own_code",
        f"{_GATES}a_short_sale_needs_an_instrument_that_may_be_sold_short",
        f"{_GATES}a_symbol_that_trades_in_whole_shares_is_denied_when_a_position_is_less_than_one",
        "tests/operations/test_reconciliation.py::"
        "test_a_symbol_that_the_broker_does_not_know_is_named_before_the_open",
    ),
    79: shown(
        "an order outside the regular session",
        f"{_GATES}what_stops_new_risk_has_its_own_code",
        f"{_DOUBT}before_the_open_nothing_is_entered",
        "tests/unit/settings/test_lint.py::test_a_contradiction_is_found_with_its_keys",
    ),
    80: shown(
        "no symbols, one bar, five hundred symbols",
        f"{_DOUBT}five_hundred_symbols_are_one_request_and_nothing_is_a_defined_result",
        f"{_DOUBT}one_bar_gives_no_signal_to_who_needs_more",
        "tests/unit/settings/test_validation.py::test_a_wrong_value_is_refused_with_its_key_and_a_remedy",
    ),
}
