"""Each checker accepts an honest log and names the breach in a doctored one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from engine.simulation.checkers import (
    History,
    Judgement,
    covered,
    executed_once,
    naked_windows,
    never_widened,
    no_orders_left,
)
from engine.simulation.log import Changed, Event, Filled, Placed

D = Decimal
DECISION = "7f3aq2"


def entry(at_ms: int, quantity: str = "0.013", *, generation: int = 1, revision: int = 1) -> Placed:
    client_id = f"kp{DECISION}{generation:03d}e{revision:03d}"
    return Placed(
        0, at_ms, "regular", f"regular:e{generation}{revision}", client_id, "BUY", "LIMIT",
        D(quantity), None, reduce_only=False, close_position=False,
    )  # fmt: skip


def stop(
    at_ms: int,
    trigger: str,
    *,
    revision: int = 1,
    role: str = "s",
    quantity: str | None = "0.013",
    client_id: str | None = None,
    generation: int = 1,
) -> Placed:
    name = client_id or f"kp{DECISION}{generation:03d}{role}{revision:03d}"
    return Placed(
        0, at_ms, "algo", f"algo:{name}", name, "SELL", "STOP_MARKET",
        None if quantity is None else D(quantity), D(trigger),
        reduce_only=quantity is not None, close_position=quantity is None,
    )  # fmt: skip


def fill(
    at_ms: int, order: Placed, quantity: str, position: str, *, exchange_id: str | None = None
) -> Filled:
    is_algo = order.book == "algo"
    return Filled(
        0, at_ms, exchange_id or order.exchange_id.replace("algo:", "regular:"),
        order.exchange_id if is_algo else None, order.client_id, order.side,
        D("90743.3"), D(quantity), D(position),
    )  # fmt: skip


def change(at_ms: int, order: Placed, status: str, *, by: str = "api") -> Changed:
    return Changed(0, at_ms, order.book, order.exchange_id, status, by)


FIRST, MOVED = stop(1_000, "90380"), stop(20_000, "90810", revision=2)
FLOOR = stop(3_100, "90380", role="f", quantity=None)
ENTRY = entry(2_000)


def honest() -> list[Event]:
    """Arm, enter in two fills, floor, one move by overlap, stopped out, swept."""
    return [
        FIRST,
        ENTRY,
        fill(3_000, ENTRY, "0.005", "0.005"),
        FLOOR,
        fill(4_000, ENTRY, "0.008", "0.013"),
        change(4_000, ENTRY, "FILLED", by="exchange"),
        MOVED,
        change(20_100, FIRST, "CANCELED"),
        change(30_000, MOVED, "TRIGGERED", by="exchange"),
        fill(30_000, MOVED, "0.013", "0"),
        change(30_000, MOVED, "FINISHED", by="exchange"),
        change(30_001, FLOOR, "EXPIRED", by="exchange"),
    ]


def history(events: Sequence[Event]) -> History:
    return History(events, end_ms=40_000)


@pytest.mark.parametrize("checker", [covered, never_widened, executed_once, no_orders_left])
def test_an_honest_life_is_accepted_by_every_checker(
    checker: Callable[[History], Judgement],
) -> None:
    """A checker that always complains would be ignored."""
    judgement = checker(history(honest()))

    assert judgement.findings == ()
    assert judgement.checked > 0


def test_an_entry_that_fills_before_the_stop_rests_is_naked_until_it_does() -> None:
    """RULES B1: fill to stop is exactly what the armed stop prevents."""
    late = replace(FIRST, at_ms=3_050)
    events: list[Event] = [ENTRY, fill(3_000, ENTRY, "0.005", "0.005"), late]

    windows = naked_windows(history(events))

    assert [(w.from_ms, w.until_ms, w.worst_quantity) for w in windows] == [
        (3_000, 3_050, D("0.005"))
    ]
    assert windows[0].quantity_s == D("0.00025")
    assert not covered(history(events)).ok
    assert covered(history(events), bound_ms=50).ok


def test_a_stop_for_less_than_the_position_leaves_the_rest_naked() -> None:
    """RULES A2: cover is a quantity, not a yes."""
    small = stop(1_000, "90380", quantity="0.005")
    events: list[Event] = [small, ENTRY, fill(3_000, ENTRY, "0.013", "0.013")]

    windows = naked_windows(history(events))

    assert [(w.from_ms, w.until_ms, w.worst_quantity) for w in windows] == [
        (3_000, 40_000, D("0.008"))
    ]


def test_a_triggered_stop_that_does_not_execute_covers_for_two_seconds_only() -> None:
    """RULES A1: stuck in TRIGGERING is as good as gone (field lesson 4)."""
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.013", "0.013")]
    events += [change(5_000, FIRST, "TRIGGERING", by="exchange")]
    events += [change(5_900, FIRST, "TRIGGERED", by="exchange")]

    windows = naked_windows(history(events))

    assert [(w.from_ms, w.until_ms) for w in windows] == [(7_000, 40_000)]


def test_a_stop_that_partly_executed_covers_only_what_is_left_of_it() -> None:
    """What its child has sold it cannot sell again; somebody who adds meanwhile is naked."""
    added = Filled(
        0, 5_200, "regular:web", None, "web_1", "BUY", D("90743"), D("0.005"), D("0.013")
    )
    events: list[Event] = [FIRST, ENTRY, fill(3_000, ENTRY, "0.013", "0.013")]
    events += [change(5_000, FIRST, "TRIGGERED", by="exchange")]
    events += [fill(5_100, FIRST, "0.005", "0.008"), added]

    first = naked_windows(History(events, end_ms=5_400))

    assert [(w.from_ms, w.until_ms, w.worst_quantity) for w in first] == [
        (5_200, 5_400, D("0.005"))
    ]


def test_a_take_profit_or_a_stop_on_the_entry_side_covers_nothing() -> None:
    """RULES A1 names what counts; the rest only looks like a stop."""
    target = replace(FIRST, type="TAKE_PROFIT_MARKET")
    wrong_side = replace(stop(1_000, "90380", revision=2), side="BUY")
    opening = replace(stop(1_000, "90380", revision=3), reduce_only=False)

    events: list[Event] = [target, wrong_side, opening, ENTRY, fill(3_000, ENTRY, "0.013", "0.013")]

    assert naked_windows(history(events))[0].worst_quantity == D("0.013")


def test_a_foreign_stop_counts_as_cover() -> None:
    """RULES A2: whoever owns it."""
    foreign = stop(1_000, "90380", client_id="web_1")
    events: list[Event] = [foreign, ENTRY, fill(3_000, ENTRY, "0.013", "0.013")]

    assert covered(history(events)).ok


def test_a_stop_below_the_level_in_force_is_a_widening() -> None:
    """RULES B2, as sent: it does not matter that a tighter one rests beside it."""
    wider = stop(25_000, "90500", revision=3)
    events: list[Event] = [*honest()[:8], wider]

    judgement = never_widened(history(events))

    assert [f.at_ms for f in judgement.findings] == [25_000]
    assert "wider than 90810" in judgement.findings[0].detail


def test_a_restored_floor_at_the_initial_level_is_no_widening() -> None:
    """RULES F1: the floor never moves, so restoring it lower than the primary is right."""
    restored = stop(25_000, "90380", role="f", quantity=None, revision=2)
    lower = stop(26_000, "90379", role="f", quantity=None, revision=3)
    events: list[Event] = [*honest()[:8], restored]

    assert never_widened(history(events)).ok
    assert not never_widened(history([*events, lower])).ok


def test_cancelling_the_stop_that_carries_the_level_is_a_widening() -> None:
    """RULES F2: the new one must rest before the old one goes."""
    events: list[Event] = [*honest()[:7], change(20_100, MOVED, "CANCELED")]

    judgement = never_widened(history(events))

    assert [f.at_ms for f in judgement.findings] == [20_100]
    assert "from 90810 to 90380" in judgement.findings[0].detail


def test_a_stop_cancelled_by_somebody_else_is_not_our_widening() -> None:
    """Loose time counts it; the promise is about what the keeper does."""
    events: list[Event] = [*honest()[:7], change(20_100, MOVED, "CANCELED", by="hand")]

    assert never_widened(history(events)).ok


def test_the_level_of_one_position_does_not_bind_the_next() -> None:
    """RULES A5: levels belong to a generation, never to the symbol."""
    again = entry(32_000, generation=2)
    lower = stop(31_000, "89000", generation=2)
    restored = stop(34_000, "89000", generation=2, revision=2)
    events: list[Event] = [*honest(), lower, again, fill(33_000, again, "0.013", "0.013")]
    events += [restored]

    assert never_widened(history(events)).ok


def a_foreign_buy(at_ms: int, position: str) -> Filled:
    return Filled(
        0, at_ms, "regular:web", None, "web_1", "BUY", D("90760"), D("0.02"), D(position)
    )  # fmt: skip


def test_the_stop_for_somebodys_position_is_not_held_to_our_armed_one() -> None:
    """RULES G1: what is not ours gets a wide stop, and our armed stop leaves it."""
    armed = stop(1_000, "90380")
    wide = stop(3_000, "88037.2", quantity=None, client_id="kp000000002f001")
    wider = stop(4_000, "88000", quantity=None, client_id="kp000000002f002")
    events: list[Event] = [
        armed,
        a_foreign_buy(2_000, "0.02"),
        wide,
        change(3_500, armed, "CANCELED"),
    ]

    assert never_widened(history(events)).findings == ()
    assert [f.detail for f in never_widened(history([*events, wider])).findings] == [
        "kp000000002f002 placed at 88000, wider than 88037.2"
    ]


def test_an_entry_of_ours_that_fills_beside_it_makes_it_ours() -> None:
    """RULES G1, G2: from then on our stops' level is the level in force."""
    armed, order = stop(1_000, "90380"), entry(1_500)
    wide = stop(4_000, "88037.2", quantity=None, client_id="kp000000002f001")
    events: list[Event] = [
        armed, order, a_foreign_buy(2_000, "0.02"), fill(3_000, order, "0.013", "0.033"), wide
    ]  # fmt: skip

    assert [f.detail for f in never_widened(history(events)).findings] == [
        "kp000000002f001 placed at 88037.2, wider than 90380"
    ]


def test_a_stop_for_somebodys_position_may_be_under_way_when_our_entry_fills() -> None:
    """G1: looked at before the fill, it arrived 23 ms after it; a look later it is a widening."""
    armed, order = stop(1_000, "90380"), entry(1_500)
    wide = stop(3_023, "88037.2", quantity=None, client_id="kp000000002f001")
    events: list[Event] = [
        armed, order, a_foreign_buy(2_000, "0.02"), fill(3_000, order, "0.013", "0.033"), wide
    ]  # fmt: skip
    later = [*events[:-1], replace(wide, at_ms=4_061)]
    ours = [*events[:-1], replace(wide, client_id="kp7f3aq2001s002")]

    assert never_widened(history(events), unseen_ms=1_060).ok
    assert not never_widened(history(events)).ok
    assert not never_widened(history(later), unseen_ms=1_060).ok
    assert not never_widened(history(ours), unseen_ms=1_060).ok


def test_one_id_that_executes_as_two_orders_is_doubled() -> None:
    """Ids are unique among open orders only: a repeated id executes again (RULES G3)."""
    events: list[Event] = [
        ENTRY,
        fill(3_000, ENTRY, "0.005", "0.005"),
        fill(3_500, ENTRY, "0.005", "0.010", exchange_id="regular:other"),
    ]

    judgement = executed_once(history(events))

    assert [f.at_ms for f in judgement.findings] == [3_500]


def test_entries_that_execute_more_than_the_first_carried_are_doubled() -> None:
    """RULES D1: a chased order carries only the remainder."""
    chased = entry(5_000, "0.013", revision=2)
    events: list[Event] = [
        ENTRY,
        fill(3_000, ENTRY, "0.005", "0.005"),
        chased,
        fill(6_000, chased, "0.013", "0.018"),
    ]

    judgement = executed_once(history(events))

    assert [f.at_ms for f in judgement.findings] == [6_000]
    assert "0.018 of 0.013" in judgement.findings[0].detail


def test_a_decision_that_opens_two_generations_is_doubled() -> None:
    """RULES D2: stopped out at 10:06, the 10:05 decision must not re-enter."""
    again = entry(32_000, generation=2)
    events: list[Event] = [*honest(), again, fill(33_000, again, "0.013", "0.013")]

    judgement = executed_once(history(events))

    assert [f.at_ms for f in judgement.findings] == [33_000]


def test_what_is_left_at_the_end_is_named() -> None:
    """RULES G6: a stop left behind fires on the next position (field lesson 5)."""
    events: list[Event] = [*honest()[:7], *honest()[8:]]

    judgement = no_orders_left(history(events))

    assert [f.detail for f in judgement.findings] == [f"{FIRST.client_id} still rests"]
