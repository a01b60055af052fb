"""Each contradiction is found, and only where it is."""

from __future__ import annotations

import pytest

from pipeline.domain.market import Instrument
from pipeline.settings.findings import Finding, LintFacts
from pipeline.settings.lint import lint
from pipeline.settings.loading import read_settings
from tests.unit.settings.conftest import BASE, REHEARSAL, Read

CAPPED = "risk_management: {max_exposure_pct: 0.06, position_size_pct: 0.02, max_positions: 3}\n"


def found(code: str, findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.code == code]


@pytest.mark.parametrize(
    ("code", "text", "keys", "said"),
    [
        (
            "ladder_order",
            "monitoring: {risk_monitoring: {alert_thresholds: {drawdown_warning: 0.09}}}",
            ("monitoring.risk_monitoring.alert_thresholds.drawdown_warning", "default reducing_drawdown"),
            "cautious_drawdown at 9 % is not below reducing_drawdown at 8 %",
        ),
        (
            "ladder_order",
            "emergency_procedures: {automatic_stops: {triggers: [{broker_disconnection: 60}]}}",
            (
                "default reducing_silence_seconds",
                "emergency_procedures.automatic_stops.triggers[0].broker_disconnection",
            ),
            "reducing_silence_seconds at 60 s is not below halted_silence_seconds at 60 s",
        ),
        (
            "same_limit_twice",
            "risk_management: {portfolio_controls: {daily_loss_limit_pct: 0.025}}",
            (
                "risk_management.daily_loss_limit_pct",
                "risk_management.portfolio_controls.daily_loss_limit_pct",
            ),
            "set to 3 %, 2.5 %; 2.5 % holds, the strictest",
        ),
        (
            "two_silences",
            "risk_management: {emergency_controls: {broker_connection_timeout: 60}}\n"
            "emergency_procedures: {automatic_stops: {triggers: [{broker_disconnection: 300}]}}",
            (
                "risk_management.emergency_controls.broker_connection_timeout",
                "emergency_procedures.automatic_stops.triggers[0].broker_disconnection",
            ),
            "after 60 s no new orders, after 300 s the emergency stop",
        ),
        (
            "warning_never_fires",
            CAPPED + "monitoring: {risk_monitoring: {alert_thresholds: {exposure_warning: 0.08}}}",
            (
                "monitoring.risk_monitoring.alert_thresholds.exposure_warning",
                "risk_management.max_exposure_pct",
            ),
            "capped at 6 %: the warning at 8 % can never fire",
        ),
        (
            "scaling_stage_capped",
            CAPPED + "deployment: {scaling_schedule: {weeks_1+:"
            " {capital: 50000, position_size_pct: 0.02, max_positions: 5}}}",
            (
                "deployment.scaling_schedule.weeks_1+.max_positions",
                "deployment.scaling_schedule.weeks_1+.position_size_pct",
                "risk_management.max_exposure_pct",
                "risk_management.max_positions",
            ),
            "5 × 2 % = 10 %; the exposure cap of 6 % wins, and risk_management.max_positions binds before it",
        ),
        (
            "exposure_cap_binds",
            "risk_management: {max_positions: 4}",
            (
                "risk_management.max_positions",
                "risk_management.position_size_pct",
                "risk_management.max_exposure_pct",
            ),
            "4 positions of 2 % are 8 %",
        ),
        (
            "holding_limit_never_binds",
            "risk_management: {time_controls: {close_positions_minutes: 30, max_holding_period_days: 10}}",
            (
                "risk_management.time_controls.close_positions_minutes",
                "risk_management.time_controls.max_holding_period_days",
            ),
            "closed 30 minutes before every close, so the limit of 10 days can never bind",
        ),
        (
            "near_close",
            "risk_management: {time_controls: {no_trading_near_close: true}}",
            (
                "risk_management.time_controls.no_trading_near_close",
                "risk_management.time_controls.close_positions_minutes",
            ),
            "nothing says how long before it",
        ),
        (
            "near_close",
            "risk_management: {time_controls: {no_trading_near_close: false, close_positions_minutes: 20}}",
            (
                "risk_management.time_controls.no_trading_near_close",
                "risk_management.time_controls.close_positions_minutes",
            ),
            "bought in the last 20 minutes is sold at once",
        ),
        (
            "times_follow_the_session",
            "daily_operations: {post_market: {time: '17:00'}}",
            ("daily_operations",),
            "post-market +60 min from the close",
        ),
        (
            "broker_retired",
            "data: {source: {provider: td_ameritrade}}",
            ("data.source.provider",),
            "shut on 2024-05-10",
        ),
        (
            "liquidation_wins",
            "risk_management: {emergency_controls: {auto_liquidation_drawdown: 0.15}}\n"
            "emergency_procedures: {automatic_stops: {triggers: [{drawdown_limit: 0.15}],"
            " actions: [reduce_position_sizes]}}",
            (
                "emergency_procedures.automatic_stops.actions",
                "risk_management.emergency_controls.auto_liquidation_drawdown",
            ),
            "at 15 % drawdown",
        ),
        (
            "usd_cap_binds",
            "portfolio: {initial_capital: 50000}\n"
            "risk_management: {position_controls: {max_position_size_usd: 500}}",
            ("risk_management.position_controls.max_position_size_usd", "portfolio.initial_capital"),
            "2 % of 50,000 is 1,000, but a position is capped at 500",
        ),
        (
            "ib_credentials_unused",
            "data: {source: {provider: interactive_brokers,"
            " api_credentials: {username: '${U}', password: '${P}'}}}",
            ("data.source.api_credentials.username", "data.source.api_credentials.password"),
            "a person logs in to TWS",
        ),
        (
            "criterion_never_decides",
            "validation: {success_criteria: {max_drawdown: 0.12}}",
            (
                "validation.success_criteria.max_drawdown",
                "risk_management.portfolio_controls.max_drawdown_pct",
            ),
            "halts at 10 % drawdown",
        ),
        (
            "cash_binds",
            "risk_management: {max_exposure_pct: 0.95}",
            ("risk_management.max_exposure_pct", "portfolio.cash_management.min_cash_pct"),
            "95 % exposure and 10 % cash",
        ),
        (
            "timetable_order",
            "daily_operations: {pre_market: {time: '10:00'}}",
            ("daily_operations.pre_market.time", "data.market_hours"),
            "pre_market.time is not before the open",
        ),
        (
            "procedure_left_out",
            "daily_operations: {post_market: {procedures: [prepare_next_day_config]}}",
            ("daily_operations.post_market.procedures",),
            "reconcile_positions, update_performance_tracking will not run",
        ),
        (
            "no_stop_loss",
            "risk_management: {stop_loss_pct: null}",
            ("risk_management.stop_loss_pct",),
            "switched off",
        ),
        (
            "channel_missing",
            "monitoring: {risk_monitoring: {automated_responses: {sms_on_critical: true}}}",
            (
                "monitoring.risk_monitoring.automated_responses.sms_on_critical",
                "monitoring.alert_channels.sms",
            ),
            "sms is to be sent",
        ),
        (
            "cannot_switch_off",
            "risk_management: {emergency_controls: {kill_switch: false}}",
            ("risk_management.emergency_controls.kill_switch",),
            "stay on, whatever a file says",
        ),
        ("monitoring_disabled", "monitoring: {enabled: false}", ("monitoring.enabled",), "nobody is told"),
        (
            "hours_of_the_calendar",
            "data: {market_hours: {end_time: '15:00'}}",
            (
                "data.market_hours.start_time",
                "data.market_hours.end_time",
                "data.market_hours.trading_calendar",
            ),
            "NYSE trades from 09:30 to 16:00",
        ),
        (
            "silent_channel",
            "monitoring: {alert_channels: {webhook: '${HOOK}'}}",
            ("monitoring.alert_channels.webhook",),
            "HOOK is not set, or empty; this channel stays silent",
        ),
        (
            "not_enforced",
            "risk_management: {volatility_controls: {max_symbol_volatility: 0.3}}",
            ("risk_management.volatility_controls.max_symbol_volatility",),
            "no gate of this version asks them",
        ),
        (
            "outside_hours_refused",
            "data: {source: {provider: interactive_brokers, ib_settings: {enable_outside_rth: true}}}",
            ("data.source.ib_settings.enable_outside_rth",),
            "outside the regular session only limit orders make sense",
        ),
        ("missing_variable", "", ("data.source.api_credentials.api_key",), "ALPACA_API_KEY is not set"),
        (
            "placeholder_webhook",
            "",
            ("monitoring.alert_channels.webhook",),
            "placeholder of the documentation",
        ),
        (
            "addresses_ignored",
            "data: {source: {provider: rehearsal, base_url: paper-api.alpaca.markets}}",
            ("data.source.base_url",),
            "its own exchange on this machine",
        ),
        (
            "rehearsal_is_not_live",
            "data: {source: {provider: rehearsal, environment: live}}",
            ("data.source.provider", "data.source.environment"),
            "this is SIM",
        ),
    ],
)
def test_a_contradiction_is_found_with_its_keys(
    read: Read, code: str, text: str, keys: tuple[str, ...], said: str
) -> None:
    first = found(code, lint(read(text)))[0]

    assert first.keys == keys
    assert said in first.message
    assert first.remedy


def test_the_example_on_the_rehearsal_exchange_has_nothing_to_correct() -> None:
    findings = lint(read_settings([BASE, REHEARSAL], environ={}))

    assert [finding.code for finding in findings] == ["one_ladder"]
    assert "daily loss 2 % / 3 % / 5 %" in findings[0].message


def test_a_threshold_that_history_never_crossed_is_found_and_one_that_it_crossed_is_not(read: Read) -> None:
    """0.025 against one-minute averages that were at most 0.31 % apart."""
    seen = {("Live_Momentum", "SPY"): 2_100, ("Live_Momentum", "QQQ"): 3_100, ("other", "SPY"): 900_000}

    silent = found("threshold_never_crossed", lint(read(), LintFacts(largest_gaps=seen)))
    crossed = lint(read(), LintFacts(largest_gaps=seen | {("Live_Momentum", "QQQ"): 25_001}))

    assert "2.5 % apart" in silent[0].message
    assert "SPY 0.21 %, QQQ 0.31 %" in silent[0].message
    assert silent[0].keys == ("strategies[0].params.signal_threshold", "data.timeframe")
    assert not found("threshold_never_crossed", crossed)
    assert not found("threshold_never_crossed", lint(read()))


def test_a_position_below_one_share_is_an_error_only_where_shares_are_whole(read: Read) -> None:
    """2 % of 10,000 is 200; SPY is at 670. The document's own example would never trade."""
    prices = {"SPY": 6_700_000, "QQQ": 1_990_000}
    whole = {"SPY": Instrument("SPY", lot=10**9, fractionable=False)}

    in_fractions = found("below_one_share", lint(read(), LintFacts(prices=prices)))
    never = found("below_one_share", lint(read(), LintFacts(prices=prices, instruments=whole)))
    rich = found("below_one_share", lint(read(), LintFacts(prices=prices, equity=50_000_000_000)))

    assert [(f.severity, "SPY at 670" in f.message) for f in in_fractions] == [("info", True)]
    assert [(f.severity, "can never trade" in f.message) for f in never] == [("error", True)]
    assert rich == []


def test_a_channel_that_nothing_delivers_is_found(read: Read) -> None:
    text = "monitoring: {risk_monitoring: {automated_responses: {email_on_warning: true}}}"

    assert found("channel_not_delivered", lint(read(text), LintFacts(notifiers=frozenset({"slack"}))))
    assert not found("channel_not_delivered", lint(read(text), LintFacts(notifiers=frozenset({"email"}))))


def test_a_liquidation_above_the_other_limit_contradicts_nothing(read: Read) -> None:
    text = (
        "risk_management: {emergency_controls: {auto_liquidation_drawdown: 0.20}}\n"
        "emergency_procedures: {automatic_stops: {triggers: [{drawdown_limit: 0.15}],"
        " actions: [reduce_position_sizes]}}"
    )

    assert not found("liquidation_wins", lint(read(text)))


def test_findings_come_worst_first(read: Read) -> None:
    order = [finding.severity for finding in lint(read("risk_management: {max_positions: 9}"))]

    assert order == sorted(order, key=["error", "warning", "info"].index)
