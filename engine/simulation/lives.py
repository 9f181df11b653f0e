"""The positions our entries opened, as the venue's log tells them: when, whose, how they ended."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from engine.domain.identity import OrderRole
from engine.simulation.checkers import STOPS, History
from engine.simulation.log import Filled, Placed

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
