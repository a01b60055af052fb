"""The whole configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from pipeline.settings.kinds import Folder
from pipeline.settings.models.base import Block
from pipeline.settings.models.data import Data
from pipeline.settings.models.deployment import Deployment, LiveArming, Validation
from pipeline.settings.models.monitoring import Logging, Monitoring, PerformanceMonitoring
from pipeline.settings.models.operations import DailyOperations, EmergencyProcedures, WeeklyOperations
from pipeline.settings.models.rehearsal import Rehearsal
from pipeline.settings.models.reporting import Reporting
from pipeline.settings.models.system import SoftwareSetup, SystemRequirements
from pipeline.settings.models.trading import Execution, Portfolio, RiskManagement, Strategy, Workflow


class Settings(Block):
    """Everything one deployment needs to run. ``symbols`` and ``strategies`` have no default.

    Made by :func:`pipeline.settings.loading.load_settings`, which also refuses what contradicts itself.
    """

    data: Data
    strategies: Annotated[tuple[Strategy, ...], Field(strict=False, min_length=1, max_length=50)]
    workflow: Workflow = Workflow()
    risk_management: RiskManagement = RiskManagement()
    execution: Execution = Execution()
    portfolio: Portfolio = Portfolio()
    monitoring: Monitoring = Monitoring()
    logging: Logging = Logging()
    deployment: Deployment = Deployment()
    validation: Validation = Validation()
    daily_operations: DailyOperations = DailyOperations()
    weekly_operations: WeeklyOperations = WeeklyOperations()
    performance_monitoring: PerformanceMonitoring = PerformanceMonitoring()
    reporting: Reporting = Reporting()
    emergency_procedures: EmergencyProcedures = EmergencyProcedures()
    system_requirements: SystemRequirements = SystemRequirements()
    software_setup: SoftwareSetup = SoftwareSetup()
    live_arming: LiveArming | None = None
    rehearsal: Rehearsal = Rehearsal()
    state_dir: Folder = Path("data")
