"""F89–F101: what people write, and what is written for them."""

from __future__ import annotations

from tests.faults.catalogue.model import Proof, later, shown

_SETTINGS = "tests/unit/settings/"
_ACCOUNT = "tests/unit/adapters/test_alpaca_reads.py::"
_RESEARCH = "research and promotion"

FAULTS: dict[int, Proof] = {
    89: shown(
        "limits that contradict each other",
        f"{_SETTINGS}test_lint.py::test_a_contradiction_is_found_with_its_keys",
        f"{_SETTINGS}test_effective.py::test_of_several_sections_the_strictest_number_holds",
    ),
    90: shown(
        "the wrong unit: 2, 2 %, −0.02, basis points, 0, true, 1e-9, text",
        f"{_SETTINGS}test_mutations.py::test_any_value_in_any_place_is_refused_or_within_the_caps",
        f"{_SETTINGS}test_mutations.py::"
        "test_a_fraction_in_percent_in_basis_points_negative_or_zero_is_refused",
        f"{_SETTINGS}test_validation.py::test_a_wrong_value_is_refused_with_its_key_and_a_remedy",
        f"{_SETTINGS}test_caps.py::test_a_cap_is_reached_and_never_passed",
    ),
    91: shown(
        "a mistyped key, a key twice, a tab, an anchor bomb, on and off",
        f"{_SETTINGS}test_mutations.py::test_a_mistyped_key_is_refused_and_named",
        f"{_SETTINGS}test_documents.py::test_what_is_not_plain_yaml_is_one_sentence_with_a_place",
        f"{_SETTINGS}test_documents.py::test_times_words_and_numbers_are_what_they_look_like",
    ),
    92: shown(
        "a variable that is missing, empty, blank, or holds a reference",
        f"{_SETTINGS}test_documents.py::test_variables_are_put_in_after_parsing_so_a_value_is_never_yaml",
        f"{_SETTINGS}test_documents.py::test_a_variable_that_holds_a_reference_was_never_put_in",
        f"{_SETTINGS}test_documents.py::test_a_broken_reference_is_refused",
        f"{_SETTINGS}test_validation.py::"
        "test_a_deployment_that_will_run_needs_the_credentials_of_its_broker_and_no_others",
    ),
    93: shown(
        "credentials of a live account in a paper configuration",
        f"{_SETTINGS}test_connection.py::test_signs_of_paper_and_live_must_agree",
        f"{_ACCOUNT}test_host_key_and_account_must_all_be_of_the_configured_mode",
        "tests/operations/test_reconciliation.py::test_an_account_of_the_wrong_kind_is_no_go",
    ),
    94: shown(
        "credentials or the address of a paper account in a live configuration",
        f"{_SETTINGS}test_connection.py::test_signs_of_paper_and_live_must_agree",
        f"{_ACCOUNT}test_host_key_and_account_must_all_be_of_the_configured_mode",
        f"{_ACCOUNT}test_a_matching_account_passes_and_a_mismatched_host_is_never_called",
    ),
    95: shown(
        "live without a word of a person",
        f"{_SETTINGS}test_connection.py::test_live_needs_the_word_and_the_sentence",
        f"{_SETTINGS}test_connection.py::test_an_arming_needs_each_of_its_three_parts",
        "tests/operations/test_procedures.py::test_an_arming_that_has_ended_is_a_no_go_and_nothing_else",
    ),
    96: shown(
        "the configuration is changed in mid-session",
        "tests/operations/test_versions.py::"
        "test_a_process_with_other_code_or_configuration_does_nothing_and_is_told_once",
        "tests/operations/test_versions.py::"
        "test_even_with_the_lease_another_version_neither_claims_nor_sends",
    ),
    97: shown(
        "another version of the code runs somewhere",
        "tests/operations/test_versions.py::"
        "test_a_process_with_other_code_or_configuration_does_nothing_and_is_told_once",
        "tests/operations/test_versions.py::test_a_person_accepts_the_change_and_the_old_version_stands_down",
    ),
    98: later("scaling up on a Sharpe ratio of NaN, or on few trades", _RESEARCH),
    99: later("an optimisation returns nonsense", _RESEARCH),
    100: later("parameters written by half", _RESEARCH),
    101: later("an optimisation that crashes, an approval that is old", _RESEARCH),
}
