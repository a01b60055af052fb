"""The Prefect server of a home: its environment, its process, its health."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import certifi

from pipeline.cli.access import access_environment
from pipeline.cli.leash import die_with_parent
from pipeline.cli.loopback import HOST
from pipeline.errors import StoreUnavailable
from pipeline.settings.layers import process_environment

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_START_SECONDS = 90.0


def prefect_environment(home: Path, port: int) -> dict[str, str]:
    """Return the settings without which Prefect is slow, obeys strangers, or finds another server.

    Measured: with SQLite and default settings a flow run takes 2 s and now and then 64; with the
    recorder's batches and one connection 0.1 s.
    """
    url = f"http://{HOST}:{port}"
    return access_environment(home, url) | {
        "PREFECT_API_SSL_CERT_FILE": str(_one_root(home)),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "1",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "0",
        # In memory they die with the server, and what they held stays taken for ever (FAULTS K6).
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",  # results are not kept; who keeps one loads no code
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_CLIENT_MAX_RETRIES": "1",  # a server that died must not hold up the end of a session
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
    }


def _one_root(home: Path) -> Path:
    """Return a file with one root certificate, made of those that requests trusts.

    Prefect's client builds a TLS context for each of the three connections of a flow run, although
    the API is plain HTTP on loopback. With every root in the file that is 40 of a run's 58 ms of CPU.
    """
    path = home / "prefect" / "one-root.pem"
    if not path.exists():
        roots = Path(certifi.where()).read_text(encoding="ascii", errors="ignore")
        first = roots[roots.index(_BEGIN) : roots.index(_END) + len(_END)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{first}\n")
    return path


@dataclass(frozen=True, slots=True)
class Child:
    """A process we started and must end."""

    name: str
    process: subprocess.Popen[bytes]

    def stop(self, patience: float = 8.0) -> None:
        """End it and what it started: politely, then not."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            self.process.send_signal(sent)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue


def spawn(name: str, command: list[str], home: Path, environment: Mapping[str, str]) -> Child:
    """Start a child that ends with this process; its output is in ``home/logs/<name>.log``."""
    log = home / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter with fixed words
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**process_environment(), **environment},
            preexec_fn=_own_group,  # noqa: PLW1509
        )
    return Child(name, process)


def _own_group() -> None:
    die_with_parent()
    os.setpgid(0, 0)  # a Ctrl-C in the terminal is for the parent, who ends us in order


_LEAN = {
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
}
"""Without automations and the event feed: each event costs a write, and with SQLite every write waits.
Measured on 220 runs in a row: 9 stalls of 2 s with them, 2 to 4 without. Only a rehearsal hurries so."""


def start_prefect(home: Path, port: int, lean: bool = False) -> Child:
    """Start the Prefect server; :func:`wait_healthy` tells when it answers.

    ``lean`` leaves out what only automations and the event feed need.
    """
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    environment = prefect_environment(home, port) | (_LEAN if lean else {})
    return spawn("prefect-server", command, home, environment)


def wait_healthy(child: Child, port: int, home: Path) -> None:
    """Return when the server answers.

    Raises:
        StoreUnavailable: it ended, or did not answer in time; its log says why.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if child.process.poll() is not None:
            break
        if healthy(port):
            return
        time.sleep(0.1)
    log = home / "logs" / f"{child.name}.log"
    raise StoreUnavailable("the Prefect server", f"it did not come up; the reason is in {log}")


def healthy(port: int, timeout: float = 0.3) -> bool:
    """Tell whether the server on ``port`` answers now."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{HOST}:{port}/api/health", timeout=timeout) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
