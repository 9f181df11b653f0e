"""The venue as plain data: the picture the admin interface shows, and the books for the disk.

Invariant: `load_venue(dump_venue(v))` answers every later call as `v` would, except that feed and
faults have to be given to it again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from engine.venue.account import Position
from engine.venue.clock import Clock
from engine.venue.codec import decode, encode
from engine.venue.funding import FundingPoint
from engine.venue.orders import AlgoOrder, Income, Order, Trade
from engine.venue.settings import VenueSettings
from engine.venue.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.venue.api import Venue

FORMAT = 1


def state_of(venue: Venue) -> dict[str, object]:
    """Describe wallet, position, both books, clock, switches and prices."""
    house = venue.house
    account, market = house.account, house.market
    positions = []
    for one in account.positions.values():
        row = encode(one)
        if isinstance(row, dict):
            row["unrealized"] = plain(one.unrealized(market.mark))
            row["liquidation_price"] = plain(account.liquidation_price(one, market.mark))
        positions.append(row)
    return {
        "symbol": house.settings.symbol,
        "clock": {
            "now_ms": house.clock.now,
            "exchange_ms": house.clock.exchange,
            "skew_ms": house.clock.skew_ms,
        },
        "prices": {
            "last": plain(market.last),
            "mark": plain(market.mark),
            "bid": plain(market.bid),
            "ask": plain(market.ask),
        },
        "wallet": plain(account.wallet),
        "available": plain(account.available(market.mark)),
        "leverage": account.leverage,
        "margin_type": "ISOLATED" if account.isolated else "CROSSED",
        "dual_side": account.dual_side,
        "multi_assets": account.multi_assets,
        "position": positions[0] if len(positions) == 1 else None,
        "positions": positions,
        "regular_orders": [encode(one) for one in venue.book.open.values()],
        "algo_orders": [encode(one) for one in venue.algo.open.values()],
        "next_funding_ms": venue.funding.next_ms,
        "weight_1m": venue.limits.weight,
        "listen_key": house.outbox.listen_key is not None,
        "switches": house.switches.plain(),
        "faults": house.faults.plain(),
        "log_length": house.journal.length,
    }


def dump_venue(venue: Venue, *, with_log: bool) -> dict[str, object]:
    """Return the whole books; without the log its numbering still goes on."""
    house = venue.house
    account = house.account
    version, numbers, gauss = house.chance.getstate()
    return {
        "format": FORMAT,
        "settings": encode(house.settings),
        "clock": house.clock.dump(),
        "chance": [version, list(numbers), gauss],
        "market": house.market.dump(),
        "journal": house.journal.dump(with_entries=with_log),
        "listen_key": [
            house.outbox.listen_key,
            house.outbox.key_until_ms,
            house.outbox.made_keys,
        ],
        "account": {
            "wallet": str(account.wallet),
            "leverage": account.leverage,
            "isolated": account.isolated,
            "dual_side": account.dual_side,
            "multi_assets": account.multi_assets,
            "updated_ms": account.updated_ms,
            "positions": encode(account.positions),
            "incomes": encode(account.incomes),
        },
        "orders": encode(venue.book.past.orders),
        "trades": encode(venue.book.past.trades),
        "algo_orders": encode(venue.algo.orders),
        "funding": {"next_ms": venue.funding.next_ms, "past": encode(venue.funding.past)},
        "hands_made": venue.hands.made,
        "countdown": venue.order_routes.countdown_number,
        "limits": venue.limits.dump(),
        "cancelled_at": [[*kind, at] for kind, at in venue.algo.cancelled_at.items()],
    }


def load_venue(kind: type[Venue], books: Mapping[str, Any]) -> Venue:
    """Open a venue from what `dump_venue` returned."""
    if books.get("format") != FORMAT:
        message = f"books of format {books.get('format')!r}, not {FORMAT}"
        raise ValueError(message)
    settings = decode(VenueSettings, books["settings"])
    clock = Clock.load(books["clock"])
    venue = kind(settings, now_ms=clock.now)
    house = venue.house
    house.clock.restore(clock)
    version, numbers, gauss = books["chance"]
    house.chance.setstate((version, tuple(numbers), gauss))
    house.market.load(books["market"])
    house.journal.load(books["journal"])
    house.outbox.listen_key, house.outbox.key_until_ms, house.outbox.made_keys = books["listen_key"]
    _load_account(venue, books["account"])
    venue.book.load(
        [decode(Order, one) for one in books["orders"]],
        [decode(Trade, one) for one in books["trades"]],
    )
    venue.algo.load([decode(AlgoOrder, one) for one in books["algo_orders"]])
    venue.funding.next_ms = books["funding"]["next_ms"]
    venue.funding.past = [decode(FundingPoint, one) for one in books["funding"]["past"]]
    venue.hands.made = books["hands_made"]
    venue.order_routes.countdown_number = books["countdown"]
    venue.limits.load(books["limits"])
    venue.algo.cancelled_at = {
        (kind, side, position_side): at for kind, side, position_side, at in books["cancelled_at"]
    }
    venue.book.reserve()
    return venue


def _load_account(venue: Venue, plain_account: Mapping[str, Any]) -> None:
    account = venue.house.account
    account.wallet = Decimal(plain_account["wallet"])
    account.leverage = plain_account["leverage"]
    account.isolated = plain_account["isolated"]
    account.dual_side = plain_account["dual_side"]
    account.multi_assets = plain_account["multi_assets"]
    account.updated_ms = plain_account["updated_ms"]
    account.positions = {
        side: decode(Position, one) for side, one in plain_account["positions"].items()
    }
    account.incomes = [decode(Income, one) for one in plain_account["incomes"]]
    account.past.clear()
    account.remember(venue.house.clock.now)
