"""Hands: what somebody else does to the account beside the keeper (scenario key "hands").

A hand acts through the same books and the same refusals as a request; the log names it in `by`. A
refusal is noted, not raised: a hand that comes too late is a fact of life.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue import forced, parsing
from engine.venue.codes import Refusal
from engine.venue.faults import ROLE_AT
from engine.venue.house import EXCHANGE, HAND
from engine.venue.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.venue.account_routes import AccountRoutes
    from engine.venue.algo import AlgoBook
    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.params import Parameters

PLAIN_FIELDS = {
    "side": "side",
    "quantity": "quantity",
    "price": "price",
    "reduce_only": "reduceonly",
    "position_side": "positionside",
    "time_in_force": "timeinforce",
    "trigger_price": "triggerprice",
    "working_type": "workingtype",
    "close_position": "closeposition",
    "type": "type",
    "leverage": "leverage",
    "margin_type": "margintype",
    "dual_side": "dualsideposition",
    "amount": "amount",
    "price_protect": "priceprotect",
    "callback_rate": "callbackrate",
}
FILTERS = ("tick_size", "step_size", "notional_min", "quantity_min", "market_quantity_max")
UPPER = frozenset({"side", "margin_type", "position_side", "type", "time_in_force", "working_type"})


class Hands:
    """The other hand on the account."""

    __slots__ = ("_algo", "_book", "_house", "_routes", "made")

    def __init__(
        self, house: House, book: RegularBook, algo: AlgoBook, routes: AccountRoutes
    ) -> None:
        """Act on the given books."""
        self._house = house
        self._book = book
        self._algo = algo
        self._routes = routes
        self.made = 0

    def act(self, hand: Mapping[str, object]) -> None:
        """Do what the hand says; an unknown verb is an error."""
        acts: dict[str, Callable[[Mapping[str, object]], object]] = {
            "cancel": self._cancel,
            "cancel_all": self._cancel_all,
            "market": self._market,
            "limit": self._limit,
            "stop": self._stop,
            "close": self._close,
            "leverage": self._leverage,
            "margin_type": self._margin_type,
            "position_mode": self._position_mode,
            "position_margin": self._position_margin,
            "transfer": self._transfer,
            "filters": self._filters,
            "liquidation": self._forced,
            "adl": self._forced,
        }
        name = str(hand.get("do"))
        if name not in acts:
            message = f"a hand does one of {sorted(acts)}, not {name!r}"
            raise ValueError(message)
        facts = {key: str(value) for key, value in hand.items() if key not in ("do", "at")}
        self._house.journal.note("hand", do=name, facts=facts)
        self._house.actor = HAND
        try:
            acts[name](hand)
        except Refusal as refusal:
            self._house.journal.note(
                "hand_refused", do=name, code=refusal.code, message=refusal.message
            )
        finally:
            self._house.actor = EXCHANGE

    def _cancel(self, hand: Mapping[str, object]) -> None:
        """Cancel open orders of both books by role or by client id (prefix)."""
        role, prefix = hand.get("role"), hand.get("client_id")
        if role is None and prefix is None:
            message = "a cancelling hand names a role or a client_id"
            raise ValueError(message)
        letter = None
        if role is not None:
            letter = self._house.settings.role_letters[str(role)]

        def named(client_id: str) -> bool:
            if prefix is not None and not client_id.startswith(str(prefix)):
                return False
            return letter is None or client_id[ROLE_AT : ROLE_AT + 1] == letter

        for order in list(self._book.open.values()):
            if named(order.client_id):
                self._book.cancel(order)
        for algo in list(self._algo.open.values()):
            if named(algo.client_id):
                self._algo.cancel(algo)

    def _cancel_all(self, _: Mapping[str, object]) -> None:
        self._book.cancel_all()
        self._algo.cancel_all()

    def _parameters(self, hand: Mapping[str, object], **fixed: str) -> Parameters:
        """Return the hand as request parameters."""
        given: Parameters = {}
        for key, value in hand.items():
            name = PLAIN_FIELDS.get(key)
            if name is None or value is None:
                continue
            text = plain(value) if isinstance(value, Decimal) else str(value)
            given[name] = text.upper() if key in UPPER else text
        given.update(fixed)
        return given

    def _id(self, hand: Mapping[str, object]) -> str:
        self.made += 1
        return str(hand.get("client_id") or f"web_{self.made}")

    def _place(self, given: Parameters) -> None:
        self._book.place(parsing.order_terms(given, self._house))

    def _market(self, hand: Mapping[str, object]) -> None:
        self._place(self._parameters(hand, type="MARKET", newclientorderid=self._id(hand)))

    def _limit(self, hand: Mapping[str, object]) -> None:
        given = self._parameters(hand, type="LIMIT", newclientorderid=self._id(hand))
        given.setdefault("timeinforce", "GTC")
        self._place(given)

    def _close(self, _: Mapping[str, object]) -> None:
        """Close every position at market."""
        for position in list(self._house.account.positions.values()):
            if not position.quantity:
                continue
            given: Parameters = {
                "side": "SELL" if position.quantity > 0 else "BUY",
                "type": "MARKET",
                "quantity": plain(abs(position.quantity)),
                "newclientorderid": self._id({}),
            }
            if self._house.account.dual_side:
                given["positionside"] = position.side
            else:
                given["reduceonly"] = "true"
            self._place(given)

    def _forced(self, hand: Mapping[str, object]) -> None:
        """Let the exchange itself close every position: "liquidation" or "adl"."""
        self._house.actor = EXCHANGE
        close = forced.liquidate if str(hand["do"]) == "liquidation" else forced.deleverage
        for position in list(self._house.account.positions.values()):
            if position.quantity:
                close(self._house, self._book, position)

    def _stop(self, hand: Mapping[str, object]) -> None:
        """Place a conditional order; `type` defaults to STOP_MARKET."""
        given = self._parameters(hand, algotype="CONDITIONAL", clientalgoid=self._id(hand))
        given.setdefault("type", "STOP_MARKET")
        for short in ("trigger", "stop_price"):
            if short in hand:
                given.setdefault("triggerprice", str(hand[short]))
        self._algo.place(parsing.algo_terms(given, self._house))

    def _with_symbol(self, hand: Mapping[str, object]) -> Parameters:
        given = self._parameters(hand)
        given["symbol"] = self._house.settings.symbol
        return given

    def _leverage(self, hand: Mapping[str, object]) -> None:
        self._routes.set_leverage(self._with_symbol(hand))

    def _margin_type(self, hand: Mapping[str, object]) -> None:
        self._routes.set_margin_type(self._with_symbol(hand))

    def _position_mode(self, hand: Mapping[str, object]) -> None:
        self._routes.set_position_mode(self._with_symbol(hand))

    def _position_margin(self, hand: Mapping[str, object]) -> None:
        given = self._with_symbol(hand)
        given["type"] = "2" if str(hand.get("direction")) == "remove" else "1"
        self._routes.change_margin(given)

    def _filters(self, hand: Mapping[str, object]) -> None:
        """Let the exchange list the symbol with other filters; what rests stays as it is."""
        changes = {name: Decimal(str(hand[name])) for name in FILTERS if name in hand}
        self._house.actor = EXCHANGE
        self._house.instrument = replace(self._house.instrument, **changes)  # type: ignore[arg-type]  # by field name

    def _transfer(self, hand: Mapping[str, object]) -> None:
        """Move money in (positive) or out (negative)."""
        house = self._house
        amount = Decimal(str(hand["amount"]))
        house.account.book("TRANSFER", amount, house.clock.exchange, "TRANSFER")
        house.wallet_event("TRANSFER", amount)
        house.account_event("DEPOSIT" if amount > 0 else "WITHDRAW", (), plain(amount))
