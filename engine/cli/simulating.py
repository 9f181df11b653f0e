"""``keeper simulate``: the campaign over seeds, or one written life."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from engine.cli.output import Output
from engine.read.documents import Document
from engine.simulation.command import simulate as carry_out


def simulate(arguments: Namespace, output: Output) -> int:
    """Run it; 1 when anything was violated or came out differently."""
    document, code = carry_out(arguments, output.progress)
    output.answer(document, lambda: _text(document))
    return code


def _text(document: Document) -> str:
    plain: Mapping[str, Any] = document
    if plain["schema"] == "keeper/scenario/1":
        lines = [f"{plain['name']}: {'as written' if plain['ok'] else 'different'}"]
        lines += [
            f"  {d['path']}: expected {d['expected']}, got {d['got']}" for d in plain["differences"]
        ]
        return "\n".join(lines)
    seeds, totals = plain["seeds"], plain["totals"]
    lines = [
        f"{seeds['run']} seeds {seeds['first']}..{seeds['last']} in {plain['profile']} weather: "
        f"{len(plain['violations'])} violations",
        f"{totals['lives']} lives, {totals['ticks']} ticks, {totals['orders']} orders, "
        f"{totals['fills']} fills, {totals['kills']} kills",
    ]
    lines += [
        f"  seed {v['seed']} {v['checker']} at {v['sim_time_s']} s: {v['detail']}\n"
        f"    again: {v['replay']}"
        for v in plain["violations"]
    ]
    return "\n".join(lines)
