"""Contradictions that are legal but wrong, each with the keys it is about and a remedy (DESIGN §3)."""

from __future__ import annotations

from pipeline.settings.effective import risk_limits
from pipeline.settings.findings import Case, Finding, LintFacts
from pipeline.settings.lint_accounts import ACCOUNT_RULES
from pipeline.settings.lint_ladder import LADDER_RULES
from pipeline.settings.lint_operations import OPERATION_RULES
from pipeline.settings.lint_sizes import SIZE_RULES
from pipeline.settings.lint_stops import STOP_RULES
from pipeline.settings.models.root import Settings

_ORDER = {"error": 0, "warning": 1, "info": 2}


def lint(settings: Settings, facts: LintFacts | None = None) -> tuple[Finding, ...]:
    """Return what is legal but wrong, worst first. Rules that need a fact nobody gave say nothing."""
    case = Case(settings, risk_limits(settings), facts or LintFacts())
    rules = (*ACCOUNT_RULES, *LADDER_RULES, *STOP_RULES, *SIZE_RULES, *OPERATION_RULES)
    found = [finding for rule in rules for finding in rule(case)]
    return tuple(sorted(found, key=lambda finding: _ORDER[finding.severity]))
