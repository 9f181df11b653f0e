"""The gateway's questions to every request, in order; each names the rule when it says no.

Pure: a check sees the request and its grounds and returns None or why not. The planner has asked
the same things its own way; these are written apart from it on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from engine.domain.action import CancelOrder, Configure, PlaceOrder, Request
from engine.domain.identity import OrderRole
from engine.domain.order import OrderTerms
from engine.domain.position import HedgedSide, Life, Origin, PositionReport
from engine.domain.terms import Book, OrderType, Rights
from engine.domain.wide_stop import is_placeable
from engine.exchange.cover import Grounds, level_of, own_cover, quantity_to_cover, reaches

Check = Callable[[Request, Grounds], str | None]

_ADD_ONLY_CANCELS = (OrderRole.ENTRY, OrderRole.EMERGENCY)


def can_open(request: Request) -> bool:
    """Return whether executing the request could open or enlarge a position."""
    return isinstance(request, PlaceOrder) and request.terms.can_open


def within_rights(request: Request, grounds: Grounds) -> str | None:
    """Hold the request to what the lease permits (RULES G4)."""
    match grounds.condition.rights:
        case Rights.LEASED if grounds.situation.stands_down:
            return None if _is_add_only(request, grounds) else "second_writer: add-only (G4)"
        case Rights.LEASED:
            return None
        case Rights.NONE:
            return "lease: another keeper holds it (G4)"
        case Rights.ADD_ONLY:
            return None if _is_add_only(request, grounds) else "lease: add-only (G4)"


def _is_add_only(request: Request, grounds: Grounds) -> bool:
    match request:
        case PlaceOrder(terms=terms):
            return not terms.can_open and (terms.role.is_stop or terms.role is OrderRole.EMERGENCY)
        case CancelOrder(client_id=client_id, book=book):
            life = grounds.known.life
            is_closing = life is not None and life.closing is not None
            is_limit_target = client_id.role.is_target and book is Book.REGULAR
            return client_id.role in _ADD_ONLY_CANCELS or (is_closing and is_limit_target)
        case Configure():
            return False


def entries_allowed(request: Request, grounds: Grounds) -> str | None:
    """Block what can open while halted, or while nothing can be written down (RULES B6, G5)."""
    if not (can_open(request) or isinstance(request, Configure)):
        return None
    condition = grounds.condition
    if condition.halts:
        return f"halted: {condition.halts[0].code} (DESIGN 7)"
    if not condition.is_store_writable:
        return "store: not writable, no entries (G5)"
    return None


def rests_on_answers(request: Request, grounds: Grounds) -> str | None:
    """Let nothing but a stop leave on what was pushed alone (DESIGN section 2)."""
    if not grounds.observation.is_unasked:
        return None
    is_stop = isinstance(request, PlaceOrder) and request.terms.role.is_stop
    return None if is_stop else "pushed: only a stop leaves before anything was asked (DESIGN 2)"


def reduces_unless_entry(request: Request, _: Grounds) -> str | None:
    """Demand reduceOnly or closePosition of everything that is not an entry (RULES B3)."""
    if not isinstance(request, PlaceOrder):
        return None
    terms = request.terms
    if terms.role is OrderRole.ENTRY:
        return None if terms.can_open else "entry: a reduce-only entry makes no sense (B3)"
    if terms.can_open:
        return f"reduce_only: a {terms.role} order must not be able to open (B3)"
    return None


def fits_the_position_mode(request: Request, grounds: Grounds) -> str | None:
    """Hold an account in hedge mode to one stop that closes each held side (RULES H3)."""
    is_hedge = grounds.observation.is_hedge
    if isinstance(request, Configure):
        return "hedge: nothing is configured in hedge mode (H3)" if is_hedge else None
    if not isinstance(request, PlaceOrder):
        return None
    terms, side = request.terms, request.terms.position_side
    if side is None:
        return "hedge: only a stop that names its side leaves (H3)" if is_hedge else None
    is_stop = terms.type is OrderType.STOP_MARKET and terms.role is OrderRole.STOP_FLOOR
    sizes_itself = terms.close_position and terms.quantity is None and not terms.reduce_only
    if not (is_stop and sizes_itself and terms.side is side.closing):
        return f"hedge: {terms.client_id} is no closePosition stop of the {side} side (H3)"
    held, known = grounds.observation.hedged_on(side), grounds.known.hedged_side(side)
    if held is None or known is None or known.generation != terms.client_id.generation:
        return f"hedge: {side} is not seen held under this generation (H3)"
    return None


def fits_the_life(request: Request, grounds: Grounds) -> str | None:
    """Demand an order's generation and side to be those of the current life (RULES A5)."""
    if not isinstance(request, PlaceOrder) or request.terms.role is OrderRole.PROBE:
        return None
    if request.terms.position_side is not None:
        return None  # belongs to no life: fits_the_position_mode has judged it
    terms, life = request.terms, grounds.ledger.life
    if (beside := _beside(terms, grounds)) is not None:
        return _fits_beside(terms, beside, grounds)
    if life is None or terms.client_id.generation != life.generation:
        return f"generation: {terms.client_id} belongs to no current life (A5)"
    wanted = life.side.opening if terms.role is OrderRole.ENTRY else life.side.closing
    return None if terms.side is wanted else f"side: {terms.side} does not fit {life.side} (A5)"


def _beside(terms: OrderTerms, grounds: Grounds) -> HedgedSide | None:
    """Return what is held beside the life when the order is for that (RULES G1)."""
    beside = grounds.known.beside
    is_for_it = beside is not None and terms.client_id.generation == beside.generation
    return beside if is_for_it else None


def _fits_beside(terms: OrderTerms, beside: HedgedSide, grounds: Grounds) -> str | None:
    """Hold what is for somebody's position to one stop that closes it (RULES G1)."""
    is_stop = terms.type is OrderType.STOP_MARKET and terms.role is OrderRole.STOP_FLOOR
    if not (is_stop and terms.close_position and terms.side is beside.side.closing):
        return f"beside: {terms.client_id} is no closePosition stop of the {beside.side} (G1)"
    position = grounds.position
    if position is None or position.side is not beside.side:
        return f"beside: no {beside.side} is seen held (G1)"
    return None


def never_widens(request: Request, grounds: Grounds) -> str | None:
    """Refuse a stop that is wider than the level in force (RULES B2, F3).

    The floor is compared with the initial level only. Restoring the level in force is always
    allowed, even where a tighter proposal is still of unknown fate.
    """
    if not (isinstance(request, PlaceOrder) and request.terms.role.is_stop):
        return None
    trigger, planned = request.terms.trigger_price, grounds.ledger.life
    if trigger is None:
        return "never_widen: a stop without trigger (B2)"
    if request.terms.position_side is not None:
        side = request.terms.position_side
        hedged, held = grounds.known.hedged_side(side), grounds.observation.hedged_on(side)
        return _widens_aside(hedged, held, trigger, grounds)
    if (beside := _beside(request.terms, grounds)) is not None:
        return _widens_aside(beside, grounds.position, trigger, grounds)
    if planned is None:
        return None  # fits_the_life has refused it
    life, bound = _level_bound(grounds, planned)
    if request.terms.role is OrderRole.STOP_FLOOR:
        is_wider = life.side.is_tighter(life.initial_stop, trigger)
        return _widening(trigger, life.initial_stop) if is_wider else None
    if trigger == life.level_in_force and life.stop_level is not None:
        return None
    if bound is not None and life.side.is_tighter(bound, trigger):
        return _widening(trigger, bound)
    if life.side.is_tighter(life.initial_stop, trigger):
        return _widening(trigger, life.initial_stop)
    return None


def _widens_aside(
    known: HedgedSide | None, held: PositionReport | None, trigger: Decimal, grounds: Grounds
) -> str | None:
    """Hold a next stop to where the last one rested, while a stop there would rest (H3, G1)."""
    if known is None or known.level is None or held is None:
        return None
    if not is_placeable(known.side, known.level, held, grounds.observation):
        return None
    is_wider = known.side.is_tighter(known.level, trigger)
    return _widening(trigger, known.level) if is_wider else None


def _level_bound(grounds: Grounds, planned: Life) -> tuple[Life, Decimal | None]:
    """Return the life whose levels bind, as known before the plan, and the binding level."""
    known = grounds.known.life
    if known is None or known.generation != planned.generation:
        return planned, None
    if known.origin is Origin.ORPHAN and known.stop_level is None:
        return planned, None  # its level follows the mark until a stop rests (G1)
    return known, grounds.known.binding_level


def _widening(trigger: Decimal, bound: Decimal) -> str:
    return f"never_widen: {trigger} is wider than {bound} (B2)"


def entry_is_paired(request: Request, grounds: Grounds) -> str | None:
    """Demand the armed stop, the distance and the reward of an entry (RULES E1, E4, D1)."""
    if not (isinstance(request, PlaceOrder) and request.terms.role is OrderRole.ENTRY):
        return None
    terms, life = request.terms, grounds.known.life
    if life is None or life.generation != terms.client_id.generation:
        return "pair: the life was not known before this plan, so nothing is armed (E4)"
    if life.withdrawing is not None or life.closing is not None or life.closed_ms is not None:
        return "pair: the life is being withdrawn or closed (E5)"
    if terms.type is not OrderType.LIMIT or terms.price is None or terms.quantity is None:
        return "pair: an entry is a limit order with price and quantity (E4)"
    trigger, refusal = _armed_trigger(terms, life, grounds)
    if trigger is None:
        return refusal
    return _quantity_is_spent(terms, life, grounds) or _pair(terms.price, trigger, life, grounds)


def _armed_trigger(
    terms: OrderTerms, life: Life, grounds: Grounds
) -> tuple[Decimal | None, str | None]:
    if grounds.known.stop_while_flat is False:
        return life.initial_stop, None  # fallback mode: the stop follows the first fill (E9)
    others = quantity_to_cover(grounds, without=terms.client_id)
    if others is None or terms.quantity is None:
        return None, "pair: the position was not read (C3)"
    oldest_ms = grounds.observation.now_ms - grounds.limits.armed_age_max_ms
    armed = own_cover(grounds, life.side, life.generation)
    fact = grounds.observation.algo_orders
    is_fresh = fact is not None and fact.at_ms >= oldest_ms
    primaries = [cover for cover in armed if cover.quantity is not None]
    needed = terms.quantity + others
    if not is_fresh or not reaches(primaries, needed):
        return None, f"pair: no armed stop of {needed} is seen resting (E4)"
    return level_of(primaries, life.side, needed), None


def _quantity_is_spent(terms: OrderTerms, life: Life, grounds: Grounds) -> str | None:
    executed = sum((o.quantity_filled for o in grounds.known.of_life(OrderRole.ENTRY)), Decimal(0))
    pending = quantity_to_cover(grounds, without=terms.client_id)
    position = grounds.position
    if pending is None or position is None or terms.quantity is None:
        return "pair: the position was not read (C3)"
    total = executed + (pending - position.quantity) + terms.quantity
    if total > life.planned_quantity:
        return f"pair: {total} would exceed the decision's {life.planned_quantity} (D1)"
    return None


def _pair(price: Decimal, trigger: Decimal, life: Life, grounds: Grounds) -> str | None:
    risk = life.side.gain(trigger, price)
    least = price * grounds.limits.stop_distance_min_pct / 100
    if risk < least:
        return f"pair: {price} to stop {trigger} is nearer than {least} (E1)"
    if life.basis_price is None:
        return "pair: no price to measure the reward to (E1)"
    reward = life.side.gain(price, life.basis_price)
    if reward < grounds.limits.rr_minimum * risk:
        return f"pair: reward {reward} to risk {risk} is below {grounds.limits.rr_minimum} (E1)"
    return None


def has_an_intent(request: Request, grounds: Grounds) -> str | None:
    """Demand the order as written down, and for what can open demand that it is (RULES G5)."""
    if not isinstance(request, PlaceOrder):
        return None
    intended = grounds.ledger.order(request.terms.client_id)
    if intended is None:
        return "intent: an entry must be written down first (G5)" if can_open(request) else None
    if intended.terms != request.terms:
        return f"terms: {request.terms.client_id} was written down with other terms (B3)"
    return None


def configures_while_clean(request: Request, grounds: Grounds) -> str | None:
    """Refuse to touch leverage or margin type beside a position or an order (RULES E4)."""
    if not isinstance(request, Configure):
        return None
    position = grounds.position
    if position is None or not position.is_flat:
        return "configure: only while flat is observed (E4)"
    if any(order.may_rest for order in grounds.known.orders):
        return "configure: an own order may rest (E4)"
    return None


CHECKS: tuple[Check, ...] = (
    within_rights,
    entries_allowed,
    rests_on_answers,
    reduces_unless_entry,
    fits_the_position_mode,
    fits_the_life,
    never_widens,
    has_an_intent,
    entry_is_paired,
    configures_while_clean,
)
