"""Every push, field by field, as sections 3.4 and 4.4 of the exchange reference show it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from engine.venue import user_events
from engine.venue.settings import SERVED_STREAMS
from tests.venue.desk import SYMBOL, T0, Desk
from tests.venue.forms import fits, wrong

PUT = {"side": "BUY", "quantity": "0.011", "price": "90010", "origClientOrderId": "e1"}
ORDER_EVENT = (
    "s:s c:s S:s o:s f:s q:d3 p:sh ap:sh sp:sh x:s X:s i:i l:d3 z:d3 L:sh T:i t:i b:sh a:sh m:b "
    "R:b wt:s ot:s ps:s cp:b rp:sh pP:b si:i ss:i V:s pm:s gtd:i er:sh"
)
TRADE_EVENT = f"{ORDER_EVENT} N:s n:d8"
ALGO_EVENT = (
    "caid:s aid:i at:s o:s s:s S:s ps:s f:s q:d3 X:s ai:e ap:sh aq:sh act:e tp:sh p:sh V:s wt:s "
    "pm:s cp:b pP:b R:b tt:i gtd:i rm:e ia:b"
)
ALGO_EVENT_DONE = (
    ALGO_EVENT.replace("ai:e", "ai:s").replace("act:e", "act:s").replace("aq:sh", "aq:d3")
)
HEAD = "e:s E:i T:i"


def _told(kind: str) -> list[dict[str, Any]]:
    """Let everything happen to an account that is listened to; return the events of one kind."""
    desk = Desk()
    desk.listen()
    desk.send("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=5)
    desk.order("BUY", "0.010", "90700", newClientOrderId="e1")
    desk.send("PUT", "/fapi/v1/order", symbol=SYMBOL, **PUT, modifyId=7)
    desk.price("90000")
    desk.stop("SELL", "89380", "0.011", clientAlgoId="s1")
    desk.price("89300")
    desk.raw("DELETE", "/fapi/v1/listenKey")
    return desk.events(kind)


def _inner(event: dict[str, Any], name: str) -> Any:
    """Take an event's payload out and check what is left of it."""
    left = {key: value for key, value in event.items() if key != name}
    assert wrong(left, HEAD) == []
    return event[name]


def test_an_order_event_has_its_fields() -> None:
    rows = [_inner(one, "o") for one in _told("ORDER_TRADE_UPDATE")]

    tables = {
        "NEW": ORDER_EVENT,
        "AMENDMENT": f"{ORDER_EVENT} M:s",
        "TRADE": TRADE_EVENT,
    }
    assert {row["x"] for row in rows} == set(tables)
    assert [wrong(row, tables[row["x"]]) for row in rows] == [[] for _ in rows]


def test_an_account_event_has_its_fields() -> None:
    rows = [_inner(one, "a") for one in _told("ACCOUNT_UPDATE")]

    assert rows
    for row in rows:
        assert set(row) == {"m", "B", "P"}
        assert [wrong(one, "a:s wb:d8 cw:d8 bc:sh") for one in row["B"]] == [[]]
        table = "s:s pa:d3 ep:sh bep:sh cr:sh up:sh|d8 mt:s iw:sh ps:s ma:s"
        assert [wrong(one, table) for one in row["P"]] == [[]]


def test_a_stop_event_has_its_fields() -> None:
    rows = [_inner(one, "o") for one in _told("ALGO_UPDATE")]

    tables = dict.fromkeys(("NEW", "TRIGGERING"), ALGO_EVENT)
    tables["TRIGGERED"] = ALGO_EVENT_DONE.replace("aq:d3", "aq:sh")
    tables["FINISHED"] = ALGO_EVENT_DONE
    assert [row["X"] for row in rows] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert [wrong(row, tables[row["X"]]) for row in rows] == [[], [], [], []]


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        ("TRADE_LITE", f"{HEAD} s:s q:d3 p:d2 m:b c:s S:s L:d2 l:d3 t:i i:i"),
        ("listenKeyExpired", "e:s E:i listenKey:s"),
    ],
)
def test_a_flat_event_has_its_fields(kind: str, table: str) -> None:
    rows = _told(kind)

    assert rows
    assert [wrong(row, table) for row in rows] == [[] for _ in rows]


def test_a_change_of_settings_has_its_fields() -> None:
    assert [wrong(_inner(one, "ac"), "s:s l:i") for one in _told("ACCOUNT_CONFIG_UPDATE")] == [[]]


def test_a_change_of_the_asset_mode_has_its_fields() -> None:
    desk = Desk()
    desk.listen()
    desk.send("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="true")

    (event,) = desk.events("ACCOUNT_CONFIG_UPDATE")
    assert wrong(_inner(event, "ai"), "j:b") == []


def test_a_forced_close_names_no_commission() -> None:
    """Commission fields may be missing there, and so they are."""
    desk = Desk()
    desk.order("BUY", "0.010")
    desk.listen()
    desk.venue.force("liquidation", desk.now)

    rows = [_inner(one, "o") for one in desk.events("ORDER_TRADE_UPDATE")]
    assert [row["x"] for row in rows] == ["NEW", "CALCULATED"]
    assert [wrong(row, ORDER_EVENT) for row in rows] == [[], []]


def test_a_trailing_stop_says_when_it_is_activated() -> None:
    """It pushes NEW twice: `ia` false, then true."""
    desk = Desk()
    desk.order("BUY", "0.010")
    desk.listen()
    trailing = {"type": "TRAILING_STOP_MARKET", "activatePrice": "91000", "callbackRate": "1"}
    desk.stop("SELL", None, "0.010", **trailing)
    desk.price("91000")

    rows = [_inner(one, "o") for one in desk.events("ALGO_UPDATE")]
    assert [(row["X"], row["ia"]) for row in rows] == [("NEW", False), ("NEW", True)]
    assert [wrong(row, ALGO_EVENT) for row in rows] == [[], []]


def test_no_user_event_is_without_a_table() -> None:
    """A kind that is added says here what it carries."""
    told = Path(__file__).read_text(encoding="utf-8")
    told += (Path(__file__).parent / "test_margin_call.py").read_text(encoding="utf-8")
    source = Path(user_events.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r'"e": "(\w+)"', source)) | {"listenKeyExpired"}

    assert len(kinds) >= 7
    assert [kind for kind in sorted(kinds) if f'"{kind}"' not in told] == []


@pytest.mark.parametrize(
    ("stream", "table"),
    [
        ("bookTicker", f"{HEAD} u:i s:s ps:s b:d2 B:d3 a:d2 A:d3 st:i"),
        ("markPrice@1s", "e:s E:i s:s p:d8 ap:d8 i:d8 P:d8 r:d8 T:i st:i"),
        ("miniTicker", "e:s E:i s:s ps:s c:d2 o:d2 h:d2 l:d2 v:d3 q:d2 st:i"),
        (
            "ticker",
            "e:s E:i s:s ps:s c:d2 o:d2 h:d2 l:d2 v:d3 q:d2 st:i p:d2 P:d3 w:d2 Q:d3 O:i C:i F:i "
            "L:i n:i",
        ),
        ("trade", f"{HEAD} s:s t:i p:d2 q:d3 X:s m:b"),
        ("aggTrade", "e:s E:i s:s a:i p:d2 q:d3 nq:d3 f:i l:i T:i m:b st:i"),
    ],
)
def test_a_market_event_has_its_fields(stream: str, table: str) -> None:
    desk = Desk(market_streams=SERVED_STREAMS)
    desk.price("90801")

    rows = [one.event for one in desk.venue.drain_pushes() if one.stream == f"btcusdt@{stream}"]

    assert rows
    assert [wrong(row, table) for row in rows] == [[] for _ in rows]


def test_a_candle_event_has_its_fields() -> None:
    desk = Desk()
    desk.price("90801")

    event = next(one.event for one in desk.venue.drain_pushes() if one.stream == "btcusdt@kline_1m")

    candle: Any = event.pop("k")
    assert wrong(event, "e:s E:i s:s") == []
    table = "t:i T:i s:s i:s f:i L:i o:d2 c:d2 h:d2 l:d2 v:d3 n:i x:b q:d5 V:d3 Q:d5 B:sh"
    assert wrong(candle, table) == []
    assert (candle["t"], candle["T"]) == (T0 - T0 % 60_000, T0 - T0 % 60_000 + 59_999)


@pytest.mark.parametrize("stream", ["depth", "depth5"])
def test_a_book_event_has_its_fields(stream: str) -> None:
    desk = Desk(market_streams=SERVED_STREAMS)
    desk.price("90801")

    event: Any = next(
        one.event for one in desk.venue.drain_pushes() if one.stream == f"btcusdt@{stream}"
    )

    levels = event.pop("b") + event.pop("a")
    assert wrong(event, f"{HEAD} s:s ps:s U:i u:i pu:i st:i") == []
    forms = [(fits("d2", price), fits("d3", size)) for price, size in levels]
    assert forms == [(True, True)] * 10


def test_the_changes_of_the_book_add_up_to_the_book() -> None:
    """A client keeps a book by the exchange's own rule: from a snapshot on, event upon event."""
    desk = Desk(market_streams=SERVED_STREAMS)
    desk.price("90801")
    desk.venue.drain_pushes()
    snapshot = desk.send("GET", "/fapi/v1/depth", symbol=SYMBOL, limit=5).body
    book = {side: dict(snapshot[side]) for side in ("bids", "asks")}
    last = snapshot["lastUpdateId"]
    for price in ("90801.3", "90800.9", "91000"):
        desk.price(price)

    events: list[Any] = [
        one.event for one in desk.venue.drain_pushes() if one.stream == "btcusdt@depth"
    ]
    for event in events:
        assert event["U"] <= last <= event["u"]
        assert event["pu"] == last
        last = event["u"]
        for side, name in (("bids", "b"), ("asks", "a")):
            for level, size in event[name]:
                book[side][level] = size
                if size == "0":
                    del book[side][level]

    now = desk.send("GET", "/fapi/v1/depth", symbol=SYMBOL, limit=5).body
    assert len(events) == 3
    assert book == {side: dict(now[side]) for side in ("bids", "asks")}
