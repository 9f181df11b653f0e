"""Reading a request: parameters from query and body, and who sent it.

Parameters may stand in the query or in a form body, on every verb; where a name is in both, the
query wins. Names are compared without regard to case, as the exchange does. The signature is
checked over the exact text sent: the query followed directly by the body, up to the signature
itself (exchange reference, 2.2).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from engine.venue.codes import Code, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Parameters = dict[str, str]

NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
CLIENT_ID_LENGTH = 36
KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
ORDER_NUMBER = re.compile(r"[0-9]{1,20}")
ORDER_NUMBER_RANGE = r"^[0-9]{1,20}$"
RECV_WINDOW = 5000
RECV_WINDOW_MAX = 60_000
AHEAD_MS = 1000


def parse(query: str, body: str) -> Parameters:
    """Return the parameters by lower-case name; the query wins over the body."""
    found: Parameters = {}
    for text in (query, body) if body else (query,):
        if not text:
            continue
        is_plain = "%" not in text and "+" not in text
        for pair in text.split("&"):
            name, _, value = pair.partition("=")
            found.setdefault(name.lower(), value if is_plain else unquote_plus(value))
    return found


def signed_text(query: str, body: str) -> tuple[str, str]:
    """Return the text a signature covers, and the signature ("" if there is none)."""
    text, signature = query, ""
    for part in (body, query):
        before, mark, after = _cut(part)
        if mark:
            signature = after
            text = query + before if part is body else before + body
            break
    return text, signature


def _cut(part: str) -> tuple[str, bool, str]:
    if part.startswith("signature="):
        return "", True, part[10:]
    before, mark, after = part.rpartition("&signature=")
    return (before, True, after) if mark else (part, False, "")


def check_key(keys: Mapping[str, str] | None, key: str | None) -> str | None:
    """Return the secret of the key (None if unknown to us), or refuse it (-2014, -2015)."""
    if not key or not KEY.fullmatch(key):
        raise refuse(Code.KEY_FORMAT)
    if keys is None:
        return None
    if key not in keys:
        raise refuse(Code.KEY_REJECTED)
    return keys[key]


def check_signature(
    parameters: Parameters,
    query: str,
    body: str,
    secret: str | None,
    exchange_ms: int,
    *,
    window_enforced: bool,
) -> None:
    """Refuse a request that is unsigned, wrongly signed, too old or ahead of the clock."""
    timestamp = parameters.get("timestamp")
    if timestamp is None or not timestamp.isascii() or not timestamp.isdigit():
        raise refuse(Code.MANDATORY, "timestamp")
    if not parameters.get("signature"):
        raise refuse(Code.MANDATORY, "signature")
    window = RECV_WINDOW
    if "recvwindow" in parameters:
        text = parameters["recvwindow"]
        if not text.isascii() or not text.isdigit():
            raise refuse(Code.BAD_PARAMETER, "recvWindow")
        window = min(int(text), RECV_WINDOW_MAX)
    if secret is not None:
        text, signature = signed_text(query, body)
        expected = hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise refuse(Code.BAD_SIGNATURE)
    sent = int(timestamp)
    if sent >= exchange_ms + AHEAD_MS:
        raise refuse(Code.AHEAD_OF_SERVER)
    if window_enforced and exchange_ms - sent > window:
        raise refuse(Code.OUTSIDE_WINDOW)


def text(parameters: Parameters, name: str) -> str:
    """Return a mandatory parameter (-1102)."""
    value = parameters.get(name)
    if not value:
        raise refuse(Code.MANDATORY, name)
    return value


def given(parameters: Parameters, name: str) -> str | None:
    """Return an optional parameter; one that is sent must not be empty (-1105)."""
    value = parameters.get(name)
    if value == "":
        raise refuse(Code.EMPTY, name)
    return value


def unwanted(parameters: Parameters, *names: str) -> None:
    """Refuse what this kind of request does not take (-1106)."""
    for name in names:
        if parameters.get(name):
            raise refuse(Code.NOT_REQUIRED, name)


def chosen(
    parameters: Parameters, name: str, values: Sequence[str] | frozenset[str], code: Code
) -> str | None:
    """Return an optional parameter that must be one of `values`, else the refusal for `code`."""
    value = given(parameters, name)
    if value is None:
        return None
    if value not in values:
        raise refuse(code, name) if code is Code.BAD_PARAMETER else refuse(code)
    return value


def number(parameters: Parameters, name: str) -> Decimal | None:
    """Return an optional decimal; exponents, signs and words are malformed (-1102)."""
    value = given(parameters, name)
    if value is None:
        return None
    if not NUMBER.fullmatch(value):
        raise refuse(Code.MANDATORY, name)
    return Decimal(value)


def needed_number(parameters: Parameters, name: str) -> Decimal:
    """Return a mandatory decimal (-1102)."""
    value = text(parameters, name)
    if not NUMBER.fullmatch(value):
        raise refuse(Code.MANDATORY, name)
    return Decimal(value)


def whole(parameters: Parameters, name: str) -> int | None:
    """Return an optional whole number (-1130 otherwise)."""
    value = given(parameters, name)
    if value is None:
        return None
    if not _is_whole(value):
        raise refuse(Code.BAD_PARAMETER, name)
    return int(value)


def needed_whole(parameters: Parameters, name: str) -> int:
    """Return a mandatory whole number (-1102)."""
    value = text(parameters, name)
    if not _is_whole(value):
        raise refuse(Code.MANDATORY, name)
    return int(value)


def order_number(parameters: Parameters, name: str) -> int | None:
    """Return an optional number of an order (-1100 where it holds anything but digits)."""
    value = given(parameters, name)
    if value is None:
        return None
    if not ORDER_NUMBER.fullmatch(value):
        raise refuse(Code.ILLEGAL_CHARACTERS, name, ORDER_NUMBER_RANGE)
    return int(value)


def _is_whole(value: str) -> bool:
    digits = value.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 19


def flag(parameters: Parameters, name: str) -> bool | None:
    """Return an optional boolean; any case of true and false is read."""
    value = given(parameters, name)
    if value is None:
        return None
    low = value.lower()
    if low not in ("true", "false"):
        raise refuse(Code.BAD_PARAMETER, name)
    return low == "true"


def limit(parameters: Parameters, default: int, maximum: int) -> int:
    """Return the row limit, at most `maximum`."""
    value = whole(parameters, "limit")
    if value is None:
        return default
    if value < 1:
        raise refuse(Code.BAD_PARAMETER, "limit")
    return min(value, maximum)


def client_id(parameters: Parameters, name: str) -> str:
    """Return an optional client id, checked for length (-4015) and characters (-1100)."""
    value = given(parameters, name)
    if value is None:
        return ""
    if len(value) > CLIENT_ID_LENGTH:
        raise refuse(Code.CLIENT_ID_LENGTH)
    if not CLIENT_ID.fullmatch(value):
        raise refuse(Code.ILLEGAL_CHARACTERS, name, CLIENT_ID_RANGE)
    return value


def symbol(parameters: Parameters, ours: str) -> None:
    """Refuse a missing (-1102) or unknown (-1121) symbol."""
    if text(parameters, "symbol") != ours:
        raise refuse(Code.SYMBOL_INVALID)


def optional_symbol(parameters: Parameters, ours: str) -> bool:
    """Whether a symbol was given; refuse an unknown one."""
    value = given(parameters, "symbol")
    if value is None:
        return False
    if value != ours:
        raise refuse(Code.SYMBOL_INVALID)
    return True
