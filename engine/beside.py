"""What stands beside the tick: alarms, followers of the events, the service manager.

Invariants: everything here comes after the tick's record and outcomes; nothing here decides
anything; whatever fails here is told, and the keeper goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.alarms import Alarms
from engine.config import Settings
from engine.followers.happening import Happening
from engine.loop import monotonic_ms
from engine.service import ServiceManager
from engine.store.store import Store
from engine.tick import TickReport

if TYPE_CHECKING:
    from engine.followers.start import Followers

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
        self._account = store.desk.account
        self._note = note
        self._since_ms = now_ms
        self._followers: Followers | None = None
        self._waiting: list[Happening] = []
        self._alarms = Alarms(store, self._tell)
        known = os.environ if environ is None else environ
        self.service = ServiceManager(known, monotonic_ms)

    def after(self, report: TickReport, fields: dict[str, Any]) -> None:
        """Look at a finished tick; the heartbeat's ``fields`` learn since when what is wrong."""
        self._alarms.look(report)
        fields["troubles"] = [
            trouble | {"since_ms": self._alarms.since_ms(trouble["code"])}
            for trouble in fields["troubles"]
        ]
        status = f"{fields.get('health')}, {fields.get('phase')}"
        self.service.look(report, status)
        if self._followers is None:
            self._follow()

    def follow(self, settings: Settings) -> None:
        """Follow as these settings say from now on."""
        before, self._settings = self._settings, settings
        is_same = (before.alerts, before.logs) == (settings.alerts, settings.logs)
        if self._followers is not None and not is_same:
            self._followers.start(settings)

    def stop(self) -> None:
        """End; what was not told yet is told by the next process."""
        self.service.stopping()
        if self._followers is not None:
            self._followers.stop()

    def _follow(self) -> None:
        # Imported when the first tick is over: cover does not wait for who only looks on.
        from engine.followers.start import Followers  # noqa: PLC0415 - after the first tick

        self._followers = Followers(
            self._account, self._settings.symbol, self._note, since_ms=self._since_ms
        )
        self._followers.start(self._settings)
        for happening in self._waiting:
            self._followers.tell(happening)
        self._waiting = []

    def _tell(self, happening: Happening) -> None:
        if self._followers is None:
            self._waiting.append(happening)
        else:
            self._followers.tell(happening)
