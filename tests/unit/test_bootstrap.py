"""The set-up script, as far as it can be tried without making an environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import bootstrap


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty checkout that the script takes for its own."""
    venv = tmp_path / ".venv"
    venv.mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "requirements-dev.lock").write_text("a==1\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "LOCK", tmp_path / "requirements-dev.lock")
    monkeypatch.setattr(bootstrap, "LOG", venv / "bootstrap.log")
    return tmp_path


@pytest.mark.parametrize("changed", ["requirements-dev.lock", "pyproject.toml", ".venv/pyvenv.cfg"])
def test_a_change_of_lock_project_or_python_asks_for_a_new_set_up(checkout: Path, changed: str) -> None:
    before = bootstrap.stamp()

    (checkout / changed).write_text("version = 3.12.1\n")

    assert bootstrap.stamp() != before


def test_a_copied_environment_is_not_taken_for_ready(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its editable install still points to the checkout that it was copied from."""
    before = bootstrap.stamp().name

    monkeypatch.setattr(bootstrap, "ROOT", tmp_path / "copy")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "pyproject.toml").write_text("[project]\n")

    assert bootstrap.stamp().name != before


def test_only_one_set_up_runs_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "busy"
    with path.open("a+b") as first, path.open("a+b") as second:
        assert bootstrap.try_lock(first)
        assert not bootstrap.try_lock(second)
        first.close()
        assert bootstrap.try_lock(second)


@pytest.mark.parametrize(
    ("output", "code", "remedy"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", 2, "another mirror"),
        ("error: Hash mismatch for `pandas==3.1.1`", 2, "another mirror"),
        ("OSError: [Errno 28] No space left on device", 2, "disk is full"),
        ("ERROR: No matching distribution found for alembic==1.20.1", 3, "Check the network"),
    ],
)
def test_a_failed_installation_names_its_remedy(checkout: Path, output: str, code: int, remedy: str) -> None:
    bootstrap.LOG.write_text(f"$ pip install\n{output}\n[notice] a new release of pip\n")

    failure = bootstrap.install_failure()

    assert failure.code == code
    assert remedy in failure.message
    assert output.rstrip(".") in failure.message


def test_an_old_python_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13, "final", 0))

    code = bootstrap.main(["demo"])

    assert code == 2
    assert "is too old: Marketday needs 3.11 to 3.13" in capsys.readouterr().err


def test_an_unknown_command_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["dmeo"]) == 2
    assert "'dmeo' is no command; there are setup, demo, test" in capsys.readouterr().err
