"""Every drift of DESIGN section 5, made by another hand through the exchange: event and reaction.

The hand acts in a pause of a whole life, long and short; what the exchange shows at the end of the
pause is the reaction. Judged from the venue: nothing uncovered for longer than RULES B allows,
nothing widened, nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

import pytest

from engine.domain.drift import DriftKind
from engine.domain.identity import ClientOrderId
from engine.domain.numbers import plain
from engine.simulation.play import Hand, Moment
from engine.simulation.scenario import Staged, start_ms_of
from engine.store.reading import ReadStore
from engine.venue.orders import AlgoOrder, Order
from tests.recovery.crashes import What, roll
from tests.recovery.lives import LIVES, End, play, scenario

HELD_MS, HELD_UNTIL_MS = 54_000, 64_900
"""The entry is final and every order rests; the first target is reached at 65 s."""

ENTERING_MS, ENTERING_UNTIL_MS = 5_000, 24_900
"""The entry rests behind its armed stop; it is touched at 25 s."""

ONE_LOOK_MS = 2_200
"""One tick, stretched to two seconds by the weight of a start (RULES H4), and three round trips."""

LEVELS: Mapping[str, Mapping[str, str]] = {
    LIVES[0]: {"initial": "90380", "tp1": "91600", "zone": "93100", "tighter": "90600"},
    LIVES[1]: {"initial": "91120", "tp1": "89900", "zone": "88400", "tighter": "90900"},
}
RUNNER = "liquidation_exit - zone"
USUAL = ("stop_primary 0.013 initial", "stop_floor - initial", "tp1 0.006 tp1", RUNNER)
OPEN, CLOSE = "opening", "closing"
Terms = dict[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """What another hand does, and what must come of it.

    ``drifts`` are the kinds that are told, ``rests`` what the exchange shows at the end of the
    pause, ``holds`` the position there, as a multiple of the life's sign.
    """

    name: str
    hands: tuple[Terms, ...]
    drifts: tuple[str, ...]
    rests: tuple[str, ...] = USUAL
    holds: str = "0.013"
    naked_ms: int = 0
    trade: str | None = None
    is_entering: bool = False
    refused: int | None = None


def market(side: str, quantity: str, **more: object) -> Terms:
    return {"do": "market", "side": side, "quantity": quantity, **more}


def cancel(role: str) -> Terms:
    return {"do": "cancel", "role": role}


def stop(side: str, quantity: str, level: str, **more: object) -> Terms:
    return {"do": "stop", "side": side, "quantity": quantity, "trigger_price": level, **more}


VANISHED, GAP, FOREIGN = "vanished_own_order", "quantity_gap", "foreign_order"
REDUCING = {"reduce_only": "true"}
WIDE = "stop_floor - wide"

ROWS = (
    Row(
        "somebody adds",
        (market(OPEN, "0.005"),),
        (GAP,),
        ("stop_primary 0.018 initial", "stop_floor - initial", "tp1 0.009 tp1", RUNNER),
        "0.018",
    ),
    Row(
        "somebody cuts",
        (market(CLOSE, "0.005", **REDUCING),),
        (GAP,),
        ("stop_primary 0.013 initial", "stop_floor - initial", "tp1 0.004 tp1", RUNNER),
        "0.008",
    ),
    Row("somebody closes", ({"do": "close"},), (GAP,), (), "0", trade="by_user"),
    Row("liquidation", ({"do": "liquidation"},), (GAP,), (), "0", trade="liquidated"),
    Row("adl", ({"do": "adl"},), (GAP,), (), "0", trade="adl"),
    Row(
        "somebody reverses",
        (market(CLOSE, "0.020"),),
        ("side_differs", "orphan_position"),
        (WIDE,),
        "-0.007",
        ONE_LOOK_MS,
        trade="by_user",
    ),
    Row("the primary is cancelled", (cancel("stop_primary"),), (VANISHED,)),
    Row("the floor is cancelled", (cancel("stop_floor"),), (VANISHED,)),
    Row("the first target is cancelled", (cancel("tp1"),), (VANISHED,)),
    Row("the runner's target is cancelled", (cancel("liquidation_exit"),), (VANISHED,)),
    Row(
        "both stops are cancelled",
        (cancel("stop_primary"), cancel("stop_floor")),
        (VANISHED, "cover_too_small"),
        naked_ms=ONE_LOOK_MS,
    ),
    Row(
        "everything is cancelled",
        ({"do": "cancel_all"},),
        (VANISHED, "cover_too_small"),
        naked_ms=ONE_LOOK_MS,
    ),
    Row(
        "a user's tighter stop",
        (stop(CLOSE, "0.013", "tighter", **REDUCING),),
        (FOREIGN,),
        (*USUAL, "web 0.013 tighter"),
    ),
    Row(
        "a stop on the wrong side",
        (stop(OPEN, "0.013", "zone"),),
        (FOREIGN,),
        (*USUAL, "web 0.013 zone"),
    ),
    Row(
        "an order with our name, tighter",
        (stop(CLOSE, "0.013", "tighter", client_id="ours", **REDUCING),),
        ("unknown_own_order",),
        ("stop_primary 0.013 tighter", "stop_floor - initial", "tp1 0.006 tp1", RUNNER),
    ),
    Row(
        "the symbol is listed on another tick",
        ({"do": "filters", "tick_size": "0.3"}, cancel("stop_primary")),
        (VANISHED, "filters_changed"),
        ("stop_primary 0.013 initial", *USUAL[1:]),
    ),
    Row(
        "margin type beside a position",
        ({"do": "margin_type", "margin_type": "CROSSED"},),
        (),
        refused=-4048,
    ),
    Row(
        "position mode beside a position",
        ({"do": "position_mode", "dual_side": "true"},),
        (),
        refused=-4068,
    ),
    Row(
        "the working entry is cancelled",
        (cancel("entry"),),
        (VANISHED,),
        (),
        "0",
        is_entering=True,
    ),
    Row(
        "the armed stop is cancelled",
        (cancel("stop_primary"),),
        (VANISHED,),
        (),
        "0",
        is_entering=True,
    ),
    Row(
        "a leverage that fits",
        ({"do": "leverage", "leverage": 7},),
        ("leverage_changed",),
        ("entry 0.013 -", "stop_primary 0.013 initial"),
        "0",
        is_entering=True,
    ),
    Row(
        "a leverage beyond the cap",
        ({"do": "leverage", "leverage": 50},),
        ("leverage_changed",),
        (),
        "0",
        is_entering=True,
    ),
    Row(
        "margin type beside an entry",
        ({"do": "margin_type", "margin_type": "CROSSED"},),
        (),
        ("entry 0.013 -", "stop_primary 0.013 initial"),
        "0",
        is_entering=True,
        refused=-4047,
    ),
    Row(
        "a position of the other side beside an entry",
        (market(CLOSE, "0.020"),),
        ("side_differs", "orphan_position"),
        (WIDE,),
        "-0.020",
        ONE_LOOK_MS,
        is_entering=True,
    ),
    Row(
        "a position of our side beside an entry",
        (market(OPEN, "0.020"),),
        ("orphan_position",),
        (WIDE,),
        "0.020",
        ONE_LOOK_MS,
        is_entering=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of it: the end, the drifts told after the hand, what rests, what is held."""

    end: End
    drifts: frozenset[str]
    rests: tuple[str, ...]
    holds: Decimal
    refused: tuple[int, ...]


def played(row: Row, name: str) -> Seen:
    """Play the life up to the end of the pause."""
    at_ms, until_ms = (
        (ENTERING_MS, ENTERING_UNTIL_MS) if row.is_entering else (HELD_MS, HELD_UNTIL_MS)
    )
    life = replace(scenario(name), until_ms=until_ms)
    start_ms = start_ms_of(life)
    more = [Moment(start_ms + at_ms, Hand(_meant(hand, name))) for hand in row.hands]
    facts: list[tuple[frozenset[str], tuple[str, ...], Decimal, tuple[int, ...]]] = []

    def examine(staged: Staged) -> None:
        venue = staged.world.venue
        events = ReadStore.beside(staged.world.store.desk).events(kinds=("drift",), limit=10_000)
        told = {str(e["reason"]) for e in events if int(str(e["at_ms"])) >= start_ms + at_ms}
        resting = [_resting(order, name) for order in venue.book.open.values()]
        resting += [_resting(order, name) for order in venue.algo.open.values()]
        held = sum((p.quantity for p in venue.house.account.positions.values()), Decimal(0))
        refused = [int(str(e["code"])) for e in venue.log_after(0) if e["kind"] == "hand_refused"]
        facts.append(
            (
                frozenset(told),
                tuple(sorted(resting)),
                held if name == LIVES[0] else -held,
                tuple(refused),
            )
        )

    end = play(life, more=more, examine=examine)
    return Seen(end, *facts[0])


def _meant(hand: Terms, name: str) -> Terms:
    """Return the hand with sides, levels and our name as they are in this life."""
    sides = ("buy", "sell") if name == LIVES[0] else ("sell", "buy")
    words = {
        "side": dict(zip((OPEN, CLOSE), sides, strict=True)),
        "trigger_price": LEVELS[name],
        "client_id": {"ours": f"{ours(name)}s007"},
    }
    return {key: words.get(key, {}).get(str(value), value) for key, value in hand.items()}


@cache
def ours(name: str) -> str:
    """Return what the client ids of a life begin with: prefix, decision, generation."""
    sent = next(call for call in roll(name, What.CALLS) if call[1].endswith("/algoOrder"))
    own = next(i for i in map(ClientOrderId.parse, re.split("[&=]", sent[2])) if i is not None)
    return str(own)[:11]


def _resting(order: Order | AlgoOrder, name: str) -> str:
    """Return an order in words: role (or web), quantity, level by its name."""
    own = ClientOrderId.parse(order.client_id)
    role = "web" if own is None else own.role.value
    quantity = "-" if order.close_position else plain(order.quantity)
    price = order.trigger_price if isinstance(order, AlgoOrder) else Decimal(0)
    if price == 0:
        return f"{role} {quantity} -"
    named = {Decimal(level): word for word, level in LEVELS[name].items()}
    near = min(named, key=lambda level: abs(level - price))
    return f"{role} {quantity} {named[near] if abs(near - price) < TICK else 'wide'}"


TICK = Decimal("0.3")


@pytest.mark.parametrize("life", LIVES, ids=["long", "short"])
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_what_another_hand_did_is_told_and_made_good(row: Row, life: str) -> None:
    """DESIGN 5, RULES G1, G2, B1, B2: the row says which event and which reaction."""
    seen = played(row, life)

    assert set(row.drifts) <= seen.drifts
    assert seen.rests == tuple(sorted(row.rests))
    assert seen.holds == Decimal(row.holds)
    assert seen.refused == (() if row.refused is None else (row.refused,))
    assert seen.end.naked_s * 1000 <= row.naked_ms
    assert seen.end.broken == ()
    assert [trade["exit_reason"] for trade in seen.end.trades] == (
        [] if row.trade is None else [row.trade]
    )


def test_nothing_is_told_where_nobody_did_anything() -> None:
    """An event that comes without a cause would be believed by nobody."""
    for life in LIVES:
        assert played(Row("nothing", (), ()), life).drifts == frozenset()


BY_HAND = {drift for row in ROWS for drift in row.drifts}
OTHERWISE = {
    "phantom_position": "flat without trades: c2_* lives, tests/spec/test_flat.py",
    "cover_loose": "a stop of a trailed position cancelled: below",
    "doubtful_order": "lists that forget: LIES in fates.py",
    "cover_in_doubt": "lists that forget for half a minute: tests/spec/test_evidence.py",
    "terms_differ": "the exchange shows other terms: tests/spec/test_drift.py",
    "unanswered": "replies lost: FATES in fates.py",
    "stream_differs": "a push that was not true: tests/spec",
    "stream_silent": "a stream that says nothing: tests/spec",
    "excess": "more executed than a decision may: an exchange that keeps no window, tests/spec",
    "zombie": "an order of an earlier life fires: g6_zombie_stop_fires_first",
    "margin_type_changed": "no order keeps the exchange from it: tests/spec/test_settings.py",
    "position_mode_changed": "flat only: tests/simulation/test_hedge_mode.py",
}
"""Drifts that no hand makes in these pauses, and where they are made."""


def test_every_kind_of_drift_is_made_somewhere() -> None:
    """A kind that nothing produces is a promise that nothing keeps."""
    assert BY_HAND | set(OTHERWISE) == set(DriftKind)
    assert BY_HAND.isdisjoint(OTHERWISE)


@pytest.mark.parametrize("life", LIVES, ids=["long", "short"])
def test_a_trailed_stop_that_somebody_cancels_is_laid_again_where_it_was(life: str) -> None:
    """RULES B2, DESIGN 5: the floor covers at once, the level in force comes back."""
    written = replace(scenario(life), until_ms=104_900)
    told: list[str] = []

    def examine(staged: Staged) -> None:
        events = ReadStore.beside(staged.world.store.desk).events(kinds=("drift",), limit=10_000)
        told.extend(str(e["reason"]) for e in events)

    more = [Moment(start_ms_of(written) + 94_000, Hand(cancel("stop_primary")))]
    end = play(written, more=more, examine=examine)

    assert {VANISHED, "cover_loose"} <= set(told)
    assert (end.naked_s, end.broken) == (0, ())
    levels = [order["trigger_price"] for order in end.orders if order["role"] == "stop_primary"]
    assert len([level for level in levels if level == end.levels[-1]["level"]]) == 2
