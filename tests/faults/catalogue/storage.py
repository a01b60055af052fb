"""Storage, orchestration, notification: F105 to F114."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, shown

_STORAGE = "tests/security/test_storage_faults.py"
_PROCESSES = "tests/unit/store/test_processes.py"
_JOURNAL = "tests/unit/journal/test_damage.py"
_ACCESS = "tests/security/test_prefect_access.py"
_SLACK = "tests/unit/notification/test_slack.py"
_ALERTING = "tests/unit/notification/test_alerting.py"

FAULTS: dict[int, Proof] = {
    105: shown(
        "DuckDB is held by another process",
        f"{_STORAGE}::test_a_database_shell_blocks_neither_a_trade_nor_a_halt_and_people_hear_of_it",
        f"{_STORAGE}::test_a_database_that_is_closed_within_the_patience_is_waited_for",
        "tests/operations/test_store.py::test_a_store_held_by_another_process_delays_nothing_but_itself",
        "tests/cli/test_stopping.py::test_a_halt_is_persisted_whatever_is_wrong_with_the_rest",
    ),
    106: shown(
        "DuckDB's file or log is corrupt, or missing",
        f"{_STORAGE}::test_a_broken_store_is_set_aside_and_made_again_while_the_desk_trades",
        f"{_PROCESSES}::test_a_corrupt_file_is_set_aside_and_restored_from_the_journal",
        f"{_PROCESSES}::test_a_corrupt_log_costs_only_the_log",
        f"{_PROCESSES}::test_a_rebuild_replaces_a_corrupt_file_and_says_where_it_went",
        "tests/cli/test_reading.py::test_store_verify_finds_what_differs_and_rebuild_repairs_it",
    ),
    107: shown(
        "The journal has a flipped bit, is truncated, deleted or put back older",
        f"{_JOURNAL}::test_any_flipped_bit_is_found",
        f"{_JOURNAL}::test_any_lost_tail_is_found",
        f"{_JOURNAL}::test_a_journal_that_vanished_or_was_put_back_older_is_missed",
        f"{_STORAGE}::test_no_verb_works_on_a_damaged_journal_and_each_says_which_record_and_what_to_do",
        f"{_STORAGE}::test_a_desk_on_a_damaged_journal_runs_no_pass_and_sends_nothing",
    ),
    108: shown(
        "The disk is full",
        f"{_STORAGE}::test_on_a_full_disk_no_order_leaves",
        f"{_STORAGE}::test_on_a_full_disk_a_halt_is_kept_and_its_cancels_reach_the_exchange",
        f"{_STORAGE}::test_the_report_the_store_and_the_log_may_run_out_of_room_and_trading_goes_on",
        "tests/unit/journal/test_processes.py::test_a_full_disk_refuses_the_record_and_keeps_the_journal",
        "tests/unit/journal/test_journal.py::test_the_kill_switch_works_on_a_full_disk",
    ),
    109: shown(
        "The home is read-only, in the wrong hands, behind a link, or on a network",
        f"{_STORAGE}::test_a_home_behind_a_link_in_the_wrong_hands_or_on_a_network_is_refused",
        f"{_STORAGE}::test_a_read_only_home_is_refused_before_anything_starts",
    ),
    110: shown(
        "A backup opens the database in the process that holds it; a fork inherits it",
        f"{_STORAGE}::test_nobody_opens_or_copies_the_database_file_but_duckdb",
        f"{_STORAGE}::test_a_backup_holds_the_journal_and_neither_a_database_nor_a_password",
        f"{_PROCESSES}::test_processes_that_take_turns_lose_no_commit",
    ),
    111: shown(
        "Prefect's API is down before a run, or dies during one",
        "tests/flows/test_driver.py::test_a_session_goes_on_without_prefect_and_trades_the_same",
        "tests/e2e/test_power_loss.py::test_trading_resumes_within_30_seconds",
        "tests/operations/test_watching.py::test_five_minutes_without_a_tick_while_the_session_is_open_is_an_alarm",
    ),
    112: shown(
        "Prefect's scheduler is dead but healthy, its runs are zombies, its slots leaked",
        f"{_ACCESS}::test_runs_of_dead_processes_are_ended_and_their_slots_freed",
        "tests/e2e/test_power_loss.py::test_no_slot_is_wedged_and_prefect_takes_over_again",
        "tests/flows/test_runs.py::test_a_schedule_really_makes_runs",
        "tests/operations/test_watching.py::test_five_minutes_without_a_tick_while_the_session_is_open_is_an_alarm",
        "tests/cli/test_watchdog.py::test_once_says_what_is_wrong_journals_it_once_and_exits_with_1",
    ),
    113: shown(
        "Slack answers 429, 5xx, ok:false, 404, or hangs; a message is too long",
        f"{_SLACK}::test_not_now_is_transient_with_the_seconds_slack_asks_for",
        f"{_SLACK}::test_a_refusal_is_terminal_and_names_a_remedy",
        f"{_SLACK}::test_ok_false_is_sorted_by_its_code",
        f"{_SLACK}::test_data_can_neither_mention_nor_link_nor_overflow",
        f"{_ALERTING}::test_a_channel_that_asks_for_patience_gets_it_and_the_other_is_not_told_twice",
        f"{_ALERTING}::test_what_a_channel_refuses_for_good_is_recorded_and_does_not_hold_up_the_rest",
        f"{_ALERTING}::test_the_background_deliverer_posts_while_appends_never_wait_for_a_slow_channel",
    ),
    114: shown(
        "A storm of alerts",
        f"{_ALERTING}::test_a_storm_is_merged_and_spaced_but_critical_alerts_go_out_first_and_each",
        f"{_ALERTING}::test_the_same_alert_is_told_once",
        "tests/security/test_ways_in.py::test_a_thousand_halts_are_one_and_a_thousand_equal_alerts_are_one",
    ),
}
