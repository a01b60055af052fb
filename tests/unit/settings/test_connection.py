"""Paper, live or rehearsal is never a guess."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings.connection import Endpoints, Mode, broker, endpoints, mode
from tests.unit.settings.conftest import ARMING, Read

LIVE = "data: {source: {environment: live}}\n"


def test_paper_is_what_nobody_has_to_ask_for(read: Read) -> None:
    settings = read()

    assert (mode(settings), mode(settings).label) == (Mode.PAPER, "PAPER")
    assert endpoints(settings) == Endpoints(
        "https://paper-api.alpaca.markets",
        "wss://paper-api.alpaca.markets/stream",
        "https://data.alpaca.markets",
        "wss://stream.data.alpaca.markets/v2/iex",
    )


def test_live_needs_the_word_and_the_sentence(read: Read) -> None:
    """Without the block, or with another sentence, no real money; the day is asked in pre-market."""
    settings = read(LIVE + ARMING)

    assert (mode(settings).label, endpoints(settings).trading_url) == ("LIVE", "https://api.alpaca.markets")
    with pytest.raises(ConfigurationError, match="real money needs a block"):
        read(LIVE)
    with pytest.raises(ConfigurationError, match="confirm"):
        read(LIVE + ARMING.replace("accept", "except"))


@pytest.mark.parametrize("missing", ["account", "confirm", "valid_until"])
def test_an_arming_needs_each_of_its_three_parts(read: Read, missing: str) -> None:
    lines = [line for line in ARMING.splitlines() if missing not in line]

    with pytest.raises(ConfigurationError) as caught:
        read(LIVE + "\n".join(lines))

    assert f"live_arming.{missing}: is required" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        (
            "data: {source: {base_url: api.alpaca.markets}}",
            {},
            "address for real money, but environment is paper",
        ),
        ("data: {source: {trading_url: 'https://API.alpaca.markets:443/'}}", {}, "address for real money"),
        (LIVE + ARMING, {"ALPACA_API_KEY": "PK1"}, "is the key of a paper account, but environment is live"),
        ("", {"ALPACA_API_KEY": "AK1"}, "is the key of a live account, but environment is paper"),
        (
            "data: {source: {base_url: 'http://127.0.0.1:1', trading_url: 'http://127.0.0.1:2'}}",
            {},
            "trading_url and base_url differ",
        ),
        (
            "data: {source: {provider: interactive_brokers, ib_settings: {enable_paper_trading: false}}}",
            {},
            "contradicts environment: paper",
        ),
        (
            "data: {source: {provider: interactive_brokers, connection: {port: 4001}}}",
            {},
            "is not a port of a paper account; use 7497",
        ),
    ],
)
def test_signs_of_paper_and_live_must_agree(
    read: Read, text: str, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text, environ=environ)

    assert said in str(caught.value)


def test_a_rehearsal_never_has_a_brokers_address(read: Read) -> None:
    """Somebody rehearses a live configuration: no money, and no address that leads to some."""
    settings = read("data: {source: {provider: rehearsal, environment: live, base_url: api.alpaca.markets}}")

    assert mode(settings).label == "SIM"
    with pytest.raises(ConfigurationError, match="its exchange has started"):
        endpoints(settings)


def test_an_address_of_ones_own_brings_its_stream_along(read: Read) -> None:
    settings = read(
        "data: {source: {trading_url: 'http://127.0.0.1:8000', data_url: 'http://127.0.0.1:8001'}}"
    )

    assert endpoints(settings).stream_url == "ws://127.0.0.1:8000/stream"
    assert endpoints(settings).data_url == "http://127.0.0.1:8001"


def test_td_ameritrade_is_schwab(read: Read) -> None:
    assert broker(read("data: {source: {provider: td_ameritrade}}")) == "schwab"
