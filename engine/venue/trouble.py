"""Trouble from a seed: faults at random moments, for a venue nobody writes a list for.

The same seed gives the same faults at the same moments. Each ends by itself, after a few strikes or
a while, so that a client may recover before the next; liquidation and deleveraging are rare.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from engine.venue.faults import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

MINUTE_MS = 60_000
RARE = frozenset({"liquidation", "adl"})
RARELY = 50
"""How many times less often a rare kind is drawn than any other."""

CODES = (-1000, -1001, -1006, -1007, -1008, -1021, -2011, -2013, -2019, -2021, -2022, -4131)
"""What the fault "error" answers: refusals and doubts a client must tell apart (section 6.3)."""

RAW = ("", "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok", "no status line at all")
"""What "raw_answer" sends: nothing, a status nobody expects, no HTTP."""

LONGEST_S = 30


def drawn_faults(seed: int, per_minute: Decimal) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield faults without end: milliseconds from the beginning, and what to arm."""
    chance = random.Random(f"trouble {seed}")
    kinds = list(KINDS)
    weights = [1 if kind in RARE else RARELY for kind in kinds]
    at_ms = 0
    while True:
        at_ms += max(1, int(chance.expovariate(float(per_minute)) * MINUTE_MS))
        kind = chance.choices(kinds, weights)[0]
        yield at_ms, _terms(kind, chance)


def _terms(kind: str, chance: random.Random) -> dict[str, object]:
    """Return one fault of the kind: it strikes a few times, or lasts for a while."""
    terms: dict[str, object] = {"kind": kind}
    scope, times = KINDS[kind]
    if times is None:
        terms["duration_s"] = chance.randint(1, LONGEST_S)
    elif scope != "now":
        terms["times"] = chance.choice((1, 1, 1, 2, 3))
        terms["duration_s"] = LONGEST_S
    match kind:
        case "error" | "code_in_200":
            terms["code"] = chance.choice(CODES)
        case "banned":
            terms["ban_s"] = chance.randint(5, LONGEST_S)
        case "raw_answer":
            terms["answer"] = chance.choice(RAW)
        case "clock_skew":
            terms["skew_ms"] = chance.choice((-1, 1)) * chance.randint(500, 8_000)
        case "executed_late" | "slow" | "delay_pushes":
            terms["delay_ms"] = chance.randint(200, 4_000)
        case "position_lag" | "fill_lag" | "gte_lag" | "close_lingers":
            terms["lag_s"] = chance.randint(1, 3)
        case _:
            pass
    return terms
