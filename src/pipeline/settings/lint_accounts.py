"""Lint of the broker and of secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.settings.connection import Mode, missing_channels, missing_variables, mode, trading_urls
from pipeline.settings.findings import Case, Finding


def _missing_variables(case: Case) -> Iterator[Finding]:
    for unset in missing_variables(case.settings):
        yield Finding(
            "missing_variable",
            (unset.key,),
            f"the environment variable {unset.variable} is not set, or empty; the broker cannot be reached",
            f"export {unset.variable}=…",
            "error",
        )
    for unset in missing_channels(case.settings):
        yield Finding(
            "silent_channel",
            (unset.key,),
            f"the environment variable {unset.variable} is not set, or empty; this channel stays silent",
            f"export {unset.variable}=…, or remove the channel",
        )


def _retired_broker(case: Case) -> Iterator[Finding]:
    if case.settings.data.source.provider == "td_ameritrade":
        yield Finding(
            "broker_retired",
            ("data.source.provider",),
            "TD Ameritrade's API was shut on 2024-05-10 and its accounts moved to Schwab; schwab is used",
            "write `provider: schwab`",
        )


def _ib_credentials(case: Case) -> Iterator[Finding]:
    source = case.settings.data.source
    given = [
        f"data.source.api_credentials.{name}"
        for name in ("username", "password")
        if getattr(source.api_credentials, name) is not None
    ]
    if source.provider == "interactive_brokers" and given:
        yield Finding(
            "ib_credentials_unused",
            tuple(given),
            "Interactive Brokers' API has no login: a person logs in to TWS or IB Gateway; they are unused",
            "remove them, and keep the password out of this machine's environment",
        )


def _typed_secrets(case: Case) -> Iterator[Finding]:
    source, channels = case.settings.data.source, case.settings.monitoring.alert_channels
    secrets = {
        f"data.source.api_credentials.{name}": getattr(source.api_credentials, name)
        for name in ("api_key", "secret_key", "username", "password")
    }
    secrets["monitoring.alert_channels.sms"] = channels.sms
    secrets["monitoring.alert_channels.slack.bot_token"] = (
        channels.slack.bot_token if channels.slack else None
    )
    secrets["monitoring.alert_channels.webhook"] = None if _is_placeholder(case) else channels.webhook
    typed = tuple(key for key, secret in secrets.items() if secret is not None and secret.typed)
    if typed:
        yield Finding(
            "secret_in_file",
            typed,
            "a secret stands in the file itself, where backups and version control keep it",
            "put it into an environment variable and write ${VARIABLE}",
        )


def _is_placeholder(case: Case) -> bool:
    webhook = case.settings.monitoring.alert_channels.webhook
    return webhook is not None and webhook.unset is None and webhook.get_secret_value().endswith("/...")


def _placeholder(case: Case) -> Iterator[Finding]:
    if _is_placeholder(case):
        yield Finding(
            "placeholder_webhook",
            ("monitoring.alert_channels.webhook",),
            "the webhook is the placeholder of the documentation; nobody will hear of anything through it",
            "write ${SLACK_WEBHOOK_URL} and set that variable",
        )


def _ignored_addresses(case: Case) -> Iterator[Finding]:
    keys = tuple(f"data.source.{key}" for key in trading_urls(case.settings.data.source))
    if mode(case.settings) is Mode.REHEARSAL and keys:
        yield Finding(
            "addresses_ignored",
            keys,
            "a rehearsal talks to its own exchange on this machine; the broker's address is not used",
            "nothing to do",
            "info",
        )


def _live_rehearsal(case: Case) -> Iterator[Finding]:
    if mode(case.settings) is Mode.REHEARSAL and case.settings.data.source.environment == "live":
        yield Finding(
            "rehearsal_is_not_live",
            ("data.source.provider", "data.source.environment"),
            "environment says live, but the rehearsal exchange moves no money; this is SIM",
            "remove one of the two",
        )


ACCOUNT_RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    _missing_variables,
    _retired_broker,
    _ib_credentials,
    _typed_secrets,
    _placeholder,
    _live_rehearsal,
    _ignored_addresses,
)
