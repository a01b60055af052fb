"""What an answer means: one table for a submitted order, one for everything else.

An answer is a value here, whatever happened to the request, so that the tables are pure
functions. Source of the submit table: FAULTS, "Submit outcome classification (Alpaca)".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.adapters.alpaca.account import BROKER
from pipeline.errors import BrokerRefused, BrokerUnavailable

DUPLICATE_CLIENT_ID = 40010001
"""422: an order with that client id exists, be it live, filled or cancelled."""
NOT_FOUND = 40410000
"""404: the broker knows the route and has no such thing. Any other 404 proves nothing."""

_OK = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of one request.

    Attributes:
        status: HTTP status, None when no complete answer came; every 2xx is 200.
        body: the decoded JSON, or None when it was empty or not JSON.
        sent: False only when the request certainly did not leave.
        reason: for people; free of credentials.
    """

    status: int | None
    body: Any = None
    sent: bool = True
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the broker says that it did what was asked."""
        return self.status == _OK

    @property
    def code(self) -> int | None:
        """Alpaca's own error code, or None where the body has none."""
        code = self.body.get("code") if isinstance(self.body, Mapping) else None
        return int(code) if isinstance(code, int | str) and str(code).isdigit() else None

    @property
    def summary(self) -> str:
        """Status, code and reason on one line."""
        status = "" if self.status is None else f"HTTP {self.status}"
        code = "" if self.code is None else str(self.code)
        return " ".join(part for part in (status, code, self.reason) if part)


class Verdict(StrEnum):
    """What became of a submitted order."""

    ACKED = "acked"
    LOOK_UP = "look_up"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


_SUBMITTED: Mapping[int, Verdict] = {
    400: Verdict.REJECTED,
    401: Verdict.REJECTED,
    403: Verdict.REJECTED,
    404: Verdict.REJECTED,
    408: Verdict.UNKNOWN,
    409: Verdict.UNKNOWN,
    422: Verdict.REJECTED,
    425: Verdict.UNKNOWN,
    429: Verdict.NOT_SENT,
}


def classify_submit(answer: Answer) -> Verdict:
    """Return what a submit's answer says of the order; what the table does not list is UNKNOWN."""
    if answer.status is None:
        return Verdict.UNKNOWN if answer.sent else Verdict.NOT_SENT
    if answer.ok:
        return Verdict.ACKED if isinstance(answer.body, Mapping) else Verdict.UNKNOWN
    if answer.status == 422 and answer.code == DUPLICATE_CLIENT_ID:
        return Verdict.LOOK_UP
    return _SUBMITTED.get(answer.status, Verdict.UNKNOWN)


_TRY_AGAIN = frozenset({408, 409, 425, 429})


def answered(answer: Answer) -> Any:
    """Return the body of a read.

    Raises:
        BrokerRefused: credentials, account, or a question that will never be answered (4xx).
        BrokerUnavailable: no answer, a redirect, 5xx, "not now", or a 404 without Alpaca's code
            (somebody else answered).
    """
    if answer.ok:
        return answer.body
    status = answer.status
    definite = status is not None and 400 <= status < 500 and status not in _TRY_AGAIN
    if definite and (status != 404 or answer.code == NOT_FOUND):
        raise BrokerRefused(BROKER, answer.summary)
    raise unavailable(answer)


def unavailable(answer: Answer) -> BrokerUnavailable:
    """Return the error for an answer that settles nothing."""
    return BrokerUnavailable(BROKER, answer.summary, classify_submit(answer) is not Verdict.NOT_SENT)
