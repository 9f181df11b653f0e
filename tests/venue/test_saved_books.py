"""Books saved and opened again: nothing pending is lost, and chance goes on where it was."""

import json

from tests.venue.desk import SYMBOL, Desk, switched


def reopened(desk: Desk, *, with_log: bool = True) -> None:
    """Close the venue and open it from its books, through text as on a disk."""
    books = json.loads(json.dumps(desk.venue.dump(with_log=with_log)))
    desk.venue = desk.venue.load(books)


def test_what_was_due_later_stays_due() -> None:
    desk = switched(trigger_delay_ms=500)
    desk.order("BUY", "0.013")
    desk.stop("SELL", "90380", "0.013", clientAlgoId="s1")
    date = desk.now + 700_000
    desk.order("BUY", "0.010", "89000", timeInForce="GTD", goodTillDate=date, newClientOrderId="e1")
    desk.price("90300")

    reopened(desk)
    before = desk.algo("s1")["algoStatus"]
    desk.wait(500)
    desk.wait(700_000)

    assert (before, desk.algo("s1")["algoStatus"]) == ("TRIGGERING", "FINISHED")
    assert desk.look("e1")["status"] == "CANCELED"


def test_the_clock_keeps_its_skew() -> None:
    desk = Desk()
    desk.venue.skew(1500)

    reopened(desk)

    assert desk.raw("GET", "/fapi/v1/time").body["serverTime"] == desk.now + 1500


def test_chance_goes_on_where_it_was() -> None:
    def order_of_pushes(*, cut: bool) -> list[str]:
        desk = switched(algo_child_push_order="random")
        desk.listen()
        seen = []
        for number in range(12):
            if cut and number == 6:
                reopened(desk)
            desk.order("BUY", "0.013")
            desk.stop("SELL", "90380", "0.013")
            desk.events()
            desk.price("90300")
            seen.append(desk.events("ALGO_UPDATE", "ORDER_TRADE_UPDATE")[1]["e"])
            desk.price("90800")
        return seen

    assert order_of_pushes(cut=True) == order_of_pushes(cut=False)
    assert len(set(order_of_pushes(cut=False))) == 2


def test_without_its_log_the_numbering_goes_on() -> None:
    desk = Desk()
    desk.order("BUY", "0.013")
    length = len(desk.venue.log_after(0))

    reopened(desk, with_log=False)
    desk.order("SELL", "0.013")

    numbers = [one["n"] for one in desk.venue.log_after(0)]
    assert numbers == list(range(length + 1, length + 1 + len(numbers)))


def test_open_orders_listen_key_and_history_come_back() -> None:
    desk = Desk()
    key = desk.listen()
    desk.order("BUY", "0.013")
    desk.order("BUY", "0.010", "89000", newClientOrderId="e1")
    desk.stop("SELL", "90380", None, clientAlgoId="f1")
    before = desk.venue.state()

    reopened(desk)

    assert desk.venue.state() == before
    assert (desk.open_ids(), desk.open_algo_ids(), desk.listen()) == (["e1"], ["f1"], key)
    assert len(desk.send("GET", "/fapi/v1/userTrades", symbol=SYMBOL).body) == 1


def test_a_bounded_log_forgets_its_oldest_entries_only() -> None:
    desk = Desk(log_limit=10)

    for _ in range(50):
        desk.raw("GET", "/fapi/v1/ping")

    numbers = [one["n"] for one in desk.venue.log_after(0)]
    assert numbers[-1] == 50
    assert 10 <= len(numbers) <= 20
    assert [one["n"] for one in desk.venue.log_after(48)] == [49, 50]
