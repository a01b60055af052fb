"""Storage that is held, broken, full, gone or in the wrong place: trading stops only where it must."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from pipeline.adapters.duckdb_store.store import DuckStore
from pipeline.domain.journal import Kind
from pipeline.domain.trading_state import TradingState
from pipeline.errors import MarketdayError, UsageError
from pipeline.operations.emergency import cancel_open, halt
from pipeline.operations.projecting import project, wait_projected
from pipeline.wiring import desks as composition
from pipeline.wiring.home import check_home, require_home
from tests.cli.homes import Home, a_losing_day, marketday
from tests.operations.desks import CHECKOUT, Rehearsal, at, overlay, rehearsal

READING_VERBS = ("status", "positions", "orders", "trades", "pnl", "risk", "incidents", "report")
ACTING_VERBS = (("halt", "--reason", "x"), ("flatten", "--reason", "x"), ("resume", "--reason", "x"))
REPAIRING_VERBS = (("store", "verify"), ("store", "rebuild"))
BROKER_VERBS = (("reconcile",), ("run", "intraday-check"), ("resume", "--reason", "x"))


@contextmanager
def opened_elsewhere(database: Path) -> Iterator[None]:
    """Hold the database file itself, as somebody's DuckDB shell does: it does not know our lock."""
    script = "import duckdb,sys; c=duckdb.connect(sys.argv[1]); print('held',flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.kill()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsal]:
    """A desk that has opened, whose store waits a tenth of a second for others."""
    monkeypatch.setattr(composition, "DuckStore", partial(DuckStore, wait_seconds=0.1))
    with rehearsal(tmp_path, overlay("+SPY 14:35, +QQQ 14:36, -SPY 14:37")) as running:
        running.morning()
        wait_projected(running.desk)
        yield running


def test_a_database_shell_blocks_neither_a_trade_nor_a_halt_and_people_hear_of_it(desk: Rehearsal) -> None:
    """Held by a program that does not know our lock: one order, one alert, one halt; then it catches up."""
    with opened_elsewhere(desk.home / "marketday.duckdb"):
        summary = desk.tick("14:35")
        wait_projected(desk.desk)
        desk.tick("14:36")
        wait_projected(desk.desk)
        halted = halt(desk.desk.journal, "drill", "test", desk.now())
        lagged = [one.data["event"] for one in desk.records(Kind.ALERT)].count("store_behind")
    behind = project(desk.desk)

    assert (summary["sent"], halted) == (1, True)
    assert lagged == 1
    assert behind == 0
    assert desk.desk.store.verify(desk.desk.journal.records()).ok


def test_a_database_that_is_closed_within_the_patience_is_waited_for(tmp_path: Path) -> None:
    """Somebody's query of half a second costs half a second, not an error."""
    home = a_losing_day(tmp_path / "home")
    path = home.path / "marketday.duckdb"
    store = DuckStore(path, composition.FileLock(tmp_path / "lock"), wait_seconds=20)
    store.project(home.journal.records())
    script = "import duckdb,sys,time; c=duckdb.connect(sys.argv[1]); print(flush=True); time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        rows = store.query("SELECT count(*) AS n FROM fills")

    assert rows == ({"n": 2},)


@pytest.mark.parametrize("damage", ["main", "log", "missing"])
def test_a_broken_store_is_set_aside_and_made_again_while_the_desk_trades(
    desk: Rehearsal, damage: str
) -> None:
    """Trading goes on; two projections later the store equals the journal, and the evidence is kept."""
    path = desk.home / "marketday.duckdb"
    if damage == "main":
        broken = bytearray(path.read_bytes())
        broken[4_100] ^= 1
        broken[8_200] ^= 1
        path.write_bytes(broken)
    if damage == "log":
        path.with_name(f"{path.name}.wal").write_bytes(b"\x01" * 4_096)
    if damage == "missing":
        path.unlink()
    summary = desk.tick("14:35")
    wait_projected(desk.desk)
    project(desk.desk)
    behind = project(desk.desk)

    assert summary["sent"] == 1
    assert behind == 0
    assert desk.desk.store.verify(desk.desk.journal.records()).ok
    assert len(desk.desk.store.quarantined()) == (0 if damage == "missing" else 1)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home in mid-session with a journal of a dozen records."""
    return a_losing_day(tmp_path / "home")


@pytest.mark.parametrize("damage", ["flipped", "truncated", "deleted", "older"])
@pytest.mark.parametrize(
    "words", [*((verb,) for verb in READING_VERBS), *ACTING_VERBS, *REPAIRING_VERBS], ids=" ".join
)
def test_no_verb_works_on_a_damaged_journal_and_each_says_which_record_and_what_to_do(
    home: Home, words: tuple[str, ...], damage: str
) -> None:
    """Exit 3 and one paragraph, whatever was typed; the file is left as it was found."""
    harm(home.journal.path, damage)
    before = home.journal.path.read_bytes() if home.journal.path.exists() else None
    result = marketday(*words, "--home", home.path)
    said = " ".join(result.stderr.split())
    after = home.journal.path.read_bytes() if before is not None else None

    assert result.exit_code == 3, (result.exit_code, said, result.stdout)
    assert re.search(r"record \d+: ", said), said
    assert "restore the newest backup" in said
    assert "Traceback" not in said
    assert before == after


def harm(path: Path, damage: str) -> None:
    """Damage a journal."""
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "flipped":
        lines[4] = lines[4].replace(b'"at"', b'"aT"', 1)
        path.write_bytes(b"".join(lines))
    if damage == "truncated":
        path.write_bytes(b"".join(lines[:-3]))
    if damage == "deleted":
        path.unlink()
    if damage == "older":
        path.write_bytes(b"".join(lines[:5]))


def test_a_desk_on_a_damaged_journal_runs_no_pass_and_sends_nothing(desk: Rehearsal) -> None:
    """A restarted process reads the journal first: no claim, no order."""
    path = desk.desk.journal.path  # type: ignore[attr-defined]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"seq"', b'"sEq"', 1)
    path.write_bytes(b"".join(lines))
    desk.restart()
    desk.to(at("14:35"))

    with pytest.raises(MarketdayError, match=r"record 4: .*restore the newest backup"):
        desk.tick("14:35")
    for words in BROKER_VERBS:  # with a broker that answers
        result = marketday(*words, "--home", desk.home)
        assert (result.exit_code, "record 4: " in " ".join(result.stderr.split())) == (3, True), words
    assert not desk.received()
    lines[3] = lines[3].replace(b'"sEq"', b'"seq"', 1)
    path.write_bytes(b"".join(lines))  # so that the desk can be let go


def test_a_journal_put_back_to_an_older_copy_with_its_anchor_is_betrayed_by_the_head_that_was_told(
    tmp_path: Path,
) -> None:
    """All files of an older moment fit each other; the report's alert, outside the machine, knows better."""
    with rehearsal(tmp_path, overlay("+SPY 14:35")) as desk:
        desk.morning()
        journal = desk.home / "journal"
        older = {one.name: one.read_bytes() for one in journal.iterdir()}
        desk.tick("14:35")
        desk.run("market-close", at("21:00"))
        desk.run("daily-report", at("22:30"))
        wait_projected(desk.desk)
        (told,) = [one for one in desk.records(Kind.ALERT) if one.data["event"] == "daily_report"][-1:]
        head = dict(told.data["fields"])["Journal"].rpartition(" ")[2]
        whole = marketday("store", "verify", "--head", head, "--home", desk.home)
        kept = {one.name: one.read_bytes() for one in journal.iterdir()}
        for name, content in older.items():
            (journal / name).write_bytes(content)
        betrayed = marketday("store", "verify", "--head", head, "--home", desk.home)
        for name, content in kept.items():
            (journal / name).write_bytes(content)

    assert len(head) == 64
    assert "has that head" in whole.stderr
    assert betrayed.exit_code == 3
    assert "older copy" in " ".join(betrayed.stderr.split())
    assert marketday("store", "verify", "--head", "abc", "--home", desk.home).exit_code == 2


@contextmanager
def full_disk(desk: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the journal no room but what was set aside for a stop."""
    journal = desk.desk.journal.path  # type: ignore[attr-defined]
    reserve, really = journal.with_suffix(".reserve"), os.pwrite

    def write(descriptor: int, data: bytes, offset: int) -> int:
        if reserve.exists() and os.fstat(descriptor).st_ino == journal.stat().st_ino:
            raise OSError(errno.ENOSPC, "no space left on device")
        return really(descriptor, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", write)
        yield


def test_on_a_full_disk_no_order_leaves(desk: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tick ends with what to do, the exchange hears of nothing; with room the next one trades."""
    with full_disk(desk, monkeypatch), pytest.raises(MarketdayError, match="free space and try again"):
        desk.tick("14:35")
    without = sum(desk.received().values())
    summary = desk.tick("14:36")

    assert without == 0
    assert summary["sent"] == 1
    assert desk.received()[desk.life("QQQ").intent.id] == 1


def test_on_a_full_disk_a_halt_is_kept_and_its_cancels_reach_the_exchange(
    desk: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order waits for the next bar: halted and cancelled within the room set aside."""
    desk.tick("14:35")
    with full_disk(desk, monkeypatch):
        halted = halt(desk.desk.journal, "disk full", "test", desk.now())
        asked, failed = cancel_open(desk.desk, "halt", desk.now())
    desk.restart()
    desk.monitor("14:35:30")

    assert (halted, asked, failed) == (True, 1, 0)
    assert desk.ledger.state.state is TradingState.HALTED
    assert desk.life("SPY").state.name == "CANCELLED"
    assert not desk.ledger.positions


def test_the_report_the_store_and_the_log_may_run_out_of_room_and_trading_goes_on(
    desk: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's disk is full: the journal's is not, and the order goes out."""

    def full(*_words: object, **_named: object) -> None:
        import duckdb

        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("duckdb.connect", full)
        summary = desk.tick("14:35")
        wait_projected(desk.desk)

    assert summary["sent"] == 1
    assert project(desk.desk) == 0


def test_a_home_behind_a_link_in_the_wrong_hands_or_on_a_network_is_refused(tmp_path: Path) -> None:
    """Each with its remedy; a good one, and one that does not exist yet, are fine."""
    good = tmp_path / "good"
    (good / "journal").mkdir(parents=True)
    (good / "journal" / "a.jsonl").touch()
    link = tmp_path / "link"
    link.symlink_to(good)
    anybody = tmp_path / "anybody"
    anybody.mkdir()
    anybody.chmod(0o777)
    inside = tmp_path / "inside"
    (inside / "journal").mkdir(parents=True)
    (inside / "journal" / "a.jsonl").symlink_to(good / "journal" / "a.jsonl")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/share {tmp_path} nfs4 rw 0 0\n")

    assert check_home(good) == ()
    assert check_home(tmp_path / "none") == ()
    for wrong, words in ((link, "is a link"), (anybody, "chmod o-w"), (inside, "is a link")):
        with pytest.raises(UsageError, match=words):
            require_home(wrong)
    assert "network file system (nfs4)" in check_home(good, mounts)[0]


def test_a_read_only_home_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that was remounted read-only after an error admits its owner by mode, but takes no write."""
    home = tmp_path / "home"
    home.mkdir()

    def refuse(_path: Path, *_more: object, **_named: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(UsageError, match="cannot be written: correct its permissions"):
        require_home(home)


def test_nobody_opens_or_copies_the_database_file_but_duckdb() -> None:
    """An open and close in the same process drops DuckDB's lock (K12): only the store names the file."""
    source = CHECKOUT / "src" / "pipeline"
    named = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"marketday\.duckdb[\"']", path.read_text())
    }
    copying = re.compile(r"shutil\.(copy|copy2|copyfile|copytree)\(|os\.fork\(|\.fork\(")

    assert named == {"wiring/desks.py"}
    store = source / "adapters" / "duckdb_store"
    for path in (*store.rglob("*.py"), source / "operations" / "backup.py"):
        assert not copying.search(path.read_text()), path
        assert not re.search(r"self\.path\.(open|read_bytes|write_bytes)\(", path.read_text()), path


def test_a_backup_holds_the_journal_and_neither_a_database_nor_a_password(desk: Rehearsal) -> None:
    """What is copied to another machine: records, a checksum, nothing else."""
    (desk.home / "prefect").mkdir()
    (desk.home / "prefect" / "login").write_text("marketday:canary-password\n")
    desk.run("market-close", at("21:00"))
    copies = sorted((desk.home / "backups").iterdir())

    assert [one.name for one in copies] == ["2026-11-20.jsonl", "2026-11-20.sha256"]
    assert all(json.loads(line)["seq"] for line in copies[0].read_text().splitlines())
    assert b"canary" not in b"".join(one.read_bytes() for one in copies)
