"""One entry with everything it is judged by, and what the keeper could see when it acted.

A gate takes a ``Case`` and says why the entry was forbidden, None when it was not. What changes
from second to second is judged by the most favourable value that stood between the keeper's last
answered look of that kind and its act: so no honest keeper is accused, however slow its look was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from engine.domain.identity import OrderRole
from engine.domain.limits import Limits
from engine.simulation.account import Account
from engine.simulation.cover import Picture
from engine.simulation.given import Given, Inbox
from engine.simulation.lives import Opened, Withdrawn
from engine.simulation.log import Placed
from engine.simulation.looks import Act, Looks, Topic
from engine.simulation.prices import Prices, Quoted
from engine.venue.settings import BTCUSDT_BRACKETS, Bracket, Instrument

OLD_MS = 10_000
"""A look so long before the act is none: what is entered on was read in the same tick (C3)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What lies around an entry: the market, the keeper's looks, the exchange's own terms.

    ``births`` are the moments at which a new keeper rose, ``is_store_whole`` whether none of them
    had lost its store, ``flattened`` when an operator said flatten.
    """

    prices: Prices = field(default_factory=Prices)
    looks: Looks = field(default_factory=Looks)
    brackets: Sequence[Bracket] = BTCUSDT_BRACKETS
    instrument: Instrument = field(default_factory=Instrument)
    births: Sequence[int] = ()
    is_store_whole: bool = True
    flattened: Sequence[int] = ()


@dataclass(frozen=True)
class Case:
    """One entry; ``is_first`` in its life; ``armed`` is when its stop was first sent, if before it.

    ``papers`` are the documents whose prices it may have: its own, and of a chase every one of its
    side since the life began, for a newer one may have moved zone and targets (D3).
    """

    entry: Placed
    sign: int
    price: Decimal
    given: Given
    generation: int
    is_first: bool
    picture: Picture
    papers: Sequence[Given]
    lives: Sequence[Opened]
    withdrawn: Sequence[Withdrawn]
    account: Account
    inbox: Inbox
    limits: Limits
    slack_ms: int
    scene: Scene
    sent: Act
    armed: Act | None

    @cached_property
    def triggers(self) -> Sequence[Decimal]:
        """Return the triggers of this life's own stops that rest."""
        return [
            o.terms.trigger_price
            for o in self.picture.own(OrderRole.STOP_PRIMARY)
            if o.terms.trigger_price is not None
            and (its := o.own_id) is not None
            and its.generation == self.generation
        ]

    @property
    def cost(self) -> Decimal:
        """Return the notional at the limit price."""
        return (self.entry.quantity or Decimal(0)) * self.price

    def look(self, topic: Topic, act: Act) -> Act | None:
        """Return the look of that kind which ``act`` was decided by, None when none is known."""
        return self.scene.looks.last(topic, act, OLD_MS)

    def quoted(self, topic: Topic, act: Act) -> Sequence[Quoted]:
        """Return the prices that stood between that look and the act; without one, the slack's."""
        look = self.look(topic, act)
        if look is not None:
            return self.scene.prices.during(look.n, act.n)
        return self.scene.prices.between(act.at_ms - self.slack_ms, act.at_ms)


Gate = Callable[[Case], str | None]
