"""The default notifier: one line on a text stream for each alert."""

from __future__ import annotations

import threading
from typing import TextIO

from pipeline.domain.alerts import Alert
from pipeline.domain.formatting import one_line, time_of_day
from pipeline.domain.notification import AlertUndeliverable


class ConsoleNotifier:
    """Writes alerts to a stream, for people at the terminal."""

    name = "console"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def post(self, alert: Alert) -> None:
        """Write one line and flush it.

        Raises:
            AlertUndeliverable: the stream is closed; nobody is reading.
        """
        with self._lock:
            try:
                self._stream.write(console_line(alert) + "\n")
                self._stream.flush()
            except (ValueError, OSError) as error:
                reason = f"{type(error).__name__}: {error}"
                raise AlertUndeliverable(self.name, reason, "Start it with an open terminal.") from error


def console_line(alert: Alert) -> str:
    """Return the alert as one line: badge, time, severity in words, what happened, numbers."""
    fields = " · ".join(f"{name} {value}" for name, value in alert.fields)
    head = f"{alert.mode} · {time_of_day(alert.at)} · {alert.severity.upper()} · {alert.title}"
    return one_line(" — ".join(part for part in (head, alert.text, fields) if part))
