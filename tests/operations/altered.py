"""A broker whose answers about the account are not what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.domain.corporate import CorporateAction
from pipeline.domain.orders import Fill
from pipeline.domain.portfolio import Account, BrokerPosition


class Altered:
    """The real broker, seen through glass: cash off by so much, positions or executions left out.

    Attributes:
        cash, equity: added to what the account holds; without: a symbol whose position is not listed.
        hidden: ids of executions that are not listed; actions: corporate actions told besides.
    """

    def __init__(self, broker: Any, cash: int = 0, without: str = "") -> None:
        self._broker = broker
        self.cash = self.equity = cash
        self.without = without
        self.hidden: set[str] = set()
        self.actions: tuple[CorporateAction, ...] = ()

    def fetch_account(self) -> Account:
        """Return the account with other cash."""
        account: Account = self._broker.fetch_account()
        return replace(account, cash=account.cash + self.cash, equity=account.equity + self.equity)

    def fetch_positions(self) -> tuple[BrokerPosition, ...]:
        """Return the positions but one."""
        return tuple(held for held in self._broker.fetch_positions() if held.symbol != self.without)

    def fetch_fills(self, since: Any) -> tuple[Fill, ...]:
        """Return the executions that are not hidden."""
        return tuple(fill for fill in self._broker.fetch_fills(since) if fill.id not in self.hidden)

    def fetch_corporate_actions(self, since: Any) -> tuple[CorporateAction, ...]:
        """Return the broker's corporate actions and those told besides."""
        return (*self._broker.fetch_corporate_actions(since), *self.actions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)
