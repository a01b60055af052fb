"""Who hears of alerts, by configuration."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TextIO

from pipeline.adapters.console import ConsoleNotifier
from pipeline.adapters.file_lock import FileLock
from pipeline.operations.alerting import Channel, Deliverer
from pipeline.operations.desk import Desk
from pipeline.settings.connection import Mode, mode
from pipeline.settings.models.root import Settings


def channels(settings: Settings, console: TextIO) -> tuple[Channel, ...]:
    """Return the configured channels; the console always, and nothing else in rehearsal."""
    found = [Channel(ConsoleNotifier(console), spacing_seconds=0.0)]
    if mode(settings) is Mode.REHEARSAL:
        return tuple(found)  # people must not be woken by a rehearsal
    configured = settings.monitoring.alert_channels
    if configured.webhook is not None and configured.webhook.unset is None:
        from pipeline.adapters.slack import SlackWebhook

        found.append(Channel(SlackWebhook(configured.webhook.get_secret_value())))
    if configured.slack is not None and configured.slack.bot_token.unset is None:
        from pipeline.adapters.slack import SlackBot

        token = configured.slack.bot_token.get_secret_value()
        found.append(Channel(SlackBot(token, configured.slack.channel)))
    return tuple(found)


def open_deliverer(desk: Desk, settings: Settings, console: TextIO) -> Deliverer:
    """Return what carries the desk's alerts to people, not yet started."""
    lock = FileLock(Path(desk.home) / "locks" / "outbox.lock")
    return Deliverer(desk.journal, channels(settings, console), desk.clock, lock, time.monotonic)
