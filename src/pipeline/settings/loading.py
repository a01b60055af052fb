"""Files, overrides and environment → :class:`Settings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.settings.connection import missing_variables
from pipeline.settings.documents import Document, read_document
from pipeline.settings.layers import expanded, merged, overridden, process_environment
from pipeline.settings.models.root import Settings
from pipeline.settings.problems import one_error
from pipeline.settings.validation import validated

_ALPACA_VARIABLES = {"api_key": "${ALPACA_API_KEY}", "secret_key": "${ALPACA_SECRET_KEY}"}
"""Where an Alpaca account's credentials are looked for when no file says so."""


def load_settings(
    files: Sequence[Path],
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    phase: str | None = None,
) -> Settings:
    """Return the settings of a deployment that is about to run.

    Args:
        files: merged left to right, later over earlier.
        overrides: ``a.b.c=value``, applied last; the value is read as YAML, a number in the path is an index.
        environ: variables for ``${VAR}``; by default those of this process.
        phase: overlay that lies beside the last file, as in "paper_trading", merged after the files.

    Raises:
        ConfigurationError: everything that is wrong, at once, and credentials that the broker needs.
    """
    settings = read_settings(files, overrides, environ, phase)
    missing = missing_variables(settings)
    if missing:
        raise one_error([unset.error() for unset in missing])
    return settings


def read_settings(
    files: Sequence[Path],
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    phase: str | None = None,
) -> Settings:
    """Return the settings without asking for credentials: for commands that talk to no broker.

    Arguments and errors as for :func:`load_settings`. What is missing is in ``lint``'s findings.
    """
    if not files:
        raise ConfigurationError(
            "FILE", None, "name a configuration, as in deployments/config/rehearsal.yaml"
        )
    layers = [read_document(path) for path in files]
    if phase is not None:
        layers.append(_overlay(files[-1].parent, phase))
    document = layers[0]
    for layer in layers[1:]:
        document = merged(document, layer)
    for override in overrides:
        document = overridden(document, override)
    document = merged(_provider_defaults(document), document)
    return validated(expanded(document, process_environment() if environ is None else environ))


def _overlay(folder: Path, phase: str) -> Document:
    document = read_document(folder / f"{phase}.yaml")
    named = document.values.get("deployment")
    found = named.get("phase") if isinstance(named, Mapping) else None
    if found != phase:
        remedy = f"the overlay of phase {phase!r} must say `deployment: {{phase: {phase}}}`"
        raise ConfigurationError("deployment.phase", found, remedy, str(folder / f"{phase}.yaml"))
    return document


def _provider_defaults(document: Document) -> Document:
    data = document.values.get("data")
    source = data.get("source") if isinstance(data, Mapping) else None
    provider = source.get("provider", "alpaca") if isinstance(source, Mapping) else "alpaca"
    if provider != "alpaca":
        return Document({})
    return Document({"data": {"source": {"api_credentials": _ALPACA_VARIABLES}}})
