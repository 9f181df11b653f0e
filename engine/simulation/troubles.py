"""What goes wrong in a drawn world besides the market: deaths, broken requests, lies, other hands.

Every trouble takes its chance and the length of the world, and gives what happens when, in
milliseconds after the start. The last fifth is left in peace, so that the end can be judged.
"""

from __future__ import annotations

from random import Random

from engine.simulation.play import Befall, Calm, Fault, Freeze, Hand, Happening, Kill
from engine.simulation.rivals import Standby
from engine.simulation.world import World

Happenings = list[tuple[int, Happening]]

KILL, KILL_IN_STORE = "kill", "kill_in_store"
STORE_FAILS, STORE_LOST, STORE_AWAY = "store_fails", "store_lost", "store_away"
FREEZE, TAKEOVER = "freeze", "standby_takeover"
"""What goes wrong beside the exchange, as the campaign counts it: deaths, the second between two
statements of the store; a store that takes nothing, is lost, takes nothing at a start."""

STORES = (KILL_IN_STORE, STORE_FAILS, STORE_LOST, STORE_AWAY)
"""Not beside a standby: the two share one store."""


def kills_between_ticks(chance: Random, length_ms: int) -> Happenings:
    """Draw a death now and then, between two ticks, the store surviving."""
    return [
        (chance.randrange(length_ms), Kill(dead_ms=chance.choice((0, 0, 50, 2_000, 30_000))))
        for _ in range(chance.choice((0, 0, 1, 2)))
    ]


def broken_requests(chance: Random, length_ms: int) -> Happenings:
    """Draw broken requests, and deaths at any call, in the first four fifths of the time."""
    lasting_ms = _lasting_ms(length_ms)
    found: Happenings = [(lasting_ms, Calm())]
    count = chance.randint(2, 10)
    found += [(chance.randrange(lasting_ms), Fault(_fault(chance))) for _ in range(count)]
    for _ in range(chance.choice((0, 1, 2, 3))):
        kill = Kill(
            dead_ms=chance.choice((0, 0, 50, 2_000, 30_000)),
            call=chance.randrange(12),
            is_after=chance.random() < 0.5,
        )
        found.append((chance.randrange(lasting_ms), kill))
    return found


REQUEST_FAULTS = (
    "reply_lost_before",
    "reply_lost_after",
    "timeout_before",
    "timeout_after",
    "refused_connection",
    "http_503_unknown",
    "http_503_unavailable",
    "http_503_internal",
    "throttled",
    "garbage_body",
    "code_in_200",
    "error",
    "slow",
)
ERRORS = (-1000, -1001, -1006, -1007, -1008, -1021, -2010, -2013, -2019, -4028, -5021)
"""One of each class: broken inside, unknown, overloaded, clock, refused, a code nobody knows."""

_MATCHES: tuple[dict[str, str], ...] = (
    {},
    {"verb": "POST"},
    {"verb": "POST", "path": "algoOrder"},
    {"verb": "POST", "path": "/order"},
    {"verb": "DELETE"},
    {"verb": "GET"},
    {"role": "entry"},
    {"role": "stop_primary"},
    {"role": "stop_floor"},
    {"role": "tp1"},
)


def _fault(chance: Random) -> dict[str, object]:
    fault: dict[str, object] = {
        "kind": chance.choice(REQUEST_FAULTS),
        "match": chance.choice(_MATCHES),
        "times": chance.choice((1, 1, 2, 5)),
    }
    if fault["kind"] == "slow":
        fault["delay_ms"] = chance.choice((300, 1_500, 4_000))
    if fault["kind"] in ("error", "code_in_200"):
        fault["code"] = chance.choice(ERRORS)
    return fault


def lies(chance: Random, length_ms: int) -> Happenings:
    """Draw lists that forget, lookups that find nothing, positions and trades that lag."""
    lasting_ms = _lasting_ms(length_ms)
    found: Happenings = [(lasting_ms, Calm())]
    for _ in range(chance.randint(0, 4)):
        kind = chance.choice(LIES)
        fault: dict[str, object] = {
            "kind": kind,
            "duration_s": chance.choice((2, 5, 9)),
            "probability": chance.choice((0.3, 1)),
        }
        if kind.endswith("_lag"):
            fault["lag_s"] = chance.choice((0.5, 2, 3))
        elif chance.random() < 0.5:
            fault["match"] = {"role": chance.choice(("entry", "stop_primary", "stop_floor", "tp1"))}
        found.append((chance.randrange(lasting_ms), Fault(fault)))
    return found


LIES = (
    "list_forgets",
    "lookup_not_found",
    "position_lag",
    "fill_lag",
    "cancel_not_found",
)


def refusals(chance: Random, length_ms: int) -> Happenings:
    """Draw stops refused, children that fail, requests executed late, and pauses imposed."""
    lasting_ms = _lasting_ms(length_ms)
    found: Happenings = [(lasting_ms, Calm())]
    for _ in range(chance.randint(0, 4)):
        fault: dict[str, object] = {
            "kind": chance.choice(REFUSALS),
            "times": chance.choice((1, 1, 3)),
        }
        if fault["kind"] == "stop_refused_once":
            fault["code"] = chance.choice((-2022, -1000, -4045, -2021))
        if fault["kind"] == "rate_limited":
            fault |= {"retry_after_s": chance.choice((1, 5)), "times": 1}
        if fault["kind"] == "banned":
            fault |= {"ban_s": chance.choice((10, 30)), "times": 1}
        found.append((chance.randrange(lasting_ms), Fault(fault)))
    return found


REFUSALS = (
    "stop_refused_once",
    "gte_refused",
    "child_rejected",
    "child_partial",
    "executed_late",
    "rate_limited",
    "banned",
)


LAGS = ("gte_lag", "close_lingers", "fills_in_part")


def other_hands(chance: Random, length_ms: int) -> Happenings:
    """Draw somebody who cancels our orders, has his own, adds, cuts, closes or moves money."""
    found: Happenings = []
    for _ in range(chance.choice((0, 0, 1, 2))):
        found.append((chance.randrange(_lasting_ms(length_ms)), Hand(_hand(chance))))
    return found


def _hand(chance: Random) -> dict[str, object]:
    match chance.choice(HANDS):
        case "cancel":
            roles = ("stop_primary", "stop_floor", "entry", "tp1", "tp2")
            return {"do": "cancel", "role": chance.choice(roles)}
        case "market":
            return {"do": "market", "side": chance.choice(("buy", "sell")), "quantity": "0.002"}
        case "stop":
            # Far away, in the way of nothing, and not ours to touch.
            return {"do": "stop", "side": "buy", "trigger": "900000", "quantity": "0.002"}
        case "transfer":
            return {"do": "transfer", "amount": chance.choice(("100", "-50"))}
        case "leverage":
            return {"do": "leverage", "leverage": chance.choice((2, 7, 20))}
        case what:
            return {"do": what}


HANDS = (
    *("cancel",) * 4,
    *("market", "stop") * 2,
    "close",
    "cancel_all",
    "transfer",
    "leverage",
    "liquidation",
    "adl",
)


def pushes(chance: Random, length_ms: int) -> Happenings:
    """Draw what becomes of the user stream: silent, torn, doubled, late or out of order."""
    lasting_ms = _lasting_ms(length_ms)
    found: Happenings = [(lasting_ms, Calm())]
    for _ in range(chance.choice((0, 1, 2))):
        fault: dict[str, object] = {"kind": chance.choice(PUSHES)}
        if fault["kind"] in PUSHES[:2]:
            fault["times"] = 1
        else:
            fault |= {"duration_s": chance.choice((5, 30)), "probability": chance.choice((0.5, 1))}
        if fault["kind"] == "delay_pushes":
            fault["delay_ms"] = chance.choice((200, 3_000))
        found.append((chance.randrange(lasting_ms), Fault(fault)))
    return found


PUSHES = (
    "listen_key_expires",
    "sockets_close",
    "stream_silent",
    "drop_pushes",
    "duplicate_pushes",
    "reorder_pushes",
    "delay_pushes",
)


def clocks(chance: Random, length_ms: int) -> Happenings:
    """Draw an exchange clock that steps away and back, or drifts in small steps."""
    if chance.random() < 0.6:
        return []
    at_ms = chance.randrange(_lasting_ms(length_ms))
    if chance.random() < 0.5:
        skew_ms = chance.choice((-5_000, -700, 300, 900, 1_500, 20_000))
        step = {"kind": "clock_skew", "skew_ms": skew_ms, "duration_s": chance.choice((5, 60))}
        return [(at_ms, Fault(step))]
    sign = chance.choice((-1, 1))
    return [
        (at_ms + n * SECOND_MS, Fault({"kind": "clock_skew", "skew_ms": sign * n * 15}))
        for n in range(1, 21)
    ]


def failing_stores(chance: Random, length_ms: int) -> Happenings:
    """Draw a store that takes nothing for a while."""
    if chance.random() < 0.75:
        return []
    lasting_ms = _lasting_ms(length_ms)
    at_ms = chance.randrange(lasting_ms)
    back_ms = min(at_ms + chance.choice((500, 5_000, 30_000)), lasting_ms)
    return [(at_ms, OUTAGE), (back_ms, RETURN)]


def store_fails(world: World, _: int) -> bool:
    """Let the store refuse every write from now on, unless somebody is about to die on it."""
    if world.keeper is None or world.mortality.dies_in is not None:
        return False
    if not world.store.desk.place.is_memory:
        return False  # its connection is given up, and the next one is told nothing
    return _query_only(world, "ON")


def store_returns(world: World, _: int) -> bool:
    """Let the store take writes again."""
    return _query_only(world, "OFF")


def _query_only(world: World, value: str) -> bool:
    wire = world.store.desk.database.raw_connection()
    try:
        wire.cursor().execute(f"PRAGMA query_only={value}")
    finally:
        wire.close()
    return True


def takes_nothing(world: World) -> bool:
    """Return whether the store refuses every write."""
    wire = world.store.desk.database.raw_connection()
    try:
        (value,) = wire.cursor().execute("PRAGMA query_only").fetchone()
    finally:
        wire.close()
    return bool(value)


OUTAGE, RETURN = Befall(STORE_FAILS, store_fails), Befall("store_returns", store_returns)


def lost_stores(chance: Random, length_ms: int) -> Happenings:
    """Draw a death that takes the store along."""
    return [
        (
            chance.randrange(_lasting_ms(length_ms)),
            Kill(dead_ms=chance.choice((0, 2_000)), lose_store=True),
        )
        for _ in range(chance.choice((0, 0, 0, 1)))
    ]


FREEZES_MS = (500, 3_000, 10_000, 20_000, 25_000, 60_000)
"""Shorter than the lease lasts, about as long, as long as a takeover waits, and far longer."""


def freezes(chance: Random, length_ms: int, others: Happenings) -> tuple[Standby, Happenings]:
    """Draw a keeper that is stopped in the middle of a call and wakes, mostly beside a standby.

    Not in worlds whose store fails or is lost (``others``): the two share it.
    """
    is_store_safe = not any(
        isinstance(what, Befall) or (isinstance(what, Kill) and what.lose_store)
        for _, what in others
    )
    if not is_store_safe or chance.random() >= 0.5:
        return Standby.NOWHERE, []
    where = (Standby.NOWHERE, Standby.SAME_HOST, *(Standby.OTHER_HOST,) * 2)
    found: Happenings = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        is_sending = chance.random() < 0.6
        freeze = Freeze(
            chance.choice(FREEZES_MS),
            chance.randrange(3 if is_sending else 12),
            is_after=chance.random() < 0.5,
            is_sending=is_sending,
        )
        found.append((chance.randrange(_lasting_ms(length_ms)), freeze))
    return chance.choice(where), found


def faults(chance: Random, length_ms: int) -> Happenings:
    """Draw what any exchange does to its clients: requests broken, pushes lost, pauses, deaths."""
    kinds = (broken_requests, pushes)
    return [happening for trouble in kinds for happening in trouble(chance, length_ms)]


def rarer_requests(chance: Random, length_ms: int) -> Happenings:
    """Draw answers that are no HTTP, too many orders (-1015), and deaths between two statements."""
    lasting_ms = _lasting_ms(length_ms)
    found: Happenings = []
    for _ in range(chance.choice((0, 0, 1, 2))):
        fault: dict[str, object] = {"kind": "raw_answer", "answer": chance.choice(RAW_ANSWERS)}
        fault["match"] = chance.choice(_MATCHES)
        if chance.random() < 0.5:  # orders are counted where they are placed
            fault = {"kind": "error", "code": -1015, "match": chance.choice(_MATCHES[1:4])}
        fault["times"] = chance.choice((1, 1, 3))
        found.append((chance.randrange(lasting_ms), Fault(fault)))
    if chance.random() < 0.08:
        kill = Kill(
            dead_ms=chance.choice((0, 50, 2_000)),
            call=chance.randrange(40),
            is_after=chance.random() < 0.5,
            is_statement=True,
        )
        found.append((chance.randrange(lasting_ms), kill))
    return found


RAW_ANSWERS = ("", "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok", "no status line at all")
"""What comes instead of HTTP: nothing, a status nobody expects, no status at all."""


def rarer_refusals(chance: Random, length_ms: int) -> Happenings:
    """Draw what rarer words of the exchange there are: -4509, -4130, orders executed in part."""
    found: Happenings = []
    for _ in range(chance.choice((0, 0, 1))):
        kind = chance.choice(LAGS)
        fault: dict[str, object] = {"kind": kind, "duration_s": chance.choice((10, 60))}
        if kind == "fills_in_part":
            fault["fraction"] = chance.choice(("0.3", "0.7"))
        else:
            fault["lag_s"] = chance.choice((1, 3))
        found.append((chance.randrange(_lasting_ms(length_ms)), Fault(fault)))
    return found


def everything(chance: Random, length_ms: int) -> Happenings:
    """Draw every trouble there is."""
    kinds = (broken_requests, lies, refusals, other_hands, lost_stores, pushes, clocks)
    found = [happening for trouble in kinds for happening in trouble(chance, length_ms)]
    outage = failing_stores(chance, length_ms)
    if not outage:
        return found
    # Who dies beside a store that takes nothing starts on no store at all: another matter.
    from_ms, until_ms = outage[0][0] - DYING_MS, outage[-1][0] + RETURN_MS
    is_death = [isinstance(what, Kill) and from_ms < at_ms < until_ms for at_ms, what in found]
    kept = [one for one, dies in zip(found, is_death, strict=True) if not dies]
    return [*kept, *outage]


DYING_MS = 60_000
"""A death at a call may take so long until that call is made."""

RETURN_MS = 15_000
"""So long after its return a store may still be taken for gone: it is tried ever more rarely."""

SECOND_MS = 1_000


def _lasting_ms(length_ms: int) -> int:
    return length_ms * 4 // 5


BROKEN = (KILL, KILL_IN_STORE, *REQUEST_FAULTS, "raw_answer", *PUSHES)
"""Every kind that ``faults`` draws."""

EVERYTHING = (
    *BROKEN,
    *LIES,
    *REFUSALS,
    *LAGS,
    "clock_skew",
    STORE_AWAY,
    STORE_FAILS,
    STORE_LOST,
    FREEZE,
    TAKEOVER,
    *(f"hand_{what}" for what in sorted({*HANDS, "position_mode"})),
)
"""Every kind that ``everything`` draws."""
