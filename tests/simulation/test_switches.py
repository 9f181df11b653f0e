"""No unconfirmed behaviour of the exchange breaks a promise: lives under every switch, one by one.

The test run plays a few lives under each value; `make switches` plays all of them, and so does
this file with KEEPER_SWITCHES=all.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.simulation.play import Play
from engine.venue.switches import SWITCHES
from tests.simulation import switched
from tests.simulation.switched import APART, DURATIONS, lives, play, turned, usual

RICH = (
    "entry_in_two_parts",
    "gap_through_the_stop",
    "tp1_then_breakeven",
    "short_stopped_out",
    "entry_reply_lost_after",
    "e7_chase_of_the_remainder",
    "e5_fill_between_the_look_and_the_cancel",
    "e8_stop_spent_while_the_entry_may_fill",
)
"""Lives in which much happens; each value plays two of them, in turn."""

VALUES = list(turned())


def chosen(index: int) -> list[Path]:
    """Return the lives that the value at `index` plays."""
    every = lives()
    if os.environ.get("KEEPER_SWITCHES") == "all":
        return every
    names = {RICH[(2 * index) % len(RICH)], RICH[(2 * index + 1) % len(RICH)]}
    return [path for path in every if path.stem in names]


@pytest.mark.parametrize(
    ("index", "switch", "value"),
    [(index, *one) for index, one in enumerate(VALUES)],
    ids=["=".join(one) for one in VALUES],
)
def test_no_behaviour_of_the_exchange_breaks_a_promise(index: int, switch: str, value: str) -> None:
    """An expectation that does not apply is named in `APART`, with its reason, and nowhere else."""
    found = [play(path, switch, value) for path in chosen(index)]

    assert len(found) >= 2
    assert [str(one) for one in found if one.unexpected] == []


def test_every_switch_is_turned() -> None:
    """A switch that is added is played from then on."""
    names = {name for name, _ in VALUES}

    assert names == {switch.name for switch in SWITCHES}
    assert set(DURATIONS) == {switch.name for switch in SWITCHES if not switch.values}


def test_what_does_not_apply_is_told_and_is_no_promise() -> None:
    """Nobody should have to find it in a test; only how a life ends may differ."""
    document = Path(__file__).parent.parent.parent / "docs" / "venue.md"
    text = document.read_text(encoding="utf-8")

    named = [(value, one) for value, entries in APART.items() for one in entries]
    assert [value for value, _ in named if f"`{'='.join(value)}`" not in text] == []
    assert {kind for _, one in named for kind in one.checkers} <= {"end"}
    assert {life for _, one in named for life in one.lives} <= {path.stem for path in lives()}


def test_a_broken_promise_is_seen() -> None:
    """In this life the exchange breaks its word about windows: what was decided executes twice."""
    name = "b3_what_executes_too_late_is_closed_again"
    path = next(path for path in lives() if path.stem == name)

    assert "executed_once" in {checker for checker, _ in usual(path, is_streaming=False)}


def test_a_keeper_that_breaks_is_never_excused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where it breaks under the default switches too: then nothing was tried at all."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(Play, "run", broken)
    switched.usual.cache_clear()
    try:
        found = play(lives()[0], "stop_while_flat", "refused")
    finally:
        switched.usual.cache_clear()

    assert [kind for kind, _ in found.unexpected] == [switched.BROKE]
