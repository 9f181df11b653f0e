"""Totals over closed positions, summed exactly (contracts.md, report)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
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


def sums_of(trades: Iterable[Mapping[str, Any]]) -> Document:
    """Return the totals per UTC day, per week (named by its Monday) and per exit reason."""
    rows = list(trades)
    return {
        "by_day": _grouped(rows, lambda row: str(row["closed_at"])[:10]),
        "by_week": _grouped(rows, lambda row: _monday(str(row["closed_at"]))),
        "by_exit_reason": _grouped(rows, lambda row: str(row["exit_reason"])),
    }


def _grouped(
    rows: Sequence[Mapping[str, Any]], key_of: Callable[[Mapping[str, Any]], str]
) -> Document:
    keys = sorted({key_of(row) for row in rows})
    return {key: totals_of(row for row in rows if key_of(row) == key) for key in keys}


def _monday(at: str) -> str:
    day = date.fromisoformat(at[:10])
    return (day - timedelta(days=day.weekday())).isoformat()


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
        "sums": sums_of(trades),
        "requests": dict(requests),
    }
