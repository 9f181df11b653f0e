"""Folding the position in: what exists is believed on one read, flat only when proven (RULES C2).

Sizes come from the exchange, never from sums of local fills alone (lesson 13); while reads may
still lag a fill, the larger of the two counts, because a stop too large is not a drift (RULES A4).
"""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from engine.domain.again import last_answer
from engine.domain.drift import Drift, DriftKind
from engine.domain.identity import OrderRole
from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.numbers import ZERO, plain
from engine.domain.observation import Observation
from engine.domain.order import Fill, signed
from engine.domain.position import ExitReason, Life, Origin, PositionReport
from engine.domain.values import replace
from engine.reconcile.fills import has_untold_trades, sum_of
from engine.reconcile.whose import is_somebodys, own_fills, tells_all, until_flat

LAG_MS = 10_000
"""A position read may lag a fill; older fills are reflected (RULES B3 b, C2)."""

FLAT_READS = 3


def fold_position(
    ledger: Ledger, observation: Observation, limits: Limits
) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with the position folded into its life, and what differed."""
    if observation.position is None:
        return ledger, []
    read = observation.position.value
    life = ledger.life
    if life is None or life.swept_ms is not None:
        return replace(ledger, position_quantity=read.signed_quantity), []
    if read.is_flat or life.closed_ms is not None:
        return _fold_flat(ledger, life, read, observation, limits)
    if _is_outdated(read, life, ledger):
        first_ms = life.flat_seen_ms or observation.now_ms
        return _with(ledger, replace(life, quantity=ZERO, flat_seen_ms=first_ms)), []
    if life.opened_ms is None and is_somebodys(ledger, life, read):
        if _was_ours_before(ledger, life, read):
            ledger = replace(ledger, fills=until_flat(ledger, life))
            return _fold_flip(ledger, _opened(life, ledger, observation), read, observation)
        return _give_way(ledger, life, read, observation)
    if read.side is not life.side:
        return _fold_flip(ledger, life, read, observation)
    if _was_flat_between(ledger, life, read):
        ledger = replace(ledger, fills=until_flat(ledger, life))
        return _fold_flip(ledger, life, read, observation)
    return _fold_position(ledger, life, read, observation, limits)


def _is_outdated(read: PositionReport, life: Life, ledger: Ledger) -> bool:
    """Return whether a read is older than the fill that, by all we know, ended the position (C2).

    It neither reopens nor uncovers what is flat; the life ends when a read agrees.
    """
    return (
        life.is_open
        and ledger.entries_are_final
        and tells_all(ledger, life)
        and sum_of(ledger.fills) == 0
        and executed_of(ledger, life) == 0
        and read.updated_ms < ledger.last_fill_ms
    )


@last_answer
def _was_flat_between(ledger: Ledger, life: Life, read: PositionReport) -> bool:
    """Return whether the trades say that ours was closed before what stands there was opened.

    They must add up to a part of the position that is read: their list may lag it.
    """
    if not (life.is_open and ledger.entries_are_final) or has_untold_trades(ledger):
        return False
    if not 0 < sum_of(ledger.fills) * life.side.sign <= read.quantity:
        return False
    return len(until_flat(ledger, life)) < len(ledger.fills)


def _was_ours_before(ledger: Ledger, life: Life, read: PositionReport) -> bool:
    """Return whether ours was opened and taken away between two looks: what stands is another's.

    The trades name our entry among those that add up to exactly what is read. A read that lags our
    own fill shows less, and is waited for.
    """
    if not ledger.entries_are_final or has_untold_trades(ledger):
        return False
    was_ours = any(f.own_id is not None and f.side is life.side.opening for f in ledger.fills)
    return was_ours and sum_of(ledger.fills) == read.signed_quantity


def _fold_position(
    ledger: Ledger, life: Life, read: PositionReport, observation: Observation, limits: Limits
) -> tuple[Ledger, list[Drift]]:
    drifts: list[Drift] = []
    by_fills = sum_of(ledger.fills) * life.side.sign
    executed = executed_of(ledger, life)
    is_lagging = observation.now_ms - ledger.last_fill_ms < LAG_MS or executed != by_fills
    quantity = max(read.quantity, executed) if is_lagging else read.quantity
    if quantity != by_fills and not is_lagging and life.origin is Origin.DECISION:
        drifts.append(
            Drift(
                DriftKind.QUANTITY_GAP, f"position {plain(read.quantity)}, fills {plain(by_fills)}"
            )
        )
    if life.origin is not Origin.DECISION and not is_lagging:
        life = replace(life, untold=read.quantity - by_fills)
    life = replace(
        _opened(life, ledger, observation),
        quantity=quantity,
        entry_price=read.entry_price,
        liquidation_price=read.liquidation_price,
        liquidation_reads=_agreeing(life, read, limits),
        flat_seen_ms=None,
        flat_reads=0,
    )
    return _with(ledger, life), drifts


def _agreeing(life: Life, read: PositionReport, limits: Limits) -> int:
    """Return how many reads in a row named this liquidation price: two are enough (RULES C6).

    With cross margin it moves with every result on the account. Two reads agree when they lie no
    further apart than a tenth of the buffer that is kept before it (RULES H1): what they differ by
    decides nothing. A missing price agrees with a missing one only.
    """
    known, now = life.liquidation_price, read.liquidation_price
    if known is None or now is None:
        agrees = known is now
    else:
        agrees = abs(now - known) <= read.mark_price * limits.liq_buffer_pct / 100 / 10
    return min(life.liquidation_reads + 1, 2) if agrees else 1


def _fold_flat(
    ledger: Ledger,
    life: Life,
    read: PositionReport,
    observation: Observation,
    limits: Limits,
) -> tuple[Ledger, list[Drift]]:
    """Fold a read that shows nothing: proven flat, not yet opened, or only lagging."""
    if life.closed_ms is not None:
        ledger = ledger.with_life(_explained(ledger, life))
        return replace(ledger, position_quantity=read.signed_quantity), []
    by_fills = sum_of(ledger.fills) * life.side.sign
    executed = executed_of(ledger, life)
    has_executed = any(o.quantity_filled > 0 for o in ledger.of_life(OrderRole.ENTRY))
    if life.opened_ms is None and not has_executed and not _may_have_executed(ledger, life):
        return _with(ledger, replace(life, quantity=ZERO)), []
    life = _opened(life, ledger, observation)
    first_ms = observation.now_ms if life.flat_seen_ms is None else life.flat_seen_ms
    reads = min(life.flat_reads + 1, FLAT_READS)
    # While an entry may still fill, flat is only a pause: nothing may be swept (RULES C2, E5).
    can_end = ledger.entries_are_final
    is_told = tells_all(ledger, life) and by_fills == 0 and executed == 0
    if can_end and (is_told or _is_accounted_for(ledger, life)):
        return _with(ledger, _closed(ledger, life, observation.now_ms)), []
    is_old = observation.now_ms - ledger.last_fill_ms >= limits.flat_wait_ms
    has_waited = observation.now_ms - first_ms >= limits.flat_wait_ms
    if can_end and reads >= FLAT_READS and has_waited and is_old:
        drift = Drift(
            DriftKind.PHANTOM_POSITION, f"flat on {reads} reads, fills say {plain(by_fills)}"
        )
        return _with(ledger, _closed(ledger, life, observation.now_ms)), [drift]
    is_explained = executed == 0 and (
        tells_all(ledger, life) or (has_executed and life.origin is Origin.DECISION)
    )
    believed = ZERO if is_explained else max(life.quantity, executed, ZERO)
    life = replace(life, quantity=believed, flat_seen_ms=first_ms, flat_reads=reads)
    return _with(ledger, life), []


def _is_accounted_for(ledger: Ledger, life: Life) -> bool:
    """Return whether trades took away all that was held of a position they did not open (C2).

    What an imported life, or somebody, held before the first of them is known from the exchange.
    """
    if life.untold is None or has_untold_trades(ledger):
        return False
    return life.untold + sum_of(ledger.fills) * life.side.sign == 0


def _may_have_executed(ledger: Ledger, life: Life) -> bool:
    """Return whether trades or pushes say that an entry of ours executed; others' say nothing."""
    ours = replace(ledger, fills=own_fills(ledger, life))
    return executed_of(ours, life) > 0


@last_answer
def executed_of(ledger: Ledger, life: Life) -> Decimal:
    """Return the position our evidence adds up to, unsigned: fills, and executions without one.

    An order's report may name an execution before the list of trades does, and the user stream
    an entry's before either; of an exit only answers are believed (DESIGN section 2).
    """
    total = sum_of(ledger.fills) * life.side.sign
    if life.origin is not Origin.DECISION:
        return total  # an imported life's older fills are not in the ledger
    listed: dict[str, Decimal] = {}
    for fill in ledger.fills:
        listed[fill.client_id] = listed.get(fill.client_id, ZERO) + fill.quantity
    for order in ledger.of_life():
        is_entry = order.role is OrderRole.ENTRY
        executed = order.quantity_filled + (order.quantity_untold if is_entry else ZERO)
        if not executed:
            continue
        unlisted = max(executed - listed.get(str(order.id), ZERO), ZERO)
        total += unlisted if is_entry else -unlisted
    return total


def _give_way(
    ledger: Ledger, life: Life, read: PositionReport, observation: Observation
) -> tuple[Ledger, list[Drift]]:
    """Somebody's position stands where ours was to be: the entry is given up (RULES G1)."""
    drift = Drift(
        DriftKind.SIDE_DIFFERS if read.side is not life.side else DriftKind.QUANTITY_GAP,
        f"ours, {life.side}, has not opened; the exchange shows {read.side} {plain(read.quantity)}",
    )
    life = replace(
        life,
        quantity=ZERO,
        withdrawing=life.withdrawing or "foreign_position",
        withdrawing_ms=life.withdrawing_ms or observation.now_ms,
        chasing_ms=None,
    )
    return replace(_with(ledger, life), position_quantity=read.signed_quantity), [drift]


def _fold_flip(
    ledger: Ledger, life: Life, read: PositionReport, observation: Observation
) -> tuple[Ledger, list[Drift]]:
    """A flip by hand is our position closed plus a position that is not ours (RULES G1)."""
    is_flip = read.side is not life.side
    drift = Drift(
        DriftKind.SIDE_DIFFERS if is_flip else DriftKind.QUANTITY_GAP,
        f"ours is {life.side}, the exchange shows {read.side} {plain(read.quantity)}"
        + ("" if is_flip else ", opened after ours was closed"),
    )
    life = _closed(ledger, life, observation.now_ms)
    if is_flip:
        life = replace(life, exit_reason=ExitReason.BY_USER, closed_by="user")
    return replace(ledger, life=life, position_quantity=read.signed_quantity), [drift]


def _with(ledger: Ledger, life: Life) -> Ledger:
    return replace(ledger, life=life, position_quantity=signed(life.side, life.quantity))


def _opened(life: Life, ledger: Ledger, observation: Observation) -> Life:
    if life.opened_ms is not None:
        return life
    first = min((f.at_ms for f in ledger.fills), default=observation.now_ms)
    return replace(life, opened_ms=first)


def _closed(ledger: Ledger, life: Life, now_ms: int) -> Life:
    """Return the life ended: when, why and by whom, from the last fill that reduced it."""
    exits = [f for f in ledger.fills if f.side is life.side.closing]
    reason, by = exit_of(life, ledger, exits[-1] if exits else None)
    closed_ms = exits[-1].at_ms if exits else now_ms
    was_naked = life.uncovered_quantity > 0 and life.accounted_ms is not None
    naked_ms = max(closed_ms - (life.accounted_ms or 0), 0) if was_naked else 0
    return replace(
        life,
        quantity=ZERO,
        closed_ms=closed_ms,
        exit_reason=reason,
        closed_by=by,
        naked_ms=life.naked_ms + naked_ms,
        naked_quantity_s=life.naked_quantity_s + life.uncovered_quantity * naked_ms / 1000,
        uncovered_quantity=ZERO,
        crossed_since_ms=None,
        accounted_ms=now_ms,
    )


def _explained(ledger: Ledger, life: Life) -> Life:
    """Return a closed life with its reason as known now: who traded is told after the trade."""
    exits = [f for f in ledger.fills if f.side is life.side.closing]
    if not exits:
        return life
    reason, by = exit_of(life, ledger, exits[-1])
    return replace(life, exit_reason=reason, closed_by=by)


def exit_of(life: Life, ledger: Ledger, last: Fill | None) -> tuple[ExitReason, str]:
    """Return why a life ended and who ended it, by the order that executed last (lesson 7)."""
    if last is None:
        return ExitReason.BY_USER, "user"
    own_id = last.own_id
    if own_id is None:
        return _foreign_exit(last.client_id)
    if own_id.generation != life.generation:
        return ExitReason.ZOMBIE, "keeper"
    match own_id.role:
        case OrderRole.TP1:
            return ExitReason.TP1, "keeper"
        case OrderRole.TP2:
            return ExitReason.TP2, "keeper"
        case OrderRole.LIQUIDATION_EXIT:
            return ExitReason.LIQUIDATION_EXIT, "keeper"
        case OrderRole.STOP_PRIMARY | OrderRole.STOP_FLOOR | OrderRole.STOP_BRIDGE:
            return _stop_exit(ledger, own_id.role, own_id.revision), "keeper"
        case OrderRole.EMERGENCY | OrderRole.ENTRY | OrderRole.PROBE:
            return life.closing or ExitReason.EMERGENCY, "keeper"
        case _:
            assert_never(own_id.role)


def _foreign_exit(client_id: str) -> tuple[ExitReason, str]:
    if client_id.startswith("autoclose-"):
        return ExitReason.LIQUIDATED, "exchange"
    if client_id.startswith("adl_autoclose"):
        return ExitReason.ADL, "exchange"
    return ExitReason.BY_USER, "user"


_STOP_EXIT = {"breakeven": ExitReason.BREAKEVEN_STOP, "trail": ExitReason.TRAILING_STOP}


def _stop_exit(ledger: Ledger, role: OrderRole, revision: int) -> ExitReason:
    if role is not OrderRole.STOP_PRIMARY:
        return ExitReason.STOP
    reason = next((lv.reason for lv in ledger.levels if lv.revision == revision), "initial")
    return _STOP_EXIT.get(reason, ExitReason.STOP)
