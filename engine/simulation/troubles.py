"""What goes wrong in a drawn world besides the market: deaths, broken requests, lies, other hands.

Every trouble takes its chance and the length of the world, and gives what happens when, in
milliseconds after the start. The last fifth is left in peace, so that the end can be judged.
"""

from __future__ import annotations

from random import Random

from engine.simulation.play import Calm, Fault, Hand, Happening, Kill

Happenings = list[tuple[int, Happening]]


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
    count = chance.randint(3, 14)
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
    "slow",
)
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
    return fault


def lies(chance: Random, length_ms: int) -> Happenings:
    """Draw lists that forget, lookups that find nothing, positions and trades that lag."""
    lasting_ms = _lasting_ms(length_ms)
    found: Happenings = [(lasting_ms, Calm())]
    for _ in range(chance.randint(0, 4)):
        kind = chance.choice(("list_forgets", "lookup_not_found", "position_lag", "fill_lag"))
        fault: dict[str, object] = {
            "kind": kind,
            "duration_s": chance.choice((2, 5, 15)),
            "probability": chance.choice((0.3, 1)),
        }
        if kind.endswith("_lag"):
            fault["lag_s"] = chance.choice((0.5, 2, 3))
        elif chance.random() < 0.5:
            fault["match"] = {"role": chance.choice(("entry", "stop_primary", "stop_floor", "tp1"))}
        found.append((chance.randrange(lasting_ms), Fault(fault)))
    return found


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
        found.append((chance.randrange(lasting_ms), Fault(fault)))
    return found


REFUSALS = (
    "stop_refused_once",
    "gte_refused",
    "child_rejected",
    "child_partial",
    "executed_late",
    "rate_limited",
)


def other_hands(chance: Random, length_ms: int) -> Happenings:
    """Draw somebody who cancels our orders, adds, cuts or closes."""
    found: Happenings = []
    for _ in range(chance.choice((0, 0, 1, 2))):
        hand: dict[str, object] = {"do": chance.choice(("cancel", "cancel", "market", "close"))}
        if hand["do"] == "cancel":
            roles = ("stop_primary", "stop_floor", "entry", "tp1", "tp2")
            hand["role"] = chance.choice(roles)
        if hand["do"] == "market":
            hand |= {"side": chance.choice(("buy", "sell")), "quantity": "0.002"}
        found.append((chance.randrange(_lasting_ms(length_ms)), Hand(hand)))
    return found


def lost_stores(chance: Random, length_ms: int) -> Happenings:
    """Draw a death that takes the store along."""
    return [
        (
            chance.randrange(_lasting_ms(length_ms)),
            Kill(dead_ms=chance.choice((0, 2_000)), lose_store=True),
        )
        for _ in range(chance.choice((0, 0, 0, 1)))
    ]


def everything(chance: Random, length_ms: int) -> Happenings:
    """Draw every trouble there is."""
    kinds = (broken_requests, lies, refusals, other_hands, lost_stores)
    return [happening for trouble in kinds for happening in trouble(chance, length_ms)]


def _lasting_ms(length_ms: int) -> int:
    return length_ms * 4 // 5
