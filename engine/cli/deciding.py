"""``keeper decide``: write a valid fresh decision, with levels around the price unless given."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal, InvalidOperation
from pathlib import Path

from engine.cli.common import command, config_words, credentials_of, settings_of
from engine.cli.output import ExitCode, Output, Problem
from engine.config import Settings
from engine.connection import connect
from engine.domain.decision import Decided
from engine.domain.errors import Indeterminate, KeeperError
from engine.domain.instrument import Instrument
from engine.domain.numbers import ONE, plain
from engine.domain.observation import Question, Topic
from engine.exchange.port import Exchange
from engine.intake import Wishes, compose, describe, write
from engine.loop import wall_guess_ms

PATIENCE_MS = 5_000


def decide(arguments: Namespace, output: Output) -> int:
    """Compose the decision around the current price and put it into the inbox."""
    settings = settings_of(arguments)
    action = Decided(arguments.action)
    wishes = _wishes(arguments)
    if action is Decided.FLAT:
        document = compose(action, settings.symbol, _moment(settings), None, ONE, wishes=wishes)
    else:
        document = _opening(action, settings, wishes)
    path = write(document, arguments.file or settings.decisions)
    answer: dict[str, object] = {
        "schema": "keeper/decide/1",
        "file": str(path),
        "decision": _jsonable(document),
    }
    output.answer(answer, lambda: f"{describe(document)}\nwritten to {path}")
    if not output.as_json:
        output.progress(f"next: {command('status', *config_words(arguments), '--watch')}")
    return int(ExitCode.DONE)


def _opening(action: Decided, settings: Settings, wishes: Wishes) -> dict[str, object]:
    """Return a decision to open, its levels around the price; raises when nobody tells it."""
    with closing(connect(settings, credentials_of(settings))) as exchange:
        exchange.anchor_clock()
        instrument, price = _market(exchange)
        return compose(
            action,
            settings.symbol,
            exchange.now_ms(),
            price,
            instrument.tick_size,
            limits=settings.limits(),
            wishes=wishes,
        )


def _moment(settings: Settings) -> int:
    """Return exchange time, or this machine's where the exchange cannot be asked.

    Saying flat must always be possible; the keeper refuses what lies more than seconds ahead.
    """
    try:
        with closing(connect(settings, credentials_of(settings))) as exchange:
            exchange.anchor_clock()
            return exchange.now_ms()
    except KeeperError:
        return wall_guess_ms()


def _market(exchange: Exchange) -> tuple[Instrument, Decimal | None]:
    """Return the symbol's filters and its last price; raises ``Indeterminate``."""
    questions = (Question(Topic.INSTRUMENT), Question(Topic.CANDLES, limit=1))
    instrument, candles = exchange.ask(questions, PATIENCE_MS)
    if not isinstance(instrument.value, Instrument):
        why = instrument.failure.text if instrument.failure is not None else "no answer"
        raise Indeterminate(f"the symbol's filters: {why}")
    last = candles.value[-1] if isinstance(candles.value, tuple) and candles.value else None
    close = getattr(last, "close", None)
    return instrument.value, close if isinstance(close, Decimal) else None


def _wishes(arguments: Namespace) -> Wishes:
    default = Wishes()
    zone = None
    if arguments.entry_zone is not None:
        low, high = (_number("--entry-zone", text) for text in arguments.entry_zone)
        zone = (low, high)
    return Wishes(
        zone=zone,
        stop=_optional("--sl", arguments.sl),
        tp1=_optional("--tp1", arguments.tp1),
        tp2=_optional("--tp2", arguments.tp2),
        size_usdt=_optional("--size", arguments.size) or default.size_usdt,
        leverage=default.leverage if arguments.leverage is None else arguments.leverage,
        confidence=_optional("--confidence", arguments.confidence) or default.confidence,
        reason=arguments.reason or default.reason,
    )


def _optional(option: str, text: str | None) -> Decimal | None:
    return None if text is None else _number(option, text)


def _number(option: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Problem(
            "usage",
            "is not a number",
            ExitCode.USAGE,
            field=option,
            value=text,
            remedy="write it in plain notation, such as 90700.5",
        )
    return number


def _jsonable(value: object) -> object:
    match value:
        case Mapping():
            return {str(key): _jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [_jsonable(item) for item in value]
        case Decimal():
            return plain(value)
        case Path():
            return str(value)
        case _:
            return value
