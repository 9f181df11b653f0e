"""How fast the keeper reacts, measured at the venue: by its log, as ratios to the round trip.

A real keeper process beside a real venue process, with 0, 25 and 50 ms each way. A naked stretch
begins when something filled that no stop covers and ends when a stop is accepted; both moments are
the venue's (RULES A2, B1). The same way to look at it whoever runs it: nothing of the keeper's own
account of itself is used, save for the moment its tick began.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import median

import requests
import yaml

from engine import paper
from engine.domain.decision import Decided
from engine.domain.identity import OrderRole
from engine.domain.limits import Limits
from engine.intake import compose, write
from engine.intake.compose import Wishes
from engine.simulation.checkers import History, naked_windows
from engine.simulation.log import Changed, Event, Filled, Placed, read_log
from engine.store.reading import ReadStore
from tests.bench.figures import Goal, Row, figure
from tests.bench.outside import KEEPER

ONE_WAYS_MS = (0, 25, 50)
PRICE = Decimal(90800)
TICK = Decimal("0.1")
TOUCH = "0.005"
LIVES = 3
PATIENCE_S = 40.0
REFUSED_WHILE_FLAT = ("--switch", "stop_while_flat=refused")
RISK = {
    "trades_per_day_max": 100,
    "volatility_max_pct": 10,
    "daily_drawdown_limit_pct": -50,
    "weekly_drawdown_limit_pct": -50,
}


def measure() -> Iterator[Row]:
    """Yield every figure of reactions."""
    armed: dict[int, Reactions] = {}
    fallback: dict[int, Reactions] = {}
    refused: dict[int, Reactions] = {}
    moved: list[float] = []
    for one_way_ms in ONE_WAYS_MS:
        armed[one_way_ms], uncovered_s = _armed(one_way_ms)
        moved += uncovered_s
        fallback[one_way_ms] = _fallback(one_way_ms)
        refused[one_way_ms] = _fallback(one_way_ms, lives=2, answers_503=True)
    yield from _rows("fill_to_stop", armed, "first", Goal(0))
    yield from _rows("fill_to_stop_fallback", fallback, "first", Goal(1.3))
    yield from _rows("partial_fill_to_stop", armed, "later", Goal(0))
    yield from _rows("partial_fill_to_stop_fallback", fallback, "later", Goal(1.3))
    yield from _rows("fill_to_stop_503", refused, "first", None)
    yield from _rows("cross_to_exit", armed, "exits", Goal(0))
    yield figure("stop_move_uncovered_s", "s", moved, Goal(0))
    wakes = armed[0].wakes_ms + fallback[0].wakes_ms
    yield figure("fill_to_tick_ms", "ms", wakes, Goal(20), judged="p95")
    yield figure(
        "reach_to_covered_rtt", "rtt", [_reached(ms, known=True) for ms in ONE_WAYS_MS[1:]]
    )
    yield figure(
        "reach_to_covered_orphan_rtt", "rtt", [_reached(ms, known=False) for ms in ONE_WAYS_MS[1:]]
    )
    yield _orphan()


@dataclass
class Reactions:
    """What one stage measured, in milliseconds of the venue's clock, and its round trip."""

    rtt_ms: float
    first: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    exits: list[float] = field(default_factory=list)
    wakes_ms: list[float] = field(default_factory=list)


def _rows(name: str, stages: dict[int, Reactions], kind: str, goal: Goal | None) -> Iterator[Row]:
    """Yield the ratio over the latencies that make one, and each latency on its own.

    Without latency the round trip is the cost of the processes themselves: told in milliseconds.
    """
    ratios: list[float] = []
    for one_way_ms, stage in stages.items():
        samples: list[float] = getattr(stage, kind)
        if one_way_ms == 0:
            yield figure(f"{name}_ms_0ms", "ms", samples)
            continue
        own = [sample / stage.rtt_ms for sample in samples]
        yield figure(f"{name}_rtt_{one_way_ms}ms", "rtt", own)
        ratios += own
    yield figure(f"{name}_rtt", "rtt", ratios, goal)


class Scene:
    """A venue, a keeper process that is told what to do, and the venue's log."""

    def __init__(self, folder: Path, access: paper.Access) -> None:
        self.folder = folder
        self.access = access
        self.inbox = folder / "decisions"
        self.inbox.mkdir()
        self.database = folder / "keeper.db"
        self.config = folder / "config.yaml"
        settings = {
            "exchange": {"rest_url": access.rest_url, "stream_url": access.stream_url},
            "decisions": str(self.inbox),
            "store": {"url": f"sqlite:///{self.database}"},
            "loop": {"interval_s": 0.5},
            "ticks": {"record": "all"},
            "risk": RISK,
        }
        self.config.write_text(yaml.safe_dump(settings))
        self.keeper: subprocess.Popen[bytes] | None = None
        self.turn = 0

    def start(self) -> None:
        self.keeper = subprocess.Popen(
            [*KEEPER, "run", "--config", str(self.config)],
            env=os.environ
            | {"KEEPER_API_KEY": self.access.api_key, "KEEPER_API_SECRET": self.access.api_secret},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "keeper.log").open("ab"),
        )

    def end(self) -> None:
        if self.keeper is not None:
            self.keeper.kill()
            self.keeper.wait()

    def call(self, name: str, body: object) -> dict[str, object]:
        return paper.call(self.access.admin_url, name, body)  # type: ignore[arg-type]

    def log(self) -> list[dict[str, object]]:
        entries = paper.call(self.access.admin_url, "log?after=0")["entries"]
        assert isinstance(entries, list)
        return entries

    def state(self) -> dict[str, object]:
        return paper.call(self.access.admin_url, "state")

    def orders(self, role: OrderRole | None = None) -> int:
        state, count = self.state(), 0
        for book in ("regular_orders", "algo_orders"):
            found = state.get(book)
            for order in found if isinstance(found, list) else []:
                letter = str(order.get("client_id", ""))[11:12]
                count += role is None or letter == _LETTERS[role]
        return count

    def until(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline_s:
                said = (self.folder / "keeper.log").read_text()[-1500:]
                raise SystemExit(f"bench: {otherwise}: {said}")
            time.sleep(0.02)

    def price(self, last: Decimal) -> None:
        self.call("price", {"last": str(last), "mark": str(last)})

    def decide(self, *, stop: Decimal | None = None) -> tuple[Decimal, Decimal]:
        """Write a decision whose terms nobody has seen before; return the entry zone."""
        self.turn += 1
        document = compose(
            Decided.LONG,
            "BTCUSDT",
            int(str(self.state()["now_ms"])),
            PRICE,
            TICK,
            limits=Limits(),
            wishes=Wishes(
                stop=stop, size_usdt=Decimal(1200 + self.turn), is_trailing_enabled=False
            ),
        )
        write(document, self.inbox)
        low, high = (Decimal(str(edge)) for edge in document["entry_zone"])  # type: ignore[attr-defined]
        return low, high

    def enter(self) -> None:
        """Decide, wait for the entry, and let it fill in parts."""
        low, _ = self.decide()
        self.until(lambda: self.orders(OrderRole.ENTRY) > 0, "the entry was not placed")
        time.sleep(0.2)  # the keeper is between two ticks, as it nearly always is
        self.price(low - 1)
        time.sleep(0.6)
        for touch in range(4):
            self.price(low - 1 - TICK * touch)
            time.sleep(0.25)
        self.until(lambda: self.orders(OrderRole.ENTRY) == 0, "the entry did not fill")

    def leave(self) -> None:
        """Close by hand, and wait until the keeper has swept its book."""
        quantity = str(self.state()["position"]["quantity"])  # type: ignore[index]
        if Decimal(quantity) > 0:
            self.call("hand", {"do": "market", "side": "sell", "quantity": quantity})
        self.until(lambda: self.orders() == 0, "the book was not swept")
        self.price(PRICE)
        time.sleep(1.2)

    def rtt_ms(self) -> float:
        """Return the median of bare round trips on an open connection."""
        with requests.Session() as session:
            session.trust_env = False
            return median(self._trip_ms(session) for _ in range(15))

    def _trip_ms(self, session: requests.Session) -> float:
        begun = time.perf_counter()
        session.get(f"{self.access.rest_url}/fapi/v1/time", timeout=5)
        return (time.perf_counter() - begun) * 1000

    def reactions(self, rtt_ms: float) -> Reactions:
        """Judge the whole log: for each entry fill, how long it stood without cover."""
        entries = self.log()
        events = read_log(entries)
        history = History(events, end_ms=int(str(entries[-1]["at_ms"])))
        windows = naked_windows(history)
        found = Reactions(rtt_ms)
        ticks = self._ticks_ms()
        is_open = False
        for event in events:
            if not isinstance(event, Filled):
                continue
            if event.own_id is not None and event.own_id.role is OrderRole.ENTRY:
                naked = [w for w in windows if w.from_ms <= event.at_ms < w.until_ms]
                took_ms = sum(w.until_ms - event.at_ms for w in naked)
                (found.later if is_open else found.first).append(took_ms)
                after = [at_ms for at_ms in ticks if at_ms >= event.at_ms - 1]
                found.wakes_ms.append(max(min(after, default=event.at_ms) - event.at_ms, 0))
            is_open = event.position != 0
        return found

    def _ticks_ms(self) -> list[int]:
        store = ReadStore.open(f"sqlite:///{self.database}")
        try:
            return [tick.now_ms for tick in store.ticks()]
        finally:
            store.close()


_LETTERS = {role: role.letter for role in OrderRole}


@contextmanager
def _scene(one_way_ms: int, *options: str) -> Iterator[Scene]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        words = ("--latency-ms", str(one_way_ms), "--touch-quantity", TOUCH, *options)
        access = paper.ensure(folder / "venue", options=("--start-price", str(PRICE), *words))
        scene = Scene(folder, access)
        try:
            yield scene
        finally:
            scene.end()
            with suppress(Exception):
                scene.call("stop", {})


def _armed(one_way_ms: int) -> tuple[Reactions, list[float]]:
    """Measure lives whose stop rests before the entry, a moved stop, and an exit at the stop."""
    with _scene(one_way_ms) as scene:
        rtt_ms = scene.rtt_ms()
        scene.start()
        moved: list[float] = []
        for _ in range(LIVES):
            scene.enter()
            moved.append(_moved_uncovered_s(scene))
            scene.leave()
        scene.enter()
        scene.until(lambda: scene.orders(OrderRole.STOP_FLOOR) > 0, "no floor was placed")
        scene.price(Decimal(80000))
        scene.until(lambda: scene.orders() == 0, "the stop did not close")
        found = scene.reactions(rtt_ms)
        found.exits = list(_exits_ms(read_log(scene.log())))
        return found, moved


def _exits_ms(events: Sequence[Event]) -> Iterator[float]:
    """Yield for each exit that executed how long before its condition had been met."""
    crossed: dict[str, int] = {}
    for event in events:
        if isinstance(event, Changed) and event.status in ("TRIGGERING", "TRIGGERED"):
            crossed.setdefault(event.exchange_id, event.at_ms)
        elif isinstance(event, Filled) and event.algo_id in crossed:
            yield float(event.at_ms - crossed[event.algo_id])


def _moved_uncovered_s(scene: Scene) -> float:
    """Let a newer decision tighten the stop; return how long anything was uncovered meanwhile."""
    scene.price(PRICE + 200)  # a stop keeps its distance from the price, too
    before = len(scene.log())
    scene.decide(stop=PRICE * Decimal("0.9963"))
    since_ms = int(str(scene.state()["now_ms"]))

    def has_moved() -> bool:
        since = scene.log()[before:]
        gone = [e for e in since if e.get("status") == "CANCELED"]
        return any(str(e.get("client_id", ""))[11:12] == "s" for e in gone)

    scene.until(has_moved, "the stop did not move")
    entries = scene.log()
    history = History(read_log(entries), end_ms=int(str(entries[-1]["at_ms"])))
    windows = [w for w in naked_windows(history) if w.until_ms >= since_ms]
    return sum(w.until_ms - w.from_ms for w in windows) / 1000


def _fallback(one_way_ms: int, *, lives: int = LIVES, answers_503: bool = False) -> Reactions:
    """Measure lives on an account that takes no stop while flat (RULES E9)."""
    with _scene(one_way_ms, *REFUSED_WHILE_FLAT) as scene:
        rtt_ms = scene.rtt_ms()
        scene.start()
        scene.decide()
        scene.until(lambda: _refusals(scene) > 0, "no stop was refused while flat")
        scene.until(lambda: scene.orders() == 0, "the first life was not withdrawn")
        time.sleep(2)
        for _ in range(lives):
            if answers_503:
                fault = {"kind": "http_503_unavailable", "match": {"role": "stop_primary"}}
                scene.call("faults", fault)
            scene.enter()
            scene.leave()
        return scene.reactions(rtt_ms)


def _refusals(scene: Scene) -> int:
    return sum(e.get("code") in (-2022, -4118, -4509) for e in scene.log())


def _reached(one_way_ms: int, *, known: bool) -> float:
    """Return how many round trips after its first request a started keeper's stop is accepted.

    After a kill -9, with every stop gone: ``known`` to its store, or somebody's.
    """
    with _scene(one_way_ms) as scene:
        rtt_ms = scene.rtt_ms()
        if known:
            scene.start()
            scene.enter()
            scene.until(lambda: scene.orders(OrderRole.STOP_FLOOR) > 0, "no floor was placed")
            scene.end()
            scene.call("hand", {"do": "cancel_all"})
        else:
            scene.call("hand", {"do": "market", "side": "buy", "quantity": "0.010"})
        before = len(scene.log())
        scene.start()
        scene.until(lambda: scene.orders() > 0, "the position was not covered")
        entries = scene.log()[before:]
        # A start asks for the time first; the killed one's last requests may still arrive.
        asked = (e for e in entries if e.get("path") == "/fapi/v1/time")
        first_ms = min(int(str(e["at_ms"])) for e in asked)
        stop_ms = min(e.at_ms for e in read_log(entries) if isinstance(e, Placed))
        return (stop_ms - first_ms) / rtt_ms


def _orphan() -> Row:
    """Measure start to covered for a position the store does not know and nothing protects."""
    took: list[float] = []
    for _ in range(3):
        with _scene(0) as scene:
            scene.call("hand", {"do": "market", "side": "buy", "quantity": "0.010"})
            begun = time.perf_counter()
            scene.start()
            scene.until(lambda s=scene: s.orders() > 0, "the position was not covered")  # type: ignore[misc]
            took.append(time.perf_counter() - begun)
    return figure("orphan_to_covered_s", "s", took)
