"""The admin interface under `/venue/v1/`: look at the venue, move its price, hurt it, stop it.

JSON in and out; numbers may be JSON numbers or text and are read exactly. What is refused answers
400 with a `keeper/error/1` document and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation

from aiohttp import web

from engine.venue.api import Venue
from engine.venue.jsontext import json_text
from engine.venue.serving.clock import VenueClock
from engine.venue.serving.rest import Latency
from engine.venue.serving.streams import StreamHub

PREFIX = "/venue/v1/"

Answer = Mapping[str, object]


class AdminRefusal(ValueError):
    """A call the admin interface does not carry out; names field, value and remedy."""

    def __init__(
        self, code: str, message: str, *, field: str = "", value: object = "", remedy: str = ""
    ) -> None:
        """Keep the parts of the error document."""
        super().__init__(message)
        self.code = code
        self.document: dict[str, object] = {
            "schema": "keeper/error/1",
            "code": code,
            "message": message,
            "field": field or None,
            "value": str(value)[:200] if value != "" else None,
            "remedy": remedy or None,
        }


class AdminDesk:
    """Answers admin calls for one served venue."""

    def __init__(
        self,
        venue: Venue,
        clock: VenueClock,
        latency: Latency,
        hub: StreamHub,
        *,
        changed: Callable[[], None],
        stop: Callable[[], None],
        served: Callable[[], Mapping[str, object]],
    ) -> None:
        """Act on `venue`; `changed` sends what became due, `stop` ends the server."""
        self._venue = venue
        self._clock = clock
        self._latency = latency
        self._hub = hub
        self._changed = changed
        self._stop = stop
        self._served = served
        self._calls: Mapping[tuple[str, str], Callable[[object], Awaitable[Answer]]] = {
            ("GET", "state"): self._state,
            ("POST", "price"): self._price,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._inject,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "hand"): self._hand,
            ("GET", "clock"): self._clock_now,
            ("POST", "clock"): self._set_clock,
            ("POST", "latency"): self._set_latency,
            ("POST", "force"): self._force,
            ("POST", "stop"): self._end,
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Carry out one admin call."""
        try:
            return _document(200, await self._call(request))
        except AdminRefusal as refusal:
            status = 404 if refusal.code == "venue_unknown_call" else 400
            return _document(status, refusal.document)
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            refused = AdminRefusal("venue_refused", str(error) or type(error).__name__)
            return _document(400, refused.document)

    async def _call(self, request: web.BaseRequest) -> Answer:
        name = request.path.removeprefix(PREFIX).strip("/")
        if (request.method, name) == ("GET", "log"):
            return self._log(request.query)
        if (request.method, name) == ("GET", "pushes"):
            return self._pushes(request.query)
        call = self._calls.get((request.method, name))
        if call is None:
            known = ", ".join(sorted(f"{verb} {path}" for verb, path in self._calls))
            raise AdminRefusal(
                "venue_unknown_call",
                f"there is no {request.method} {request.path}",
                remedy=f"known are GET log, GET pushes, {known}",
            )
        return await call(_parsed(await request.text()))

    async def _state(self, _: object) -> Answer:
        self._advance()
        return {
            "now_ms": self._clock.now_ms(),
            **self._venue.state(),
            "served": dict(self._served()),
        }

    async def _clock_now(self, _: object) -> Answer:
        self._advance()
        return {"now_ms": self._clock.now_ms(), "next_ms": self._venue.next_due()}

    def _pushes(self, query: Mapping[str, str]) -> Answer:
        after = _after(query)
        self._advance()
        return {"after": after, "at_ms": self._hub.sent_after(after)}

    def _log(self, query: Mapping[str, str]) -> Answer:
        after = _after(query)
        self._advance()
        return {"after": after, "entries": self._venue.log_after(after)}

    async def _price(self, body: object) -> Answer:
        fields = _object(body, "price", known=("last", "mark", "quantity"))
        last = _number(fields, "last")
        if last is None:
            raise AdminRefusal(
                "venue_bad_value", "last is missing", field="last", remedy='{"last": "90800"}'
            )
        self._venue.set_price(
            last,
            self._clock.now_ms(),
            mark=_number(fields, "mark"),
            quantity=_number(fields, "quantity"),
        )
        self._changed()
        return {"last": str(last)}

    async def _faults(self, _: object) -> Answer:
        return {"faults": self._venue.faults()}

    async def _inject(self, body: object) -> Answer:
        wanted = body if isinstance(body, list) else [body]
        numbers = [self._venue.inject(_object(fault, "fault")) for fault in wanted]
        return {"ids": numbers}

    async def _clear_faults(self, _: object) -> Answer:
        self._venue.clear_faults()
        return {"faults": []}

    async def _hand(self, body: object) -> Answer:
        self._venue.hand(_object(body, "hand"), self._clock.now_ms())
        self._changed()
        return {"done": True}

    async def _set_clock(self, body: object) -> Answer:
        fields = _object(body, "clock", known=("skew_ms", "jump_s", "at_ms"))
        if len(fields) != 1:
            raise AdminRefusal(
                "venue_bad_value",
                "give exactly one of skew_ms, jump_s, at_ms",
                value=json_text(fields),
                remedy='{"skew_ms": 1500}, {"jump_s": 60}, with --clock {"at_ms": 1767607200000}',
            )
        skew = _number(fields, "skew_ms", positive=False)
        if skew is not None:
            self._venue.skew(int(skew))
        jump = _number(fields, "jump_s", positive=False)
        if jump is not None:
            self._clock.jump(int(jump * 1000))
            self._advance()
        at = _number(fields, "at_ms")
        if at is not None:
            self._clock.tell(int(at))
            self._advance()
        return {"now_ms": self._clock.now_ms(), "skew_ms": None if skew is None else int(skew)}

    async def _set_latency(self, body: object) -> Answer:
        fields = _object(body, "latency", known=("one_way_ms",))
        one_way = _number(fields, "one_way_ms", positive=False)
        if one_way is None or not 0 <= one_way <= 60_000:
            raise AdminRefusal(
                "venue_bad_value",
                "one_way_ms is not a latency",
                field="one_way_ms",
                value=fields.get("one_way_ms", ""),
                remedy="give milliseconds from 0 to 60000",
            )
        self._latency.one_way_ms = float(one_way)
        return {"one_way_ms": self._latency.one_way_ms}

    async def _force(self, body: object) -> Answer:
        what = _forced(body)
        if what == "close_sockets":
            return {"forced": what, "sockets": await self._hub.close_all()}
        self._venue.force(what, self._clock.now_ms())
        self._changed()
        return {"forced": what}

    async def _end(self, _: object) -> Answer:
        self._stop()
        return {"stopping": True}

    def _advance(self) -> None:
        self._venue.advance(self._clock.now_ms())
        self._changed()


def _after(query: Mapping[str, str]) -> int:
    after = query.get("after", "0")
    if not after.isdigit():
        raise AdminRefusal(
            "venue_bad_value",
            "after is not a sequence number",
            field="after",
            value=after,
            remedy="give the last sequence number you have, 0 for all",
        )
    return int(after)


def _document(status: int, answer: Answer) -> web.Response:
    text = json.dumps(answer, separators=(",", ":"), default=str)
    return web.Response(status=status, text=text, content_type="application/json")


def _parsed(text: str) -> object:
    if not text.strip():
        return {}
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise AdminRefusal(
            "venue_bad_json",
            f"the body is not JSON: {error}",
            value=text[:80],
            remedy="send a JSON object",
        ) from error


def _object(
    body: object, call: str, *, known: tuple[str, ...] | None = None
) -> Mapping[str, object]:
    if not isinstance(body, Mapping):
        raise AdminRefusal(
            "venue_bad_value", f"{call} takes a JSON object", value=body, remedy="send {...}"
        )
    for name in body:
        if known is not None and name not in known:
            raise AdminRefusal(
                "venue_unknown_key",
                f"{call} knows no {name}",
                field=str(name),
                value=body[name],
                remedy=f"known are {', '.join(known)}",
            )
    return body


def _number(fields: Mapping[str, object], name: str, *, positive: bool = True) -> Decimal | None:
    value = fields.get(name)
    if value is None:
        return None
    try:
        number = Decimal("NaN") if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or (positive and number <= 0):
        raise AdminRefusal(
            "venue_bad_value",
            f"{name} is not a {'positive ' if positive else ''}number",
            field=name,
            value=value,
            remedy="write it as a JSON number or as text in plain notation",
        )
    return number


def _forced(body: object) -> str:
    """Accept `{"liquidation": true}`, `{"what": "liquidation"}` and plain `"liquidation"`."""
    known = ("liquidation", "adl", "close_sockets")
    if isinstance(body, Mapping) and len(body) == 1:
        name, value = next(iter(body.items()))
        body = value if name == "what" else name
    if isinstance(body, str) and body in known:
        return body
    raise AdminRefusal(
        "venue_bad_value",
        "there is nothing of that name to force",
        value=body,
        remedy=f"known are {', '.join(known)}",
    )
