"""The schedules that are shipped are in the exchange's zone, and lint says so of those that are not."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from pipeline.cli import config
from pipeline.settings.documents import read_document
from pipeline.settings.lint_schedules import lint_schedules
from tests.unit.settings.conftest import BASE, REHEARSAL

SHIPPED = Path(__file__).parents[3] / "prefect.yaml"
ZONE = "America/New_York"


def found(folder: Path, deployment: str) -> list[tuple[str, str]]:
    path = folder / "prefect.yaml"
    path.write_text(f"deployments:\n  - entrypoint: flows.x.x\n    {deployment}\n", "utf-8")
    return [(one.code, one.keys[0]) for one in lint_schedules(path, ZONE)]


def test_every_shipped_schedule_is_in_the_zone_of_the_exchange() -> None:
    shipped = read_document(SHIPPED).values["deployments"]

    assert sum(len(one["schedules"]) for one in shipped) >= 9
    assert lint_schedules(SHIPPED, ZONE) == ()


@pytest.mark.parametrize(
    ("deployment", "code"),
    [
        ('schedules: [{cron: "30 9 * * 1-5"}]', "schedule_without_timezone"),
        ('schedules: [{cron: "30 9 * * 1-5", timezone: ""}]', "schedule_without_timezone"),
        ("schedules: [{interval: 60}]", "schedule_without_timezone"),
        ('schedule: {cron: "30 9 * * 1-5"}', "schedule_without_timezone"),
        ('schedules: [{cron: "30 9 * * 1-5", timezone: UTC}]', "schedule_timezone"),
        ('schedules: [{cron: "30 2 * * *", timezone: America/New_York}]', "schedule_at_clock_change"),
        ('schedules: [{cron: "0 0-5/2 * * *", timezone: America/New_York}]', "schedule_at_clock_change"),
        ('schedules: [{cron: "0 * * * *", timezone: America/New_York}]', "schedule_at_clock_change"),
        ("parameters: {config: x, position_size: 0.02}", "schedule_parameter"),
    ],
)
def test_a_schedule_at_another_hour_than_it_says_is_an_error(
    tmp_path: Path, deployment: str, code: str
) -> None:
    """Prefect reads a cron without a zone as UTC: 09:30 would be 05:30 in New York."""
    (one,) = found(tmp_path, deployment)

    assert one[0] == code
    assert one[1].startswith("deployments[0] (flows.x.x).")


@pytest.mark.parametrize("cron", ["30 9 * * 1-5", "* 9-15 * * 1-5", "0 7,17 * * 1", "0 4/4 * * *"])
def test_hours_of_the_day_are_fine(tmp_path: Path, cron: str) -> None:
    assert found(tmp_path, f'schedules: [{{cron: "{cron}", timezone: {ZONE}}}]') == []


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (date(2026, 3, 6), "14:30"),
        (date(2026, 3, 9), "13:30"),
        (date(2026, 10, 30), "13:30"),
        (date(2026, 11, 2), "14:30"),
    ],
)
def test_half_past_nine_follows_the_change_of_the_clock(day: date, utc: str) -> None:
    """Clocks change on 2026-03-08 and 2026-11-01, both Sundays: Prefect's own cron reader, with the zone."""
    from prefect.server.schemas.schedules import CronSchedule

    schedule = CronSchedule(cron="30 9 * * 1-5", timezone=ZONE)
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE))
    (run,) = asyncio.run(schedule.get_dates(n=1, start=midnight))

    assert f"{run.astimezone(UTC):%Y-%m-%d %H:%M}" == f"{day} {utc}"


def test_config_check_fails_on_a_schedule_without_a_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedules stand in a file of their own, and belong to the desk all the same."""
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n  - {entrypoint: f.x, schedules: [{cron: '0 9 * * *'}]}\n"
    )
    monkeypatch.setattr("pipeline.wiring.spec.CHECKOUT", tmp_path)
    told = CliRunner().invoke(config.app, ["check", str(BASE), str(REHEARSAL)])

    assert told.exit_code == 1
    assert "schedule_without_timezone" in told.output
