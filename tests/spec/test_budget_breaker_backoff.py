"""Pacing: who may still spend, who is held back, how long a failed request waits (RULES H4)."""

from __future__ import annotations

import pytest

from engine.domain.observation import Topic
from engine.domain.terms import ActionClass
from engine.exchange import budget
from engine.exchange.backoff import Backoff, after_failure, pause_ms
from engine.exchange.breaker import FAILURES_MAX, PAUSE_MS, Breaker, BreakerPhase, Reply, step
from engine.exchange.port import Usage

ENTER, MANAGE = ActionClass.ENTER, ActionClass.MANAGE
RECONCILE, PROTECT = ActionClass.RECONCILE, ActionClass.PROTECT


@pytest.mark.parametrize(
    ("used", "may"),
    [
        (0, {ENTER, MANAGE, RECONCILE, PROTECT}),
        (1199, {ENTER, MANAGE, RECONCILE, PROTECT}),
        (1200, {MANAGE, RECONCILE, PROTECT}),
        (1559, {MANAGE, RECONCILE, PROTECT}),
        (1560, {RECONCILE, PROTECT}),
        (1919, {RECONCILE, PROTECT}),
        (1920, {PROTECT}),
        (2400, {PROTECT}),
    ],
)
def test_the_less_a_request_matters_the_earlier_it_stops(used: int, may: set[ActionClass]) -> None:
    usage = Usage(weight_used=used, weight_limit=2400)

    assert {c for c in ActionClass if budget.refusal(c, usage, 0) is None} == may


@pytest.mark.parametrize("action_class", ActionClass)
def test_inside_a_ban_nothing_leaves_not_even_protection(action_class: ActionClass) -> None:
    """Sending on turns minutes of silence into days."""
    usage = Usage(blocked_until_ms=1_000)

    assert budget.refusal(action_class, usage, 999) is not None
    assert budget.refusal(action_class, usage, 1_000) is None


@pytest.mark.parametrize(
    ("in_10s", "in_1m", "is_short"),
    [(239, 959, False), (240, 0, True), (0, 960, True), (300, 1200, True)],
)
def test_a_fifth_of_each_order_counter_is_kept_for_protection(
    in_10s: int, in_1m: int, is_short: bool
) -> None:
    usage = Usage(orders_10s=in_10s, orders_1m=in_1m)

    for action_class in (ENTER, MANAGE, RECONCILE):
        assert (budget.refusal(action_class, usage, 0, is_order=True) is not None) is is_short
    assert budget.refusal(PROTECT, usage, 0, is_order=True) is None
    assert budget.refusal(MANAGE, usage, 0) is None  # a cancel counts as no order


@pytest.mark.parametrize(
    ("used", "cover", "rest"), [(1919, True, True), (1920, True, False), (2381, False, False)]
)
def test_what_cover_is_judged_from_is_still_read_when_the_rest_is_not(
    used: int, cover: bool, rest: bool
) -> None:
    """A keeper that stops looking stops protecting; but it stays below the limit itself."""
    usage = Usage(weight_used=used, weight_limit=2400)

    assert (budget.refusal_to_ask(Topic.POSITION, usage, 0) is None) is cover
    assert (budget.refusal_to_ask(Topic.ACCOUNT, usage, 0) is None) is rest


@pytest.mark.parametrize(("used", "factor"), [(0, 1), (719, 1), (720, 2), (960, 3), (2400, 3)])
def test_the_tick_stretches_before_any_class_stops(used: int, factor: int) -> None:
    assert budget.interval_factor(used, 2400) == factor


def run(*events: tuple[Reply, int]) -> Breaker:
    state = Breaker()
    for reply, now_ms in events:
        state = step(state, reply, now_ms)
    return state


FAILED, ANSWERED = Reply.FAILED, Reply.ANSWERED
OPENED = [(FAILED, 0)] * FAILURES_MAX


def test_a_few_failures_in_a_row_open_the_breaker() -> None:
    assert run(*OPENED[:-1]).phase(0) is BreakerPhase.CLOSED
    assert run(*OPENED).phase(0) is BreakerPhase.OPEN
    assert run(*OPENED).blocks_entries(0)


def test_any_answer_in_between_starts_the_count_again() -> None:
    assert run(*OPENED[:-1], (ANSWERED, 0), *OPENED[:-1]).phase(0) is BreakerPhase.CLOSED


def test_an_open_breaker_does_not_listen_until_its_pause_is_over() -> None:
    """One lucky answer in a bad minute is no recovery."""
    state = run(*OPENED, (ANSWERED, PAUSE_MS - 1))

    assert state.phase(PAUSE_MS - 1) is BreakerPhase.OPEN


@pytest.mark.parametrize(
    ("reply", "after"), [(ANSWERED, BreakerPhase.CLOSED), (FAILED, BreakerPhase.OPEN)]
)
def test_half_open_the_next_answer_decides(reply: Reply, after: BreakerPhase) -> None:
    state = run(*OPENED)
    assert state.phase(PAUSE_MS) is BreakerPhase.HALF_OPEN
    assert state.blocks_entries(PAUSE_MS)

    assert step(state, reply, PAUSE_MS).phase(PAUSE_MS) is after


def test_pauses_double_to_half_a_minute_and_spread_by_a_quarter() -> None:
    bases = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
    for name in ("place a", "place b", "cancel c"):
        for attempt, base in enumerate(bases, start=1):
            pause = pause_ms(name, attempt)
            assert base * 75 // 100 <= pause <= min(base * 125 // 100, 30_000)
    assert pause_ms("x", 10_000) <= 30_000


def test_pauses_are_spread_but_never_drawn() -> None:
    """A replayed tick must wait exactly as long as the recorded one (RULES B5)."""
    pauses = {pause_ms(f"place {n}", 3) for n in range(50)}

    assert len(pauses) > 20
    assert pause_ms("place 1", 3) == pause_ms("place 1", 3)


def test_a_request_waits_out_its_pause() -> None:
    state = after_failure(Backoff(), "place a", 1_000)

    assert state.is_waiting(1_000)
    assert state.is_waiting(state.until_ms - 1)
    assert not state.is_waiting(state.until_ms)
    assert after_failure(state, "place a", 9_000).attempt == 2
