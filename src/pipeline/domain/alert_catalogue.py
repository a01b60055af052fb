"""Every event that people hear of: how urgent it is, how it is titled, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.domain.alerts import Alert, Severity
from pipeline.domain.formatting import shortened

TITLE_LENGTH = 150
TEXT_LENGTH = 2_000
FIELD_LENGTH = 400
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
        "store_behind",
        Severity.WARNING,
        "The store lags behind the journal",
        "End whoever has marketday.duckdb open; `marketday store verify` when it has caught up.",
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
        "late_order",
        Severity.CRITICAL,
        "A lost order for {subject} has arrived",
        "Watch that it ends: `marketday orders`. What it executed is ours, and its stop is watched.",
    ),
    Entry(
        "unintended_short",
        Severity.CRITICAL,
        "Short in {subject}, which was never meant",
        "Watch that it is bought back: `marketday positions`. While trading is halted, `marketday flatten`.",
    ),
    Entry(
        "cancel_stuck",
        Severity.WARNING,
        "The cancel for {subject} is not confirmed",
        "Nothing at once: it is asked again at every pass. If it lasts, cancel it on the broker's page.",
    ),
    Entry(
        "fills_unreadable",
        Severity.CRITICAL,
        "Executions cannot be read",
        "Positions may have moved: compare `marketday positions` with the broker's page.",
    ),
    Entry(
        "version_changed",
        Severity.CRITICAL,
        "Code or configuration changed in mid-session",
        "Its runs do nothing: put the old ones back, or `marketday accept --reason …` when it is meant.",
    ),
    Entry(
        "runs_late",
        Severity.WARNING,
        "Runs came too late and did nothing",
        "Look for a worker or a machine that was down; what is due now runs on time.",
    ),
    Entry(
        "reconciliation_break",
        Severity.CRITICAL,
        "Ledger and broker disagree on {subject}",
        "Compare `marketday positions` with the broker's page, then `marketday reconcile`.",
    ),
    Entry(
        "external_trade",
        Severity.WARNING,
        "Somebody else traded {subject}",
        "If it was you: `marketday adopt SYMBOL --reason …`. If not, change the broker's password first.",
    ),
    Entry(
        "external_order",
        Severity.WARNING,
        "Somebody else's order for {subject} is open",
        "Nothing at once: it counts in the exposure and its symbol is locked until it ends.",
    ),
    Entry(
        "trade_busted",
        Severity.CRITICAL,
        "The broker took back an execution in {subject}",
        "Compare `marketday trades` with the broker's confirmation; profit and loss were restated.",
    ),
    Entry(
        "split_booked", Severity.NOTICE, "{subject} was split", "Nothing: position, entry and stop follow it."
    ),
    Entry(
        "corporate_action",
        Severity.CRITICAL,
        "{subject}: a corporate action needs a person",
        "Read the activity; `marketday balance SYMBOL --reason …` for each symbol it names, then unlock.",
    ),
    Entry("books_adopted", Severity.NOTICE, "{subject} was adopted", "Nothing: its exits are watched now."),
    Entry(
        "books_balanced",
        Severity.WARNING,
        "The ledger of {subject} was balanced by hand",
        "Find out what had moved: the residual stands in the report.",
    ),
    Entry(
        "owner_money",
        Severity.NOTICE,
        "{subject} of the owner's money",
        "Nothing: it is no profit and no loss.",
    ),
    Entry(
        "pnl_residual",
        Severity.WARNING,
        "Part of the profit or loss is unexplained",
        "Compare `marketday pnl` with the account's activities at the broker.",
    ),
    Entry(
        "trading_halted",
        Severity.CRITICAL,
        "Trading is halted",
        "Nothing new is sent. Read the reason; `marketday resume --reason …` when it is cleared.",
    ),
    Entry(
        "cancel_unconfirmed",
        Severity.CRITICAL,
        "Trading is stopped, cancels are UNCONFIRMED",
        "Look at the broker's page and cancel there what is still open; `marketday orders` shows it.",
    ),
    Entry(
        "ready_to_resume",
        Severity.NOTICE,
        "Ready to resume: every recovery step passes",
        "Look at why it stopped, then `marketday resume --reason …`. Nothing resumes by itself.",
    ),
    Entry(
        "recovery_failed",
        Severity.WARNING,
        "Recovery step {subject} fails",
        "Repair what the sentence names; the steps are tried again by themselves.",
    ),
    Entry(
        "no_tick",
        Severity.CRITICAL,
        "No tick while the session is open",
        "Nobody decides or watches stops: `marketday status`, the session's log, then start it again.",
    ),
    Entry(
        "session_died",
        Severity.CRITICAL,
        "The session process is gone",
        "Start it again: `marketday up`. Positions at the broker have nobody until then.",
    ),
    Entry(
        "journal_unreadable",
        Severity.CRITICAL,
        "The journal cannot be read",
        "Nothing trades. End the session, look at the broker's page, then read “The journal refuses”.",
    ),
    Entry(
        "positions_unwatched",
        Severity.CRITICAL,
        "Positions are held and nobody is trading",
        "Their stops are watched by nobody: start the desk, or close them on the broker's page.",
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
    Entry(
        "stream_silent",
        Severity.WARNING,
        "Order updates from {subject} are silent",
        "Nothing at once: orders are asked for at every pass. Check the key and the broker's status page.",
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
        "data_quality",
        Severity.WARNING,
        "Data of {subject} cannot be trusted",
        "Nothing at once: no entries in it until its data is good again. Compare it with another source.",
    ),
    Entry(
        "clock_skew",
        Severity.CRITICAL,
        "The clock is wrong",
        "Set this machine's clock (NTP): `timedatectl`. Entries go on by themselves once it is right.",
    ),
    Entry(
        "calendar_disagrees",
        Severity.CRITICAL,
        "Broker and calendar of {subject} disagree",
        "Read the exchange's notices; name a closed day in data.market_hours.closures, refresh the calendar.",
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

    Texts longer than people read are cut.

    Raises:
        KeyError: an event that is not in the catalogue.
    """
    entry = CATALOGUE[event]
    title = shortened(entry.title.format(subject=subject).strip(), TITLE_LENGTH)
    key = f"{event}|{shortened(subject, TITLE_LENGTH)}|{at.isoformat()}"
    # What a broker says may have any length; the journal keeps this for good.
    text = shortened(sentence, TEXT_LENGTH)
    kept = tuple((shortened(name, 80), shortened(value, FIELD_LENGTH)) for name, value in fields[:MAX_FIELDS])
    return Alert(key, event, entry.severity, title, text, at, mode, kept)
