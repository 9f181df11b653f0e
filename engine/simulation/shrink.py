"""From a world that breaks a promise the least that still breaks it, and its story in lines.

Documents, faults, hands and deaths are taken away, all, halves of them, at last one by one, as
long as the same checker complains. What is left mattered; the rest was noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.simulation.draw import START_MS, Drawn
from engine.simulation.play import (
    Ambush,
    Befall,
    Calm,
    Fault,
    Freeze,
    Happening,
    Kill,
    Step,
)
from engine.simulation.rivals import Standby
from engine.simulation.trial import Trial, run_trial
from engine.venue.switches import Switches

T = TypeVar("T")
Entry = Mapping[str, object]
RUNS_MAX = 60
"""So many worlds at most are played to shrink one."""

_USUAL = Switches().plain()
AFTER_MS = 2_000
LINES_MAX = 60


def shrunk(drawn: Drawn, checker: str, runs: int = RUNS_MAX) -> Drawn:
    """Return the smallest world found in which ``checker`` still complains."""
    left = [runs]

    def fails(candidate: Drawn) -> bool:
        left[0] -= 1
        return any(v.checker == checker for v in run_trial(candidate).violations)

    def with_happenings(kept: Sequence[tuple[int, Happening]]) -> Drawn:
        return replace(drawn, happenings=tuple(kept))

    kept = _least(drawn.happenings, lambda some: fails(with_happenings(some)), left)
    drawn = with_happenings(kept)
    # The first wish stays: without any decision nothing is lived.
    first, later = drawn.wishes[:1], drawn.wishes[1:]
    wishes = _least(later, lambda some: fails(replace(drawn, wishes=(*first, *some))), left)
    return replace(drawn, wishes=(*first, *wishes))


def _least(
    items: Sequence[T], still_fails: Callable[[Sequence[T]], bool], left: list[int]
) -> Sequence[T]:
    """Return as few of the items as still fail, while any of ``left`` runs remain."""
    size = max(len(items), 1)
    while items and left[0] > 0:
        is_less = False
        at = 0
        while at < len(items) and left[0] > 0:
            fewer = [*items[:at], *items[at + size :]]
            if still_fails(fewer):
                items, is_less = fewer, True
            else:
                at += size
        if size == 1 and not is_less:
            break
        size = max(size // 2, 1)
    return items


def story(drawn: Drawn, checker: str) -> list[str]:
    """Return what happened in a world before ``checker`` complained, a line each."""
    entries: list[Entry] = []
    trial = run_trial(drawn, entries)
    found = next((v for v in trial.violations if v.checker == checker), None)
    if found is None:
        return []
    until_ms = found.at_ms + AFTER_MS
    told = [*_drawn_lines(drawn, trial), *_log_lines(entries)]
    lines = [
        f"{(at_ms - START_MS) / 1000:9.3f} s  {text}"
        for at_ms, text in sorted(told, key=lambda line: line[0])
        if at_ms <= until_ms
    ]
    complaint = f"{(found.at_ms - START_MS) / 1000:9.3f} s  {checker}: {found.detail}"
    return [lines[0], *lines[1:][-LINES_MAX:], complaint]


def _drawn_lines(drawn: Drawn, trial: Trial) -> Iterator[tuple[int, str]]:
    turned = ", ".join(f"{k}={v}" for k, v in trial.switches.items() if v != _USUAL.get(k))
    pace = f"a look every {drawn.interval_ms} ms, round trip {drawn.latency_ms} ms"
    if drawn.standby is not Standby.NOWHERE:
        pace += f", a standby on the {drawn.standby.value.replace('_', ' ')}"
    yield START_MS, f"begins: {pace}{', ' if turned else ''}{turned}"
    for wish in drawn.wishes:
        yield START_MS + wish.at_ms, f"decision: {wish.kind.value}"
    for at_ms, what in drawn.happenings:
        if (text := _happening_line(what)) is not None:
            yield START_MS + at_ms, text


def _happening_line(what: Happening) -> str | None:
    """Return what a drawn happening is called, None for one that the log tells of itself."""
    match what:
        case Calm():
            return "faults end"
        case Fault():
            facts = " ".join(f"{k}={v}" for k, v in what.terms.items() if k != "kind")
            return f"fault {what.terms['kind']} {facts}".rstrip()
        case Kill():
            unit = "statement" if what.is_statement else "call"
            where = "between two ticks" if what.call is None else f"at {unit} {what.call}"
            lost = ", with its store" if what.lose_store else ""
            return f"death {where}, for {what.dead_ms} ms{lost}"
        case Freeze():
            where = f"{'after' if what.is_after else 'before'} call {what.call}"
            where += " that sends" if what.is_sending else ""
            return f"freeze {where}, for {what.frozen_ms} ms"
        case Befall():
            return what.name.replace("_", " ")
        case Ambush():
            return "; ".join(_step_line(step) for step in what.steps)
        case _:
            return None


def _step_line(step: Step) -> str:
    told = [_happening_line(what) or "another hand" for _, what in step.what]
    return f"in wait for {step.state}: {', '.join(told) or 'nothing'}"


def _log_lines(entries: Sequence[Entry]) -> Iterator[tuple[int, str]]:
    for e in entries:
        at_ms = int(str(e["at_ms"]))
        match e["kind"]:
            case "order":
                price = next((p for p in (e["trigger_price"], e["price"]) if str(p) != "0"), "")
                terms = f"{e['side']} {e['type']} {e['quantity']} {price}".rstrip()
                yield at_ms, f"{e['client_id']} {e['status']} ({terms}) by {e['by']}"
            case "fill":
                done = f"{e['side']} {e['quantity']} at {e['price']}"
                yield at_ms, f"{e['client_id']} executes {done}, position {e['position_after']}"
            case "request" if e.get("fault") or (e["code"] is not None and e["verb"] != "GET"):
                said = f"{e['status']} {e['code'] or ''} {e.get('fault') or ''}".rstrip()
                yield at_ms, f"{e['verb']} {e['path']} {e['client_id'] or ''}: {said}"
            case "hand":
                yield at_ms, f"another hand: {e['do']} {e['facts']}"
            case "liquidation" | "adl" | "skew" | "strike":
                yield at_ms, f"exchange: {e.get('fault') or e['kind']}"
            case _:
                pass
