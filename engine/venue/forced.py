"""Closes that the account did not ask for: liquidation and automatic deleveraging.

Both look on the wire as section 8 of the exchange reference describes: `autoclose-<digits>` or
`adl_autoclose`, execution type CALCULATED. A liquidation never takes more than what stands behind
the position: it closes no worse than the bankruptcy price, and its fee is bounded by what is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.account import CENT
from engine.venue.orders import BUY, SELL, ZERO
from engine.venue.terms import OrderTerms
from engine.venue.text import plain

if TYPE_CHECKING:
    from decimal import Decimal

    from engine.venue.account import Position
    from engine.venue.house import House
    from engine.venue.matching import RegularBook


def liquidate(house: House, book: RegularBook, position: Position) -> None:
    """Cancel what works, close the position, charge the liquidation fee."""
    account, market = house.account, house.market
    for order in list(book.open.values()):
        book.expire(order, "5")
    sign = -position.sign
    backing = account.backing(position, market.mark)
    worst = account.bankruptcy_price(position, market.mark)
    met = market.best(sign)
    price = min(met, worst) if sign > 0 else max(met, worst)
    price = price.quantize(house.instrument.tick_size) if price != worst else price
    quantity = abs(position.quantity)
    entry = position.entry_price
    house.journal.note(
        "liquidation",
        position_side=position.side,
        quantity=plain(position.quantity),
        entry_price=plain(entry),
        mark=plain(market.mark),
    )
    _close(house, book, position, f"autoclose-{house.clock.exchange}", "LIQUIDATION", price)
    left = backing + (price - entry) * quantity * -sign
    fee = min((price * quantity * house.settings.liquidation_fee).quantize(CENT), max(ZERO, left))
    fee = fee.quantize(CENT)
    if fee or account.wallet < ZERO:
        amount = -fee if account.wallet >= fee else -account.wallet
        account.book("INSURANCE_CLEAR", amount, house.clock.exchange, "INSURANCE_CLEAR")
        house.wallet_event("INSURANCE_CLEAR", amount)
        house.account_event("INSURANCE_CLEAR", (position,))
    book.liquidated(position.side)


def deleverage(house: House, book: RegularBook, position: Position) -> None:
    """Close the position at the mark price, without commission."""
    price = house.market.mark.quantize(house.instrument.tick_size)
    house.journal.note("adl", position_side=position.side, quantity=plain(position.quantity))
    _close(house, book, position, "adl_autoclose", "LIMIT", price)


def _close(
    house: House,
    book: RegularBook,
    position: Position,
    client_id: str,
    order_type: str,
    price: Decimal,
) -> None:
    quantity = abs(position.quantity)
    terms = OrderTerms(
        side=SELL if position.quantity > 0 else BUY,
        type=order_type,
        quantity=quantity,
        price=price,
        time_in_force="IOC",
        position_side=position.side,
        client_id=client_id,
    )
    order = book.accept_forced(terms)
    book.execute(order, price, quantity, maker=False, rate=ZERO, event="CALCULATED")
