"""What somebody might do to a desk: T1 to T18."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, later, shown

_ACCESS = "tests/security/test_prefect_access.py"
_CANARIES = "tests/security/test_canaries.py"
_REDACTION = "tests/security/test_redaction.py"
_INJECTION = "tests/security/test_injection.py"
_WAYS_IN = "tests/security/test_ways_in.py"
_STORAGE = "tests/security/test_storage_faults.py"
_CHAT = "the control page and chat commands: web and chat"

THREATS: dict[int, Proof] = {
    1: shown(
        "Anybody on the machine, or a page in its browser, talks to Prefect's API",
        f"{_ACCESS}::test_without_the_password_nothing_is_read_and_nothing_is_started",
        f"{_ACCESS}::test_the_password_alone_is_not_enough_to_change_something",
        f"{_ACCESS}::test_another_page_may_not_even_ask",
        f"{_ACCESS}::test_the_server_listens_on_loopback_only",
        f"{_ACCESS}::test_the_password_is_in_one_private_file_and_nowhere_else",
        f"{_ACCESS}::test_a_password_that_others_could_read_is_made_anew_and_a_link_is_refused",
    ),
    2: shown(
        "Secrets in Prefect's database, results and artifacts, in logs, DuckDB, journal, reports",
        f"{_CANARIES}::test_no_canary_is_found_in_anything_that_stays",
        f"{_CANARIES}::test_the_search_finds_a_canary_in_each_of_its_forms",
        "tests/flows/test_deployments.py::test_a_run_gets_a_path_and_neither_number_nor_secret",
    ),
    3: shown(
        "Libraries that log their secrets at DEBUG",
        f"{_REDACTION}::test_a_log_record_shows_no_secret_in_any_form",
        f"{_REDACTION}::test_the_sdk_of_slack_never_speaks_below_info",
        "tests/unit/notification/test_slack.py::test_secrets_stay_out_of_errors_and_logs_at_debug_level",
        "tests/unit/adapters/test_alpaca_stream.py::test_refused_keys_are_told_without_the_keys",
    ),
    4: shown(
        "The key of Prefect's secret blocks lies beside them",
        f"{_ACCESS}::test_the_key_of_secret_blocks_is_not_in_the_database_beside_them",
    ),
    5: shown(
        "A forged or replayed Slack command: nobody listens for one",
        f"{_WAYS_IN}::test_nothing_of_ours_listens_but_the_rehearsal_exchange",
    ),
    6: later("A forged SMS or call", _CHAT),
    7: later("A forged e-mail", _CHAT),
    8: later("A kill button that another page presses", _CHAT),
    9: shown(
        "Resuming or raising a limit by way of a chat",
        f"{_WAYS_IN}::test_a_resume_is_reached_from_the_command_and_its_flow_and_from_nowhere_else",
        "tests/cli/test_stopping.py::test_with_real_money_flatten_wants_its_phrase_typed",
    ),
    10: shown(
        "Live and paper confused",
        "tests/unit/settings/test_connection.py::test_live_needs_the_word_and_the_sentence",
        "tests/unit/settings/test_connection.py::test_signs_of_paper_and_live_must_agree",
        "tests/unit/adapters/test_alpaca_reads.py::test_host_key_and_account_must_all_be_of_the_configured_mode",
        "tests/unit/adapters/test_socket_guard.py::test_no_way_of_asking_for_a_live_host_gets_a_socket",
    ),
    11: shown(
        "An address that leads elsewhere: another host, plain HTTP, a redirect",
        "tests/unit/settings/test_connection.py::test_a_rehearsal_never_has_a_brokers_address",
        "tests/unit/settings/test_connection.py::test_signs_of_paper_and_live_must_agree",
        "tests/unit/adapters/test_alpaca_reads.py"
        "::test_a_matching_account_passes_and_a_mismatched_host_is_never_called",
        f"{_WAYS_IN}::test_an_address_that_is_not_alpacas_never_gets_its_keys",
        "tests/unit/adapters/test_alpaca_submit.py"
        "::test_an_accepted_order_is_unknown_and_posted_once_when_the_answer_settles_nothing",
    ),
    12: shown(
        "Code in what is loaded: pickle, YAML",
        f"{_INJECTION}::test_nothing_is_executed_that_was_loaded",
        "tests/flows/test_deployments.py::test_a_flow_keeps_no_result_and_asks_no_server_where_it_would",
    ),
    13: shown(
        "Injection through symbols, names, messages, SQL, shell lines",
        f"{_INJECTION}::test_a_symbol_is_letters_digits_dot_and_dash_or_it_is_refused",
        f"{_INJECTION}::test_a_configuration_with_another_symbol_is_refused_by_name",
        f"{_INJECTION}::test_nothing_in_an_alert_becomes_a_mention_a_link_or_markup",
        f"{_INJECTION}::test_a_value_never_becomes_sql",
        f"{_INJECTION}::test_a_query_reads_tables_and_no_file_and_changes_nothing",
        f"{_INJECTION}::test_a_homes_name_stays_a_name_in_the_lines_for_a_shell",
    ),
    14: shown(
        "The journal is forged, shortened, or replaced by an older copy",
        f"{_STORAGE}"
        "::test_a_journal_put_back_to_an_older_copy_with_its_anchor_is_betrayed_by_the_head_that_was_told",
        "tests/unit/journal/test_damage.py::test_a_forged_history_is_refused_even_when_its_chain_fits",
        "tests/unit/journal/test_journal.py::test_only_the_owner_may_read_the_journal",
    ),
    15: shown(
        "Noise: kills in a loop, alerts in a flood, answers of a megabyte",
        f"{_WAYS_IN}::test_a_thousand_halts_are_one_and_a_thousand_equal_alerts_are_one",
        f"{_WAYS_IN}::test_an_alert_of_any_length_is_cut_before_it_is_journalled",
    ),
    16: shown(
        "A dependency that changed",
        "tests/unit/test_ground.py::test_a_lock_holds_only_exact_versions_and_their_hashes",
        "tests/unit/test_ground.py::test_prefect_is_locked_with_the_versions_its_server_works_with",
        "tests/flows/test_runs.py::test_a_schedule_really_makes_runs",
    ),
    17: shown(
        "Backups and logs that leak",
        f"{_STORAGE}::test_a_backup_holds_the_journal_and_neither_a_database_nor_a_password",
        f"{_CANARIES}::test_no_canary_is_found_in_anything_that_stays",
    ),
    18: shown(
        "A key that can do more than trade, or was revoked",
        "tests/unit/adapters/test_alpaca_budget.py::test_a_revoked_key_is_shown_once_and_again_after_a_pause",
        "tests/security/test_ways_in.py::test_the_handbook_says_how_to_make_keep_and_change_keys",
    ),
}
