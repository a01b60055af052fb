#!/usr/bin/env python3
"""Set up ``.venv`` from the hashed lock, then run one of the project's commands in it.

    python bootstrap.py                   set up only
    python bootstrap.py demo [args…]      one market day on the rehearsal exchange
    python bootstrap.py test [args…]      every test (args go to pytest)
    python bootstrap.py check             linters and the fast tests, under a minute
    python bootstrap.py lint              linters only
    python bootstrap.py faults            every fault that the table names, provoked
    python bootstrap.py mutants [name…]   safety bugs planted in a copy, and the tests that catch them
    python bootstrap.py bench [args…]     benchmarks
    python bootstrap.py lock [args…]      recompile both locks (``--upgrade`` for newer versions)

Standard library only, and readable by old Pythons, so that they get a sentence and not a syntax error.
A stamp named after everything the environment depends on makes the second start free. An environment
that exists is brought up to date in place, never deleted while its Python works.

Exit codes: 0 done; 2 this machine or its configuration is at fault; 3 the packages could not be
fetched; 130 interrupted; otherwise the code of the command that ran.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Callable, Iterator, Optional, Sequence  # noqa: UP035 (must load on old Pythons)

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
PYTHON = BIN / ("python.exe" if sys.platform == "win32" else "python")
LOCK = ROOT / "requirements-dev.lock"
BUSY = VENV / ".bootstrap.lock"
LOG = VENV / "bootstrap.log"

OLDEST = (3, 11)
NEWEST_TESTED = (3, 13)
UV = "uv>=0.8,<1"
WAIT_SECONDS = 900
MACHINE, NETWORK, INTERRUPTED = 2, 3, 130
WITNESSES = ("prefect", "pandas", "duckdb", "fastapi")
"""The slow imports: if these have bytecode, the installer compiled it (prefect 2.3 s without, 0.9 s with)."""

FAST_TESTS = ["pytest", "-n", "2", "--dist", "loadfile", "-m", "not slow"]
SLOW_TESTS = ["pytest", "-m", "slow"]  # one after the other: they share a Prefect server, and measure time
LINTERS = (
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
)
COMPILE = [
    *("pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", "--generate-hashes"),
    *("--no-header", "--no-emit-index-url", "--no-annotate", "--quiet"),
]


class Failed(Exception):
    """Set-up cannot go on. The message names the remedy; ``code`` is the exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def main(argv: list[str]) -> int:
    """Set up, run the command named first in ``argv`` with the rest, and return its exit code."""
    verb, rest = (argv[0], argv[1:]) if argv else ("setup", [])
    if verb in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    try:
        if verb not in COMMANDS:
            raise Failed(MACHINE, f"{verb!r} is no command; there are {', '.join(COMMANDS)}.")
        check_python()
        set_up()
        return COMMANDS[verb](rest)
    except Failed as failure:
        print(f"bootstrap: {failure.message}", file=sys.stderr)
        return failure.code
    except OSError as error:
        print(
            f"bootstrap: {error}. Make the checkout writable, free some disk space, "
            "then run the same command again.",
            file=sys.stderr,
        )
        return MACHINE
    except KeyboardInterrupt:
        print("\nbootstrap: interrupted; run the same command again to continue.", file=sys.stderr)
        return INTERRUPTED


def check_python() -> None:
    """Refuse a Python that is too old or cannot make virtual environments."""
    found = f"Python {'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"
    if sys.version_info < OLDEST:
        raise Failed(
            MACHINE,
            f"{found} is too old: Marketday needs 3.11 to 3.13. Install one of these and call it by name, "
            "for example `python3.11 bootstrap.py` or `make PYTHON=python3.11 demo`.",
        )
    if sys.version_info[:2] > NEWEST_TESTED:
        say(f"{found} is newer than any that Marketday was tested with (3.11 to 3.13)")
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise Failed(
            MACHINE,
            f"{found} cannot make virtual environments: its venv or ensurepip module is missing. Install a "
            f"complete Python, on Debian and Ubuntu the package python{sys.version_info[0]}."
            f"{sys.version_info[1]}-venv, then run the same command again.",
        )


def set_up() -> None:
    """Bring ``.venv`` to what the lock says. Does nothing, in milliseconds, when it is there already."""
    if not is_ready():
        VENV.mkdir(exist_ok=True)
        with alone():
            if not is_ready():
                build()


def is_ready() -> bool:
    """Return whether the environment matches the lock and has its bytecode."""
    return PYTHON.exists() and stamp().exists() and is_compiled()


def stamp() -> Path:
    """Return the marker of a finished set-up; its name changes with everything set-up depends on.

    The checkout's own path is part of it, because an editable install points there: a copied
    environment would silently run the original's code.
    """
    files = (LOCK, ROOT / "pyproject.toml", VENV / "pyvenv.cfg")
    parts = [file.read_bytes() for file in files if file.exists()] + [os.fsencode(ROOT)]
    return VENV / f".lock-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}"


def is_compiled() -> bool:
    """Return whether the packages that are slow to import have bytecode on disk."""
    return all(any(folder.glob("__pycache__/__init__.*.pyc")) for folder in witnesses())


def witnesses() -> list[Path]:
    """Return the folders of the packages that are slow to import, as far as they are installed."""
    pattern = "Lib/site-packages" if sys.platform == "win32" else "lib/python*/site-packages"
    return [path / name for path in VENV.glob(pattern) for name in WITNESSES if (path / name).is_dir()]


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the set-up lock of this checkout; the system releases it when the process dies."""
    with BUSY.open("a+b") as file:
        if not try_lock(file):
            say("another bootstrap is setting up this checkout; waiting for it")
            wait_for(file)
        yield


def wait_for(file: IO[bytes]) -> None:
    """Wait until this process holds the lock on ``file``."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not try_lock(file):
        if time.monotonic() > deadline:
            raise Failed(
                MACHINE,
                f"another bootstrap has held {BUSY} for {WAIT_SECONDS // 60} minutes. "
                "End that process, then run the same command again.",
            )
        time.sleep(0.25)


def try_lock(file: IO[bytes]) -> bool:
    """Lock ``file`` for this process and return True, or return False when another one holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def build() -> None:
    """Make or adopt the environment, install the lock and this project, and leave the stamp."""
    began = time.monotonic()
    LOG.write_text("", "utf-8")
    for stale in VENV.glob(".lock-*"):
        stale.unlink()
    if python_works():
        run([PYTHON, "-m", "ensurepip"])
    else:
        make_venv()
    say("installing the locked packages (under a minute with a fast network)")
    if not install_with_uv():
        install_with_pip()
    compile_bytecode()
    stamp().touch()
    say(f"environment ready in {time.monotonic() - began:.0f} s")


def python_works() -> bool:
    """Return whether ``.venv`` holds a Python that runs and is recent enough to adopt."""
    probe = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    return PYTHON.exists() and run([PYTHON, "-c", probe]).returncode == 0


def make_venv() -> None:
    """Make a fresh environment, clearing what is left of a broken one (but not the lock we hold)."""
    say(f"making {VENV.name} with Python {'.'.join(map(str, sys.version_info[:3]))}")
    for child in VENV.iterdir():
        if child in (BUSY, LOG):
            continue
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    if run([sys.executable, "-m", "venv", VENV]).returncode:
        raise Failed(MACHINE, f"`python -m venv` failed: {last_words()}. The whole output is in {LOG}.")


def install_with_uv() -> bool:
    """Install with uv, which is several times faster; return False when it is not to be had or fails.

    uv does not read pip's configuration, so behind a company mirror it may find nothing where pip does.
    """
    uv = find_uv()
    if uv is None:
        return False
    python = ["--python", PYTHON]
    return not (
        run([uv, "pip", "sync", *python, "--require-hashes", "--compile-bytecode", LOCK]).returncode
        or run([uv, "pip", "install", *python, "--no-deps", "--no-build-isolation", "-e", ROOT]).returncode
    )


def find_uv() -> Optional[Path]:  # noqa: UP045 (must load on old Pythons)
    """Return uv: the environment's own, else the machine's, else freshly installed, else None.

    It lives in the environment beside pip; ``uv pip sync`` spares both in an environment made by venv.
    """
    own = BIN / ("uv.exe" if sys.platform == "win32" else "uv")
    if own.exists():
        return own
    installed = shutil.which("uv")
    if installed:
        return Path(installed)
    pip_install = [PYTHON, "-m", "pip", "install", "--quiet", UV]
    return own if run(pip_install).returncode == 0 and own.exists() else None


def install_with_pip() -> None:
    """Install with the pip that every environment has, slower and as strict about hashes.

    The lock is complete, hence ``--no-deps``: pip 23 resolves ``sqlalchemy[asyncio]`` past its own pin.
    """
    say("uv could not install them; trying pip (one to two minutes)")
    pip_install = [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps"]
    for arguments in (
        ["--require-hashes", "-r", LOCK],
        ["--no-build-isolation", "-e", ROOT],
    ):
        if run([*pip_install, *arguments]).returncode:
            raise install_failure()


def install_failure() -> Failed:
    """Return why the installation failed, as far as the installer's own words tell."""
    output = LOG.read_text("utf-8", "replace").lower()
    details = f"The installer said: {last_words()}. Its whole output is in {LOG}."
    if "do not match the hashes" in output or "hash mismatch" in output:
        return Failed(
            MACHINE,
            "a downloaded package differs from the one that was locked, so it was not installed. Try another "
            f"mirror or an empty cache; if it persists, let somebody look at that package first. {details}",
        )
    if "no space left" in output:
        return Failed(MACHINE, f"the disk is full: the environment needs about 900 MB. {details}")
    return Failed(
        NETWORK,
        "the locked packages could not be installed, most often because the package index cannot be reached. "
        "Check the network; behind a proxy or mirror set HTTPS_PROXY or pip's index-url. Then run the same "
        f"command again. {details}",
    )


def compile_bytecode() -> None:
    """Compile what the installer did not, and our own code.

    compileall writes even under PYTHONDONTWRITEBYTECODE, where otherwise every process would
    compile a thousand modules again.
    """
    ours = [ROOT / name for name in ("src", "flows", "tasks")]
    missing = [] if is_compiled() else [folder.parent for folder in witnesses()[:1]]
    run([PYTHON, "-m", "compileall", "-q", "-j", "0", *missing, *ours])
    if not is_compiled():
        raise Failed(
            MACHINE,
            f"the installed packages could not be compiled to bytecode: {last_words()}. "
            f"Without it every start takes seconds longer. The output is in {LOG}.",
        )


def run(command: Sequence[object]) -> subprocess.CompletedProcess[bytes]:
    """Run ``command`` with its output in the log, and return how it ended."""
    with LOG.open("ab") as log:
        log.write(f"$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        return subprocess.run(list(map(str, command)), cwd=ROOT, stdout=log, stderr=log, check=False)


def last_words() -> str:
    """Return the last line of the log that says anything, without its full stop."""
    lines = [line.strip() for line in LOG.read_text("utf-8", "replace").splitlines()]
    spoken = [line for line in lines if line and not line.startswith(("$", "[notice]"))]
    return spoken[-1].rstrip(".") if spoken else "nothing"


def say(message: str) -> None:
    """Print one line of progress, out of the way of a command's own output."""
    print(f"bootstrap: {message}", file=sys.stderr, flush=True)


def setup(_: list[str]) -> int:
    """Set up only."""
    print(f"The environment is in {VENV.name}. Next: python bootstrap.py demo")
    return 0


def test(rest: list[str]) -> int:
    """Run every test, or with arguments pytest with them."""
    if rest:
        return hand_over([PYTHON, "-m", "pytest", *rest])
    return max(call([PYTHON, "-m", *FAST_TESTS]), call([PYTHON, "-m", *SLOW_TESTS]))


def check(rest: list[str]) -> int:
    """Run the linters and the fast tests, all of them, and fail when one failed."""
    return max(lint([]), call([PYTHON, "-m", *FAST_TESTS, *rest]))


def lint(_: list[str]) -> int:
    """Run every linter even when one fails, so that one run shows all there is to mend."""
    linters = [[PYTHON, "-m", *linter] for linter in LINTERS]
    return max(call(command) for command in (*linters, [BIN / "lint-imports", "--no-logo"]))


def lock(rest: list[str]) -> int:
    """Recompile both locks. Versions already locked are kept unless ``--upgrade`` is among ``rest``."""
    uv = find_uv()
    if uv is None:
        raise Failed(
            NETWORK,
            "uv could not be installed, and only uv can compile the locks. "
            "Check the network, or install uv yourself, then run the same command again.",
        )
    return max(
        call([uv, *COMPILE, *rest, "-o", "requirements.lock"]),
        call([uv, *COMPILE, *rest, "--extra", "dev", "-o", LOCK.name]),
    )


def call(command: Sequence[object]) -> int:
    """Run ``command`` in the checkout with our input and output, and return its exit code."""
    return subprocess.run(list(map(str, command)), cwd=ROOT, check=False).returncode


def hand_over(command: Sequence[object]) -> int:
    """Become ``command``, so that Ctrl-C and the exit code are its own. Windows can only wait for it."""
    if os.name != "nt":
        os.chdir(ROOT)
        os.execv(str(command[0]), list(map(str, command)))
    return call(command)


def runs(*command: object) -> Callable[[list[str]], int]:
    """Return the command that becomes another program, its arguments included."""
    return lambda rest: hand_over([*command, *rest])


COMMANDS = {
    **{"setup": setup, "demo": runs(BIN / "marketday", "demo"), "test": test, "check": check},
    **{"lint": lint, "bench": runs(PYTHON, "-m", "benchmarks"), "lock": lock},
    **{"faults": runs(PYTHON, "-m", "tests.faults"), "mutants": runs(PYTHON, "-m", "tests.faults.mutants")},
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
