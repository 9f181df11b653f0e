"""The stop-while-flat probe: does this account take a reduce-only stop without a position?

Only asked for by name, only while flat with empty books, under a role of its own, 3 % away, the
smallest quantity, cancelled at once (RULES E9).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.config import Settings
from engine.domain.action import CancelOrder, Outcome, PlaceOrder, Request
from engine.domain.identity import NUMBER_MAX, ClientOrderId, OrderRole
from engine.domain.instrument import Instrument
from engine.domain.numbers import ceil_to
from engine.domain.observation import MarkQuote, Question, Topic
from engine.domain.order import OrderTerms
from engine.domain.position import PositionReport
from engine.domain.terms import ActionClass, Book, Fate, OrderSide, OrderType, WorkingPrice
from engine.exchange.port import Exchange, Permit

PATIENCE_MS = 5_000
AWAY = Decimal("0.97")
_TOPICS = (Topic.POSITION, Topic.OPEN_ALGO_ORDERS, Topic.INSTRUMENT, Topic.MARK_PRICE)


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found: accepted, refused, or None for not known, and in which words."""

    accepted: bool | None
    detail: str


def probe(exchange: Exchange, settings: Settings) -> Probed:
    """Try it once and take it back."""
    answers = exchange.ask([Question(topic) for topic in _TOPICS], PATIENCE_MS)
    position, orders, instrument, mark = (answer.value for answer in answers)
    if not isinstance(position, PositionReport) or not isinstance(orders, tuple):
        return Probed(None, "not probed: position or orders could not be read")
    if not position.is_flat or orders:
        return Probed(None, "not probed: there is a position or a conditional order")
    if not isinstance(instrument, Instrument) or not isinstance(mark, MarkQuote):
        return Probed(None, "not probed: filters or mark price could not be read")
    now_ms = exchange.now_ms()
    # Ids need to be new among open orders only; the second of the day is new enough.
    client_id = ClientOrderId("000000", 0, OrderRole.PROBE, now_ms // 1000 % NUMBER_MAX)
    trigger = instrument.floor_price(mark.mark * AWAY)
    smallest = ceil_to(instrument.tradable_min, instrument.step_size)
    outcome = _send(exchange, settings, _place(client_id, trigger, smallest))
    if outcome.fate is Fate.REJECTED:
        return Probed(accepted=False, detail=f"refused: {outcome.code} {outcome.text}")
    cancel = CancelOrder(
        client_id, Book.ALGO, ActionClass.RECONCILE, "probe", "probe_over", proven_by=None
    )
    gone = _send(exchange, settings, cancel)
    if outcome.fate is not Fate.ACCEPTED:
        return Probed(None, f"fate {outcome.fate.value}: {outcome.text}")
    if gone.fate is not Fate.ACCEPTED:
        return Probed(accepted=True, detail=f"accepted; cancel {client_id} by hand: {gone.text}")
    return Probed(accepted=True, detail="accepted just now, and cancelled")


def _place(client_id: ClientOrderId, trigger: Decimal, quantity: Decimal) -> PlaceOrder:
    terms = OrderTerms(
        client_id=client_id,
        side=OrderSide.SELL,
        type=OrderType.STOP_MARKET,
        quantity=quantity,
        trigger_price=trigger,
        working_price=WorkingPrice.LAST,
        reduce_only=True,
    )
    return PlaceOrder(terms, ActionClass.RECONCILE, "probe", "stop_while_flat")


def _send(exchange: Exchange, settings: Settings, request: Request) -> Outcome:
    window_ms = settings.limits().recv_window_open_ms
    return exchange.send([Permit(request, exchange.now_ms(), window_ms)], PATIENCE_MS)[0]
