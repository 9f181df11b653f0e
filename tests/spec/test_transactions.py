"""Transaction logs: orders, fills and errors as JSON lines, a file a day, from the event tail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.followers.happening import Happening, Stage
from engine.followers.transactions import TransactionLogs, sorts_of
from tests.builders import ids, table
from tests.schemas import validate

DAY_MS = 86_400_000
MIDNIGHT = 1_772_582_400_000  # 2026-03-04 00:00 UTC
ORDER = "kp7f3aq2001s003"


def an_event(number: int, at_ms: int = MIDNIGHT, **changes: Any) -> Happening:
    event = Happening(
        *(number, at_ms, 7, "fill", "entry", "buy 0.005 at 90750", "BTCUSDT", "spec"),
        order_id=ORDER,
    )
    return replace(event, **changes)


def take(logs: TransactionLogs, *news: Happening) -> None:
    logs.take(news, is_ending=lambda: False)


def lines(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for document in found:
        validate(document)
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


PLACES = table("""
kind      order  alarm    files          why
intent    yes    -        orders         an order was written down
sent      yes    -        orders,errors  it left, and nothing is known of it
answered  yes    -        orders         the exchange took it
refused   yes    -        orders,errors  the exchange or a rule refused it
refused   no     -        errors         a stop level was refused
seen      yes    -        orders         its status changed
fill      yes    -        fills          an execution
seen      no     raised   errors         an alarm
seen      no     standing errors         an alarm that stands
seen      no     cleared  -              its end
rule      no     raised   errors         a halt
rule      no     -        -              a gate spoke
operator  no     -        -              somebody asked for something
drift     yes    -        -              a difference, not a transaction
""".replace("standing errors", "standing  errors"))  # fmt: skip


@pytest.mark.parametrize("row", PLACES, ids=ids(PLACES))
def test_an_event_lands_in_the_files_of_its_sort(row: list[str]) -> None:
    kind, order, alarm, files, _ = row
    happening = an_event(
        1,
        kind=kind,
        order_id=ORDER if order == "yes" else None,
        alarm=None if alarm == "-" else Stage(alarm),
    )

    assert sorts_of(happening) == (() if files == "-" else tuple(files.split(",")))


def test_a_day_has_its_own_file_by_the_events_own_time(tmp_path: Path) -> None:
    """UTC, and not when it was written: a late line belongs to its day."""
    logs = TransactionLogs(tmp_path / "log", print, keep_days=0)

    take(logs, an_event(1, MIDNIGHT - 1), an_event(2), an_event(3, kind="intent"))

    assert names(tmp_path / "log") == [
        "fills-2026-03-03.jsonl",
        "fills-2026-03-04.jsonl",
        "orders-2026-03-04.jsonl",
    ]
    (line,) = lines(tmp_path / "log" / "fills-2026-03-04.jsonl")
    assert (line["id"], line["order"], line["tick"]) == (2, ORDER, 7)


def test_the_next_process_goes_on_behind_the_last_line(tmp_path: Path) -> None:
    """The files are the cursor: nothing twice, nothing left out."""
    take(TransactionLogs(tmp_path, print, keep_days=0), an_event(4), an_event(9, kind="intent"))

    assert TransactionLogs(tmp_path, print, keep_days=0).cursor() == 9
    assert TransactionLogs(tmp_path / "new", print, keep_days=0).cursor() is None


def test_half_a_line_is_not_a_cursor_and_does_not_swallow_the_next(tmp_path: Path) -> None:
    """What a full disk or a power cut leaves behind."""
    path = tmp_path / "fills-2026-03-04.jsonl"
    take(TransactionLogs(tmp_path, print, keep_days=0), an_event(4))
    with path.open("a") as file:
        file.write('{"schema":"keeper/event/1","id":5,"at"')

    logs = TransactionLogs(tmp_path, print, keep_days=0)
    cursor = logs.cursor()
    take(logs, an_event(5))

    assert cursor == 4
    assert json.loads(path.read_text().splitlines()[-1])["id"] == 5


def test_an_alarm_that_never_was_in_the_store_is_no_cursor(tmp_path: Path) -> None:
    logs = TransactionLogs(tmp_path, print, keep_days=0)

    take(logs, an_event(0, kind="seen", order_id=None, alarm=Stage.RAISED))

    assert names(tmp_path) == ["errors-2026-03-04.jsonl"]
    assert logs.cursor() is None


KEEPS: Sequence[tuple[int, Sequence[str]]] = (
    (0, ("fills-2026-02-20.jsonl", "fills-2026-03-02.jsonl", "fills-2026-03-04.jsonl")),
    (2, ("fills-2026-03-02.jsonl", "fills-2026-03-04.jsonl")),
)


@pytest.mark.parametrize(("keep_days", "left"), KEEPS)
def test_old_files_go_when_a_day_begins_and_nothing_else_does(
    tmp_path: Path, keep_days: int, left: Sequence[str]
) -> None:
    for name in ("fills-2026-02-20.jsonl", "fills-2026-03-02.jsonl", "notes-2026-02-20.jsonl"):
        (tmp_path / name).write_text("{}\n")

    take(TransactionLogs(tmp_path, print, keep_days=keep_days), an_event(1))

    assert [name for name in names(tmp_path) if name.startswith("fills")] == list(left)
    assert "notes-2026-02-20.jsonl" in names(tmp_path), "not one of ours"


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    blocked, notes = tmp_path / "log", list[str]()
    blocked.write_text("a file stands where the folder should be")
    logs = TransactionLogs(blocked, notes.append, keep_days=0)

    take(logs, an_event(1))
    take(logs, an_event(2))

    assert len(notes) == 1
    assert "logs.folder cannot be written" in notes[0]
