"""Ledgers to keep: a plain one made by hand, and arbitrary ones drawn by Hypothesis."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from engine.domain.action import Plan
from engine.domain.condition import Condition
from engine.domain.decision import Inbox
from engine.domain.identity import NUMBER_MAX, ClientOrderId, OrderRole
from engine.domain.ledger import Ledger, PastLife
from engine.domain.limits import Limits
from engine.domain.observation import Fact, MarkQuote, Observation
from engine.domain.order import Fill, Order, OrderStatus, OrderTerms
from engine.domain.position import LevelState, Life, Origin, StopLevel
from engine.domain.situation import Situation
from engine.domain.terms import ActionClass, OrderSide, OrderType, Side

HASH = "7f3aq2"


def d(text: str) -> Decimal:
    return Decimal(text)


def a_life(side: Side = Side.LONG, level: str | None = "90380", **changes: Any) -> Life:
    values: dict[str, Any] = {
        "generation": 1,
        "decision_id": HASH,
        "decision_made_ms": 900,
        "origin": Origin.DECISION,
        "side": side,
        "armed_ms": 1_000,
        "planned_quantity": d("0.013"),
        "limit_price": d("90743.3"),
        "initial_stop": d(level or "90380"),
        "stop_level": None if level is None else d(level),
        "quantity": d("0.013"),
        "entry_price": d("90743.3"),
        "opened_ms": 1_100,
    }
    return Life(**(values | changes))


def a_stop(
    trigger: str,
    revision: int = 1,
    *,
    role: OrderRole = OrderRole.STOP_PRIMARY,
    status: OrderStatus = OrderStatus.INTENDED,
    side: Side = Side.LONG,
) -> Order:
    terms = OrderTerms(
        ClientOrderId(HASH, 1, role, revision),
        side.closing,
        OrderType.STOP_MARKET,
        quantity=d("0.013"),
        trigger_price=d(trigger),
        reduce_only=True,
    )
    return Order(terms, status, "trail", ActionClass.PROTECT, 1_000, 6_000)


def an_entry(revision: int = 1) -> Order:
    terms = OrderTerms(
        ClientOrderId(HASH, 1, OrderRole.ENTRY, revision),
        OrderSide.BUY,
        OrderType.LIMIT,
        quantity=d("0.013"),
        price=d("90743.3"),
    )
    return Order(terms, OrderStatus.INTENDED, "enter", ActionClass.ENTER, 1_000, 3_000)


def a_level(
    level: str,
    revision: int = 1,
    state: LevelState = LevelState.PROPOSED,
    side: Side = Side.LONG,
) -> StopLevel:
    settled_ms = None if state is LevelState.PROPOSED else 1_050
    return StopLevel(1, revision, side, d(level), "trail", state, 1_000, settled_ms)


def a_fill(number: int = 1, **changes: Any) -> Fill:
    values: dict[str, Any] = {
        "fill_id": str(number),
        "exchange_order_id": "77",
        "client_id": str(an_entry().id),
        "side": OrderSide.BUY,
        "price": d("90743.3"),
        "quantity": d("0.013"),
        "commission": d("0.2359"),
        "commission_asset": "USDT",
        "realized_pnl": d("0"),
        "is_maker": True,
        "at_ms": 1_100 + number,
    }
    return Fill(**(values | changes))


def an_open_ledger(side: Side = Side.LONG, level: str = "90380") -> Ledger:
    """A covered position whose stop rests at ``level``."""
    return Ledger(
        generation=1,
        life=a_life(side, level),
        orders=(a_stop(level, status=OrderStatus.WORKING, side=side),),
        levels=(a_level(level, state=LevelState.CONFIRMED, side=side),),
        fills=(a_fill(),),
        position_quantity=d("0.013") * side.sign,
    )


def a_situation(ledger: Ledger, now_ms: int = 2_000, **condition: Any) -> Situation:
    mark = MarkQuote(d("91120.4"), d("91121"), d("0.0001"), 28_800_000)
    observation = Observation(now_ms, mark=Fact(mark, now_ms))
    return Situation(Inbox(), ledger, observation, Condition(**condition), Limits())


# arbitrary ledgers

exact = st.builds(
    lambda digits, places, sign: Decimal((sign, tuple(map(int, str(digits))), -places)),
    st.integers(0, 10**15 - 1),
    st.integers(0, 8),
    st.integers(0, 1),
).map(lambda value: abs(value) if value == 0 else value)
positive = exact.map(abs)
moments = st.integers(0, 4_102_444_800_000)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
hashes = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=6, max_size=6)
ids = st.builds(
    ClientOrderId,
    hashes,
    st.integers(0, NUMBER_MAX),
    st.sampled_from(OrderRole),
    st.integers(0, NUMBER_MAX),
)


def arbitrary(hint: Any) -> st.SearchStrategy[Any]:
    """Return values of a field's declared type."""
    if isinstance(hint, UnionType):
        return st.one_of(*(arbitrary(arg) for arg in get_args(hint)))
    if hint is type(None):
        return st.none()
    if hint is bool:
        return st.booleans()
    if hint is int:
        return moments
    if hint is str:
        return texts
    if hint is Decimal:
        return exact
    if hint is ClientOrderId:
        return ids
    if get_origin(hint) is tuple:
        return st.lists(arbitrary(get_args(hint)[0]), max_size=3).map(tuple)
    if hint is Side or hint is OrderRole or hasattr(hint, "__members__"):
        return st.sampled_from(hint)
    return an_arbitrary(hint)


def an_arbitrary(made: type, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values of a dataclass, every field drawn by its type unless ``fixed``."""
    hints = get_type_hints(made)
    parts = {
        f.name: fixed[f.name] if f.name in fixed else arbitrary(hints[f.name]) for f in fields(made)
    }
    return st.builds(made, **parts)


small = st.integers(0, 2**31 - 1)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """A life whose level in force no trigger has reason to refuse."""
    life: Life = draw(an_arbitrary(Life, stop_level=st.none(), leverage=small))
    return life


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """A ledger with everything the store must bring back; levels only tighten."""
    life = draw(st.none() | lives())
    orders = draw(st.lists(an_arbitrary(Order, code=small), max_size=4, unique_by=_order_id))
    fills = draw(st.lists(an_arbitrary(Fill), max_size=4, unique_by=lambda f: f.fill_id))
    a_past = an_arbitrary(PastLife, generation=st.integers(1, 20))  # near enough to be recalled
    past = draw(st.lists(a_past, max_size=3, unique_by=lambda p: p.generation))
    levels = () if life is None else draw(_levels(life))
    ledger: Ledger = draw(
        an_arbitrary(
            Ledger,
            generation=st.integers(20, 30),
            life=st.just(life),
            orders=st.just(tuple(orders)),
            fills=st.just(tuple(fills)),
            levels=st.just(levels),
            past=st.just(tuple(sorted(past, key=lambda p: p.generation))),
        )
    )
    return ledger


def _order_id(order: Order) -> str:
    return str(order.id)


@st.composite
def _levels(draw: st.DrawFn, life: Life) -> tuple[StopLevel, ...]:
    prices = draw(st.lists(positive, max_size=4, unique=True))
    prices.sort(reverse=life.side is Side.SHORT)
    return tuple(
        draw(
            an_arbitrary(
                StopLevel,
                generation=st.just(life.generation),
                revision=st.just(revision),
                side=st.just(life.side),
                level=st.just(price),
            )
        )
        for revision, price in enumerate(prices, 1)
    )


def plan_for(ledger: Ledger) -> Plan:
    return Plan(ledger)
