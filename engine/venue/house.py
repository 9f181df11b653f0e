"""The house: the parts that both books, the account and the routes share.

It holds and connects; it decides nothing. Everything that happens is noted in the journal here, so
that an order event or a fill always has the same fields.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from engine.venue.account import Account
from engine.venue.clock import Clock
from engine.venue.faults import Faults
from engine.venue.journal import Journal
from engine.venue.market import Market
from engine.venue.outbox import Outbox
from engine.venue.text import plain
from engine.venue.user_events import UserEvents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.venue.account import Position
    from engine.venue.faults import Fault
    from engine.venue.orders import AlgoOrder, Order, Trade
    from engine.venue.settings import VenueSettings

EXCHANGE, API, HAND = "exchange", "api", "hand"


class House:
    """Clock, prices, account, log, pushes, faults and chance of one venue.

    `actor` names in the log who caused an event: the exchange itself (prices, time), a request,
    or another hand on the account. `caller` is the key of the request at hand.
    """

    __slots__ = (
        "account",
        "actor",
        "caller",
        "chance",
        "clock",
        "events",
        "faults",
        "instrument",
        "journal",
        "market",
        "outbox",
        "settings",
        "switches",
    )

    def __init__(self, settings: VenueSettings, now_ms: int, seed: int) -> None:
        """Open at `now_ms`; everything random follows from `seed`."""
        self.settings = settings
        self.actor = EXCHANGE
        self.caller: str | None = None
        self.switches = settings.switches
        self.instrument = settings.instrument
        self.clock = Clock(now_ms)
        self.chance = random.Random(seed)  # seeded on purpose: runs must repeat
        self.faults = Faults(self.chance, settings.role_letters)
        self.journal = Journal(self.clock, settings.log_limit)
        self.faults.noted = self._struck
        self.outbox = Outbox(self.clock, self.faults)
        self.events = UserEvents(settings)
        self.market = Market(settings, now_ms)
        self.account = Account.opened(settings, now_ms)

    def shows(self, scope: str, client_id: str, accepted_ms: int) -> bool:
        """Whether a reader gets to see an order: reads may run behind, and faults may hide it."""
        lag = self.switches.visible_after_ms
        if lag and self.clock.now - accepted_ms < lag:
            return False
        faults = self.faults
        return not (faults.armed and faults.on_order(scope, client_id, self.clock.now))

    def _struck(self, fault: Fault) -> None:
        """Note what a request's own entry does not name: a fault that strikes something else."""
        if fault.scope != "request":
            self.journal.note("strike", id=fault.number, fault=fault.kind)

    def order_event(self, order: Order, event: str, trade: Trade | None = None) -> None:
        """Note and push what happened to a regular order; `event` is the execution type."""
        self.journal.note(
            "order",
            book="regular",
            event=event,
            order_id=order.order_id,
            client_id=order.client_id,
            side=order.side,
            position_side=order.position_side,
            type=order.type,
            status=order.status.value,
            time_in_force=order.time_in_force,
            price=plain(order.price),
            quantity=plain(order.quantity),
            executed=plain(order.executed),
            reduce_only=order.reduce_only,
            close_position=order.close_position,
            working_type=order.working_type,
            trigger_price=plain(order.stop_price),
            algo_id=order.algo_id,
            expiry_reason=order.expiry_reason,
            by=self.actor,
        )
        outbox = self.outbox
        if outbox.listen_key is not None:
            now_ms = self.clock.exchange
            if trade is not None:
                outbox.user(self.events.trade_lite(order, trade, now_ms))
            outbox.user(self.events.order(order, event, now_ms, trade))

    def algo_event(self, algo: AlgoOrder, child: Order | None) -> None:
        """Note and push the status a conditional order has now."""
        self.journal.note(
            "order",
            book="algo",
            event=algo.status.value,
            algo_id=algo.algo_id,
            client_id=algo.client_id,
            side=algo.side,
            position_side=algo.position_side,
            type=algo.type,
            status=algo.status.value,
            time_in_force=algo.time_in_force,
            trigger_price=plain(algo.trigger_price),
            price=plain(algo.price),
            quantity=plain(algo.quantity),
            executed=plain(child.executed) if child is not None else "0",
            reduce_only=algo.reduce_only,
            close_position=algo.close_position,
            working_type=algo.working_type,
            child_id=algo.child_id,
            failure=algo.failure,
            by=self.actor,
        )
        if self.outbox.listen_key is not None:
            self.outbox.user(self.events.algo(algo, child, self.clock.exchange))

    def account_event(self, cause: str, positions: Sequence[Position], change: str = "0") -> None:
        """Push the wallet and the positions that changed."""
        if self.outbox.listen_key is not None:
            self.outbox.user(
                self.events.account(
                    cause, self.account, positions, self.market.mark, self.clock.exchange, change
                )
            )

    def margin_event(self, positions: Sequence[Position]) -> None:
        """Push that the margin of these positions runs out."""
        account, mark, now_ms = self.account, self.market.mark, self.clock.exchange
        self.outbox.user(self.events.margin_call(account, positions, mark, now_ms))

    def wallet_event(self, cause: str, amount: object) -> None:
        """Note a movement of the wallet that no fill explains."""
        self.journal.note(
            "income", cause=cause, amount=str(amount), wallet=plain(self.account.wallet)
        )
