"""Metrics against numbers worked out by hand, and against `empyrical` where it is installed."""

from __future__ import annotations

import warnings
from datetime import date
from math import isclose, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.research import metrics

RETURNS = (0.01, -0.02, 0.03, 0.0)
"""Mean 0.005; squared deviations 0.000025, 0.000625, 0.000625, 0.000025: variance 0.0013 / 3."""


def test_the_ratios_are_what_a_hand_computes() -> None:
    """1.01 · 0.98 · 1.03 · 1 = 1.019494; the only fall is 2 % from the peak after the first session."""
    deviation = sqrt(0.0013 / 3)
    growth = 1.019494 ** (252 / 4) - 1

    assert isclose(metrics.volatility(RETURNS) or 0, deviation * sqrt(252), rel_tol=1e-12)
    assert isclose(metrics.sharpe(RETURNS) or 0, 0.005 / deviation * sqrt(252), rel_tol=1e-12)
    assert isclose(metrics.sortino(RETURNS) or 0, 0.005 * 252 / (sqrt(0.0004 / 4) * sqrt(252)), rel_tol=1e-12)
    assert isclose(metrics.max_drawdown(RETURNS), -0.02, rel_tol=1e-12)
    assert isclose(metrics.cagr(RETURNS) or 0, growth, rel_tol=1e-12)
    assert isclose(metrics.calmar(RETURNS) or 0, growth / 0.02, rel_tol=1e-12)


def test_what_is_not_defined_is_none() -> None:
    """No variation, no loss, one session, everything lost: neither 0 nor infinity."""
    assert metrics.sharpe((0.01, 0.01)) is None
    assert metrics.sortino((0.01, 0.02)) is None
    assert metrics.calmar((0.01, 0.02)) is None
    assert metrics.volatility((0.01,)) is None
    assert metrics.cagr((0.1, -1.0)) is None


def test_a_loss_in_the_first_session_is_a_drawdown() -> None:
    assert metrics.drawdowns((-0.1, 0.05)) == pytest.approx([-0.1, 0.9 * 1.05 - 1])


def test_months_follow_each_other_without_a_gap() -> None:
    """100 → 110 in January, → 99 in February: +10 %, −10 %."""
    days = (date(2026, 1, 29), date(2026, 1, 30), date(2026, 2, 2))

    assert metrics.monthly(100, days, (105, 110, 99)) == pytest.approx({(2026, 1): 0.1, (2026, 2): -0.1})


@settings(deadline=None)
@given(st.lists(st.integers(-2_000, 2_000).map(lambda bp: bp / 10_000), min_size=2, max_size=60))
def test_empyrical_says_the_same(returns: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed")
        import numpy

        found = numpy.array(returns)
        pairs = [
            (metrics.cagr(returns), empyrical.cagr(found)),
            (metrics.volatility(returns), empyrical.annual_volatility(found)),
            (metrics.sharpe(returns), empyrical.sharpe_ratio(found)),
            (metrics.sortino(returns), empyrical.sortino_ratio(found)),
            (metrics.max_drawdown(returns), empyrical.max_drawdown(found)),
            (metrics.calmar(returns), empyrical.calmar_ratio(found)),
        ]

    assert [(a, b) for a, b in pairs if a is not None and not isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)] == []
