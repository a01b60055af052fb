"""What can go wrong when people are told something: the words that notifiers raise."""

from __future__ import annotations

from pipeline.errors import Terminal, Transient


class NotifierUnavailable(Transient):
    """The channel did not take the message. ``retry_after`` is what it asked for, seconds, or None."""

    def __init__(self, notifier: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(notifier, reason, retry_after)
        self.notifier = notifier
        self.reason = reason
        self.retry_after = retry_after

    def __str__(self) -> str:
        wait = "" if self.retry_after is None else f"; it asks for {self.retry_after:g} s of patience"
        return f"{self.notifier} did not take the message: {self.reason}{wait}"


class AlertUndeliverable(Terminal):
    """The channel refuses the message for good: sending it again cannot help."""

    def __init__(self, notifier: str, reason: str, remedy: str) -> None:
        super().__init__(notifier, reason, remedy)
        self.notifier = notifier
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.notifier} refused the message: {self.reason}. {self.remedy}"
