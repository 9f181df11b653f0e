"""The whole keeper beside the strict venue, whatever comes: judged from the venue's log alone.

Decisions of every kind, moving prices, parts of fills, other hands, deaths at any call. After
every step the promises of RULES B hold; when the world falls silent the keeper comes to rest, and
told to flatten it leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from engine.domain.condition import Command
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.limits import HoldOrClose, Limits
from engine.domain.terms import Side
from engine.exchange.budget import interval_factor
from engine.simulation.causes import Pace, naked_with_causes
from engine.simulation.checkers import History, executed_once, never_widened
from engine.simulation.draw import START_MS
from engine.simulation.log import Changed, Event, Filled, Placed, read_log
from engine.simulation.requests import Span
from engine.simulation.world import World
from engine.tick import TickReport
from engine.venue.api import Venue
from engine.venue.settings import VenueSettings
from engine.venue.values import Reply
from tests.builders import d
from tests.machines.documents import (
    BROKEN,
    REFINEMENTS,
    Idea,
    M,
    R,
    broken,
    ideas,
    quantity_at,
    refined,
    text_of,
)

BOUNDED = settings(max_examples=40, stateful_step_count=30)
QUIET_TICKS = 60
REST_TICKS = 5
FLATTEN_TICKS = 120
PRIMARIES_MAX = 3
MINIMUM_LEFT = d("0.001")

parts = st.sampled_from([None, "0.001", "0.004", "0.02"])


class RacingWorld(World):
    """A world in which something may happen just before a cancel reaches the venue."""

    before_cancel: Callable[[], None] | None = None

    def _handle(
        self, verb: str, path: str, query: str, body: str, key: str | None, now_ms: int
    ) -> Reply:
        if verb == "DELETE" and self.before_cancel is not None:
            happening, self.before_cancel = self.before_cancel, None
            happening()
        return super()._handle(verb, path, query, body, key, now_ms)


class Model:
    """What a plain reader of RULES expects, from documents and the venue's log."""

    def __init__(self) -> None:
        self.sizes: dict[str, Decimal] = {}
        self.targets: dict[str, list[Decimal]] = {"long": [], "short": []}
        self.levels: dict[int, tuple[Side, Decimal]] = {}

    def learn(self, report: TickReport) -> None:
        """Remember every decision seen, and hold the level in force of each life to its past."""
        decision = report.situation.inbox.decision
        if decision is not None and decision.size_usdt is not None and decision.tp1 is not None:
            self.sizes[decision.id] = decision.size_usdt
            self.targets[decision.action.value].append(decision.tp1)
        life = report.ledger.life
        if life is not None and life.stop_level is not None and life.opened_ms is not None:
            known = self.levels.get(life.generation)
            assert known is None or not life.side.is_tighter(known[1], life.stop_level), (
                f"level in force went from {known} to {life.stop_level} (B2)"
            )
            self.levels[life.generation] = (life.side, life.stop_level)

    def quantities(self, events: list[Event]) -> dict[str, Decimal]:
        """Return what each decision may open: its size at its first limit price (D1)."""
        allowed: dict[str, Decimal] = {}
        for event in events:
            if not isinstance(event, Placed) or not event.is_own(OrderRole.ENTRY):
                continue
            own = event.own_id
            assert own is not None
            assert event.price is not None
            if own.decision_hash in self.sizes:
                size = self.sizes[own.decision_hash]
                allowed.setdefault(own.decision_hash, quantity_at(size, event.price))
        return allowed


class KeeperBesideVenue(RuleBasedStateMachine):
    """One keeper, one venue, and everybody else."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(prefix="keeper-machine-")
        self.inbox = Path(self.folder.name)
        self.model = Model()
        self.last: dict[str, Any] | None = None
        self.part: Decimal | None = None
        self.imposed: list[Span] = []
        self.foreign: set[str] = set()
        self.hands = 0
        self.lost_stores = 0
        self.report: TickReport | None = None
        self.judged = 0
        self.slowest = 1
        self.coming: tuple[int, Decimal | None] | None = None

    @initialize(
        part=parts,
        closes=st.booleans(),
        latency_ms=st.sampled_from([5, 20, 90]),
        post_only=st.booleans(),
        idea=ideas,
    )
    def begin(
        self, part: str | None, closes: bool, latency_ms: int, post_only: bool, idea: Any
    ) -> None:
        """Open the venue, start the keeper, let it trade a first idea."""
        self.part = None if part is None else d(part)
        settings_of = VenueSettings(
            wallet=d(2000), touch_quantity=self.part, market_streams=(), log_reads=False
        )
        self.venue = Venue(settings_of, now_ms=START_MS, seed=1)
        reaction = HoldOrClose.CLOSE if closes else HoldOrClose.HOLD
        limits = Limits(
            cooldown_ms=0,
            reenter_wait_ms=2_000,
            chase_interval_ms=3_000,
            entry_timeout_ms=40_000,
            trades_per_day_max=1_000,
            daily_drawdown_limit_pct=d(-90),
            weekly_drawdown_limit_pct=d(-90),
            on_flat=reaction,
            on_opposite=reaction,
            post_only=post_only,
        )
        self.world = RacingWorld(
            self.venue,
            self.inbox,
            limits,
            start_ms=START_MS,
            latency_ms=latency_ms,
            listener=self._seen,
        )
        self.world.meanwhile = self._meanwhile
        self._run(2)
        self._trade(idea, 0)

    # -- the analytics job -------------------------------------------------------------------------

    @rule(idea=ideas, looks=st.integers(1, 5))
    def decide(self, idea: Any, looks: int) -> None:
        """A valid decision around the price."""
        self._write(idea.document(self.price))
        self._run(looks)

    @precondition(lambda self: self.last is not None)
    @rule(what=st.sampled_from(REFINEMENTS), step=st.integers(1, 900), looks=st.integers(1, 4))
    def refine(self, what: str, step: int, looks: int) -> None:
        """A newer decision of the same side that changes one thing."""
        assert self.last is not None
        self._write(refined(self.last, what, self.price, step))
        self._run(looks)

    @precondition(lambda self: self.last is not None)
    @rule(looks=st.integers(1, 4))
    def decide_flat(self, looks: int) -> None:
        """A valid flat."""
        assert self.last is not None
        nothing = dict.fromkeys(("entry_zone", "sl", "tp1", "tp2"))
        self._put(text_of({**self.last, "action": "flat", **nothing}, self.now_ms))
        self._run(looks)

    @rule(idea=ideas, how=st.sampled_from((*BROKEN, "stale", "gone")), looks=st.integers(1, 5))
    def scribble(self, idea: Any, how: str, looks: int) -> None:
        """A document that is refused, opens nothing, or is gone."""
        document = idea.document(self.price)
        if how == "gone":
            (self.inbox / "decision.json").unlink(missing_ok=True)
        elif how == "stale":
            self._put(text_of(document, self.now_ms - 601_000))
        else:
            self._put(broken(document, how, self.now_ms))
        self._run(looks)

    @precondition(lambda self: self.held == 0)
    @rule(idea=ideas, beyond=st.integers(0, 40), looks=st.integers(1, 3))
    def trade(self, idea: Any, beyond: int, looks: int) -> None:
        """A decision that is entered, and a price that comes to the entry."""
        self._trade(idea, beyond)
        self._run(looks)

    # -- the market --------------------------------------------------------------------------------

    @rule(
        steps=st.lists(st.integers(-400, 400), min_size=1, max_size=6),
        lag=st.integers(-30, 30),
        looks=st.integers(0, 1),
    )
    def walk(self, steps: list[int], lag: int, looks: int) -> None:
        """The price walks; the mark lags or leads a little."""
        for step in steps:
            self._move(self.price + step * d("0.1"), lag)
            self._run(looks)
        self._run(1)

    @precondition(lambda self: self._rests(OrderRole.ENTRY))
    @rule(beyond=st.integers(0, 40), looks=st.integers(0, 3))
    def meet_the_entry(self, beyond: int, looks: int) -> None:
        """The price comes to a resting entry, and goes a little through it."""
        self._meet(beyond)
        self._run(looks)

    @precondition(lambda self: self._rests(OrderRole.ENTRY))
    @rule(away=st.integers(5, 300), again=st.integers(1, 3))
    def tease(self, away: int, again: int) -> None:
        """The price touches the entry, runs away so that it is chased, and comes back."""
        for _ in range(again):
            self._meet(0)
            self._run(1)
            self._away(away)
            self._run(6)
        self._meet(0)
        self._run(1)

    @precondition(lambda self: self._rests(OrderRole.ENTRY))
    @rule(
        after_ms=st.one_of(st.none(), st.integers(0, 1_200)),
        how=st.sampled_from(["tp1", "away", "flat"]),
    )
    def race(self, after_ms: int | None, how: str) -> None:
        """The entry loses its reason, and fills a moment later or just before its cancel."""
        entry = self._entry_price()
        if how == "flat" and self.last is not None:
            nothing = dict.fromkeys(("entry_zone", "sl", "tp1", "tp2"))
            self._put(text_of({**self.last, "action": "flat", **nothing}, self.now_ms))
        else:
            self._away(2_000 if how == "tp1" else 9_000)
        if after_ms is None:
            self.world.before_cancel = lambda: self._move(entry or self.price, 0)
        else:
            self.coming = (self.now_ms + after_ms, entry)
        self._run(3)
        self.world.before_cancel = None

    @precondition(lambda self: self.held != 0 and self.goals)
    @rule(
        to=st.sampled_from(["stop", "tp1", "tp1", "tp2", "zone", "level"]),
        beyond=st.integers(-30, 60),
        looks=st.integers(0, 3),
    )
    def visit(self, to: str, beyond: int, looks: int) -> None:
        """The price goes where something waits for it, or almost."""
        goal = self.goals.get(to)
        if goal is None:
            return
        toward = 1 if goal > self.price else -1
        self._move(goal + toward * beyond * d("0.1"), 0)
        self._run(looks)

    @precondition(lambda self: self.held != 0 and self.goals)
    @rule(
        to=st.sampled_from(["tp1", "tp2", "zone"]),
        stages=st.integers(1, 6),
        back=st.integers(0, 900),
    )
    def ride(self, to: str, stages: int, back: int) -> None:
        """The price travels to a target in stages, beyond it, and comes back a little."""
        goal = self.goals.get(to)
        if goal is None:
            return
        start = self.price
        for stage in range(1, stages + 1):
            self._move(self._on_tick(start + (goal - start) * stage / stages), 0)
            self._run(1)
        toward = 1 if goal > start else -1
        self._move(goal + toward * d("2"), 0)
        self._run(2)
        self._move(self.price - toward * back * d("0.1"), 0)
        self._run(2)

    @rule(gap=st.integers(-9_000, 9_000))
    def jump(self, gap: int) -> None:
        """A gap of up to one percent."""
        self._move(self.price + gap * d("0.1"), 0)
        self._run(3)

    @rule(seconds=st.sampled_from([1, 3, 15, 70]))
    def wait(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self._run(seconds)

    # -- other hands -------------------------------------------------------------------------------

    @precondition(lambda self: abs(self.held) > MINIMUM_LEFT)
    @rule(steps=st.sampled_from([1, 1, 2, 3, 5, 20]))
    def cut_by_hand(self, steps: int) -> None:
        """Somebody closes a part, or all of it."""
        quantity = min(steps * MINIMUM_LEFT, abs(self.held))
        side = "SELL" if self.held > 0 else "BUY"
        self._hand(do="market", side=side, quantity=quantity, reduce_only="true")
        self._run(2)

    @precondition(lambda self: self.held != 0 and self.goals)
    @rule(looks=st.integers(5, 9))
    def close_by_hand_and_tempt(self, looks: int) -> None:
        """Somebody closes; the price stays where the same decision would enter again (D2)."""
        entry = self.report.ledger.life.limit_price  # type: ignore[union-attr]
        self._hand(do="close")
        self._run(looks)
        self._move(entry, 0)
        self._run(5)

    @rule()
    def strip_by_hand(self) -> None:
        """Somebody cancels every stop of ours at once."""
        self._hand(do="cancel", role="stop_primary")
        self._hand(do="cancel", role="stop_floor")
        self._run(2)

    @precondition(lambda self: self.held != 0 and self._rests(OrderRole.STOP_FLOOR))
    @rule(steps=st.integers(1, 8))
    def add_by_hand(self, steps: int) -> None:
        """Somebody adds to the position while the floor rests: it covers at once (B)."""
        side = "BUY" if self.held > 0 else "SELL"
        self._hand(do="market", side=side, quantity=steps * MINIMUM_LEFT)
        self._run(2)

    @rule(role=st.sampled_from(["stop_primary", "stop_floor", "tp1", "tp2", "entry"]))
    def cancel_by_hand(self, role: str) -> None:
        """Somebody cancels an order of ours."""
        self._hand(do="cancel", role=role)
        self._run(2)

    @rule(side=st.sampled_from(["BUY", "SELL"]))
    def place_by_hand(self, side: str) -> None:
        """Somebody else's limit far away: reported, never touched."""
        self.hands += 1
        name = f"web_far_{self.hands}"
        far = self.price * (d("0.96") if side == "BUY" else d("1.04"))
        self._hand(
            do="limit",
            side=side,
            quantity=d("0.001"),
            price=far.quantize(d("0.1")),
            client_id=name,
        )
        if name in self._open_names():
            self.foreign.add(name)
        self._run(1)

    # -- deaths ------------------------------------------------------------------------------------

    @rule(
        call=st.one_of(st.none(), st.integers(0, 25)),
        is_after=st.booleans(),
        loses_store=st.booleans(),
    )
    def kill(self, call: int | None, is_after: bool, loses_store: bool) -> None:
        """The keeper dies between two ticks, or at some call through its ports."""
        if call is None:
            self.world.die()
        else:
            self.world.mortality.doom(call, is_after=is_after)
            self._run(3)
            self.world.mortality.spare()
        if self.world.keeper is None:
            self._rise(loses_store)

    # -- what must hold ----------------------------------------------------------------------------

    @invariant()
    def the_promises_hold(self) -> None:
        """RULES B1 to B3, A4, E1, G2: from the venue's log."""
        entries = self.venue.log_after(0)
        if len(entries) == self.judged:
            return
        self.judged = len(entries)
        events = read_log(entries)
        history = History(events, end_ms=self.now_ms)
        pace = Pace(self.world.interval_ms * self.slowest, self.world.latency_ms)
        naked = naked_with_causes(history, pace, self.imposed)
        assert [n.finding for n in naked if n.finding is not None] == []
        assert never_widened(history).findings == ()
        assert executed_once(history, quantities=self.model.quantities(events)).findings == ()
        self._entries_are_paired(events)
        self._nobody_was_flipped(events)
        for picture in history.pictures():
            names = {o.terms.client_id for o in picture.own(OrderRole.STOP_PRIMARY)}
            assert len(names) <= PRIMARIES_MAX + 1, names

    @invariant()
    def foreign_orders_are_not_touched(self) -> None:
        """DESIGN 5: reported, never touched."""
        assert self.foreign <= self._open_names()

    def teardown(self) -> None:
        """Silence: the keeper comes to rest; told to flatten, it leaves nothing."""
        try:
            if hasattr(self, "world"):
                self._come_to_rest()
                self._leave_nothing()
                self.the_promises_hold()
        finally:
            if hasattr(self, "world"):
                self.world.close()
            self.folder.cleanup()

    # -- the means ---------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        return self.world.clock.now_ms

    @property
    def price(self) -> Decimal:
        return self.venue.house.market.last

    @property
    def held(self) -> Decimal:
        return sum((p.quantity for p in self.venue.house.account.positions.values()), d(0))

    @property
    def goals(self) -> dict[str, Decimal | None]:
        """Return the prices something waits at."""
        life = None if self.report is None else self.report.ledger.life
        if life is None:
            return {}
        return {
            "stop": life.initial_stop,
            "level": life.level_in_force,
            "tp1": life.tp1_price,
            "tp2": life.tp2_price,
            "zone": None if life.zone is None else life.zone.near_edge(life.side),
        }

    def _trade(self, idea: Any, beyond: int) -> None:
        self._write(idea.document(self.price))
        self._run(4)
        if self._rests(OrderRole.ENTRY):
            self._meet(beyond)
        self._run(1)

    def _meet(self, beyond: int) -> None:
        price = self._entry_price()
        if price is not None:
            self._move(price - self._entry_sign() * beyond * d("0.1"), 0)

    def _away(self, ticks: int) -> None:
        self._move(self.price + self._entry_sign() * ticks * d("0.1"), 0)

    def _entry_price(self) -> Decimal | None:
        prices = [price for price, _ in self._entries()]
        return prices[0] if prices else None

    def _entry_sign(self) -> int:
        return next((sign for _, sign in self._entries()), 1)

    def _entries(self) -> list[tuple[Decimal, int]]:
        """Return price and sign of our resting entries."""
        return [
            (order.price, 1 if order.side == "BUY" else -1)
            for order in self.venue.book.open.values()
            if (own := ClientOrderId.parse(order.client_id)) is not None
            and own.role is OrderRole.ENTRY
        ]

    def _meanwhile(self, now_ms: int) -> None:
        """Let a price come that was put on its way, between two requests if it is due then."""
        if self.coming is None or self.coming[0] > now_ms:
            return
        at_ms, price = self.coming
        self.coming = None
        if price is not None:
            self.venue.set_price(price, max(at_ms, self.now_ms), quantity=self.part)

    def _seen(self, report: TickReport) -> None:
        self.report = report
        self.model.learn(report)
        used = report.situation.condition
        # A tick of a busy account is longer, and so is "one tick" of the bounds (H4).
        self.slowest = max(self.slowest, interval_factor(used.weight_used, used.weight_limit))

    def _write(self, document: dict[str, Any]) -> None:
        self.last = document
        self._put(text_of(document, self.now_ms))

    def _put(self, text: str) -> None:
        path = self.inbox / ".decision.json.new"
        path.write_text(text, encoding="utf-8")
        path.replace(self.inbox / "decision.json")

    def _move(self, price: Decimal, lag: int) -> None:
        price = max(price, d(20_000))
        self.venue.set_price(price, self.now_ms, mark=price + lag * d("0.1"), quantity=self.part)

    def _run(self, looks: int) -> None:
        until_ms = self.now_ms + looks * self.world.interval_ms
        while self.now_ms < until_ms:
            started_ms = self.now_ms
            self.world.step(until_ms)
            if self.world.keeper is None:
                self.imposed.append(Span(started_ms, self.now_ms + 1))
                return

    def _rise(self, loses_store: bool) -> None:
        # One lost store a run: the exchange's history is bounded, so is what comes back from it.
        loses = loses_store and self.lost_stores == 0
        self.lost_stores += loses
        self.imposed.append(Span(self.now_ms - 1, self.now_ms + 1))
        self.world.rise(lose_store=loses)
        self._run(2)

    def _on_tick(self, price: Decimal) -> Decimal:
        return price.quantize(d("0.1"))

    def _hand(self, **terms: object) -> None:
        self.venue.hand(terms, self.now_ms)

    def _open_names(self) -> set[str]:
        names = {o.client_id for o in self.venue.book.open.values()}
        return names | {o.client_id for o in self.venue.algo.open.values()}

    def _rests(self, role: OrderRole) -> bool:
        owns = (ClientOrderId.parse(name) for name in self._open_names())
        return any(own is not None and own.role is role for own in owns)

    def _entries_are_paired(self, events: list[Event]) -> None:
        """RULES E1, E4: each entry left beside an armed stop, far and near enough for the pair."""
        armed: dict[str, Placed] = {}
        for event in events:
            if isinstance(event, Changed):
                armed.pop(event.exchange_id, None)
            elif isinstance(event, Placed) and event.is_own(OrderRole.STOP_PRIMARY):
                armed[event.exchange_id] = event
            elif isinstance(event, Placed) and event.is_own(OrderRole.ENTRY):
                self._is_paired(event, list(armed.values()))

    def _is_paired(self, entry: Placed, armed: list[Placed]) -> None:
        own, price = entry.own_id, entry.price
        assert own is not None
        assert price is not None
        side = Side.LONG if entry.side == "BUY" else Side.SHORT
        stops = [
            s.trigger_price
            for s in armed
            if s.own_id is not None
            and s.own_id.generation == own.generation
            and s.trigger_price is not None
            and (s.quantity or d(0)) >= (entry.quantity or d(0))
        ]
        assert stops, f"{own} left without an armed stop"
        risks = [side.gain(stop, price) for stop in stops]
        assert any(
            risk >= price * M and any(side.gain(price, t) >= R * risk for t in self._targets(side))
            for risk in risks
        ), f"{own} at {price} beside {stops}"

    def _targets(self, side: Side) -> list[Decimal]:
        return self.model.targets[side.value]

    def _nobody_was_flipped(self, events: list[Event]) -> None:
        held = d(0)
        for event in events:
            if isinstance(event, Filled):
                assert held * event.position >= 0, f"{event.client_id} flipped the position"
                held = event.position

    def _come_to_rest(self) -> None:
        """After a few quiet looks the plan is empty, and stays so."""
        if self.world.keeper is None:
            self._rise(loses_store=False)
        (self.inbox / "decision.json").unlink(missing_ok=True)
        empty = 0
        for _ in range(QUIET_TICKS):
            self._run(1)
            assert self.report is not None
            empty = empty + 1 if self.report.plan.is_empty else 0
        acts = () if self.report is None else self.report.plan.actions
        assert empty >= REST_TICKS, f"still acting: {acts}"

    def _leave_nothing(self) -> None:
        self.world.store.add_command(
            Command.FLATTEN, by="machine", why="the end", at_ms=self.now_ms
        )
        for _ in range(FLATTEN_TICKS):
            self._run(1)
            assert self.report is not None
            if self.report.ledger.life is None and not self.report.ledger.orders:
                break
        own = {n for n in self._open_names() if ClientOrderId.parse(n) is not None}
        assert (self.held, own) == (d(0), set())


KeeperBesideVenue.TestCase.settings = BOUNDED if settings().derandomize else settings()
TestKeeperBesideVenue = KeeperBesideVenue.TestCase


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("how", ["away", "flat"])
def test_a_fill_just_before_its_cancel_finds_the_stop_in_place(side: Side, how: str) -> None:
    """RULES E5: the one race the machine must not leave to chance."""
    machine = KeeperBesideVenue()
    idea = Idea(side, 300, 300, 3_000, 9_000, 500, 600, 3, "0.5", "0.7", has_zone=False)
    try:
        machine.begin(part=None, closes=False, latency_ms=20, post_only=False, idea=idea)
        machine._run(2)
        if machine.held != 0:
            machine._hand(do="close")
        machine._run(12)
        machine._write(idea.document(machine.price))
        machine._run(2)
        assert machine._rests(OrderRole.ENTRY)

        machine.race(after_ms=None, how=how)

        assert machine.held != 0
        machine.the_promises_hold()
    finally:
        machine.teardown()
