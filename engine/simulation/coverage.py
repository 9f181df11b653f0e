"""Which kind of fault struck in which state of a life, and which of these pairs cannot be.

A pair that cannot be stands in ``impossible.toml`` with its reason; when it is met all the same,
the reason is wrong, and the campaign fails. A fault strikes where the venue's log says so: at a
request in the state it found, or in ``closing`` when it was to close; another hand only where it
moved something.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from engine.read.documents import Document
from engine.simulation.whereabouts import STATES, States, Whereabouts, is_close_request

Entry = Mapping[str, object]
Cell = tuple[str, str]
CLOSING = "closing"
_MOVES = frozenset({"cancel", "cancel_all", "close", "liquidation", "adl"})
"""Hands that are in vain where nothing rests or is held."""

_MOVED = frozenset({"order", "liquidation", "adl"})


@cache
def impossible() -> Mapping[Cell, str]:
    """Return the pairs of fault and state that cannot be, each with its reason."""
    text = (Path(__file__).parent / "impossible.toml").read_text(encoding="utf-8")
    return {
        (fault, state): row["why"]
        for row in tomllib.loads(text).get("impossible", [])
        for fault in row["faults"]
        for state in row["states"]
    }


def cells(
    entries: Iterable[Entry], states: States, others: Iterable[tuple[str, int]]
) -> Counter[Cell]:
    """Return how often each fault struck in each state.

    ``others`` are those no log of a venue knows, each with its moment: deaths, stores.
    """
    found: Counter[Cell] = Counter()
    here, found_ms, before = Whereabouts(), 0, Whereabouts().state
    before_it: Entry | None = None
    for entry in entries:
        at_ms = int(str(entry["at_ms"]))
        if at_ms != found_ms:  # a moment begins: this is what everything in it finds
            found_ms, before = at_ms, here.at(at_ms)
        if before_it is not None and _came_to_pass(before_it, entry):
            found[f"hand_{before_it['do']}", here.at(at_ms)] += 1
        before_it = entry if entry["kind"] == "hand" else None
        here.take(entry)
        kind = entry["kind"]
        if kind == "request" and entry.get("fault"):
            state = CLOSING if is_close_request(entry) else before
            found[str(entry["fault"]), state] += 1
        elif kind == "strike":
            found[str(entry["fault"]), here.at(at_ms)] += 1
        elif kind == "skew":
            found["clock_skew", here.at(at_ms)] += 1
    found.update((name, states.before(at_ms)) for name, at_ms in others)
    return found


def _came_to_pass(hand: Entry, following: Entry) -> bool:
    """Return whether a hand moved anything, by the entry after its own, of the same moment."""
    if hand["do"] in _MOVES:
        return following["kind"] in _MOVED and following["at_ms"] == hand["at_ms"]
    return following["kind"] != "hand_refused"


def document(hits: Mapping[Cell, int], faults: Iterable[str], seen: Iterable[str]) -> Document:
    """Return the coverage of a campaign that draws these faults and saw these states.

    ``empty`` are the pairs still to be met, ``contradicted`` those that cannot be and were.
    """
    cannot, known = impossible(), set(seen)
    wanted = [(fault, state) for fault in sorted(faults) for state in STATES]
    return {
        "states": [state for state in STATES if state in known],
        "cells": [
            {"fault": fault, "state": state, "count": count}
            for (fault, state), count in sorted(hits.items())
        ],
        "empty": [
            {"fault": fault, "state": state}
            for fault, state in wanted
            if not hits.get((fault, state)) and (fault, state) not in cannot
        ],
        "impossible": sum(cell in cannot for cell in wanted),
        "contradicted": [
            {"fault": cell[0], "state": cell[1], "why": why}
            for cell, why in sorted(cannot.items())
            if hits.get(cell)
        ],
    }
