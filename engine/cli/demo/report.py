"""The demo's two results: report.json for scripts, report.html to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine import __version__
from engine.cli.demo.checks import Check
from engine.cli.demo.stage import Restart
from engine.domain.numbers import plain
from engine.read.chart import Page, Panel, Table, render
from engine.read.documents import Document, amount, moment, moment_of
from engine.read.report import totals_of

HTML, JSON, DATABASE = "report.html", "report.json", "keeper.db"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything the two reports are made from."""

    at_ms: int
    seed: int
    database: str
    checks: Sequence[Check]
    events: Sequence[Check]
    restarts: Sequence[Restart]
    trades: Sequence[Document]
    panels: Sequence[Panel]
    requests: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Return whether every check passed and everything that must be shown was shown."""
        return all(check.ok for check in (*self.checks, *self.events))


def report_document(outcome: Outcome) -> Document:
    """Return the ``keeper/report/1`` document."""
    return {
        "schema": "keeper/report/1",
        "at": moment_of(outcome.at_ms),
        "version": __version__,
        "ok": outcome.ok,
        "seed": outcome.seed,
        "database": outcome.database,
        "html": HTML,
        "checks": [check.document() for check in outcome.checks],
        "events": [check.document() for check in outcome.events],
        "restarts": [_restart(restart) for restart in outcome.restarts],
        "trades": list(outcome.trades),
        "totals": totals_of(outcome.trades),
        "requests": dict(outcome.requests),
    }


def requests_of(entries: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """Count what the venue was asked: requests, refusals, and unknown fates.

    ``weight`` adds up what each request raised the minute's count by; a new minute starts at 0.
    """
    sent = weight = rejected = before = 0
    for entry in entries:
        if entry["kind"] != "request":
            continue
        sent += 1
        now = int(str(entry["weight_1m"]))
        weight += now - before if now >= before else now
        before = now
        rejected += entry["code"] is not None
    return {"sent": sent, "weight": weight, "rejected": rejected, "unknown": 0}


def page(outcome: Outcome) -> str:
    """Return the report as a page."""
    totals = totals_of(outcome.trades)
    failed = [check.name for check in (*outcome.checks, *outcome.events) if not check.ok]
    verdict = "every check passed" if outcome.ok else f"failed: {', '.join(failed)}"
    facts = [
        ("trades", str(totals["trades"])),
        ("net result", f"{totals['net_pnl']} USDT"),
        ("commission", f"{totals['commission']} USDT"),
        ("time without cover", f"{totals['naked_s']} s"),
        ("requests", str(outcome.requests["sent"])),
        ("version", __version__),
    ]
    return render(
        Page(
            "Position Keeper: the demo",
            verdict,
            outcome.ok,
            facts,
            outcome.panels,
            (
                _checks("Checks", outcome.checks),
                _checks("What had to happen", outcome.events),
                _restarts(outcome.restarts),
                *(_stops(trade) for trade in outcome.trades),
                *(_fills(trade) for trade in outcome.trades),
            ),
        )
    )


def _restart(restart: Restart) -> Document:
    after_ms = None if restart.covered_ms is None else restart.covered_ms - restart.started_ms
    return {
        "killed_at": moment_of(restart.killed_ms),
        "signal": 9,
        "started_at": moment_of(restart.started_ms),
        "covered_at": moment(restart.covered_ms),
        "covered_after_s": None if after_ms is None else max(after_ms, 0) / 1000,
        "stop_level_before": amount(restart.level_before),
        "stop_level_after": amount(restart.level_after),
    }


def _checks(heading: str, checks: Sequence[Check]) -> Table:
    rows = [
        (c.name.replace("_", " "), "passed" if c.ok else "FAILED", str(c.checked), c.detail)
        for c in checks
    ]
    return Table(heading, ("check", "verdict", "looked at", "detail"), rows)


def _restarts(restarts: Sequence[Restart]) -> Table:
    rows = [
        (
            moment_of(r.killed_ms)[11:23],
            moment_of(r.started_ms)[11:23],
            str(_restart(r)["covered_after_s"]),
            plain(r.level_before or Decimal(0)),
            plain(r.level_after or Decimal(0)),
        )
        for r in restarts
    ]
    head = ("killed", "started", "found its cover after s", "stop before", "stop after")
    return Table("Restarts (kill -9)", head, rows)


def _stops(trade: Mapping[str, Any]) -> Table:
    rows = [
        (level["at"][11:23], str(level["level"]), str(level["reason"]), str(level["revision"]))
        for level in trade["stop_levels"]
    ]
    return Table(f"Stop levels of {trade['id']}", ("at", "level", "reason", "revision"), rows)


def _fills(trade: Mapping[str, Any]) -> Table:
    rows = [
        (f["at"][11:23], f["role"], f["side"], f["quantity"], f["price"], f["commission"])
        for f in trade["fills"]
    ]
    head = ("at", "role", "side", "quantity", "price", "commission")
    return Table(f"Executions of {trade['id']}", head, rows)
