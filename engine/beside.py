"""What stands beside the tick: alarms, followers of the events, the service manager.

Invariants: everything here comes after the tick's record and outcomes; nothing here decides
anything; whatever fails here is told, and the keeper goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from engine.alarms import Alarms
from engine.config import Settings
from engine.followers.start import Followers
from engine.loop import monotonic_ms
from engine.service import ServiceManager
from engine.store.store import Store
from engine.tick import TickReport

Note = Callable[[str], None]


class Beside:
    """The company of one running keeper."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        note: Note,
        *,
        now_ms: int,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start nothing: the first tick waits for nobody."""
        self._settings = settings
        self._followers = Followers(store.desk.account, settings.symbol, note, since_ms=now_ms)
        self._alarms = Alarms(store, self._followers.tell)
        known = os.environ if environ is None else environ
        self.service = ServiceManager(known, monotonic_ms)
        self._is_started = False

    def after(self, report: TickReport, fields: Mapping[str, object]) -> None:
        """Look at a finished tick; ``fields`` are the heartbeat's."""
        self._alarms.look(report)
        status = f"{fields.get('health')}, {fields.get('phase')}"
        self.service.look(report, status)
        if not self._is_started:
            self._is_started = True
            self._followers.start(self._settings)

    def follow(self, settings: Settings) -> None:
        """Follow as these settings say from now on."""
        self._settings = settings
        if self._is_started:
            self._followers.stop()
            self._followers.start(settings)

    def stop(self) -> None:
        """End; what was not told yet is told by the next process."""
        self.service.stopping()
        self._followers.stop()
