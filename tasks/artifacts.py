"""What Prefect's pages show: tables and texts with stable keys, so that their history accumulates."""

from __future__ import annotations

import logging
from typing import Any

import httpx
from prefect import task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from pipeline.operations.procedures.finding import Finding
from pipeline.operations.reporting import Written
from tasks.calling import ARTIFACT, once

log = logging.getLogger(__name__)


@task(**once(), tags=[ARTIFACT])
async def post_findings(key: str, verdict: str, findings: dict[str, Finding]) -> None:
    """Show a procedure's steps as a table."""
    rows: list[dict[str, Any]] = [
        {"step": name, "outcome": finding.outcome, "evidence": finding.evidence}
        for name, finding in findings.items()
    ]
    try:
        await acreate_table_artifact(table=rows, key=key, description=verdict)
    except httpx.HTTPError as error:
        log.warning("the artifact %s is missing: %s", key, error)


@task(**once(), tags=[ARTIFACT])
async def post_report(written: Written) -> None:
    """Show the session's report."""
    try:
        await acreate_markdown_artifact(markdown=written.markdown, key="daily-report")
    except httpx.HTTPError as error:
        log.warning("the artifact daily-report is missing: %s", error)
