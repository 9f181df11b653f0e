"""``keeper check``: everything that must be right before a keeper starts, each with a remedy.

Invariants: nothing is changed on the exchange without ``--probe``; every check of the contract is
reported every time, those that could not be asked as unknown.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Sequence

from engine.cli.account import (
    NOT_YET,
    PATIENCE_MS,
    Asked,
    Checked,
    alias,
    clock,
    foreign_orders,
    leverage_bracket,
    margin,
    position_mode,
    remedy_of,
    rights,
    symbol,
)
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
from engine.config import Settings, load
from engine.connection import access_of, connect
from engine.domain.errors import InvalidInput, KeeperError, StoreUnavailable
from engine.domain.observation import (
    Question,
    Topic,
)
from engine.domain.order import OrderReport
from engine.domain.position import PositionReport
from engine.exchange.port import Exchange
from engine.intake import Intake
from engine.loop import wall_guess_ms
from engine.read.documents import moment_of
from engine.store.connect import Place
from engine.store.schema import HEAD

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


def _not_asked(error: KeeperError, name: str | None) -> list[Checked]:
    """Return the failure under its own name and everything behind it as not asked."""
    problem = problem_of(error)
    detail = str(error) if problem is None else problem.message
    if name is None:
        is_key = problem is not None and problem.exit_code is ExitCode.CREDENTIALS
        name = "credentials" if is_key else "exchange"
    behind: Sequence[str] = NAMES[NAMES.index("exchange") :]
    checks = [Checked(name, ok=False, detail=detail, remedy=remedy_of(error))]
    checks += [
        Checked(other, ok=None, detail="not asked")
        for other in behind
        if other not in (name, "lease")
    ]
    return checks
