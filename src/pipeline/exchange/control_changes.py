"""What the client of the control port can make true at the exchange, one method a kind of change.

``at`` None means now; an instant ahead means that it happens then by itself, in virtual time. Every
method returns what happened: ``at``, ``applied``, and the ids of what came of it
(``order_id``, ``client_order_id``, ``execution_id``, ``activity_id``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

Amount = Decimal | str | int | float
Outcome = dict[str, Any]


class Changes:
    """The changes, over whatever carries a request."""

    def change(self, kind: str, at: datetime | None = None, **fields: Any) -> Outcome:
        """Ask for one change of the kind; None stands for a field that is left out."""
        body = {name: _plain(value) for name, value in fields.items() if value is not None}
        when = {} if at is None else {"at": at.isoformat()}
        return dict(self.call("/changes", {"kind": kind, **when, **body}))

    def changes(self) -> list[Outcome]:
        """Return the changes that are still to come, soonest first."""
        return list(self.call("/changes"))

    def call(self, path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        """Send one request and return the JSON of its answer."""
        raise NotImplementedError

    def deposit(self, amount: Amount, at: datetime | None = None) -> Outcome:
        """Put cash into the account (CSD)."""
        return self.change("deposit", at, amount=amount)

    def withdraw(self, amount: Amount, at: datetime | None = None) -> Outcome:
        """Take cash out of the account (CSW)."""
        return self.change("withdrawal", at, amount=amount)

    def dividend(self, symbol: str, per_share: Amount, at: datetime | None = None) -> Outcome:
        """Pay a dividend on the shares held then (DIV)."""
        return self.change("dividend", at, symbol=symbol, per_share=per_share)

    def fee(self, amount: Amount, at: datetime | None = None) -> Outcome:
        """Charge a fee (FEE)."""
        return self.change("fee", at, amount=amount)

    def interest(self, amount: Amount, at: datetime | None = None) -> Outcome:
        """Pay interest, or charge it when negative (INT)."""
        return self.change("interest", at, amount=amount)

    def position(self, symbol: str, qty: Amount, cost: Amount, at: datetime | None = None) -> Outcome:
        """Set a position without any order, as a transfer or spin-off does; 0 takes it away."""
        return self.change("position", at, symbol=symbol, qty=qty, cost=cost)

    def split(self, symbol: str, new: int, old: int, at: datetime | None = None) -> Outcome:
        """Make ``new`` shares of every ``old``: 2 and 1 is 2:1, 1 and 8 a reverse split."""
        return self.change("split", at, symbol=symbol, new=new, old=old)

    def shock(self, symbol: str, factor: Amount, at: datetime | None = None) -> Outcome:
        """Multiply the true price from then on."""
        return self.change("shock", at, symbol=symbol, factor=factor)

    def halt_symbol(self, symbol: str, until: datetime | None = None, at: datetime | None = None) -> Outcome:
        """Stop trading of a symbol; by default until the session's close."""
        return self.change("halt_symbol", at, symbol=symbol, until=until)

    def closure(self, until: datetime | None = None, at: datetime | None = None) -> Outcome:
        """Close the exchange ahead of its time; by default until the session's close."""
        return self.change("closure", at, until=until)

    def trade(
        self, symbol: str, side: str, qty: Amount, price: Amount | None = None, at: datetime | None = None
    ) -> Outcome:
        """Trade by hand in the account: filled at once, by default at the market's price."""
        return self.change("trade", at, symbol=symbol, side=side, qty=qty, price=price)

    def order(self, body: Mapping[str, Any], at: datetime | None = None) -> Outcome:
        """Place an order by hand; ``body`` as of ``POST /v2/orders``."""
        return self.change("order", at, body=dict(body))

    def cancel_order(self, key: str, at: datetime | None = None) -> Outcome:
        """Cancel an order by hand; ``key`` is its id or client order id."""
        return self.change("cancel_order", at, order=key)

    def replace_order(self, key: str, body: Mapping[str, Any], at: datetime | None = None) -> Outcome:
        """Replace an order by hand; ``body`` as of ``PATCH /v2/orders/{id}``."""
        return self.change("replace_order", at, order=key, body=dict(body))

    def fill(
        self, key: str, qty: Amount | None = None, price: Amount | None = None, at: datetime | None = None
    ) -> Outcome:
        """Force an execution, by default of all that remains at the market's price.

        Also after a cancel, and beyond the order's quantity.
        """
        return self.change("fill", at, order=key, qty=qty, price=price)

    def set_status(self, key: str, status: str, at: datetime | None = None) -> Outcome:
        """Give an order a status, known to anybody or not."""
        return self.change("set_status", at, order=key, status=status)

    def bust(self, execution_id: str = "", at: datetime | None = None) -> Outcome:
        """Take an execution back; by default the newest."""
        return self.change("bust", at, execution=execution_id or None)

    def correct(
        self,
        execution_id: str = "",
        price: Amount | None = None,
        qty: Amount | None = None,
        at: datetime | None = None,
    ) -> Outcome:
        """Put another execution in the place of one; by default of the newest."""
        return self.change("correct", at, execution=execution_id or None, price=price, qty=qty)

    def cancels(
        self, mode: str, seconds: float = 0, count: int = 0, symbol: str = "", at: datetime | None = None
    ) -> Outcome:
        """Say how cancels go from now on: ``normal``, ``stuck``, ``filled`` or ``refused``.

        A stuck one is answered 204, stays ``pending_cancel``, still fills, and is done after
        ``seconds`` of virtual time, 0 for never. ``count`` 0 holds until it is changed.
        """
        return self.change("cancels", at, mode=mode, seconds=seconds, count=count, symbol=symbol or None)

    def account(self, at: datetime | None = None, **flags: Any) -> Outcome:
        """Change the account's flags, its ``status``, or cap its ``buying_power`` ("" lifts the cap)."""
        return self.change("account", at, **flags)

    def asset(self, symbol: str, at: datetime | None = None, **flags: Any) -> Outcome:
        """Change a listed symbol's ``status``, ``tradable``, ``fractionable`` or ``shortable``."""
        return self.change("asset", at, symbol=symbol, **flags)

    def clock(
        self, skew_seconds: float = 0, is_open: bool | None = None, at: datetime | None = None
    ) -> Outcome:
        """Say what ``GET /v2/clock`` answers: time off by so much, open or not whatever is true."""
        return self.change("clock", at, skew_seconds=skew_seconds, is_open=is_open)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value
