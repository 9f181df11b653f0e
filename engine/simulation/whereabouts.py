"""Where the life stands, from the venue's log alone, entry by entry: while a world runs, and after.

A state is read from what is held, what of ours rests, and what we asked for; nothing the keeper
believes is asked. ``closing`` begins with the first request that closes, whatever becomes of it,
and ends with the position, or when nothing has tried to close for a while.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.domain.identity import PREFIX, ClientOrderId, OrderRole
from engine.domain.terms import Phase

Entry = Mapping[str, object]
CLOSING_MS = 10_000
"""So long after a request that closes, and with none resting, the close is not under way any more:
what was too much of a position was closed (RULES B3), and the rest of it goes on."""

STATES = tuple(phase.value for phase in Phase)
_FINAL = frozenset({"FINISHED", "FILLED", "CANCELED", "REJECTED", "EXPIRED"})


@dataclass(slots=True)
class Whereabouts:
    """Folds log entries; ``state`` and ``life`` are those after the last one taken."""

    state: str = Phase.FLAT.value
    life: int = 0
    _now_ms: int = 0
    _closing_ms: int | None = None
    _held: set[str] = field(default_factory=set)
    _own: dict[str, ClientOrderId] = field(default_factory=dict)
    _filled: set[int] = field(default_factory=set)

    def take(self, entry: Entry) -> bool:
        """Take the next entry; return whether the state may be another one now."""
        kind = entry["kind"]
        if kind == "order":
            self._take_order(entry)
        elif kind == "fill":
            self._take_fill(entry)
        elif not is_close_request(entry) or not self._held:
            return False
        else:
            self._closing_ms = int(str(entry["at_ms"]))
        self._now_ms = int(str(entry["at_ms"]))
        self.state = self._state()
        return True

    def at(self, now_ms: int) -> str:
        """Return the state at a moment after the last entry: a close may have been given up."""
        if self.state == Phase.CLOSING.value and (end_ms := self.ends_ms) is not None:
            return Phase.OPEN.value if now_ms >= end_ms else self.state
        return self.state

    @property
    def ends_ms(self) -> int | None:
        """Return when a close counts as given up, None while none is, or while an order works."""
        if self._closing_ms is None or self._is_resting(OrderRole.EMERGENCY):
            return None
        return self._closing_ms + CLOSING_MS

    def _take_order(self, entry: Entry) -> None:
        own = _own_id(entry)
        if own is None:
            return
        name = "algo_id" if entry["book"] == "algo" else "order_id"
        key = f"{entry['book']}:{entry[name]}"
        if entry["status"] in _FINAL:
            self._own.pop(key, None)
        else:
            self._own[key] = own
            self.life = max(self.life, own.generation)
            if own.role is OrderRole.EMERGENCY:
                self._closing_ms = int(str(entry["at_ms"]))

    def _take_fill(self, entry: Entry) -> None:
        own = _own_id(entry)
        if own is not None and own.role is OrderRole.ENTRY:
            self._filled.add(own.generation)
        side = str(entry.get("position_side"))
        if str(entry["position_after"]) == "0":
            self._held.discard(side)
        else:
            self._held.add(side)

    def _state(self) -> str:
        if self._held:
            if self._is_resting(OrderRole.EMERGENCY):
                return Phase.CLOSING.value
            end_ms = self.ends_ms
            is_closing = end_ms is not None and self._now_ms < end_ms
            return Phase.CLOSING.value if is_closing else Phase.OPEN.value
        self._closing_ms = None
        if not self._own:
            return Phase.FLAT.value
        if self._is_resting(OrderRole.ENTRY):
            return Phase.ENTERING.value
        is_arming = all(
            own.role is OrderRole.STOP_PRIMARY and own.generation not in self._filled
            for own in self._own.values()
        )
        return Phase.ARMING.value if is_arming else Phase.SWEEPING.value

    def _is_resting(self, role: OrderRole) -> bool:
        return any(own.role is role for own in self._own.values())


class States:
    """Where the life stood when, of a whole log."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Read every entry, oldest first."""
        here = Whereabouts()
        self._spans: list[tuple[int, str, int]] = []
        for entry in entries:
            end_ms = here.ends_ms if here.state == Phase.CLOSING.value else None
            if here.take(entry):
                at_ms = int(str(entry["at_ms"]))
                if end_ms is not None and end_ms < at_ms:
                    self._spans.append((end_ms, Phase.OPEN.value, here.life))
                self._spans.append((at_ms, here.state, here.life))
        self._starts = [at_ms for at_ms, _, _ in self._spans]

    def at(self, at_ms: int) -> str:
        """Return the state at a moment, the latest one where several share it."""
        index = bisect_right(self._starts, at_ms) - 1
        return Phase.FLAT.value if index < 0 else self._spans[index][1]

    def before(self, at_ms: int) -> str:
        """Return the state that whatever happened at a moment found."""
        index = bisect_left(self._starts, at_ms) - 1
        return Phase.FLAT.value if index < 0 else self._spans[index][1]

    def life_at(self, at_ms: int) -> int:
        """Return the generation at a moment, 0 for none yet."""
        index = bisect_right(self._starts, at_ms) - 1
        return 0 if index < 0 else self._spans[index][2]

    @property
    def seen(self) -> tuple[str, ...]:
        """Return every state there was, sorted."""
        return tuple(sorted({Phase.FLAT.value, *(state for _, state, _ in self._spans)}))


def is_close_request(entry: Entry) -> bool:
    """Return whether the entry is a request of ours to close, whatever was answered."""
    if entry["kind"] != "request" or entry["verb"] != "POST":
        return False
    own = _own_id(entry)
    return own is not None and own.role is OrderRole.EMERGENCY


def _own_id(entry: Entry) -> ClientOrderId | None:
    name = str(entry["client_id"] or "")
    return ClientOrderId.parse(name) if name.startswith(PREFIX) else None
