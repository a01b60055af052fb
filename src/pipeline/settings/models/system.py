"""The machine and what runs on it: ``system_requirements``, ``software_setup``. The doctor compares."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.kinds import Count, Flag
from pipeline.settings.models.base import Block


class Machine(Block):
    """One level of ``system_requirements``."""

    cpu_cores: Count | None = None
    memory_gb: Count | None = None
    storage_gb: Count | None = None
    storage_type: Literal["hdd", "ssd", "nvme_ssd"] | None = None
    network: Literal["broadband", "dedicated_line"] | None = None
    network_latency: Annotated[str, Field(pattern=r"^<\d+(\.\d+)?(us|ms|s)$")] | None = None
    backup_internet: Flag | None = None
    ups_power: Flag | None = None
    co_location: Literal["none", "preferred", "required"] | None = None


class SystemRequirements(Block):
    """``system_requirements``."""

    minimum: Machine = Machine()
    recommended: Machine = Machine()
    high_frequency: Machine = Machine()


class OperatingSystem(Block):
    """``operating_system``."""

    type: Literal["linux", "macos", "windows"] = "linux"
    distribution: Literal["ubuntu_lts", "debian", "rhel", "fedora", "other"] | None = None
    hardening: Flag = False


class PythonEnvironment(Block):
    """``python_environment``. ``version: "3.11+"`` is that version or a later one."""

    version: Annotated[str, Field(pattern=r"^3\.\d{1,2}\+?$")] = "3.11+"
    virtual_environment: Flag = True
    dependency_pinning: Flag = True


class Database(Block):
    """``database``. DuckDB unless a desk outgrows one machine."""

    type: Literal["duckdb", "postgresql"] = "duckdb"
    backup_frequency: Literal["hourly", "daily", "weekly"] = "daily"


class SoftwareMonitoring(Block):
    """``monitoring`` of ``software_setup``."""

    system_monitoring: Literal["none", "prometheus"] = "none"
    log_aggregation: Literal["none", "elk_stack", "loki"] = "none"
    uptime_monitoring: Literal["none", "external"] = "none"


class SoftwareSetup(Block):
    """``software_setup``."""

    operating_system: OperatingSystem = OperatingSystem()
    python_environment: PythonEnvironment = PythonEnvironment()
    database: Database = Database()
    monitoring: SoftwareMonitoring = SoftwareMonitoring()
