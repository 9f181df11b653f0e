"""Gates of the account: margin, losses, its book, its mode (E3, E9, G6, H2, H3)."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.action import GateResult
from engine.domain.equity import Opening, day_start, drawdown_pct
from engine.domain.situation import Situation
from engine.plan.gates.entry import Entry, gate, own_lives, unknown


def margin_available(situation: Situation, entry: Entry) -> GateResult:
    """E3: the initial margin and fees are really free."""
    account = situation.observation.account
    if account is None or entry.quantity is None or entry.zone is None:
        return unknown("margin_available", "balance not read")
    need = entry.quantity * entry.zone.first_price / max(entry.decision.leverage, 1)
    free = account.value.available * situation.limits.margin_share_max_pct / 100
    return gate("margin_available", need <= free, need.quantize(Decimal("0.01")), free)


def trades_left_today(situation: Situation, entry: Entry | None) -> GateResult:
    """H2: own positions with a first fill today (UTC) below the cap; somebody's do not count."""
    start_ms = day_start(situation.now_ms)
    today = sum(1 for p in own_lives(situation) if (p.opened_ms or 0) >= start_ms)
    limit = situation.limits.trades_per_day_max
    return gate("trades_left_today", today < limit, today, limit)


def drawdown_day(situation: Situation, entry: Entry | None) -> GateResult:
    """H2: the day's loss stays above its limit; once reached, it stays reached for the day."""
    equity, limit = situation.ledger.equity, situation.limits.daily_drawdown_limit_pct
    opening = None if equity is None else equity.day
    flows = Decimal(0) if equity is None else equity.flows_day
    return _drawdown("drawdown_day", situation, opening, flows, limit)


def drawdown_week(situation: Situation, entry: Entry | None) -> GateResult:
    """H2: the week's loss stays above its limit; once reached, it stays reached for the week."""
    equity, limit = situation.ledger.equity, situation.limits.weekly_drawdown_limit_pct
    opening = None if equity is None else equity.week
    flows = Decimal(0) if equity is None else equity.flows_week
    return _drawdown("drawdown_week", situation, opening, flows, limit)


def _drawdown(
    code: str, situation: Situation, opening: Opening | None, flows: Decimal, limit: Decimal
) -> GateResult:
    equity = situation.ledger.equity
    if equity is None or opening is None:
        return unknown(code, "equity_unknown: the period's opening could not be rebuilt")
    if situation.ledger.is_equity_outdated:
        return unknown(code, "balance not read since the last position closed")
    fell = drawdown_pct(equity.now, opening.equity, flows)
    if fell is None:
        return unknown(code, "equity_unknown: no capital at the period's opening")
    passes = not opening.is_latched and fell > limit
    detail = "reached earlier in this period" if opening.is_latched else ""
    return gate(code, passes, fell.quantize(Decimal("0.001")), limit, detail)


def history_read(situation: Situation, entry: Entry) -> GateResult:
    """D2: with an empty ledger nothing enters before the exchange's history was read."""
    return gate("history_read", situation.ledger.history_read_ms is not None)


def book_clean(situation: Situation, entry: Entry) -> GateResult:
    """G6: every own order of earlier generations has a final word."""
    rest = situation.ledger.earlier_orders
    return gate("book_clean", not rest, len(rest), 0, ", ".join(str(o.id) for o in rest))


def no_foreign_orders(situation: Situation, entry: Entry | None) -> GateResult:
    """E3: the policy on other people's orders on the symbol."""
    reports = situation.observation.open_reports
    if reports is None:
        return unknown("no_foreign_orders", "order lists not read")
    foreign = sum(1 for r in reports if r.own_id is None)
    allowed = not situation.limits.block_on_foreign_orders or foreign == 0
    return gate("no_foreign_orders", allowed, foreign)


def account_usable(situation: Situation, entry: Entry | None) -> GateResult:
    """E3, H3: one-way mode, single-asset margin, symbol trading."""
    mode, instrument = situation.observation.account_mode, situation.instrument
    if mode is None or instrument is None:
        return unknown("account_usable", "account mode not read")
    usable = (
        not situation.observation.is_hedge
        and not mode.value.is_multi_assets
        and instrument.is_trading
    )
    return gate("account_usable", usable)


def stop_while_flat(situation: Situation, entry: Entry) -> GateResult:
    """E9: an account that takes no stop while flat is entered only with the user stream up."""
    known = situation.ledger.stop_while_flat
    is_fallback = known is False
    passes = not is_fallback or situation.condition.is_stream_up
    detail = "fallback mode: the stop follows the first fill" if is_fallback else ""
    return gate("stop_while_flat", passes, "unknown" if known is None else known, detail=detail)
