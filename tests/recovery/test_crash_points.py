"""A keeper killed at any call through its ports ends its life as if it had never been killed.

The test run plays a sample: every request that changes something, and some of all other calls and
statements. `make crashes` plays every crash point there is, and so does this file with
KEEPER_CRASHES=all.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from engine.domain.terms import ActionClass
from engine.plan.planner import make_plan
from engine.simulation.play import Hand
from engine.simulation.scenario import Staged, start_ms_of
from engine.store.changes import changes
from tests.builders import PRIMARY, TP1, a_life, a_situation, d, placed, the_usual_orders
from tests.recovery.crashes import Crash, How, What, crash, points, roll, unharmed
from tests.recovery.lives import LIVES, is_write, play, scenario, subject

LONG, SHORT = LIVES
ALL = os.environ.get("KEEPER_CRASHES") == "all"

WRITES = {
    "POST marginType": 1,
    "POST leverage": 1,
    "POST algoOrder stop_primary": 4,
    "POST order entry": 1,
    "POST algoOrder stop_floor": 1,
    "POST algoOrder tp1": 1,
    "POST algoOrder liquidation_exit": 1,
    "DELETE algoOrder stop_primary": 3,
}
"""What a whole life asks of the exchange; the stop of the last move is the one that fires."""


def sample(what: What, life: str, *hows: How, writes: int, others: int) -> list[Crash]:
    """Return each so manieth crash point at a write, and of all others, of those that die so."""
    calls = roll(life, what)
    every = [point for point in points(life, what) if point.how in hows]
    if ALL:
        return list(points(life, what))
    at_writes = [point for point in every if is_write(calls[point.at])]
    elsewhere = [point for point in every if not is_write(calls[point.at])]
    return at_writes[::writes] + elsewhere[others // 2 :: others]


def test_the_life_that_is_killed_has_everything_in_it() -> None:
    """A life without a stop move would not notice a lost one."""
    for life in LIVES:
        calls = roll(life, What.CALLS)
        assert Counter(subject(call) for call in calls if is_write(call)) == WRITES
        assert {"store recall", "store record_intent", "store record_outcomes"} <= {
            subject(call) for call in calls
        }
        assert len(unharmed(life).pauses) >= 6
        assert unharmed(life).naked_s == 0


@pytest.mark.parametrize(
    ("life", "how", "others"),
    [(LONG, How.BEFORE, 900), (SHORT, How.REPLY_LOST, 900)],
    ids=["long, before", "short, reply lost"],
)
def test_killed_at_a_call_the_life_ends_as_if_never_killed(
    life: str, how: How, others: int
) -> None:
    """RULES B4: orders, fills, stop levels, trade record, what was believed in each pause."""
    chosen = sample(What.CALLS, life, how, writes=1, others=others)

    found = [crash(point) for point in chosen]

    assert len(found) >= 13
    assert [(str(one.crash), one.wrong) for one in found if one.wrong] == []


@pytest.mark.parametrize("life", LIVES, ids=["long", "short"])
def test_killed_between_two_statements_the_life_ends_as_if_never_killed(life: str) -> None:
    """RULES G5: what was not committed is undone whole, and what was is enough to go on from."""
    chosen = sample(What.STATEMENTS, life, How.BEFORE, writes=1, others=120)

    found = [crash(point) for point in chosen]

    assert len(found) >= 3
    assert [(str(one.crash), one.wrong) for one in found if one.wrong] == []


@pytest.mark.parametrize(
    ("life", "how"),
    [(LONG, How.REPLY_LOST), (SHORT, How.BEFORE)],
    ids=["long, reply lost", "short, before"],
)
def test_with_the_store_lost_at_a_call_everything_the_rules_name_comes_back(
    life: str, how: How
) -> None:
    """RULES B4, G3: side, size, average, level, roles, generation, TP1 done; no second entry."""
    chosen = sample(What.LOST_STORES, life, how, writes=5, others=500)

    found = [crash(point) for point in chosen]

    assert len(found) >= 3
    assert [(str(one.crash), one.wrong) for one in found if one.wrong] == []


@pytest.mark.parametrize("life", [f"{life}+fallback" for life in LIVES], ids=["long", "short"])
def test_killed_between_the_pushed_fill_and_its_record_the_life_goes_on(life: str) -> None:
    """RULES E9, G5: the stop leaves before anything is written; it is found, and it binds."""
    calls = roll(life, What.CALLS)
    sent = [at for at, call in enumerate(calls) if subject(call) == "POST algoOrder stop_primary"]
    assert subject(calls[sent[1] + 2]) == "store record_intent"

    found = [
        crash(Crash(life, What.CALLS, at, how))
        for at, how in [(sent[1], how) for how in How] + [(sent[1] + 2, How.BEFORE)]
    ]

    assert [(str(one.crash), one.wrong) for one in found if one.wrong] == []


def test_a_life_that_goes_otherwise_is_told() -> None:
    """A comparison that finds nothing different compares nothing."""
    written = scenario(LONG)
    start_ms = start_ms_of(written)

    def cut(staged: Staged) -> None:
        hand = {"do": "market", "side": "sell", "quantity": "0.002", "reduce_only": "true"}
        staged.play.add(start_ms + 90_000, Hand(hand))

    end = play(written, cut)

    told = {difference.partition(":")[0] for difference in unharmed(LONG).differences(end)}
    assert {"fills", "trades"} <= told
    assert unharmed(LONG).pauses_unlike(end, 80_000) != []
    assert unharmed(LONG).differences(play(written)) == []


def test_a_death_that_never_came_is_no_success() -> None:
    """A crash point behind the end of the life proves nothing."""
    behind = Crash(LONG, What.CALLS, len(roll(LONG, What.CALLS)) + 1_000)

    assert crash(behind).wrong == ("died 0 times",)


def test_a_stop_is_committed_with_its_level() -> None:
    """RULES F3, G5: a level whose order was not written down would bind, and nothing carry it."""
    life = a_life(
        "0.007",
        base_quantity=d("0.013"),
        entered_quantity=d("0.013"),
        tp1_done_ms=1,
        is_trailing_enabled=False,
    )
    orders = [order for order in the_usual_orders() if order.role is not TP1]
    situation = a_situation(life, orders, price=91_500)
    plan = make_plan(situation)
    assert placed(plan, PRIMARY) != []

    change = changes(situation.ledger, plan.ledger)

    assert [entry.value.reason for entry in change.levels] == ["breakeven"]
    assert [entry.value.role for entry in change.orders[ActionClass.PROTECT]] == [PRIMARY]
    assert set(change.orders) == {ActionClass.PROTECT}
