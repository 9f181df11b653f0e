"""``keeper simulate``: the campaign, or one written life, in words or as a document."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from engine.cli.output import Output
from engine.simulation.command import simulate as run_simulation


def simulate(arguments: Namespace, output: Output) -> int:
    """Answer whether every promise held; exit code 1 when one did not."""
    document, exit_code = run_simulation(arguments, output.progress)
    is_campaign = document["schema"] == "keeper/simulate/1"
    output.answer(document, lambda: campaign_text(document) if is_campaign else life_text(document))
    return exit_code


def campaign_text(document: dict[str, Any]) -> str:
    """Return the campaign's verdict in a few lines."""
    totals, speed, naked = document["totals"], document["speed"], document["naked"]
    liveness, seeds = document["liveness"], document["seeds"]
    lines = [
        f"{seeds['run']} worlds ({document['profile']}): {totals['lives']} lives, "
        f"{totals['ticks']} ticks, {totals['sim_hours']:.1f} simulated hours, "
        f"{totals['fills']} fills, {totals['stop_moves']} stop moves, {totals['kills']} kills",
        f"uncovered at worst {naked['worst_s']:g} s; at rest after at most "
        f"{liveness['worst_ticks_to_converge']} ticks (bound {liveness['bound']})",
        f"{speed['ticks_per_cpu_s']:.0f} ticks per CPU second; {document['digest']}",
    ]
    lines += [
        f"VIOLATION {v['checker']} seed {v['seed']} at {v['sim_time_s']:g} s ({v['state']}): "
        f"{v['detail']}; again: {v['replay']}"
        for v in document["violations"]
    ]
    lines.append("no violation" if document["ok"] else f"{len(document['violations'])} violations")
    return "\n".join(lines)


def life_text(document: dict[str, Any]) -> str:
    """Return how a written life went, and every difference."""
    lines = [
        f"{document['name']}: {len(document['trades'])} trades, {len(document['fills'])} fills, "
        f"at the end position {document['final']['position']}, "
        f"{document['final']['orders']} orders"
    ]
    lines += [
        f"{fill['at'][11:23]} {fill['role']:<16} {fill['side']:<4} {fill['quantity']} "
        f"at {fill['price']}"
        for fill in document["fills"]
    ]
    lines += [
        f"DIFFERENT {d['path']}: expected {d['expected']}, got {d['got']}"
        for d in document["differences"]
    ]
    lines.append("as written" if document["ok"] else f"{len(document['differences'])} differences")
    return "\n".join(lines)
