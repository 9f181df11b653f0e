"""Closed positions as documents: the store's exact figures, with fills and confirmed levels.

``net_pnl = realized_pnl + commission + funding`` holds exactly, because it is one sum of decimals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.domain.numbers import ZERO, plain
from engine.domain.position import LevelState, Life, StopLevel
from engine.read.documents import Document, amount, fill_document, level_document, moment
from engine.store.reading import ReadStore

MONEY = Decimal("0.00000001")
RATIO = Decimal("0.0001")
LIMIT = 1_000_000


def trade_documents(store: ReadStore, *, limit: int = LIMIT) -> list[Document]:
    """Return the last ``limit`` closed positions, oldest first."""
    closed = store.trades(limit=limit)
    return [trade_document(store, life, row) for life, row in reversed(closed)]


def history_document(store: ReadStore, *, limit: int = LIMIT) -> Document:
    """Return the ``keeper/history/1`` document."""
    return {"schema": "keeper/history/1", "trades": trade_documents(store, limit=limit)}


def trade_document(store: ReadStore, life: Life, row: dict[str, Any]) -> Document:
    """Return one closed position."""
    realized, commission, funding = (
        row[name] or ZERO for name in ("realized_pnl", "commission", "funding")
    )
    return {
        "id": life.id,
        "decision_id": life.decision_id or None,
        "side": life.side.value,
        "opened_at": moment(life.opened_ms),
        "closed_at": moment(life.closed_ms),
        "exit_reason": None if life.exit_reason is None else life.exit_reason.value,
        "closed_by": life.closed_by or None,
        "quantity": plain(row["quantity"]),
        "entry_price": amount(_rounded(row["entry_price"], MONEY)) or plain(life.limit_price),
        "exit_price": amount(_rounded(row["exit_price"], MONEY)),
        "realized_pnl": plain(realized),
        "commission": plain(commission),
        "funding": plain(funding),
        "net_pnl": plain(realized + commission + funding),
        "initial_risk": amount(_rounded(row["initial_risk"], MONEY)),
        "r_multiple": amount(_rounded(row["r_multiple"], RATIO)),
        "mae": amount(_rounded(row["mae"], MONEY)),
        "mfe": amount(_rounded(row["mfe"], MONEY)),
        "entry_slippage": amount(_rounded(row["entry_slippage"], MONEY)),
        "naked_s": life.naked_ms / 1000,
        "naked_quantity_s": plain(life.naked_quantity_s),
        "loose_s": life.loose_ms / 1000,
        "fills": [fill_document(fill) for fill in store.fills(generation=life.generation)],
        "stop_levels": [level_document(level) for level in confirmed(store, life.generation)],
    }


def confirmed(store: ReadStore, generation: int) -> list[StopLevel]:
    """Return the levels that were in force, oldest first."""
    levels = store.stop_levels(generation)
    return [level for level in levels if level.state is LevelState.CONFIRMED]


def _rounded(value: Decimal | None, place: Decimal) -> Decimal | None:
    """Cut the endless digits of a division; sums are never touched."""
    return None if value is None else value.quantize(place)
