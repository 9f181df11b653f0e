"""Totals over closed positions, summed exactly (contracts.md, report)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine import __version__
from engine.domain.numbers import plain
from engine.read.documents import Document, moment_of


def totals_of(trades: Iterable[Mapping[str, Any]]) -> Document:
    """Return the sums over trade documents; money exactly, seconds to the millisecond."""
    rows = list(trades)

    def total(name: str) -> str:
        return plain(sum((Decimal(row[name]) for row in rows), Decimal(0)))

    return {
        "trades": len(rows),
        "net_pnl": total("net_pnl"),
        "commission": total("commission"),
        "funding": total("funding"),
        "naked_s": sum(round(row["naked_s"] * 1000) for row in rows) / 1000,
    }


def report_document(
    trades: Sequence[Document],
    *,
    now_ms: int,
    database: str,
    html: str | None,
    requests: Mapping[str, int],
) -> Document:
    """Return the ``keeper/report/1`` document of a store: no checks, no restarts."""
    return {
        "schema": "keeper/report/1",
        "at": moment_of(now_ms),
        "version": __version__,
        "ok": True,
        "seed": None,
        "database": database,
        "html": html,
        "trades": list(trades),
        "totals": totals_of(trades),
        "requests": dict(requests),
    }
