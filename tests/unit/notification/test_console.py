"""What a terminal shows."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from pipeline.adapters.console import ConsoleNotifier
from pipeline.domain.alert_catalogue import CATALOGUE, alert
from pipeline.domain.notification import AlertUndeliverable

AT = datetime(2013, 10, 7, 13, 31, tzinfo=UTC)


def test_an_alert_is_one_line_with_the_badge_first_and_the_time_in_new_york() -> None:
    """13:31 UTC in October is 09:31 in New York; the broker's escape sequence and line break are gone."""
    stream = io.StringIO()
    console = ConsoleNotifier(stream)

    console.post(
        alert("position_opened", "SPY", "Bought 3 at 9.20.", AT, "SIM", ("Exposure", "3.90 % of 6.00 %"))
    )
    console.post(alert("order_rejected", "QQQ", "Refused:\x1b[31m no\nreason.", AT, "LIVE"))

    assert stream.getvalue() == (
        "SIM · 09:31:00 ET · INFO · Position opened in SPY — Bought 3 at 9.20. — Exposure 3.90 % of 6.00 %\n"
        "LIVE · 09:31:00 ET · WARNING · Order for QQQ rejected by the broker — Refused: [31m no reason.\n"
    )


def test_a_closed_stream_drops_the_alert_and_says_so() -> None:
    """A terminal that was closed takes nothing for ever: trying again would hold up the outbox."""
    stream = io.StringIO()
    stream.close()

    with pytest.raises(AlertUndeliverable):
        ConsoleNotifier(stream).post(alert("go", "", "11 of 11 checks passed.", AT, "SIM"))


def test_every_catalogue_entry_makes_an_alert_and_says_what_to_do() -> None:
    """Titles fit a Slack header with the longest subject, and the same event has the same id."""
    for entry in CATALOGUE.values():
        one = alert(entry.event, "S" * 500, "It happened.", AT, "SIM", *[("n", "v")] * 12)
        assert one == alert(entry.event, "S" * 500, "It happened.", AT, "SIM", *[("n", "v")] * 12)
        assert len(one.title) <= 150
        assert len(one.fields) == 10
        assert entry.remedy.endswith(".")
