"""Start, find and stop a rehearsal exchange process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import BrokerUnavailable, ConfigurationError, UsageError
from pipeline.exchange.control import NAME, ExchangeControl

CANNOT_USE, IN_USE = 2, 3
"""Exit codes: the configuration cannot be used; a port or the home is in use."""

START_SECONDS = 20.0
STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RunningExchange:
    """Where a running exchange is.

    Attributes:
        url: of Alpaca's trading and market-data REST.
        stream_url: of the trade-updates websocket.
        control_url: of the control port.
    """

    pid: int
    url: str
    stream_url: str
    control_url: str
    child: subprocess.Popen[bytes] | None = field(default=None, compare=False, repr=False)

    def control(self) -> ExchangeControl:
        """Return a client of its control port."""
        return ExchangeControl(self.control_url)

    def stop(self) -> None:
        """End it: politely, then not; does nothing when it has ended."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            if not self._alive():
                return
            os.kill(self.pid, sent)
            deadline = time.monotonic() + STOP_SECONDS
            while self._alive() and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)

    def _alive(self) -> bool:
        if self.child is not None:
            return self.child.poll() is None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


def start(  # noqa: PLR0913 - a process's options are its parameters
    home: Path,
    config: Path,
    *,
    port: int = 0,
    control_port: int = 0,
    die_with_parent: bool = True,
    faults: Path | None = None,
) -> RunningExchange:
    """Start an exchange process and return when it answers. Its output is in ``home/exchange.out``.

    ``die_with_parent`` (Linux) ends it with the *thread* that called: call from one that lasts.
    ``faults`` is a script (:mod:`pipeline.exchange.scripts`) that it carries out, once.

    Raises:
        ConfigurationError: the configuration, or the storage in ``home``, cannot be used.
        UsageError: a port, or ``home``, is in use, or ``home`` cannot be written.
        BrokerUnavailable: it did not come up in time.
    """
    command = [sys.executable, "-m", "pipeline.exchange", "--home", str(home), "--config", str(config)]
    command += ["--port", str(port), "--control-port", str(control_port)]
    command += ["--die-with-parent"] if die_with_parent else []
    command += ["--faults", str(faults)] if faults else []
    child = _spawn(home, command)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = _read(home, child)
        if found is not None and found.pid == child.pid:
            return found
        if child.poll() is not None:
            raise _failure(home, config, child.returncode)
        time.sleep(_POLL_SECONDS)
    child.kill()
    child.wait()
    raise BrokerUnavailable(NAME, f"not up after {START_SECONDS:.0f} s; see {home / 'exchange.out'}")


def _spawn(home: Path, command: list[str]) -> subprocess.Popen[bytes]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        output = (home / "exchange.out").open("wb")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written ({error.strerror}): choose a folder") from error
    with output:
        # Its own session: Ctrl-C in a terminal ends the caller, which then ends the exchange in order.
        return subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def attach(home: Path) -> RunningExchange | None:
    """Return the exchange that runs in ``home``, or None."""
    found = _read(home, None)
    if found is None:
        return None
    try:
        found.control().now()
    except BrokerUnavailable:
        return None
    return found


def _read(home: Path, child: subprocess.Popen[bytes] | None) -> RunningExchange | None:
    try:
        place = json.loads((home / "exchange.json").read_text("utf-8"))
    except FileNotFoundError:
        return None
    return RunningExchange(place["pid"], place["url"], place["stream_url"], place["control_url"], child)


def _failure(home: Path, config: Path, code: int) -> Exception:
    said = (home / "exchange.out").read_text("utf-8", errors="replace").strip() or f"exit code {code}"
    if code == CANNOT_USE:
        return ConfigurationError("exchange", None, said, str(config))
    return UsageError(said) if code == IN_USE else BrokerUnavailable(NAME, said)
