"""F115–F118: the kill switch, raced, cut off, forged and repeated."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, shown

_STOPS = "tests/operations/test_stops.py::test_"
_CLI = "tests/cli/test_stopping.py::test_"

FAULTS: dict[int, Proof] = {
    115: shown(
        "kill during open orders, partial fills and a request in flight",
        "tests/unit/journal/test_journal.py::test_halt_against_an_order_in_a_race_never_lets_an_order_follow",
        "tests/operations/test_emergencies.py::test_a_halt_between_decision_and_request_sends_nothing",
        "tests/operations/test_emergencies.py::"
        "test_a_halt_cancels_open_orders_at_the_next_pass_and_survives_a_restart",
        f"{_STOPS}an_order_on_its_way_when_somebody_halts_is_cancelled_by_that_very_pass",
        f"{_STOPS}an_order_whose_answer_nobody_heard_is_found_and_cancelled_by_the_kill",
        f"{_STOPS}twenty_open_orders_are_cancelled_within_five_seconds_though_one_request_fails",
    ),
    116: shown(
        "kill with the broker, DuckDB, Prefect or Slack down",
        f"{_STOPS}over_a_dead_line_a_cancel_is_called_unconfirmed_until_it_is",
        f"{_STOPS}a_cancel_that_the_broker_does_not_carry_out_is_never_called_done",
        f"{_CLI}status_names_each_cancel_that_nobody_confirmed",
        f"{_STOPS}what_waits_at_no_broker_is_given_up_by_the_journal_alone",
        f"{_CLI}a_halt_is_persisted_whatever_is_wrong_with_the_rest",
        f"{_CLI}a_halt_with_the_broker_down_persists_and_reports_unconfirmed_cancels",
        f"{_CLI}a_kill_imports_neither_prefect_nor_a_store_and_waits_for_no_channel",
    ),
    117: shown(
        "a kill or a resume that is forged, replayed or stale",
        f"{_STOPS}a_resume_that_was_asked_for_before_the_stop_is_refused",
        f"{_STOPS}a_resume_by_a_flow_with_real_money_wants_the_phrase",
        f"{_STOPS}kill_and_resume_twice_are_once",
        f"{_CLI}with_real_money_flatten_wants_its_phrase_typed",
        f"{_CLI}only_the_command_line_and_the_flow_can_resume",
    ),
    118: shown(
        "kill twice, resume twice or in doubt, restart and a new day after a kill",
        f"{_STOPS}kill_and_resume_twice_are_once",
        f"{_STOPS}no_resume_while_an_order_is_in_doubt_or_the_books_differ",
        f"{_STOPS}a_halt_outlives_a_restart_and_the_next_day",
        f"{_STOPS}a_crash_in_the_middle_of_a_resume_never_trades_into_the_old_drawdown",
        f"{_CLI}a_second_halt_changes_nothing_and_says_so",
    ),
}
