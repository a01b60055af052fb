"""Checks of a desk: configuration, calendar, journals, store, broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.cli.exits import sentence
from pipeline.cli.place import Place, accounts
from pipeline.domain.formatting import count
from pipeline.errors import BrokerUnavailable, ConfigurationError, MarketdayError
from pipeline.operations.procedures.finding import Finding, fail, ok, warn
from pipeline.settings.models.root import Settings
from pipeline.wiring.desks import open_desk, open_journal, open_store
from pipeline.wiring.home import check_home
from pipeline.wiring.offline import cached_calendar, wall_time
from pipeline.wiring.spec import CHECKOUT, DESK_FILE, load_spec

_AHEAD = timedelta(days=30)


def desk_checks(home: Path) -> Iterator[tuple[str, Finding]]:
    """Yield each check's name and finding. A check that fails never stops the next one."""
    wrong = check_home(home)
    yield "home", fail(" ".join(wrong)) if wrong else ok("local, private and writable")
    settings, finding = _configuration(home)
    yield "configuration", finding
    names = accounts(home)
    journals = {name: _journal(Place(home, name, open_journal(home, name))) for name in names}
    for name in names:
        yield f"journal {name}", journals[name]
    if names:
        yield "store", _store(home, names[0])
    if settings is not None:
        yield "schedules", _schedules(settings)
        yield "calendar", _calendar(home, settings, _present(home, names))
        yield "broker", _broker(home)


def _configuration(home: Path) -> tuple[Settings | None, Finding]:
    from pipeline.settings.connection import missing_variables
    from pipeline.settings.lint import lint

    try:
        settings = load_spec(home / DESK_FILE).settings(with_credentials=False)
    except ConfigurationError as error:
        return None, fail(str(error))
    missing = [str(unset.error()) for unset in missing_variables(settings)]
    if missing:
        return settings, fail("; ".join(missing))
    wrong = [finding for finding in lint(settings) if finding.severity != "info"]
    if wrong:
        first = f"{wrong[0].message}. {wrong[0].remedy}"
        return settings, warn(f"{count(len(wrong), 'remark')} of `config check`, first: {first}")
    return settings, ok("valid, nothing to remark")


def _schedules(settings: Settings) -> Finding:
    from pipeline.settings.lint_schedules import lint_schedules

    zone = settings.data.market_hours.timezone
    path = CHECKOUT / "prefect.yaml"
    if not path.exists():
        return warn("no prefect.yaml in the checkout: nothing is scheduled")
    try:
        wrong = lint_schedules(path, zone)
    except ConfigurationError as error:
        return fail(str(error))
    if wrong:
        return fail(f"{wrong[0].keys[0]}: {wrong[0].message}; {wrong[0].remedy}")
    return ok(f"every schedule of prefect.yaml is in {zone}")


def _journal(place: Place) -> Finding:
    try:
        ledger = place.journal.read()
    except MarketdayError as error:
        return fail(sentence(error))
    state = ledger.state
    told = f"{ledger.seq:,} records, chain whole; trading is {state.state.name}"
    return warn(f"{told}: {state.reason}") if state.state.latched else ok(told)


def _store(home: Path, account: str) -> Finding:
    try:
        behind = open_journal(home, account).read().seq - open_store(home).projected()
    except MarketdayError as error:
        return warn(f"{sentence(error)} `marketday store rebuild` makes it anew.")
    if behind:
        return warn(f"{behind:,} records behind the journal; the next pass, or `marketday pnl`, catches up")
    return ok("opens, and holds every record")


def _present(home: Path, names: tuple[str, ...]) -> datetime:
    """Return the desk's present: a rehearsal may be years away from the wall's."""
    if names == ("rehearsal",):
        try:
            return open_journal(home, "rehearsal").read().last_at
        except MarketdayError:
            return wall_time()
    return wall_time()


def _calendar(home: Path, settings: Settings, now: datetime) -> Finding:
    try:
        sessions = cached_calendar(home, settings)
    except ConfigurationError as error:
        return fail(str(error))
    if sessions is None:
        return warn("not computed yet: the first start does, or --refresh-calendar")
    told = f"{sessions.exchange} from {sessions.first} to {sessions.last}"
    if sessions.last < now.date():
        return fail(f"{told}: it ended; `marketday doctor --refresh-calendar`")
    if sessions.last < (now + _AHEAD).date():
        return warn(f"{told}: it ends within 30 days; `marketday doctor --refresh-calendar`")
    return ok(told)


def _broker(home: Path) -> Finding:
    """Ask for time and account: reachable, and of the configured kind."""
    try:
        desk = open_desk(home / DESK_FILE)
        clock, account = desk.broker.fetch_clock(), desk.broker.fetch_account()
    except BrokerUnavailable as error:
        if not error.sent:
            return warn(str(error))  # a rehearsal exchange that is not running is no fault
        return fail(sentence(error))
    except MarketdayError as error:
        return fail(sentence(error))
    expected = "live" if desk.mode == "live" else "paper"
    if account.mode != expected:
        return fail(f"configured for {expected}, but account {account.number} is {account.mode}")
    if account.blocked:
        return fail(f"account {account.number} is blocked by {desk.broker.name}")
    hours = "open" if clock.is_open else f"opens {clock.next_open:%Y-%m-%d %H:%M}Z"
    return ok(f"{desk.broker.name}: {account.mode} account {account.number}, exchange {hours}")
