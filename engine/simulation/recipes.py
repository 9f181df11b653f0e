"""How a fault comes to strike in a state of the life: step by step, each waiting for its state.

A rare state is brought about, and made to last: closing begins because an operator says so, and
goes on because the exchange takes none of it; sweeping follows from a close by another hand. A
fault that strikes one kind of request only is met by making the keeper send it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random

from engine.domain.condition import Command
from engine.domain.errors import StoreUnavailable
from engine.domain.terms import Phase
from engine.simulation.coverage import Cell
from engine.simulation.hedging import hedge_mode
from engine.simulation.play import Befall, Fault, Freeze, Hand, Happening, Kill, Step
from engine.simulation.troubles import (
    FREEZE,
    KILL,
    KILL_IN_STORE,
    LIES,
    OUTAGE,
    PUSHES,
    RAW_ANSWERS,
    REQUEST_FAULTS,
    RETURN,
    STORE_AWAY,
    STORE_FAILS,
    STORE_LOST,
    TAKEOVER,
)
from engine.simulation.world import World

FLATTEN = "flatten"
_What = tuple[tuple[int, Happening], ...]
_STOP = "stop_primary"


def recipe(fault: str, state: str, chance: Random) -> tuple[Step, ...]:
    """Return what has to come about, state by state, for a fault to strike in a state."""
    struck = _struck(fault, state, chance)
    if (before := _BEFORE.get((fault, state))) is not None:
        steps = list(before)
        is_last = bool(steps) and steps[-1].state == state
        last = steps.pop().what if is_last else ()
        return (*steps, Step(state, (*struck, *last)))
    if state == "closing":
        patience_ms = chance.choice((0, 3_000, 15_000))
        begun = Step("open", (_at_once(Befall(FLATTEN, flatten)), *_holding(chance)), patience_ms)
        return (begun, Step(state, struck))
    if state == "sweeping":
        return (_CLOSE, Step(state, struck))
    return (Step(state, struck),)


def _at_once(what: Happening) -> tuple[int, Happening]:
    return (0, what)


def _holding(chance: Random) -> _What:
    """Draw why the close that begins does not end at once."""
    kind = chance.choice(("error", "error", "reply_lost_before", "timeout_before", "fills_in_part"))
    fault: dict[str, object] = {"kind": kind, "match": {"role": "emergency"}}
    if kind == "fills_in_part":
        fault |= {"fraction": "0.2", "duration_s": 20}
    else:
        fault["times"] = chance.choice((1, 2, 3))
    if kind == "error":
        fault["code"] = chance.choice((-1001, -1008, -2022, -4131))
    return (_at_once(Fault(fault)),)


def _struck(fault: str, state: str, chance: Random) -> _What:
    """Return the fault itself, as it strikes when the state has come."""
    if fault.startswith("hand_"):
        return _hand(fault.removeprefix("hand_"), state, chance)
    dead_ms = chance.choice((0, 50, 2_000))
    is_after = chance.random() < 0.5
    match fault:
        case _ if fault == KILL:
            return (_at_once(Kill(dead_ms, call=0, is_after=is_after, at_once=True)),)
        case _ if fault == KILL_IN_STORE:
            call = chance.randrange(4)
            kill = Kill(dead_ms, call=call, is_after=is_after, is_statement=True, at_once=True)
            return (_at_once(kill),)
        case _ if fault == FREEZE:
            frozen_ms = chance.choice((500, 3_000, 10_000, 25_000))
            return (_at_once(Freeze(frozen_ms, chance.choice((0, 0, 2)), is_after=is_after)),)
        case _ if fault == TAKEOVER and state == Phase.CLOSING.value:
            # A lease runs longer than a close: only who died on the same host is followed at once.
            return (_at_once(Kill(60_000, call=0, is_after=is_after, at_once=True)),)
        case _ if fault == TAKEOVER:
            return (_at_once(Freeze(60_000, 0, is_after=is_after)),)
        case _ if fault == STORE_LOST:
            return (_at_once(Kill(dead_ms, lose_store=True, call=0, at_once=True)),)
        case _ if fault == STORE_FAILS:
            back_ms = chance.choice((500, 5_000))
            return (_at_once(OUTAGE), (back_ms, RETURN))
        case _ if fault == STORE_AWAY:
            kill = Kill(dead_ms, call=chance.choice((0, 2)), is_after=is_after, at_once=True)
            back_ms = dead_ms + chance.choice((500, 5_000, 20_000))
            return (_at_once(OUTAGE), _at_once(kill), (back_ms, RETURN))
        case _:
            return _venue_fault(fault, state, chance)


def _venue_fault(kind: str, state: str, chance: Random) -> _What:
    """Return a fault of the venue, and what makes it meet something."""
    fault: dict[str, object] = {"kind": kind}
    if kind in REQUEST_FAULTS or kind in ("raw_answer", "executed_late"):
        fault["times"] = chance.choice((1, 1, 2))
    if kind in LIES or kind in ("gte_lag", "close_lingers"):
        fault |= {"duration_s": {"flat": 9, "closing": 15}.get(state, 5)}
    if kind in PUSHES[2:]:
        fault |= {"duration_s": 10}
    if (terms := _TERMS.get(kind)) is not None:
        fault |= terms(chance)
    if kind.startswith("child_"):
        return (_at_once(Fault(fault)), _at_once(Befall("shove", shove)))
    if kind in PUSHES[2:]:
        # A word that comes for certain, whatever else is told in this state.
        return (_at_once(Fault(fault)), (1, Hand({"do": "transfer", "amount": "1"})))
    return (_at_once(Fault(fault)),)


_CODES = (-1001, -1006, -1021, -4028, -1000)
_TERMS: Mapping[str, Callable[[Random], dict[str, object]]] = {
    "slow": lambda _: {"delay_ms": 1_500},
    "error": lambda chance: {"code": chance.choice(_CODES)},
    "code_in_200": lambda chance: {"code": chance.choice(_CODES)},
    "raw_answer": lambda chance: {"answer": chance.choice(RAW_ANSWERS)},
    "stop_refused_once": lambda chance: {"code": chance.choice((-2022, -1000, -4045))},
    "cancel_not_found": lambda _: {"times": 1},
    "position_lag": lambda _: {"lag_s": 2},
    "fill_lag": lambda _: {"lag_s": 2},
    "gte_lag": lambda _: {"lag_s": 2},
    "close_lingers": lambda _: {"lag_s": 2},
    "fills_in_part": lambda _: {"fraction": "0.5", "duration_s": 60},
    "rate_limited": lambda chance: {"retry_after_s": chance.choice((1, 5))},
    "banned": lambda _: {"ban_s": 10},
    "clock_skew": lambda chance: {
        "skew_ms": chance.choice((-5_000, -700, 900, 20_000)),
        "duration_s": 5,
    },
}


_OWN_STOP_SIDE = {"arming": _STOP, "entering": "entry", "open": _STOP, "closing": _STOP}


def _hand(what: str, state: str, chance: Random) -> _What:
    match what:
        case "cancel":
            role = _OWN_STOP_SIDE.get(state)
            roles = (_STOP, "tp1", "tp2") if role is None else (role,)
            return tuple(_at_once(Hand({"do": "cancel", "role": one})) for one in roles)
        case "cancel_all" if state == "flat":
            return (_at_once(Hand(FAR_STOP)), (10, Hand({"do": "cancel_all"})))
        case "market":
            side = chance.choice(("buy", "sell"))
            return (_at_once(Hand({"do": "market", "side": side, "quantity": "0.002"})),)
        case "stop":
            return (_at_once(Hand(FAR_STOP)),)
        case "transfer":
            return (_at_once(Hand({"do": "transfer", "amount": chance.choice(("100", "-50"))})),)
        case "leverage":
            return (_at_once(Hand({"do": "leverage", "leverage": 20})),)
        case "position_mode":
            return hedge_mode(chance)
        case _:
            return (_at_once(Hand({"do": what})),)


FAR_STOP = {"do": "stop", "side": "buy", "trigger": "900000", "quantity": "0.002"}
"""Far away, in the way of nothing, and not ours to touch."""


def flatten(world: World, at_ms: int) -> bool:
    """Let an operator say flatten."""
    dies_in, world.statements.dies_in = world.statements.dies_in, None  # another process writes
    try:
        world.record.add_command(Command.FLATTEN, by="trial", why="drawn", at_ms=at_ms)
    except StoreUnavailable:
        return False
    finally:
        world.statements.dies_in = dies_in
    return True


def shove(world: World, at_ms: int) -> bool:
    """Let the price go through the nearest stop that rests, until the next price comes."""
    venue = world.venue
    last = venue.house.market.last
    ours = [
        one for one in venue.algo.open.values() if "STOP" in one.type and "TAKE" not in one.type
    ]
    near = [one for one in ours if abs(one.trigger_price - last) < last / 5]
    if not near:
        return False
    stop = min(near, key=lambda one: abs(one.trigger_price - last))
    beyond = stop.trigger_price * (1 + Decimal(stop.sign) / 2_000)
    price = beyond.quantize(Decimal("0.1"))
    venue.set_price(price, at_ms, mark=price)
    return True


def _lasting(role: str, times: int = 2) -> tuple[int, Happening]:
    """Return what keeps an order of a role from being accepted."""
    return _at_once(
        Fault(
            {"kind": "reply_lost_before", "match": {"role": role, "verb": "POST"}, "times": times}
        )
    )


def _unanswered(role: str) -> tuple[int, Happening]:
    """Return what leaves the fate of an order of a role unknown."""
    return _at_once(Fault({"kind": "reply_lost_after", "match": {"role": role, "verb": "POST"}}))


def _hidden(role: str, kind: str = "list_forgets", seconds: int = 3) -> tuple[int, Happening]:
    return _at_once(Fault({"kind": kind, "match": {"role": role}, "duration_s": seconds}))


def _cancelled(role: str) -> tuple[int, Happening]:
    return _at_once(Hand({"do": "cancel", "role": role}))


_CLOSE = Step("open", (_at_once(Hand({"do": "close"})),), 2_000)
_FLATTEN = _at_once(Befall(FLATTEN, flatten))
_REFUSED = _at_once(
    Fault({"kind": "error", "code": -1008, "match": {"role": "emergency"}, "times": 3})
)
_IN_PART = _at_once(
    Fault(
        {
            "kind": "fills_in_part",
            "match": {"role": "emergency"},
            "fraction": "0.2",
            "duration_s": 20,
        }
    )
)
_RESERVED = _at_once(
    Fault(
        {
            "kind": "error",
            "code": -2022,
            "match": {"role": "emergency", "path": "/order"},
            "times": 4,
        }
    )
)
# What makes way for a close that the exchange calls reserved needs a position, and sizes itself.
_MAKING_WAY = (Step("open", (_FLATTEN, _RESERVED), 2_000), Step("closing", ()))
_CLOSING = Step("open", (_FLATTEN, _REFUSED), 2_000)
_UNARMED = (_lasting("entry"), _hidden(_STOP), _hidden(_STOP, "lookup_not_found"))
_BEFORE: Mapping[Cell, Sequence[Step]] = {
    # An order of this role must be asked for, or about, while the state lasts.
    ("stop_refused_once", "arming"): (
        Step("flat", (_unanswered(_STOP),)),
        Step("arming", _UNARMED),
    ),
    ("stop_refused_once", "entering"): (Step("entering", (_cancelled(_STOP),)),),
    ("stop_refused_once", "open"): (Step("open", (_cancelled(_STOP),)),),
    ("stop_refused_once", "closing"): (_CLOSING, Step("closing", (_cancelled(_STOP),))),
    ("stop_refused_once", "sweeping"): (
        Step(
            "open",
            (
                _at_once(Fault({"kind": "position_lag", "lag_s": 3, "duration_s": 4})),
                _at_once(Hand({"do": "close"})),
                _cancelled(_STOP),
            ),
            2_000,
        ),
    ),
    ("gte_refused", "open"): (Step("open", (_cancelled("stop_floor"),), 2_000),),
    ("gte_refused", "closing"): _MAKING_WAY,
    ("gte_lag", "open"): (Step("open", (_cancelled("stop_floor"),), 1_000),),
    ("gte_lag", "closing"): _MAKING_WAY,
    ("close_lingers", "open"): (Step("open", (_cancelled("stop_floor"),), 2_000),),
    ("close_lingers", "closing"): _MAKING_WAY,
    ("cancel_not_found", "arming"): (
        Step("flat", (_unanswered(_STOP),)),
        Step("arming", (_lasting("entry", 4), _hidden(_STOP, "list_forgets", 1))),
    ),
    ("cancel_not_found", "entering"): (Step("entering", (_FLATTEN,)),),
    ("cancel_not_found", "open"): (
        Step("open", (_hidden(_STOP), _hidden(_STOP, "lookup_not_found", 2)), 2_000),
    ),
    ("cancel_not_found", "closing"): (Step("open", (_FLATTEN, _IN_PART), 2_000),),
    ("cancel_not_found", "flat"): (
        _CLOSE,
        Step("sweeping", (_at_once(Fault({"kind": "lookup_not_found", "duration_s": 9})),)),
    ),
    ("lookup_not_found", "flat"): (_CLOSE, Step("sweeping", ())),
    ("lookup_not_found", "arming"): (Step("arming", (_lasting("entry"), _hidden(_STOP))),),
    ("lookup_not_found", "entering"): (Step("entering", (_hidden("entry"),)),),
    ("lookup_not_found", "open"): (Step("open", (_hidden(_STOP),), 2_000),),
    ("lookup_not_found", "closing"): (_CLOSING, Step("closing", (_hidden(_STOP),))),
    ("lookup_not_found", "sweeping"): (
        _CLOSE,
        Step(
            "sweeping",
            (_at_once(Fault({"kind": "error", "match": {"verb": "DELETE"}, "times": 3})),),
        ),
    ),
    ("list_forgets", "flat"): (Step("flat", (_at_once(Hand(FAR_STOP)),)),),
    ("fill_lag", "flat"): (
        # Nothing is left to sweep: what ended the life is asked for while flat.
        Step(
            "open", (_at_once(Hand({"do": "cancel_all"})), _at_once(Hand({"do": "close"}))), 2_000
        ),
    ),
    ("fill_lag", "arming"): (Step("arming", (_lasting("entry"),)),),
    ("fills_in_part", "flat"): (
        Step("flat", (_at_once(Hand({"do": "market", "side": "buy", "quantity": "0.002"})),)),
    ),
    ("fills_in_part", "sweeping"): (
        _CLOSE,
        Step("sweeping", (_at_once(Hand({"do": "market", "side": "buy", "quantity": "0.002"})),)),
    ),
}
