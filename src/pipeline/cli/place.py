"""Where a command works: a home, one account's journal in it, and what can be known of it without more."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.domain.formatting import NEW_YORK
from pipeline.domain.ledger import EPOCH_ZERO, Ledger
from pipeline.errors import ConfigurationError, UsageError
from pipeline.operations.desk import BADGES
from pipeline.wiring.desks import account_label, journal_path, open_desk, open_journal
from pipeline.wiring.offline import exchange_time, wall_time
from pipeline.wiring.spec import DESK_FILE, current_home, load_spec

if TYPE_CHECKING:
    from pipeline.adapters.journal import FileJournal
    from pipeline.operations.desk import Desk
    from pipeline.settings.models.root import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """One account's journal in a home.

    Attributes:
        account: the journal's name: "rehearsal", or broker and mode as in "alpaca-paper".
    """

    home: Path
    account: str
    journal: FileJournal

    @property
    def mode(self) -> str:
        """The mode that the account's name tells; "live" when it tells none, to be careful."""
        word = self.account.rpartition("-")[2]
        return word if word in BADGES else "live"

    @property
    def badge(self) -> str:
        """SIM, PAPER or LIVE."""
        return BADGES[self.mode]

    @property
    def desk_file(self) -> Path:
        """Where the desk's configuration is named."""
        return self.home / DESK_FILE


@dataclass(frozen=True, slots=True)
class Configured:
    """The settings of a place, or why there are none."""

    settings: Settings | None
    trouble: str = ""

    @property
    def zone(self) -> str:
        """The exchange's time zone; New York's when it is not known."""
        return NEW_YORK if self.settings is None else self.settings.data.market_hours.timezone


def find_place(home: Path | None, account: str | None = None) -> Place:
    """Return the place of a command: the account asked for, the configured one, or the only one.

    Raises:
        UsageError: no desk, no such account, or several and none was chosen.
    """
    folder = current_home(home)
    names = accounts(folder)
    if not names:
        raise UsageError(
            f"{folder} holds no journal: no desk has run there yet. Start one with `marketday demo` or "
            "`marketday up`, or name another folder with --home"
        )
    chosen = account or _preferred(folder, names)
    if chosen not in names:
        raise UsageError(
            f"{folder} has no account {chosen!r}: choose one of {', '.join(names)} with --account"
        )
    return Place(folder, chosen, open_journal(folder, chosen))


def every_place(home: Path | None) -> tuple[Place, ...]:
    """Return every account in the home, and the configured one even before its first record: for a stop.

    Raises:
        UsageError: no desk.
    """
    folder = current_home(home)
    configured = _configured_account(folder)
    names = sorted({*accounts(folder), *([configured] if configured else [])})
    if not names:
        raise UsageError(
            f"{folder} holds neither a journal nor a desk file: there is nothing to stop here. "
            "Name the desk's folder with --home"
        )
    return tuple(Place(folder, name, open_journal(folder, name)) for name in names)


def accounts(home: Path) -> tuple[str, ...]:
    """Return the accounts with a journal in the home, or with the anchor of one that is gone.

    No configuration is needed for that.
    """
    folder = journal_path(home, "any").parent
    return tuple(sorted({path.stem for ending in ("*.jsonl", "*.head") for path in folder.glob(ending)}))


def _preferred(home: Path, names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return names[0]
    configured = _configured_account(home)
    if configured in names:
        return configured
    raise UsageError(f"{home} holds several accounts: choose one of {', '.join(names)} with --account")


def _configured_account(home: Path) -> str:
    try:
        return account_label(load_spec(home / DESK_FILE).settings(with_credentials=False))
    except ConfigurationError:
        return ""  # a stop must not need a valid configuration


def configured(place: Place) -> Configured:
    """Return the settings of the account; never raises, because a status must come out without them."""
    try:
        settings = load_spec(place.desk_file).settings(with_credentials=False)
        named = account_label(settings)
    except ConfigurationError as error:
        return Configured(None, str(error))
    if named != place.account:
        return Configured(None, f"{place.desk_file} is of the account {named}")
    return Configured(settings)


def desk_of(place: Place) -> Desk:
    """Return the desk of the place, which connects to its broker.

    Raises:
        ConfigurationError: its configuration is gone, invalid, or another account's.
        BrokerUnavailable: the rehearsal exchange is not running.
    """
    desk = open_desk(place.desk_file)
    if desk.account != place.account:
        remedy = (
            f"it is of the account {desk.account}, not {place.account}: start that one with `marketday up`"
        )
        raise ConfigurationError("files", None, remedy, str(place.desk_file))
    return desk


def shown_time(place: Place, ledger: Ledger) -> datetime:
    """Return the desk's present for people: the wall's, or in rehearsal the last instant journalled."""
    return ledger.last_at if place.mode == "rehearsal" and ledger.seq else wall_time()


def written_time(place: Place) -> datetime:
    """Return the instant for a record: the wall's, or in rehearsal the exchange's, if it runs."""
    last = place.journal.read().last_at
    if place.mode != "rehearsal":
        return wall_time()
    now = exchange_time(place.home)
    if now is None:
        return wall_time() if last == EPOCH_ZERO else last
    return max(now, last)


def who() -> str:
    """Return who typed the command, for the journal."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without an entry, as in containers
        name = f"uid {os.getuid()}"
    return f"{name} at {socket.gethostname()}"
