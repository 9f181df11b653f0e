"""What one simulated exchange is: its symbol, filters, brackets, fees, account and habits.

Everything here is fixed for the life of a venue and nothing here is state. The defaults are the
live figures of BTCUSDT (exchange reference, sections 5.2 and 7). Prices and amounts are `Decimal`s
in the quote asset, quantities in the base asset, times in milliseconds of exchange time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Mapping

D = Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """The filters of the one symbol the venue trades."""

    tick_size: Decimal = D("0.10")
    step_size: Decimal = D("0.001")
    price_min: Decimal = D("556.80")
    price_max: Decimal = D("4529764")
    quantity_min: Decimal = D("0.001")
    quantity_max: Decimal = D("1000")
    market_quantity_min: Decimal = D("0.001")
    market_quantity_max: Decimal = D("120")
    notional_min: Decimal = D("50")
    multiplier_up: Decimal = D("1.0500")
    multiplier_down: Decimal = D("0.9500")
    market_take_bound: Decimal = D("0.05")
    trigger_protect: Decimal = D("0.0500")
    price_precision: int = 2
    quantity_precision: int = 3
    orders_max: int = 200
    algo_orders_max: int = 200


@dataclass(frozen=True, slots=True)
class Bracket:
    """One row of the leverage table; `cum` is derived from the rows before it."""

    number: int
    leverage_max: int
    notional_floor: Decimal
    notional_cap: Decimal
    ratio: Decimal
    cum: Decimal


def brackets(*rows: tuple[int, str, str]) -> tuple[Bracket, ...]:
    """Build a table from rows of (highest leverage, notional cap, maintenance ratio).

    The deduction follows from continuity: cum_n = floor_n * (r_n - r_(n-1)) + cum_(n-1)
    (exchange reference, section 8).
    """
    table: list[Bracket] = []
    floor, ratio_before, cum = D(0), D(0), D(0)
    for number, (leverage, cap, ratio_text) in enumerate(rows, start=1):
        ratio = D(ratio_text)
        cum += floor * (ratio - ratio_before)
        table.append(Bracket(number, leverage, floor, D(cap), ratio, cum))
        floor, ratio_before = D(cap), ratio
    return tuple(table)


USUAL_LEVERAGE = 125

BTCUSDT_BRACKETS = brackets(
    (125, "300000", "0.004"),
    (100, "800000", "0.005"),
    (75, "3000000", "0.0065"),
    (50, "12000000", "0.01"),
    (25, "70000000", "0.02"),
    (20, "100000000", "0.025"),
    (10, "230000000", "0.05"),
    (5, "480000000", "0.1"),
    (4, "600000000", "0.125"),
    (3, "800000000", "0.15"),
    (2, "1200000000", "0.25"),
    (1, "1800000000", "0.5"),
)


@dataclass(frozen=True, slots=True)
class InitialPosition:
    """A position held before the first request; quantity is signed (short below zero)."""

    quantity: Decimal
    entry_price: Decimal
    side: str = "BOTH"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What a caller may spend, and what happens when it spends more."""

    weight_1m: int = 2400
    orders_10s: int = 300
    orders_1m: int = 1200
    ban_after: int = 10
    ban_s: int = 120


DEFAULT_STREAMS = ("markPrice@1s", "bookTicker", "aggTrade", "trade", "kline_1m")
SERVED_STREAMS = (
    *DEFAULT_STREAMS,
    "depth",
    "depth5",
    "ticker",
    "miniTicker",
    "kline_5m",
    "kline_15m",
    "kline_1h",
)
"""What a venue on a port makes; in process less is enough."""

DEFAULT_ROLE_LETTERS: Mapping[str, str] = {
    "entry": "e",
    "stop_primary": "s",
    "stop_floor": "f",
    "stop_bridge": "b",
    "tp1": "1",
    "tp2": "2",
    "liquidation_exit": "l",
    "emergency": "x",
    "probe": "p",
}


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """The whole description of one venue with one account.

    `touch_quantity` is the most that resting orders fill at one price point (None: all of it);
    `level_quantity` is what each price level offers a taker (None: the best price offers any
    amount), levels being `level_ticks` apart. `margin_call_ratio` is the share of the margin
    balance that maintenance margin takes when MARGIN_CALL is pushed. `keys` maps key to secret;
    None accepts any key, and then signatures are not checked because no secret is known. Those in
    `read_only_keys` may look and not trade.
    """

    symbol: str = "BTCUSDT"
    asset: str = "USDT"
    base_asset: str = "BTC"
    wallet: Decimal = D(1000)
    leverage: int = 20
    margin_type: str = "CROSSED"
    dual_side: bool = False
    multi_assets: bool = False
    position: InitialPosition | None = None
    instrument: Instrument = field(default_factory=Instrument)
    brackets: tuple[Bracket, ...] = BTCUSDT_BRACKETS
    maker_rate: Decimal = D("0.0002")
    taker_rate: Decimal = D("0.0005")
    liquidation_fee: Decimal = D("0.012500")
    margin_call_ratio: Decimal = D("0.8")
    funding_interval_ms: int = 8 * 3600 * 1000
    funding_rate: Decimal = D("0.0001")
    first_price: Decimal = D("90800")
    spread_ticks: int = 1
    slippage_ticks: int = 0
    touch_quantity: Decimal | None = None
    level_quantity: Decimal | None = None
    level_ticks: int = 1
    keys: Mapping[str, str] | None = None
    read_only_keys: tuple[str, ...] = ()
    ip_restricted: bool = True
    withdrawals_enabled: bool = False
    limits: RateLimits = field(default_factory=RateLimits)
    switches: Switches = field(default_factory=Switches)
    listen_key_ms: int = 60 * 60 * 1000
    market_streams: tuple[str, ...] = DEFAULT_STREAMS
    log_prices: bool = False
    log_reads: bool = True
    log_limit: int | None = None
    role_letters: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_ROLE_LETTERS))

    def __post_init__(self) -> None:
        """Let the switch say the highest leverage where the table has the usual one."""
        first, wanted = self.brackets[0], int(self.switches.leverage_maximum)
        if first.leverage_max == USUAL_LEVERAGE != wanted:
            table = (replace(first, leverage_max=wanted), *self.brackets[1:])
            object.__setattr__(self, "brackets", table)
