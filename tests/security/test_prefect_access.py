"""Nobody but the desk's owner starts a run; what a dead process leaves behind holds no slot."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Pending, Running, Scheduled

from flows.intraday_tick import intraday_tick
from pipeline.cli.access import access_environment, login_file, write_shell_file
from pipeline.cli.orphans import sweep_orphans
from pipeline.cli.servers import start_prefect, wait_healthy
from pipeline.errors import UsageError
from tests.e2e.demos import descendants
from tests.flows.servers import PREFECTS_OWN, Server, running_server

pytestmark = [pytest.mark.slow, *PREFECTS_OWN]

EVIL = "http://evil.example"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A server as `marketday up` starts it; somebody's shell asks for every address of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_SERVER_API_HOST", "0.0.0.0")
        patch.setenv("PREFECT_SERVER_CORS_ALLOWED_ORIGINS", "*")
        with running_server(home) as running:
            yield running
    gc.collect()


def client(server: Server, **headers: str) -> httpx.Client:
    """Return a client that is not Prefect's."""
    return httpx.Client(base_url=f"http://127.0.0.1:{server.port}/api", headers=headers, trust_env=False)


def owner(server: Server, home: Path) -> httpx.Client:
    """Return a client that knows the password."""
    user, _, password = login_file(home).read_text().strip().partition(":")
    return httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}/api", auth=(user, password), trust_env=False
    )


def test_without_the_password_nothing_is_read_and_nothing_is_started(server: Server) -> None:
    """Measured on Prefect's defaults: 201, and the run trades. Only the health check answers strangers."""
    with client(server) as stranger:
        started = stranger.post("/flow_runs/", json={"flow_id": "0" * 32})
        token = stranger.get("/csrf-token", params={"client": "stranger"})
        forged = {"Prefect-Csrf-Client": "stranger", "Prefect-Csrf-Token": "0" * 64}
        again = stranger.post("/flow_runs/", json={"flow_id": "0" * 32}, headers=forged)
        read = stranger.get("/admin/settings")
        health = stranger.get("/health")
        pages = stranger.get(f"http://127.0.0.1:{server.port}/ui-settings").json()

    assert pages["auth"] == "BASIC"  # they ask for the password
    assert (started.status_code, again.status_code) == (403, 403)
    assert (token.status_code, read.status_code, health.status_code) == (401, 401, 200)


def test_the_password_alone_is_not_enough_to_change_something(server: Server, home: Path) -> None:
    """A page that makes the operator's browser post has no CSRF token."""
    with owner(server, home) as known:
        posted = known.post("/flow_runs/filter", json={})
        token = known.get("/csrf-token", params={"client": "desk"}).json()["token"]
        headers = {"Prefect-Csrf-Client": "desk", "Prefect-Csrf-Token": token}
        with_token = known.post("/flow_runs/filter", json={}, headers=headers)

    assert (posted.status_code, posted.json()["detail"]) == (403, "Missing CSRF token.")
    assert with_token.status_code == 200


def test_another_page_may_not_even_ask(server: Server) -> None:
    """The preflight of an unknown origin is refused, that of our own page is answered."""
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    with client(server) as browser:
        evil = browser.options("/flow_runs/", headers=preflight | {"Origin": EVIL})
        own = browser.options(
            "/flow_runs/", headers=preflight | {"Origin": f"http://127.0.0.1:{server.port}"}
        )

    assert evil.status_code == 400
    assert "access-control-allow-origin" not in evil.headers
    assert (own.status_code, own.headers["access-control-allow-origin"]) == (
        200,
        f"http://127.0.0.1:{server.port}",
    )


def test_the_server_listens_on_loopback_only(server: Server) -> None:
    """Whatever the shell asks for: one listening socket, 127.0.0.1 in the kernel's table."""
    listening = {
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(f":{server.port:04X}")
    }

    assert listening == {f"0100007F:{server.port:04X}"}
    for address in socket.getaddrinfo(socket.gethostname(), server.port, socket.AF_INET):
        if not str(address[4][0]).startswith("127."):
            with pytest.raises(OSError, match="refused"), socket.socket() as outside:
                outside.connect(address[4])


def test_the_password_is_in_one_private_file_and_nowhere_else(server: Server, home: Path) -> None:
    """Not in an argument, a log, the database, nor in what `marketday env` prints."""
    path = login_file(home)
    secret = path.read_text().strip().partition(":")[2]
    shell = write_shell_file(home, f"http://127.0.0.1:{server.port}")
    arguments = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(os.getpid())]
    elsewhere = [found for found in home.rglob("*") if found.is_file() and found != path]

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(secret) >= 32
    assert not any(secret.encode() in words for words in arguments)
    assert [found.name for found in elsewhere if secret.encode() in found.read_bytes()] == []
    assert f'PREFECT_API_AUTH_STRING="$(cat {path})"' in shell.read_text()


def test_the_key_of_secret_blocks_is_not_in_the_database_beside_them(server: Server, home: Path) -> None:
    """Prefect would keep it in the very file that holds what it opens; ours lies in a private file."""
    asyncio.run(_save_block("canary-of-a-block"))
    content = b"".join(one.read_bytes() for one in (home / "prefect").glob("prefect.db*"))
    key = (home / "prefect" / "block.key").read_text().strip()

    assert b"canary-of-a-block" not in content
    assert b"fernet_key" not in content
    assert key.encode() not in content
    assert stat.S_IMODE((home / "prefect" / "block.key").stat().st_mode) == 0o600


async def _save_block(value: str) -> None:
    from prefect.blocks.system import Secret

    await Secret(value=value).asave("canary", overwrite=True)  # type: ignore[attr-defined]


def test_a_password_that_others_could_read_is_made_anew_and_a_link_is_refused(tmp_path: Path) -> None:
    """Somebody's `chmod -R` or restored backup: what was readable is not a secret any more."""
    first = access_environment(tmp_path, "http://127.0.0.1:1")["PREFECT_API_AUTH_STRING"]
    again = access_environment(tmp_path, "http://127.0.0.1:1")["PREFECT_API_AUTH_STRING"]
    login_file(tmp_path).chmod(0o644)
    anew = access_environment(tmp_path, "http://127.0.0.1:1")["PREFECT_API_AUTH_STRING"]
    login_file(tmp_path).unlink()
    login_file(tmp_path).symlink_to(tmp_path / "elsewhere")

    assert first == again != anew
    with pytest.raises(UsageError, match="is a link"):
        access_environment(tmp_path, "http://127.0.0.1:1")


def test_runs_of_dead_processes_are_ended_and_their_slots_freed(server: Server, home: Path) -> None:
    """Server killed with a run in each state that holds the slot: without the sweep it stays taken."""
    ids = asyncio.run(_wedge())
    server.kill()
    again = start_prefect(home, server.port)
    try:
        wait_healthy(again, server.port, home)
        before = asyncio.run(_slots())
        refused = asyncio.run(_next_run(ids[0]))
        swept = asyncio.run(sweep_orphans())
        states = [run.state_type for run in asyncio.run(_runs(ids[1:]))]
        accepted = asyncio.run(_next_run(ids[0]))

        assert (before, refused) == (1, "Cancelled")
        assert swept >= 1
        assert set(states) <= {StateType.CRASHED, StateType.CANCELLED}
        assert StateType.CRASHED in states
        assert accepted == "Pending"
        assert asyncio.run(_untouched(ids[0])) == "Scheduled"
    finally:
        again.stop()


async def _wedge() -> list[str]:
    """Deploy with one slot, take it, and leave a run for later; return deployment and runs."""
    async with get_client() as prefect:
        flow = await prefect.create_flow(intraday_tick)
        limit = {"concurrency_limit": 1, "concurrency_options": {"collision_strategy": "CANCEL_NEW"}}
        deployment = await prefect.create_deployment(flow, "wedge", **limit)  # type: ignore[arg-type]
        held = await prefect.create_flow_run_from_deployment(deployment)
        await prefect.set_flow_run_state(held.id, Pending())
        await prefect.set_flow_run_state(held.id, Running())
        later = datetime.now(UTC) + timedelta(days=1)  # noqa: TID251
        await prefect.create_flow_run_from_deployment(
            deployment, name="tomorrow", state=Scheduled(scheduled_time=later)
        )
    return [str(deployment), str(held.id)]


async def _slots() -> int:
    async with get_client() as prefect:
        found = await prefect.read_global_concurrency_limits(limit=50)
    return sum(int(limit.active_slots) for limit in found)


async def _next_run(deployment: str) -> str:
    """Return the name of the state that a new run of the deployment comes to."""
    async with get_client() as prefect:
        run = await prefect.create_flow_run_from_deployment(deployment)  # type: ignore[arg-type]
        answer = await prefect.set_flow_run_state(run.id, Pending())
    return str(answer.state.name) if answer.state else json.dumps(answer.status)


async def _runs(ids: list[str]) -> list[FlowRun]:
    async with get_client() as prefect:
        return [await prefect.read_flow_run(one) for one in ids]  # type: ignore[arg-type]


async def _untouched(_deployment: str) -> str:
    """Return the state of the run that is planned for tomorrow."""
    async with get_client() as prefect:
        found = [run for run in await prefect.read_flow_runs(limit=50) if run.name == "tomorrow"]
    return str(found[0].state_name)
