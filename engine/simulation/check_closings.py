"""Judge F4, F10, F11: the ladder starts only where a rule asks for it, as far as the log shows.

A close is never wrong in size, so no other checker sees one that had no cause. The causes looked
for are generous: only what no rule of RULES F can have asked for is named.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.identity import FOREIGN_HASH, ClientOrderId, OrderRole
from engine.domain.limits import KeepOrClose, Limits
from engine.domain.numbers import plain
from engine.simulation.checkers import STOPS, Finding, History
from engine.simulation.cover import Picture
from engine.simulation.given import Inbox
from engine.simulation.log import Filled, Placed
from engine.simulation.prices import Prices
from engine.simulation.requests import Span
from engine.simulation.whereabouts import is_close_request

Entry = Mapping[str, object]
RECENT_MS = 10_000
DUST = Decimal(50)
NEAR_ENTRY = Decimal("0.003")
"""Breakeven lies this near to the entry price at most: fees and funding."""

_TARGETS = (OrderRole.TP1, OrderRole.TP2, OrderRole.LIQUIDATION_EXIT)


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was refused: which own order, with what trigger."""

    at_ms: int
    role: OrderRole
    trigger: Decimal | None


def closings(
    history: History,
    entries: Sequence[Entry],
    inbox: Inbox,
    limits: Limits,
    *,
    prices: Prices,
    flatten_ms: int | None = None,
    flattened: Sequence[int] = (),
    imposed: Sequence[Span] = (),
) -> Iterator[Finding]:
    """Yield every close of ours that nothing seen from outside accounts for.

    ``prices`` are those of the log; ``flatten_ms`` is when an operator said flatten for the last
    time, ``flattened`` when before. What was decided just before a time ``imposed``, a death above
    all, is gone on with after it.
    """
    refusals, begun = _refusals(entries), _begun(entries)
    force: dict[int, Decimal] = {}
    is_first_target_done: set[int] = set()
    entry_price: Decimal | None = None
    lives: dict[int, int] = {}
    for picture in history.pictures():
        event = picture.cause
        if isinstance(event, Filled) and (own := event.own_id) is not None:
            if own.role is OrderRole.ENTRY:
                entry_price = event.price
            elif own.role is OrderRole.TP1:
                is_first_target_done.add(own.generation)
        if not isinstance(event, Placed) or (own := event.own_id) is None:
            continue
        lives.setdefault(own.generation, event.at_ms)
        if own.role in STOPS and event.trigger_price is not None:
            _remember(force, own.generation, event)
        if own.role is not OrderRole.EMERGENCY or own.decision_hash == FOREIGN_HASH:
            continue
        if flatten_ms is not None and event.at_ms >= flatten_ms:
            return
        level = force.get(own.generation)
        is_even = own.generation in is_first_target_done or limits.no_split.value == "runner"
        near, life_ms = entry_price if is_even else None, lives[own.generation]
        case = _Close(picture, event, level, near, limits, life_ms)
        since_ms = min(begun.get(own.generation, event.at_ms), event.at_ms) - RECENT_MS
        since_ms = _before(since_ms, event.at_ms, imposed)
        seen = prices.within(since_ms, event.at_ms)
        if not (
            case.is_uncovered
            or case.is_dust(seen)
            or case.is_crossed(seen)
            or case.is_told(inbox, since_ms, flattened)
            or case.is_refused(refusals)
            or case.is_target(seen, inbox)
        ):
            text = f"{event.client_id} closes {plain(picture.position)} for no reason to be seen"
            yield Finding(event.at_ms, text)


def _before(since_ms: int, at_ms: int, imposed: Sequence[Span]) -> int:
    """Return since when a close may have been decided: before a time imposed meanwhile as well."""
    for span in sorted(imposed, key=lambda one: -one.until_ms):
        if since_ms <= span.until_ms <= at_ms:
            since_ms = min(since_ms, span.from_ms - RECENT_MS)
    return since_ms


def _remember(force: dict[int, Decimal], generation: int, stop: Placed) -> None:
    trigger, known = stop.trigger_price, force.get(generation)
    if trigger is None:
        return
    is_long = stop.side == "SELL"
    if known is None or (trigger > known) is is_long:
        force[generation] = trigger


@dataclass(frozen=True, slots=True)
class _Close:
    picture: Picture
    order: Placed
    level: Decimal | None
    even_near: Decimal | None
    limits: Limits
    life_ms: int

    @property
    def is_uncovered(self) -> bool:
        """Whether own stops that rest do not carry everything at the level in force."""
        level = self.picture.cover_level
        if self.picture.naked_quantity > 0 or level is None or self.level is None:
            return True
        return (self.level - level) * self.picture.sign > 0

    def is_dust(self, seen: Sequence[Decimal]) -> bool:
        """Whether what is left is worth less than any order (E7)."""
        return not seen or abs(self.picture.position) * min(seen) < DUST

    def is_crossed(self, seen: Sequence[Decimal]) -> bool:
        """Whether a price was beyond the level in force, or behind breakeven after TP1."""
        sign, level = self.picture.sign, self.level
        if level is not None and any((price - level) * sign <= 0 for price in seen):
            return True
        near = self.even_near
        is_closing = self.limits.breakeven_crossed is KeepOrClose.CLOSE
        return (
            is_closing
            and near is not None
            and any((price - near) * sign <= near * NEAR_ENTRY for price in seen)
        )

    def is_told(self, inbox: Inbox, since_ms: int, flattened: Sequence[int]) -> bool:
        """Whether a document said flat or the other side (F10), or an operator said flatten."""
        at_ms = self.order.at_ms
        if any(self.life_ms <= told_ms <= at_ms for told_ms in flattened):
            return True
        return any(g.sign != self.picture.sign for g in inbox.between(since_ms, at_ms))

    def is_target(self, seen: Sequence[Decimal], inbox: Inbox) -> bool:
        """Whether a price reached a target that rested, or that a document since its own names."""
        own, sign, at_ms = self.order.own_id, self.picture.sign, self.order.at_ms
        its = None if own is None else inbox.named(own.decision_hash, at_ms)
        made_ms = 0 if its is None else its.made_ms
        named = [g for g in inbox.between(0, at_ms) if g.sign == sign and g.made_ms >= made_ms]
        targets = [t for g in named for t in (*g.zones, g.tp1, g.tp2) if t > 0]
        targets += [
            o.terms.trigger_price
            for o in self.picture.own(*_TARGETS)
            if o.terms.trigger_price is not None and own is not None
        ]
        return any((price - target) * sign >= 0 for price in seen for target in targets)

    def is_refused(self, refusals: Sequence[Refused]) -> bool:
        """Whether cover, or a target, was refused: a tighter stop that was is no reason (F4)."""
        from_ms = self.order.at_ms - RECENT_MS - self.limits.naked_limit_ms
        first = bisect_left(refusals, from_ms, key=lambda one: one.at_ms)
        for one in refusals[first:]:
            if one.at_ms > self.order.at_ms:
                return False
            is_tighter = (
                one.role in STOPS
                and one.trigger is not None
                and self.level is not None
                and (one.trigger - self.level) * self.picture.sign > 0
            )
            if not is_tighter:
                return True
        return False


def _begun(entries: Sequence[Entry]) -> dict[int, int]:
    """Return when the close of each life was asked for first: it goes on until flat (F11)."""
    begun: dict[int, int] = {}
    for entry in entries:
        if is_close_request(entry):
            own = ClientOrderId.parse(str(entry["client_id"]))
            if own is not None:
                begun.setdefault(own.generation, int(str(entry["at_ms"])))
    return begun


def _refusals(entries: Sequence[Entry]) -> list[Refused]:
    found: list[Refused] = []
    for entry in entries:
        if entry["kind"] != "request" or entry["verb"] != "POST" or entry["code"] is None:
            continue
        given = entry.get("parameters")
        own = ClientOrderId.parse(str(entry["client_id"] or ""))
        if own is None or not isinstance(given, Mapping):
            continue
        trigger = given.get("triggerprice")
        found.append(
            Refused(
                int(str(entry["at_ms"])),
                own.role,
                None if trigger is None else Decimal(str(trigger)),
            )
        )
    return found
