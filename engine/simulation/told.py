"""What the venue's log says of orders and fills, as documents (contracts.md, order and fill)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from engine.domain.identity import ClientOrderId
from engine.domain.numbers import ZERO, plain
from engine.read.documents import Document, moment_of

Entry = Mapping[str, object]

_STATUS = {
    "NEW": "working",
    "CANCELED": "cancelled",
    "TRIGGERING": "triggering",
    "TRIGGERED": "triggered",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
}
_WORKING = {"CONTRACT_PRICE": "last", "MARK_PRICE": "mark"}


def order_documents(entries: Iterable[Entry]) -> list[Document]:
    """Return the last word on every order, in the order of their acceptance.

    A child speaks for its conditional order: it is no order of its own here.
    """
    orders: dict[str, Document] = {}
    executed: dict[str, Decimal] = {}
    for entry in entries:
        if entry["kind"] == "fill":
            key = _key(entry)
            executed[key] = executed.get(key, ZERO) + Decimal(str(entry["quantity"]))
        elif entry["kind"] == "order" and not _is_child(entry):
            key = _key(entry)
            before = orders.get(key)
            created = moment_of(_int(entry["at_ms"])) if before is None else before["created_at"]
            orders[key] = _order(entry, created)
    for key, document in orders.items():
        filled = executed.get(key, ZERO)
        document["filled"] = plain(filled)
        if document["status"] == "finished":
            document["status"] = "filled" if filled > 0 else "expired"
    return list(orders.values())


def fill_documents(entries: Iterable[Entry]) -> list[Document]:
    """Return every execution on the account, oldest first."""
    return [
        {
            "fill_id": str(entry["trade_id"]),
            "client_id": str(entry["client_id"]) or None,
            **_whose(str(entry["client_id"])),
            "side": str(entry["side"]).lower(),
            "price": str(entry["price"]),
            "quantity": str(entry["quantity"]),
            "commission": plain(-Decimal(str(entry["commission"]))),
            "maker": bool(entry["maker"]),
            "at": moment_of(_int(entry["at_ms"])),
        }
        for entry in entries
        if entry["kind"] == "fill"
    ]


def _order(entry: Entry, created: object) -> Document:
    client_id = str(entry["client_id"])
    own = ClientOrderId.parse(client_id)
    is_algo = entry["book"] == "algo"
    status = str(entry["status"])
    return {
        "client_id": client_id,
        "exchange_id": str(entry["algo_id"] if is_algo else entry["order_id"]),
        "book": str(entry["book"]),
        **_whose(client_id),
        "revision": None if own is None else own.revision,
        "own": own is not None,
        "type": str(entry["type"]).lower(),
        "side": str(entry["side"]).lower(),
        "status": _STATUS.get(status, status.lower()),
        "price": _positive(entry["price"]),
        "trigger_price": _positive(entry["trigger_price"]),
        "working_price": _WORKING.get(str(entry["working_type"])) if is_algo else None,
        "quantity": plain(Decimal(str(entry["quantity"]))),
        "filled": "0",
        "reduce_only": bool(entry["reduce_only"]),
        "close_position": bool(entry["close_position"]),
        "created_at": created,
    }


def _key(entry: Entry) -> str:
    algo_id = entry.get("algo_id")
    return f"regular:{entry['order_id']}" if algo_id is None else f"algo:{algo_id}"


def _is_child(entry: Entry) -> bool:
    return entry["book"] == "regular" and entry.get("algo_id") is not None


def _whose(client_id: str) -> dict[str, object]:
    own = ClientOrderId.parse(client_id)
    return {"role": "foreign" if own is None else own.role.value}


def _positive(value: object) -> str | None:
    number = Decimal(str(value))
    return None if number == 0 else plain(number)


def _int(value: object) -> int:
    return int(str(value))
