"""The symbol's filters, each a function that refuses by the code the exchange uses.

Order within one value: sign, maximum, minimum, precision, increment. Precision counts significant
decimals only ("0.0100" has two).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.codes import Code, refuse
from engine.venue.text import plain

if TYPE_CHECKING:
    from engine.venue.market import Market
    from engine.venue.settings import Instrument

ZERO = Decimal(0)


def _decimals(value: Decimal) -> int:
    """Return how many decimals the value really has."""
    exponent = value.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def check_quantity(instrument: Instrument, quantity: Decimal, *, market: bool) -> None:
    """Refuse a quantity outside LOT_SIZE, or MARKET_LOT_SIZE for what executes at market."""
    if quantity <= ZERO:
        raise refuse(Code.QUANTITY_NOT_POSITIVE)
    lowest = instrument.market_quantity_min if market else instrument.quantity_min
    highest = instrument.market_quantity_max if market else instrument.quantity_max
    if quantity % instrument.step_size:
        if _decimals(quantity) > instrument.quantity_precision:
            raise refuse(Code.PRECISION)
        raise refuse(Code.QUANTITY_OFF_STEP)
    if quantity < lowest:
        raise refuse(Code.QUANTITY_BELOW_MINIMUM)
    if quantity > highest:
        raise refuse(Code.QUANTITY_ABOVE_MAXIMUM)


def check_price(instrument: Instrument, price: Decimal) -> None:
    """Refuse a limit price outside PRICE_FILTER."""
    if price <= ZERO:
        raise refuse(Code.PRICE_NOT_POSITIVE)
    if price > instrument.price_max:
        raise refuse(Code.PRICE_ABOVE_MAXIMUM)
    if price < instrument.price_min:
        raise refuse(Code.PRICE_BELOW_MINIMUM)
    if price % instrument.tick_size:
        if _decimals(price) > instrument.price_precision:
            raise refuse(Code.PRECISION)
        raise refuse(Code.PRICE_OFF_TICK)


def check_trigger(instrument: Instrument, price: Decimal, *, on_tick: bool) -> None:
    """Refuse a trigger price outside PRICE_FILTER; its alignment is a switch."""
    if price <= ZERO:
        raise refuse(Code.STOP_NOT_POSITIVE)
    if price > instrument.price_max:
        raise refuse(Code.STOP_ABOVE_MAXIMUM)
    if price < instrument.price_min:
        raise refuse(Code.PRICE_BELOW_MINIMUM)
    if _decimals(price) > instrument.price_precision:
        raise refuse(Code.PRECISION)
    if on_tick and price % instrument.tick_size:
        raise refuse(Code.PRICE_OFF_TICK)


def check_percent_price(instrument: Instrument, market: Market, sign: int, price: Decimal) -> None:
    """Refuse a limit price too far beyond the mark price (-4016, -4024)."""
    if sign > 0:
        cap = market.mark * instrument.multiplier_up
        if price > cap:
            raise refuse(Code.PRICE_ABOVE_CAP, plain(cap.quantize(instrument.tick_size)))
    else:
        floor = market.mark * instrument.multiplier_down
        if price < floor:
            raise refuse(Code.PRICE_BELOW_FLOOR, plain(floor.quantize(instrument.tick_size)))


def check_percent_of_trigger(
    instrument: Instrument, sign: int, price: Decimal, trigger: Decimal
) -> None:
    """Refuse a stop-limit price too far beyond its trigger (-4183, -4184)."""
    if sign > 0:
        cap = trigger * instrument.multiplier_up
        if price > cap:
            raise refuse(Code.LIMIT_ABOVE_STOP_CAP, plain(cap.quantize(instrument.tick_size)))
    else:
        floor = trigger * instrument.multiplier_down
        if price < floor:
            raise refuse(Code.LIMIT_BELOW_STOP_FLOOR, plain(floor.quantize(instrument.tick_size)))


def check_notional(instrument: Instrument, quantity: Decimal, price: Decimal) -> None:
    """Refuse an order below MIN_NOTIONAL; callers skip this for what only reduces."""
    if quantity * price < instrument.notional_min:
        raise refuse(Code.NOTIONAL, plain(instrument.notional_min))
