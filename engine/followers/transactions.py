"""Transaction logs: one JSON line for each order event, fill and error, a file a day and a sort.

Invariants: written from the tail of ``events``, after the record, never by the ticking thread; each
event at most once over restarts, because the last line of the files is the cursor; a day is UTC and
that of the event, so a file is never written again once its day is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.followers.happening import Happening, Stage

ORDERS, FILLS, ERRORS = "orders", "fills", "errors"
SORTS = (ORDERS, FILLS, ERRORS)
_OF_ORDERS = frozenset({"intent", "sent", "answered", "refused", "seen"})
_LAST_BYTES = 65_536


class TransactionLogs:
    """Follows the events and writes them into files of a folder."""

    def __init__(self, folder: Path, note: Callable[[str], None], *, keep_days: int) -> None:
        """Write into ``folder``; files older than ``keep_days`` days go (0: none does)."""
        self._folder = folder
        self._note = note
        self._keep_days = keep_days
        self._day = ""
        self._is_failing = False

    def cursor(self) -> int | None:
        """Return the highest id the newest files end with."""
        ends = [_last_id(newest) for newest in map(self._newest, SORTS) if newest is not None]
        return max((end for end in ends if end is not None), default=None)

    def take(self, news: Sequence[Happening], *, is_ending: Callable[[], bool]) -> None:
        """Write what belongs into a file; a full disk is noted once and loses lines, not ticks."""
        try:
            for happening in news:
                for sort in sorts_of(happening):
                    self._write(sort, happening)
        except OSError as error:
            if not self._is_failing:
                self._is_failing = True
                self._note(f"logs.folder cannot be written: {error}")
        else:
            self._is_failing = False

    def _write(self, sort: str, happening: Happening) -> None:
        day = _day_of(happening.at_ms)
        if day != self._day:
            self._day = day
            self._folder.mkdir(parents=True, exist_ok=True)
            self._drop_old(day)
        path = self._folder / f"{sort}-{day}.jsonl"
        line = json.dumps(happening.document(), ensure_ascii=False).encode() + b"\n"
        with path.open("ab") as file:
            if file.tell() and not _ends_a_line(path):
                line = b"\n" + line  # the end of a line was lost: a full disk, a power cut
            file.write(line)

    def _drop_old(self, day: str) -> None:
        if not self._keep_days:
            return
        oldest = datetime.fromisoformat(day) - timedelta(days=self._keep_days)
        for path, of_day in self._files():
            if of_day < f"{oldest:%Y-%m-%d}":
                with suppress(OSError):
                    path.unlink()

    def _newest(self, sort: str) -> Path | None:
        days = [day for path, day in self._files() if path.name.startswith(f"{sort}-")]
        return self._folder / f"{sort}-{max(days)}.jsonl" if days else None

    def _files(self) -> Iterator[tuple[Path, str]]:
        """Yield our files with their days; anything else in the folder is not ours."""
        for path in self._folder.glob("*-????-??-??.jsonl"):
            sort, _, day = path.stem.partition("-")
            if sort in SORTS:
                yield path, day


def sorts_of(happening: Happening) -> tuple[str, ...]:
    """Return the files an event belongs into."""
    sorts = []
    if happening.kind in _OF_ORDERS and happening.order_id is not None:
        sorts.append(ORDERS)
    if happening.kind == "fill":
        sorts.append(FILLS)
    is_unknown = happening.kind == "sent"  # left without an answer: its fate is not known
    is_bad = happening.kind == "refused" or is_unknown
    if is_bad or happening.alarm in (Stage.RAISED, Stage.STANDING):
        sorts.append(ERRORS)
    return tuple(sorts)


def _day_of(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() == b"\n"


def _last_id(path: Path) -> int | None:
    """Return the id of the last whole line of a file."""
    with suppress(OSError):
        with path.open("rb") as file:
            file.seek(max(file.seek(0, 2) - _LAST_BYTES, 0))
            lines = file.read().splitlines()
        for line in reversed(lines):
            with suppress(ValueError, TypeError, KeyError):
                if (found := int(json.loads(line)["id"])) > 0:  # 0 never was in the store
                    return found
    return None
