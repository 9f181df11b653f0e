"""Laws of the pure functions: order of lists, mirror images, identity, the effective zone."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from engine.domain.action import Action, CancelOrder, PlaceOrder, Proof
from engine.domain.identity import ClientOrderId
from engine.domain.limits import Limits
from engine.domain.numbers import ceil_to, floor_to
from engine.domain.observation import Fact, Observation
from engine.domain.situation import Situation
from engine.domain.terms import Side
from engine.plan.entry_zone import EntryTerms, effective_zone, reward_covers_risk, stop_for
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import (
    LONG,
    MIRROR,
    SHORT,
    a_foreign_stop,
    a_stop,
    an_instrument,
    d,
    report_of,
    seen,
)
from tests.strategies import client_ids, entry_terms, prices, sides, situations, ticks

BTC = an_instrument()


@given(client_ids)
def test_ids_round_trip(own_id: ClientOrderId) -> None:
    """RULES G3: letters and digits only, fixed width, read back whole."""
    text = str(own_id)

    assert ClientOrderId.parse(text) == own_id
    assert len(text) == 15
    assert text.isalnum()


@given(client_ids, client_ids)
def test_ids_never_collide(one: ClientOrderId, other: ClientOrderId) -> None:
    """RULES G3: a repeated id executes again."""
    assert (str(one) == str(other)) is (one == other)


@given(st.text(max_size=20))
def test_no_text_parses_as_another_id(text: str) -> None:
    """Lesson 36: what parses is spelled exactly so, or it is foreign."""
    own_id = ClientOrderId.parse(text)

    assert own_id is None or str(own_id) == text


@given(prices(1, 200_000), ticks)
def test_rounding_stays_on_the_grid_and_on_its_side(price: Decimal, tick: Decimal) -> None:
    """RULES E2, lesson 41: never by more than a tick, never to the wrong side."""
    low, high = floor_to(price, tick), ceil_to(price, tick)

    assert low <= price <= high
    assert high - low in (0, tick)
    assert low % tick == 0


@given(entry_terms(), ticks)
def test_ok_is_monotone_so_the_allowed_prices_are_an_interval(
    terms: EntryTerms, tick: Decimal
) -> None:
    """RULES E1: rounding of the stop included, both sides, fees included."""
    grid = an_instrument(tick_size=tick)
    start = grid.floor_price(terms.zone_low)
    # From the target side toward the stop: once allowed, allowed ever after.
    steps = [start + n * tick * 7 for n in range(60)]
    toward_stop = list(reversed(steps)) if terms.side is LONG else steps
    verdicts = [
        reward_covers_risk(terms, price, stop_for(terms, grid, price)) for price in toward_stop
    ]

    assert verdicts == sorted(verdicts)


@given(entry_terms(), ticks)
def test_the_effective_zone_is_exact_at_both_ends(terms: EntryTerms, tick: Decimal) -> None:
    """RULES E1: inside the decision's zone, allowed at its ends, refused one tick beyond."""
    grid = an_instrument(tick_size=tick)
    zone = effective_zone(terms, grid)
    assume(zone is not None)
    assert zone is not None
    sign = terms.side.sign
    far = zone.high if sign > 0 else zone.low
    beyond = far + sign * tick

    assert terms.zone_low <= zone.low <= zone.first_price <= zone.high <= terms.zone_high
    for price in (zone.low, zone.first_price, zone.high):
        assert price % tick == 0
        assert reward_covers_risk(terms, price, stop_for(terms, grid, price))
    is_outside = not terms.zone_low <= beyond <= terms.zone_high
    assert is_outside or not reward_covers_risk(terms, beyond, stop_for(terms, grid, beyond))


@given(entry_terms())
def test_the_stop_keeps_its_least_distance(terms: EntryTerms) -> None:
    """RULES E1: at least 0.35 % from every allowed price, and never tighter than decided."""
    zone = effective_zone(terms, BTC)
    assume(zone is not None)
    assert zone is not None
    for price in (zone.low, zone.high):
        stop = stop_for(terms, BTC, price)
        given_stop = BTC.price_toward_less_risk(terms.side, terms.stop_loss)

        assert terms.side.gain(stop, price) >= price * terms.stop_distance
        assert not terms.side.is_tighter(stop, given_stop)


@given(situations(), st.randoms(use_true_random=False))
def test_the_order_of_lists_changes_nothing(situation: Situation, chance: Any) -> None:
    """DESIGN section 2: the same facts, the same plan, byte for byte."""
    look = situation.observation
    shuffled = _shuffled(look, chance)

    plans = []
    for seen_as in (look, shuffled):
        ledger, _ = reconcile(situation.ledger, seen_as, Limits())
        plans.append(make_plan(replace(situation, ledger=ledger, observation=look)))

    assert plans[0] == plans[1]


def _shuffled(look: Observation, chance: Any) -> Observation:
    changed: dict[str, Any] = {}
    for name in ("orders", "algo_orders"):
        fact = getattr(look, name)
        listed = list(fact.value)
        chance.shuffle(listed)
        changed[name] = Fact(tuple(listed), fact.at_ms)
    words = list(look.lookups)
    chance.shuffle(words)
    return replace(look, lookups=tuple(words), **changed)


@given(situations())
def test_foreign_orders_appear_in_no_plan(situation: Situation) -> None:
    """Lesson 36, DESIGN section 5: reported, never touched."""
    listed = situation.observation.open_reports or ()
    look = seen(situation.ledger, reports=[*listed, a_foreign_stop()])
    look = replace(look, candles=situation.observation.candles, mark=situation.observation.mark)

    plan = make_plan(replace(situation, observation=look))

    for action in plan.actions:
        name = _name(action)
        assert name is None or ClientOrderId.parse(name) is not None


@given(situations())
def test_every_proposed_cancel_of_a_stop_has_its_proof(situation: Situation) -> None:
    """RULES F2: an own stop at least as tight for the full quantity, flat, or E5's proof."""
    plan = make_plan(situation)

    leaving = {a.client_id for a in plan.actions if isinstance(a, CancelOrder)}
    for action in plan.actions:
        if not isinstance(action, CancelOrder) or not action.client_id.role.is_stop:
            continue
        assert action.proof is not Proof.NOT_A_STOP
        if action.proof is Proof.TIGHTER_RESTS:
            _judge_keeper(situation, action, leaving)
        elif action.proof is Proof.ENTRY_NEVER_FILLED:
            assert situation.life.quantity == 0


def _judge_keeper(situation: Situation, action: CancelOrder, leaving: set[ClientOrderId]) -> None:
    assert action.proven_by is not None
    assert action.proven_by not in leaving
    keeper, gone = (situation.ledger.order(i) for i in (action.proven_by, action.client_id))
    assert keeper is not None
    assert gone is not None
    assert keeper.is_confirmed_resting
    assert keeper.terms.quantity is not None
    assert keeper.terms.quantity >= situation.quantity_to_cover
    assert keeper.terms.trigger_price is not None
    assert gone.terms.trigger_price is not None
    side = situation.life.side
    assert not side.is_tighter(gone.terms.trigger_price, keeper.terms.trigger_price)


@given(situations())
def test_no_placed_stop_is_wider_than_the_level_in_force(situation: Situation) -> None:
    """RULES B2: neither restoring nor moving; only the floor stays where it began."""
    plan, life = make_plan(situation), situation.life

    for action in plan.actions:
        if isinstance(action, PlaceOrder) and action.terms.role.letter == "s":
            assert action.terms.trigger_price is not None
            assert not life.side.is_tighter(life.level_in_force, action.terms.trigger_price)


@given(situations())
def test_entry_and_armed_stop_never_leave_in_one_plan(situation: Situation) -> None:
    """RULES E5: two steps."""
    plan = make_plan(situation)
    cancels = [a for a in plan.actions if isinstance(a, CancelOrder)]

    takes_entry = any(a.client_id.role.letter == "e" for a in cancels)
    disarms = any(a.proof is Proof.ENTRY_NEVER_FILLED for a in cancels)
    assert not (takes_entry and disarms)


@given(situations(side=LONG))
def test_mirrored_situations_give_mirrored_plans(situation: Situation) -> None:
    """Style 3.6: one rule for both sides; the mirror image is where the bug would be.

    Breakeven is left to its own table: a percentage of price is not mirrored by a reflection.
    """
    assume(situation.life.tp1_done_ms is None)
    mirrored = mirror(situation)

    plan, reflected = make_plan(situation), make_plan(mirrored)

    assert [mirror(a) for a in plan.actions] == list(reflected.actions)
    assert [h.reason for h in plan.holds] == [h.reason for h in reflected.holds]


PRICES = frozenset(
    {
        "price", "trigger_price", "entry_price", "limit_price", "initial_stop", "stop_level",
        "tp1_price", "tp2_price", "basis_price", "best_price", "worst_price", "stop_loss", "tp1",
        "tp2", "level", "mark", "index", "mark_price", "open", "close",
    }
)  # fmt: skip
SWAPPED = {
    "zone_low": "zone_high", "zone_high": "zone_low", "low": "high", "high": "low",
    "bid": "ask", "ask": "bid",
}  # fmt: skip


def mirror(value: Any, name: str = "") -> Any:
    """Return the mirror image of a value: sides swapped, prices reflected."""
    if isinstance(value, Decimal):
        return MIRROR - value if name in PRICES or name in SWAPPED else _turned(value, name)
    if isinstance(value, Side):
        return value.opposite
    if type(value).__name__ == "OrderSide":
        return value.opposite
    if type(value).__name__ == "Decided":
        return type(value)({"long": "short", "short": "long"}.get(value.value, value.value))
    if isinstance(value, Limits | ClientOrderId) or type(value).__name__ == "Instrument":
        return value
    if isinstance(value, tuple):
        return tuple(mirror(item) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        made = {}
        for f in fields(value):
            source = SWAPPED.get(f.name, f.name)
            if not hasattr(value, source):
                source = f.name
            made[f.name] = mirror(getattr(value, source), f.name)
        return type(value)(**made)
    return value


def _turned(value: Decimal, name: str) -> Decimal:
    return -value if name == "position_quantity" else value


@given(situations())
def test_the_mirror_of_the_mirror_is_the_same(situation: Situation) -> None:
    """The mirror itself is honest."""
    assert mirror(mirror(situation)) == situation


@given(sides, prices(), prices())
def test_tighter_and_wider_are_each_others_opposite(side: Side, a: Decimal, b: Decimal) -> None:
    """Style 3.6."""
    assert {side.tighter(a, b), side.wider(a, b)} == {a, b}
    assert side.is_tighter(a, b) is (a != b and side.tighter(a, b) == a)
    assert side.gain(a, b) == -side.opposite.gain(a, b)


def _name(action: Action) -> str | None:
    if isinstance(action, PlaceOrder):
        return str(action.terms.client_id)
    return str(action.client_id) if isinstance(action, CancelOrder) else None


def test_the_mirror_swaps_sides() -> None:
    """A plain example beside the law."""
    report = mirror(report_of(a_stop()))

    assert (report.side, report.trigger_price) == (SHORT.closing, d(91_620))
