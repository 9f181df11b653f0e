"""Trouble that lies in wait for a state: so that every kind of fault meets every state by design.

Pairs of fault and state are dealt out to the worlds in turn, so that a campaign meets all of them
about equally often; those of ``impossible.toml`` are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random

from engine.simulation.coverage import Cell, impossible
from engine.simulation.play import Ambush, Happening
from engine.simulation.recipes import recipe
from engine.simulation.troubles import PUSHES, STORES, TAKEOVER
from engine.simulation.whereabouts import STATES

AMBUSHES = 2
"""So many lie in wait in one world."""


@dataclass(frozen=True, slots=True)
class Lying:
    """What lies in wait in one world, and how its exchange must behave for that."""

    happenings: tuple[tuple[int, Happening], ...] = ()
    switches: Mapping[str, str] = field(default_factory=dict)
    pairs: tuple[Cell, ...] = ()


@cache
def wanted(faults: tuple[str, ...]) -> tuple[Cell, ...]:
    """Return every pair these faults can make with a state, in an order of no meaning."""
    cannot = impossible()
    pairs = [(fault, state) for fault in sorted(faults) for state in STATES]
    pairs = [pair for pair in pairs if pair not in cannot]
    Random("ambush").shuffle(pairs)
    return tuple(pairs)


def ambushes(
    faults: tuple[str, ...],
    seed: int,
    chance: Random,
    lasting_ms: int,
    *,
    streams: bool,
    stands_by: bool,
) -> Lying:
    """Draw what lies in wait in the world of ``seed``.

    Without a stream no push can be met; beside a standby the store is safe, without one nobody
    takes over.
    """
    cannot = set() if streams else set(PUSHES)
    cannot |= set(STORES) if stands_by else {TAKEOVER}
    pairs = [pair for pair in wanted(faults) if pair[0] not in cannot]
    if stands_by:
        pairs += [pair for pair in pairs if pair[0] == TAKEOVER] * 2  # few worlds have a standby
    if not pairs:
        return Lying()
    chosen = [pairs[(seed * AMBUSHES + n) % len(pairs)] for n in range(AMBUSHES)]
    found: list[tuple[int, Happening]] = []
    switches: dict[str, str] = {}
    for fault, state in chosen:
        from_ms = chance.randrange(lasting_ms // 3)
        found.append((from_ms, Ambush(recipe(fault, state, chance))))
        switches |= _NEEDED.get((fault, state), {})
    return Lying(tuple(found), switches, tuple(chosen))


_NEEDED: Mapping[Cell, Mapping[str, str]] = {
    # A price that falls through the armed stop fills the entry above it first, or else this.
    ("child_rejected", "entering"): {"same_point_order": "triggers_first"},
    ("child_partial", "entering"): {"same_point_order": "triggers_first"},
}
