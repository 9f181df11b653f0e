"""The account as the venue's log tells it: settings, wallet, position, transfers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.simulation.stretches import between, during

ZERO = Decimal(0)
ANY = -1
"""A leverage that somebody else has set."""

Entry = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Worth:
    """The account from one entry of the log on; ``flows`` are all transfers so far.

    ``quantity`` is the signed position, entered at ``entry_price``.
    """

    n: int
    at_ms: int
    wallet: Decimal
    flows: Decimal
    quantity: Decimal
    entry_price: Decimal


class Account:
    """Settings, wallet and position by number of the log entry, or by moment."""

    def __init__(self, entries: Sequence[Entry], wallet: Decimal = ZERO) -> None:
        """Read every entry that says something of the account, which began with ``wallet``."""
        self._opening = wallet
        self._settings: list[tuple[int, int | None, str | None]] = [(0, None, None)]
        self._worths: list[Worth] = []
        if wallet:
            self._worths.append(Worth(0, 0, wallet, ZERO, ZERO, ZERO))
        hand: Entry = {}
        for entry in entries:
            if entry["kind"] == "hand":
                hand = entry
            if entry["kind"] == "config":
                by_hand = hand.get("do") == entry["what"] and hand["at_ms"] == entry["at_ms"]
                self._configured(entry, by_hand=by_hand)
            if "wallet" in entry:
                self._worths.append(self._worth(entry))

    def _worth(self, entry: Entry) -> Worth:
        before = self._worths[-1] if self._worths else Worth(0, 0, ZERO, ZERO, ZERO, ZERO)
        is_flow = entry["kind"] == "income" and entry.get("cause") == "TRANSFER"
        is_held = entry["kind"] == "position" and "quantity" in entry
        return Worth(
            int(str(entry["n"])),
            int(str(entry["at_ms"])),
            Decimal(str(entry["wallet"])),
            before.flows + (Decimal(str(entry["amount"])) if is_flow else ZERO),
            Decimal(str(entry["quantity"])) if is_held else before.quantity,
            Decimal(str(entry["entry_price"])) if is_held else before.entry_price,
        )

    def _configured(self, entry: Entry, *, by_hand: bool) -> None:
        """Note a setting; what another hand changed is nobody's answer for an entry under way."""
        _, leverage, margin = self._settings[-1]
        if by_hand:
            self._settings.append((int(str(entry["n"])), ANY, margin))
            return
        if entry["what"] == "leverage":
            leverage = int(str(entry["leverage"]))
        if entry["what"] == "margin_type":
            margin = str(entry["margin_type"]).upper()
        self._settings.append((int(str(entry["n"])), leverage, margin))

    def settings_at(self, n: int) -> tuple[int | None, str | None]:
        """Return leverage (``ANY``: somebody else's) and margin type before log entry ``n``.

        None: never set.
        """
        index = bisect_left(self._settings, n, key=lambda one: one[0]) - 1
        _, leverage, margin = self._settings[max(index, 0)]
        return leverage, margin

    def at(self, n: int) -> Worth | None:
        """Return the account before log entry ``n``, None while nothing is known of it."""
        index = bisect_left(self._worths, n, key=lambda worth: worth.n) - 1
        return self._worths[index] if index >= 0 else None

    def during(self, from_n: int, until_n: int) -> Sequence[Worth]:
        """Return what stood between two entries of the log, oldest first."""
        return during(self._worths, from_n, until_n)

    def between(self, from_ms: int, until_ms: int) -> Sequence[Worth]:
        """Return what stood at some moment of that stretch, oldest first."""
        return between(self._worths, from_ms, until_ms)

    def fell_pct(self, now: Worth, equity: Decimal, since_ms: int) -> Decimal:
        """Return by how much of its base an equity differs from a period's opening, in percent.

        Transfers aside; the base is the smaller of the opening and the opening with the transfers
        (RULES H2). Nothing was held when the period began.
        """
        index = bisect_right(self._worths, since_ms, key=lambda worth: worth.at_ms) - 1
        start = self._worths[index] if index >= 0 else None
        opening = self._opening if start is None else start.wallet
        flows = now.flows - (ZERO if start is None else start.flows)
        base = min(opening, opening + flows)
        result = equity - opening - flows
        return min(ZERO, result / base * 100) if base > 0 else ZERO
