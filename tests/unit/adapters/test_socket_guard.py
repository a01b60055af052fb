"""A process that trades on paper reaches no live host (I16), whatever the configuration or a library says.

The guard stays for good, so each case runs in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

GUARD = """
import socket
import sys
from pipeline.adapters.alpaca.account import LIVE_HOSTS
from pipeline.adapters.socket_guard import refuse_hosts
from pipeline.errors import AccountMismatch
refuse_hosts(LIVE_HOSTS, "paper")
refuse_hosts(LIVE_HOSTS, "paper")

def told(call):
    try:
        return call() and "reached"
    except AccountMismatch as error:
        return str(error)
    except OSError as error:
        return type(error).__name__
"""


def said(program: str) -> list[str]:
    """Run a program below the guard and return its lines."""
    command = [sys.executable, "-c", GUARD + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    "call",
    [
        'socket.create_connection(("api.alpaca.markets", 443))',
        'socket.create_connection(("API.Alpaca.Markets.", 443))',
        'socket.getaddrinfo(b"broker-api.alpaca.markets", 443)',
        'socket.gethostbyname("api.alpaca.markets")',
        'sys.audit("socket.connect", None, ("api.alpaca.markets", 443))',
    ],
)
def test_no_way_of_asking_for_a_live_host_gets_a_socket(call: str) -> None:
    """The last is what the interpreter says of a connection just before it makes it."""
    assert "configured for paper, but the broker shows live" in said(f"print(told(lambda: {call}))")[0]


def test_this_machine_and_the_paper_host_are_left_alone() -> None:
    """A listener on loopback is reached; the paper host's name is looked up like any other."""
    program = """
with socket.create_server(("127.0.0.1", 0)) as server:
    print(told(lambda: socket.create_connection(server.getsockname())))
real = []
socket_getaddrinfo = told(lambda: socket.getaddrinfo("paper-api.alpaca.markets.invalid", 443))
print(socket_getaddrinfo)
"""

    assert said(program) == ["reached", "gaierror"]


def test_the_sdk_below_a_paper_desk_cannot_be_turned_to_live_money() -> None:
    """alpaca-py takes a live address beside paper=True. The request ends before a name is looked up."""
    program = """
from pipeline.adapters.alpaca.account import AlpacaSettings
from pipeline.adapters.alpaca.transport import open_trading
settings = AlpacaSettings("PK1", "s", "https://api.alpaca.markets", "wss://api.alpaca.markets/stream",
    "https://data.alpaca.markets", "wss://stream.data.alpaca.markets/v2/iex", mode="paper")
wire = open_trading(settings)
print(told(lambda: wire.ask("post", "/orders", {"symbol": "SPY"})))
"""

    assert "tried to reach api.alpaca.markets" in said(program)[0]


def test_opening_any_desk_but_a_live_one_puts_up_the_guard() -> None:
    """`connect` with a rehearsal's settings: no exchange runs, and live hosts are out of reach already."""
    program = """
from pathlib import Path
from pipeline.adapters import socket_guard
socket_guard._refused.clear()
from pipeline.settings.loading import read_settings
from pipeline.wiring.brokers import connect
from pipeline.wiring.spec import CHECKOUT
config = CHECKOUT / "deployments" / "config"
settings = read_settings([config / "live_momentum_strategy.yaml", config / "rehearsal.yaml"])
try:
    connect(settings, Path("/nowhere"))
except Exception as error:
    print(type(error).__name__)
print(told(lambda: socket.getaddrinfo("api.alpaca.markets", 443)))
"""
    said_so = said(program)

    assert said_so[0] == "BrokerUnavailable"
    assert said_so[1].startswith("configured for rehearsal, but the broker shows live")
