"""Which kind of fault struck in which state of a life, and which of these pairs cannot be.

A pair that cannot be stands in ``impossible.toml`` with its reason; when it is met all the same,
the reason is wrong, and the campaign fails. A fault strikes where the venue's log says so.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from engine.domain.terms import Phase
from engine.read.documents import Document
from engine.simulation.verdict import States

Entry = Mapping[str, object]
Cell = tuple[str, str]
STATES = tuple(phase.value for phase in Phase)


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
    for entry in entries:
        if (name := _name(entry)) is not None:
            found[name, states.before(int(str(entry["at_ms"])))] += 1
    found.update((name, states.before(at_ms)) for name, at_ms in others)
    return found


def _name(entry: Entry) -> str | None:
    match entry["kind"]:
        case "request" if entry.get("fault"):
            return str(entry["fault"])
        case "strike":
            return str(entry["fault"])
        case "skew":
            return "clock_skew"
        case "hand":
            return f"hand_{entry['do']}"
        case _:
            return None


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
