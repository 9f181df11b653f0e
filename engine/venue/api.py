"""The venue: one call takes a request as it was sent and gives the reply as it goes out.

Time comes in with every call and never runs by itself; chance is seeded; one history of calls gives
one history of the exchange. User events are made only while a listen key is alive. `at_ms` of log
entries is the venue's own time, times on the wire are exchange time (the venue's plus the skew).
"""

from __future__ import annotations

import json
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.venue import forced, params
from engine.venue.account_routes import AccountRoutes
from engine.venue.algo import AlgoBook
from engine.venue.clock import FAR
from engine.venue.codes import Code, Refusal, refuse
from engine.venue.funding import Funding
from engine.venue.hands import Hands
from engine.venue.house import API, EXCHANGE, House
from engine.venue.limits import Limits
from engine.venue.margin_call import MarginCalls
from engine.venue.market_events import MarketEvents
from engine.venue.market_routes import MarketRoutes
from engine.venue.matching import RegularBook
from engine.venue.order_routes import OrderRoutes
from engine.venue.path import walk
from engine.venue.position_routes import PositionRoutes
from engine.venue.record_routes import RecordRoutes
from engine.venue.request_faults import Mishap, mishap_of
from engine.venue.routes import Route, Security
from engine.venue.settings import VenueSettings
from engine.venue.snapshot import dump_venue, load_venue, state_of
from engine.venue.text import plain
from engine.venue.ticker_routes import TickerRoutes
from engine.venue.values import Candle, PricePoint, Push, Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from engine.venue.params import Parameters

__all__ = ["Candle", "PricePoint", "Push", "Reply", "Transport", "Venue", "VenueSettings"]

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Venue:
    """A strict simulated exchange with one account and one symbol."""

    __slots__ = (
        "_feed",
        "_margin_calls",
        "_market_events",
        "_next_point",
        "_routes",
        "_told",
        "algo",
        "book",
        "funding",
        "hands",
        "house",
        "limits",
        "order_routes",
        "timed",
    )

    def __init__(
        self, settings: VenueSettings | None = None, *, now_ms: int, seed: int = 0
    ) -> None:
        """Open for business at `now_ms`; everything random follows from `seed`."""
        self.house = house = House(settings or VenueSettings(), now_ms, seed)
        self.book = RegularBook(house)
        self.algo = AlgoBook(house, self.book)
        self.funding = Funding(house)
        self.limits = Limits(house.settings.limits)
        self.order_routes = OrderRoutes(house, self.book, self.algo)
        account_routes = AccountRoutes(house, self.book, self.algo)
        self.hands = Hands(house, self.book, self.algo, account_routes)
        self._market_events = MarketEvents(house.settings)
        self._margin_calls = MarginCalls(house)
        self._routes = {
            **MarketRoutes(house, self.funding).table(),
            **TickerRoutes(house).table(),
            **self.order_routes.table(),
            **PositionRoutes(house, self.book).table(),
            **RecordRoutes(house, self.book).table(),
            **account_routes.table(),
        }
        self._told: dict[str, tuple[object, bytes]] = {}
        self._feed: Iterator[PricePoint] | None = None
        self._next_point: PricePoint | None = None
        self.timed: deque[tuple[int, Callable[[int], None]]] = deque()

    # -- requests --------------------------------------------------------------------------------

    def handle(
        self, verb: str, path: str, query: str, body: str, key: str | None, now_ms: int
    ) -> Reply:
        """Answer one request; `query` and `body` are the raw text as sent.

        The reply's `transport` says what becomes of it; when it is not DELIVERED the other fields
        are what a delivered reply would have carried, for the log only.
        """
        self.advance(now_ms)
        given = params.parse(query, body)
        house = self.house
        if not house.faults.armed:
            return self._answer(verb, path, query, body, key, given)
        fault = house.faults.on_request(verb, path, given, house.clock.now)
        if fault is None:
            return self._answer(verb, path, query, body, key, given)
        mishap = mishap_of(fault, house.chance)
        if mishap.block_s:
            self.limits.block(mishap.block_status, mishap.block_s, house.clock.exchange)
        if mishap.late_ms is not None:
            house.clock.later(mishap.late_ms, "request", verb, path, query, body, key)
        if mishap.executes:
            reply = self._answer(verb, path, query, body, key, given, fault=fault.kind)
            return mishap.spoil(reply)
        return self._spoiled(verb, path, given, fault.kind, mishap)

    def _spoiled(self, verb: str, path: str, given: Parameters, kind: str, mishap: Mishap) -> Reply:
        """Answer a request that the fault kept from being executed."""
        refusal = mishap.refusal
        if refusal is None:
            reply = Reply(0, {}, b"")
        else:
            reply = self._reply(refusal.status, _refusal_body(refusal), refusal.retry_after_s)
        code = None if refusal is None else refusal.code
        self._note_request(verb, path, given, reply.status, code, kind)
        return mishap.spoil(reply)

    def _answer(
        self,
        verb: str,
        path: str,
        query: str,
        body: str,
        key: str | None,
        given: Parameters,
        *,
        fault: str | None = None,
    ) -> Reply:
        """Check and execute one request."""
        house = self.house
        code = None
        retry_after_s = None
        counted = False
        try:
            route = self._routes.get((verb, path))
            if route is None:
                raise refuse(Code.NO_SUCH_PATH, path, verb)
            self._charge(route, given)
            if route.security is not Security.NONE:
                self._authorise(verb, route, query, body, key, given)
            house.actor = API
            result = route.answer(given)
            content = result if isinstance(result, bytes) else self._text(verb, path, result)
            status = 200
            counted = route.orders[0] > 0
        except Refusal as refusal:
            status, code, retry_after_s = refusal.status, refusal.code, refusal.retry_after_s
            content = _refusal_body(refusal)
        finally:
            house.actor = EXCHANGE
        is_remarkable = code is not None or fault is not None
        if verb != "GET" or house.settings.log_reads or is_remarkable:
            self._note_request(verb, path, given, status, code, fault, retry_after_s)
        return self._reply(status, content, retry_after_s, counted=counted)

    def _text(self, verb: str, path: str, result: object) -> bytes:
        """Return an answer as JSON; what readers were told last is not encoded again."""
        if verb != "GET":
            return _encode(result).encode()
        told = self._told.get(path)
        if told is None or told[0] != result:
            told = self._told[path] = (result, _encode(result).encode())
        return told[1]

    def _charge(self, route: Route, given: Parameters) -> None:
        weight = route.weight if isinstance(route.weight, int) else route.weight(given)
        self.limits.charge(weight, *route.orders, self.house.clock.exchange)

    def _authorise(
        self, verb: str, route: Route, query: str, body: str, key: str | None, given: Parameters
    ) -> None:
        house = self.house
        secret = params.check_key(house.settings.keys, key)
        house.caller = key
        if route.security is Security.SIGNED:
            if verb != "GET" and key in house.settings.read_only_keys:
                raise refuse(Code.KEY_REJECTED)
            params.check_signature(
                given,
                query,
                body,
                secret,
                house.clock.exchange,
                window_enforced=house.switches.recv_window_enforced == "true",
            )

    def _reply(
        self, status: int, content: bytes, retry_after_s: int | None, *, counted: bool = False
    ) -> Reply:
        limits = self.limits
        headers = {
            "Content-Type": "application/json",
            "X-MBX-USED-WEIGHT-1M": str(limits.weight),
        }
        if counted:
            headers["X-MBX-ORDER-COUNT-10S"] = str(limits.orders_10s)
            headers["X-MBX-ORDER-COUNT-1M"] = str(limits.orders_1m)
        if retry_after_s is not None:
            headers["Retry-After"] = str(retry_after_s)
        return Reply(status, headers, content)

    def _note_request(
        self,
        verb: str,
        path: str,
        given: Parameters,
        status: int,
        code: int | None,
        fault: str | None,
        retry_after_s: int | None = None,
    ) -> None:
        facts: dict[str, object] = {
            "verb": verb,
            "path": path,
            "client_id": given.get("newclientorderid")
            or given.get("clientalgoid")
            or given.get("origclientorderid"),
            "status": status,
            "code": code,
            "weight_1m": self.limits.weight,
        }
        if verb != "GET":
            facts["parameters"] = {
                name: value
                for name, value in given.items()
                if name not in ("signature", "listenkey")
            }
        if fault is not None:
            facts["fault"] = fault
        if retry_after_s is not None:
            facts["retry_after_s"] = retry_after_s
        self.house.journal.note("request", **facts)

    @property
    def routes(self) -> tuple[tuple[str, str], ...]:
        """Return verb and path of every endpoint."""
        return tuple(self._routes)

    # -- time and prices -------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Let time pass: due price points, triggers, funding, expiries, delayed pushes.

        What `timed` holds, oldest first, happens at its own moment, behind all else of that moment,
        however late this call comes.
        """
        clock = self.house.clock
        while True:
            point = self._next_point
            point_at = FAR if point is None else point.at_ms
            timer_at = clock.next_due()
            funding_at = self.funding.due_at()
            timed_at = self.timed[0][0] if self.timed else FAR
            due = min(point_at, timer_at, funding_at, timed_at)
            if due > now_ms:
                break
            clock.move_to(due)
            if point is not None and due == point_at:
                self._pull()
                self._move(point)
            elif due == timer_at:
                what, arguments = clock.take()
                self._run(what, arguments)
            elif due == funding_at:
                self.funding.charge()
            else:
                _, act = self.timed.popleft()
                act(due)
        clock.move_to(now_ms)
        outbox = self.house.outbox
        if outbox.listen_key is not None and clock.now >= outbox.key_until_ms:
            outbox.close_key()
        settings = self.house.settings
        if settings.market_streams:
            self._market_events.idle(
                self.house.market,
                outbox,
                clock.exchange,
                self.funding.next_ms,
                settings.funding_rate,
            )

    def next_due(self) -> int:
        """Return when something next happens by itself, a time far away if nothing will."""
        point_at = FAR if self._next_point is None else self._next_point.at_ms
        timed_at = self.timed[0][0] if self.timed else FAR
        return min(point_at, self.house.clock.next_due(), self.funding.due_at(), timed_at)

    def _pull(self) -> None:
        self._next_point = None if self._feed is None else next(self._feed, None)

    def _run(self, what: str, arguments: tuple[object, ...]) -> None:
        """Do what was noted for this moment."""
        match what:
            case "child" | "algo_end" | "algo_cancel":
                self.algo.run(what, int(str(arguments[0])))
            case "gtd":
                self.book.end_by_date(int(str(arguments[0])))
            case "push":
                self.house.outbox.late(arguments[0])
            case "countdown":
                self.order_routes.countdown_due(arguments[0])
            case "skew":
                self.skew(int(str(arguments[0])))
            case "fault":
                self._befall(int(str(arguments[0])))
            case "request":
                self._run_late(*arguments)
            case _:
                message = f"nothing is called {what!r}"
                raise ValueError(message)

    def _run_late(
        self, verb: object, path: object, query: object, body: object, key: object
    ) -> None:
        """Execute a request whose sender has given up on it."""
        texts = (str(verb), str(path), str(query), str(body))
        given = params.parse(texts[2], texts[3])
        sender = None if key is None else str(key)
        self._answer(*texts, sender, given, fault="executed_late")

    def _move(self, point: PricePoint) -> None:
        """Take one price: candles, what it meets on its way, then the question of liquidation."""
        house = self.house
        market = house.market
        last_before, mark_before = market.last, market.mark
        market.move(point, house.clock.exchange)
        if house.settings.log_prices:
            house.journal.note(
                "price",
                last=plain(market.last),
                mark=plain(market.mark),
                bid=plain(market.bid),
                ask=plain(market.ask),
            )
        if house.settings.market_streams:
            self._market_events.after_point(
                market,
                house.outbox,
                house.clock.exchange,
                self.funding.next_ms,
                house.settings.funding_rate,
            )
        if self.algo.open or self.book.open:
            walk(self.book, self.algo, last_before, mark_before, point.quantity)
        if self.book.open:
            self.book.reserve()
        self._margin_calls.look()
        for position in house.account.doomed(market.mark):
            forced.liquidate(house, self.book, position)

    def set_price(
        self,
        last: Decimal,
        now_ms: int,
        *,
        mark: Decimal | None = None,
        quantity: Decimal | None = None,
    ) -> None:
        """Move the price now; `quantity` bounds what resting orders fill at this point."""
        self.advance(now_ms)
        self._move(PricePoint(self.house.clock.now, last, mark, quantity))

    def feed_from(self, feed: Iterator[PricePoint]) -> None:
        """Take prices from `feed`, in order of time; `advance` pulls the points that are due."""
        self._feed = feed
        self._pull()

    def preload_candles(self, candles: Sequence[Candle]) -> None:
        """Give the market a past, oldest minute first."""
        self.house.market.candles.preload(candles)

    # -- pushes, hands, faults -------------------------------------------------------------------

    def drain_pushes(self) -> list[Push]:
        """Take the stream messages that are due, oldest first."""
        return self.house.outbox.drain()

    def hand(self, hand: Mapping[str, object], now_ms: int) -> None:
        """Do what somebody else does to this account (scenario key "hands")."""
        self.advance(now_ms)
        self.hands.act(hand)

    def inject(self, fault: Mapping[str, object]) -> int:
        """Arm a fault and return its number."""
        armed = self.house.faults.inject(fault, self.house.clock.now)
        clock = self.house.clock
        if armed.kind == "clock_skew":
            self.skew(armed.whole("skew_ms", 0))
            if armed.until_ms is not None:
                clock.later(armed.until_ms - clock.now, "skew", 0)
        self.house.journal.note("fault", id=armed.number, fault=armed.kind)
        if armed.scope == "now":
            clock.later(armed.from_ms - clock.now, "fault", armed.number)
            self.advance(clock.now)
        return armed.number

    def _befall(self, number: int) -> None:
        """Let a fault happen that is an event of its own, unless it was disarmed meanwhile."""
        house = self.house
        fault = house.faults.at_once(number, house.clock.now)
        if fault is None:
            return
        match fault.kind:
            case "listen_key_expires":
                house.outbox.close_key()
            case "sockets_close":
                house.outbox.end_sockets()
            case _:
                self.force(fault.kind, house.clock.now)

    def faults(self) -> list[dict[str, object]]:
        """List the faults with how often each has struck."""
        return self.house.faults.plain()

    def clear_faults(self) -> None:
        """Disarm every fault; a skewed clock stays as it is."""
        self.house.faults.clear()

    def force(self, what: str, now_ms: int) -> None:
        """Force a "liquidation" or an "adl" close of every position now."""
        self.advance(now_ms)
        closes = {"liquidation": forced.liquidate, "adl": forced.deleverage}
        if what not in closes:
            message = f"the exchange forces one of {sorted(closes)}, not {what!r}"
            raise ValueError(message)
        for position in list(self.house.account.positions.values()):
            if position.quantity:
                closes[what](self.house, self.book, position)

    def skew(self, skew_ms: int) -> None:
        """Set the exchange's clock off by `skew_ms`."""
        self.house.clock.skew(skew_ms)
        self.house.journal.note("skew", skew_ms=skew_ms)

    # -- looking in ------------------------------------------------------------------------------

    def state(self) -> dict[str, object]:
        """Describe everything for the admin interface, JSON-able."""
        return state_of(self)

    def log_after(self, sequence: int) -> list[dict[str, object]]:
        """Return the log entries after `sequence`."""
        return self.house.journal.after(sequence)

    def dump(self, *, with_log: bool = True) -> dict[str, object]:
        """Return the whole books, JSON-able, for `load`; feed and faults are not part of them."""
        return dump_venue(self, with_log=with_log)

    @classmethod
    def load(cls, books: Mapping[str, object]) -> Venue:
        """Open again from what `dump` returned."""
        return load_venue(cls, books)


def _refusal_body(refusal: Refusal) -> bytes:
    return _encode({"code": refusal.code, "msg": refusal.message}).encode()
