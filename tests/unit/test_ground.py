"""What the ground promises: pins, locks, packages, and nothing of anybody's machine in the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import bootstrap

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCKS = ("requirements.lock", "requirements-dev.lock")

ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")

HOSTS = ("pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "deb." + "debian.org")
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_./-])/(?:work|farm|root|tmp|home/[a-z]+|Users/[A-Za-z]+)/")


def locked(name: str) -> dict[str, Version]:
    """Return the versions in a lock by normalised name (one each, whatever the markers)."""
    found = (ENTRY.match(line) for line in (ROOT / name).read_text("utf-8").splitlines())
    return {canonicalize_name(entry["name"]): Version(entry["version"]) for entry in found if entry}


def tracked_texts() -> dict[str, str]:
    """Return every text file under version control."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    texts = {}
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        raw = path.read_bytes() if path.is_file() else b"\0"
        if b"\0" not in raw:
            texts[name] = raw.decode("utf-8")
    return texts


@pytest.mark.parametrize("lock", LOCKS)
def test_prefect_is_locked_with_the_versions_its_server_works_with(lock: str) -> None:
    """fastapi 0.155: the server does not import. sqlalchemy 2.1: it looks healthy and schedules nothing."""
    versions = locked(lock)

    assert versions["fastapi"] < Version("0.151")
    assert versions["sqlalchemy"] < Version("2.1")
    assert Version("3.8.8") <= versions["prefect"] < Version("4")


def test_the_pins_also_hold_for_an_install_without_the_lock() -> None:
    pins = {requirement.name: requirement for requirement in map(Requirement, PROJECT["dependencies"])}

    assert not pins["fastapi"].specifier.contains("0.151.0")
    assert not pins["sqlalchemy"].specifier.contains("2.1.0")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_only_exact_versions_and_their_hashes(lock: str) -> None:
    """No index, no link, no option: where packages come from is the installing machine's affair."""
    lines = (ROOT / lock).read_text("utf-8").splitlines()

    odd = [line for line in lines if not (ENTRY.match(line) or HASH.match(line))]
    bare = [first for first, then in zip(lines, [*lines[1:], ""], strict=True)
            if ENTRY.match(first) and not HASH.match(then)]  # fmt: skip

    assert odd == []
    assert bare == []


@pytest.mark.parametrize(("lock", "extras"), [(LOCKS[0], ()), (LOCKS[1], ("dev",))])
def test_a_lock_satisfies_every_direct_dependency(lock: str, extras: tuple[str, ...]) -> None:
    """Otherwise pyproject.toml was edited without ``make lock``."""
    versions = locked(lock)
    wanted = [*PROJECT["dependencies"]]
    for extra in extras:
        wanted += PROJECT["optional-dependencies"][extra]

    unmet = [
        str(one)
        for one in map(Requirement, wanted)
        if (version := versions.get(canonicalize_name(one.name))) is None or version not in one.specifier
    ]

    assert unmet == []


def test_developers_run_the_versions_that_users_run() -> None:
    runtime, development = map(locked, LOCKS)

    assert runtime.items() <= development.items()


def test_every_folder_with_modules_is_a_package() -> None:
    """eventkit installs a top-level package ``tests``: without an ``__init__.py`` ours would lose to it."""
    roots = ("src/pipeline", "flows", "tasks", "tests", "benchmarks")
    folders = {path.parent for root in roots for path in (ROOT / root).rglob("*.py")}

    assert sorted(str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()) == []


def test_the_changelog_has_an_entry_for_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")

    assert re.search(rf"^## {re.escape(PROJECT['version'])}\b", changelog, re.MULTILINE)


def test_make_and_bootstrap_offer_the_same_commands() -> None:
    """People without make lose nothing but ``clean``, which is deleting ``.venv``."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))

    assert targets - {"help", "clean"} == set(bootstrap.COMMANDS) - {"setup"}


def test_no_file_names_a_package_registry_or_a_path_of_somebodys_machine() -> None:
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in tracked_texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if any(host in line for host in HOSTS) or MACHINE_PATH.search(line)
    ]

    assert found == []
