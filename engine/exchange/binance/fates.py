"""Name every failure by what is known of the request, and by what would mend it: one table.

``Rejected``: the exchange said no. ``Unavailable``: it never left, or certainly did not execute.
``Indeterminate``: anything else, above all every answer we cannot read. The classes are those of
binance-usdm.md section 6; what python-binance really raises is in python-binance.md section 3.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Protocol

import requests
from binance.exceptions import BinanceAPIException, BinanceRequestException
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import NewConnectionError

from engine.domain.errors import Indeterminate, Rejected, Unavailable

KnownFate = Rejected | Unavailable | Indeterminate


class ErrorClass(StrEnum):
    """What would mend a failure."""

    AMBIGUOUS = "ambiguous"
    """It may have executed: ask by id before anything else."""
    RETRY = "retry"
    """It did not execute; the same request may be sent again after a pause."""
    RATE = "rate"
    """It did not execute; nothing is sent until the exchange's pause is over."""
    CLOCK = "clock"
    """It did not execute; the clock is measured first."""
    PERMANENT = "permanent"
    """The same request will be refused again."""
    GONE = "gone"
    """The target is not found (any more): its fate is asked by id."""
    STATE = "state"
    """The market or the account forbids it now."""
    DONE = "done"
    """Refused because it is so already."""


def _codes(*ranges: int | tuple[int, int]) -> frozenset[int]:
    """Return codes and whole ranges of them, named by their two ends."""
    spread = (range(min(r), max(r) + 1) if isinstance(r, tuple) else (r,) for r in ranges)
    return frozenset(code for codes in spread for code in codes)


CLASSES: Mapping[ErrorClass, frozenset[int]] = {
    ErrorClass.AMBIGUOUS: _codes(-1000, -1001, -1006, -1007),
    ErrorClass.RETRY: _codes(-1008),
    ErrorClass.RATE: _codes(-1003, -1015),
    ErrorClass.CLOCK: _codes(-1021, -5028),
    ErrorClass.PERMANENT: _codes(
        *(-1002, -1013, -1014, -1016, -1020, -1022, (-1106, -1100), -1111, (-1121, -1114)),
        *(-1127, -1128, -1130, -1136, -2014, -2015, -2026, (-4005, -4000), -4007, -4013, -4014),
        *(-4015, -4023, -4028, -4161, -4060, -4061, -4062, -4109, -4120, (-4138, -4135), -4164),
        *((-5026, -5024), (-5040, -5037), -5047),
    ),
    ErrorClass.GONE: _codes(-1125, -2011, -2013),
    ErrorClass.STATE: _codes(
        *(-1112, -2010, (-2025, -2018), -2027, -2028, -4016, -4024, -4045, -4047, -4048, -4067),
        *(-4068, -4087, -4088, -4116, -4117, -4118, -4129, -4130, -4131, -4140, -4141, -4142),
        *(-4183, -4184, -4192, -4210, -4211, (-4411, -4400), -4509, (-4519, -4517), -4531),
        *(-5021, -5022, -5041),
    ),
    ErrorClass.DONE: _codes(-4046, -4059, -5027),
}
_CLASS_OF_CODE = {code: kind for kind, codes in CLASSES.items() for code in codes}
CODE_KEY_REFUSED = -2015
# The only answers of a 503 that are certain failures; any other one may have executed.
# A page of some proxy in between may say the same words: only these very messages count.
_SURE_FAILURES = ("service unavailable", "internal error; unable to process your request")
_BANNED_UNTIL = re.compile(r"banned until (\d{12,14})")
_UNFIT = re.compile(r"(?<=\?)\S+|<[\w.]+ object at 0x\w+>|\(host=.*?\)")
PAUSES_S = {429: 60.0, 418: 120.0}  # when the exchange names none: its window, its shortest ban
CODE_TOO_MANY_ORDERS = -1015
ORDERS_PAUSE_S = 10.0
"""The same for the order counters: the shorter of their two windows (binance-usdm.md section 2).

Cover may be among what was refused; a minute without a word would leave it missing for that long.
"""


class Headers(Protocol):
    """The headers of an answer."""

    def get(self, name: str, /) -> str | None:
        """Return one header by its lower-case name."""


class Response(Protocol):
    """What is needed of an HTTP answer."""

    @property
    def status_code(self) -> int:
        """Return the HTTP status."""

    @property
    def text(self) -> str:
        """Return the body."""

    @property
    def headers(self) -> Headers:
        """Return the headers."""


def class_of(fate: KnownFate) -> ErrorClass:
    """Return what would mend a failure; a refusal with a code nobody knows is one of state."""
    match fate:
        case Indeterminate():
            return ErrorClass.AMBIGUOUS
        case Unavailable(retry_after_s=None, code=code):
            is_clock = _CLASS_OF_CODE.get(code) is ErrorClass.CLOCK
            return ErrorClass.CLOCK if is_clock else ErrorClass.RETRY
        case Unavailable():
            return ErrorClass.RATE
        case Rejected(code=code):
            return _CLASS_OF_CODE.get(code, ErrorClass.STATE)


def fate_of(error: BaseException, now_ms: int, response: Response | None = None) -> KnownFate:
    """Return the fate that ``error`` stands for.

    ``response`` is the answer that came with this very request, if one came; ``now_ms`` is
    exchange time, to turn the end of a ban into a pause.
    """
    match error:
        case Rejected() | Unavailable() | Indeterminate():
            return error
        case BinanceAPIException():
            return _of_status(
                error.status_code, error.code, str(error.message or ""), error.response, now_ms
            )
        case AttributeError() if response is not None:
            # The library cannot read an error whose body is no JSON object.
            return _of_status(response.status_code, None, "unreadable error", response, now_ms)
        case requests.RequestException():
            return _of_transport(error)
        case BinanceRequestException():
            return Indeterminate(f"unreadable answer: {_shown(str(error.message))}")
        case _:
            return Indeterminate(f"{type(error).__name__}: {_shown(str(error))}")


def fate_of_body(payload: object, now_ms: int) -> KnownFate | None:
    """Return the fate an HTTP 200 carries in its body as ``{"code": -…}``, or None."""
    if not isinstance(payload, dict):
        return None
    code = payload.get("code")
    if isinstance(code, str) and code.lstrip("-").isdecimal():
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int) or code >= 0:
        return None
    return _of_code(200, code, str(payload.get("msg", "")), None, now_ms)


def _of_status(
    status: int, code: object, message: str, response: Response | None, now_ms: int
) -> KnownFate:
    number = code if isinstance(code, int) and not isinstance(code, bool) else 0
    said = f"HTTP {status}: {number} {_shown(message)}"
    if status in PAUSES_S:
        return Unavailable(
            said, code=number, retry_after_s=_pause_s(status, number, message, response, now_ms)
        )
    if status == 401:
        return Rejected(number or CODE_KEY_REFUSED, said)
    if status == 403:
        return Unavailable(said, code=number)
    if status == 503:
        raw = message if number or response is None else response.text
        if _CLASS_OF_CODE.get(number) is ErrorClass.RETRY or _is_sure_failure(raw):
            return Unavailable(said, code=number)
        return Indeterminate(said, code=number)
    if 400 <= status < 500 and status != 408 and number < 0:
        return _of_code(status, number, message, response, now_ms)
    return Indeterminate(said, code=number)


def _of_code(
    status: int, code: int, message: str, response: Response | None, now_ms: int
) -> KnownFate:
    said = f"{code} {_shown(message)}"
    match _CLASS_OF_CODE.get(code):
        case ErrorClass.RATE:
            wanted_s = _pause_s(429, code, message, response, now_ms)
            return Unavailable(said, code=code, retry_after_s=wanted_s)
        case ErrorClass.RETRY | ErrorClass.CLOCK:
            return Unavailable(said, code=code)
        case ErrorClass.AMBIGUOUS if not _is_sure_failure(message):
            return Indeterminate(f"HTTP {status}: {said}", code=code)
        case ErrorClass.AMBIGUOUS:
            return Unavailable(said, code=code)
        case _:
            return Rejected(code, message)


def _of_transport(error: requests.RequestException) -> KnownFate:
    *_, inner = _chain(error)
    said = f"{type(error).__name__}: {_shown(str(inner))}"
    never_left = (requests.ConnectTimeout, InvalidURL, InvalidSchema, MissingSchema)
    if isinstance(error, never_left):
        return Unavailable(said)
    if any(isinstance(e, NewConnectionError | ssl.SSLCertVerificationError) for e in _chain(error)):
        return Unavailable(said)
    return Indeterminate(said)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk through the errors wrapped in one another, a bounded number of them."""
    current: BaseException | None = error
    for _ in range(8):
        if current is None:
            return
        yield current
        inner: object = getattr(current, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in current.args if isinstance(a, BaseException)), None)
        current = inner if isinstance(inner, BaseException) else None


def _is_sure_failure(message: str) -> bool:
    return message.strip().lower().startswith(_SURE_FAILURES)


def pause_s(
    status: int, text: str, headers: Headers | None, now_ms: int, *, code: int = 0
) -> float:
    """Return how long the exchange wants silence after a 429 or 418, in seconds.

    The longer of header and message; where neither says, the window of the limit that ``code``
    names, or the shortest ban.
    """
    pauses = [0.0]
    header = None if headers is None else headers.get("retry-after")
    if header is not None and header.strip().isdecimal():
        pauses.append(float(header))
    banned = _BANNED_UNTIL.search(text)
    if banned:
        pauses.append((int(banned[1]) - now_ms) / 1000)
    if len(pauses) > 1:
        return max(pauses)
    return ORDERS_PAUSE_S if code == CODE_TOO_MANY_ORDERS else PAUSES_S[status]


def _pause_s(status: int, code: int, message: str, response: Response | None, now_ms: int) -> float:
    headers = None if response is None else response.headers
    return pause_s(status, message, headers, now_ms, code=code)


def _shown(message: str) -> str:
    """Return a message fit to be kept: one line, no signed query, no memory address."""
    line = _UNFIT.sub("…", " ".join(message.split()))
    return line if len(line) <= 200 else f"{line[:197]}..."
