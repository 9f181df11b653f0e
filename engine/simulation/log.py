"""The venue's log as checkers read it: what happened, as frozen values in order.

The log is the only witness: nothing here knows what the keeper intended or wrote down. Times are
the venue's milliseconds, quantities positive except ``position``, which is signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.identity import ClientOrderId, OrderRole


@dataclass(frozen=True, slots=True)
class Placed:
    """An order was accepted and rests (or executes at once)."""

    n: int
    at_ms: int
    book: str
    exchange_id: str
    client_id: str
    side: str
    type: str
    quantity: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    close_position: bool
    position_side: str = "BOTH"
    price: Decimal | None = None
    time_in_force: str = ""

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id when the order carries one."""
        return ClientOrderId.parse(self.client_id)

    def is_own(self, *roles: OrderRole) -> bool:
        """Return whether it is ours and, when roles are named, of one of them."""
        own = self.own_id
        return own is not None and (not roles or own.role in roles)


@dataclass(frozen=True, slots=True)
class Changed:
    """An order took another status; ``by`` is who caused it: api, hand or exchange."""

    n: int
    at_ms: int
    book: str
    exchange_id: str
    status: str
    by: str
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """An execution; ``algo_id`` names the conditional order whose child executed, if any.

    ``position`` is the signed position after it.
    """

    n: int
    at_ms: int
    exchange_id: str
    algo_id: str | None
    client_id: str
    side: str
    price: Decimal
    quantity: Decimal
    position: Decimal

    @property
    def own_id(self) -> ClientOrderId | None:
        """Return our id of the order that executed."""
        return ClientOrderId.parse(self.client_id)


Event = Placed | Changed | Filled


Entry = Mapping[str, object]


def read_log(entries: Iterable[Entry]) -> list[Event]:
    """Return the events of the venue's log entries, oldest first.

    An order's first entry is its placement, whatever its status.
    """
    events: list[Event] = []
    seen: set[str] = set()
    for entry in entries:
        kind = entry.get("kind")
        if kind == "order":
            exchange_id = _exchange_id(entry)
            if exchange_id not in seen:
                seen.add(exchange_id)
                events.append(_placed(entry, exchange_id))
            if str(entry["status"]) != "NEW":
                events.append(_changed(entry, exchange_id))
        elif kind == "fill":
            events.append(_filled(entry))
    return events


def last_ms(entries: Sequence[Entry]) -> int:
    """Return the time of the last entry, 0 for an empty log."""
    return _int(entries[-1]["at_ms"]) if entries else 0


def _exchange_id(entry: Entry) -> str:
    name = "algo_id" if entry["book"] == "algo" else "order_id"
    return f"{entry['book']}:{entry[name]}"


def _placed(entry: Entry, exchange_id: str) -> Placed:
    is_whole = bool(entry["close_position"])
    trigger, price = Decimal(str(entry["trigger_price"])), Decimal(str(entry["price"]))
    return Placed(
        n=_int(entry["n"]),
        at_ms=_int(entry["at_ms"]),
        book=str(entry["book"]),
        exchange_id=exchange_id,
        client_id=str(entry["client_id"]),
        side=str(entry["side"]),
        type=str(entry["type"]),
        quantity=None if is_whole else Decimal(str(entry["quantity"])),
        trigger_price=None if trigger == 0 else trigger,
        reduce_only=bool(entry["reduce_only"]),
        close_position=is_whole,
        position_side=str(entry["position_side"]),
        price=None if price == 0 else price,
        time_in_force=str(entry.get("time_in_force") or ""),
    )


def _changed(entry: Entry, exchange_id: str) -> Changed:
    return Changed(
        _int(entry["n"]),
        _int(entry["at_ms"]),
        str(entry["book"]),
        exchange_id,
        str(entry["status"]),
        str(entry["by"]),
        str(entry["client_id"]),
    )


def _filled(entry: Entry) -> Filled:
    algo_id = entry.get("algo_id")
    return Filled(
        n=_int(entry["n"]),
        at_ms=_int(entry["at_ms"]),
        exchange_id=f"regular:{entry['order_id']}",
        algo_id=None if algo_id is None else f"algo:{algo_id}",
        client_id=str(entry["client_id"]),
        side=str(entry["side"]),
        price=Decimal(str(entry["price"])),
        quantity=Decimal(str(entry["quantity"])),
        position=Decimal(str(entry["position_after"])),
    )


def _int(value: object) -> int:
    return int(str(value))
