"""A real keeper beside a real venue that has a bad day: it stays in hand, and covers what it can.

One keeper with a position goes through all of them. Judged from the venue's log, and by what an
operator can still do: signals, commands and the live view are never held up by an exchange that
drips, hangs or is frozen (DESIGN section 2, RULES H4).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from threading import Event

import pytest

from engine import paper
from engine.domain.condition import Command
from engine.loop import wall_guess_ms
from engine.simulation.checkers import History, naked_windows, never_widened
from engine.simulation.log import read_log
from engine.store.reading import ReadStore
from engine.store.store import Store
from tests.cli.home import Home, configure, home_in

pytestmark = pytest.mark.slow
INTERVAL_S = 0.3
PATIENCE_S = 0.6
ROUND_TRIPS_S = 1.0
"""What three round trips and the processes may take on a busy machine."""

HEADERS = "HTTP/1.1 200 OK\r\nX-Long: " + "g" * 20_000
BODY = "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + " " * 20_000


@dataclass
class Day:
    """A keeper that holds a position, its venue, and what is asked of either."""

    home: Home
    keeper: subprocess.Popen[str]

    def arm(self, **fault: object) -> None:
        paper.call(self.home.access.admin_url, "faults", fault)

    def now_ms(self) -> int:
        return int(str(self.home.state()["now_ms"]))

    def requests(self, from_ms: int, until_ms: int = 1 << 62) -> list[dict[str, object]]:
        return [
            entry
            for entry in self.home.log()
            if entry["kind"] == "request" and from_ms <= int(str(entry["at_ms"])) < until_ms
        ]

    def history(self) -> History:
        entries = self.home.log()
        return History(read_log(entries), end_ms=int(str(entries[-1]["at_ms"])))

    def beat(self) -> dict[str, object]:
        """Return the last heartbeat, as the live view reads it."""
        reader = ReadStore.open(f"sqlite:///{self.home.folder / 'var' / 'keeper.db'}")
        try:
            return dict(reader.heartbeat() or {})
        finally:
            reader.close()

    def tick(self) -> int:
        return int(str(self.beat()["tick"]))

    def ask(self, command: Command) -> int:
        """Ask the keeper for something through the store."""
        account = ReadStore.open(f"sqlite:///{self.home.folder / 'var' / 'keeper.db'}")
        desk = account.desk
        store = Store.open(
            f"sqlite:///{self.home.folder / 'var' / 'keeper.db'}",
            account=desk.account,
            symbol=desk.symbol,
        )
        try:
            return store.add_command(command, by="ann", why="spec", at_ms=wall_guess_ms())
        finally:
            store.close()
            account.close()

    def result(self, number: int) -> str | None:
        reader = ReadStore.open(f"sqlite:///{self.home.folder / 'var' / 'keeper.db'}")
        try:
            return reader.command_result(number)
        finally:
            reader.close()

    def took_s(self, fact: Callable[[], bool], what: str) -> float:
        begun_s = time.monotonic()
        self.home.until(fact, what)
        return time.monotonic() - begun_s

    def stops(self) -> int:
        picture = self.home.picture()
        return 0 if picture is None else sum(o.terms.type == "STOP_MARKET" for o in picture.orders)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("bad_day")
    with home_in(folder) as home:
        configure(
            home,
            interval_s=INTERVAL_S,
            exchange={
                "rest_url": home.access.rest_url,
                "stream_url": home.access.stream_url,
                "patience_ms": int(PATIENCE_S * 1000),
            },
        )
        decided = home.keeper("decide", "long", "--json").document["decision"]
        assert isinstance(decided, dict)
        low = Decimal(decided["entry_zone"][0])
        day = Day(home, home.start("run"))
        home.until(lambda: any(e.get("type") == "LIMIT" for e in home.log()), "an entry rests")
        home.price(str(low - 1))
        home.until(lambda: day.stops() >= 2, "primary and floor rest")
        home.until(
            lambda: any(e.get("type") == "TAKE_PROFIT_MARKET" for e in home.log()), "targets rest"
        )
        yield day


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process for a while: it neither answers nor closes anything."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "answer", [pytest.param(HEADERS, id="headers"), pytest.param(BODY, id="a body")]
)
def test_answers_that_drip_hold_up_neither_commands_nor_the_live_view(
    day: Day, answer: str
) -> None:
    """The timeout of the HTTP library is per read: only cutting the socket ends this."""
    day.arm(kind="raw_answer", answer=answer, drip_ms=10, times=None, match={"verb": "GET"})
    tick = day.tick()

    number = day.ask(Command.HALT)
    obeyed_s = day.took_s(lambda: day.result(number) is not None, "the command was obeyed")
    day.home.until(lambda: day.tick() >= tick + 3, "it goes on ticking")

    assert obeyed_s < 2 * (INTERVAL_S + 2 * PATIENCE_S) + ROUND_TRIPS_S
    assert day.home.keeper("status", "--json").code == 0
    day.home.clear_faults()
    day.home.until(lambda: day.result(day.ask(Command.RESUME)) != "", "resumed")


@contextmanager
def crowded(url: str) -> Iterator[None]:
    """Fill the queue of a listener that accepts nothing: whoever connects now hangs."""
    host, _, port = url.rpartition("//")[2].partition(":")
    waiting = [socket.socket() for _ in range(300)]
    try:
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((host, int(port)))
        yield
    finally:
        for one in waiting:
            one.close()


@pytest.mark.parametrize("connects_hang", [False, True], ids=["reads hang", "connects hang, too"])
def test_a_frozen_exchange_holds_up_nothing(day: Day, connects_hang: bool) -> None:
    """Connections stand, nothing answers: the keeper ticks, obeys and says how it is."""
    tick = day.tick()
    queue = crowded(day.home.access.rest_url) if connects_hang else nullcontext()
    with frozen(day.home.access.pid), queue:
        number = day.ask(Command.HALT)
        obeyed_s = day.took_s(lambda: day.result(number) is not None, "the command was obeyed")
        day.home.until(lambda: day.tick() >= tick + 3, "it goes on ticking")
        health = day.beat()["health"]
        troubles = str(day.beat()["troubles"])

    assert obeyed_s < 2 * (INTERVAL_S + 2 * PATIENCE_S) + ROUND_TRIPS_S
    assert health in ("degraded", "halted")
    assert "exchange_unreachable" in troubles
    day.ask(Command.RESUME)
    day.home.until(lambda: "exchange_unreachable" not in str(day.beat()["troubles"]), "well again")


def test_what_was_lost_while_the_exchange_was_frozen_is_covered_when_it_is_back(day: Day) -> None:
    """RULES B1: imposed time ends within a tick and three round trips of being reachable."""
    for order in day.home.picture().orders:  # type: ignore[union-attr]
        if order.terms.type == "STOP_MARKET":
            day.home.hand(do="cancel", client_id=order.terms.client_id)
    gone_ms = day.now_ms()

    day.home.until(lambda: day.stops() >= 1, "covered again")

    windows = [w for w in naked_windows(day.history()) if w.until_ms > gone_ms - 1_000]
    assert len(windows) == 1
    assert windows[0].duration_ms < (INTERVAL_S + ROUND_TRIPS_S) * 1000
    assert never_widened(day.history()).findings == ()


@pytest.mark.parametrize("skew_ms", [10_000, -10_000, 3_600_000, -3_600_000])
def test_a_step_of_the_exchanges_clock_costs_one_look(day: Day, skew_ms: int) -> None:
    """Lesson 39: the first -1021 has the clock measured, and the next look is signed with it."""
    before_ms = day.now_ms()
    paper.call(day.home.access.admin_url, "clock", {"skew_ms": skew_ms})

    def has_gone_on() -> bool:
        answers = [e["status"] for e in day.requests(before_ms) if "positionRisk" in str(e["path"])]
        return 400 in answers and answers[-2:] == [200, 200]

    took_s = day.took_s(has_gone_on, "positions are read again")

    refused = [e for e in day.requests(before_ms) if e.get("code") == -1021]
    looks = {int(str(e["at_ms"])) // 100 for e in refused}
    assert len(looks) <= 4  # one look's burst, and what the loop sent beside it
    assert took_s < 3 * INTERVAL_S + 2 * ROUND_TRIPS_S + PATIENCE_S
    assert naked_windows(day.history())[1:] == ()
    assert never_widened(day.history()).findings == ()


def test_inside_a_silence_nothing_leaves_before_the_stated_instant(day: Day) -> None:
    """RULES H4, lesson 38: by any class, the stream's listen key and the clock included.

    Not even by the next process: killed and started again it finds the silence written down.
    """
    day.arm(kind="rate_limited", retry_after_s=5, match={"path": "premiumIndex"})
    day.home.until(lambda: any(e.get("status") == 429 for e in day.home.log()), "429 was said")
    begun_ms = next(int(str(e["at_ms"])) for e in day.home.log() if e.get("status") == 429)
    paper.call(day.home.access.admin_url, "force", {"close_sockets": True})  # it would reconnect
    day.home.until(lambda: "rate_limited" in str(day.beat()["troubles"]), "health says so")
    day.keeper.kill()
    day.keeper.wait(20)

    while not day.requests(begun_ms + 5_000):
        day.keeper = day.home.start("run")  # as a service manager would
        day.home.until(
            lambda: day.keeper.poll() is not None or bool(day.requests(begun_ms + 5_000)),
            "it ends, or goes on",
        )

    # What was under way with the request that was told of it had left before.
    inside = day.requests(begun_ms + 200, begun_ms + 5_000)
    assert [(int(str(e["at_ms"])) - begun_ms, e["verb"], e["path"]) for e in inside] == []
    assert not any(e.get("status") == 418 for e in day.home.log())


def test_a_signal_ends_it_while_the_exchange_is_frozen(day: Day) -> None:
    """Nothing an exchange does may keep a keeper from ending: its stops stay where they are."""
    with frozen(day.home.access.pid):
        Event().wait(INTERVAL_S)  # a look is under way, and hangs
        begun_s = time.monotonic()
        day.keeper.send_signal(signal.SIGTERM)
        code = day.keeper.wait(20)
        took_s = time.monotonic() - begun_s

    assert code == 0
    assert took_s < 2 * PATIENCE_S + 2 * ROUND_TRIPS_S + 2
    assert day.stops() >= 2


def test_a_second_signal_waits_for_no_answer(day: Day) -> None:
    """The tick under way is recorded with what is known, and the process leaves (DESIGN 2)."""
    configure(
        day.home,
        interval_s=INTERVAL_S,
        exchange={
            "rest_url": day.home.access.rest_url,
            "stream_url": day.home.access.stream_url,
            "patience_ms": 30_000,
        },
    )
    keeper = day.home.start("run")
    day.home.await_ticks(keeper)
    with frozen(day.home.access.pid):
        Event().wait(2 * INTERVAL_S)
        begun_s = time.monotonic()
        keeper.send_signal(signal.SIGTERM)
        Event().wait(0.3)
        keeper.send_signal(signal.SIGTERM)
        code = keeper.wait(25)
        took_s = time.monotonic() - begun_s

    assert code == 0
    assert took_s < 10
