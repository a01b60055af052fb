"""Slack: alerts in Block Kit, through an incoming webhook or a bot token.

The webhook's URL and the token are secrets: they stand in no error, no log and no repr. The SDK
logs both when its logger is at DEBUG *or unset*, so it gets a logger of its own that says nothing;
every outcome is told by our own errors instead. Limits: https://docs.slack.dev/reference/block-kit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http.client import HTTPException, InvalidURL
from typing import Any

from pipeline.domain.alerts import Alert, Severity
from pipeline.domain.formatting import one_line, shortened, time_of_day
from pipeline.domain.notification import AlertUndeliverable, NotifierUnavailable

HEADER_LENGTH = 150
TEXT_LENGTH = 3_000
FIELD_LENGTH = 400
MAX_BLOCKS = 50
_FIELDS_A_SECTION = 10
_DEFAULT_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 300.0
"""A channel that is asked to wait for a day is tried again all the same: alerts are not news."""

_MARKS = {
    Severity.INFO: "▫",
    Severity.NOTICE: "🔵",
    Severity.WARNING: "🟠",
    Severity.CRITICAL: "🔴",
}
_TRANSIENT_CODES = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
_REMEDIES = {
    404: "Create a new incoming webhook and put it into the configuration.",
    403: "The workspace forbids it: ask its administrator.",
    410: "The channel is archived: choose another one.",
}
Block = dict[str, Any]


def slack_text(alert: Alert) -> str:
    """Return the line a telephone shows, escaped: badge, severity, what, one sentence."""
    line = f"{alert.mode} · {alert.severity.upper()} · {alert.title}: {alert.text}"
    return _fit(one_line(line), TEXT_LENGTH)


def slack_blocks(alert: Alert) -> list[Block]:
    """Return header, sentence, numbers and context, within Slack's limits.

    Nothing that comes from data can mention anyone, make a link or leave its field.
    """
    head = f"{alert.mode} · {_MARKS[alert.severity]} {alert.severity.upper()} · {one_line(alert.title)}"
    call = "<!here> " if alert.severity is Severity.CRITICAL else ""
    blocks: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": _fit(head, HEADER_LENGTH), "emoji": False}},
        {"type": "section", "text": _markdown(call + _fit(alert.text, TEXT_LENGTH - len(call)))},
    ]
    cells = [_markdown(f"*{_fit(name, 80)}*\n{_fit(value, FIELD_LENGTH)}") for name, value in alert.fields]
    for start in range(0, len(cells), _FIELDS_A_SECTION):
        blocks.append({"type": "section", "fields": cells[start : start + _FIELDS_A_SECTION]})
    context = f"{time_of_day(alert.at)} · {alert.event} · {alert.id}"
    del blocks[MAX_BLOCKS - 1 :]
    blocks.append({"type": "context", "elements": [_markdown(_fit(context, FIELD_LENGTH))]})
    return blocks


class SlackWebhook:
    """Posts to one channel through an incoming webhook. The URL is a secret."""

    name = "slack-webhook"

    def __init__(self, url: str, timeout_seconds: int = 5) -> None:
        from slack_sdk.webhook import WebhookClient

        self._client = WebhookClient(url, timeout_seconds, logger=_silent_logger(), retry_handlers=[])

    def post(self, alert: Alert) -> None:
        """Deliver one alert.

        Raises:
            NotifierUnavailable: no answer, 429 (with the seconds Slack asks for) or 5xx.
            AlertUndeliverable: the webhook is gone, or Slack refuses the message.
        """
        from slack_sdk.errors import SlackClientError

        try:
            answer = self._client.send(
                text=slack_text(alert), blocks=slack_blocks(alert), unfurl_links=False, unfurl_media=False
            )
        except (OSError, HTTPException, SlackClientError, ValueError) as error:
            raise _unsent(self.name, error) from None
        if answer.status_code == 200 and answer.body.strip() == "ok":
            return
        code = answer.body if answer.status_code != 200 else f"an answer other than ok: {answer.body}"
        raise _refusal(self.name, answer.status_code, code, answer.headers)


class SlackBot:
    """Posts to one channel with a bot token (``chat:write``). The token is a secret."""

    name = "slack-bot"

    def __init__(
        self,
        token: str,
        channel: str,
        timeout_seconds: int = 5,
        base_url: str = "https://slack.com/api/",
    ) -> None:
        from slack_sdk.web import WebClient

        self._channel = channel
        self._client = WebClient(token, base_url, timeout_seconds, logger=_silent_logger(), retry_handlers=[])

    def post(self, alert: Alert) -> None:
        """Deliver one alert; raises as :meth:`SlackWebhook.post` does."""
        from slack_sdk.errors import SlackApiError, SlackClientError

        try:
            self._client.chat_postMessage(
                channel=self._channel,
                text=slack_text(alert),
                blocks=slack_blocks(alert),
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackApiError as error:
            answer = error.response
            raise _refusal(self.name, answer.status_code, _code(answer.data), answer.headers) from None
        except (OSError, HTTPException, SlackClientError, ValueError) as error:
            raise _unsent(self.name, error) from None


def _silent_logger() -> logging.Logger:
    sdk = logging.getLogger("slack_sdk")
    sdk.setLevel(max(sdk.level, logging.INFO))
    own = sdk.getChild("marketday")
    own.setLevel(logging.CRITICAL)
    return own


def _escaped(text: str) -> str:
    # The zero-width space keeps "@here" a word where a client would complete it to a mention.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")


def _fit(text: str, length: int) -> str:
    """Return ``text`` escaped and within ``length``, never cut in the middle of an escape."""
    kept = text
    while len(_escaped(kept)) > length:
        kept = shortened(kept, min(length, len(kept) - max(1, (len(_escaped(kept)) - length) // 5)))
    return _escaped(kept)


def _markdown(text: str) -> Block:
    return {"type": "mrkdwn", "text": text or " ", "verbatim": True}


def _code(data: object) -> str:
    return str(data.get("error", "")) if isinstance(data, Mapping) else ""


def _unsent(name: str, error: Exception) -> NotifierUnavailable | AlertUndeliverable:
    # Only the kind of error: its words may contain the URL (http.client.InvalidURL does).
    kind = type(getattr(error, "reason", error)).__name__
    if isinstance(error, (OSError, HTTPException)) and not isinstance(error, InvalidURL):
        return NotifierUnavailable(name, f"no answer ({kind})")
    return AlertUndeliverable(name, f"cannot be sent ({kind})", "Check its URL: `marketday doctor`.")


def _refusal(
    name: str, status: int, code: str, headers: Mapping[str, str]
) -> NotifierUnavailable | AlertUndeliverable:
    reason = f"{status} {shortened(one_line(code), 60)}".strip()
    if status == 429 or code in _TRANSIENT_CODES:
        return NotifierUnavailable(name, reason, _retry_after(headers))
    if status >= 500:
        return NotifierUnavailable(name, reason)
    return AlertUndeliverable(name, reason, _REMEDIES.get(status, "Check its settings: `marketday doctor`."))


def _retry_after(headers: Mapping[str, str]) -> float:
    lowered = {key.lower(): value for key, value in headers.items()}
    try:
        asked = float(lowered.get("retry-after", _DEFAULT_RETRY_SECONDS))
    except ValueError:
        return _DEFAULT_RETRY_SECONDS
    # A comparison with NaN is false: it becomes the least.
    return min(asked, _LONGEST_RETRY_SECONDS) if asked > 0 else 0.0
