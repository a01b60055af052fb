"""What a backtest leaves: a row in the research store, a tear sheet, numbers for people and scripts."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.bar_files import symbols_in
from pipeline.adapters.duckdb_store.backtests import BacktestRow, record_backtest
from pipeline.adapters.file_lock import FileLock
from pipeline.adapters.reports.backtest import Sheet, metric_rows, render_backtest
from pipeline.domain.formatting import money
from pipeline.research.metrics import Metrics, measure
from pipeline.research.results import Result
from pipeline.settings.effective import fingerprint
from pipeline.settings.models.root import Settings
from pipeline.wiring.backtesting import Prepared, Source
from pipeline.wiring.offline import wall_time
from pipeline.wiring.spec import code_fingerprint

STORE = "research.duckdb"

__all__ = ["Kept", "keep", "metric_rows", "symbols_in"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A simulation that was kept: its id, where its tear sheet and its store are, and what it achieved."""

    id: str
    new: bool
    report: Path
    store: Path
    metrics: Metrics


def keep(folder: Path, settings: Settings, source: Source, prepared: Prepared, result: Result) -> Kept:
    """Record a simulation and write its tear sheet. The same simulation again is the same row and file.

    Raises:
        StoreUnavailable: the research store is held by another process, or the disk is full.
    """
    metrics, row = measure(result), _row(settings, source, prepared, result)
    path = folder / STORE
    folder.mkdir(parents=True, exist_ok=True)
    new = record_backtest((path, FileLock(path.with_suffix(".lock"))), row, result, metrics, wall_time())
    report = folder / f"backtest-{row.id[:12]}.html"
    html = render_backtest(_sheet(settings, row, prepared, result), result, metrics)
    fresh = report.with_suffix(f".{os.getpid()}.tmp")
    fresh.write_text(html, encoding="utf-8")
    fresh.replace(report)
    return Kept(row.id, new, report, path, metrics)


def _row(settings: Settings, source: Source, prepared: Prepared, result: Result) -> BacktestRow:
    data = f"synthetic seed {settings.rehearsal.seed if source.seed is None else source.seed}"
    if source.file is not None:
        with source.file.open("rb") as file:
            data = f"{source.file.name} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    code, config = code_fingerprint(), fingerprint(settings)
    what = (code, config, data, source.timezone, str(result.sessions[0]), str(result.sessions[-1]))
    name = hashlib.sha256("\n".join(what).encode()).hexdigest()
    return BacktestRow(name, code, config, data, prepared.setup.symbols, settings.data.timeframe)


def _sheet(settings: Settings, row: BacktestRow, prepared: Prepared, result: Result) -> Sheet:
    setup = prepared.setup
    costs = setup.costs
    strategies = ", ".join(f"{one.name} ({one.type}) {dict(one.params)}" for one in settings.strategies)
    cost = (
        f"half spread {costs.half_spread_ppm} ppm, slippage {costs.slippage_ppm} ppm, "
        f"{money(costs.per_share)} a share, {costs.sell_ppm} ppm of sales, "
        f"at most {costs.participation_ppm / 10_000:g} % of a bar's volume"
    )
    facts = (
        ("Strategy", strategies),
        ("Costs", cost),
        ("Fills", "at the open of the next bar; the rest of an order waits for the bars after it"),
        ("Data", row.data),
        ("Configuration", row.config),
        ("Code", row.code),
        ("Result", result.digest()),
    )
    title = settings.workflow.name or "Backtest"
    zone = "America/New_York"
    return Sheet(title, setup.symbols, settings.data.timeframe, zone, facts, prepared.notes)
