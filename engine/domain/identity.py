"""Names of orders: derived from the ledger, never drawn, readable back (RULES G3).

``kp`` + decision hash (6) + generation (3) + role (1) + revision (3), base 36, fixed width. The
same intent has the same id on every run and after a takeover, so the exchange's own duplicate
refusal helps.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from engine.domain.errors import require

PREFIX = "kp"
HASH_WIDTH = 6
GENERATION_WIDTH = 3
REVISION_WIDTH = 3
FOREIGN_HASH = "000000"
"""Stands where the decision's hash does when no decision of ours opened the position (RULES G1)."""
NUMBER_MAX = 36**3 - 1
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LENGTH = len(PREFIX) + HASH_WIDTH + GENERATION_WIDTH + 1 + REVISION_WIDTH


class OrderRole(StrEnum):
    """Why an order exists."""

    ENTRY = "entry"
    STOP_PRIMARY = "stop_primary"
    STOP_FLOOR = "stop_floor"
    STOP_BRIDGE = "stop_bridge"
    TP1 = "tp1"
    TP2 = "tp2"
    LIQUIDATION_EXIT = "liquidation_exit"
    EMERGENCY = "emergency"
    PROBE = "probe"

    @property
    def letter(self) -> str:
        """Return the role's one character inside an id."""
        return _LETTER[self]

    @property
    def is_stop(self) -> bool:
        """Return whether orders of this role are stops of ours."""
        return self in _STOPS

    @property
    def is_target(self) -> bool:
        """Return whether orders of this role take profit."""
        return self in _TARGETS


_STOPS = frozenset({OrderRole.STOP_PRIMARY, OrderRole.STOP_FLOOR, OrderRole.STOP_BRIDGE})
_TARGETS = frozenset({OrderRole.TP1, OrderRole.TP2, OrderRole.LIQUIDATION_EXIT})
_LETTER = {
    OrderRole.ENTRY: "e",
    OrderRole.STOP_PRIMARY: "s",
    OrderRole.STOP_FLOOR: "f",
    OrderRole.STOP_BRIDGE: "b",
    OrderRole.TP1: "1",
    OrderRole.TP2: "2",
    OrderRole.LIQUIDATION_EXIT: "l",
    OrderRole.EMERGENCY: "x",
    OrderRole.PROBE: "p",
}
_ROLE = {letter: role for role, letter in _LETTER.items()}


def base36(number: int, width: int) -> str:
    """Return ``number`` in lower-case base 36, padded to ``width`` digits."""
    require(0 <= number < 36**width, f"{number} does not fit {width} base-36 digits")
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 36)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def from_base36(text: str) -> int:
    """Return the number that lower-case base-36 ``text`` spells."""
    return int(text, 36)


class ClientOrderId(NamedTuple):
    """Our name for one order; ``decision_hash`` is six lower-case base-36 digits.

    A tuple, because a tick compares and looks up hundreds of these.
    """

    decision_hash: str
    generation: int
    role: OrderRole
    revision: int

    @lru_cache(maxsize=4096)  # noqa: B019 - a value holds nothing but itself
    def __str__(self) -> str:
        """Return the id as it goes over the wire."""
        return "".join(
            (
                PREFIX,
                self.decision_hash,
                base36(self.generation, GENERATION_WIDTH),
                self.role.letter,
                base36(self.revision, REVISION_WIDTH),
            )
        )

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(text: str) -> ClientOrderId | None:
        """Return the id that ``text`` spells, or None when it is not one of ours."""
        if len(text) != _LENGTH or not text.startswith(PREFIX):
            return None
        body = text[len(PREFIX) :]
        if not all(c in _DIGITS for c in body):
            return None
        role = _ROLE.get(body[9])
        if role is None:
            return None
        return ClientOrderId(body[:6], from_base36(body[6:9]), role, from_base36(body[10:13]))
