"""`keeper venue` as a process: its one line, its exit codes, its books, its feeds."""

from __future__ import annotations

import gzip
import json
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from binance.exceptions import BinanceAPIException

from engine.venue.books import BOOKS_FILE
from engine.venue.switches import SWITCHES
from tests.schemas import validate
from tests.venue_server.served import Served, ended

ENTRY = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "price": "90000",
    "quantity": "0.013",
    "timeInForce": "GTC",
}


def _eventually(holds: Callable[[], bool], patience_s: float = 8.0) -> bool:
    """Look until it holds or patience ends."""
    pause = threading.Event()
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.02)
    return True


def _price(venue: Served) -> Decimal:
    reply = venue.http.get(
        venue.rest_url + "/fapi/v2/ticker/price", params={"symbol": "BTCUSDT"}, timeout=5
    )
    return Decimal(str(reply.json()["price"]))


def test_the_ready_line_is_all_there_is_on_stdout() -> None:
    with Served("--port", "0") as venue:
        validate(dict(venue.ready))
        venue.process.send_signal(signal.SIGTERM)
        out, _ = venue.process.communicate(timeout=10)

    assert out == ""
    assert venue.process.returncode == 0


def test_without_a_feed_the_price_stands_still() -> None:
    with Served("--start-price", "77000.5") as venue:
        assert _price(venue) == Decimal("77000.5")


def test_books_survive_a_kill(tmp_path: Path) -> None:
    """An exchange does not forget orders because somebody pulled a plug."""
    with Served("--state", tmp_path) as venue:
        venue.client().futures_create_order(**ENTRY, newClientOrderId="mine-1")
        books = tmp_path / BOOKS_FILE
        assert _eventually(lambda: b"mine-1" in books.read_bytes())
        venue.end(signal.SIGKILL)

    with Served("--state", tmp_path) as venue:
        (order,) = venue.client().futures_get_open_orders(symbol="BTCUSDT")
        venue.admin("POST", "price", {"last": "89990"})
        (position,) = venue.client().futures_position_information(symbol="BTCUSDT")

    assert (order["clientOrderId"], order["status"]) == ("mine-1", "NEW")
    assert position["positionAmt"] == "0.013"


def test_books_survive_a_stop_with_price_and_time(tmp_path: Path) -> None:
    with Served("--state", tmp_path) as venue:
        venue.admin("POST", "price", {"last": "91234.5"})
        venue.admin("POST", "clock", {"jump_s": 600})
        before = venue.client().futures_time()["serverTime"]

    with Served("--state", tmp_path) as venue:
        assert _price(venue) == Decimal("91234.5")
        assert venue.client().futures_time()["serverTime"] >= before


def test_keys_are_not_in_the_books_and_may_change(tmp_path: Path) -> None:
    """Who opens the books again says who may use them; a secret has no business on disk."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("k1 secret-one\n")
    second.write_text("k2 secret-two\n")
    books = tmp_path / "venue"

    with Served("--state", books, "--keys", first) as venue:
        venue.client().futures_create_order(**ENTRY, newClientOrderId="mine-1")
    saved = (books / BOOKS_FILE).read_text()
    with Served("--state", books, "--keys", second) as venue:
        (order,) = venue.client().futures_get_open_orders(symbol="BTCUSDT")
        with pytest.raises(BinanceAPIException):
            venue.client("k1", "secret-one").futures_get_open_orders(symbol="BTCUSDT")

    assert "secret-one" not in saved
    assert order["clientOrderId"] == "mine-1"


def test_a_reopened_venue_walks_on_from_the_price_it_left(tmp_path: Path) -> None:
    """Otherwise each restart of paper mode's exchange would be a gap through somebody's stop."""
    with Served("--state", tmp_path, "--start-price", "70000"):
        pass

    with Served("--state", tmp_path, "--walk", "calm", "--start-price", "90800") as venue:
        assert abs(_price(venue) - 70000) < 100


def test_two_servers_never_share_a_folder(tmp_path: Path) -> None:
    with Served("--state", tmp_path) as venue:
        code, error, _ = ended("--state", tmp_path)
        still = venue.client().futures_time()

    validate(error)
    assert (code, error["code"]) == (9, "venue_state_in_use")
    assert str(venue.process.pid) in str(error["message"])
    assert "serverTime" in still


def test_a_running_venue_can_be_found_again(tmp_path: Path) -> None:
    with Served("--state", tmp_path) as venue:
        address = json.loads((tmp_path / "venue.json").read_text())

    assert address["pid"] == venue.process.pid
    assert {name: address[name] for name in venue.ready if name in address} == {
        name: value for name, value in venue.ready.items() if name not in {"schema", "event"}
    }
    assert address["started_at"].endswith("Z")
    assert not (tmp_path / "venue.json").exists()


def test_a_venue_is_stopped_by_its_folder(tmp_path: Path) -> None:
    with Served("--state", tmp_path) as venue:
        stop = _stop(tmp_path)
        assert venue.process.wait(timeout=10) == 0

    validate(stop[1])
    assert (stop[0], stop[1]["was_running"], stop[1]["pid"]) == (0, True, venue.process.pid)


def test_stopping_where_nothing_runs_is_done(tmp_path: Path) -> None:
    """An address left behind by a dead server names nobody: its pid may be anybody's by now."""
    (tmp_path / "venue.json").write_text('{"pid": 1, "admin_url": "http://127.0.0.1:9/x"}')

    code, document = _stop(tmp_path)

    validate(document)
    assert (code, document["was_running"], document["stopped"]) == (0, False, True)


def test_a_taken_port_is_one_line(venue: Served) -> None:
    code, error, stderr = ended("--port", str(venue.port))

    validate(error)
    assert (code, error["code"]) == (9, "venue_cannot_listen")
    assert f"port {venue.port}" in str(error["message"])
    assert len(stderr.strip().splitlines()) == 1


def test_damaged_books_are_not_served(tmp_path: Path) -> None:
    (tmp_path / BOOKS_FILE).write_text("{")

    code, error, _ = ended("--state", tmp_path)

    validate(error)
    assert (code, error["code"]) == (6, "venue_books_unusable")


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        (["--prot", "1"], 2, "--prot"),
        (["--port", "99999"], 2, "a port is 0 to 65535"),
        (["--walk", "wild"], 2, "calm"),
        (["--speed", "0"], 2, "above 0"),
        (["--wallet", "much"], 2, "much"),
        (["--clock", "2026-01-05T10:00:00"], 2, "no moment with an offset"),
        (["--switch", "stop_while_flat"], 2, "NAME=VALUE"),
        (["--switch", "stop_while_flat=maybe"], 3, "accepted"),
        (["--switch", "no_such=1"], 3, "no_such"),
        (["--symbol", "DOGEUSDT"], 3, "known are BTCUSDT"),
        (["--walk", "calm", "--trades", "x"], 3, "only one feed"),
        (["--scenario", "nowhere.yaml"], 3, "nowhere.yaml"),
        (["--trades", "nowhere.csv.gz"], 3, "nowhere.csv.gz"),
        (["--keys", "nowhere"], 3, "nowhere"),
        (["--faults", "nowhere"], 3, "nowhere"),
        (["--host", "192.0.2.1"], 3, "192.0.2.1"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_served(
    options: list[str], code: int, part: str
) -> None:
    exit_code, error, stderr = ended(*options)

    validate(error)
    assert exit_code == code
    assert part in f"{error['message']} {error['remedy']}"
    assert len(stderr.strip().splitlines()) == 1


def test_the_switches_are_listed() -> None:
    code, document, _ = ended("--switches")

    validate(document)
    rows = document["switches"]
    assert isinstance(rows, list)
    assert code == 0
    assert [row["name"] for row in rows] == [switch.name for switch in SWITCHES]
    assert all(row["meaning"] and row["reference"] for row in rows)


def test_a_switch_changes_the_venue() -> None:
    with Served("--switch", "stop_while_flat=refused") as venue:
        state = venue.admin("GET", "state")

    switches = state["switches"]
    assert isinstance(switches, dict)
    assert switches["stop_while_flat"] == "refused"


def test_a_scenario_drives_price_hands_and_faults(tmp_path: Path) -> None:
    file = tmp_path / "life.yaml"
    file.write_text(
        """\
scenario: 1
symbol: BTCUSDT
account: {wallet: "2500"}
feed: [[0, 90000], [2, 90500], [4, 91000]]
hands: [{at: 3, do: market, side: buy, quantity: "0.003"}]
faults: [{at: 3, kind: http_503_unknown, match: {path: leverage}}]
"""
    )

    with Served("--scenario", file, "--speed", "20") as venue:
        client = venue.client()
        assert _eventually(lambda: _price(venue) == 91000)
        (position,) = client.futures_position_information(symbol="BTCUSDT")
        faults = venue.admin("GET", "faults")["faults"]
        (usdt,) = [row for row in client.futures_account_balance() if row["asset"] == "USDT"]

    assert position["positionAmt"] == "0.003"
    assert Decimal(position["entryPrice"]) < 90600
    assert isinstance(faults, list)
    assert faults[0]["kind"] == "http_503_unknown"
    assert 2499 < Decimal(usdt["balance"]) < 2500


def test_a_recording_drives_the_price(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv.gz"
    rows = "\n".join(f"{1000 + 100 * n},{61800 + n},0.5" for n in range(50))
    file.write_bytes(gzip.compress(f"trade_ms,price,qty\n{rows}\n".encode()))

    with Served("--trades", file, "--speed", "10") as venue:
        assert _eventually(lambda: _price(venue) == 61849)


def test_a_recording_that_breaks_off_leaves_the_venue_standing(tmp_path: Path) -> None:
    """The price stands still from there, the state says why, and orders are still answered."""
    file = tmp_path / "trades.csv"
    file.write_text("trade_ms,price,qty\n1000,61800,1\n1100,oops,1\n")

    with Served("--trades", file) as venue:

        def broken() -> bool:
            served = venue.admin("GET", "state")["served"]
            assert isinstance(served, dict)
            return "line 3, column price" in str(served["feed_error"])

        assert _eventually(broken)
        assert _price(venue) == 61800


def test_a_walk_moves(tmp_path: Path) -> None:
    with Served("--walk", "chop", "--seed", "3", "--speed", "50", "--state", tmp_path) as venue:
        assert _eventually(lambda: _price(venue) != 90800)


def _stop(folder: Path) -> tuple[int, dict[str, object]]:
    code, document, _ = ended("stop", "--state", folder, "--json")
    return code, document


def test_the_other_symbol_has_filters_and_a_price_of_its_own() -> None:
    """ETHUSDT: a finer tick, a smaller minimum, larger orders."""
    with Served("--port", "0", "--symbol", "ETHUSDT") as venue:
        client = venue.client()
        info = client.futures_exchange_info()["symbols"][0]
        price = client.futures_symbol_ticker(symbol="ETHUSDT")["price"]
        order = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        placed = client.futures_create_order(**order, quantity="0.007", price="3000.01")

    filters = {one["filterType"]: one for one in info["filters"]}
    assert (info["symbol"], info["baseAsset"], price) == ("ETHUSDT", "ETH", "3150.00")
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01"
    assert filters["MARKET_LOT_SIZE"]["maxQty"] == "2000"
    assert filters["MIN_NOTIONAL"]["notional"] == "20"
    assert placed["status"] == "NEW"


def test_a_key_for_looking_cannot_trade(tmp_path: Path) -> None:
    """The third word of its line."""
    keys = tmp_path / "keys"
    keys.write_text("trader s3cret\nwatcher s3cret read\n", encoding="utf-8")
    with Served("--port", "0", "--keys", keys) as venue:
        watcher = venue.client("watcher", "s3cret")
        looked = watcher.futures_account_balance()[0]["asset"]
        with pytest.raises(BinanceAPIException) as caught:
            watcher.futures_change_leverage(symbol="BTCUSDT", leverage=5)
        trader = venue.client("trader", "s3cret")
        changed = trader.futures_change_leverage(symbol="BTCUSDT", leverage=5)["leverage"]

    assert (looked, changed) == ("USDT", 5)
    assert (caught.value.status_code, caught.value.code) == (401, -2015)
