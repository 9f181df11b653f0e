"""Hypothesis strategies made from the builders: prices on the tick, decisions, lives, events."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from engine.domain.decision import Decision
from engine.domain.identity import NUMBER_MAX, ClientOrderId, OrderRole
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.plan.entry_zone import EntryTerms
from tests.builders import (
    CANCELLED,
    NOW,
    UNKNOWN,
    WORKING,
    a_decision,
    a_filled_entry,
    a_floor,
    a_life,
    a_situation,
    a_stop,
    a_tp1,
    a_tp2,
    an_entry,
    d,
    on,
)

sides = st.sampled_from(Side)
ticks = st.sampled_from([d("0.01"), d("0.10"), d("0.5"), d(1)])


def prices(low: int = 90_000, high: int = 93_000) -> st.SearchStrategy[Decimal]:
    """Return prices on a tick of 0.10."""
    return st.integers(low * 10, high * 10).map(lambda tenths: Decimal(tenths) / 10)


client_ids = st.builds(
    ClientOrderId,
    decision_hash=st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=6, max_size=6),
    generation=st.integers(0, NUMBER_MAX),
    role=st.sampled_from(OrderRole),
    revision=st.integers(0, NUMBER_MAX),
)


@st.composite
def entry_terms(draw: st.DrawFn) -> EntryTerms:
    """Return zones, stops and targets of either side, near each other, fees now and then."""
    side = draw(sides)
    low = draw(st.integers(9_000_000, 9_100_000))
    width = draw(st.integers(0, 30_000))
    risk = draw(st.integers(1, 60_000))
    reward = draw(st.integers(40_000, 400_000))
    zone_low, zone_high = Decimal(low) / 100, Decimal(low + width) / 100
    near, far = (zone_low, zone_high) if side is Side.LONG else (zone_high, zone_low)
    has_fees = draw(st.booleans())
    return EntryTerms(
        side=side,
        zone_low=zone_low,
        zone_high=zone_high,
        stop_loss=near - side.sign * Decimal(risk) / 100,
        basis_price=far + side.sign * Decimal(reward) / 100,
        stop_distance=d("0.0035"),
        rr_minimum=draw(st.sampled_from([d("1.5"), d(2), d(3)])),
        fee_in=d("0.0002") if has_fees else d(0),
        fee_out=d("0.0005") if has_fees else d(0),
    )


@st.composite
def situations(draw: st.DrawFn, side: Side | None = None) -> Situation:
    """Return consistent situations around one life, in every phase but arming a new one."""
    of = side or draw(sides)
    quantity = draw(st.sampled_from(["0", "0.004", "0.007", "0.013", "0.020"]))
    level = on(of, draw(st.sampled_from([90_380, 90_500, 90_600])))
    is_open = quantity != "0"
    entry = draw(
        st.sampled_from(
            [
                a_filled_entry(side=of, price=on(of, "90743.3")),
                an_entry(side=of, price=on(of, "90743.3"), filled="0.004"),
                an_entry(side=of, price=on(of, "90743.3"), filled="0.004", status=CANCELLED),
                an_entry(side=of, price=on(of, "90743.3"), status=UNKNOWN),
            ]
        )
    )
    stops = [
        a_stop(
            on(of, draw(st.sampled_from([90_380, 90_500, 90_600]))),
            draw(st.sampled_from(["0.004", "0.013", "0.020"])),
            side=of,
            revision=number,
            status=draw(st.sampled_from([WORKING, WORKING, UNKNOWN, CANCELLED])),
            doubtful_since_ms=draw(st.sampled_from([None, None, None, NOW - 900])),
        )
        for number in range(1, draw(st.integers(1, 4)))
    ]
    rest = [a_floor(on(of, 90_380), side=of)] if is_open and draw(st.booleans()) else []
    if is_open and draw(st.booleans()):
        rest += [a_tp1(on(of, 91_600), side=of), a_tp2(on(of, 92_900), side=of)]
    is_done = is_open and draw(st.booleans())
    life = a_life(
        quantity,
        side=of,
        stop_level=level,
        tp1_done_ms=NOW - 5_000 if is_done else None,
        is_trailing_enabled=False,
        withdrawing=draw(st.sampled_from([None, None, "price_left"])),
        best_price=on(of, 91_700),
    )
    offered = draw(st.sampled_from([None, "same", "opposite"]))
    decision: Decision | None = None
    if offered is not None:
        wanted = of if offered == "same" else of.opposite
        decision = a_decision(wanted, id="newer1", made_ms=NOW - 3_000)
    price = on(of, draw(prices(90_300, 91_500)))
    return a_situation(life, (entry, *stops, *rest), decision=decision, price=price)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens between two ticks."""

    kind: str
    number: int


events = st.lists(
    st.builds(
        Event,
        kind=st.sampled_from(
            ["move"] * 5 + ["jump", "hand", "strip", "lose", "lose", "forget", "decide", "wait"]
        ),
        number=st.integers(-40, 60),
    ),
    min_size=5,
    max_size=40,
)
