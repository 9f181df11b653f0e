"""One written life played again and again, each time with something done to it, and its end.

An end is what the venue and the store say of a life when it is over, without what may differ
between two runs that went alike: numbers the exchange gives, revisions, and when the keeper acted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.ledger import Ledger
from engine.simulation.play import Moment
from engine.simulation.scenario import Staged, settings_of
from engine.tick import TickReport
from engine.venue.scenario import Scenario, load_scenario

FOLDER = Path(__file__).parent.parent / "scenarios"
LIVES = ("b4_a_whole_life", "b4_a_whole_life_short")
"""Long and short: armed, entered in two parts, both layers, a target, stop moves, swept."""

Plain = dict[str, Any]
Call = tuple[str, ...]

LONG_MS = 14_000
"""A pause in which a keeper comes to rest, whatever happened to it."""

_OF_AN_ORDER = (
    "role",
    "type",
    "side",
    "status",
    "price",
    "trigger_price",
    "working_price",
    "quantity",
    "filled",
    "reduce_only",
    "close_position",
)
_OF_A_FILL = ("role", "side", "price", "quantity", "commission", "maker", "at")
_OF_A_LEVEL = ("level", "reason")


@dataclass(frozen=True, slots=True)
class Pause:
    """What the keeper believes at the end of a pause: just before the next price comes."""

    at_ms: int
    position: Plain
    resting: tuple[Plain, ...]


@dataclass(frozen=True, slots=True)
class End:
    """What is left of a life: orders by terms, fills, stop levels, trade records, the account.

    ``pauses`` is how it stood at the end of each pause long enough to come to rest in.
    """

    orders: tuple[Plain, ...]
    fills: tuple[Plain, ...]
    levels: tuple[Plain, ...]
    trades: tuple[Plain, ...]
    final: Plain
    naked_s: float
    broken: tuple[str, ...]
    pauses: tuple[Pause, ...]

    def differences(self, other: End, *names: str) -> list[str]:
        """Return in which of these parts (all by default) the other end is another, in words."""
        found = []
        for name in names or ("orders", "fills", "levels", "trades", "final", "naked_s", "broken"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                found.append(f"{name}: {_unlike(mine, theirs)}")
        return found

    def pauses_unlike(self, other: End, since_ms: int) -> list[str]:
        """Return which pauses that began after ``since_ms`` ended otherwise in the other life."""
        found = []
        for mine, theirs in zip(self.pauses, other.pauses, strict=True):
            if mine.at_ms - LONG_MS >= since_ms and mine != theirs:
                held = _unlike((mine.position,), (theirs.position,))
                rest = _unlike(mine.resting, theirs.resting)
                found.append(f"pause until {mine.at_ms / 1000:g} s: {held}; {rest}")
        return found


def _unlike(mine: Any, theirs: Any) -> str:
    if isinstance(mine, tuple) and isinstance(theirs, tuple):
        gone = [one for one in mine if one not in theirs]
        new = [one for one in theirs if one not in mine]
        if len(gone) == len(new) == 1 and isinstance(gone[0], dict):
            before, after = gone[0], new[0]
            return ", ".join(
                f"{key} {before[key]} -> {after.get(key)}"
                for key in before
                if before[key] != after.get(key)
            )
        return f"missing {gone}, more {new}, {len(mine)} -> {len(theirs)}"
    return f"{mine} -> {theirs}"


BESIDE = {
    "stream": {"stream": True},
    "fallback": {"stream": True, "switches": {"stop_while_flat": "refused"}},
}
"""The same life beside its user stream, and on an account that takes no stop while flat (E9)."""


def scenario(name: str) -> Scenario:
    """Return the written life of that name; ``name+stream`` is a variant (``BESIDE``)."""
    stem, _, variant = name.partition("+")
    written = load_scenario(FOLDER / f"{stem}.yaml")
    return replace(written, **BESIDE[variant]) if variant else written  # type: ignore[arg-type]


def play(
    life: Scenario,
    prepare: Callable[[Staged], None] | None = None,
    more: Iterable[Moment] = (),
    examine: Callable[[Staged], None] | None = None,
    *,
    on_disk: bool = False,
) -> End:
    """Play a life with ``prepare`` done before it begins and ``more`` happening in it.

    ``on_disk``: its store is a file, which a death in the middle of a transaction needs.
    """
    with TemporaryDirectory(prefix="keeper-life-") as folder:
        inbox, shelf = Path(folder) / "inbox", Path(folder)
        inbox.mkdir()
        staged = Staged(life, settings_of(life), inbox, more, shelf=shelf if on_disk else None)
        watch = _Watch(staged)
        try:
            if prepare is not None:
                prepare(staged)
            staged.run()
            if examine is not None:
                examine(staged)
            return end_of(staged, watch.pauses)
        finally:
            staged.world.close()


class _Watch:
    """Looks at the keeper's ledger at the end of each long pause."""

    def __init__(self, staged: Staged) -> None:
        until_ms = staged.scenario.until_ms
        rows = [row.at_ms for row in staged.scenario.feed if row.at_ms < until_ms] + [until_ms]
        self._ends = [b for a, b in itertools.pairwise(rows) if b - a >= LONG_MS]
        self._start_ms = staged.start_ms
        self._last: dict[int, Pause] = {}
        staged.listeners.append(self._seen)

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """Return what was seen last in each."""
        return tuple(self._last[end] for end in self._ends)

    def _seen(self, report: TickReport) -> None:
        passed_ms = report.now_ms - self._start_ms
        end_ms = next((end for end in self._ends if passed_ms < end), None)
        if end_ms is not None:
            self._last[end_ms] = _pause(end_ms, report.ledger)


def _pause(end_ms: int, ledger: Ledger) -> Pause:
    life = ledger.life
    resting = [
        {
            "role": order.role.value,
            "trigger": order.terms.trigger_price,
            "price": order.terms.price,
            "quantity": order.terms.quantity,
            "status": order.status.value,
        }
        for order in ledger.orders
        if not order.status.is_final
    ]
    position: Plain = {"generation": ledger.generation, "quantity": ledger.position_quantity}
    if life is not None:
        position |= {
            "side": life.side,
            "average": life.entry_price,
            "level": life.stop_level,
            "initial": life.initial_stop,
            "tp1_done": life.tp1_done_ms is not None,
            "opened_ms": life.opened_ms,
            "decision": life.decision_id,
        }
    return Pause(end_ms, position, _sorted(resting))


def end_of(staged: Staged, pauses: tuple[Pause, ...]) -> End:
    """Return the end of a life that was played."""
    document: Plain = staged.document()
    judged = document["judged"]
    return End(
        orders=_sorted(_cut(order, _OF_AN_ORDER) for order in document["orders"]),
        fills=tuple(_cut(fill, _OF_A_FILL) for fill in document["fills"]),
        levels=tuple(_cut(level, _OF_A_LEVEL) for level in document["stop_levels"]),
        trades=tuple(_trade(trade) for trade in document["trades"]),
        final=document["final"],
        naked_s=judged["naked_s"],
        broken=(*judged["widened"], *judged["doubled"]),
        pauses=pauses,
    )


def _trade(trade: Mapping[str, Any]) -> Plain:
    """Return a trade record: all of it, but for the numbers the exchange gave its fills."""
    return {
        **trade,
        "fills": [_cut(fill, _OF_A_FILL) for fill in trade["fills"]],
        "stop_levels": [_cut(level, _OF_A_LEVEL) for level in trade["stop_levels"]],
    }


def _cut(document: Mapping[str, Any], names: Sequence[str]) -> Plain:
    return {name: document[name] for name in names}


def _sorted(documents: Iterable[Plain]) -> tuple[Plain, ...]:
    return tuple(sorted(documents, key=lambda one: [str(value) for value in one.values()]))


def is_write(call: Call) -> bool:
    """Return whether a call through a port is a request that can change something."""
    return call[0] in ("POST", "PUT", "DELETE")


def subject(call: Call) -> str:
    """Return what a call is about, for people: the store's method, or verb, path and role."""
    if call[0] in ("store", "statement"):
        return " ".join(" ".join(call).split()[:4])
    role = next((role for role in _roles(call[2])), "")
    return f"{call[0]} {call[1].rpartition('/')[2]} {role}".strip()


def _roles(parameters: str) -> Iterable[str]:
    for pair in parameters.split("&"):
        own = ClientOrderId.parse(pair.partition("=")[2])
        if own is not None:
            yield OrderRole(own.role).value
