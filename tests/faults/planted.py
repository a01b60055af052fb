"""The safety bugs that ``make mutants`` plants, and the tests that are to catch each."""

from __future__ import annotations

from dataclasses import dataclass

SWEEP = "tests/faults/test_sweep.py"
MACHINE = "tests/faults/test_machine.py"
GUARD = "tests/unit/domain/test_guard.py"
LOST = "tests/operations/test_lost_orders.py"
ORDERS = "src/pipeline/domain/order_life.py"
CHECKS = "src/pipeline/domain/guard.py"
SENDING = "src/pipeline/operations/sending.py"
RECOVERY = "src/pipeline/operations/recovery.py"
PASSES = "src/pipeline/operations/passes.py"


@dataclass(frozen=True, slots=True)
class Change:
    """An exact piece of source, found once in a file, and what stands there instead."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safety bug: what it does, the source it changes, the tests that are to catch it, quickest first."""

    name: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...]


def _bug(name: str, path: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, (Change(path, old, new),), tests)


MUTANTS = (
    _bug(
        "random id",
        "src/pipeline/domain/orders.py",
        "digest = hashlib.sha256(json.dumps(parts).encode()).digest()",
        'digest = hashlib.sha256(__import__("os").urandom(8)).digest()',
        SWEEP,
    ),
    _bug(
        "404 means rejected",
        RECOVERY,
        """    elif life.state in (IntentState.SENDING, IntentState.UNKNOWN):
        _absent(desk, life, found, now)
""",
        """    elif life.state in (IntentState.SENDING, IntentState.UNKNOWN):
        data = {"intent_id": life.intent.id, "code": "404", "reason": "the broker has none"}
        desk.journal.append(Kind.REJECTED, data, now)
""",
        SWEEP,
    ),
    _bug(
        "422 duplicate means rejected",
        "src/pipeline/adapters/alpaca/outcomes.py",
        "        return Verdict.LOOK_UP\n",
        "        return Verdict.REJECTED\n",
        "tests/unit/adapters/test_alpaca_submit.py",
    ),
    _bug(
        "timeout means rejected",
        SENDING,
        "        state = _unknown(desk, intent, error, now)\n",
        '        state = _rejected(desk, intent, "timeout", error.reason, now)\n',
        "tests/operations/test_crashes.py",
        SWEEP,
    ),
    Mutant(
        "journal after send",
        (
            Change(
                SENDING,
                '    desk.journal.append(Kind.SENDING, {"intent_id": intent_id, "quantity": quantity}, now)',
                "",
            ),
            Change(
                SENDING,
                "        order = desk.broker.submit(intent)\n",
                "        order = desk.broker.submit(intent)\n"
                '        data = {"intent_id": intent_id, "quantity": quantity}\n'
                "        desk.journal.append(Kind.SENDING, data, now)\n",
            ),
        ),
        (SWEEP,),
    ),
    _bug(
        "exposure from fills only",
        "src/pipeline/domain/gates.py",
        "        if life.intent.purpose is Purpose.ENTRY and life.intent.id != leaving_out\n",
        "        if life.filled and life.intent.id != leaving_out\n",
        "tests/unit/domain/test_gates.py",
    ),
    _bug(
        "halt unchecked",
        CHECKS,
        '        raise AppendRefused(kind, "halted", ',
        '        print(kind, "halted", ',
        GUARD,
        SWEEP,
    ),
    _bug(
        "no fencing",
        CHECKS,
        "(epoch == 0 or epoch != ledger.lease.epoch)",
        "epoch == 0",
        MACHINE,
    ),
    _bug(
        "drift ignored",
        "src/pipeline/domain/reconcile.py",
        "    moved = (*_unlisted(books), *_positions(books, statement), *_cash(books, statement))\n",
        "    moved = tuple(_unlisted(books))\n",
        "tests/operations/test_reconciliation.py",
    ),
    _bug(
        "stale tick accepted",
        PASSES,
        "    if late > grace:\n",
        "    if late > grace * 1_000_000:\n",
        "tests/operations/test_passes.py",
    ),
    _bug(
        "empty positions mean flat",
        "src/pipeline/adapters/alpaca/broker.py",
        '        rows = self._list("/positions", {})\n',
        '        answer = self._wire.ask("get", "/positions", {})\n'
        "        rows = answer.body if isinstance(answer.body, list) else []\n",
        "tests/unit/adapters/test_alpaca_reads.py",
        "tests/unit/adapters/test_alpaca_lists.py",
    ),
    _bug(
        "retry on the order task",
        "tasks/trading.py",
        '@task(**once(), task_run_name="send {intent_id}")',
        '@task(**reads(), task_run_name="send {intent_id}")',
        "tests/flows/test_retries.py",
    ),
    _bug(
        "terminal states rise",
        ORDERS,
        "        rises = self.tombstone and state in _RISING\n",
        "        rises = self.state.terminal and state in _RISING\n",
        "tests/unit/domain/test_orders.py",
        "tests/unit/domain/test_hearing.py",
    ),
    _bug(
        "sent again where ids are kept only while open",
        RECOVERY,
        "    if desk.broker.idempotency is Idempotency.KEY_FOREVER:\n",
        "    if desk.broker.idempotency is not Idempotency.NONE:\n",
        "tests/operations/test_lost_orders.py",
    ),
    _bug(
        "cancelled means that nothing was executed",
        ORDERS,
        "        return max(0, (self.filled if ended else self.intent.quantity) - self.booked)\n",
        "        return 0 if ended else self.intent.quantity - self.booked\n",
        "tests/unit/domain/test_hearing.py",
        "tests/unit/domain/test_orders.py",
        SWEEP,
    ),
    _bug(
        "a halt leaves its orders open",
        "src/pipeline/operations/cancelling.py",
        "    wanted = [life.intent.id for life in lives if _want(desk, life, reason, now)]\n",
        "    wanted = [life.intent.id for life in lives if life.sends > 9]\n",
        SWEEP,
    ),
    _bug(
        "a decision never grows old",
        SENDING,
        "MAX_DECISION_AGE = timedelta(seconds=90)",
        "MAX_DECISION_AGE = timedelta(hours=9)",
        SWEEP,
        "tests/operations/test_crashes.py",
    ),
    _bug(
        "a lost tail of the journal goes unseen",
        "src/pipeline/adapters/journal.py",
        "        if seq > self.ledger.seq:\n",
        "        if seq > self.ledger.seq * 1_000:\n",
        "tests/unit/journal/test_damage.py",
    ),
    _bug(
        "a lost exit is given up for another",
        RECOVERY,
        "(now - decided > MAX_DECISION_AGE and not life.intent.purpose.reduces)",
        "now - decided > MAX_DECISION_AGE",
        LOST,
    ),
    _bug(
        "room is taken beside an order that may still arrive",
        "src/pipeline/operations/trading.py",
        "locks=may_arrive(ledger, market.instant) | ledger.locks,",
        "locks=dict(ledger.locks),",
        LOST,
    ),
    _bug(
        "a tick may be done twice",
        CHECKS,
        '    if ledger.runs.get(key) in ("completed", "skipped"):\n',
        '    if ledger.runs.get(key) in ("skipped",):\n',
        GUARD,
        "tests/operations/test_passes.py",
    ),
)
