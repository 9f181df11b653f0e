"""The account as the venue's log tells it: leverage, margin type, wallet and what moved it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from decimal import Decimal

ZERO = Decimal(0)
ANY = -1
"""A leverage that somebody else has set."""

Entry = Mapping[str, object]


class Account:
    """Settings by number of the log entry, the wallet by moment."""

    def __init__(self, entries: Sequence[Entry], wallet: Decimal = ZERO) -> None:
        """Read every entry that says something of the account, which began with ``wallet``."""
        self._opening = wallet
        self._settings: list[tuple[int, int | None, str | None]] = [(0, None, None)]
        self._at: list[int] = []
        self._wallets: list[Decimal] = []
        self._flows: list[Decimal] = []
        flows = ZERO
        hand: Entry = {}
        for entry in entries:
            if entry["kind"] == "hand":
                hand = entry
            if entry["kind"] == "config":
                by_hand = hand.get("do") == entry["what"] and hand["at_ms"] == entry["at_ms"]
                self._configured(entry, by_hand=by_hand)
            if entry["kind"] == "income" and entry.get("cause") == "TRANSFER":
                flows += Decimal(str(entry["amount"]))
            if "wallet" in entry:
                self._at.append(int(str(entry["at_ms"])))
                self._wallets.append(Decimal(str(entry["wallet"])))
                self._flows.append(flows)

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

    def fell_pct(self, at_ms: int, since_ms: int) -> Decimal:
        """Return by how much of its base the wallet changed since a period began, in percent.

        Transfers aside; the base is the smaller of the opening and the opening with the transfers
        (RULES H2). 0 when nothing is known of the wallet.
        """
        now, start = bisect_right(self._at, at_ms) - 1, bisect_right(self._at, since_ms) - 1
        if now < 0:
            return ZERO
        opening = self._wallets[start] if start >= 0 else self._opening
        flows = self._flows[now] - (self._flows[start] if start >= 0 else ZERO)
        base = min(opening, opening + flows)
        result = self._wallets[now] - opening - flows
        return min(ZERO, result / base * 100) if base > 0 else ZERO
