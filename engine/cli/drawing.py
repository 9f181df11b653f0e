"""The chart page of a store: each closed position drawn from what its ticks saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from engine import __version__
from engine.domain.position import Life
from engine.read.chart import Band, Mark, Page, Panel, Table, render
from engine.read.documents import Document
from engine.read.report import totals_of
from engine.store.reading import ReadStore

PANELS_MAX = 20
MARGIN_MS = 5_000


def store_page(store: ReadStore, trades: Sequence[Document]) -> str:
    """Return the page over the closed positions; the newest ones are drawn."""
    totals = totals_of(trades)
    lives = {life.id: life for life, _ in store.trades(limit=PANELS_MAX)}
    panels = [
        panel_of(trade, lives[str(trade["id"])], store)
        for trade in trades[-PANELS_MAX:]
        if str(trade["id"]) in lives
    ]
    rows = [
        [str(trade[name]) for name in ("closed_at", "id", "side", "quantity", "entry_price")]
        + [str(trade[name]) for name in ("exit_price", "exit_reason", "net_pnl", "r_multiple")]
        for trade in trades
    ]
    head = ("closed", "trade", "side", "quantity", "entry", "exit", "reason", "net", "R")
    return render(
        Page(
            f"Position Keeper: {store.desk.symbol}",
            f"{totals['trades']} closed positions, net {totals['net_pnl']}",
            is_ok=True,
            facts=[("commission", str(totals["commission"])), ("version", __version__)],
            panels=panels,
            tables=(Table("Closed positions", head, rows),),
        )
    )


def panel_of(
    trade: Mapping[str, Any],
    life: Life,
    store: ReadStore,
    *,
    prices: Sequence[tuple[int, Decimal]] | None = None,
    restarts: Sequence[tuple[int, int]] = (),
) -> Panel:
    """Return one trade as a drawing; without ``prices`` those its recorded ticks saw."""
    fills = [mark_of(fill) for fill in trade["fills"]]
    stops = [
        (moment_ms(level["at"]), Decimal(level["level"]), str(level["reason"]))
        for level in trade["stop_levels"]
    ]
    moments = [mark.at_ms for mark in fills] + [at for at, _, _ in stops] + [life.armed_ms]
    from_ms, until_ms = min(moments) - MARGIN_MS, max(moments)
    if prices is None:
        prices = _seen_prices(store, from_ms, until_ms + MARGIN_MS)
    bands = []
    if life.zone_low is not None and life.zone_high is not None:
        bands.append(Band(life.zone_low, life.zone_high, "entry", "entry zone"))
    if life.zone is not None:
        bands.append(Band(life.zone.low, life.zone.high, "liquidation", "liquidation zone"))
    targets = [("tp1", life.tp1_price), ("tp2", None if life.zone else life.tp2_price)]
    reason = str(trade["exit_reason"]).replace("_", " ")
    return Panel(
        f"{trade['side']} {trade['quantity']} from {trade['entry_price']}: {reason}, "
        f"net {trade['net_pnl']}",
        [(at, price) for at, price in prices if from_ms <= at <= until_ms + MARGIN_MS],
        stops,
        fills,
        bands,
        [(name, price) for name, price in targets if price is not None],
        [r for r in restarts if from_ms <= r[0] <= until_ms],
        until_ms,
    )


def mark_of(fill: Mapping[str, Any]) -> Mark:
    """Return an execution as a mark on the chart."""
    role = str(fill["role"])
    text = f"{role.replace('_', ' ')}: {fill['side']} {fill['quantity']} at {fill['price']}"
    return Mark(moment_ms(fill["at"]), Decimal(fill["price"]), role, text)


def moment_ms(text: str) -> int:
    """Return the milliseconds that RFC 3339 text of ours names."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _seen_prices(store: ReadStore, from_ms: int, to_ms: int) -> list[tuple[int, Decimal]]:
    seen = []
    for record in store.ticks(from_ms=from_ms, to_ms=to_ms):
        if not record.is_of_this_version:
            continue
        price = record.observation.last_price or record.observation.mark_price
        if price is not None:
            seen.append((record.now_ms, price))
    return seen
