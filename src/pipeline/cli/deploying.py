"""Prefect's work pool, deployments and worker of a desk."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from pipeline.cli.leash import die_with_parent
from pipeline.cli.servers import Child, prefect_environment, spawn
from pipeline.errors import StoreUnavailable
from pipeline.wiring.spec import CHECKOUT

POOL = "marketday"
_DEPLOYMENTS = CHECKOUT / "prefect.yaml"
_USUAL = "data/desk/desk.json"
"""The desk file that ``prefect.yaml`` names."""
_PATIENCE = 180.0


def deploy(home: Path, config: Path, port: int, rehearsal: bool) -> None:
    """Deploy everything in ``prefect.yaml``; in rehearsal without schedules, which mean real time.

    Raises:
        StoreUnavailable: Prefect refused it, or took too long.
    """
    commands = [
        ("work-pool", "create", POOL, "--type", "process", "--overwrite", "--base-job-template", _pool(home)),
        ("deploy", "--all", "--prefect-file", _deployments(home, config)),
    ]
    if rehearsal:
        commands.append(("deployment", "schedule", "pause", "--all"))
    # A server that is busy may take its time; trading does not wait for this.
    environment = {**os.environ, **prefect_environment(home, port), "PREFECT_CLIENT_MAX_RETRIES": "5"}
    for words in commands:
        _run(words, environment)


def start_worker(home: Path) -> Child:
    """Start the worker, from a thread that lasts: it ends with it, and its flow runs with the worker."""
    return spawn("worker", _prefect("worker", "start", "--pool", POOL), home, {})


def _prefect(*words: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *words]


def _run(words: tuple[str, ...], environment: dict[str, str]) -> None:
    command = _prefect("--no-prompt", *words)
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter with fixed words
            command,
            cwd=CHECKOUT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
            preexec_fn=die_with_parent,  # or it goes on deploying to a desk that is gone
        )
    except subprocess.TimeoutExpired:
        raise StoreUnavailable("Prefect", f"`prefect {words[0]}` took more than {_PATIENCE:.0f} s") from None
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise StoreUnavailable("Prefect", f"`prefect {words[0]}`: {' '.join(reason)}")


def _pool(home: Path) -> str:
    """Write the work pool's template, whose flow runs end with their worker, and return its path."""
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    leash = shlex.join([sys.executable, "-m", "pipeline.cli.leash"])
    template["variables"]["properties"]["command"]["default"] = leash
    path = home / "prefect" / "pool.json"
    path.write_text(json.dumps(template))
    return str(path)


def _deployments(home: Path, config: Path) -> str:
    """Return the path of ``prefect.yaml``, or of a copy that names another home's desk file."""
    if config == CHECKOUT / _USUAL:
        return str(_DEPLOYMENTS)
    path = home / "prefect" / "prefect.yaml"
    path.write_text(_DEPLOYMENTS.read_text().replace(_USUAL, str(config)))
    return str(path)
