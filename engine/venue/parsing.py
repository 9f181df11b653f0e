"""From parameters to terms: what a regular and a conditional order request must and must not carry.

The order of the checks: symbol, side and type, what the type needs, what it must not have, values,
filters, position side. What depends on the account is checked by the books.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue import filters, params
from engine.venue.codes import Code, refuse
from engine.venue.orders import CLOSING_TYPES, CONDITIONAL_TYPES, LIMIT_CHILD_TYPES, SIGN, ZERO
from engine.venue.terms import AlgoTerms, OrderTerms

if TYPE_CHECKING:
    from engine.venue.house import House
    from engine.venue.params import Parameters

SIDES = frozenset(SIGN)
TIME_IN_FORCE = frozenset({"GTC", "IOC", "FOK", "GTX", "GTD"})
ALGO_TIME_IN_FORCE = TIME_IN_FORCE | {"GTE_GTC"}
POSITION_SIDES = frozenset({"BOTH", "LONG", "SHORT"})
WORKING_TYPES = frozenset({"CONTRACT_PRICE", "MARK_PRICE"})
STP_MODES = frozenset({"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"})
PRICE_MATCHES = frozenset(
    {"NONE", "OPPONENT", "OPPONENT_5", "QUEUE", "QUEUE_5", "QUEUE_10", "QUEUE_20"}
)
ALGO_TYPES = frozenset({"CONDITIONAL"})
RESPONSES = frozenset({"ACK", "RESULT"})
GOOD_TILL_AHEAD_MS = 600_000
GOOD_TILL_MAX_MS = 253402300799000
CALLBACK_MIN, CALLBACK_MAX = Decimal("0.1"), Decimal(20)


def side_and_type(given: Parameters) -> tuple[str, str]:
    """Return side and type of an order request."""
    side = params.text(given, "side")
    if side not in SIDES:
        raise refuse(Code.SIDE_INVALID)
    return side, params.text(given, "type")


def position_side(given: Parameters, house: House) -> str:
    """Return the position side, which must match the account's mode (-4060, -4061)."""
    value = given.get("positionside") or "BOTH"
    if value not in POSITION_SIDES:
        raise refuse(Code.POSITION_SIDE_INVALID)
    if (value == "BOTH") == house.account.dual_side:
        raise refuse(Code.POSITION_SIDE)
    return value


def _reduce_only(given: Parameters, house: House) -> bool:
    value = params.flag(given, "reduceonly")
    if value is not None and house.account.dual_side:
        raise refuse(Code.NOT_REQUIRED, "reduceonly")
    return bool(value)


def _good_till(given: Parameters, house: House, time_in_force: str) -> int:
    if time_in_force != "GTD":
        params.unwanted(given, "goodtilldate")
        return 0
    value = params.whole(given, "goodtilldate")
    if value is None:
        raise refuse(Code.MANDATORY, "goodtilldate")
    if not house.clock.exchange + GOOD_TILL_AHEAD_MS < value < GOOD_TILL_MAX_MS:
        raise refuse(Code.GOOD_TILL_DATE)
    return value - value % 1000


def _price_match(given: Parameters, order_type: str) -> str:
    value = params.chosen(given, "pricematch", PRICE_MATCHES, Code.PRICE_MATCH_INVALID) or "NONE"
    if value != "NONE":
        if order_type not in ("LIMIT", *LIMIT_CHILD_TYPES):
            raise refuse(Code.PRICE_MATCH_TYPE)
        if given.get("price"):
            raise refuse(Code.NOT_REQUIRED, "price")
    return value


def matched_price(house: House, sign: int, match: str) -> Decimal:
    """Return the book price a priceMatch names; levels behind the best are a tick apart each."""
    kind, _, depth = match.partition("_")
    levels = (int(depth) if depth else 1) - 1
    tick = house.instrument.tick_size * house.settings.level_ticks
    if kind == "OPPONENT":
        return house.market.best(sign) + sign * tick * levels
    return house.market.best(-sign) - sign * tick * levels


def order_terms(given: Parameters, house: House) -> OrderTerms:
    """Read the terms of POST order; refuse what the endpoint does not take."""
    side, order_type = side_and_type(given)
    if order_type in CONDITIONAL_TYPES:
        raise refuse(Code.USE_ALGO)
    if order_type not in ("LIMIT", "MARKET"):
        raise refuse(Code.TYPE_INVALID)
    if params.flag(given, "closeposition"):
        raise refuse(Code.CLOSE_TYPE, order_type)
    limited = order_type == "LIMIT"
    time_in_force = params.chosen(given, "timeinforce", TIME_IN_FORCE, Code.TIF_INVALID)
    match = _price_match(given, order_type)
    if limited:
        if time_in_force is None:
            raise refuse(Code.MANDATORY, "timeinforce")
    else:
        params.unwanted(given, "timeinforce", "price")
    quantity = params.needed_number(given, "quantity")
    sign = SIGN[side]
    price = ZERO
    if limited:
        price = (
            matched_price(house, sign, match)
            if match != "NONE"
            else params.needed_number(given, "price")
        )
    params.unwanted(given, "stopprice", "triggerprice", "activateprice", "callbackrate")
    reduce_only = _reduce_only(given, house)
    name = params.client_id(given, "newclientorderid")
    stp = params.chosen(given, "selftradepreventionmode", STP_MODES, Code.STP_INVALID)
    response = params.chosen(given, "neworderresptype", RESPONSES, Code.BAD_RESPONSE_TYPE)
    terms = OrderTerms(
        side=side,
        type=order_type,
        quantity=quantity,
        price=price,
        time_in_force=time_in_force or "GTC",
        position_side=position_side(given, house),
        reduce_only=reduce_only,
        client_id=name,
        price_match=match,
        stp=stp or "EXPIRE_MAKER",
        good_till_ms=_good_till(given, house, time_in_force or "GTC"),
        wants_result=response == "RESULT" and not (limited and time_in_force in ("GTC", "GTX")),
    )
    check_order_filters(terms, house)
    return terms


def check_order_filters(terms: OrderTerms, house: House) -> None:
    """Apply the symbol's filters to a regular order."""
    instrument, market = house.instrument, house.market
    filters.check_quantity(instrument, terms.quantity, market=terms.is_market)
    if not terms.is_market:
        filters.check_price(instrument, terms.price)
        filters.check_percent_price(instrument, market, terms.sign, terms.price)
    if not terms.reduces:
        at = market.mark if terms.is_market else terms.price
        filters.check_notional(instrument, terms.quantity, at)


def algo_terms(given: Parameters, house: House) -> AlgoTerms:
    """Read the terms of POST algoOrder (exchange reference, section 3.2)."""
    params.text(given, "algotype")
    params.chosen(given, "algotype", ALGO_TYPES, Code.BAD_PARAMETER)
    side, order_type = side_and_type(given)
    if order_type not in CONDITIONAL_TYPES:
        raise refuse(Code.TYPE_INVALID)
    close = bool(params.flag(given, "closeposition"))
    reduce_only = _reduce_only(given, house)
    trailing = order_type == "TRAILING_STOP_MARKET"
    limited = order_type in LIMIT_CHILD_TYPES
    where = position_side(given, house)
    if close:
        _check_close(given, order_type, where, side)
    time_in_force = params.chosen(given, "timeinforce", ALGO_TIME_IN_FORCE, Code.TIF_INVALID)
    gte = reduce_only and house.switches.gte_default_when_absent == "gte"
    tif = time_in_force or ("GTE_GTC" if gte else "GTC")
    params.unwanted(given, *(("triggerprice",) if trailing else ("activateprice", "callbackrate")))
    trigger = ZERO if trailing else params.needed_number(given, "triggerprice")
    match = _price_match(given, order_type)
    price = ZERO
    if limited and match == "NONE":
        price = params.needed_number(given, "price")
    elif not limited:
        params.unwanted(given, "price")
    quantity = ZERO if close else params.needed_number(given, "quantity")
    working = params.chosen(given, "workingtype", WORKING_TYPES, Code.BAD_PARAMETER)
    stp = params.chosen(given, "selftradepreventionmode", STP_MODES, Code.STP_INVALID)
    params.chosen(given, "neworderresptype", RESPONSES, Code.BAD_RESPONSE_TYPE)
    terms = AlgoTerms(
        side=side,
        type=order_type,
        quantity=quantity,
        trigger_price=trigger,
        price=price,
        time_in_force=tif,
        position_side=where,
        reduce_only=reduce_only,
        close_position=close,
        working_type=working or "CONTRACT_PRICE",
        price_protect=bool(params.flag(given, "priceprotect")),
        client_id=params.client_id(given, "clientalgoid"),
        price_match=match,
        stp=stp or "EXPIRE_MAKER",
        good_till_ms=_good_till(given, house, tif),
        activate_price=params.number(given, "activateprice") if trailing else None,
        callback_rate=_callback(given) if trailing else None,
    )
    _check_algo_filters(terms, house)
    return terms


def _check_close(given: Parameters, order_type: str, where: str, side: str) -> None:
    """Refuse what closePosition excludes (-4136, -4137, -4138, -1106)."""
    if order_type not in CLOSING_TYPES:
        raise refuse(Code.CLOSE_TYPE, order_type)
    if given.get("quantity") and Decimal(params.number(given, "quantity") or 0):
        raise refuse(Code.CLOSE_QUANTITY)
    reduce_only = params.flag(given, "reduceonly")
    if reduce_only is False:
        raise refuse(Code.CLOSE_REDUCE_ONLY)
    if reduce_only is True:
        raise refuse(Code.NOT_REQUIRED, "reduceonly")
    if (where, side) in (("LONG", "BUY"), ("SHORT", "SELL")):
        raise refuse(Code.POSITION_SIDE)


def _callback(given: Parameters) -> Decimal:
    rate = params.needed_number(given, "callbackrate")
    if not CALLBACK_MIN <= rate <= CALLBACK_MAX:
        raise refuse(Code.BAD_PARAMETER, "callbackRate")
    return rate


def _check_algo_filters(terms: AlgoTerms, house: House) -> None:
    instrument = house.instrument
    limited = terms.type in LIMIT_CHILD_TYPES
    on_tick = house.switches.trigger_on_tick == "enforced"
    if terms.trigger_price or terms.type != "TRAILING_STOP_MARKET":
        filters.check_trigger(instrument, terms.trigger_price, on_tick=on_tick)
    if terms.activate_price is not None:
        if terms.activate_price <= ZERO:
            raise refuse(Code.ACTIVATION_PRICE)
        filters.check_trigger(instrument, terms.activate_price, on_tick=on_tick)
    if limited and terms.price_match == "NONE":
        filters.check_price(instrument, terms.price)
        filters.check_percent_of_trigger(instrument, terms.sign, terms.price, terms.trigger_price)
    if terms.close_position:
        return
    filters.check_quantity(instrument, terms.quantity, market=not limited)
    if not terms.reduces:
        at = terms.price or terms.trigger_price or terms.activate_price or house.market.mark
        filters.check_notional(instrument, terms.quantity, at)
