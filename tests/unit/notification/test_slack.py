"""Slack's answers, sorted into "try again" and "never", and messages within its limits."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipeline.adapters.slack import SlackBot, SlackWebhook, slack_blocks, slack_text
from pipeline.domain.alert_catalogue import alert
from pipeline.domain.alerts import Alert, Severity
from pipeline.domain.notification import AlertUndeliverable, NotifierUnavailable
from tests.unit.notification.loopback_slack import Answer, LoopbackSlack, loopback_slack

AT = datetime(2013, 10, 7, 17, 5, tzinfo=UTC)
SECRET = "/services/T0000/B0000/verysecret"
HALT = alert(
    "daily_loss_limit_reached",
    "",
    "The day lost 3.12 % of equity. Entries are off; 2 orders were cancelled.",
    AT,
    "PAPER",
    ("Day P&L", "−$312.40 (−3.12 % of −3.00 %)"),
)


@pytest.fixture
def slack() -> Iterator[LoopbackSlack]:
    with loopback_slack() as running:
        yield running


def test_a_message_has_header_sentence_numbers_and_context() -> None:
    """The layout of a critical alert; @here comes from us alone, 17:05 UTC is 13:05 in New York."""
    blocks = slack_blocks(HALT)

    assert blocks == [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": "PAPER · 🔴 CRITICAL · Daily loss limit reached",
                "emoji": False,
            },
        },
        {
            "type": "section",
            "text": {
                "type": "mrkdwn",
                "text": "<!here> The day lost 3.12 % of equity. Entries are off; 2 orders were cancelled.",
                "verbatim": True,
            },
        },
        {
            "type": "section",
            "fields": [
                {
                    "type": "mrkdwn",
                    "text": "*Day P&amp;L*\n−$312.40 (−3.12 % of −3.00 %)",
                    "verbatim": True,
                }
            ],
        },
        {
            "type": "context",
            "elements": [
                {
                    "type": "mrkdwn",
                    "text": "13:05:00 ET · daily_loss_limit_reached · "
                    "daily_loss_limit_reached||2013-10-07T17:05:00+00:00",
                    "verbatim": True,
                }
            ],
        },
    ]


def test_data_can_neither_mention_nor_link_nor_overflow() -> None:
    """A broker's reason full of markup, 20,000 characters long, in every place that data reaches."""
    hostile = "<!channel> <https://evil|click> @here & " * 500
    message = Alert(
        "id", "order_rejected", Severity.WARNING, hostile, hostile, AT, "SIM", ((hostile, hostile),) * 10
    )

    blocks = slack_blocks(message)
    texts = [blocks[0]["text"]["text"], blocks[1]["text"]["text"], slack_text(message)]
    texts += [field["text"] for field in blocks[2]["fields"]]

    assert not any(character in text for text in texts for character in "<>")
    assert not any("@here" in text for text in texts)
    assert len(texts[0]) <= 150
    assert max(map(len, texts)) <= 3_000
    assert sum(map(len, texts)) <= 13_000
    assert not any(text.rstrip("…").endswith(("&", "&l", "&lt", "&g", "&gt", "&am")) for text in texts)


def test_the_webhook_and_the_bot_send_text_and_blocks(slack: LoopbackSlack) -> None:
    """`text` is what a telephone shows; without it a notification is empty."""
    SlackWebhook(slack.url + SECRET).post(HALT)
    slack.answer = Answer(body='{"ok": true}')
    SlackBot("xoxb-secret", "#desk", base_url=slack.url + "/api/").post(HALT)

    assert [message["text"] for message in slack.received] == [slack_text(HALT)] * 2
    assert [message["blocks"] for message in slack.received] == [slack_blocks(HALT)] * 2
    assert slack.received[1]["channel"] == "#desk"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(429, "rate_limited", {"Retry-After": "7"}), 7.0),
        (Answer(429, "rate_limited"), 1.0),
        (Answer(429, "rate_limited", {"Retry-After": "86400"}), 300.0),
        (Answer(429, "rate_limited", {"Retry-After": "nan"}), 0.0),
        (Answer(500, "<html>oops</html>"), None),
        (Answer(503, ""), None),
        (Answer(hang=True), None),
    ],
    ids=["429", "429 without a header", "429 for a day", "429 for nonsense", "500", "503", "hang"],
)
def test_not_now_is_transient_with_the_seconds_slack_asks_for(
    slack: LoopbackSlack, answer: Answer, seconds: float | None
) -> None:
    """The alert stays in the outbox."""
    slack.answer = answer

    with pytest.raises(NotifierUnavailable) as raised:
        SlackWebhook(slack.url + SECRET, timeout_seconds=1).post(HALT)

    assert raised.value.retry_after == seconds
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, "no_service"),
        Answer(400, "invalid_blocks"),
        Answer(410, "channel_is_archived"),
        Answer(200, "{}"),
    ],
    ids=["404", "400", "410", "200 that is not ok"],
)
def test_a_refusal_is_terminal_and_names_a_remedy(slack: LoopbackSlack, answer: Answer) -> None:
    """A webhook that was removed answers 404 and the SDK raises nothing."""
    slack.answer = answer

    with pytest.raises(AlertUndeliverable) as raised:
        SlackWebhook(slack.url + SECRET).post(HALT)

    assert raised.value.remedy
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ratelimited", NotifierUnavailable),
        ("internal_error", NotifierUnavailable),
        ("invalid_auth", AlertUndeliverable),
        ("channel_not_found", AlertUndeliverable),
        ("msg_blocks_too_long", AlertUndeliverable),
    ],
)
def test_ok_false_is_sorted_by_its_code(
    slack: LoopbackSlack, code: str, kind: type[NotifierUnavailable] | type[AlertUndeliverable]
) -> None:
    """The Web API answers 200 and says no in the body."""
    slack.answer = Answer(body=json.dumps({"ok": False, "error": code}))

    with pytest.raises(kind, match=code):
        SlackBot("xoxb-secret", "#desk", base_url=slack.url + "/api/").post(HALT)


def test_secrets_stay_out_of_errors_and_logs_at_debug_level(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens at the port; a URL with a space makes http.client put the path into its error."""
    caplog.set_level(logging.DEBUG)
    attempts = (
        SlackWebhook("http://127.0.0.1:9" + SECRET, timeout_seconds=1),
        SlackWebhook("http://127.0.0.1:9/a " + SECRET, timeout_seconds=1),
        SlackWebhook("verysecret"),
        SlackBot("xoxb-verysecret", "#desk", timeout_seconds=1, base_url="http://127.0.0.1:9/"),
    )

    told = []
    for notifier in attempts:
        with pytest.raises((NotifierUnavailable, AlertUndeliverable)) as raised:
            notifier.post(HALT)
        told.append(str(raised.value) + repr(notifier))

    assert "verysecret" not in "".join(told) + caplog.text
