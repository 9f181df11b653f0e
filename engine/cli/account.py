"""What `keeper check` judges of an account: each answer of the exchange as one named check.

Pure but for the two that ask the key itself; nothing is changed on the exchange.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from engine.cli.output import problem_of
from engine.config import Mode, Settings
from engine.domain.errors import KeeperError, Rejected
from engine.domain.instrument import Bracket, Instrument
from engine.domain.numbers import plain
from engine.domain.observation import AccountMode, AccountReport, SymbolConfig
from engine.domain.order import OrderReport
from engine.exchange.port import Answer, Exchange
from engine.interlock import TellsAlias
from engine.read.documents import Document

PATIENCE_MS = 5_000
NOT_YET = "?"
"""Stands in for the alias of an account that is not known yet."""


class Asked(Exchange, TellsAlias, Protocol):
    """An exchange that also says whose account the key opens."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: ``ok`` None means it could not be asked."""

    name: str
    ok: bool | None
    detail: str
    remedy: str | None = None
    severity: str = "error"

    def document(self) -> Document:
        """Return the check as the document spells it."""
        return {
            "name": self.name,
            "ok": self.ok,
            "severity": self.severity,
            "detail": self.detail,
            "remedy": self.remedy,
        }


def alias(settings: Settings, exchange: Asked) -> Checked:
    """Check whose account the key opens; in live mode it must be the one acknowledged.

    Part of ``credentials``: a right key of the wrong account is a wrong key.
    """
    try:
        found = exchange.account_alias(PATIENCE_MS)
    except KeeperError as error:
        return Checked("credentials", ok=None, detail=f"alias not told: {error}")
    wanted = settings.live.acknowledge
    detail = f"account alias {found}"
    if settings.mode is not Mode.LIVE or wanted == found:
        return Checked("credentials", ok=True, detail=detail)
    named = "" if wanted == NOT_YET else f", live.acknowledge names {wanted}"
    remedy = f"if this is the account you mean, set live.acknowledge: {found}"
    return Checked("credentials", ok=False, detail=detail + named, remedy=remedy)


def rights(exchange: Exchange, whose: Checked) -> list[Checked]:
    """Check what the key may do; ``whose`` account it opens stands beside it."""
    try:
        key = exchange.key_rights(PATIENCE_MS)
    except KeeperError as error:
        remedy = remedy_of(error)
        unknown = "the key was refused" if isinstance(error, Rejected) else "could not be asked"
        return [
            Checked("credentials", ok=False, detail=str(error), remedy=remedy),
            Checked("withdrawal_right", ok=None, detail=unknown, severity="warning"),
            Checked("ip_restriction", ok=None, detail=unknown, severity="warning"),
        ]
    if key.can_trade:
        trade = replace(whose, detail=f"the key may trade; {whose.detail}")
    else:
        remedy = "enable futures trading for this key"
        trade = Checked("credentials", ok=False, detail="the key may not trade", remedy=remedy)
    return [
        trade,
        warning(
            "withdrawal_right",
            None if key.can_withdraw is None else not key.can_withdraw,
            "the key cannot withdraw",
            "the key can withdraw: whoever steals it takes the money",
            "take the withdrawal right from the key",
        ),
        warning(
            "ip_restriction",
            key.is_ip_restricted,
            "the key works from listed addresses only",
            "the key works from anywhere",
            "restrict the key to this machine's address",
        ),
    ]


def clock(settings: Settings, exchange: Exchange) -> Checked:
    """Check how well exchange time is known."""
    error_ms, limit_ms = exchange.clock_error_ms(), settings.limits().clock_error_max_ms
    if error_ms is None:
        return Checked("clock", ok=None, detail="never measured")
    ok = error_ms <= limit_ms
    detail = f"exchange time is known to {error_ms} ms, limit {limit_ms} ms"
    return Checked("clock", ok, detail, None if ok else "use a nearer network, or ntp")


def symbol(settings: Settings, answer: Answer) -> Checked:
    """Check that the symbol exists and trades."""
    instrument = answer.value
    if not isinstance(instrument, Instrument):
        return unanswered("symbol", answer)
    detail = (
        f"{settings.symbol}: tick {plain(instrument.tick_size)}, step "
        f"{plain(instrument.step_size)}, least notional {plain(instrument.notional_min)}"
    )
    if instrument.is_trading:
        return Checked("symbol", ok=True, detail=detail)
    text = f"{settings.symbol} is not trading"
    return Checked("symbol", ok=False, detail=text, remedy="choose another symbol")


def position_mode(answer: Answer) -> Checked:
    """Check that the account is in one-way, single-asset mode."""
    mode = answer.value
    if not isinstance(mode, AccountMode):
        return unanswered("position_mode", answer)
    if mode.is_hedge:
        remedy = "set one-way mode; until then the keeper protects both sides and enters nothing"
        return Checked("position_mode", ok=False, detail="hedge mode", remedy=remedy)
    if mode.is_multi_assets:
        remedy = "switch the account to single-asset mode"
        return Checked("position_mode", ok=False, detail="multi-assets margin", remedy=remedy)
    return Checked("position_mode", ok=True, detail="one-way, single-asset")


def margin(settings: Settings, account: Answer, config: Answer) -> Checked:
    """Check what is there to trade with and how the symbol is margined."""
    report, symbol_config = account.value, config.value
    if not isinstance(report, AccountReport):
        return unanswered("margin", account)
    detail = f"wallet {plain(report.wallet)}, available {plain(report.available)}"
    if isinstance(symbol_config, SymbolConfig):
        kind = "isolated" if symbol_config.is_isolated else "cross"
        detail += f", {kind} at {symbol_config.leverage}x"
        if symbol_config.is_isolated is not settings.limits().is_isolated:
            detail += " (the keeper sets it before it enters)"
    ok = report.available > 0
    return Checked("margin", ok, detail, None if ok else "transfer margin to the futures wallet")


def leverage_bracket(settings: Settings, answer: Answer) -> Checked:
    """Check that the configured caps fit the exchange's brackets."""
    brackets = answer.value
    rows = [b for b in brackets if isinstance(b, Bracket)] if isinstance(brackets, tuple) else []
    if not rows:
        return unanswered("leverage_bracket", answer)
    limits = settings.limits()
    wanted = Decimal(limits.notional_max)
    row = next((b for b in rows if b.notional_floor <= wanted <= b.notional_cap), rows[-1])
    detail = f"{plain(wanted)} USDT allows {row.leverage_max}x, the keeper's cap is "
    detail += f"{limits.leverage_max}x"
    ok = limits.leverage_max <= row.leverage_max
    remedy = None if ok else f"set risk.leverage_max to at most {row.leverage_max}"
    return Checked("leverage_bracket", ok, detail, remedy)


def foreign_orders(*answers: Answer) -> Checked:
    """Count orders of other hands on the symbol."""
    values = [a.value for a in answers]
    if not all(isinstance(value, tuple) for value in values):
        return unanswered("foreign_orders", *answers)
    reports = [r for v in values if isinstance(v, tuple) for r in v if isinstance(r, OrderReport)]
    foreign = [report.client_id for report in reports if report.own_id is None]
    return warning(
        "foreign_orders",
        not foreign,
        "none",
        f"{len(foreign)} orders are not ours: {', '.join(foreign[:5])}",
        "they are reported and never touched; risk.block_on_foreign_orders refuses to enter",
    )


def warning(name: str, ok: bool | None, good: str, bad: str, remedy: str) -> Checked:  # noqa: FBT001
    """Return a check that is a warning when it fails, and says so when nobody can tell."""
    if ok is None:
        return Checked(name, ok=None, detail="the exchange does not tell", severity="warning")
    return Checked(name, ok, good if ok else bad, None if ok else remedy, severity="warning")


def unanswered(name: str, *answers: Answer) -> Checked:
    """Return a check whose question got no usable answer."""
    failures = [a.failure.text for a in answers if a.failure is not None]
    return Checked(name, ok=None, detail=failures[0] if failures else "no usable answer")


def remedy_of(error: KeeperError) -> str | None:
    """Return what helps against a failure."""
    problem = problem_of(error)
    return None if problem is None else problem.remedy
