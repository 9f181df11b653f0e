"""Killed at any call while a pushed fill is being covered: the next process finishes the work.

There the stop leaves before it is written down (docs/design-notes.md). Whatever of the two was
done, the position ends covered once, at the same level, with nothing doubled (RULES B1 to B4, G3).
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from engine.simulation.scenario import play_scenario

LIFE = Path(__file__).parents[1] / "scenarios" / "e9_stop_follows_the_pushed_fill.yaml"
BACK_S = 31.0


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "answer lost"])
@pytest.mark.parametrize("call", range(8))
def test_the_next_process_covers_what_was_pushed(tmp_path: Path, call: int, after: bool) -> None:
    written = yaml.safe_load(LIFE.read_text())
    written["kills"] = [{"at": 30.0, "back": BACK_S, "call": call, "after": after}]
    written["expect"] = {
        "fills": [{"role": "entry", "quantity": "0.013"}],
        "judged": {"naked_s": "<= 1.3", "widened": [], "doubled": []},
        "final": {"position": "0.013", "orders": 4},
    }
    file = tmp_path / "killed.yaml"
    file.write_text(yaml.safe_dump(written))

    told = play_scenario(file)

    assert told["differences"] == []
