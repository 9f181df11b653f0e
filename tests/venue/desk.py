"""A client at the venue's counter: signs, sends, and reads the answer."""

import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from engine.venue.api import Push, Reply, Venue, VenueSettings
from engine.venue.switches import Switches

T0 = 1_795_000_000_000
KEY, SECRET = "a-key", "a-secret"
SYMBOL = "BTCUSDT"


@dataclass(frozen=True)
class Answer:
    """A reply with its body read."""

    reply: Reply
    body: Any

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def code(self) -> int:
        """The error code, or 0 where there is none."""
        return int(self.body["code"]) if self.status != 200 else 0


def signed(text: str, secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{text}&signature={digest}"


def words(text: str) -> set[str]:
    """Read a set of names out of a sentence of them."""
    return set(text.split())


class Desk:
    """One venue and one honest client of it; time moves only when told."""

    def __init__(
        self,
        settings: VenueSettings | None = None,
        *,
        switches: Switches | None = None,
        seed: int = 0,
        **changes: Any,
    ) -> None:
        base = settings or VenueSettings()
        changes.setdefault("keys", {KEY: SECRET})
        changes.setdefault("first_price", Decimal(90800))
        if switches is not None:
            changes["switches"] = switches
        self.settings = replace(base, **changes)
        self.venue = Venue(self.settings, now_ms=T0, seed=seed)
        self.now = T0

    def send(self, verb: str, path: str, **given: Any) -> Answer:
        """Send a signed request: GET in the query, the rest as a form body."""
        given.setdefault("timestamp", self.now)
        text = signed(
            urlencode({name: value for name, value in given.items() if value is not None})
        )
        query, body = (text, "") if verb == "GET" else ("", text)
        return self.raw(verb, path, query, body)

    def raw(
        self, verb: str, path: str, query: str = "", body: str = "", key: str | None = KEY
    ) -> Answer:
        reply = self.venue.handle(verb, path, query, body, key, self.now)
        return Answer(reply, json.loads(reply.body) if reply.body else None)

    def order(self, side: str, quantity: str, price: str | None = None, **given: Any) -> Answer:
        """Place a LIMIT order (GTC unless said otherwise), or a MARKET order without a price."""
        terms: dict[str, Any] = {"symbol": SYMBOL, "side": side, "quantity": quantity}
        if price is None:
            terms["type"] = "MARKET"
        else:
            terms |= {"type": "LIMIT", "price": price, "timeInForce": "GTC"}
        return self.send("POST", "/fapi/v1/order", **(terms | given))

    def stop(self, side: str, trigger: str | None, quantity: str | None, **given: Any) -> Answer:
        """Place a reduce-only STOP_MARKET; without a quantity a closePosition one."""
        terms: dict[str, Any] = {
            "symbol": SYMBOL,
            "algoType": "CONDITIONAL",
            "side": side,
            "type": "STOP_MARKET",
            "triggerPrice": trigger,
        }
        if quantity is None:
            terms["closePosition"] = "true"
        else:
            terms |= {"quantity": quantity, "reduceOnly": "true", "timeInForce": "GTC"}
        return self.send("POST", "/fapi/v1/algoOrder", **(terms | given))

    def algo(self, client_id: str) -> dict[str, Any]:
        found = self.send("GET", "/fapi/v1/algoOrder", clientAlgoId=client_id)
        assert found.status == 200, found.body
        body: dict[str, Any] = found.body
        return body

    def look(self, client_id: str) -> dict[str, Any]:
        found = self.send("GET", "/fapi/v1/order", symbol=SYMBOL, origClientOrderId=client_id)
        assert found.status == 200, found.body
        body: dict[str, Any] = found.body
        return body

    def price(
        self,
        last: str,
        mark: str | None = None,
        *,
        after_ms: int = 1000,
        quantity: str | None = None,
    ) -> None:
        """Let the price move after a while."""
        self.now += after_ms
        self.venue.set_price(
            Decimal(last),
            self.now,
            mark=None if mark is None else Decimal(mark),
            quantity=None if quantity is None else Decimal(quantity),
        )

    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.venue.advance(self.now)

    @property
    def position(self) -> Decimal:
        """The signed quantity of the one-way position."""
        return self.venue.house.account.positions["BOTH"].quantity

    @property
    def wallet(self) -> Decimal:
        return self.venue.house.account.wallet

    def listen(self) -> str:
        key: str = self.raw("POST", "/fapi/v1/listenKey").body["listenKey"]
        return key

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Take the user events that are due, of the given kinds or all."""
        pushes: list[Push] = [one for one in self.venue.drain_pushes() if one.stream == "user"]
        return [one.event for one in pushes if not kinds or one.event["e"] in kinds]

    def log(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.venue.log_after(0) if one["kind"] == kind]

    def open_algo_ids(self) -> list[str]:
        rows = self.send("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL).body
        return [row["clientAlgoId"] for row in rows]

    def open_ids(self) -> list[str]:
        rows = self.send("GET", "/fapi/v1/openOrders", symbol=SYMBOL).body
        return [row["clientOrderId"] for row in rows]


def switched(**values: Any) -> Desk:
    """Open a venue with some switches turned."""
    return Desk(switches=Switches.named(values))


def long_desk(quantity: str = "0.013", **changes: Any) -> Desk:
    """Open a venue whose account is long, bought at market."""
    desk = Desk(**changes)
    assert desk.order("BUY", quantity).status == 200
    return desk
