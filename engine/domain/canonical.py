"""One spelling for every value the engine records: canonical plain data, text and digest.

``to_plain`` and ``from_plain`` are each other's inverse for the frozen dataclasses of the domain;
equal values have equal text on every run and machine. Both follow the declared types, so only a
union of several dataclasses needs a tag (``"is"``). The work per class is prepared once.
"""

from __future__ import annotations

import hashlib
import json
import sys
import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from engine.domain.errors import InvariantBroken, require
from engine.domain.identity import ClientOrderId
from engine.domain.numbers import plain

T = TypeVar("T")
_Codec = Callable[[Any], Any]
_TAG = "is"
_SCALARS = (str, int, bool, type(None))


def to_plain(value: object, declared: object = None) -> Any:
    """Return ``value`` as dicts, lists, strings, integers, booleans and None.

    ``declared`` is the type to encode as, when the value's own class does not say it all: a
    parametrised generic, or a union of dataclasses. Raises ``InvariantBroken`` for floats and
    for anything else without one exact spelling.
    """
    return _encoder(type(value) if declared is None else declared)(value)


def from_plain(declared: type[T], data: Any) -> T:
    """Return the value of type ``declared`` that ``data`` spells; the inverse of ``to_plain``."""
    decode: _Codec = _decoder(cast("Any", declared))
    return cast("T", decode(data))


def dumps(value: object, declared: object = None) -> str:
    """Return the canonical JSON text: sorted keys, no spaces, plain ASCII."""
    return json_text(to_plain(value, declared))


def json_text(data: Any) -> str:
    """Return canonical JSON of data that is already plain."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object, declared: object = None) -> str:
    """Return the SHA-256 of the canonical text, in hexadecimal."""
    return digest_of_text(dumps(value, declared))


def digest_of_text(text: str) -> str:
    """Return the SHA-256 of ``text``, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _encoder(declared: Any) -> _Codec:
    """Return the function that makes values of type ``declared`` plain."""
    if declared in _SCALARS:
        return _same
    if declared is Decimal:
        return plain
    if declared is ClientOrderId:
        return str
    origin, args = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        return _union_encoder(args)
    if origin is tuple:
        return _tuple_encoder(args)
    if isinstance(declared, type) and issubclass(declared, Enum):
        return lambda value: value.value
    if is_dataclass(origin or declared):
        return _dataclass_encoder(declared)
    if declared in (tuple, list):
        return lambda value: [to_plain(item) for item in value]
    if declared is dict:
        return lambda value: {str(k): to_plain(v) for k, v in value.items()}
    raise InvariantBroken(f"no canonical form for {declared!r}")


def _tuple_encoder(args: tuple[Any, ...]) -> _Codec:
    if len(args) == 2 and args[1] is Ellipsis:
        each = _encoder(args[0])
        return lambda value: [each(item) for item in value]
    several = tuple(_encoder(arg) for arg in args)
    return lambda value: [code(item) for code, item in zip(several, value, strict=True)]


def _union_encoder(args: tuple[Any, ...]) -> _Codec:
    members = _members(args)
    if len(members) == 1:
        only = _encoder(members[0])
        if only is _same:
            return _same
        return lambda value: None if value is None else only(value)
    codes = {arg: _encoder(arg) for arg in members}

    def encode(value: Any) -> Any:
        if value is None:
            return None
        return {_TAG: type(value).__name__, **codes[type(value)](value)}

    return encode


def _dataclass_encoder(declared: Any) -> _Codec:
    codes = tuple((name, _encoder(hint)) for name, hint in _hints(declared))

    def encode(value: Any) -> dict[str, Any]:
        return {
            name: part if code is _same else code(part)
            for name, code in codes
            for part in (getattr(value, name),)
        }

    return encode


@cache
def _decoder(declared: Any) -> _Codec:
    """Return the function that reads a value of type ``declared`` from plain data."""
    if declared in _SCALARS:
        return _same
    if declared is Decimal:
        return Decimal
    if declared is ClientOrderId:
        return _client_id
    origin, args = get_origin(declared), get_args(declared)
    if origin in (Union, types.UnionType):
        return _union_decoder(args)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            each = _decoder(args[0])
            return lambda data: tuple(each(item) for item in data)
        several = tuple(_decoder(arg) for arg in args)
        return lambda data: tuple(code(item) for code, item in zip(several, data, strict=True))
    if isinstance(declared, type) and issubclass(declared, Enum):
        return declared
    if is_dataclass(origin or declared):
        make = origin or declared
        codes = {name: _decoder(hint) for name, hint in _hints(declared)}
        return lambda data: make(**{k: codes[k](v) for k, v in data.items() if k != _TAG})
    raise InvariantBroken(f"no canonical form for {declared!r}")


def _union_decoder(args: tuple[Any, ...]) -> _Codec:
    members = _members(args)
    if len(members) == 1:
        only = _decoder(members[0])
        return lambda data: None if data is None else only(data)
    codes = {arg.__name__: _decoder(arg) for arg in members}
    return lambda data: None if data is None else codes[data[_TAG]](data)


def _members(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the members of a union but None; several must be dataclasses, told by their names."""
    members = tuple(arg for arg in args if arg is not type(None))
    is_clear = len(members) == 1 or all(is_dataclass(arg) for arg in members)
    require(is_clear, f"no canonical form for one of {args}: cannot tell them apart")
    return members


def _hints(declared: Any) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a dataclass with their types, type variables filled in."""
    origin = get_origin(declared) or declared
    hints = get_type_hints(origin, vars(sys.modules[origin.__module__]))
    given = dict(zip(getattr(origin, "__parameters__", ()), get_args(declared), strict=False))
    return tuple((f.name, _filled(hints[f.name], given)) for f in fields(origin))


def _filled(hint: Any, given: dict[Any, Any]) -> Any:
    return given.get(hint, hint) if isinstance(hint, TypeVar) else hint


def _client_id(text: str) -> ClientOrderId:
    parsed = ClientOrderId.parse(text)
    if parsed is None:
        raise InvariantBroken(f"not one of our order ids: {text!r}")
    return parsed


def _same(value: Any) -> Any:
    return value
