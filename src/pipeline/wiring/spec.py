"""A desk file: where a desk's configuration comes from and where its state lives, as one path.

Flow runs get this path as their only parameter about the desk: no number and no secret travels with them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from pipeline.errors import ConfigurationError, UsageError
from pipeline.settings.loading import load_settings, read_settings
from pipeline.settings.models.root import Settings
from pipeline.settings.secrets import secret_values
from pipeline.wiring.redaction import redact

CHECKOUT = Path(__file__).resolve().parents[3]
"""The folder that holds ``flows/``, ``deployments/`` and ``data/``: paths are relative to it."""

DESK_FILE = "desk.json"
_CURRENT = CHECKOUT / "data" / "current"
"""Names the home that the newest ``demo`` or ``up`` works in, so that other commands find it."""


@dataclass(frozen=True, slots=True)
class DeskSpec:
    """What makes a desk.

    Attributes:
        files: configuration files, merged left to right; absolute paths.
        overrides: ``key=value`` laid over them.
        home: folder of journal, store, locks, reports, calendar; absolute.
    """

    files: tuple[str, ...]
    overrides: tuple[str, ...]
    home: str

    @property
    def folder(self) -> Path:
        """The home as a path."""
        return Path(self.home)

    def settings(self, with_credentials: bool = True) -> Settings:
        """Return the settings, and keep their credentials out of this process's logs.

        Raises ConfigurationError.
        """
        load = load_settings if with_credentials else read_settings
        found = load([Path(file) for file in self.files], self.overrides)
        redact(secret_values(found))
        return found

    def save(self) -> Path:
        """Write the desk file into the home and return its path; make it the current desk."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / DESK_FILE
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(asdict(self), indent=1))
        fresh.replace(path)
        if self.folder.is_relative_to(_CURRENT.parent):  # a home elsewhere is named with --home
            _CURRENT.write_text(f"{self.folder}\n")
        return path


def load_spec(path: str | Path) -> DeskSpec:
    """Return the desk that a desk file, or a plain configuration file, describes.

    Raises:
        ConfigurationError: neither.
    """
    found = CHECKOUT / path  # an absolute path stays as it is; a worker's own folder is somewhere else
    if found.suffix in (".yaml", ".yml"):
        settings = read_settings([found])
        return DeskSpec((str(found.absolute()),), (), str(settings.state_dir.absolute()))
    try:
        raw = json.loads(found.read_text())
        # The folder it lies in, not the one it was written in: a copied home is a desk of its own.
        return DeskSpec(tuple(raw["files"]), tuple(raw["overrides"]), str(found.absolute().parent))
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = f"not a desk file ({error}); start one with `marketday up` or `marketday demo`"
        raise ConfigurationError("config", str(path), remedy) from error


def current_home(home: Path | None = None) -> Path:
    """Return the home that commands work in: the one given, or that of the newest ``demo`` or ``up``.

    Raises:
        UsageError: there is none.
    """
    if home is not None:
        return home.absolute()
    if not _CURRENT.exists():
        raise UsageError("no desk has run here yet: start one with `marketday demo`, or name one with --home")
    return Path(_CURRENT.read_text().strip())


@cache
def code_fingerprint() -> str:
    """Return the SHA-256 over the product's source files, flows and tasks included: which code decided."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for root in (package, CHECKOUT / "flows", CHECKOUT / "tasks"):
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root.parent).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
