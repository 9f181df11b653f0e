"""The stop-while-flat probe: does this account take a reduce-only stop without a position?

Only asked for by name, only while flat with empty books, under a role of its own, 3 % away, the
smallest quantity, cancelled at once (RULES E9). Whoever probes is the one writer for that moment:
it takes the lease, sends through the gateway, writes down what was found and its date, and gives
the lease back. Beside a keeper that holds the lease nothing is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal

from engine.config import Settings, account_of
from engine.domain.action import CancelOrder, Outcome, PlaceOrder, Request
from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.errors import LeaseHeld, StoreUnavailable
from engine.domain.identity import NUMBER_MAX, ClientOrderId, OrderRole
from engine.domain.instrument import Instrument
from engine.domain.ledger import Ledger
from engine.domain.numbers import ceil_to
from engine.domain.observation import Fact, MarkQuote, Observation, Question, Topic
from engine.domain.order import OrderTerms
from engine.domain.position import PositionReport
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, Book, Fate, OrderSide, OrderType, Rights, WorkingPrice
from engine.exchange.gateway import Gateway
from engine.exchange.port import Answer, Exchange
from engine.leasehold import Leasehold
from engine.reconcile.outcomes import learned_while_flat
from engine.store.store import Store

PATIENCE_MS = 5_000
AWAY = Decimal("0.97")
_TOPICS = (Topic.POSITION, Topic.OPEN_ORDERS, Topic.OPEN_ALGO_ORDERS, Topic.INSTRUMENT)


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found: accepted, refused, or None for not known, and in which words."""

    accepted: bool | None
    detail: str


def probe(exchange: Exchange, settings: Settings, api_key: str) -> Probed:
    """Try it once under the lease, take it back, and keep what was found."""
    try:
        account = account_of(api_key)
        store = Store.open(settings.store.url, account=account, symbol=settings.symbol)
    except StoreUnavailable as error:
        return Probed(None, f"not probed: no lease without the store: {error.text}")
    with closing(store):
        lease = Leasehold(store, lambda _: None, ttl_ms=int(settings.store.lease_s * 1000))
        try:
            lease.take(exchange.now_ms, waits=False)
        except LeaseHeld as held:
            lease.release(exchange.now_ms())
            return Probed(None, f"not probed: a keeper is running: {held}")
        try:
            return _under_lease(exchange, settings, store, lease)
        finally:
            lease.release(exchange.now_ms())


def _under_lease(exchange: Exchange, settings: Settings, store: Store, lease: Leasehold) -> Probed:
    tenure = lease.renew(exchange.now_ms())
    if tenure.rights is not Rights.LEASED:
        return Probed(None, "not probed: the lease could not be kept")
    gateway = Gateway(exchange, patience_ms=PATIENCE_MS)
    ledger = store.recall()
    seen = _look(gateway, exchange.now_ms())
    if isinstance(seen, str):
        return Probed(None, f"not probed: {seen}")
    observation, instrument, mark = seen
    condition = Condition(epoch=tenure.epoch, lease_until_ms=tenure.until_ms)
    situation = Situation(Inbox(), ledger, observation, condition, settings.limits())
    # Ids need to be new among open orders only; the second of the day is new enough.
    number = observation.now_ms // 1000 % NUMBER_MAX
    client_id = ClientOrderId("000000", 0, OrderRole.PROBE, number)
    outcome = _send(gateway, situation, _place(client_id, instrument, mark))
    _keep(store, ledger, outcome)
    if outcome.fate is Fate.REJECTED:
        return Probed(accepted=False, detail=f"refused: {outcome.code} {outcome.text}")
    if outcome.fate is Fate.NOT_SENT:
        return Probed(None, f"not probed: {outcome.text}")
    cancel = CancelOrder(client_id, Book.ALGO, ActionClass.RECONCILE, "probe", "probe_over")
    gone = _send(gateway, situation, cancel)
    if outcome.fate is not Fate.ACCEPTED:
        return Probed(None, f"fate {outcome.fate.value}: {outcome.text}")
    if gone.fate is not Fate.ACCEPTED:
        # The next keeper sweeps it: an own order that nothing needs (RULES G6).
        return Probed(accepted=True, detail=f"accepted; {client_id} may still rest: {gone.text}")
    return Probed(accepted=True, detail="accepted just now, and cancelled")


def _look(gateway: Gateway, now_ms: int) -> tuple[Observation, Instrument, MarkQuote] | str:
    """Return what the probe must know of a flat account with empty books, or why it is left."""
    topics = (*_TOPICS, Topic.MARK_PRICE)
    answers: Sequence[Answer] = gateway.ask([Question(topic) for topic in topics], PATIENCE_MS)
    position, orders, algo_orders, instrument, mark = (answer.value for answer in answers)
    if not isinstance(position, PositionReport):
        return "the position could not be read"
    if not isinstance(orders, tuple) or not isinstance(algo_orders, tuple):
        return "the orders could not be read"
    if not position.is_flat or orders or algo_orders:
        return "there is a position or an order"
    if not isinstance(instrument, Instrument) or not isinstance(mark, MarkQuote):
        return "filters or mark price could not be read"
    at_ms = min(answer.at_ms for answer in answers)
    observation = Observation(
        now_ms,
        position=Fact(position, at_ms),
        orders=Fact((), at_ms),
        algo_orders=Fact((), at_ms),
    )
    return observation, instrument, mark


def _place(client_id: ClientOrderId, instrument: Instrument, mark: MarkQuote) -> PlaceOrder:
    terms = OrderTerms(
        client_id=client_id,
        side=OrderSide.SELL,
        type=OrderType.STOP_MARKET,
        quantity=ceil_to(instrument.tradable_min, instrument.step_size),
        trigger_price=instrument.floor_price(mark.mark * AWAY),
        working_price=WorkingPrice.LAST,
        reduce_only=True,
    )
    return PlaceOrder(terms, ActionClass.RECONCILE, "probe", "stop_while_flat")


def _send(gateway: Gateway, situation: Situation, request: Request) -> Outcome:
    return gateway.perform([request], situation, situation.ledger, PATIENCE_MS)[0]


def _keep(store: Store, ledger: Ledger, outcome: Outcome) -> None:
    """Write down what was found, with the date of this look even where it was known before."""
    found = learned_while_flat(replace(ledger, stop_while_flat=None), outcome)
    if found.stop_while_flat is None:
        return
    store.record_outcomes(outcome.at_ms, ledger, found, ())
    word = "accepted" if found.stop_while_flat else f"refused: {outcome.code} {outcome.text}"
    store.note(outcome.at_ms, "answered", "stop_while_flat", f"probe: {word}")
