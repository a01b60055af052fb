"""What a log record may show, whoever writes it."""

from __future__ import annotations

import base64
import logging

import pytest

from pipeline.adapters.slack import SlackWebhook
from pipeline.domain.notification import NotifierUnavailable
from pipeline.wiring.redaction import forms, redact, redacted
from tests.unit.notification.loopback_slack import Answer, loopback_slack
from tests.unit.notification.test_slack import HALT

SECRET, HOOK = "canary+secret/of=the broker", "services/T0CANARY/B0CANARY/hookcanary"


def test_a_log_record_shows_no_secret_in_any_form(caplog: pytest.LogCaptureFixture) -> None:
    """In the message, its arguments, a traceback, an address, base64, a record that cannot be formatted."""
    redact([SECRET, "short"])
    log = logging.getLogger("canary.child")
    caplog.set_level(logging.DEBUG)
    log.debug("frame > %r", {"key": SECRET})
    log.info("GET /x?y=canary%2Bsecret%2Fof%3Dthe%20broker")
    log.info("Basic %s", base64.b64encode(f"user:{SECRET}".encode()).decode())
    log.info("%d items", SECRET)
    try:
        raise ConnectionError(f"auth {SECRET} refused")
    except ConnectionError:
        log.exception("failed")
    log.info("short words are words")

    assert not [form for form in forms(SECRET) if form in caplog.text]
    assert "frame > {'key': '•••'}" in caplog.text
    assert "ConnectionError: auth ••• refused" in caplog.text
    assert "short words are words" in caplog.text
    assert redacted(f"<{SECRET}>") == "<•••>"


def test_the_sdk_of_slack_never_speaks_below_info(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG it logs the webhook's address; it may be asked for DEBUG, or for nothing, by anybody."""
    caplog.set_level(logging.DEBUG, logger="slack_sdk")
    with loopback_slack() as slack:
        slack.answer = Answer(500, "oops")
        with pytest.raises(NotifierUnavailable):
            SlackWebhook(f"{slack.url}/{HOOK}").post(HALT)

    assert logging.getLogger("slack_sdk").getEffectiveLevel() >= logging.INFO
    assert HOOK not in caplog.text
