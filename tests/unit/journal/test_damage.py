"""What is on disk is what was written, or the journal says so and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.adapters.journal import FileJournal
from pipeline.domain.journal import Kind, from_line, seal, to_line
from pipeline.errors import JournalCorrupt
from tests.unit.domain.making import T0
from tests.unit.journal.worker import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of three records."""
    journal = opened(tmp_path / "demo.jsonl")
    for symbol in ("AAA", "BBB", "CCC"):
        journal.append(Kind.LOCK, {"symbol": symbol, "reason": "x"}, T0)
    return journal.path


def is_corrupt(path: Path) -> bool:
    """Tell whether a new reader refuses the journal; if it does, the evidence must stay as it was."""
    before = path.read_bytes()
    try:
        opened(path).read()
    except JournalCorrupt:
        assert path.read_bytes() == before
        return True
    return False


def flips(content: bytes) -> list[bytes]:
    return [
        content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]
        for at in range(len(content))
        for bit in range(8)
    ]


def test_any_flipped_bit_is_found(path: Path) -> None:
    """All of them: the last newline, too, which only the anchor can miss."""
    survivors = []
    for damaged in flips(path.read_bytes()):
        path.write_bytes(damaged)
        if not is_corrupt(path):
            survivors.append(damaged)

    assert survivors == []


def test_any_lost_tail_is_found(path: Path) -> None:
    whole = path.read_bytes()
    survivors = []
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if not is_corrupt(path):
            survivors.append(length)

    assert survivors == []


def test_a_flipped_bit_in_the_anchor_is_found_or_changes_nothing(path: Path) -> None:
    """It may hit the length, which is for people."""
    head, whole = path.with_suffix(".head"), path.read_bytes()
    accepted = 0
    for damaged in flips(head.read_bytes()):
        head.write_bytes(damaged)
        if not is_corrupt(path):
            accepted += 1
            assert (opened(path).read().seq, path.read_bytes()) == (3, whole)

    assert 0 < accepted < 160


def test_a_line_torn_by_a_crash_is_dropped_and_nothing_else(path: Path) -> None:
    """At every length: it was acknowledged to nobody."""
    whole, head = path.read_bytes(), path.with_suffix(".head")
    anchor = head.read_bytes()
    opened(path).append(Kind.LOCK, {"symbol": "DDD", "reason": "x"}, T0)
    line = path.read_bytes()[len(whole) :]
    for length in range(len(line)):
        path.write_bytes(whole + line[:length])
        head.write_bytes(anchor)

        assert sorted(opened(path).read().locks) == ["AAA", "BBB", "CCC"]
        assert path.read_bytes() == whole


def test_a_record_whose_anchor_was_not_yet_written_is_kept(path: Path) -> None:
    """The process died between the two: the anchor may be behind, and is put right by the next append."""
    head = path.with_suffix(".head")
    anchor = head.read_bytes()
    opened(path).append(Kind.LOCK, {"symbol": "DDD", "reason": "x"}, T0)
    head.write_bytes(anchor)
    journal = opened(path)

    assert "DDD" in journal.read().locks
    journal.append(Kind.LOCK, {"symbol": "EEE", "reason": "x"}, T0)
    assert head.read_bytes() != anchor


def test_a_missing_or_foreign_anchor_stops_everything(path: Path) -> None:
    head = path.with_suffix(".head")
    anchor = head.read_bytes()
    for other in (None, b"", b"{}", b"null", anchor.replace(b'"seq": 3', b'"seq": 4')):
        head.unlink(missing_ok=True)
        if other is not None:
            head.write_bytes(other)
        assert is_corrupt(path)
    head.write_bytes(anchor)

    assert not is_corrupt(path)


def test_a_journal_that_vanished_or_was_put_back_older_is_missed(path: Path) -> None:
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(JournalCorrupt, match="the anchor knows 3 records"):
        opened(path).read()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    with pytest.raises(JournalCorrupt, match="record 3: missing"):
        opened(path).read()


def test_a_reader_at_work_notices_when_the_file_shrinks(path: Path) -> None:
    journal = opened(path)
    journal.read()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(JournalCorrupt, match="became shorter"):
        journal.append(Kind.LOCK, {"symbol": "DDD", "reason": "x"}, T0)


def rechained(lines: list[bytes], start: int, extra: int = 0) -> bytes:
    """Forge record ``start`` and seal everything after it anew, as somebody with an editor could."""
    records = [from_line(line) for line in lines]
    records[start] = replace(records[start], data={"symbol": "FORGED", "reason": "x"})
    for _ in range(extra):
        records.append(replace(records[-1], seq=records[-1].seq + 1))
    for at in range(start, len(records)):
        prev = records[at - 1].hash if at else records[0].prev
        records[at] = seal(replace(records[at], prev=prev))
    return b"".join(to_line(record) for record in records)


FORGERIES: dict[str, Callable[[list[bytes]], bytes]] = {
    "swapped": lambda lines: lines[0] + lines[2] + lines[1],
    "cut out": lambda lines: lines[0] + lines[2],
    "doubled": lambda lines: lines[0] + lines[1] + lines[1] + lines[2],
    "first lost": lambda lines: lines[1] + lines[2],
    "edited": lambda lines: b"".join(lines).replace(b"BBB", b"XXX"),
    "edited and sealed": lambda lines: rechained(lines, 1),
    "sealed and longer": lambda lines: rechained(lines, 0, extra=5),
    "last sealed and longer": lambda lines: rechained(lines, 2, extra=1),
    "blank first": lambda lines: b"\n" + b"".join(lines),
    "blank last": lambda lines: b"".join(lines) + b"\n",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_history_is_refused_even_when_its_chain_fits(
    path: Path, forge: Callable[[list[bytes]], bytes]
) -> None:
    path.write_bytes(forge(path.read_bytes().splitlines(keepends=True)))

    assert is_corrupt(path)


def test_a_record_that_contradicts_those_before_it_is_refused(path: Path) -> None:
    """Sealed and anchored by another program: an order that nobody planned."""
    journal = opened(path)
    last = from_line(path.read_bytes().splitlines(keepends=True)[-1])
    forged = seal(
        replace(last, seq=4, kind=Kind.ACKED, data={"intent_id": "x", "order_id": "o"}, prev=last.hash)
    )
    with path.open("ab") as file:
        file.write(to_line(forged))
    for reader in (journal, opened(path)):
        with pytest.raises(JournalCorrupt, match="record 4: it contradicts"):
            reader.read()
        assert isinstance(reader, FileJournal)
        assert sorted(reader.ledger.locks) == ["AAA", "BBB", "CCC"]
