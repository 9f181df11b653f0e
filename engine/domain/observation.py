"""What the exchange says at one instant: facts, each with its source and age.

``None`` means not known (not asked, or asked in vain), never "nothing there": absence is not
evidence (RULES C1). A flat position is a ``PositionReport`` of quantity 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from engine.domain.instrument import Bracket, Instrument
from engine.domain.order import Fill, OrderReport
from engine.domain.position import PositionReport
from engine.domain.terms import Book, Side, WorkingPrice

T = TypeVar("T")


class Topic(StrEnum):
    """A question the keeper can ask the exchange."""

    POSITION = "position"
    OPEN_ORDERS = "open_orders"
    OPEN_ALGO_ORDERS = "open_algo_orders"
    BOOK_TICKER = "book_ticker"
    MARK_PRICE = "mark_price"
    CANDLES = "candles"
    FILLS = "fills"
    ORDER = "order"
    INSTRUMENT = "instrument"
    BRACKETS = "brackets"
    ACCOUNT = "account"
    SYMBOL_CONFIG = "symbol_config"
    ACCOUNT_MODE = "account_mode"
    COMMISSION = "commission"
    INCOME = "income"
    ORDER_HISTORY = "order_history"
    ALGO_HISTORY = "algo_history"


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    ``client_id`` or ``exchange_id`` and ``book`` are for ORDER, ``since_ms`` for FILLS, INCOME and
    the histories, ``limit`` for CANDLES.
    """

    topic: Topic
    client_id: str | None = None
    exchange_id: str | None = None
    book: Book | None = None
    since_ms: int | None = None
    limit: int | None = None


class Source(StrEnum):
    """Where a fact comes from."""

    REST = "rest"
    STREAM = "stream"
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """A value with the exchange time at which its answer arrived."""

    value: T
    at_ms: int
    source: Source = Source.REST


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask in quote currency."""

    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class MarkQuote:
    """Mark and index price, and when funding is charged next."""

    mark: Decimal
    index: Decimal
    funding_rate: Decimal
    next_funding_ms: int


@dataclass(frozen=True, slots=True)
class Candle:
    """One 1m candle of traded prices; the last one of a list is still open."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


@dataclass(frozen=True, slots=True)
class AccountReport:
    """Wallet of the margin asset and what is free of it."""

    wallet: Decimal
    unrealized_pnl: Decimal
    available: Decimal

    @property
    def equity(self) -> Decimal:
        """Return wallet plus unrealised result (RULES H2)."""
        return self.wallet + self.unrealized_pnl


@dataclass(frozen=True, slots=True)
class SymbolConfig:
    """Leverage and margin type the account has set for our symbol."""

    leverage: int
    is_isolated: bool


@dataclass(frozen=True, slots=True)
class AccountMode:
    """Account-wide modes that decide whether this keeper can work at all."""

    is_hedge: bool
    is_multi_assets: bool


BASE_TAKER_RATE = Decimal("0.0005")
"""Assumed until the account's own was read: the base tier (binance-usdm.md section 7)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Commission rates as fractions."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True)
class Income:
    """One line of the income history; ``kind`` is the exchange's incomeType."""

    kind: str
    amount: Decimal
    asset: str
    symbol: str
    at_ms: int
    transfer_id: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """The exchange does not find an order: not proof that there is none (RULES C1)."""

    client_id: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A question that got no usable answer."""

    topic: Topic
    fate: str
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class StreamWord:
    """How far the user stream can be judged.

    Since when it stands, and the exchange's time of the last order event it brought (None: none).
    """

    up_since_ms: int
    told_ms: int | None


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one tick saw. ``now_ms`` is exchange time read once at the start of the tick.

    ``lookups`` are the fates asked by id; ``fills`` the trades since the last one recorded;
    ``history`` own orders found in the histories (asked when the ledger is empty or behind).
    ``is_second`` tells that something had changed and the picture was read again. ``hedged`` are
    the held sides of an account in hedge mode, whose one-way ``position`` reads flat (RULES H3).
    ``pushed`` is what the user stream said of own orders since the look before: believed towards
    more protection only (DESIGN section 2). ``is_unasked``: nothing was asked, because what was
    pushed needs a stop at once; the look that asks follows.
    """

    now_ms: int
    position: Fact[PositionReport] | None = None
    orders: Fact[tuple[OrderReport, ...]] | None = None
    algo_orders: Fact[tuple[OrderReport, ...]] | None = None
    lookups: tuple[Fact[OrderReport | NotFound], ...] = ()
    fills: Fact[tuple[Fill, ...]] | None = None
    quote: Fact[Quote] | None = None
    mark: Fact[MarkQuote] | None = None
    candles: Fact[tuple[Candle, ...]] | None = None
    instrument: Fact[Instrument] | None = None
    brackets: Fact[tuple[Bracket, ...]] | None = None
    account: Fact[AccountReport] | None = None
    symbol_config: Fact[SymbolConfig] | None = None
    account_mode: Fact[AccountMode] | None = None
    rates: Fact[Rates] | None = None
    income: Fact[tuple[Income, ...]] | None = None
    history: Fact[tuple[OrderReport, ...]] | None = None
    failures: tuple[Failure, ...] = ()
    is_second: bool = False
    hedged: Fact[tuple[PositionReport, ...]] | None = None
    pushed: tuple[Fact[OrderReport], ...] = ()
    stream: StreamWord | None = None
    is_unasked: bool = False

    @property
    def last_price(self) -> Decimal | None:
        """Return the last traded price: the close of the open candle."""
        if self.candles is None or not self.candles.value:
            return None
        return self.candles.value[-1].close

    @property
    def mark_price(self) -> Decimal | None:
        """Return the mark price."""
        return None if self.mark is None else self.mark.value.mark

    def working(self, which: WorkingPrice) -> Decimal | None:
        """Return the price that fires a conditional order of that kind."""
        return self.last_price if which is WorkingPrice.LAST else self.mark_price

    @property
    def is_hedge(self) -> bool:
        """Return whether the account is in hedge mode, as far as we know.

        Positions are read in every tick and say it themselves; the mode is asked rarely.
        """
        if self.hedged is not None:
            return True
        if self.position is not None and not self.position.value.is_flat:
            return False
        return self.account_mode is not None and self.account_mode.value.is_hedge

    def hedged_on(self, side: Side) -> PositionReport | None:
        """Return the position held on ``side`` in hedge mode, None when there is none."""
        held = () if self.hedged is None else self.hedged.value
        return next((report for report in held if report.side is side), None)

    @property
    def open_reports(self) -> tuple[OrderReport, ...] | None:
        """Return both books' open orders, or None unless both lists were read."""
        if self.orders is None or self.algo_orders is None:
            return None
        return self.orders.value + self.algo_orders.value

    def listed_ms(self, client_id: str, book: Book) -> int | None:
        """Return when the open orders of ``book`` showed that one, None if they do not."""
        listing = self.orders if book is Book.REGULAR else self.algo_orders
        if listing is None or all(report.client_id != client_id for report in listing.value):
            return None
        return listing.at_ms

    def with_failure(self, failure: Failure) -> Observation:
        """Return the observation with one more question that failed."""
        return replace(self, failures=(*self.failures, failure))
