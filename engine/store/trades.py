"""The figures of a closed life, summed exactly from its fills (contracts.md, trade)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine.domain.numbers import ZERO
from engine.domain.order import Fill
from engine.domain.position import Life


def trade_row(life: Life, fills: Sequence[Fill], symbol: str) -> dict[str, Any]:
    """Return the ``trades`` row of a life: money in the margin asset, costs negative.

    ``net_pnl = realized_pnl + commission + funding``, exactly. ``initial_risk`` is the distance
    from entry to the initial stop times the quantity; ``mae`` and ``mfe`` are the worst and best
    price since entry, in money. Commission in another asset stays with its fill, uncounted.
    """
    entries = [f for f in fills if f.side is life.side.opening]
    exits = [f for f in fills if f.side is life.side.closing]
    quantity = sum((f.quantity for f in entries), ZERO) or life.quantity
    entry = _average(entries) or life.entry_price
    realized = sum((f.realized_pnl for f in fills), ZERO)
    commission = -sum((f.commission_in(symbol) or ZERO for f in fills), ZERO)
    funding = life.funding
    net = realized + commission + funding
    row: dict[str, Any] = {
        "generation": life.generation,
        "quantity": quantity,
        "entry_price": entry,
        "exit_price": _average(exits),
        "realized_pnl": realized,
        "commission": commission,
        "funding": funding,
        "net_pnl": net,
        "initial_risk": None,
        "r_multiple": None,
        "mae": None,
        "mfe": None,
        "entry_slippage": None,
    }
    if entry is not None:
        risk = life.side.gain(life.initial_stop, entry) * quantity
        row["initial_risk"] = risk
        row["r_multiple"] = net / risk if risk > 0 else None
        row["entry_slippage"] = life.side.gain(entry, life.limit_price)
        if life.worst_price is not None:
            row["mae"] = life.side.gain(entry, life.worst_price) * quantity
        if life.best_price is not None:
            row["mfe"] = life.side.gain(entry, life.best_price) * quantity
    return row


def _average(fills: Sequence[Fill]) -> Decimal | None:
    quantity = sum((f.quantity for f in fills), ZERO)
    if quantity == 0:
        return None
    return sum((f.price * f.quantity for f in fills), ZERO) / quantity
