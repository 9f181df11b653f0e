"""Laws along whole paths: prices, fills, hands, lost answers, forgetful lists, newer decisions."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from engine.domain.action import Action, CancelOrder, PlaceOrder
from engine.domain.drift import DriftKind
from engine.domain.identity import ClientOrderId, OrderRole
from engine.domain.order import OrderReport, OrderStatus
from engine.domain.terms import OrderType, Side
from engine.plan.planner import make_plan
from engine.reconcile.settle import reconcile
from tests.builders import LONG, PRIMARY, a_decision, a_ledger, d, on
from tests.strategies import Event, events, sides
from tests.tiny_exchange import OPEN, TinyExchange, TinyKeeper, report_names

FAULTS = ("not_sent", "lost_before", "lost_after")
ENDING_TICKS = 200
OPENING = [Event("move", 0)] * 3 + [Event("move", -4)]
"""Armed, entered, and filled as far as the path says."""


class Path:
    """One keeper on one tiny exchange, judged after every tick."""

    def __init__(self, side: Side, part: Decimal | None) -> None:
        self.side = side
        self.exchange = TinyExchange(on(side, 90_760), entry_part=part)
        self.keeper = TinyKeeper(self.exchange, a_ledger(), a_decision(side))
        self.tightest: dict[int, Decimal] = {}
        self.decided = 0
        self.hands = 0

    def happen(self, event: Event) -> None:
        """Let something happen, and let the keeper look."""
        exchange, number = self.exchange, event.number
        match event.kind:
            case "move":
                exchange.move(exchange.price + self.side.sign * number * 5)
            case "jump":
                exchange.move(on(self.side, 90_760 + 40 * number))
            case "hand" if exchange.position != 0:
                self.hands += 1
                quantity = d(abs(number) % 5 + 1) / 1000
                sign = 1 if exchange.position > 0 else -1
                exchange.trade_by_hand(
                    sign * quantity if number > 30 else -sign * min(quantity, self.held)
                )
            case "strip":
                mine = [n for n in report_names(exchange) if exchange.orders[n].close_position]
                mine += [n for n in report_names(exchange) if n not in mine]
                if mine:
                    exchange.cancel(mine[number % len(mine)])
            case "lose":
                self.keeper.loses[self.keeper.sends + 1 + abs(number) % 3] = FAULTS[number % 3]
            case "forget":
                names = report_names(exchange)
                exchange.forgets = frozenset(names[:1]) if number > 0 else frozenset()
            case "decide":
                self._decide(number)
            case "wait":
                self.tick(61_000)
            case _:
                pass
        self.tick()

    @property
    def held(self) -> Decimal:
        """Return the position's size."""
        return abs(self.exchange.position)

    def tick(self, elapsed_ms: int = 1_000) -> tuple[Action, ...]:
        """Run one tick and judge it."""
        before = dict(self.exchange.orders)
        position = self.exchange.position
        actions = self.keeper.tick(elapsed_ms)
        self._judge(actions, before, position)
        return actions

    def _decide(self, number: int) -> None:
        """Decide anew around the price as it is now, the other way now and then."""
        self.decided += 1
        side = self.side if number > -25 else self.side.opposite
        sample, here = a_decision(side), self.exchange.price - on(side, 90_760)
        moved = {
            name: getattr(sample, name) + here
            for name in ("zone_low", "zone_high", "stop_loss", "tp1", "tp2")
        }
        moved["stop_loss"] += side.sign * number
        self.keeper.decision = replace(
            sample,
            id=f"n{self.decided:05d}",
            terms=f"{side} {moved}",
            made_ms=self.exchange.now,
            **moved,
        )

    def _judge(
        self, actions: tuple[Action, ...], before: dict[str, OrderReport], position: Decimal
    ) -> None:
        leaving = {str(a.client_id) for a in actions if isinstance(a, CancelOrder)}
        for action in actions:
            if isinstance(action, PlaceOrder):
                self._judge_place(action)
            elif isinstance(action, CancelOrder) and action.client_id.role.is_stop:
                self._judge_cancel(action.client_id, before, position, leaving)
        names = [n for n in report_names(self.exchange) if _role(n) is PRIMARY]
        # Three while a fate is unknown, one taking over; each addition by hand asks for another.
        assert len(names) <= 4 + self.hands, names
        for name, report in self.exchange.orders.items():
            own = ClientOrderId.parse(name)
            if own is not None and own.role is PRIMARY and report.trigger_price is not None:
                known = self.tightest.get(own.generation, report.trigger_price)
                side = _side_of(report)
                self.tightest[own.generation] = side.tighter(known, report.trigger_price)

    def _judge_place(self, action: PlaceOrder) -> None:
        terms, life = action.terms, self.keeper.situations[-1].ledger.life
        assert ClientOrderId.parse(str(terms.client_id)) == terms.client_id
        assert terms.can_open is (terms.role is OrderRole.ENTRY)
        if terms.role is PRIMARY and life is not None and terms.trigger_price is not None:
            assert life.stop_level is None or not life.side.is_tighter(
                life.stop_level, terms.trigger_price
            ), "a stop wider than the level in force"

    def _judge_cancel(
        self,
        own: ClientOrderId,
        before: dict[str, OrderReport],
        position: Decimal,
        leaving: set[str],
    ) -> None:
        gone = before.get(str(own))
        if gone is None or gone.status not in OPEN or gone.trigger_price is None:
            return
        entries = [r for n, r in before.items() if _role(n) is OrderRole.ENTRY]
        at_stake = abs(position) + sum(
            ((r.quantity or d(0)) - r.quantity_filled for r in entries if r.status in OPEN), d(0)
        )
        side = _side_of(gone)
        if at_stake == 0 or (position != 0 and (position > 0) is not (side is LONG)):
            return
        left = d(0)
        for name, report in before.items():
            if name in leaving or report.status not in OPEN or report.trigger_price is None:
                continue
            is_stop = report.type is OrderType.STOP_MARKET and report.side is side.closing
            if is_stop and not side.is_tighter(gone.trigger_price, report.trigger_price):
                left += at_stake if report.quantity is None else report.quantity
        assert left >= at_stake, f"{own} leaves {left} of {at_stake}"


def _role(name: str) -> OrderRole | None:
    own = ClientOrderId.parse(name)
    return None if own is None else own.role


def _side_of(report: OrderReport) -> Side:
    return next(s for s in Side if s.closing is report.side)


parts = st.sampled_from([None, d("0.004"), d("0.001")])


@given(sides, parts, events)
def test_whatever_happens_no_stop_loosens_and_no_cover_leaves_without_proof(
    side: Side, part: Decimal | None, happens: list[Event]
) -> None:
    """RULES B2, F2, F3: along every path, with every fault."""
    path = Path(side, part)

    for event in OPENING + happens:
        path.happen(event)

    levels = [s.ledger.life for s in path.keeper.situations if s.ledger.life is not None]
    for older, newer in pairwise(levels):
        if older.generation == newer.generation and older.stop_level is not None:
            assert newer.stop_level is not None
            assert not older.side.is_tighter(older.stop_level, newer.stop_level)


@given(sides, parts, events)
def test_own_entries_never_execute_more_than_their_decision_asks(
    side: Side, part: Decimal | None, happens: list[Event]
) -> None:
    """RULES B3, D1: executed once, whatever was lost on the way."""
    path = Path(side, part)
    for event in OPENING + happens:
        path.happen(event)

    executed: dict[int, Decimal] = {}
    for name, report in path.exchange.orders.items():
        own = ClientOrderId.parse(name)
        if own is not None and own.role is OrderRole.ENTRY:
            so_far = executed.get(own.generation, d(0))
            executed[own.generation] = so_far + report.quantity_filled
    assert all(quantity <= d("0.013") for quantity in executed.values())


@given(sides, parts, events)
@example(LONG, None, [Event("jump", 0), Event("move", -3), Event("jump", -20)])
@example(  # an order let go after a minute of not found, that came back in the same life
    LONG,
    d("0.001"),
    [
        Event("hand", 0),
        Event("wait", 0),
        Event("move", 0),
        Event("decide", -25),
        Event("move", 0),
        Event("forget", 1),
        Event("wait", 0),
    ],
)
def test_every_path_ends_flat_and_with_a_clean_book(
    side: Side, part: Decimal | None, happens: list[Event]
) -> None:
    """Lessons 30, 36: every state has an exit; price through the stop ends in an empty book."""
    path = Path(side, part)
    for event in OPENING + happens:
        path.happen(event)
    exchange = path.exchange
    exchange.forgets, path.keeper.loses, path.keeper.decision = frozenset(), {}, None
    exchange.entry_part = None

    path.tick()
    exchange.move(on(side, 88_000))
    for _ in range(ENDING_TICKS):
        path.tick(5_000)

    life = path.keeper.ledger.life
    assert exchange.position == 0 or (life is not None and life.origin.value == "orphan")
    if exchange.position == 0:
        exchange.now += 1
        assert (report_names(exchange), life) == ([], None)


@given(sides, parts, st.lists(st.integers(-40, 60), min_size=3, max_size=30))
def test_without_a_fault_the_position_is_covered_at_every_instant(
    side: Side, part: Decimal | None, moves: list[int]
) -> None:
    """RULES B1: naked time is zero in the normal course, whatever price does."""
    path = Path(side, part)
    for number in [0, 0, 0, *moves]:
        path.happen(Event("move", number))
        covered = path.exchange.covered(side)
        assert covered is None or covered >= path.held
        life = path.keeper.ledger.life
        if life is not None:
            assert (life.naked_ms, life.uncovered_quantity) == (0, d(0))


@given(sides, events)
def test_the_same_situation_gives_the_same_plan(side: Side, happens: list[Event]) -> None:
    """DESIGN section 2: replay recomputes every plan, ids included."""
    path = Path(side, d("0.004"))
    for event in OPENING + happens:
        path.happen(event)

    for situation in path.keeper.situations:
        assert make_plan(situation) == make_plan(replace(situation))


@given(sides, events)
def test_a_settled_ledger_finds_nothing_new_in_the_same_look(
    side: Side, happens: list[Event]
) -> None:
    """Style 3.8: settling what was found leaves nothing to find."""
    path = Path(side, d("0.004"))
    for event in OPENING + happens:
        path.happen(event)
    lasting = (
        DriftKind.FOREIGN_ORDER,
        DriftKind.UNANSWERED,
        DriftKind.QUANTITY_GAP,
        DriftKind.COVER_IN_DOUBT,
    )

    for situation in path.keeper.situations:
        once = situation.ledger
        twice, drifts = reconcile(once, situation.observation, situation.limits)

        assert [x for x in drifts if x.kind not in lasting] == []
        assert twice.orders == once.orders or _only_ended(twice.orders, once.orders)
        assert twice.fills in (once.fills, ())


def _only_ended(after: tuple[object, ...], before: tuple[object, ...]) -> bool:
    return set(map(id, after)) <= set(map(id, before)) or all(o in before for o in after)


def test_final_orders_stay_final() -> None:
    """The statuses the paths meet are final or open, nothing between."""
    assert set(OPEN) == {OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED}
