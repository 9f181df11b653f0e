"""What another hand set around us: leverage, margin type, the symbol's filters (DESIGN section 5).

Each change is named once, by what the ledger saw last. What follows from it is derived anew in
every tick: prices and quantities are rounded to the filters of this look, the distance to
liquidation is the exchange's own word while a position is open (RULES H1), and an entry that no
longer fits is withdrawn (``plan.withdrawal``).
"""

from __future__ import annotations

from engine.domain.again import last_answer
from engine.domain.drift import Drift, DriftKind
from engine.domain.instrument import Instrument
from engine.domain.ledger import Ledger
from engine.domain.numbers import plain
from engine.domain.observation import Observation
from engine.domain.position import Life, Origin
from engine.domain.values import replace


def fold_settings(ledger: Ledger, observation: Observation) -> tuple[Ledger, list[Drift]]:
    """Return the ledger with the settings as they are now, and every one that changed."""
    ledger, drifts = _fold_filters(ledger, observation)
    life, fact = ledger.life, observation.symbol_config
    # What was read before the life began was set for it, and read back (RULES E4).
    if life is None or life.closed_ms is not None or fact is None or fact.at_ms <= life.armed_ms:
        return ledger, drifts
    leverage, is_isolated = fact.value.leverage, fact.value.is_isolated
    before = _leverage_before(life)
    if before is not None and leverage != before:
        drifts.append(Drift(DriftKind.LEVERAGE_CHANGED, f"from {before} to {leverage}"))
    was_isolated = life.seen_isolated
    if was_isolated is not None and is_isolated is not was_isolated:
        words = "from cross to isolated" if is_isolated else "from isolated to cross"
        drifts.append(Drift(DriftKind.MARGIN_TYPE_CHANGED, words))
    seen = replace(life, seen_leverage=leverage, seen_isolated=is_isolated)
    return ledger.with_life(seen), drifts


def _leverage_before(life: Life) -> int | None:
    """Return the leverage seen last; at first the one that was set for the life."""
    if life.seen_leverage is not None:
        return life.seen_leverage
    return life.leverage if life.origin is Origin.DECISION else None


def _fold_filters(ledger: Ledger, observation: Observation) -> tuple[Ledger, list[Drift]]:
    if observation.instrument is None:
        return ledger, []
    filters = _words(observation.instrument.value)
    drifts = []
    if ledger.filters not in ("", filters):
        drifts.append(Drift(DriftKind.FILTERS_CHANGED, f"from {ledger.filters} to {filters}"))
    return replace(ledger, filters=filters), drifts


@last_answer
def _words(instrument: Instrument) -> str:
    """Return the filters orders are cut to, in words."""
    tick, step = plain(instrument.tick_size), plain(instrument.step_size)
    least, most = plain(instrument.tradable_min), plain(instrument.market_quantity_max)
    notional = plain(instrument.notional_min)
    return f"tick {tick}, step {step}, quantity {least}..{most}, notional {notional}"
