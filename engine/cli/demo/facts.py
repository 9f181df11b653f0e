"""What the keeper's store says after the demo, read the way any other reader would."""

from __future__ import annotations

from collections.abc import Sequence

from engine.cli.demo.checks import Recorded
from engine.cli.demo.stage import Stage
from engine.cli.drawing import panel_of
from engine.read.chart import Panel
from engine.read.documents import Document
from engine.read.replay import replay
from engine.store.reading import ReadStore


def recorded_by(store: ReadStore) -> Recorded:
    """Return fills, final words on orders, exits, and every recorded tick planned again."""
    closed = reversed(store.trades(limit=1_000))
    return Recorded(
        fills=store.fills(),
        order_status={str(order.id): order.status.value for order in store.orders()},
        exits=[
            (life.side, None if life.exit_reason is None else life.exit_reason.value)
            for life, _ in closed
        ],
        replayed=replay(store.ticks()),
    )


def panels_of(store: ReadStore, trades: Sequence[Document], stage: Stage) -> list[Panel]:
    """Return each trade drawn over the prices the stage played."""
    lives = {life.id: life for life, _ in store.trades(limit=1_000)}
    restarts = [(r.killed_ms, r.covered_ms or r.started_ms) for r in stage.restarts]
    return [
        panel_of(trade, lives[str(trade["id"])], store, prices=stage.prices, restarts=restarts)
        for trade in trades
    ]
