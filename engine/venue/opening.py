"""Turns the options of `keeper venue` into an open venue with its feed and its written events.

Everything a user can get wrong here is refused before a port is opened, as an `OpeningError` or as
the error of the file concerned.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from engine.venue.api import PricePoint, Venue, VenueSettings
from engine.venue.books import Books
from engine.venue.exact_yaml import NotYaml, read_yaml
from engine.venue.feeds.history import made_history
from engine.venue.feeds.recorded import Placement, candles_feed, trades_feed
from engine.venue.feeds.scenario import scenario_feed
from engine.venue.feeds.walk import walk_feed
from engine.venue.scenario import Scenario, load_scenario
from engine.venue.server import Timed
from engine.venue.serving.clock import ToldClock, VenueClock, wall_ms
from engine.venue.settings import SERVED_STREAMS, InitialPosition, Instrument
from engine.venue.switches import Switches
from engine.venue.trouble import drawn_faults

START_PRICES = {"BTCUSDT": Decimal(90800), "ETHUSDT": Decimal(3150)}
KEPT_LOG = 20_000
"""Log entries kept in memory by a venue that is meant to run for months."""

INSTRUMENTS: Mapping[str, tuple[str, Instrument]] = {
    "BTCUSDT": ("BTC", Instrument()),
    "ETHUSDT": (
        "ETH",
        Instrument(
            tick_size=Decimal("0.01"),
            price_min=Decimal("39.86"),
            price_max=Decimal(306177),
            quantity_max=Decimal(10000),
            market_quantity_max=Decimal(2000),
            notional_min=Decimal(20),
        ),
    ),
}
"""Symbols the venue knows the filters of: live values, as recorded by several public projects."""


class OpeningError(ValueError):
    """An option or a small file that cannot be used; names option, value and remedy."""

    def __init__(self, message: str, *, option: str, value: object = "", remedy: str = "") -> None:
        """Keep the parts beside the sentence made of them."""
        self.message, self.option, self.value, self.remedy = message, option, str(value), remedy
        super().__init__(f"{option} {value}: {message}" if value else f"{option}: {message}")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for, as values."""

    host: str = "127.0.0.1"
    port: int = 0
    json: bool = False
    state: Path | None = None
    keys: Path | None = None
    symbol: str | None = None
    wallet: Decimal | None = None
    scenario: Path | None = None
    walk: str | None = None
    trades: Path | None = None
    candles: Path | None = None
    seed: int = 0
    start_price: Decimal | None = None
    speed: Decimal = Decimal(1)
    offset_s: Decimal = Decimal(0)
    touch_quantity: Decimal | None = None
    latency_ms: float = 0.0
    switches: tuple[tuple[str, str], ...] = ()
    faults: Path | None = None
    trouble: Decimal | None = None
    """Faults a minute, drawn from the seed; None: none."""
    log_limit: int | None = None
    clock_ms: int | None = None
    """Where time stands until it is told to pass; None: it runs."""
    history: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """A venue ready to be served, and what else the server needs."""

    venue: Venue
    clock: VenueClock
    timed: tuple[Timed, ...]
    key: tuple[str, str] | None
    kept: bool
    """The account was taken from the books, not made from the options."""


def open_venue(options: Options, books: Books | None) -> Opened:
    """Open the venue the options describe, from its books when there are any.

    Raises:
        OpeningError: an option or a small file that cannot be used.
        ScenarioError: the scenario file cannot be used.
        RecordingError: the recording cannot be used, as far as its beginning shows.
        BooksError: the books are damaged.
    """
    kept = books.load() if books is not None else None
    scenario = load_scenario(options.scenario) if options.scenario is not None else None
    keys, read_only = (None, ()) if options.keys is None else _keys(options.keys)
    venue = None
    if kept is not None and books is not None:
        venue = _reopened(kept, keys, read_only, books)
    # Its time may have been sent ahead: it never goes back.
    kept_ms = venue.house.clock.now if venue is not None else 0
    clock = _clock(options.clock_ms, kept_ms)
    start_ms = clock.now_ms()

    first, feed = _feed(options, scenario, start_ms, venue)
    if venue is None:
        settings = replace(_settings(options, scenario, keys, first), read_only_keys=read_only)
        venue = Venue(settings, now_ms=start_ms, seed=options.seed)
        tick_size = settings.instrument.tick_size
        if options.history:
            past = made_history(first, now_ms=start_ms, seed=options.seed, tick_size=tick_size)
            venue.preload_candles(list(past))
    if feed is not None:
        venue.feed_from(feed)
    return Opened(
        venue,
        clock,
        _timed(options, scenario, start_ms),
        next(iter(keys.items())) if keys else None,
        kept is not None,
    )


def _clock(told_ms: int | None, kept_ms: int) -> VenueClock:
    if told_ms is None:
        return VenueClock(max(wall_ms(), kept_ms))
    return ToldClock(max(told_ms, kept_ms))


def _reopened(
    kept: Mapping[str, object],
    keys: Mapping[str, str] | None,
    read_only: tuple[str, ...],
    books: Books,
) -> Venue:
    """Open the venue again as it was: its own settings win over the options, but for the keys."""
    try:
        settings = {**_mapping(kept["settings"]), "keys": keys, "read_only_keys": read_only}
        return Venue.load({**kept, "settings": settings})
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise books.unusable(f"cannot be read by this version: {error!r}") from error


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a mapping is wanted, not {type(value).__name__}")
    return value


def _feed(
    options: Options, scenario: Scenario | None, start_ms: int, venue: Venue | None
) -> tuple[Decimal, Iterator[PricePoint] | None]:
    """Return the price to begin at, and the feed if one was asked for."""
    chosen = [
        name
        for name in ("scenario", "walk", "trades", "candles")
        if getattr(options, name) is not None
    ]
    if len(chosen) > 1:
        raise OpeningError(
            "only one feed can drive the price",
            option=" ".join(f"--{name}" for name in chosen),
            remedy="give one of --scenario, --walk, --trades, --candles",
        )
    symbol = _symbol(options, scenario) if venue is None else venue.house.settings.symbol
    kept_price = None if venue is None else venue.house.market.last
    begin = kept_price or options.start_price or START_PRICES[symbol]
    placement = Placement(options.speed, int(options.offset_s * 1000), start_ms)
    feed: Iterator[PricePoint]
    if scenario is not None:
        tick_size = _instrument(symbol)[1].tick_size
        feed = scenario_feed(scenario, start_ms=start_ms, tick_size=tick_size, speed=options.speed)
    elif options.walk is not None:
        tick_size = _instrument(symbol)[1].tick_size
        feed = walk_feed(
            options.walk,
            seed=options.seed,
            start_price=begin,
            start_ms=start_ms,
            tick_size=tick_size,
            speed=options.speed,
        )
    elif options.trades is not None:
        feed = trades_feed(options.trades, placement)
    elif options.candles is not None:
        feed = candles_feed(options.candles, placement)
    else:
        return begin, None
    first = next(feed, None)
    if first is None:
        raise OpeningError(
            "holds no price to begin with",
            option=f"--{chosen[0]}",
            value=getattr(options, chosen[0]),
            remedy="check the file, or start earlier with --offset",
        )
    return first.last, itertools.chain([first], feed)


def _settings(
    options: Options,
    scenario: Scenario | None,
    keys: Mapping[str, str] | None,
    first_price: Decimal,
) -> VenueSettings:
    symbol = _symbol(options, scenario)
    base_asset, instrument = _instrument(symbol)
    switches = dict(scenario.switches) if scenario is not None else {}
    switches.update(options.switches)
    wallet = options.wallet
    touch_quantity = options.touch_quantity
    position = None
    if scenario is not None:
        touch_quantity = touch_quantity or scenario.touch_quantity
        wallet = scenario.account.wallet if wallet is None else wallet
        standing = scenario.account.position
        if standing is not None:
            sign = 1 if standing.side == "long" else -1
            position = InitialPosition(sign * standing.quantity, standing.entry_price)
    log_limit = options.log_limit
    if log_limit is None and options.state is not None:
        log_limit = KEPT_LOG
    try:
        chosen = Switches.named(switches)
    except ValueError as error:
        raise OpeningError(
            str(error), option="--switch", remedy="list them with 'keeper venue --switches'"
        ) from error
    return VenueSettings(
        symbol=symbol,
        base_asset=base_asset,
        instrument=instrument,
        wallet=Decimal(1000) if wallet is None else wallet,
        position=position,
        first_price=first_price,
        touch_quantity=touch_quantity,
        keys=keys,
        switches=chosen,
        log_limit=log_limit,
        market_streams=SERVED_STREAMS,
    )


def _symbol(options: Options, scenario: Scenario | None) -> str:
    """Return the symbol asked for; one whose filters nobody knows is refused."""
    symbol = options.symbol or (scenario.symbol if scenario is not None else "BTCUSDT")
    _instrument(symbol)
    return symbol


def _instrument(symbol: str) -> tuple[str, Instrument]:
    if symbol not in INSTRUMENTS:
        raise OpeningError(
            "no filters are known for it",
            option="--symbol",
            value=symbol,
            remedy=f"known are {', '.join(INSTRUMENTS)}",
        )
    return INSTRUMENTS[symbol]


def _timed(options: Options, scenario: Scenario | None, start_ms: int) -> tuple[Timed, ...]:
    timed: list[Timed] = []

    def add(at_ms: int, act: Callable[[Venue, int], None], label: str) -> None:
        timed.append(Timed(start_ms + int(at_ms / options.speed), act, label))

    if scenario is not None:
        for hand in scenario.hands:
            add(hand.at_ms, partial(_do_hand, hand.terms), f"hand at {hand.at_ms} ms")
        for fault in scenario.faults:
            add(fault.at_ms, partial(_do_fault, fault.terms), f"fault at {fault.at_ms} ms")
    if options.faults is not None:
        for number, terms in enumerate(_faults(options.faults)):
            at_ms = int(Decimal(str(terms.get("at", 0))) * 1000)
            rest = {name: value for name, value in terms.items() if name != "at"}
            add(at_ms, partial(_do_fault, rest), f"fault {number} of {options.faults}")
    if options.trouble is not None:
        timed.append(_next_trouble(drawn_faults(options.seed, options.trouble), start_ms))
    return tuple(timed)


def _next_trouble(drawn: Iterator[tuple[int, dict[str, object]]], start_ms: int) -> Timed:
    """Return the next drawn fault; when its moment has come it is followed by the one after."""
    at_ms, terms = next(drawn)

    def strike(venue: Venue, _: int) -> None:
        following = _next_trouble(drawn, start_ms)
        entry = (following.at_ms, partial(following.act, venue))
        venue.timed = deque(sorted((*venue.timed, entry), key=_moment_of))
        venue.inject(terms)

    return Timed(start_ms + at_ms, strike, f"drawn fault {terms['kind']}")


def _moment_of(entry: tuple[int, object]) -> int:
    return entry[0]


def _do_hand(terms: Mapping[str, object], venue: Venue, now_ms: int) -> None:
    venue.hand(terms, now_ms)


def _do_fault(terms: Mapping[str, object], venue: Venue, _: int) -> None:
    venue.inject(terms)


def _faults(path: Path) -> list[Mapping[str, object]]:
    """Read a list of faults, or a mapping with the key `faults`; `at` is optional."""
    remedy = "write a YAML or JSON list of {kind, match, times, at}, as in a scenario"
    try:
        raw = read_yaml(_text(path, "--faults"))
    except NotYaml as error:
        raise OpeningError(str(error), option="--faults", value=path, remedy=remedy) from error
    rows = raw.get("faults") if isinstance(raw, Mapping) else raw
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise OpeningError("is not a list of faults", option="--faults", value=path, remedy=remedy)
    return rows


def _keys(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read one `key secret` pair a line, and which of the keys may only read.

    A third word `read` says so; empty lines and lines beginning with # are left out.
    """
    keys: dict[str, str] = {}
    read_only: list[str] = []
    for number, line in enumerate(_text(path, "--keys").splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 and words[2:] != ["read"]:
            raise OpeningError(
                f"line {number} of {path} is not a pair",
                option="--keys",
                value=f"{len(words)} words",
                remedy="write a key and its secret on a line, and 'read' behind one for looking",
            )
        keys[words[0]] = words[1]
        if len(words) == 3:
            read_only.append(words[0])
    if not keys:
        raise OpeningError(
            f"{path} holds no key",
            option="--keys",
            value=path,
            remedy="write one key and its secret a line",
        )
    return keys, tuple(read_only)


def _text(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OpeningError(
            f"{path} cannot be read: {reason}", option=option, value=path, remedy="check the path"
        ) from error
