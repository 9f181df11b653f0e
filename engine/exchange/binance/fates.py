"""Name every failure by what is known of the request: one table for all of them.

``Rejected``: the exchange said no. ``Unavailable``: it never left, or certainly did not execute.
``Indeterminate``: anything else, above all every answer we cannot read. The classes follow
binance-usdm.md section 6 and what python-binance really raises (python-binance.md section 3).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from typing import Protocol

import requests
from binance.exceptions import BinanceAPIException, BinanceRequestException
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import NewConnectionError

from engine.domain.errors import Indeterminate, Rejected, Unavailable

KnownFate = Rejected | Unavailable | Indeterminate

CODES_UNKNOWN_FATE = frozenset({-1000, -1001, -1006, -1007})
CODES_LIMITED = frozenset({-1003, -1015})
CODES_THROTTLED = frozenset({-1008})
CODES_CLOCK = frozenset({-1021, -5028})
CODE_KEY_REFUSED = -2015
# The only answers of a 503 that are certain failures; any other one may have executed.
# A page of some proxy in between may say the same words: only these very messages count.
_SURE_FAILURES = ("service unavailable", "internal error; unable to process your request")
_BANNED_UNTIL = re.compile(r"banned until (\d{12,14})")
_UNFIT = re.compile(r"(?<=\?)\S+|<[\w.]+ object at 0x\w+>|\(host=.*?\)")
_PAUSE_S = {429: 60.0, 418: 120.0}  # when the exchange names none: its window, its shortest ban


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
    if status in _PAUSE_S:
        pause_s = _pause_s(status, message, response, now_ms)
        return Unavailable(said, code=number, retry_after_s=pause_s)
    if status == 401:
        return Rejected(number or CODE_KEY_REFUSED, said)
    if status == 403:
        return Unavailable(said, code=number)
    if status == 503:
        raw = message if number or response is None else response.text
        if number in CODES_THROTTLED or _is_sure_failure(raw):
            return Unavailable(said, code=number)
        return Indeterminate(said, code=number)
    if 400 <= status < 500 and status != 408 and number < 0:
        return _of_code(status, number, message, response, now_ms)
    return Indeterminate(said, code=number)


def _of_code(
    status: int, code: int, message: str, response: Response | None, now_ms: int
) -> KnownFate:
    said = f"{code} {_shown(message)}"
    if code in CODES_LIMITED:
        pause_s = _pause_s(429, message, response, now_ms)
        return Unavailable(said, code=code, retry_after_s=pause_s)
    if code in CODES_THROTTLED or code in CODES_CLOCK:
        return Unavailable(said, code=code)
    if code in CODES_UNKNOWN_FATE:
        if _is_sure_failure(message):
            return Unavailable(said, code=code)
        return Indeterminate(f"HTTP {status}: {said}", code=code)
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


def _pause_s(status: int, message: str, response: Response | None, now_ms: int) -> float:
    """Return how long the exchange wants silence: the longer of header and message."""
    pauses = [0.0]
    header = None if response is None else response.headers.get("retry-after")
    if header is not None and header.strip().isdecimal():
        pauses.append(float(header))
    banned = _BANNED_UNTIL.search(message)
    if banned:
        pauses.append((int(banned[1]) - now_ms) / 1000)
    return max(pauses) if len(pauses) > 1 else _PAUSE_S[status]


def _shown(message: str) -> str:
    """Return a message fit to be kept: one line, no signed query, no memory address."""
    line = _UNFIT.sub("…", " ".join(message.split()))
    return line if len(line) <= 200 else f"{line[:197]}..."
