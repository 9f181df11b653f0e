"""Judges of the promises, from the venue's log alone: covered, never widened, executed once.

Each checker is a pure function over the log's events and returns a ``Judgement``; the definitions
are RULES A1 to A3 and B1 to B3. A checker knows no plan, no ledger and no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from engine.domain.identity import FOREIGN_HASH, ClientOrderId, OrderRole
from engine.domain.numbers import plain
from engine.simulation.cover import TRIGGER_GRACE_MS, ZERO, Picture, pictures
from engine.simulation.log import Changed, Event, Filled, Placed

MOVED_STOPS = (OrderRole.STOP_PRIMARY, OrderRole.STOP_BRIDGE)
STOPS = (*MOVED_STOPS, OrderRole.STOP_FLOOR)


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach: when it began and what was wrong, with the numbers."""

    at_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one checker says: how much it looked at, and every breach."""

    name: str
    checked: int
    findings: tuple[Finding, ...]
    detail: str

    @property
    def ok(self) -> bool:
        """Return whether nothing was found, and something was looked at."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time with naked quantity; ``quantity_s`` is its integral (RULES A2)."""

    from_ms: int
    until_ms: int
    worst_quantity: Decimal
    quantity_s: Decimal

    @property
    def duration_ms(self) -> int:
        """Return how long it lasted."""
        return self.until_ms - self.from_ms


@dataclass(frozen=True)
class History:
    """The log with what stood before it and when it ends."""

    events: Sequence[Event]
    end_ms: int
    position: Decimal = ZERO
    grace_ms: int = TRIGGER_GRACE_MS

    def pictures(self) -> Sequence[Picture]:
        """Return what stood between each two events."""
        return self._pictures

    @cached_property
    def _pictures(self) -> tuple[Picture, ...]:
        """Every checker asks for them, and they never change."""
        return tuple(
            pictures(
                self.events, end_ms=self.end_ms, position=self.position, grace_ms=self.grace_ms
            )
        )


def naked_windows(history: History) -> tuple[Window, ...]:
    """Return every stretch of time in which part of the position had no cover (RULES A2)."""
    windows: list[Window] = []
    is_joined = False
    for picture in history.pictures():
        naked = picture.naked_quantity
        if naked == 0:
            is_joined = is_joined and picture.duration_ms == 0
            continue
        if picture.duration_ms == 0:
            continue
        here = Window(
            picture.at_ms,
            picture.until_ms,
            naked,
            naked * Decimal(picture.duration_ms) / 1000,
        )
        if is_joined and windows[-1].until_ms == here.from_ms:
            before = windows.pop()
            here = Window(
                before.from_ms,
                here.until_ms,
                max(before.worst_quantity, here.worst_quantity),
                before.quantity_s + here.quantity_s,
            )
        windows.append(here)
        is_joined = True
    return tuple(windows)


def covered(history: History, *, bound_ms: int = 0) -> Judgement:
    """Judge B1: no naked stretch longer than ``bound_ms`` (0: none at all)."""
    windows = naked_windows(history)
    findings = tuple(
        Finding(
            w.from_ms,
            f"{plain(w.worst_quantity)} without cover for {w.duration_ms / 1000:g} s",
        )
        for w in windows
        if w.duration_ms > bound_ms
    )
    held = [p for p in history.pictures() if p.position != 0]
    total_ms = sum(w.duration_ms for w in windows)
    return Judgement(
        "covered",
        len(held),
        findings,
        f"uncovered {total_ms / 1000:g} s of {sum(p.duration_ms for p in held) / 1000:g} s",
    )


def never_widened(history: History, *, unseen_ms: int = 0) -> Judgement:
    """Judge B2: no own stop is placed wider than the level in force, none withdrawn too early.

    The level in force of a position is the tightest trigger an own stop rested at since its
    first fill, those resting at that moment included. The floor (RULES F1) never moves: it is
    held to the level the position began with. A stop may be withdrawn once another one carries
    its level. What others cancel loosens the cover but breaks no promise of ours. Stops of
    earlier generations do not count, where the log shows which entry opened the position; of a
    position that somebody else's order opened only the stops placed for it do (RULES G1), until an
    entry of ours fills beside it. A stop for somebody's position that was under way at that fill,
    for ``unseen_ms``, was decided before anybody could know.
    """
    findings: list[Finding] = []
    force: Decimal | None = None
    initial: Decimal | None = None
    generation: int | None = None
    is_theirs = False
    ours_ms = -unseen_ms - 1
    before: Picture | None = None
    checked = 0
    for picture in history.pictures():
        sign = picture.sign
        if sign == 0 or (before is not None and before.sign not in (0, sign)):
            force, initial, is_theirs = None, None, False
        if is_theirs and _generation_of(picture.cause) is not None:
            force, initial, is_theirs = None, None, False
            ours_ms = picture.at_ms
        if sign != 0:
            if force is None and not is_theirs:
                # A position's first moment: what rests now is what it began with.
                generation = _generation_of(picture.cause)
                is_theirs = _is_foreign(picture.cause)
                force = initial = _tightest(picture, generation, is_theirs=is_theirs)
            else:
                checked += 1
                bound = force
                is_late = _is_for_theirs(_own_of(picture.cause))
                if bound is not None and not (is_late and picture.at_ms - ours_ms <= unseen_ms):
                    findings += _wider_placement(picture, bound, initial)
                findings += _loosening_cancel(before, picture, is_theirs=is_theirs)
            now = _tightest(picture, generation, is_theirs=is_theirs)
            if now is not None and (force is None or (now - force) * sign > 0):
                force = now
                initial = now if initial is None else initial
        before = picture
    return Judgement(
        "never_widened", checked, tuple(findings), f"{checked} steps, {len(findings)} widened"
    )


def executed_once(
    history: History, *, quantities: Mapping[str, Decimal] | None = None
) -> Judgement:
    """Judge B3: no id executes as two orders, no decision opens twice, none more than it may.

    ``quantities`` names what each decision hash may open; without it the first entry order of
    a generation is the measure, because every later one carries only the remainder (RULES D1).
    """
    findings: list[Finding] = []
    orders_of: dict[str, set[str]] = {}
    opened: dict[str, set[int]] = {}
    allowed: dict[tuple[str, int], Decimal] = {}
    executed: dict[tuple[str, int], Decimal] = {}
    checked = 0
    for event in history.events:
        own = None if isinstance(event, Changed) else event.own_id
        if own is None or own.role is not OrderRole.ENTRY:
            if isinstance(event, Filled) and own is not None:
                checked += 1
                findings += _second_order(event, orders_of)
            continue
        life = (own.decision_hash, own.generation)
        if isinstance(event, Placed):
            given = (quantities or {}).get(own.decision_hash, event.quantity)
            allowed.setdefault(life, given if given is not None else ZERO)
        elif isinstance(event, Filled):
            checked += 1
            findings += _second_order(event, orders_of)
            executed[life] = executed.get(life, ZERO) + event.quantity
            if executed[life] > allowed.get(life, ZERO):
                text = f"{event.client_id}: {plain(executed[life])} of {plain(allowed[life])}"
                findings.append(Finding(event.at_ms, f"entries executed {text}"))
            lives = opened.setdefault(own.decision_hash, set())
            if own.generation not in lives:
                lives.add(own.generation)
                if len(lives) > 1:
                    text = f"decision {own.decision_hash} opened generations {sorted(lives)}"
                    findings.append(Finding(event.at_ms, text))
    return Judgement(
        "executed_once", checked, tuple(findings), f"{checked} own fills, {len(findings)} doubled"
    )


def no_orders_left(history: History) -> Judgement:
    """Judge the end: flat, and no own order rests in either book."""
    final = history.pictures()[-1:]
    findings = [
        Finding(p.until_ms, f"{o.terms.client_id} still rests") for p in final for o in p.own()
    ]
    findings += [
        Finding(p.until_ms, f"a position of {plain(p.position)} is left")
        for p in final
        if p.position != 0
    ]
    placed = sum(1 for e in history.events if isinstance(e, Placed) and e.is_own())
    return Judgement(
        "no_orders_left", placed, tuple(findings), f"{placed} own orders, {len(findings)} left"
    )


def _second_order(event: Filled, orders_of: dict[str, set[str]]) -> list[Finding]:
    ids = orders_of.setdefault(event.client_id, set())
    is_second = bool(ids) and event.exchange_id not in ids
    ids.add(event.exchange_id)
    text = f"{event.client_id} executed as orders {', '.join(sorted(ids))}"
    return [Finding(event.at_ms, text)] if is_second else []


def _generation_of(cause: Event | None) -> int | None:
    own = cause.own_id if isinstance(cause, Filled) else None
    return own.generation if own is not None and own.role is OrderRole.ENTRY else None


def _is_foreign(cause: Event | None) -> bool:
    """Return whether an order of somebody else's made the position."""
    return isinstance(cause, Filled) and cause.own_id is None


def _own_of(cause: Event | None) -> ClientOrderId | None:
    return cause.own_id if isinstance(cause, Placed) else None


def _is_for_theirs(own: ClientOrderId | None) -> bool:
    return own is not None and own.decision_hash == FOREIGN_HASH


def _tightest(picture: Picture, generation: int | None, *, is_theirs: bool) -> Decimal | None:
    """Return the tightest trigger of this life's own stops on the exit side."""
    exit_side = "SELL" if picture.sign > 0 else "BUY"
    triggers = [
        o.terms.trigger_price
        for o in picture.own(*STOPS)
        if o.terms.trigger_price is not None
        and o.terms.side == exit_side
        and (generation is None or (own := o.own_id) is None or own.generation == generation)
        and (not is_theirs or _is_for_theirs(o.own_id))
    ]
    if not triggers:
        return None
    return max(triggers) if picture.sign > 0 else min(triggers)


def _wider_placement(picture: Picture, force: Decimal, initial: Decimal | None) -> list[Finding]:
    placed = picture.cause
    if not isinstance(placed, Placed) or not placed.is_own(*STOPS):
        return []
    exit_side = "SELL" if picture.sign > 0 else "BUY"
    trigger = placed.trigger_price
    if trigger is None or placed.side != exit_side:
        return []
    bound = initial if placed.is_own(OrderRole.STOP_FLOOR) and initial is not None else force
    if (trigger - bound) * picture.sign >= 0:
        return []
    text = f"{placed.client_id} placed at {plain(trigger)}, wider than {plain(bound)}"
    return [Finding(placed.at_ms, text)]


def _loosening_cancel(
    before: Picture | None, picture: Picture, *, is_theirs: bool
) -> list[Finding]:
    gone = picture.cause
    if before is None or not isinstance(gone, Changed) or gone.by != "api":
        return []
    lost = next((o for o in before.orders if o.terms.exchange_id == gone.exchange_id), None)
    if (
        lost is None
        or not lost.terms.is_own(*STOPS)
        or gone.status not in ("CANCELED", "CANCELLED")
    ):
        return []
    if is_theirs and not _is_for_theirs(lost.own_id):
        return []  # our armed stop would close what is not ours
    had, has = before.cover_level, picture.cover_level
    if had is None or (has is not None and (has - had) * picture.sign >= 0):
        return []
    left = "nothing" if has is None else plain(has)
    text = f"{lost.terms.client_id} cancelled: cover went from {plain(had)} to {left}"
    return [Finding(gone.at_ms, text)]
