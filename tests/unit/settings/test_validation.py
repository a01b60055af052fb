"""What is refused, and the sentence it earns."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings.loading import load_settings, read_settings
from pipeline.settings.problems import ConfigurationErrors
from tests.unit.settings.conftest import BASE, CONFIG, REHEARSAL, Read


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("risk_management.position_size_pct=2", "2 means 200 %; did you mean 0.02?"),
        ("risk_management.position_size_pct=2%", "did you mean 0.02?"),
        ("risk_management.position_size_pct='0.02'", "must be a number, without quotes"),
        ("risk_management.position_size_pct=true", "must be a number, without quotes"),
        ("risk_management.position_size_pct=-0.02", "is too small"),
        ("risk_management.position_size_pct=0", "is too small"),
        ("risk_management.position_size_pct=1e-9", "less than one part per million"),
        ("risk_management.position_size_pct=.nan", "must be a finite number"),
        ("risk_management.max_positions=2.5", "must be a whole number"),
        ("risk_management.max_expousre_pct=0.06", "unknown key; did you mean 'max_exposure_pct'?"),
        (
            "risk_management.max_drawdown_pct=0.1",
            "it belongs at risk_management.portfolio_controls.max_drawdown_pct",
        ),
        ("riskmanagement.x=1", "unknown key; did you mean 'risk_management'?"),
        (
            "emergency_procedures.automatic_stops.triggers=[{drawdown_limt: 0.1}]",
            "did you mean 'drawdown_limit'?",
        ),
        ("deployment.scaling_schedule.weeks_1+.captal=1", "did you mean 'capital'?"),
        (
            "daily_operations.pre_market.procedures=[check_sistem_health]",
            "did you mean 'check_system_health'?",
        ),
        ("monitoring.enabled=on", "must be true or false, without quotes"),
        ("data.market_hours.end_time=960", 'did you mean "16:00"?'),
        ("data.market_hours.timezone=US/Estern", "is not a time zone"),
        ("data.symbols=[spy]", "did you mean SPY?"),
        ("data.symbols=[TRUE]", 'put it in quotes, as in "TRUE"'),
        ("data.symbols=[SPY, SPY]", "SPY stands twice"),
        ("data.symbols=SPY", "must be a list"),
        ("data.symbols=[]", "must not be empty"),
        ("data=", "must be a mapping of keys"),
        ("data.source.provider=alpacca", "did you mean 'alpaca'?"),
        ("data.source.base_url=http://api.example.com", "would send credentials unencrypted"),
        ("strategies.0.type=momentun", "did you mean 'momentum'?"),
        ("strategies.0.params.fast_perod=3", "did you mean 'fast_period'?"),
        ("strategies.0.allocation=1.5", "means 150 %"),
        ("workflow.name=${DESK}", "the environment variable DESK is not set"),
        (
            "performance_monitoring.performance_alerts.pnl_alerts.daily_loss_threshold=0.02",
            "write it below zero, as in -0.02",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_a_remedy(read: Read, override: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("", override)

    assert said in str(caught.value)
    assert "--set: " + override.partition("=")[0].partition(".")[0] in str(caught.value)


def test_everything_wrong_is_said_at_once_with_file_and_line(read: Read) -> None:
    with pytest.raises(ConfigurationErrors) as caught:
        read("risk_management:\n  position_size_pct: 2\n  max_positionss: 3\nexecution:\n  order_type: mkt\n")

    places = [(error.key, error.where.rpartition("/")[2]) for error in caught.value.errors]
    assert places == [
        ("risk_management.position_size_pct", "over.yaml:2"),
        ("risk_management.max_positionss", "over.yaml:3"),
        ("execution.order_type", "over.yaml:5"),
    ]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_number_may_come_from_a_variable_but_text_may_not_become_one(read: Read) -> None:
    text = (
        "portfolio: {initial_capital: '${CAPITAL}'}\n"
        "strategies: [{type: momentum, name: m, params: {fast_period: '${FAST:-5}', slow_period: 9}}]"
    )

    settings = read(text, environ={"CAPITAL": "2500"})

    assert (settings.portfolio.initial_capital, settings.strategies[0].params["fast_period"]) == (2500, 5)
    with pytest.raises(ConfigurationError, match="does not hold a number"):
        read(text, environ={"CAPITAL": "much"})


def test_scaling_stages_follow_each_other(read: Read) -> None:
    stage = "{capital: 1, position_size_pct: 0.01, max_positions: 1}"

    for wrong in (
        f"{{weeks_2_4: {stage}}}",
        f"{{weeks_1_4: {stage}, weeks_6+: {stage}}}",
        f"{{first: {stage}}}",
    ):
        with pytest.raises(ConfigurationError, match=r"does not follow|is not a stage"):
            read(f"deployment: {{scaling_schedule: {wrong}}}")


def test_a_phase_is_the_overlay_beside_the_last_file() -> None:
    settings = read_settings([BASE], environ={}, phase="paper_trading")

    assert (settings.deployment.phase, settings.portfolio.initial_capital) == ("paper_trading", 100_000)
    with pytest.raises(ConfigurationError, match=r"no such file.*gradual_scale_up\.yaml"):
        read_settings([BASE], environ={}, phase="papertrading")
    with pytest.raises(ConfigurationError, match="must say"):
        read_settings([BASE], environ={}, phase="rehearsal")
    with pytest.raises(ConfigurationError, match="live_arming"):
        read_settings([BASE], environ={}, phase="small_live_capital")


def test_a_deployment_that_will_run_needs_the_credentials_of_its_broker_and_no_others() -> None:
    """The seed's example names none: they are looked for where the document's Alpaca section has them."""
    with pytest.raises(ConfigurationErrors) as caught:
        load_settings([BASE], environ={"ALPACA_API_KEY": " "})

    assert [error.key.rpartition(".")[2] for error in caught.value.errors] == ["api_key", "secret_key"]
    assert "ALPACA_SECRET_KEY is not set" in str(caught.value)
    assert load_settings([BASE, REHEARSAL], environ={}).data.source.provider == "rehearsal"


def test_reading_the_configuration_imports_nothing_heavy() -> None:
    """`marketday status` answers in a second."""
    code = (
        "import sys; from pathlib import Path; from pipeline.settings.loading import read_settings; "
        "import pipeline.settings.lint, pipeline.settings.timetable, pipeline.settings.rehearsal; "
        f"read_settings([Path({str(CONFIG / 'live_momentum_strategy.yaml')!r})], environ={{}}); "
        "print(sorted({'prefect', 'pandas', 'numpy', 'requests', 'alpaca', 'duckdb'} & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_no_file_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="name a configuration"):
        read_settings([], environ={})
    with pytest.raises(ConfigurationError, match="no such file"):
        read_settings([Path("/nowhere/x.yaml")], environ={})
