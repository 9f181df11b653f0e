"""The life of an order as a machine: whatever words arrive, in whatever order, and how often.

Words come from lists, lookups and streams of different age (RULES C1, lesson 33). The model is
plain: what was ever executed stays executed, what ended stays ended, doubt needs a missing list.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.domain.ledger import Ledger
from engine.domain.limits import Limits
from engine.domain.observation import NotFound, Observation
from engine.domain.order import Order, OrderReport, OrderStatus
from engine.domain.order_life import WORDS
from engine.reconcile.orders import VISIBLE_WITHIN_MS, fold_orders
from tests.builders import (
    LONG,
    NOW,
    UNKNOWN,
    a_ledger,
    a_life,
    a_stop,
    an_entry,
    an_observation,
    d,
    report_of,
)

BOUNDED = settings(max_examples=60, stateful_step_count=30)
words = st.sampled_from(WORDS)


class OrderLife(RuleBasedStateMachine):
    """One own order, told about by a forgetful exchange."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.ledger: Ledger = a_ledger()
        self.first: Order = an_entry()
        self.before: Order = self.first
        self.filled = d(0)
        self.has_filled = False
        self.ended: OrderStatus | None = None
        self.has_rested = False
        self.is_listed_missing = False

    @initialize(is_entry=st.booleans(), is_known=st.booleans())
    def intend(self, is_entry: bool, is_known: bool) -> None:
        """Begin with an order of unknown fate, or one that rests."""
        order = replace(an_entry() if is_entry else a_stop(), dead_after_ms=NOW + 5_000)
        if not is_known:
            order = replace(order, status=UNKNOWN, rested_ms=None, exchange_id=None)
        self.first = self.before = order
        self.has_rested = is_known
        # An open life: no order of it is let go for being only missing (G6).
        self.ledger = a_ledger(a_life("0.013", side=LONG), (order,))

    @rule(word=words, executed=st.integers(0, 13), wait_ms=st.integers(1, 3_000))
    def tell(self, word: OrderStatus, executed: int, wait_ms: int) -> None:
        """A list shows the order, with any word."""
        report = self._report(word, Decimal(executed) / 1000)
        self._look(wait_ms, reports=[report])
        self._heard(word, report.quantity_filled)

    @rule(word=words, executed=st.integers(0, 13), wait_ms=st.integers(1, 3_000))
    def look_up(self, word: OrderStatus, executed: int, wait_ms: int) -> None:
        """Its list forgets it, a lookup by id answers."""
        report = self._report(word, Decimal(executed) / 1000)
        self._look(wait_ms, lookups=[report])
        self._heard(word, report.quantity_filled)

    @rule(is_asked=st.booleans(), wait_ms=st.integers(1, 20_000))
    def forget(self, is_asked: bool, wait_ms: int) -> None:
        """Its list forgets it, and perhaps a lookup finds nothing."""
        lookups: list[OrderReport | NotFound] = [NotFound(str(self.first.id))] if is_asked else []
        was_open = self.order.is_unresolved
        self._look(wait_ms, lookups=lookups)
        if was_open and self.order.status is OrderStatus.REJECTED:
            assert is_asked, "given up without having asked (C4)"
            assert self.now > self.first.dead_after_ms + VISIBLE_WITHIN_MS, "given up too soon (C4)"
            self.ended = OrderStatus.REJECTED

    @rule(wait_ms=st.integers(1, 60_000))
    def see_nothing(self, wait_ms: int) -> None:
        """No list could be read: nothing was said about anything."""
        before = self.order
        self.now += wait_ms
        look = replace(an_observation(now=self.now), orders=None, algo_orders=None)
        self._fold(look)
        assert self.order == before, "silence is no word (C1)"

    @invariant()
    def it_keeps_its_terms_and_its_name(self) -> None:
        """RULES B3: what was sent is what was written down."""
        assert self.order.terms == self.first.terms
        assert len([o for o in self.ledger.orders if o.id == self.first.id]) == 1

    @invariant()
    def executions_only_grow(self) -> None:
        """Lesson 33: an execution once told is never taken back."""
        assert self.order.quantity_filled == self.filled

    @invariant()
    def what_ended_stays_ended(self) -> None:
        """RULES C1: only a fill still wins against a final word."""
        if self.ended is not None:
            assert self.order.status is self.ended
            assert self.order.finished_ms is not None
            assert self.order.doubtful_since_ms is None
        else:
            assert not self.order.status.is_final

    @invariant()
    def resting_needs_a_positive_word_and_doubt_a_missing_one(self) -> None:
        """RULES C1: neither is inferred."""
        assert (self.order.rested_ms is not None) == self.has_rested
        if self.order.doubtful_since_ms is not None:
            assert self.is_listed_missing
        if self.order.is_confirmed_resting:
            assert self.has_rested

    @invariant()
    def statuses_move_forward(self) -> None:
        """Lists of different age: a younger word is not taken back by an older one."""
        ranks = {
            OrderStatus.WORKING: 1,
            OrderStatus.TRIGGERING: 2,
            OrderStatus.TRIGGERED: 3,
            OrderStatus.PARTIALLY_FILLED: 4,
        }
        if not self.order.status.is_final:
            assert ranks.get(self.order.status, 0) >= ranks.get(self.before.status, 0)
        self.before = self.order

    @property
    def order(self) -> Order:
        """Return the order as the ledger knows it."""
        order = self.ledger.order(self.first.id)
        assert order is not None
        return order

    def _report(self, word: OrderStatus, executed: Decimal) -> OrderReport:
        return report_of(
            self.first, status=word, quantity_filled=executed, updated_ms=self.now, exchange_id="9"
        )

    def _heard(self, word: OrderStatus, executed: Decimal) -> None:
        """Let the model hear a word about the order."""
        self.filled = max(self.filled, executed)
        self.has_rested = self.has_rested or word.is_resting
        self.is_listed_missing = False
        if word is OrderStatus.FILLED or (word.is_final and self.ended is None):
            self.ended = word

    def _look(
        self,
        wait_ms: int,
        reports: list[OrderReport] | None = None,
        lookups: list[OrderReport | NotFound] | None = None,
    ) -> None:
        self.now += wait_ms
        if not reports and not any(isinstance(w, OrderReport) for w in lookups or []):
            self.is_listed_missing = True
        self._fold(an_observation(now=self.now, reports=reports or [], lookups=lookups or []))

    def _fold(self, look: Observation) -> None:
        self.ledger, _ = fold_orders(self.ledger, look, Limits())


OrderLife.TestCase.settings = BOUNDED if settings().derandomize else settings()
TestOrderLife = OrderLife.TestCase
