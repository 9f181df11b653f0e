"""A silence outlives the process that was told of it (RULES H4, lesson 38)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.exchange.port import Usage
from engine.silence import LONGEST_MS, Silence
from tests.builders import NOW

WALL = NOW - 3_600_000
"""This machine's clock need not agree with the exchange's."""


class Gate:
    """As the exchange's meter: notes how long it is closed."""

    def __init__(self) -> None:
        self.pauses_ms: list[int] = []

    def is_blocked(self) -> bool:
        return bool(self.pauses_ms)

    def block(self, pause_ms: int) -> None:
        self.pauses_ms.append(pause_ms)


def restored(file: Path, wall_ms: int) -> list[int]:
    gate = Gate()
    Silence(file, gate).restore(wall_ms)
    return gate.pauses_ms


def test_the_next_process_keeps_what_is_left_of_it(tmp_path: Path) -> None:
    file = tmp_path / "keeper.silence"
    silence = Silence(file, Gate())
    silence.keep(Usage(blocked_until_ms=NOW + 7_000), NOW, WALL)
    silence.keep(Usage(blocked_until_ms=NOW + 7_400), NOW + 1_000, WALL + 1_000)  # measured anew
    silence.keep(Usage(), NOW + 2_000, WALL + 2_000)

    assert restored(file, WALL + 3_000) == [4_000]
    assert restored(file, WALL + 7_000) == []
    assert list(tmp_path.iterdir()) == [file]


def test_a_longer_one_takes_its_place(tmp_path: Path) -> None:
    file = tmp_path / "keeper.silence"
    silence = Silence(file, Gate())
    for until_ms in (7_000, 127_000):
        silence.keep(Usage(blocked_until_ms=NOW + until_ms), NOW, WALL)

    assert restored(file, WALL) == [127_000]


@pytest.mark.parametrize("written", ["", "soon", "1_0x", str(WALL - 1), str(WALL + LONGEST_MS + 1)])
def test_what_cannot_be_one_holds_nothing_up(tmp_path: Path, written: str) -> None:
    """A wall clock that is a week slow must not keep a position waiting for a week."""
    file = tmp_path / "keeper.silence"
    file.write_text(written)

    assert restored(file, WALL) == []


def test_a_folder_out_of_reach_is_no_reason_to_fail(tmp_path: Path) -> None:
    """RULES G5: a disk that takes nothing stops no keeper."""
    gate = Gate()
    silence = Silence(tmp_path / "nowhere" / "keeper.silence", gate)

    silence.restore(WALL)
    silence.keep(Usage(blocked_until_ms=NOW + 7_000), NOW, WALL)

    assert gate.pauses_ms == []
