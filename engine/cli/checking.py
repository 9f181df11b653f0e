"""``keeper check``: everything that must be right before a keeper starts, each with a remedy.

Invariants: nothing is changed on the exchange without ``--probe``; every check of the contract is
reported every time, those that could not be asked as unknown.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from engine.app import access_of, connect
from engine.cli.common import (
    command,
    config_words,
    credentials_of,
    reader_of,
    settings_of,
)
from engine.cli.output import ExitCode, Output, Problem, problem_of
from engine.cli.probing import Probed, probe
from engine.cli.render import check_text
from engine.config import Mode, Settings, load
from engine.domain.errors import InvalidInput, KeeperError, Rejected, StoreUnavailable
from engine.domain.instrument import Bracket, Instrument
from engine.domain.numbers import plain
from engine.domain.observation import (
    AccountMode,
    AccountReport,
    Question,
    SymbolConfig,
    Topic,
)
from engine.domain.order import OrderReport
from engine.domain.position import PositionReport
from engine.exchange.port import Answer, Exchange
from engine.intake import Intake
from engine.interlock import TellsAlias
from engine.loop import wall_guess_ms
from engine.read.documents import Document, moment_of
from engine.store.connect import Place
from engine.store.schema import HEAD

PATIENCE_MS = 5_000
NOT_YET = "?"
"""Stands in for the alias of an account that is not known yet."""

QUESTIONS = (
    Topic.INSTRUMENT,
    Topic.ACCOUNT_MODE,
    Topic.ACCOUNT,
    Topic.SYMBOL_CONFIG,
    Topic.BRACKETS,
    Topic.OPEN_ORDERS,
    Topic.OPEN_ALGO_ORDERS,
)
NAMES = (
    *("config", "decisions", "store", "migrations", "exchange", "credentials"),
    *("withdrawal_right", "ip_restriction", "clock", "symbol", "position_mode", "margin"),
    *("leverage_bracket", "stop_while_flat", "lease", "foreign_orders"),
)
EXIT = {
    "store": ExitCode.STORE,
    "migrations": ExitCode.STORE,
    "exchange": ExitCode.EXCHANGE,
    "credentials": ExitCode.CREDENTIALS,
    "symbol": ExitCode.ACCOUNT,
    "position_mode": ExitCode.ACCOUNT,
}


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


def check(arguments: Namespace, output: Output) -> int:
    """Check everything; the exit code is that of the first error."""
    settings = _settings_to_check(arguments)
    checks = [
        Checked("config", ok=True, detail=f"{arguments.config}, mode {settings.mode.value}"),
        decisions(settings, arguments),
        *stores(settings, arguments),
        *exchanges(settings, wants_probe=arguments.probe),
    ]
    checks.sort(key=lambda one: NAMES.index(one.name))
    failed = [c for c in checks if c.ok is False and c.severity == "error"]
    document: dict[str, object] = {
        "schema": "keeper/check/1",
        "ok": not failed,
        "checks": [c.document() for c in checks],
    }
    output.answer(document, lambda: check_text(c.document() for c in checks))
    return int(EXIT.get(failed[0].name, ExitCode.NO) if failed else ExitCode.DONE)


def require_passing(settings: Settings) -> None:
    """Raise the first error of what only the exchange can tell, for a first start in live mode.

    Where something is held or rests already, protecting it does not wait for a perfect account.
    """
    exchange = connect(settings, credentials_of(settings))
    try:
        exchange.anchor_clock()
        checks = _asked(settings, exchange, wants_probe=False)
        is_held = _is_something_held(exchange)
    finally:
        exchange.close()
    failed = [c for c in checks if c.ok is False and c.severity == "error"]
    if failed and not is_held:
        first = failed[0]
        raise Problem(
            "live_check_failed",
            f"mode: live wants a passing check, and {first.name} fails: {first.detail}",
            EXIT.get(first.name, ExitCode.NO),
            remedy=first.remedy or "see `keeper check`",
        )


def _is_something_held(exchange: Exchange) -> bool:
    """Return whether a position or an own order is there, or whether that cannot be told."""
    topics = (Topic.POSITION, Topic.OPEN_ORDERS, Topic.OPEN_ALGO_ORDERS)
    answers = exchange.ask([Question(topic) for topic in topics], PATIENCE_MS)
    position, *books = (answer.value for answer in answers)
    if not isinstance(position, PositionReport) or not all(isinstance(b, tuple) for b in books):
        return True
    reports = [r for book in books if isinstance(book, tuple) for r in book]
    own = [r for r in reports if isinstance(r, OrderReport) and r.own_id is not None]
    return not position.is_flat or bool(own)


def _settings_to_check(arguments: Namespace) -> Settings:
    """Return the settings; live ones may lack the alias, because here is where it is learnt."""
    try:
        return settings_of(arguments)
    except InvalidInput as error:
        if error.field != "live.acknowledge" or error.others:
            raise
        return load(arguments.config, os.environ, {"live.acknowledge": NOT_YET})


def decisions(settings: Settings, arguments: Namespace) -> Checked:
    """Look into the inbox the way the keeper does."""
    intake = Intake(settings.decisions, settings.symbol, settings.limits())
    inbox = intake.look(wall_guess_ms(), 0)
    give = command("decide", "long", *config_words(arguments))
    if inbox.problem is not None:
        return Checked(
            "decisions", ok=False, detail=inbox.problem, remedy=f"make it readable, or: {give}",
            severity="warning",
        )  # fmt: skip
    refused = f", {len(inbox.refusals)} refused" if inbox.refusals else ""
    if inbox.decision is None:
        detail = f"{settings.decisions}: no valid decision{refused}"
        return Checked("decisions", ok=False, detail=detail, remedy=give, severity="warning")
    decision = inbox.decision
    made = moment_of(decision.made_ms)
    detail = f"{settings.decisions}: {decision.action.value} {decision.id} made {made}{refused}"
    return Checked("decisions", ok=True, detail=detail, severity="warning")


def stores(settings: Settings, arguments: Namespace) -> list[Checked]:
    """Check that the store can be read, is at the newest schema, and who holds the lease."""
    place = Place(settings.store.url)
    upgrade = command("db", "upgrade", *config_words(arguments))
    if place.path is not None and not place.path.exists():
        folder = place.path.parent
        made = f"{place.shown} will be made by the first start"
        unknown = Checked("lease", ok=True, detail="nobody ever held it")
        return [
            _writable(place.shown, folder_exists=folder.exists() or folder.parent.exists()),
            Checked("migrations", ok=True, detail=made),
            unknown,
        ]
    try:
        reader = reader_of(settings)
    except StoreUnavailable as error:
        is_schema = "schema" in str(error)
        name, other = ("migrations", "store") if is_schema else ("store", "migrations")
        return [
            Checked(name, ok=False, detail=error.text, remedy=error.remedy or upgrade),
            Checked(other, ok=True if is_schema else None, detail=place.shown),
            Checked("lease", ok=None, detail="the store could not be read"),
        ]
    try:
        lease = reader.lease()
    finally:
        reader.close()
    now_ms = wall_guess_ms()
    if lease is None or lease.released_ms is not None or lease.expires_ms < now_ms:
        held = Checked("lease", ok=True, detail="free")
    else:
        detail = f"pid {lease.pid} on {lease.host}, epoch {lease.epoch}"
        remedy = "a second keeper would have to wait: keeper run --standby"
        held = Checked("lease", ok=True, detail=detail, remedy=remedy)
    return [
        Checked("store", ok=True, detail=place.shown),
        Checked("migrations", ok=True, detail=f"schema {HEAD}, the newest"),
        held,
    ]


def _writable(shown: str, *, folder_exists: bool) -> Checked:
    detail = f"{shown} does not exist yet"
    if folder_exists:
        return Checked("store", ok=True, detail=detail)
    remedy = "make its folder, or set store.url to another place"
    return Checked("store", ok=False, detail=detail, remedy=remedy)


def exchanges(settings: Settings, *, wants_probe: bool) -> list[Checked]:
    """Check everything that only the exchange can tell."""
    try:
        exchange = connect(settings, credentials_of(settings))
    except KeeperError as error:
        return _not_asked(error, "exchange" if "paper" in type(error).__name__.lower() else None)
    try:
        exchange.anchor_clock()
    except KeeperError as error:
        exchange.close()
        return _not_asked(error, "exchange")
    try:
        return _asked(settings, exchange, wants_probe=wants_probe)
    finally:
        exchange.close()


def _asked(settings: Settings, exchange: Asked, *, wants_probe: bool) -> list[Checked]:
    given = exchange.ask([Question(topic) for topic in QUESTIONS], PATIENCE_MS)
    answers = dict(zip(QUESTIONS, given, strict=True))
    if wants_probe:
        probed = probe(exchange, settings, access_of(settings, credentials_of(settings)).api_key)
    else:
        probed = _known_probe(settings)
    return [
        Checked("exchange", ok=True, detail=_place(settings)),
        *rights(exchange, alias(settings, exchange)),
        clock(settings, exchange),
        symbol(settings, answers[Topic.INSTRUMENT]),
        position_mode(answers[Topic.ACCOUNT_MODE]),
        margin(settings, answers[Topic.ACCOUNT], answers[Topic.SYMBOL_CONFIG]),
        leverage_bracket(settings, answers[Topic.BRACKETS]),
        _stop_while_flat(probed),
        foreign_orders(answers[Topic.OPEN_ORDERS], answers[Topic.OPEN_ALGO_ORDERS]),
    ]


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
        remedy = _remedy(error)
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
        _warning(
            "withdrawal_right",
            None if key.can_withdraw is None else not key.can_withdraw,
            "the key cannot withdraw",
            "the key can withdraw: whoever steals it takes the money",
            "take the withdrawal right from the key",
        ),
        _warning(
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
        return _unanswered("symbol", answer)
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
        return _unanswered("position_mode", answer)
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
        return _unanswered("margin", account)
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
        return _unanswered("leverage_bracket", answer)
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
        return _unanswered("foreign_orders", *answers)
    reports = [r for v in values if isinstance(v, tuple) for r in v if isinstance(r, OrderReport)]
    foreign = [report.client_id for report in reports if report.own_id is None]
    return _warning(
        "foreign_orders",
        not foreign,
        "none",
        f"{len(foreign)} orders are not ours: {', '.join(foreign[:5])}",
        "they are reported and never touched; risk.block_on_foreign_orders refuses to enter",
    )


def _stop_while_flat(probed: Probed) -> Checked:
    remedy = None
    if probed.accepted is False:
        remedy = "the stop then follows the first fill instead of preceding it (fallback mode)"
    elif probed.accepted is None:
        remedy = "keeper check --probe tries it: flat only, 3 % away, smallest size, cancelled"
    return Checked("stop_while_flat", probed.accepted, probed.detail, remedy, severity="warning")


def _known_probe(settings: Settings) -> Probed:
    """Return what the store knows of an earlier probe or an earlier armed stop."""
    try:
        reader = reader_of(settings)
    except StoreUnavailable:
        return Probed(None, "not known yet")
    try:
        ledger = reader.ledger()
    finally:
        reader.close()
    known, found_ms = ledger.stop_while_flat, ledger.stop_while_flat_ms
    if known is None:
        return Probed(None, "not known yet")
    word = "accepted" if known else "refused"
    return Probed(known, f"{word} before" if found_ms is None else f"{word} {moment_of(found_ms)}")


def _place(settings: Settings) -> str:
    urls = settings.urls
    return "paper mode's own venue answers" if urls is None else f"{urls[0]} answers"


def _warning(name: str, ok: bool | None, good: str, bad: str, remedy: str) -> Checked:  # noqa: FBT001
    if ok is None:
        return Checked(name, ok=None, detail="the exchange does not tell", severity="warning")
    return Checked(name, ok, good if ok else bad, None if ok else remedy, severity="warning")


def _unanswered(name: str, *answers: Answer) -> Checked:
    failures = [a.failure.text for a in answers if a.failure is not None]
    return Checked(name, ok=None, detail=failures[0] if failures else "no usable answer")


def _not_asked(error: KeeperError, name: str | None) -> list[Checked]:
    """Return the failure under its own name and everything behind it as not asked."""
    problem = problem_of(error)
    detail = str(error) if problem is None else problem.message
    if name is None:
        is_key = problem is not None and problem.exit_code is ExitCode.CREDENTIALS
        name = "credentials" if is_key else "exchange"
    behind: Sequence[str] = NAMES[NAMES.index("exchange") :]
    checks = [Checked(name, ok=False, detail=detail, remedy=_remedy(error))]
    checks += [
        Checked(other, ok=None, detail="not asked")
        for other in behind
        if other not in (name, "lease")
    ]
    return checks


def _remedy(error: KeeperError) -> str | None:
    problem = problem_of(error)
    return None if problem is None else problem.remedy
