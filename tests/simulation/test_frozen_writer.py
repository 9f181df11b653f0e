"""Nothing a frozen writer sends after waking executes, wherever it froze (RULES G4, lesson 46).

A sample of every call of a whole life, most of it where something is sent; ``python -m
tests.simulation.frozen`` freezes at each of them. Judged from the venue's log and the store.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.domain.situation import SECOND_WRITER
from engine.simulation.checkers import History, executed_once, naked_windows, never_widened
from engine.simulation.log import Changed, Placed, read_log
from tests.simulation.frozen import LIFE_MS, Frost, Place, Point, Rival, Stage, frozen, points, roll
from tests.simulation.troubled import START_MS

OTHERS_STRIDE = 41


def sends(point: Point) -> bool:
    """Return whether what could change something is about to be sent, or to be written."""
    verb, name, *_ = (*roll()[point.at], "")
    return name == "record_intent" or (verb in ("POST", "DELETE") and not point.is_after)


def sample() -> list[Point]:
    """Return a third of the freezes around a request and its record, and some of the others."""
    every = list(points())
    return [p for p in every if sends(p)][::3] + [p for p in every if not sends(p)][::OTHERS_STRIDE]


def test_the_sample_has_a_freeze_in_every_kind_of_request() -> None:
    """A life that sends less than it should would prove less than it says."""
    verbs = {(roll()[p.at][0], roll()[p.at][1]) for p in points() if sends(p)}

    assert {("POST", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder")} <= verbs
    assert ("DELETE", "/fapi/v1/algoOrder") in verbs


def test_nothing_a_frozen_writer_sends_after_waking_executes() -> None:
    """RULES G4: its stamp is older than the lease check, its window ends before the lease does.

    Nor does it write: the database refuses the transactions of a lease that has passed.
    """
    thawed = [frozen(point) for point in sample()]

    assert [t for t in thawed if not t.is_right] == []
    assert sum(t.refused for t in thawed) > 0, "some request must have left after waking"


@pytest.mark.postgres
def test_nor_where_the_lease_lies_on_a_server(postgres_url: str) -> None:
    """RULES G4: the same fences on Postgres, at a record, after it, and at a request."""
    some = [p for p in points() if sends(p)][1::19]
    thawed = [
        frozen(point, Place(postgres_url, f"frozen-{point.at}-{point.is_after}")) for point in some
    ]

    assert [t for t in thawed if not t.is_right] == []
    assert len(thawed) >= 2


@pytest.mark.parametrize("is_after", [False, True], ids=["before it took effect", "after it"])
def test_a_freeze_in_the_middle_of_a_stop_move_costs_no_cover(is_after: bool) -> None:
    """RULES G4, F1: the new stop rests, the old one's cancel is stuck in a frozen process."""
    move = next(at for at, call in enumerate(roll()) if call[0] == "DELETE" and "s001" in call[-1])

    thawed = frozen(Point(move, is_after))

    assert thawed.is_right, thawed


def test_the_successor_withdraws_a_resting_entry_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES G4, E5: its writer may wake; then the stop goes, once the entry is proven empty."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    stage = Stage(tmp_path, Frost(), feed=())
    stage.first.run_until(START_MS + 4_000)
    before = len(read_log(stage.venue.log_after(0)))

    stage.take_over()
    events = read_log(stage.venue.log_after(0))[before:]
    standing = stage.first.reach.standing()
    stage.close()

    ended = [e for e in events if isinstance(e, Changed) and e.status == "CANCELED"]
    assert [e.book for e in ended] == ["regular", "algo"], "the entry first, then its stop"
    assert [e for e in events if isinstance(e, Placed)] == []
    assert [standing[0], standing[1]] == [0, 0]


def test_two_keepers_with_stores_of_their_own_stand_down_and_stay_covered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RULES G4: no lease tells them of each other; an order nobody here intended does."""
    other_folder = tmp_path / "other"
    (other_folder / "inbox").mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    stage = Stage(tmp_path, Frost())
    one = stage.first
    one.run_until(START_MS + 12_000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(other_folder))
    other = Rival(stage.venue, other_folder, stage.clock, Frost())

    while stage.clock.now_ms < START_MS + LIFE_MS:
        for rival in (one, other):
            rival.process.due_ms = stage.clock.now_ms
            rival.run_until(stage.clock.now_ms + 500)
    history = History(read_log(stage.venue.log_after(0)), end_ms=stage.clock.now_ms)
    halts = [{halt.code for halt in rival.store.halts()} for rival in (one, other)]
    other.close()
    stage.close()

    assert halts == [{SECOND_WRITER}, {SECOND_WRITER}]
    assert naked_windows(history) == ()
    assert never_widened(history).findings == ()
    assert executed_once(history).findings == ()
