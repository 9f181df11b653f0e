"""The algo service: conditional orders from acceptance to the end of their child.

Invariants: a status changes only along the table of steps, and every step is noted and pushed; the
child carries the conditional order's client id; a closePosition order rests only while there is a
position for it; a reduce-only quantity order stays when the position goes and is spent when it
fires at nothing (exchange reference, sections 3.4 to 3.7 and 10).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue.algo_checks import AlgoChecks, is_reached
from engine.venue.algo_steps import FINAL_STATUSES, Step, next_status
from engine.venue.codes import Code, Refusal, by_number, refuse
from engine.venue.orders import LIMIT_CHILD_TYPES, TRAILING, ZERO, AlgoOrder, AlgoStatus, Order
from engine.venue.terms import AlgoTerms, OrderTerms

if TYPE_CHECKING:
    from engine.venue.house import House
    from engine.venue.matching import RegularBook

FIRST_ALGO_ID = 4000001912557457
GONE_UNFILLED_MS = 3 * 24 * 3600 * 1000
GONE_MS = 90 * 24 * 3600 * 1000


FIRED_FLAT = {
    "rejected": Step.CHILD_REFUSED,
    "expired": Step.CHILD_LAPSED,
    "finished": Step.CHILD_VOID,
}


class AlgoBook:
    """All conditional orders of the account, open and past."""

    __slots__ = ("_checks", "book", "cancelled_at", "house", "latest", "open", "orders")

    def __init__(self, house: House, book: RegularBook) -> None:
        """Listen to the matching engine for positions that move and children that end."""
        self.house = house
        self.book = book
        self.orders: list[AlgoOrder] = []
        self.open: dict[int, AlgoOrder] = {}  # NEW and TRIGGERING
        self.latest: dict[str, int] = {}
        self.cancelled_at: dict[tuple[str, str, str], int] = {}
        self._checks = AlgoChecks(house, book, self)
        book.moved = self.position_moved
        book.ended = self._child_ended
        book.liquidated = self.liquidated
        switches = house.switches
        book.let_algo_speak(
            named=self.is_open if switches.client_id_namespaces == "one" else None,
            reserved=self._reserved if switches.untriggered_stops_reserve == "true" else None,
        )

    # -- placing ---------------------------------------------------------------------------------

    def place(self, terms: AlgoTerms) -> AlgoOrder:
        """Accept a conditional order, or raise the `Refusal`."""
        self._checks.check(terms)
        house = self.house
        clock = house.clock
        number = FIRST_ALGO_ID + len(self.orders)
        algo = AlgoOrder(
            algo_id=number,
            client_id=terms.client_id or f"auto{number}",
            side=terms.side,
            type=terms.type,
            quantity=terms.quantity,
            price=terms.price,
            trigger_price=terms.trigger_price,
            time_in_force="GTE_GTC" if terms.close_position else terms.time_in_force,
            position_side=terms.position_side,
            reduce_only=terms.reduce_only or terms.close_position,
            close_position=terms.close_position,
            working_type=terms.working_type,
            price_protect=terms.price_protect,
            created_ms=clock.exchange,
            updated_ms=clock.exchange,
            accepted_ms=clock.now,
            price_match=terms.price_match,
            stp=terms.stp,
            good_till_ms=terms.good_till_ms,
            activate_price=terms.activate_price,
            callback_rate=terms.callback_rate,
        )
        self.orders.append(algo)
        self.open[number] = algo
        self.latest[algo.client_id] = number
        house.algo_event(algo, None)
        if algo.type == TRAILING:
            self._trail(algo, self.house.market.working_price(algo.working_type))
        if algo.good_till_ms:
            clock.later(max(0, algo.good_till_ms - clock.exchange), "algo_end", number)
        if house.switches.auto_cancel_stops_ms:
            clock.later(house.switches.auto_cancel_stops_ms, "algo_cancel", number)
        return algo

    # -- triggering ------------------------------------------------------------------------------

    def reached(self) -> list[AlgoOrder]:
        """Return the orders whose condition the prices meet now; trailing ones follow first."""
        found = []
        for algo in self.open.values():
            if algo.status is not AlgoStatus.NEW:
                continue
            price = self.house.market.working_price(algo.working_type)
            if algo.type == TRAILING:
                fires = self._trail(algo, price)
            else:
                fires = is_reached(algo.type, algo.sign, algo.trigger_price, price)
            if fires and not (algo.price_protect and self._is_torn()):
                found.append(algo)
        return found

    def _is_torn(self) -> bool:
        """Whether mark and last price are too far apart for protected triggers."""
        market = self.house.market
        gap = abs(market.mark - market.last)
        return gap > self.house.instrument.trigger_protect * market.mark

    def _trail(self, algo: AlgoOrder, price: Decimal) -> bool:
        """Follow the price; return whether it fell back by the callback rate."""
        sign = algo.sign
        if not algo.activated:
            level = algo.activate_price
            if level is not None and (price - level) * sign > ZERO:
                return False
            algo.activated = True
            algo.extreme = price
            self.house.algo_event(algo, None)
        extreme = algo.extreme if algo.extreme is not None else price
        algo.extreme = min(extreme, price) if sign > 0 else max(extreme, price)
        rate = (algo.callback_rate or ZERO) / 100
        algo.trigger_price = algo.extreme * (1 + sign * rate)
        return (price - algo.trigger_price) * sign >= ZERO

    def trigger(self, algo: AlgoOrder) -> None:
        """Begin to forward an order, unless something ended it meanwhile."""
        if algo.status is not AlgoStatus.NEW:
            return
        clock = self.house.clock
        algo.trigger_ms = clock.exchange
        self._step(algo, Step.TRIGGER)
        delay = self.house.switches.trigger_delay_ms
        if delay:
            clock.later(delay, "child", algo.algo_id)
        else:
            self.send_child(algo)

    def send_child(self, algo: AlgoOrder) -> None:
        """Hand a triggering order to the matching engine."""
        if algo.status is not AlgoStatus.TRIGGERING:
            return
        house = self.house
        fault = (
            house.faults.on_order("child", algo.client_id, house.clock.now)
            if house.faults.armed
            else None
        )
        share = None
        if fault is not None and fault.kind == "child_partial":
            share = fault.amount("fraction", "0.5")
        order = house.switches.algo_child_push_order
        if order == "random":
            order = house.chance.choice(("algo_first", "child_first"))
        try:
            if fault is not None and fault.kind == "child_rejected":
                raise by_number(fault.whole("code", Code.MARGIN.value.code))
            self.book.place(
                self._child_terms(algo),
                child_of=algo,
                share=share,
                accepted=(lambda: self._step(algo, Step.CHILD_MADE))
                if order == "algo_first"
                else None,
            )
        except Refusal as refusal:
            self._child_refused(algo, refusal)
            return
        if algo.status is AlgoStatus.TRIGGERING:
            self._step(algo, Step.CHILD_MADE)
            child = self.child_of(algo)
            if child is not None and not child.is_open:
                self._step(algo, Step.CHILD_ENDED)

    def _child_refused(self, algo: AlgoOrder, refusal: Refusal) -> None:
        account = self.house.account
        has_side = algo.position_side in account.positions
        if algo.reduces and has_side and not account.reducible(algo.position_side, algo.sign):
            step = FIRED_FLAT[self.house.switches.stop_fired_flat_status]
        else:
            step = Step.CHILD_REFUSED
        if step is Step.CHILD_REFUSED:
            algo.failure = refusal.message
        self._step(algo, step)

    def _child_terms(self, algo: AlgoOrder) -> OrderTerms:
        """Return what the matching engine is asked for."""
        quantity = algo.quantity
        maximum = self.house.instrument.market_quantity_max
        if algo.close_position:
            quantity = self.house.account.reducible(algo.position_side, algo.sign)
            refused = self.house.switches.close_above_market_maximum == "refused"
            if refused and quantity > maximum:
                raise refuse(Code.QUANTITY_ABOVE_MAXIMUM)
        limited = algo.type in LIMIT_CHILD_TYPES
        price = algo.price
        if limited and algo.price_match != "NONE":
            sign = algo.sign if algo.price_match.startswith("OPPONENT") else -algo.sign
            price = self.house.market.best(sign)
        tif = algo.time_in_force if algo.time_in_force in ("IOC", "FOK", "GTX") else "GTC"
        return OrderTerms(
            side=algo.side,
            type="LIMIT" if limited else "MARKET",
            quantity=quantity,
            price=price if limited else ZERO,
            time_in_force=tif if limited else "GTC",
            position_side=algo.position_side,
            reduce_only=algo.reduce_only,
            client_id=algo.client_id,
            stp=algo.stp,
            wants_result=True,
        )

    def _child_ended(self, child: Order) -> None:
        """Finish the conditional order whose child is final."""
        if child.algo_id is None:
            return
        algo = self.orders[child.algo_id - FIRST_ALGO_ID]
        if algo.status is AlgoStatus.TRIGGERED:
            self._step(algo, Step.CHILD_ENDED)

    # -- ending ----------------------------------------------------------------------------------

    def cancel(self, algo: AlgoOrder) -> None:
        """Cancel on request, or raise the `Refusal` its status calls for."""
        if algo.status is AlgoStatus.TRIGGERING:
            answer = self.house.switches.cancel_while_triggering
            if answer != "success":
                raise by_number(int(answer))
        elif algo.status is not AlgoStatus.NEW:
            raise refuse(Code.CANCEL_UNKNOWN)
        self._step(algo, Step.CANCEL)
        if algo.close_position:
            kind = (algo.type, algo.side, algo.position_side)
            self.cancelled_at[kind] = self.house.clock.now

    def cancel_all(self) -> None:
        """Cancel every order that has not triggered."""
        for algo in list(self.open.values()):
            if algo.status is AlgoStatus.NEW:
                self.cancel(algo)

    def run(self, what: str, algo_id: int) -> None:
        """Do what was due later for one order: "child", "algo_end" or "algo_cancel"."""
        algo = self.open.get(algo_id)
        if algo is None:
            return
        if what == "child":
            self.send_child(algo)
        elif algo.status is AlgoStatus.NEW:
            self._step(algo, Step.CANCEL if what == "algo_cancel" else Step.SYSTEM_END)

    def position_moved(self, position_side: str) -> None:
        """Expire orders that need a position which is no longer there."""
        if not self.open or self.house.switches.gte_after_flat == "survives":
            return
        account, lag = self.house.account, self.house.switches.gte_expire_lag_ms
        for algo in list(self.open.values()):
            if (
                algo.needs_position
                and algo.position_side == position_side
                and algo.status is AlgoStatus.NEW
                and not account.reducible(position_side, algo.sign)
            ):
                if lag:
                    self.house.clock.later(lag, "algo_end", algo.algo_id)
                else:
                    self._step(algo, Step.SYSTEM_END)

    def liquidated(self, position_side: str) -> None:
        """Let the liquidation take the reducing orders of its position too, where it does so."""
        if self.house.switches.stops_after_liquidation == "stay":
            return
        for algo in list(self.open.values()):
            if algo.position_side == position_side and algo.reduce_only:
                self.run("algo_end", algo.algo_id)

    def _step(self, algo: AlgoOrder, step: Step) -> None:
        algo.status = next_status(algo.status, step)
        algo.updated_ms = self.house.clock.exchange
        if algo.status not in (AlgoStatus.NEW, AlgoStatus.TRIGGERING):
            self.open.pop(algo.algo_id, None)
        self.house.algo_event(algo, self.child_of(algo))

    def load(self, orders: list[AlgoOrder]) -> None:
        """Take over the orders of a saved book."""
        self.orders = orders
        waiting = (AlgoStatus.NEW, AlgoStatus.TRIGGERING)
        self.open = {one.algo_id: one for one in orders if one.status in waiting}
        self.latest = {one.client_id: one.algo_id for one in orders}
        self.latest.update({one.client_id: one.algo_id for one in self.open.values()})

    def is_open(self, client_id: str) -> bool:
        """Whether an order with this id rests or is triggering."""
        return self.latest.get(client_id) in self.open

    # -- looking up ------------------------------------------------------------------------------

    def child_of(self, algo: AlgoOrder) -> Order | None:
        """Return the regular order this one became."""
        if algo.child_id is None:
            return None
        return self.book.past.by_number(algo.child_id)

    def by_number(self, algo_id: int) -> AlgoOrder | None:
        """Return an order by its number, however old."""
        index = algo_id - FIRST_ALGO_ID
        return self.orders[index] if 0 <= index < len(self.orders) else None

    def find(self, algo_id: int | None, client_id: str | None) -> AlgoOrder | None:
        """Return an order by either id, unless it is too old to be found (section 3.3)."""
        if algo_id is None:
            algo_id = self.latest.get(client_id or "")
            if algo_id is None:
                return None
        algo = self.by_number(algo_id)
        if algo is None:
            return None
        age = self.house.clock.exchange - algo.updated_ms
        unfilled = algo.status in (AlgoStatus.CANCELED, AlgoStatus.EXPIRED)
        if algo.status in FINAL_STATUSES and (
            age > GONE_MS or (age > GONE_UNFILLED_MS and unfilled)
        ):
            return None
        return algo

    def _reserved(self, position_side: str, sign: int) -> Decimal:
        """Return what untriggered reduce-only quantity orders would hold of the position."""
        return sum(
            (
                one.quantity
                for one in self.open.values()
                if one.status is AlgoStatus.NEW
                and one.reduce_only
                and not one.close_position
                and one.sign == sign
                and one.position_side == position_side
            ),
            ZERO,
        )
