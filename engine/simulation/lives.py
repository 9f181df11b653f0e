"""The lives our entries began, as the venue's log tells them: opened, or withdrawn unfilled."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.identity import ClientOrderId, OrderRole
from engine.simulation.checkers import STOPS, History
from engine.simulation.log import Changed, Filled, Placed

NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Opened:
    """One position opened by an entry of ours, from its first fill to flat (``NEVER``: not yet).

    ``end`` says what closed it: "stop" (at its first level), "moved_stop", "target", "emergency",
    "forced" (liquidation or deleveraging), "other", or "" while it stands.
    """

    generation: int
    decision_hash: str
    sign: int
    opened_ms: int
    closed_ms: int
    end: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A life whose entry was cancelled by request before anything of it filled.

    ``placed_ms`` is when its first entry was, ``n`` and ``at_ms`` are those of the last cancel.
    """

    generation: int
    decision_hash: str
    placed_ms: int
    n: int
    at_ms: int


def withdrawn_lives(history: History) -> tuple[Withdrawn, ...]:
    """Return every life that ended by the withdrawal of its entry, oldest first."""
    placed: dict[int, Placed] = {}
    found: dict[int, Withdrawn] = {}
    filled: set[int] = set()
    for event in history.events:
        own = ClientOrderId.parse(event.client_id)
        if own is None or own.role is not OrderRole.ENTRY:
            continue
        if isinstance(event, Placed):
            placed.setdefault(own.generation, event)
            found.pop(own.generation, None)  # chased, not withdrawn
        elif isinstance(event, Filled):
            filled.add(own.generation)
        elif _is_cancelled(event) and (first := placed.get(own.generation)) is not None:
            found[own.generation] = Withdrawn(
                own.generation, own.decision_hash, first.at_ms, event.n, event.at_ms
            )
    return tuple(one for one in found.values() if one.generation not in filled)


def _is_cancelled(event: Changed) -> bool:
    return event.by == "api" and event.status == "CANCELED"


def opened_lives(history: History) -> tuple[Opened, ...]:
    """Return every position an own entry opened from flat, oldest first."""
    triggers: dict[str, Decimal | None] = {}
    first: dict[int, Decimal | None] = {}
    found: list[Opened] = []
    now: Opened | None = None
    for event in history.events:
        own = event.own_id if isinstance(event, Placed | Filled) else None
        if isinstance(event, Placed):
            triggers[event.client_id] = event.trigger_price
            if own is not None and own.role in STOPS:
                first.setdefault(own.generation, event.trigger_price)
        if not isinstance(event, Filled):
            continue
        before = event.position - (event.quantity if event.side == "BUY" else -event.quantity)
        if before == 0 and own is not None and own.role is OrderRole.ENTRY:
            sign = 1 if event.position > 0 else -1
            now = Opened(own.generation, own.decision_hash, sign, event.at_ms, NEVER, "")
            found.append(now)
        elif now is not None and event.position * now.sign <= 0:
            end = _end(event, now, triggers.get(event.client_id), first)
            found[-1] = now = Opened(
                now.generation, now.decision_hash, now.sign, now.opened_ms, event.at_ms, end
            )
            now = None
    return tuple(found)


def _end(
    fill: Filled, life: Opened, trigger: Decimal | None, first: dict[int, Decimal | None]
) -> str:
    own = fill.own_id
    if own is None:
        is_forced = fill.client_id.startswith(("autoclose-", "adl_autoclose"))
        return "forced" if is_forced else "other"
    if own.role in STOPS:
        return "stop" if trigger == first.get(life.generation) else "moved_stop"
    return "emergency" if own.role is OrderRole.EMERGENCY else "target"
