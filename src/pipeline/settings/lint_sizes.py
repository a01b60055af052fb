"""Lint of sizes and signals: caps that bind first, limits and thresholds that never do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pipeline.domain.money import PPM, PRICE_SCALE, to_money, to_ppm
from pipeline.settings.effective import initial_cash
from pipeline.settings.findings import Case, Finding, dollars, percent
from pipeline.settings.models.deployment import ScalingStage


def _exposure_warning(case: Case) -> Iterator[Finding]:
    warning = case.settings.monitoring.risk_monitoring.alert_thresholds.exposure_warning
    if warning is not None and to_ppm(warning) >= case.limits.max_exposure:
        cap = case.limits.max_exposure
        yield Finding(
            "warning_never_fires",
            (
                "monitoring.risk_monitoring.alert_thresholds.exposure_warning",
                "risk_management.max_exposure_pct",
            ),
            f"exposure is capped at {percent(cap)}: the warning at {percent(to_ppm(warning))} can never fire",
            f"warn below the cap, for example at {cap * 3 // 4 / PPM:g}",
        )


def _exposure_cap(case: Case) -> Iterator[Finding]:
    limits = case.limits
    if limits.max_positions * limits.position_size > limits.max_exposure:
        yield Finding(
            "exposure_cap_binds",
            (
                "risk_management.max_positions",
                "risk_management.position_size_pct",
                "risk_management.max_exposure_pct",
            ),
            f"{limits.max_positions} positions of {percent(limits.position_size)} are "
            f"{percent(limits.max_positions * limits.position_size)}; the exposure cap of "
            f"{percent(limits.max_exposure)} binds first",
            "raise the cap, or lower the size or the number of positions",
        )
    if limits.max_exposure + limits.min_cash > PPM:
        yield Finding(
            "cash_binds",
            ("risk_management.max_exposure_pct", "portfolio.cash_management.min_cash_pct"),
            f"{percent(limits.max_exposure)} exposure and {percent(limits.min_cash)} cash are more than "
            "everything; the cash limit binds first",
            "lower one of the two",
        )


def _scaling_stages(case: Case) -> Iterator[Finding]:
    for name, stage in case.settings.deployment.scaling_schedule.items():
        wanted = stage.max_positions * to_ppm(stage.position_size_pct)
        if wanted > case.limits.max_exposure:
            at = f"deployment.scaling_schedule.{name}"
            yield Finding(
                "scaling_stage_capped",
                (f"{at}.max_positions", f"{at}.position_size_pct", *_binding(case, stage)),
                f"stage {name} wants {stage.max_positions} × {percent(to_ppm(stage.position_size_pct))} = "
                f"{percent(wanted)}; the exposure cap of {percent(case.limits.max_exposure)} wins"
                + "".join(f", and {key} binds before it" for key in _binding(case, stage)[1:]),
                "raise risk_management.max_exposure_pct when the stage is reached, or lower the stage",
            )


def _binding(case: Case, stage: ScalingStage) -> tuple[str, ...]:
    """Return the keys outside the schedule that hold a stage back, the exposure cap first."""
    risk = case.settings.risk_management
    found = ["risk_management.max_exposure_pct"]
    if risk.max_positions is not None and risk.max_positions < stage.max_positions:
        found.append("risk_management.max_positions")
    if risk.position_size_pct is not None and risk.position_size_pct < stage.position_size_pct:
        found.append("risk_management.position_size_pct")
    return tuple(found)


def _usd_cap(case: Case) -> Iterator[Finding]:
    cap = case.limits.max_position_money
    if cap is None:
        return
    key = "risk_management.position_controls.max_position_size_usd"
    sizes: Mapping[str, tuple[int, int]] = {
        "portfolio.initial_capital": (initial_cash(case.settings), case.limits.position_size),
        **{
            f"deployment.scaling_schedule.{name}": (to_money(stage.capital), to_ppm(stage.position_size_pct))
            for name, stage in case.settings.deployment.scaling_schedule.items()
        },
    }
    for where, (capital, size) in sizes.items():
        if cap < capital * size // PPM:
            yield Finding(
                "usd_cap_binds",
                (key, where),
                f"{percent(size)} of {dollars(capital)} is {dollars(capital * size // PPM)}, but a position "
                f"is capped at {dollars(cap)}; the cap wins",
                "raise the cap, or lower the size so that both say the same",
            )


def _size_below_one_share(case: Case) -> Iterator[Finding]:
    equity = case.facts.equity if case.facts.equity is not None else initial_cash(case.settings)
    money = equity * case.limits.position_size // PPM
    if case.limits.max_position_money is not None:
        money = min(money, case.limits.max_position_money)
    for symbol in case.settings.data.symbols:
        price = case.facts.prices.get(symbol)
        if price is None or price * 1_000_000 // PRICE_SCALE <= money:
            continue
        instrument = case.facts.instruments.get(symbol)
        whole = instrument is not None and not instrument.fractionable
        share = dollars(price * 1_000_000 // PRICE_SCALE)
        yield Finding(
            "below_one_share",
            ("risk_management.position_size_pct", "portfolio.initial_capital", "data.symbols"),
            f"a position of {dollars(money)} is less than one share of {symbol} at {share}: "
            + ("it can never trade" if whole else "it is traded in fractions of a share"),
            "raise the size or the capital, or leave the symbol out" if whole else "nothing to do",
            "error" if whole else "info",
        )


def _holding_period(case: Case) -> Iterator[Finding]:
    if case.limits.flatten_minutes and case.limits.max_holding_days is not None:
        yield Finding(
            "holding_limit_never_binds",
            (
                "risk_management.time_controls.close_positions_minutes",
                "risk_management.time_controls.max_holding_period_days",
            ),
            f"everything is closed {case.limits.flatten_minutes} minutes before every close, so the limit of "
            f"{case.limits.max_holding_days} days can never bind",
            "remove one of the two",
        )


def _near_close(case: Case) -> Iterator[Finding]:
    time = case.settings.risk_management.time_controls
    written = "no_trading_near_close" in time.model_fields_set
    if not written or time.no_trading_near_close is bool(time.close_positions_minutes):
        return
    message = (
        "trading is to stop near the close, but nothing says how long before it, so it does not"
        if time.no_trading_near_close
        else f"what is bought in the last {time.close_positions_minutes} minutes is sold at once, so "
        "entries stop with them all the same"
    )
    at = "risk_management.time_controls"
    keys = (f"{at}.no_trading_near_close", f"{at}.close_positions_minutes")
    yield Finding("near_close", keys, message, "write close_positions_minutes: 30, or remove both keys")


def _no_stop_loss(case: Case) -> Iterator[Finding]:
    if case.limits.stop_loss is None:
        yield Finding(
            "no_stop_loss",
            ("risk_management.stop_loss_pct",),
            "the stop loss is switched off: one position can lose all before a daily limit is asked",
            "set a fraction, such as 0.015",
        )


def _signal_threshold(case: Case) -> Iterator[Finding]:
    for index, strategy in enumerate(case.settings.strategies):
        threshold = strategy.params.get("signal_threshold")
        gaps = {
            symbol: gap
            for symbol in case.settings.data.symbols
            if (gap := case.facts.largest_gaps.get((strategy.name, symbol))) is not None
        }
        if not gaps or isinstance(threshold, str | bool) or threshold is None:
            continue
        if max(gaps.values()) <= to_ppm(threshold):
            seen = ", ".join(f"{symbol} {percent(gap)}" for symbol, gap in gaps.items())
            yield Finding(
                "threshold_never_crossed",
                (f"strategies[{index}].params.signal_threshold", "data.timeframe"),
                f"{strategy.name} waits for averages {percent(to_ppm(threshold))} apart; on "
                f"{case.settings.data.timeframe} bars the largest distance in the history was {seen}: it "
                "would never have traded",
                "lower the threshold, or use longer bars",
            )


SIZE_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _exposure_warning,
    _exposure_cap,
    _scaling_stages,
    _usd_cap,
    _size_below_one_share,
    _holding_period,
    _near_close,
    _no_stop_loss,
    _signal_threshold,
)
