"""Who can start, stop and resume, and how much noise a desk stands."""

from __future__ import annotations

import ast
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.cli.loopback import held_port
from pipeline.domain.alert_catalogue import alert
from pipeline.domain.journal import Kind
from pipeline.domain.trading_state import TradingState
from pipeline.errors import ConfigurationError, UsageError
from pipeline.operations.alerting import raise_alert
from pipeline.operations.emergency import halt
from pipeline.settings.loading import read_settings
from tests.cli.homes import OPEN, a_losing_day
from tests.operations.desks import CHECKOUT, CONFIG

SOURCE = CHECKOUT / "src" / "pipeline"


def calls(path: Path, name: str) -> bool:
    """Tell whether a module calls a function of that name, or hands it on."""
    tree = ast.parse(path.read_text("utf-8"))
    return any(
        (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.Name) and node.id == name)
        for node in ast.walk(tree)
    )


def test_a_resume_is_reached_from_the_command_and_its_flow_and_from_nowhere_else() -> None:
    """No notifier, no web page, no automatic rule leads there; a chat cannot resume."""
    sources = [path for folder in ("src", "flows", "tasks") for path in (CHECKOUT / folder).rglob("*.py")]
    reaching = {path.relative_to(CHECKOUT).as_posix() for path in sources if calls(path, "resume")}

    assert reaching <= {
        "src/pipeline/cli/resuming.py",
        "src/pipeline/cli/main.py",
        "src/pipeline/operations/emergency.py",
        "src/pipeline/operations/stopping.py",
        "flows/resume_trading.py",
        "tasks/steps.py",
    }


def test_nothing_of_ours_listens_but_the_rehearsal_exchange() -> None:
    """Notifiers speak and never listen: there is no chat, mail or telephone that a stranger could talk to."""
    listening = re.compile(
        r"socket_mode|slack_bolt|HTTPServer|FastAPI\(|uvicorn|\.listen\(|start_server\(|imaplib|twilio", re.I
    )
    found = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if listening.search(path.read_text("utf-8")) and not path.is_relative_to(SOURCE / "exchange")
    }

    assert found <= {"cli/installation.py"}


def test_two_desks_that_start_in_the_same_second_take_two_ports() -> None:
    """Neither listens yet: the second sees that the first is about to."""
    with ExitStack() as stack:
        first = stack.enter_context(held_port(None))
        second = stack.enter_context(held_port(None))
        third = stack.enter_context(held_port(0))
        with pytest.raises(UsageError, match=f"port {first} is in use"), held_port(first):
            pass
    with held_port(first) as again:
        pass

    assert len({first, second, third}) == 3
    assert again == first


def test_a_port_that_somebody_else_listens_on_is_not_taken() -> None:
    """A program that does not know our locks."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageError, match="is in use"), held_port(other.getsockname()[1]):
            pass


def test_a_thousand_halts_are_one_and_a_thousand_equal_alerts_are_one(tmp_path: Path) -> None:
    """Somebody's script in a loop fills no channel and delays nothing.

    Each halt is one short line of the journal all the same: one that came in the middle of a resume, typed
    again word for word, must end that resume.
    """
    home = a_losing_day(tmp_path)
    before = home.journal.read().seq
    began = time.monotonic()
    halted = [halt(home.journal, "drill", "script", home.now) for _ in range(1_000)]
    told = [
        raise_alert(home.journal, alert("order_unknown", "SPY", "No answer.", OPEN, "SIM"))
        for _ in range(1_000)
    ]
    took = time.monotonic() - began

    assert (sum(halted), sum(told)) == (1, 1)
    assert home.journal.read().seq - before <= 1_004
    assert home.journal.path.stat().st_size < 1_000_000
    assert home.journal.read().state.state is TradingState.HALTED
    assert took < 5


def test_an_alert_of_any_length_is_cut_before_it_is_journalled(tmp_path: Path) -> None:
    """A broker's answer of a megabyte, in every field: the record stays small."""
    home = a_losing_day(tmp_path)
    huge = "x" * 1_000_000
    found = alert("order_rejected", huge, huge, OPEN, "SIM", *[(huge, huge)] * 50)
    raise_alert(home.journal, found)
    (record,) = [one for one in home.journal.records() if one.kind is Kind.ALERT]

    assert len(str(record.data)) < 100_000


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("base_url", "https://evil.example"),
        ("base_url", "https://paper-api.alpaca.markets.evil.example"),
        ("trading_url", "https://evilalpaca.markets"),
        ("data_url", "https://169.254.169.254"),
        ("stream_url", "wss://evil.example/stream"),
        ("base_url", "http://paper-api.alpaca.markets"),
        ("base_url", "https://paper-api.alpaca.markets@evil.example"),
        ("base_url", "file:///etc/passwd"),
    ],
)
def test_an_address_that_is_not_alpacas_never_gets_its_keys(key: str, url: str) -> None:
    """Another host, one that only looks like it, plain HTTP, a user before the host: refused by name."""
    with pytest.raises(ConfigurationError, match=rf"data\.source\.{key}"):
        read_settings([CONFIG / "live_momentum_strategy.yaml"], [f"data.source.{key}={url}"])


def test_the_handbook_says_how_to_make_keep_and_change_keys() -> None:
    """A key without withdrawals, from one address, in the environment, changed without a gap."""
    text = (CHECKOUT / "docs" / "handbook.md").read_text("utf-8")
    section = text.partition("\n## Security")[2].partition("\n## ")[0]

    for word in ("withdraw", "IP", "environment", "revoke", 'eval "$(marketday env)"', "--head"):
        assert word in section, word
