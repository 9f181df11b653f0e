"""What a route is: who may call it, what it costs, and what answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from engine.venue.params import Parameters

Answer = Callable[[Parameters], object]
Weight = int | Callable[[Parameters], int]


class Security(Enum):
    """What a request must carry."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; `orders` is what it adds to the 10 s and the 1 min order counter."""

    answer: Answer
    weight: Weight = 1
    security: Security = Security.SIGNED
    orders: tuple[int, int] = (0, 0)


Table = dict[tuple[str, str], Route]
