"""Whatever can send an order is repeated by nobody but recovery: a build with a retry there fails here."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from prefect import Flow, Task

import flows
import pipeline.operations
import tasks

Node = tuple[str, str]
"""Module and name of something that a module defines."""


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Yield every module of a package."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def imported(tree: ast.Module) -> dict[str, Node]:
    """Return what the module imports by name; a module as a whole has the name ""."""
    names: dict[str, Node] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {one.asname or one.name: (node.module, one.name) for one in node.names}
        elif isinstance(node, ast.Import):
            names |= {one.asname or one.name: (one.name, "") for one in node.names}
    return names


def mentioned(module: str, body: ast.AST, names: dict[str, Node]) -> Iterator[Node]:
    """Yield everything that a body mentions: what it names it may call, through a table as well."""
    for node in ast.walk(body):
        if isinstance(node, ast.Name):
            yield names.get(node.id, (module, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            package, name = names.get(node.value.id, ("", ""))
            yield (".".join(part for part in (package, name) if part), node.attr)


def sends(body: ast.AST) -> bool:
    """Tell whether a body submits to a broker."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr == "submit"
        and ast.unparse(node.value).endswith("broker")
        for node in ast.walk(body)
    )


def senders() -> set[Node]:
    """Return everything from which ``Broker.submit`` can be reached."""
    mentions: dict[Node, set[Node]] = {}
    reached: set[Node] = set()
    for module in (one for package in (pipeline.operations, tasks, flows) for one in modules(package)):
        tree = ast.parse(Path(str(module.__file__)).read_text("utf-8"))
        names = imported(tree)
        for body in tree.body:
            for name in defined(body):
                mentions[module.__name__, name] = set(mentioned(module.__name__, body, names))
                reached |= {(module.__name__, name)} if sends(body) else set()
    while True:
        more = {node for node, others in mentions.items() if others & reached} - reached
        if not more:
            return reached
        reached |= more


def defined(body: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(body, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [body.name]
    targets = body.targets if isinstance(body, ast.Assign) else [getattr(body, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


@pytest.fixture(scope="module")
def found() -> set[Node]:
    """Everything from which a broker's submit can be reached."""
    return senders()


def test_nothing_that_can_send_an_order_is_retried(found: set[Node]) -> None:
    """Measured: two retries on an order task made three orders of one (FAULTS K5)."""
    policies: dict[Node, int] = {}
    for module in (one for package in (tasks, flows) for one in modules(package)):
        for thing in vars(module).values():
            if isinstance(thing, Task | Flow):
                policies[thing.fn.__module__, thing.fn.__name__] = int(thing.retries or 0)
    retried = {node for node in found if policies.get(node, 0)}

    assert retried == set()
    assert {("tasks.trading", "send_intent"), ("tasks.trading", "keep_limits")} <= found & set(policies)
    assert policies["tasks.trading", "recover_orders"] == 2, "or this proves nothing: reads are retried"


def test_recovery_sends_nothing(found: set[Node]) -> None:
    """It is retried, and run by every command: it asks, records and cancels."""
    assert ("pipeline.operations.sending", "send") in found
    assert ("pipeline.operations.recovery", "recover") not in found
    assert ("pipeline.operations.reconciliation", "reconcile") not in found


def test_no_order_step_keeps_a_result_or_caches_one(found: set[Node]) -> None:
    """A result from a cache would stand for a request that never left."""
    for module in modules(tasks):
        for thing in vars(module).values():
            if isinstance(thing, Task) and (thing.fn.__module__, thing.fn.__name__) in found:
                assert thing.persist_result is False
                assert type(thing.cache_policy).__name__ == "_None"
