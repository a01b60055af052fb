"""Every event that people hear of: how urgent it is, how it is titled, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.domain.alerts import Alert, Severity
from pipeline.domain.formatting import shortened

TITLE_LENGTH = 150
MAX_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of event.

    Attributes:
        title: with ``{subject}`` where the symbol, check or procedure stands.
        remedy: what a person does, one line.
    """

    event: str
    severity: Severity
    title: str
    remedy: str


_ENTRIES = (
    Entry("position_opened", Severity.INFO, "Position opened in {subject}", "Nothing: within every limit."),
    Entry("position_closed", Severity.INFO, "Position closed in {subject}", "Nothing."),
    Entry(
        "stop_loss_triggered",
        Severity.WARNING,
        "Stop loss of {subject} triggered",
        "Watch that the exit fills: `marketday orders`.",
    ),
    Entry(
        "daily_loss_limit_reached",
        Severity.CRITICAL,
        "Daily loss limit reached",
        "Read `marketday risk` before the next session; `marketday resume --reason …` when it is understood.",
    ),
    Entry(
        "drawdown_warning",
        Severity.WARNING,
        "Drawdown warning",
        "Nothing at once: new entries are smaller. Review what lost: `marketday trades`.",
    ),
    Entry(
        "drawdown_critical",
        Severity.CRITICAL,
        "Drawdown is critical",
        "Decide whether to go on: `marketday flatten --reason …` or wait for the exits.",
    ),
    Entry(
        "exposure_warning",
        Severity.WARNING,
        "Exposure is near its limit",
        "Nothing: entries above the limit are refused. Look for positions that should be closed.",
    ),
    Entry(
        "system_error",
        Severity.CRITICAL,
        "System error in {subject}",
        "Read the run's log; `marketday doctor`; trading stays halted until `marketday resume`.",
    ),
    Entry(
        "run_failed",
        Severity.WARNING,
        "{subject} failed",
        "Read the reason. The next tick goes on by itself; run a failed procedure again: `marketday run`.",
    ),
    Entry(
        "exit_refused",
        Severity.CRITICAL,
        "{subject} cannot be sold",
        "The position is unprotected: close it on the broker's page, or remove what refuses the exit.",
    ),
    Entry(
        "order_rejected",
        Severity.WARNING,
        "Order for {subject} rejected by the broker",
        "Read the broker's reason; nothing is live under this order.",
    ),
    Entry(
        "order_unknown",
        Severity.WARNING,
        "Outcome of the order for {subject} is unknown",
        "Nothing at once: the broker is asked until it answers. Do not trade the symbol by hand.",
    ),
    Entry(
        "order_timeout",
        Severity.WARNING,
        "Order for {subject} timed out",
        "Nothing: what remained of it is being cancelled.",
    ),
    Entry(
        "reconciliation_break",
        Severity.CRITICAL,
        "Ledger and broker disagree on {subject}",
        "Compare `marketday positions` with the broker's page, then `marketday reconcile`.",
    ),
    Entry(
        "trading_halted",
        Severity.CRITICAL,
        "Trading is halted",
        "Nothing new is sent. Read the reason; `marketday resume --reason …` when it is cleared.",
    ),
    Entry("trading_resumed", Severity.NOTICE, "Trading is resumed", "Watch size grow over sessions."),
    Entry(
        "liquidation",
        Severity.CRITICAL,
        "Liquidating every position",
        "Watch that all positions close: `marketday positions`.",
    ),
    Entry(
        "no_go",
        Severity.WARNING,
        "NO-GO: trading will not be enabled",
        "Repair the failed checks and run `marketday run pre-market` again before the open.",
    ),
    Entry("go", Severity.NOTICE, "GO: every pre-market check passed", "Nothing."),
    Entry(
        "broker_silent",
        Severity.CRITICAL,
        "{subject} does not answer",
        "Check the broker's status page; be ready to trade by telephone if positions must go.",
    ),
    Entry("broker_back", Severity.NOTICE, "{subject} answers again", "Nothing: the ledger was reconciled."),
    Entry(
        "orchestration_degraded",
        Severity.WARNING,
        "Running without Prefect",
        "Ticks go on under the same claim. Restart the server when convenient: `marketday up`.",
    ),
    Entry(
        "tick_missed",
        Severity.WARNING,
        "{subject} did not run",
        "Look for load or a sleeping machine; the next tick decides on current data.",
    ),
    Entry(
        "poor_execution",
        Severity.WARNING,
        "Poor execution in {subject}",
        "Compare spread and size with earlier fills: `marketday trades`.",
    ),
    Entry(
        "excessive_trading",
        Severity.WARNING,
        "More trades than expected today",
        "Check whether the signal flips around its threshold; consider `marketday halt`.",
    ),
    Entry("daily_report", Severity.NOTICE, "Session report {subject}", "Read it: it says what needs you."),
    Entry(
        "data_stale",
        Severity.WARNING,
        "Data of {subject} is stale",
        "Nothing at once: no entries in it. Check the data feed when it lasts.",
    ),
    Entry(
        "intent_held",
        Severity.NOTICE,
        "{subject} waits for review",
        "Veto it before its release with `marketday veto`, or let it go.",
    ),
)

CATALOGUE: dict[str, Entry] = {entry.event: entry for entry in _ENTRIES}


def alert(
    event: str, subject: str, sentence: str, at: datetime, mode: str, *fields: tuple[str, str]
) -> Alert:
    """Return the alert for one event. The same event, subject and instant always have the same id.

    Args:
        event: a name in :data:`CATALOGUE`.
        subject: what it is about: a symbol, a check, a procedure, a broker; "" where there is only one.
        sentence: what happened and what the system already did.
        at: when it happened, UTC.
        mode: "SIM", "PAPER" or "LIVE".
        fields: name and value with its limit; only the first ten are kept.

    Raises:
        KeyError: an event that is not in the catalogue.
    """
    entry = CATALOGUE[event]
    title = shortened(entry.title.format(subject=subject).strip(), TITLE_LENGTH)
    key = f"{event}|{subject}|{at.isoformat()}"
    return Alert(key, event, entry.severity, title, sentence, at, mode, fields[:MAX_FIELDS])
