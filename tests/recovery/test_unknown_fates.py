"""Whatever becomes of one request of a life, everything in it happens exactly once (RULES C4, B3).

The test run breaks one write by each way a fate can be unknown, another one each time; `make fates`
breaks every write in every way, and so does this file with KEEPER_CRASHES=all.
"""

from __future__ import annotations

import os
from itertools import cycle

import pytest

from tests.recovery.crashes import unharmed
from tests.recovery.fates import FATES, LIES, PUSHES, Case, cases, examine, pushed, writes
from tests.recovery.lives import LIVES

ALL = os.environ.get("KEEPER_CRASHES") == "all"


def sample(hows: dict[str, object], first: int) -> list[Case]:
    """Return one case for each way, at another write each time, long and short in turn."""
    chosen = []
    for number, (how, life) in enumerate(zip(hows, cycle(LIVES), strict=False)):
        verb, at, about = writes(life)[(first + 5 * number) % len(writes(life))]
        chosen.append(Case(life, verb, at, about, how))
    return chosen


def every(hows: dict[str, object]) -> list[Case]:
    """Return all cases."""
    return [case for life in LIVES for case in cases(life) if case.how in hows]


BROKEN = every({**FATES}) if ALL else sample({**FATES}, 2)
LYING = every({**LIES}) if ALL else sample({**LIES}, 3)


@pytest.mark.parametrize("case", BROKEN, ids=[str(case) for case in BROKEN])
def test_one_broken_request_changes_nothing(case: Case) -> None:
    """RULES C4: fills, stops and what was believed in each pause are those of the whole life."""
    assert examine(case).wrong == ()


@pytest.mark.parametrize("case", LYING, ids=[str(case) for case in LYING])
def test_minutes_of_lies_double_nothing_and_uncover_nothing(case: Case) -> None:
    """RULES C1, C2: absence is not evidence; a lie costs an opportunity at most."""
    assert examine(case).wrong == ()


@pytest.mark.parametrize("how", PUSHES)
@pytest.mark.parametrize("life", LIVES[:1], ids=["long"])
def test_pushes_may_come_as_they_like(life: str, how: str) -> None:
    """DESIGN 2: a push is believed towards more protection only, and fills count once by id."""
    assert pushed(life, how) == []


def test_every_write_of_a_life_is_broken_in_every_way() -> None:
    """The matrix is what was recorded, not what somebody remembered."""
    for life in LIVES:
        assert len(writes(life)) == 13
        assert len(list(cases(life))) == 13 * (len(FATES) + len(LIES))
    assert {"reply_lost_before", "reply_lost_after"} < {row["kind"] for row in FATES.values()}


def test_a_fate_that_strikes_nothing_is_no_success() -> None:
    """Behind the last write there is nothing to break."""
    life = LIVES[0]
    behind = Case(life, "DELETE", 99, "nothing", "reply lost, executed")

    assert examine(behind).wrong == ("the fault never struck",)
    assert unharmed(life).broken == ()
