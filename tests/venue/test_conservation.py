"""Laws that hold whatever anybody does: money, quantity, reduce-only, one life per order."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venue.desk import Desk

D = Decimal
PRICES = st.integers(900_000, 916_000).map(lambda n: str(D(n) / 10))
QUANTITIES = st.integers(1, 40).map(lambda n: str(D(n) / 1000))
SIDES = st.sampled_from(("BUY", "SELL"))
STEPS = st.one_of(
    st.tuples(st.just("price"), PRICES, PRICES),
    st.tuples(st.just("market"), SIDES, QUANTITIES, st.booleans()),
    st.tuples(st.just("limit"), SIDES, QUANTITIES, PRICES, st.booleans()),
    st.tuples(st.just("stop"), SIDES, QUANTITIES, PRICES),
    st.tuples(st.just("close"), SIDES, PRICES),
    st.tuples(st.just("wait"), st.integers(1, 12).map(lambda n: n * 3_600_000)),
    st.tuples(st.just("transfer"), st.integers(-50, 50)),
    st.tuples(st.just("cancel_all")),
)
SETTINGS = st.fixed_dictionaries(
    {
        "margin_type": st.sampled_from(("ISOLATED", "CROSSED")),
        "touch_quantity": st.sampled_from((None, D("0.003"))),
        "level_quantity": st.sampled_from((None, D("0.007"))),
        "leverage": st.sampled_from((5, 20, 100)),
        "wallet": st.sampled_from((D(100), D(1000))),
    }
)


def take(desk: Desk, step: tuple[Any, ...]) -> None:
    match step:
        case ("price", last, mark):
            desk.price(last, mark)
        case ("market", side, quantity, reduces):
            desk.order(side, quantity, reduceOnly="true" if reduces else None)
        case ("limit", side, quantity, price, reduces):
            desk.order(side, quantity, price, reduceOnly="true" if reduces else None)
        case ("stop", side, quantity, trigger):
            desk.stop(side, trigger, quantity)
        case ("close", side, trigger):
            desk.stop(side, trigger, None)
        case ("wait", milliseconds):
            desk.wait(milliseconds)
        case ("transfer", amount):
            desk.venue.hand({"do": "transfer", "amount": str(amount)}, desk.now)
        case _:
            desk.venue.hand({"do": "cancel_all"}, desk.now)


@settings(max_examples=150)
@given(SETTINGS, st.lists(STEPS, max_size=25))
def test_nothing_comes_from_nowhere(changes: dict[str, Any], steps: list[tuple[Any, ...]]) -> None:
    desk = Desk(**changes)

    for step in steps:
        take(desk, step)

    fills = desk.log("fill")
    account = desk.venue.house.account
    others = [*desk.log("funding"), *desk.log("income")]
    assert account.wallet == changes["wallet"] + sum(
        (D(one["realized"]) - D(one["commission"]) for one in fills), D(0)
    ) + sum((D(one["amount"]) for one in others), D(0))
    assert account.wallet == changes["wallet"] + sum((one.amount for one in account.incomes), D(0))
    held = D(0)
    for one in fills:
        before = held
        held += D(one["quantity"]) * (1 if one["side"] == "BUY" else -1)
        assert held == D(one["position_after"])
        if one["reduce_only"]:
            assert abs(held) < abs(before)
            assert held * before >= 0
    assert held == desk.position
    assert account.cross_wallet + account.positions["BOTH"].isolated_wallet == account.wallet


def free_margin(desk: Desk) -> Decimal:
    """Return what is free, below zero where more is bound than there is."""
    account, mark = desk.venue.house.account, desk.venue.house.market.mark
    position = account.positions["BOTH"]
    free = account.cross_wallet - account.order_margin
    if account.isolated:
        return free
    return free + position.unrealized(mark) - abs(position.quantity) * mark / account.leverage


OPENINGS = st.one_of(
    st.tuples(st.just("market"), SIDES, st.integers(1, 900).map(lambda n: str(D(n) / 1000))),
    st.tuples(st.just("limit"), SIDES, st.integers(1, 900).map(lambda n: str(D(n) / 1000)), PRICES),
)


@settings(max_examples=150)
@given(SETTINGS, PRICES, PRICES, st.lists(OPENINGS, min_size=1, max_size=8))
def test_nothing_is_accepted_that_leaves_free_margin_below_zero(
    changes: dict[str, Any], last: str, mark: str, openings: list[tuple[Any, ...]]
) -> None:
    """Not even where the mark price lies far from what is paid; commission alone may exceed it."""
    desk = Desk(**changes)
    desk.price(last, mark)

    for kind, side, quantity, *price in openings:
        before, wallet = desk.position, desk.wallet
        opens = before == 0 or (before > 0) == (side == "BUY")
        answer = desk.order(side, quantity, *(price if kind == "limit" else ()))
        if answer.status == 200 and opens:
            paid = sum((D(one["commission"]) for one in desk.log("fill")), D(0))
            assert free_margin(desk) >= -paid, (wallet, desk.wallet)


@settings(max_examples=100)
@given(SETTINGS, st.lists(STEPS, max_size=25))
def test_every_order_lives_once_and_executes_no_more_than_it_asked(
    changes: dict[str, Any], steps: list[tuple[Any, ...]]
) -> None:
    desk = Desk(**changes)

    for step in steps:
        take(desk, step)

    final = {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "FINISHED"}
    ended: set[tuple[str, int]] = set()
    for one in desk.log("order"):
        name = (one["book"], one["algo_id"] if one["book"] == "algo" else one["order_id"])
        assert name not in ended
        if one["book"] == "regular":
            assert D(one["executed"]) <= D(one["quantity"])
        if one["status"] in final:
            ended.add(name)
    working = {("regular", n) for n in desk.venue.book.open}
    assert working.isdisjoint(ended)


@settings(max_examples=60)
@given(SETTINGS, st.lists(STEPS, max_size=20))
def test_one_history_of_calls_gives_one_log(
    changes: dict[str, Any], steps: list[tuple[Any, ...]]
) -> None:
    first, second = Desk(**changes), Desk(**changes)

    for desk in (first, second):
        for step in steps:
            take(desk, step)

    assert first.venue.log_after(0) == second.venue.log_after(0)


@settings(max_examples=60)
@given(SETTINGS, st.lists(STEPS, min_size=1, max_size=20), st.integers(0, 20))
def test_books_saved_and_opened_again_go_on_as_if_nothing_happened(
    changes: dict[str, Any], steps: list[tuple[Any, ...]], cut: int
) -> None:
    straight, broken = Desk(**changes), Desk(**changes)

    for number, step in enumerate(steps):
        take(straight, step)
        if number == cut:
            broken.venue = broken.venue.__class__.load(broken.venue.dump())
        take(broken, step)

    assert broken.venue.log_after(0) == straight.venue.log_after(0)
    assert broken.venue.dump() == straight.venue.dump()
