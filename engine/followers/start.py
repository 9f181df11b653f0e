"""Which followers the settings ask for, each on its own tail.

A store in memory has no tail: nobody else can open it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.config import Settings
from engine.followers.alerts import Alerts, Order
from engine.followers.happening import Happening
from engine.followers.tail import Follower, Tail
from engine.followers.transactions import TransactionLogs
from engine.store.connect import Place
from engine.store.reading import ReadStore

Note = Callable[[str], None]


class Followers:
    """Everybody who follows one keeper's events; made anew when the settings change."""

    def __init__(self, account: str, symbol: str, note: Note, *, since_ms: int) -> None:
        """Follow nothing yet; who has no cursor begins with the events of ``since_ms``."""
        self._account = account
        self._symbol = symbol
        self._note = note
        self._since_ms = since_ms
        self._tails: list[Tail] = []

    def start(self, settings: Settings) -> None:
        """Follow as ``settings`` say; who followed before hands over, and nobody waits for that."""
        before, self._tails = self._tails, []
        for tail in before:
            tail.end()
        if Place(settings.store.url).is_memory:
            return

        def open_reader() -> ReadStore:
            url = settings.store.url
            return ReadStore.open(url, account=self._account, symbol=self._symbol)

        self._tails = [
            Tail(open_reader, follower, since_ms=self._since_ms, note=self._note)
            for follower in followers_of(settings, self._note)
        ]
        for tail in self._tails:
            tail.start(before)

    def tell(self, happening: Happening) -> None:
        """Hand over what could not be stored."""
        for tail in self._tails:
            tail.tell(happening)

    def stop(self) -> None:
        """End them all."""
        for tail in self._tails:
            tail.stop()
        self._tails = []


def followers_of(settings: Settings, note: Note) -> tuple[Follower, ...]:
    """Return the followers the settings name."""
    found: list[Follower] = []
    alerts, logs = settings.alerts, settings.logs
    if alerts.command is not None:
        kinds = tuple(kind.value for kind in alerts.kinds)
        order = Order(alerts.command, kinds, float(alerts.timeout_s))
        found.append(Alerts(order, alerts_place(settings.store.spool), note))
    if logs.folder is not None:
        found.append(TransactionLogs(logs.folder, note, keep_days=logs.keep_days))
    return tuple(found)


def alerts_place(spool: Path) -> Path:
    """Return where the alerts' cursor is kept: beside the spool, which each keeper has alone."""
    return spool.with_name(f"{spool.name}.alerts")
