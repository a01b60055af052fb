"""Canary credentials live through a day with failures, at DEBUG level: none is found in anything that stays.

Keys of the broker, a webhook, a bot's token, the server's password. Looked for as they are, quoted as
in an address, and in base64 at each offset, in every byte below the desk's home and Prefect's: database
and its log, storage, logs, DuckDB, journal, reports, backups.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import importlib
import logging
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect.context import refresh_global_settings_context
from prefect.logging.configuration import setup_logging

from pipeline.adapters.slack import SlackBot, SlackWebhook
from pipeline.cli.access import login_file
from pipeline.operations.alerting import Channel, deliver
from pipeline.operations.projecting import wait_projected
from pipeline.settings.secrets import secret_values
from pipeline.wiring import brokers
from pipeline.wiring.desks import FileLock
from pipeline.wiring.redaction import forms, redact
from tests.cli.homes import marketday
from tests.flows.servers import PREFECTS_OWN, running_server
from tests.operations.desks import Rehearsal, at, overlay, rehearsal
from tests.unit.notification.loopback_slack import Answer, loopback_slack

pytestmark = [pytest.mark.slow, *PREFECTS_OWN]

KEY, SECRET = "PKCANARYKEY7Q2Z", "canary+secret/of=the broker"
HOOK, TOKEN = "services/T0CANARY/B0CANARY/hookcanary", "xoxb-canary-token-of-the-bot"
DAY = (
    ("plan-session", "12:00"),
    ("pre-market", "13:30"),
    ("market-open", "14:30"),
    ("intraday-tick", "14:35"),
    ("risk-monitor", "14:35:30"),
)
EVENING = (("market-close", "21:00"), ("post-market", "22:00"), ("daily-report", "22:30"))


@dataclass(frozen=True, slots=True)
class Lived:
    """What a day left: the folders to search, what to search for, what was printed, how much was logged."""

    folders: tuple[Path, ...]
    canaries: tuple[str, ...]
    printed: str
    debug_lines: int
    posted: int


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder, prefect = tmp_path_factory.mktemp("canary"), tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch, running_server(prefect):
        patch.setattr(brokers, "REHEARSAL_KEY", KEY)
        patch.setattr(brokers, "REHEARSAL_SECRET", SECRET)
        for name, value in (("KEY", KEY), ("SECRET", SECRET), ("HOOK", f"https://h/{HOOK}"), ("BOT", TOKEN)):
            patch.setenv(f"CANARY_{name}", value)
        with everything_logged(patch, folder / "everything.log"):
            yield day(folder, prefect)
    gc.collect()


class everything_logged:  # noqa: N801 - reads as a sentence
    """Log at DEBUG, from every library, into a file and to Prefect's API."""

    def __init__(self, patch: pytest.MonkeyPatch, path: Path) -> None:
        self.handler = logging.FileHandler(path)
        patch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
        patch.setenv("PREFECT_LOGGING_TO_API_ENABLED", "true")
        patch.setenv("PREFECT_LOGGING_EXTRA_LOGGERS", "pipeline,urllib3,slack_sdk")
        patch.setenv("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
        refresh_global_settings_context()

    def __enter__(self) -> None:
        self.before = logging.root.level
        setup_logging(incremental=False)
        logging.root.addHandler(self.handler)
        logging.root.setLevel(logging.DEBUG)
        for name in ("urllib3", "httpx", "httpcore", "websockets", "slack_sdk", "pipeline", "prefect"):
            logging.getLogger(name).setLevel(logging.DEBUG)
            logging.getLogger(name).propagate = True

    def __exit__(self, *_: object) -> None:
        logging.root.removeHandler(self.handler)
        logging.root.setLevel(self.before)
        self.handler.close()
        for name in ("urllib3", "httpx", "httpcore", "websockets", "slack_sdk", "pipeline", "prefect"):
            logging.getLogger(name).setLevel(logging.NOTSET)


def day(folder: Path, prefect: Path) -> Lived:
    """Live through a day: trades, a silent broker, a crash in the order path, a halt, notifiers that fail."""
    secrets = {
        "data": {
            "source": {"api_credentials": {"api_key": "${CANARY_KEY}", "secret_key": "${CANARY_SECRET}"}}
        },
        "monitoring": {
            "alert_channels": {
                "webhook": "${CANARY_HOOK}",
                "slack": {"bot_token": "${CANARY_BOT}", "channel": "#desk"},
            }
        },
    }
    login = login_file(prefect).read_text().strip()
    redact([login])
    with rehearsal(folder, overlay("+SPY 14:35, -SPY 14:37") | secrets) as desk:
        assert {KEY, SECRET, TOKEN} <= set(secret_values(desk.settings))
        for name, clock in DAY:
            flow(desk, name, clock)
        fail(desk)
        for name, clock in EVENING:
            flow(desk, name, clock)
        posted = notify(desk)
        wait_projected(desk.desk)
        words = (("status",), ("doctor",), ("config", "show"), ("incidents",), ("report",), ("risk",))
        printed = [marketday(*one, "--home", desk.home) for one in words]
    logging.getLogger("drill").error("a library says %s and %s", SECRET, [KEY], exc_info=ValueError(login))
    log = (folder / "everything.log").read_text()
    return Lived(
        (folder, prefect),
        (KEY, SECRET, HOOK, TOKEN, login, login.partition(":")[2]),
        "".join(one.output for one in printed),
        log.count("\n"),
        posted,
    )


def flow(desk: Rehearsal, name: str, clock: str) -> Any:
    """Run a procedure as a Prefect run; a failed one stays in Prefect's books with its reason."""
    desk.to(at(clock))
    run = getattr(importlib.import_module(f"flows.{name.replace('-', '_')}"), name.replace("-", "_"))
    return asyncio.run(run(str(desk.config), at(clock), return_state=True))


def fail(desk: Rehearsal) -> None:
    """The broker is silent for a tick and a monitor pass; a submission ends in a bug; a person halts."""
    desk.broker.silent = True
    flow(desk, "intraday-tick", "14:36")
    flow(desk, "risk-monitor", "14:36:30")
    desk.broker.silent = False

    def bug(_moment: str) -> None:
        raise RuntimeError("a bug in the order path")

    desk.broker.fault = bug
    flow(desk, "intraday-tick", "14:37")
    desk.broker.fault = lambda _moment: None
    flow(desk, "risk-monitor", "14:38")
    asyncio.run(importlib.import_module("flows.emergency_stop").emergency_stop(str(desk.config), "drill"))


def notify(desk: Rehearsal) -> int:
    """Deliver every alert through a webhook and a bot, refused at first; return how many messages came."""
    with loopback_slack() as slack:
        channels = [
            Channel(SlackWebhook(f"{slack.url}/{HOOK}"), spacing_seconds=0),
            Channel(SlackBot(TOKEN, "#desk", base_url=f"{slack.url}/api/"), spacing_seconds=0),
        ]
        lock = FileLock(desk.home / "locks" / "outbox.lock")
        slack.answer = Answer(500, "oops")
        deliver(desk.desk.journal, channels, desk.desk.clock, lock, lambda: 0.0)
        slack.answer = Answer(404, "no_service")
        deliver(desk.desk.journal, channels, desk.desk.clock, lock, lambda: 100.0)
        return len(slack.received)


def hits(lived: Lived) -> list[tuple[str, str]]:
    """Return every file, and every printed text, in which a canary is found in any of its forms."""
    wanted = {form.encode() for canary in lived.canaries for form in forms(canary)}
    own = {login_file(lived.folders[1])}
    files = [one for folder in lived.folders for one in folder.rglob("*") if one.is_file() and one not in own]
    assert {"prefect.db", "marketday.duckdb", "rehearsal.jsonl", "everything.log"} <= {
        one.name for one in files
    }
    content = {str(one): one.read_bytes() for one in files} | {"printed": lived.printed.encode()}
    return [(name, form.decode()) for name, found in content.items() for form in wanted if form in found]


def test_no_canary_is_found_in_anything_that_stays(lived: Lived) -> None:
    """And the day was one: thousands of lines at DEBUG, alerts posted, verbs printed."""
    assert hits(lived) == []
    assert lived.debug_lines > 500
    assert lived.posted > 0
    assert "SIM" in lived.printed


def test_the_search_finds_a_canary_in_each_of_its_forms(lived: Lived) -> None:
    """Planted raw, pickled, and in base64 in the middle of something else: found."""
    for planted in (
        SECRET.encode(),
        pickle.dumps({"keys": [KEY]}),
        base64.b64encode(b"u:" + SECRET.encode() + b"tail"),
    ):
        path = lived.folders[0] / "planted"
        path.write_bytes(planted)
        found = hits(lived)
        path.unlink()

        assert [Path(name).name for name, _ in found] == ["planted"] * len(found)
        assert found
