"""What the algo service looks at before it accepts a conditional order.

Invariant: nothing here changes anything. Which check speaks first is not confirmed: a switch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.venue.codes import Code, by_number, refuse
from engine.venue.orders import STOP_TYPES, TRAILING, ZERO

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from engine.venue.algo import AlgoBook
    from engine.venue.house import House
    from engine.venue.matching import RegularBook
    from engine.venue.terms import AlgoTerms


class AlgoChecks:
    """The checks of POST algoOrder that depend on account, market and books."""

    __slots__ = ("_algo", "_book", "_house", "_ordered")

    def __init__(self, house: House, book: RegularBook, algo: AlgoBook) -> None:
        """Look at the given books."""
        self._house = house
        self._book = book
        self._algo = algo
        self._ordered = self._in_order(house.switches.order_of_checks)

    def check(self, terms: AlgoTerms) -> None:
        """Raise the `Refusal` of the first check that speaks."""
        for one in self._ordered:
            one(terms)

    def _in_order(self, order: str) -> tuple[Callable[[AlgoTerms], None], ...]:
        documented = (
            self._position,
            self._single_close,
            self._count,
            self._trigger,
            self._duplicate,
        )
        if order == "duplicate_first":
            return (self._duplicate, *documented[:-1])
        if order == "trigger_first":
            return (self._trigger, *(c for c in documented if c != self._trigger))
        return documented

    def _position(self, terms: AlgoTerms) -> None:
        """Refuse what needs a position while there is none the service knows of (-4509)."""
        house = self._house
        account, switches = house.account, house.switches
        held = account.reducible(terms.position_side, terms.sign)
        if terms.needs_position:
            if not held:
                raise refuse(Code.GTE_WHILE_FLAT)
            now, lag = house.clock.now, switches.gte_sync_lag_ms
            if house.faults.armed:
                lag = max(lag, house.faults.lag_ms("gte", now, "3"))
            if now - account.positions[terms.position_side].opened_at < lag:
                raise refuse(Code.GTE_WHILE_FLAT)
            if house.faults.armed and house.faults.on_order("placement", terms.client_id, now):
                raise refuse(Code.GTE_WHILE_FLAT)
        elif terms.reduce_only:
            self._reducing(terms, held)

    def _reducing(self, terms: AlgoTerms, held: Decimal) -> None:
        """Refuse a reduce-only quantity order where the service is said to (switches)."""
        house, switches = self._house, self._house.switches
        if not held:
            if switches.stop_while_flat == "refused":
                raise refuse(Code.REDUCE_ONLY)
            return
        opened = house.account.positions[terms.position_side].opened_at
        if house.clock.now - opened < switches.reduce_only_sync_lag_ms:
            raise refuse(Code.REDUCE_ONLY)

    def _single_close(self, terms: AlgoTerms) -> None:
        """Refuse a second closePosition order of the kind in the direction (-4130)."""
        if not terms.close_position:
            return
        kind = (terms.type, terms.side, terms.position_side)
        for other in self._algo.open.values():
            if other.close_position and (other.type, other.side, other.position_side) == kind:
                raise refuse(Code.CLOSE_EXISTS)
        cancelled_ms = self._algo.cancelled_at.get(kind)
        if cancelled_ms is None:
            return
        now, lag = self._house.clock.now, self._house.switches.gte_cancel_lag_ms
        if self._house.faults.armed:
            lag = max(lag, self._house.faults.lag_ms("linger", now, "1"))
        if now - cancelled_ms < lag:
            raise refuse(Code.CLOSE_EXISTS)

    def _count(self, _: AlgoTerms) -> None:
        """Refuse more open conditional orders than account or symbol may have (-4045)."""
        most = self._house.instrument.algo_orders_max
        per_symbol = self._house.switches.algo_orders_per_symbol
        if per_symbol != "unlimited":
            most = min(most, int(per_symbol))
        if len(self._algo.open) >= most:
            raise refuse(Code.TOO_MANY_STOPS)

    def _trigger(self, terms: AlgoTerms) -> None:
        """Refuse a condition that already holds (-2021)."""
        price = self._house.market.working_price(terms.working_type)
        if terms.type == TRAILING:
            wrong = terms.activate_price is not None and (
                (terms.activate_price - price) * terms.sign > ZERO
            )
            if wrong:
                raise refuse(Code.WOULD_TRIGGER)
        elif is_reached(terms.type, terms.sign, terms.trigger_price, price):
            raise refuse(Code.WOULD_TRIGGER)

    def _duplicate(self, terms: AlgoTerms) -> None:
        """Refuse a client id that an open conditional order carries."""
        if not terms.client_id:
            return
        switches = self._house.switches
        if self._algo.is_open(terms.client_id):
            raise by_number(int(switches.duplicate_algo_id_code))
        if switches.client_id_namespaces == "one" and self._book.open_named(terms.client_id):
            raise by_number(int(switches.duplicate_algo_id_code))


def is_reached(order_type: str, sign: int, trigger: Decimal, price: Decimal) -> bool:
    """Whether the price meets the trigger: stops with the order's sign, targets against it."""
    direction = sign if order_type in STOP_TYPES else -sign
    return (price - trigger) * direction >= ZERO
